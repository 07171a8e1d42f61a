#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace basalt::net {

// Bytes on their way to a socket: a chain of owned blocks and pinned values. A pinned value is not copied; its owner
// is kept alive until the bytes are consumed.
//
// Owner: exactly one of a CommandBatch (its replies) and a Connection (its pending output). Not thread-safe; the holder
// of the owner may use it.
class OutputBuffer {
 public:
  // Values of at least this many bytes are worth pinning instead of copying.
  static constexpr size_t kPinBytesMin = 32 * 1024;

  OutputBuffer() = default;
  OutputBuffer(OutputBuffer&& other) noexcept { Swap(other); }
  OutputBuffer& operator=(OutputBuffer&& other) noexcept;
  void Swap(OutputBuffer& other) noexcept;

  bool empty() const { return size_ == 0; }
  // Bytes appended and not consumed.
  size_t size() const { return size_; }
  // Bytes of memory held, pinned values included.
  size_t memory_bytes() const { return memory_bytes_; }
  // Pieces of the chain.
  size_t segment_count() const { return segments_.size() - head_; }

  void Append(std::string_view bytes) {
    if (bytes.size() - 1 < room_) {  // no bytes at all go the slow way, too
      std::memcpy(cursor_, bytes.data(), bytes.size());
      Advance(bytes.size());
    } else {
      AppendSlow(bytes);
    }
  }
  // At least `bytes` contiguous bytes at the end, to be filled by the caller; then Commit() what was filled.
  char* Prepare(size_t bytes) {
    if (bytes > room_) NewBlock(bytes);
    return cursor_;
  }
  void Commit(size_t bytes) { Advance(bytes); }
  // `bytes` stay valid as long as `owner` lives.
  void AppendPinned(std::string_view bytes, std::shared_ptr<const void> owner);
  // Moves all of `other` to the end of this buffer.
  void AppendBuffer(OutputBuffer&& other);

  // An offset in the stream of bytes; valid until the bytes before it are replaced or consumed.
  using Position = uint64_t;
  Position End() const { return size_; }
  // Drops everything from `position` on. REQUIRES: position <= End().
  void Truncate(Position position);
  // Replaces [from, to) by `bytes`. Costs a rebuild of the chain when it does not touch the end; for lengths
  // known late and for replies taken back. REQUIRES: from <= to <= End().
  void Replace(Position from, Position to, std::string_view bytes);

  // Fills up to `max` entries with the first unconsumed bytes; returns how many were filled.
  int FillIov(iovec* iov, int max) const;
  // Drops the first `bytes` bytes. REQUIRES: bytes <= size().
  void Consume(size_t bytes);
  // Empty, with one ordinary block kept for the next replies.
  void Clear();
  // Empty, no memory held.
  void Release();

  // A copy of everything, for tests and for small messages.
  std::string ToString() const;

 private:
  static constexpr size_t kFirstBlockBytes = 1024;  // enough for most batches
  static constexpr size_t kBlockBytes = 16 * 1024;

  struct Segment {
    std::unique_ptr<char[]> block;      // null: pinned
    std::shared_ptr<const void> owner;  // of a pinned value
    const char* begin = nullptr;        // live bytes
    const char* end = nullptr;
    size_t capacity = 0;  // of block; of a pinned value its size
  };

  void Advance(size_t bytes) {
    cursor_ += bytes;
    room_ -= bytes;
    segments_.back().end = cursor_;
    size_ += bytes;
  }
  void AppendSlow(std::string_view bytes);
  void NewBlock(size_t bytes);
  Segment MakeSegment(std::string_view bytes);
  // The index of the segment that begins at `position`, splitting one if need be.
  size_t SplitAt(Position position);
  // Recomputes cursor_ and room_ after the last segment changed.
  void FindRoom();
  void DropSegment(Segment& segment);

  std::vector<Segment> segments_;
  size_t head_ = 0;  // first live segment
  size_t size_ = 0;
  size_t memory_bytes_ = 0;
  char* cursor_ = nullptr;  // where the next byte goes: the end of the last segment when that is a block
  size_t room_ = 0;         // bytes free at cursor_
};

}  // namespace basalt::net
