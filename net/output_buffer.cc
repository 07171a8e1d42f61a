#include "net/output_buffer.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace basalt::net {

OutputBuffer& OutputBuffer::operator=(OutputBuffer&& other) noexcept {
  Release();
  Swap(other);
  return *this;
}

void OutputBuffer::Swap(OutputBuffer& other) noexcept {
  segments_.swap(other.segments_);
  std::swap(head_, other.head_);
  std::swap(size_, other.size_);
  std::swap(memory_bytes_, other.memory_bytes_);
  std::swap(cursor_, other.cursor_);
  std::swap(room_, other.room_);
}

void OutputBuffer::AppendSlow(std::string_view bytes) {
  if (bytes.empty()) return;
  const size_t fits = std::min(room_, bytes.size());
  if (fits > 0) {
    std::memcpy(cursor_, bytes.data(), fits);
    Advance(fits);
    bytes.remove_prefix(fits);
  }
  NewBlock(bytes.size());
  std::memcpy(cursor_, bytes.data(), bytes.size());
  Advance(bytes.size());
}

void OutputBuffer::NewBlock(size_t bytes) {
  const size_t usual = memory_bytes_ < kFirstBlockBytes ? kFirstBlockBytes : kBlockBytes;
  const size_t capacity = bytes <= usual ? usual : std::max(bytes, kBlockBytes);
  // A block kept by Clear() that is too small makes way instead of staying as an empty piece of the chain.
  if (segments_.size() == head_ + 1 && size_ == 0) {
    DropSegment(segments_.back());
    segments_.pop_back();
  }
  Segment segment;
  segment.block.reset(new char[capacity]);
  segment.begin = segment.end = segment.block.get();
  segment.capacity = capacity;
  memory_bytes_ += capacity;
  segments_.push_back(std::move(segment));
  FindRoom();
}

void OutputBuffer::AppendPinned(std::string_view bytes, std::shared_ptr<const void> owner) {
  if (bytes.empty()) return;
  Segment segment;
  segment.owner = std::move(owner);
  segment.begin = bytes.data();
  segment.end = bytes.data() + bytes.size();
  segment.capacity = bytes.size();
  memory_bytes_ += bytes.size();
  size_ += bytes.size();
  segments_.push_back(std::move(segment));
  FindRoom();
}

void OutputBuffer::AppendBuffer(OutputBuffer&& other) {
  for (size_t i = other.head_; i < other.segments_.size(); ++i) {
    Segment& segment = other.segments_[i];
    const size_t bytes = static_cast<size_t>(segment.end - segment.begin);
    if (bytes == 0) continue;
    // A block that is mostly empty is copied: a client that stops reading must cost what it is owed, not a block a
    // reply.
    if (segment.block && (bytes <= room_ || bytes < segment.capacity / 2)) {
      Append({segment.begin, bytes});
      continue;
    }
    memory_bytes_ += segment.capacity;
    size_ += bytes;
    other.memory_bytes_ -= segment.capacity;
    segments_.push_back(std::move(segment));
    segment.capacity = 0;
    FindRoom();
  }
  other.Release();
}

void OutputBuffer::Truncate(Position position) { Replace(position, size_, {}); }

void OutputBuffer::Replace(Position from, Position to, std::string_view bytes) {
  CHECK_LE(from, to);
  CHECK_LE(to, size_);
  const size_t removed = to - from;
  // The usual case is a short reply whose bytes all lie in the last block.
  if (!segments_.empty() && segments_.back().block) {
    Segment& last = segments_.back();
    const size_t live = static_cast<size_t>(last.end - last.begin);
    if (from >= size_ - live && bytes.size() <= removed + room_) {
      char* const at = cursor_ - (size_ - from);
      if (to < size_) std::memmove(at + bytes.size(), at + removed, size_ - to);
      if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
      last.end = at + bytes.size() + (size_ - to);
      size_ = size_ - removed + bytes.size();
      FindRoom();
      return;
    }
  }
  const size_t first = SplitAt(from);
  const size_t last = SplitAt(to);
  for (size_t i = first; i < last; ++i) DropSegment(segments_[i]);
  segments_.erase(segments_.begin() + static_cast<ptrdiff_t>(first), segments_.begin() + static_cast<ptrdiff_t>(last));
  size_ -= removed;
  if (first == segments_.size()) {
    FindRoom();
    Append(bytes);
  } else if (!bytes.empty()) {
    segments_.insert(segments_.begin() + static_cast<ptrdiff_t>(first), MakeSegment(bytes));
    size_ += bytes.size();
  }
  FindRoom();
}

OutputBuffer::Segment OutputBuffer::MakeSegment(std::string_view bytes) {
  Segment segment;
  segment.block.reset(new char[bytes.size()]);
  std::memcpy(segment.block.get(), bytes.data(), bytes.size());
  segment.begin = segment.block.get();
  segment.end = segment.begin + bytes.size();
  segment.capacity = bytes.size();
  memory_bytes_ += bytes.size();
  return segment;
}

size_t OutputBuffer::SplitAt(Position position) {
  size_t i = head_;
  for (; i < segments_.size(); ++i) {
    const size_t live = static_cast<size_t>(segments_[i].end - segments_[i].begin);
    if (position == 0) return i;
    if (position < live) break;
    position -= live;
  }
  if (i == segments_.size()) return i;
  Segment tail;
  {
    Segment& segment = segments_[i];
    const char* at = segment.begin + position;
    if (segment.block) {
      tail = MakeSegment({at, static_cast<size_t>(segment.end - at)});
    } else {
      tail.owner = segment.owner;
      tail.begin = at;
      tail.end = segment.end;
      tail.capacity = static_cast<size_t>(segment.end - at);
      segment.capacity -= tail.capacity;
    }
    segment.end = at;
  }
  segments_.insert(segments_.begin() + static_cast<ptrdiff_t>(i) + 1, std::move(tail));
  FindRoom();
  return i + 1;
}

int OutputBuffer::FillIov(iovec* iov, int max) const {
  int filled = 0;
  for (size_t i = head_; i < segments_.size() && filled < max; ++i) {
    const Segment& segment = segments_[i];
    if (segment.begin == segment.end) continue;
    iov[filled++] = {const_cast<char*>(segment.begin), static_cast<size_t>(segment.end - segment.begin)};
  }
  return filled;
}

void OutputBuffer::Consume(size_t bytes) {
  CHECK_LE(bytes, size_);
  if (bytes == size_) return Clear();
  size_ -= bytes;
  while (bytes > 0) {
    Segment& segment = segments_[head_];
    const size_t live = static_cast<size_t>(segment.end - segment.begin);
    if (bytes < live) {
      segment.begin += bytes;
      break;
    }
    bytes -= live;
    DropSegment(segment);
    ++head_;
  }
  // Long chains are consumed from the front for as long as the client is slow: forget the dead part now and then.
  if (head_ > 64 && head_ > segments_.size() / 2) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
}

void OutputBuffer::Clear() {
  if (segments_.size() == head_) return Release();
  Segment kept = std::move(segments_.back());
  segments_.back().capacity = 0;
  if (!kept.block || kept.capacity > kBlockBytes) return Release();
  segments_.clear();
  kept.begin = kept.end = kept.block.get();
  memory_bytes_ = kept.capacity;
  segments_.push_back(std::move(kept));
  head_ = size_ = 0;
  FindRoom();
}

void OutputBuffer::Release() {
  segments_.clear();
  segments_.shrink_to_fit();
  head_ = size_ = memory_bytes_ = room_ = 0;
  cursor_ = nullptr;
}

std::string OutputBuffer::ToString() const {
  std::string all;
  all.reserve(size_);
  for (size_t i = head_; i < segments_.size(); ++i) {
    all.append(segments_[i].begin, static_cast<size_t>(segments_[i].end - segments_[i].begin));
  }
  return all;
}

void OutputBuffer::FindRoom() {
  cursor_ = nullptr;
  room_ = 0;
  if (segments_.size() == head_ || !segments_.back().block) return;
  Segment& last = segments_.back();
  cursor_ = const_cast<char*>(last.end);
  room_ = last.capacity - static_cast<size_t>(last.end - last.block.get());
}

void OutputBuffer::DropSegment(Segment& segment) {
  memory_bytes_ -= segment.capacity;
  segment = Segment();
}

}  // namespace basalt::net
