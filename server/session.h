#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/command_batch.h"
#include "net/reply_builder.h"
#include "net/request_handler.h"
#include "server/blocked_keys.h"
#include "server/command_context.h"
#include "server/scripting/running_scripts.h"
#include "server/status.h"
#include "storage/key.h"
#include "storage/key_locks.h"

namespace basalt {

struct Command;
class CommitGroup;
class User;
class WatchToken;

enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext, kSkipping /* this command's reply */ };

// What other threads may see of a client (CLIENT LIST, CLIENT KILL filters). Strings change rarely and are guarded;
// numbers are relaxed atomics written by the holder of the Session. Shared by Session and ClientRegistry.
class ClientInfo;

// A command that MULTI queued: its row and a copy of its arguments.
struct QueuedCommand {
  const Command* command;
  std::vector<std::string> args;
};

// What a blocking command keeps between its runs.
struct BlockedCommand {
  int64_t deadline_ms = 0;  // Unix milliseconds, 0: none (or not begun)
  BlockedKeys::Registration registration;
  std::vector<std::string> kept_arguments;
};

// What a command that could not finish needs when it runs again.
struct Rerun {
  bool with_gate = false;      // the exclusive gate closed
  std::vector<uint64_t> keys;  // hashes of keys that are to be locked beyond those of its row: what a script has used
  int attempts = 0;            // runs that ended for a key that was not free
  bool shown = false;          // to MONITOR: when it began to wait

  void Clear() {
    with_gate = false;
    keys.clear();
    attempts = 0;
    shown = false;
  }
};

// One client's state. Travels with its batch, so its holder needs no lock.
class Session final : public net::ClientState {
 public:
  Session(net::ConnInfo conn, uint64_t id);
  ~Session() override;

  const net::ConnInfo conn;
  const uint64_t id;  // CLIENT ID: ascending from 1, never reused
  const std::shared_ptr<ClientInfo> info;

  storage::DbIndex db = 0;
  net::RespVersion resp = net::RespVersion::kResp2;
  bool authenticated = false;
  std::shared_ptr<const User> user;  // never null in the server; as of users_version
  uint64_t users_version = 0;        // UserRegistry::version()
  ReplyMode reply_mode = ReplyMode::kOn;
  bool no_evict = false;
  bool no_touch = false;
  bool monitor = false;
  bool close_after_reply = false;
  bool pushes_held = false;  // until the replies so far are sent (net::Transport::HoldPushes)

  // ---- CLIENT TRACKING; ClientTracking's to set ----
  uint8_t tracking = 0;       // TrackingMode; 0: off
  bool caching_said = false;  // CLIENT CACHING, about the next command or transaction

  // ---- MULTI ----
  bool in_multi = false;
  bool dirty_exec = false;  // a command was refused while queueing: EXEC answers EXECABORT
  std::vector<QueuedCommand> queued;
  size_t queued_bytes = 0;
  uint64_t queued_flags = 0;  // CommandFlag of all queued commands

  // ---- WATCH ----
  std::shared_ptr<WatchToken> watch;  // null: nothing watched

  uint64_t queue_wait_ns = 0;  // how long the current batch waited for a pool thread

  // ---- between two runs of one command; the executor's ----
  Wake wake = Wake::kFirstRun;           // why the next command runs again
  BlockedCommand blocked;                // … and what it keeps
  Rerun rerun;                           // … with what
  Status refusal;                        // the next command is answered with this error (BUSY) instead
  storage::KeyLocks::Grant grant;        // locks its batch waited for
  RunningScripts::Turn turn;             // … or the right to run a script, or an exclusive command
  std::unique_ptr<CommitGroup> stalled;  // a commit that RocksDB would have stalled: finish it first, in the slow lane

  // Forgets queue and flags. Watched keys are the WatchTable's to forget.
  void DiscardTransaction();
  // Shows the current state in *info.
  void Publish();
};

// For the holder of the batch.
inline Session& SessionOf(net::CommandBatch& batch) { return static_cast<Session&>(*batch.client); }

}  // namespace basalt
