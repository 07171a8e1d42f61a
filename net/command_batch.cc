#include "net/command_batch.h"

#include <glog/logging.h>

#include <cstring>
#include <utility>

namespace basalt::net {

namespace {

constexpr size_t kArgsKept = 4096;  // capacity worth recycling; a command of a million arguments is not the rule

}  // namespace

InputBuffer CommandBatch::Detach() {
  const size_t first = finished() ? args.size() : commands[next].first_arg;
  args.erase(args.begin(), args.begin() + static_cast<ptrdiff_t>(first));
  commands.erase(commands.begin(), commands.begin() + next);
  for (Command& command : commands) command.first_arg -= static_cast<uint32_t>(first);
  next = 0;
  if (std::exchange(detached_, true)) return std::move(input);

  // Big arguments keep their blocks; all others move into one new block.
  std::vector<std::unique_ptr<char[]>> blocks = input.TakeFinishedBlocks();
  size_t small_bytes = 0;
  for (const std::string_view arg : args) {
    if (arg.size() < InputBuffer::kBigArgBytesMin) small_bytes += arg.size();
  }
  std::unique_ptr<char[]> small(new char[small_bytes]);
  char* at = small.get();
  for (std::string_view& arg : args) {
    if (arg.size() >= InputBuffer::kBigArgBytesMin) {
      bool in_block = false;
      for (const auto& block : blocks) in_block |= block.get() == arg.data();
      if (in_block) continue;
      std::unique_ptr<char[]> copy(new char[arg.size()]);  // a read-ahead had it whole in the main block
      std::memcpy(copy.get(), arg.data(), arg.size());
      arg = {copy.get(), arg.size()};
      copied_args_.push_back(std::move(copy));
    } else {
      std::memcpy(at, arg.data(), arg.size());
      arg = {at, arg.size()};
      at += arg.size();
    }
  }
  for (auto& block : blocks) copied_args_.push_back(std::move(block));
  copied_args_.push_back(std::move(small));
  return std::move(input);
}

void CommandBatch::Recycle() {
  CHECK(client == nullptr) << "a recycled batch still holds a client";
  conn = ConnId();
  args.clear();
  if (args.capacity() > kArgsKept) args.shrink_to_fit();
  commands.clear();
  next = 0;
  protocol_error.reset();
  input = InputBuffer();
  replies.Clear();
  copied_args_.clear();
  detached_ = false;
  enqueued_ns = queue_wait_ns = 0;
}

BatchPtr BatchPool::Take() {
  if (spare_.empty()) return std::make_unique<CommandBatch>();
  BatchPtr batch = std::move(spare_.back());
  spare_.pop_back();
  return batch;
}

void BatchPool::Put(BatchPtr batch) {
  if (spare_.size() >= kSpareBatchesMax) {
    CHECK(batch->client == nullptr);
    return;
  }
  batch->Recycle();
  spare_.push_back(std::move(batch));
}

}  // namespace basalt::net
