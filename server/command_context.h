#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/command_batch.h"
#include "net/reply_builder.h"
#include "net/request_handler.h"
#include "server/argument_parsing.h"
#include "server/command_spec.h"
#include "server/outbox.h"
#include "server/services.h"
#include "server/status.h"
#include "storage/key.h"
#include "storage/read_view.h"
#include "storage/storage.h"
#include "storage/write_txn.h"

namespace basalt {

class Session;

// Why a command that parked itself runs again.
enum class Wake : uint8_t { kFirstRun, kReady, kTimeout };

// Names one parking of one batch; what is passed to ParkedRegistry::WakeUp. A stale one is harmless.
using ParkTicket = uint64_t;

struct ParkRequest {
  int64_t deadline_ms = 0;  // Unix milliseconds, 0: none
  // Called once the batch is parked, with what wakes it; may wake at once. Null: only the deadline, CLIENT UNBLOCK or
  // the client's end.
  std::function<void(ParkTicket)> on_parked;
  // How the batch goes back to the pool when WakeUp says it is ready. Null: at once.
  std::function<void(net::BatchPtr, net::Lane)> resubmit;
};

// For CommandSpec::prepare: what the command needs before its handler runs.
struct PrepareInput {
  const CommandSpec& spec;
  std::span<const std::string_view> argv;
  const Session& session;
  const Services& services;
};
struct Preparation {
  std::vector<storage::HashedKey> keys;  // to be locked. The bytes belong to argv or to the Session
  bool uses_txn = false;                 // writes, or reads under locks
  bool exclusive = false;                // with the gate closed
  bool slow = false;                     // in the slow lane
  bool runs_script = false;              // may hold its thread

  void Clear() {
    keys.clear();
    uses_txn = exclusive = slow = runs_script = false;
  }
};
// Adds what the row itself says. EXEC calls it for each queued command.
void PrepareFromRow(const PrepareInput& input, Preparation* preparation);

// What one handler sees of the one command it runs. A handler reads arguments, calls a verb of a store, writes one
// reply; returning an error is the error reply (what it had written is taken back, what it had changed is rolled back).
// Pool thread; on the executor's stack.
class CommandContext {
 public:
  CommandContext(const CommandSpec& spec, std::span<const std::string_view> argv, net::ReplyBuilder& reply,
                 Session& session, const Services& services, storage::ReadView& view, storage::WriteTxn* txn,
                 Outbox& outbox, net::Lane lane);

  const CommandSpec& spec;
  const std::span<const std::string_view> argv;  // argv[0] is the command's name as sent
  net::ReplyBuilder& reply;
  Session& session;
  const Services& services;
  const net::Lane lane;
  // What it tells others, once it is committed; told at once when there is nothing to commit.
  Outbox& outbox;

  size_t argc() const { return argv.size(); }
  std::string_view arg(size_t i) const { return argv[i]; }
  storage::DbIndex db() const;
  int64_t now_ms() const { return view_.now_ms(); }

  // The i-th argument as a key, hashed. Command table, locks and handlers all use this.
  storage::HashedKey key(size_t i) const { return services.storage.Hash(argv[i]); }

  // Reads: of the snapshot, or of the pending writes of this client's group.
  storage::ReadView& view() { return view_; }
  // REQUIRES: can_write(): the row has kCmdWrite or kCmdLockKeys; the keys of its key specs are locked.
  storage::WriteTxn& txn() { return *txn_; }
  bool can_write() const { return txn_ != nullptr; }
  bool in_slow_lane() const { return lane == net::Lane::kSlow; }
  // EXEC or a script runs the command: blocking commands then do not block.
  bool deny_blocking = false;
  // … and which one. Null: the client itself.
  const CommandContext* outer = nullptr;
  bool in_script() const { return outer != nullptr && outer->spec.Has(kCmdRunsScript); }
  // Unix microseconds, the same whenever EXEC or a script asks.
  int64_t now_us() const;
  // What the run changed before it parked stays (XREADGROUP makes its consumer at once). It must not change the keys
  // that it waits for.
  bool keep_changes_when_parked = false;
  // Which pool thread runs it.
  int thread = 0;
  // The reply holds an error although the handler returned none (a script's result): the call counts as failed.
  bool replied_error = false;
  // Lookups of this run (INFO keyspace_hits, keyspace_misses); counted when the command is done.
  uint32_t keyspace_hits = 0, keyspace_misses = 0;

  // Ends this run of the command without a reply; it runs again, with wake() saying why, when the request is met. No
  // thread waits. Usage: if (ctx.wake() == Wake::kFirstRun && !done) return ctx.Park({...}); REQUIRES: nothing written
  // (but see keep_changes_when_parked), !deny_blocking.
  Status Park(ParkRequest request);
  Wake wake() const { return wake_; }

 private:
  storage::ReadView& view_;
  storage::WriteTxn* txn_;
  friend class CommandExecutor;
  Wake wake_ = Wake::kFirstRun;
  bool ran_others_ = false;  // RunNested: they tell what they changed
  ParkRequest park_;
  mutable int64_t now_us_ = 0;  // 0: nobody has asked
};

}  // namespace basalt
