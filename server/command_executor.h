#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "net/clock.h"
#include "net/command_batch.h"
#include "net/request_handler.h"
#include "server/command_context.h"
#include "server/commit_group.h"
#include "server/held_threads.h"
#include "server/parked_registry.h"
#include "server/scripting/running_scripts.h"
#include "server/services.h"

namespace basalt {

class ClientPause;
class MemoryLimit;
struct Command;
class Session;

// What one run of a command leaves behind besides its reply.
struct FinishedCall {
  uint64_t duration_ns = 0;
  uint64_t ended_ns = 0;  // CLOCK_MONOTONIC
  std::string error;      // its error line; empty: none
  uint32_t keyspace_hits = 0, keyspace_misses = 0;
  storage::DbIndex db = 0;  // the client's, afterwards
  bool failed = false;      // it answered with an error
};

// Runs batches of commands: gates, key locks, lanes, commit groups, and what each command leaves in statistics, slow
// log and MONITOR. Knows rows, not families. Pool threads.
class CommandExecutor {
 public:
  CommandExecutor(const Services& services, const ClientPause& pause, const MemoryLimit& memory_limit,
                  storage::CommitObserver& observer, int pool_threads /* stand-ins included */);
  ~CommandExecutor();

  // RequestHandler::Execute.
  void Execute(std::vector<net::BatchPtr> batches, net::Lane lane, int thread);

  // Runs a command inside another one's transaction (EXEC): its reply, or its error, is appended to outer.reply. Not
  // kOk only when the outer command must run again elsewhere. A script has a reply of its own. What the command leaves
  // behind is told by Account, once it is sure that it does not run again.
  Status RunNested(CommandContext& outer, const Command& command, std::span<const std::string_view> argv,
                   net::ReplyBuilder& reply, FinishedCall* call) const;
  // Statistics, slow log and MONITOR. `caller`: null for a command inside a script, whose argv may be left out when no
  // one wants to see it.
  void Account(const Session* caller, const Command& command, std::span<const std::string_view> argv,
               const FinishedCall& call) const;

  // The reason to refuse a command with these flags (CommandFlag): memory, replicas, the disk. ok: none.
  Status CheckResources(uint64_t flags) const;
  static Status OutOfMemory();

  // Periodically, by one thread: see HeldThreads.
  void WatchThreads() { held_threads_.Watch(net::MonotonicNs()); }

 private:
  struct ThreadState;
  enum class Next : uint8_t {
    kAdvance,   // the command is done
    kTakenOff,  // the batch has left this thread
  };

  void RunBatch(ThreadState& thread, net::BatchPtr batch);
  Next RunCommand(ThreadState& thread, Session& session, std::span<const std::string_view> argv);
  Next RunPrepared(ThreadState& thread, Session& session, const Command& command,
                   std::span<const std::string_view> argv);
  Next RunOnce(ThreadState& thread, Session& session, const Command& command, std::span<const std::string_view> argv);
  Next RunScripts(ThreadState& thread, Session& session, const Command& command,
                  std::span<const std::string_view> argv);
  Next RunExclusive(ThreadState& thread, Session& session, const Command& command,
                    std::span<const std::string_view> argv);
  Status Invoke(ThreadState& thread, Session& session, const Command& command, std::span<const std::string_view> argv,
                storage::WriteTxn* txn, ParkRequest* park);

  // Of the command as it is called, and of all commands that will run.
  uint64_t FlagsOfCall(const CommandSpec& spec, std::span<const std::string_view> argv, const Session& session) const;
  // Unix milliseconds until which CLIENT PAUSE holds the command back, if it does.
  std::optional<int64_t> PausedUntil(const CommandSpec& spec, std::span<const std::string_view> argv,
                                     const Session& session) const;
  Next Postpone(ThreadState& thread, int64_t until_ms);

  // The reason to refuse a command before it runs; ok: none.
  Status CheckGates(Session& session, const Command& command, std::span<const std::string_view> argv,
                    uint64_t flags) const;
  void Refuse(net::CommandBatch& batch, Session& session, const Command* command, const Status& error) const;
  void Queue(net::CommandBatch& batch, Session& session, const Command& command, std::span<const std::string_view> argv,
             uint64_t flags) const;
  // For one of the keys, or one that looks like it (BlockedKeys::MayWait).
  bool SomeoneWaits(std::span<const storage::HashedKey> keys) const;
  void Invalidate(const storage::WriteTxn& txn, const Session& session, Outbox& outbox) const;
  void ShowToMonitors(const CommandSpec& spec, std::span<const std::string_view> argv, const Session& session,
                      storage::DbIndex db) const;
  bool LockKeys(ThreadState& thread, Session& session);
  bool CommitNow(ThreadState& thread);

  Next MoveToSlowLane(ThreadState& thread);
  // Whether the current batch, which is about to wait, has left: a reply in it must be synced before.
  bool LeftForSync(ThreadState& thread);
  Next WaitForKeys(ThreadState& thread);
  Next WaitForGate(ThreadState& thread);
  Next WaitForTurn(ThreadState& thread, RunningScripts::Part part, bool first);
  // The current batch is about to wait: what runs it again, or refuses its next command with BUSY. Exactly one of them
  // is called, once; until then its session may be given what it waits for.
  struct Waiting {
    Session& session;
    std::function<void()> resubmit, refused;
  };
  Waiting TakeWaiting(ThreadState& thread);
  Next ParkCurrent(ThreadState& thread, ParkKind kind, ParkRequest request);

  const Services& services_;
  const ClientPause& pause_;
  const MemoryLimit& memory_limit_;
  storage::CommitObserver& observer_;
  std::vector<std::unique_ptr<ThreadState>> threads_;
  HeldThreads held_threads_;
};

}  // namespace basalt
