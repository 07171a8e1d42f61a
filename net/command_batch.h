#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/conn_id.h"
#include "net/input_buffer.h"
#include "net/output_buffer.h"
#include "net/resp_parser.h"

namespace basalt::net {

// What the layer above keeps per client (its Session). Travels inside the batch while one is out, rests in the
// Connection otherwise: whoever holds the batch may use it without a lock.
class ClientState {
 public:
  virtual ~ClientState() = default;
};

// When pending output cuts a client off, as `client-output-buffer-limit`. 0 = no limit.
struct OutputLimit {
  uint64_t hard_bytes = 0;
  uint64_t soft_bytes = 0;
  uint32_t soft_seconds = 0;
};

// What the layer above tells the connection each time a batch comes back; kept until the next one.
struct ConnSettings {
  bool close_after_reply = false;    // QUIT, CLIENT KILL of oneself
  bool idle_timeout_exempt = false;  // subscribers, MONITOR
  ParserLimits parser;
  OutputLimit output;
};

// All complete commands that one read (or several) of one connection gave, as views into the input buffer it was lent,
// and the replies to them.
//
// Owner: exactly one of Connection, ThreadPool queue, pool thread, ParkedRegistry, BatchDone event; moved, never
// shared, recycled by the worker. Its holder may use everything in it without a lock.
struct CommandBatch {
  static constexpr uint32_t kBatchCommandsMax = 128;  // the rest stays with the connection until this batch is back

  struct Command {
    uint32_t first_arg = 0;  // index into args
    uint32_t argc = 0;       // >= 1
  };

  ConnId conn;
  uint64_t sequence = 0;  // per connection; asserted when the batch comes back
  std::unique_ptr<ClientState> client;

  std::vector<std::string_view>
      args;  // of all commands; the bytes belong to `input` (or to `copied_args` after Detach)
  std::vector<Command> commands;
  uint32_t next = 0;  // the first command not yet executed
  // Set when the bytes behind the last command are not RESP: the worker sends "-ERR Protocol error: …" after the
  // replies and closes.
  std::optional<std::string> protocol_error;

  InputBuffer input;      // lent by the connection, given back with the batch
  OutputBuffer replies;   // of commands [.., next), in order
  ConnSettings settings;  // in: as they are; out: as they shall be

  uint64_t enqueued_ns = 0;    // CLOCK_MONOTONIC at the last submit
  uint64_t queue_wait_ns = 0;  // of the last submit, set when a pool thread takes the batch

  std::span<const std::string_view> Argv(const Command& c) const { return {args.data() + c.first_arg, c.argc}; }
  bool finished() const { return next == commands.size(); }

  // Copies the arguments of commands [next, ..) out of `input`, so that the input buffer can go back to the connection
  // while the batch is parked. Returns that buffer. Earlier commands are dropped; next becomes 0. A second call copies
  // nothing.
  InputBuffer Detach();
  // Whether it was parked once.
  bool detached() const { return detached_; }

 private:
  std::vector<std::unique_ptr<char[]>> copied_args_;
  bool detached_ = false;  // no argument lies in `input`

 public:
  // Empties everything but capacity, for reuse. REQUIRES: client == nullptr.
  void Recycle();
};

using BatchPtr = std::unique_ptr<CommandBatch>;

// Spare batches of one worker. Owner: the WorkerThread; that thread only.
class BatchPool {
 public:
  static constexpr size_t kSpareBatchesMax = 128;

  BatchPtr Take();
  void Put(BatchPtr batch);

 private:
  std::vector<BatchPtr> spare_;
};

}  // namespace basalt::net
