#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
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
  OutputBuffer(OutputBuffer&&) noexcept;
  OutputBuffer& operator=(OutputBuffer&&) noexcept;
  ~OutputBuffer();

  bool empty() const { return size_ == 0; }
  // Bytes appended and not consumed.
  size_t size() const { return size_; }
  // Bytes of memory held, pinned values included.
  size_t memory_bytes() const;

  void Append(std::string_view bytes);
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
  void Clear();

  // A copy of everything, for tests and for small messages.
  std::string ToString() const;

 private:
  struct Segment;
  std::vector<Segment> segments_;
  size_t head_ = 0;  // first live segment
  size_t size_ = 0;
};

}  // namespace basalt::net
