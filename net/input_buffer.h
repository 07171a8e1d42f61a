#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace basalt::net {

// Spare read buffers of one worker, so that a connection holds one only while it has unanswered bytes.
//
// Owner: the WorkerThread. That thread only.
class BlockPool {
 public:
  static constexpr size_t kBlockBytes = 16 * 1024;
  static constexpr size_t kSpareBlocksMax = 64;

  std::unique_ptr<char[]> Take();
  void Put(std::unique_ptr<char[]> block);

 private:
  std::vector<std::unique_ptr<char[]>> spare_;
};

// Bytes read from one client: one contiguous block, and beside it a block of exactly the right size for every argument
// of kBigArgBytesMin or more, so that such an argument is read to where it stays.
//
//   block_  | consumed |  data() … size()  | free |        consumed: commands that were parsed, their views still live
//                      ^start_             ^end_  ^capacity_
//
// Owner: the Connection, or the CommandBatch it was lent to: moving the object does not move the bytes. They move only
// in WritableSpan(), Shrink(), Settle() and StartBigArg(), which nobody calls while views are out. Not thread-safe.
class InputBuffer {
 public:
  static constexpr size_t kBigArgBytesMin = 32 * 1024;
  static constexpr size_t kReadBytesMin = 4 * 1024;  // room that a read is offered at least
  static constexpr size_t kShrinkBytesMax = 1024;    // a tail of at most this many bytes gives its block back

  InputBuffer() = default;
  InputBuffer(InputBuffer&& other) noexcept { *this = std::move(other); }
  InputBuffer& operator=(InputBuffer&& other) noexcept;

  // ---- Reading ----
  // Where the next read goes. Empty when there is no memory for it.
  std::span<char> WritableSpan(BlockPool& pool);
  // REQUIRES: n <= size of the last WritableSpan().
  void Commit(size_t n);

  // ---- Parsing ----
  char* data() const { return block_.get() + start_; }
  size_t size() const { return end_ - start_; }
  void Consume(size_t n);

  // Turns everything from data()+offset on into the beginning of an argument of `bytes` bytes and its CRLF, in a block
  // of its own. False when there is no memory. REQUIRES: size() - offset < bytes + 2, no big argument is open.
  [[nodiscard]] bool StartBigArg(size_t offset, size_t bytes);
  bool big_arg_open() const { return big_ && big_->open; }
  bool big_arg_complete() const { return big_->filled == big_->size; }
  // Ends the open argument. The bytes stay valid until CommandComplete() hands them to the batch and Settle() drops
  // them.
  const char* FinishBigArg();
  // The arguments finished so far belong to a command that is complete: they live until Settle().
  void CommandComplete();

  // ---- Between commands; no view may be out ----
  // Drops what was consumed; an empty block goes back to the pool.
  void Settle(BlockPool& pool);
  // Settle(), and a short tail moves to a block of its own size.
  void Shrink(BlockPool& pool);
  // Takes over the blocks of big arguments that the batch still needs after this buffer went back.
  std::vector<std::unique_ptr<char[]>> TakeFinishedBlocks();

  // Bytes received and not consumed.
  uint64_t pending_bytes() const { return size() + (big_ ? big_->partial_bytes + big_->filled : 0); }
  // Memory held beyond them.
  uint64_t free_bytes() const { return capacity_ - size() + (big_ && big_->open ? big_->size - big_->filled : 0); }

 private:
  struct Big {
    std::unique_ptr<char[]> open;                  // being read
    size_t size = 0, filled = 0;                   // of `open`
    std::vector<std::unique_ptr<char[]>> partial;  // finished, of the incomplete command
    size_t partial_bytes = 0;
    std::vector<std::unique_ptr<char[]>> finished;  // of complete commands
  };

  void ReleaseBlock(BlockPool& pool);
  [[nodiscard]] bool Relocate(std::unique_ptr<char[]> to, size_t capacity, BlockPool& pool);

  std::unique_ptr<char[]> block_;
  size_t start_ = 0, end_ = 0, capacity_ = 0;
  std::unique_ptr<Big> big_;  // most clients never need one
};

}  // namespace basalt::net
