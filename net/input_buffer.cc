#include "net/input_buffer.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace basalt::net {

namespace {

// Left uninitialized on purpose: a block for a 512 MiB argument costs nothing until its bytes arrive.
std::unique_ptr<char[]> Allocate(size_t bytes) { return std::unique_ptr<char[]>(new (std::nothrow) char[bytes]); }

}  // namespace

std::unique_ptr<char[]> BlockPool::Take() {
  if (spare_.empty()) return Allocate(kBlockBytes);
  std::unique_ptr<char[]> block = std::move(spare_.back());
  spare_.pop_back();
  return block;
}

void BlockPool::Put(std::unique_ptr<char[]> block) {
  DCHECK(block);
  if (spare_.size() < kSpareBlocksMax) spare_.push_back(std::move(block));
}

InputBuffer& InputBuffer::operator=(InputBuffer&& other) noexcept {
  block_ = std::move(other.block_);
  start_ = std::exchange(other.start_, 0);
  end_ = std::exchange(other.end_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  big_ = std::move(other.big_);
  return *this;
}

std::span<char> InputBuffer::WritableSpan(BlockPool& pool) {
  // A parked client reads ahead unparsed: behind a big argument that is full the bytes go on in the block.
  if (big_arg_open() && !big_arg_complete()) return {big_->open.get() + big_->filled, big_->size - big_->filled};
  if (!block_) {
    block_ = pool.Take();
    if (!block_) return {};
    capacity_ = BlockPool::kBlockBytes;
  }
  if (start_ == end_) start_ = end_ = 0;
  if (capacity_ - end_ < kReadBytesMin) {
    if (size() <= capacity_ / 2 && capacity_ - size() >= kReadBytesMin) {
      std::memmove(block_.get(), data(), size());
      end_ -= std::exchange(start_, 0);
    } else if (size() + kReadBytesMin <= BlockPool::kBlockBytes) {
      if (!Relocate(pool.Take(), BlockPool::kBlockBytes, pool)) return {};
    } else {
      const size_t capacity = std::max(2 * capacity_, 2 * BlockPool::kBlockBytes);
      if (!Relocate(Allocate(capacity), capacity, pool)) return {};
    }
  }
  return {block_.get() + end_, capacity_ - end_};
}

void InputBuffer::Commit(size_t n) {
  if (big_arg_open() && !big_arg_complete()) {
    CHECK_LE(n, big_->size - big_->filled);
    big_->filled += n;
  } else {
    CHECK_LE(n, capacity_ - end_);
    end_ += n;
  }
}

void InputBuffer::Consume(size_t n) {
  CHECK_LE(n, size());
  start_ += n;
}

bool InputBuffer::StartBigArg(size_t offset, size_t bytes) {
  CHECK(!big_arg_open());
  CHECK_LT(size() - offset, bytes + 2);
  std::unique_ptr<char[]> block = Allocate(bytes + 2);
  if (!block) return false;
  if (!big_) big_ = std::make_unique<Big>();
  big_->filled = size() - offset;
  big_->size = bytes + 2;
  std::memcpy(block.get(), data() + offset, big_->filled);
  big_->open = std::move(block);
  end_ = start_ + offset;
  return true;
}

const char* InputBuffer::FinishBigArg() {
  CHECK(big_arg_open() && big_arg_complete());
  big_->partial.push_back(std::move(big_->open));
  big_->partial_bytes += big_->size;
  big_->size = big_->filled = 0;
  return big_->partial.back().get();
}

void InputBuffer::CommandComplete() {
  if (!big_ || big_->partial.empty()) return;
  std::move(big_->partial.begin(), big_->partial.end(), std::back_inserter(big_->finished));
  big_->partial.clear();
  big_->partial_bytes = 0;
}

void InputBuffer::Settle(BlockPool& pool) {
  if (start_ == end_ && block_) ReleaseBlock(pool);
  if (big_) {
    big_->finished.clear();
    if (!big_->open && big_->partial.empty()) big_.reset();
  }
}

void InputBuffer::Shrink(BlockPool& pool) {
  Settle(pool);
  if (!block_ || capacity_ < BlockPool::kBlockBytes || size() > kShrinkBytesMax) return;
  const size_t bytes = size();
  (void)Relocate(Allocate(bytes), bytes, pool);  // without memory the tail stays where it is
}

std::vector<std::unique_ptr<char[]>> InputBuffer::TakeFinishedBlocks() {
  return big_ ? std::exchange(big_->finished, {}) : std::vector<std::unique_ptr<char[]>>();
}

void InputBuffer::ReleaseBlock(BlockPool& pool) {
  if (capacity_ == BlockPool::kBlockBytes) {
    pool.Put(std::move(block_));
  } else {
    block_.reset();
  }
  start_ = end_ = capacity_ = 0;
}

bool InputBuffer::Relocate(std::unique_ptr<char[]> to, size_t capacity, BlockPool& pool) {
  if (!to) return false;
  const size_t bytes = size();
  CHECK_LE(bytes, capacity);
  std::memcpy(to.get(), data(), bytes);
  ReleaseBlock(pool);
  block_ = std::move(to);
  end_ = bytes;
  capacity_ = capacity;
  return true;
}

}  // namespace basalt::net
