#include "server/command_executor.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "net/transport.h"
#include "server/acl/permission.h"
#include "server/blocked_keys.h"
#include "server/client_handler.h"
#include "server/client_pause.h"
#include "server/client_registry.h"
#include "server/client_tracking.h"
#include "server/command_table.h"
#include "server/config_table.h"
#include "server/latency_monitor.h"
#include "server/memory_limit.h"
#include "server/monitor_hub.h"
#include "server/pubsub.h"
#include "server/scripting/scripting.h"
#include "server/session.h"
#include "server/slowlog.h"
#include "server/stats.h"
#include "server/watch_table.h"
#include "storage/storage.h"

namespace basalt {

namespace {

// A batch gives way to others after this; the rest of it goes to the tail of the queue.
constexpr uint64_t kBatchTimeMaxNs = 1'000'000;
constexpr size_t kBatchReplyBytesMax = 1024 * 1024;

// Those of all commands that will run.
uint64_t FlagsOf(const CommandSpec& spec, const Session& session) {
  return spec.flags | (spec.Has(kCmdRunsQueue) ? session.queued_flags : 0);
}

storage::ReadTier TierOf(net::Lane lane) {
  return lane == net::Lane::kFast ? storage::ReadTier::kMemory : storage::ReadTier::kDisk;
}

void AddKeysOf(const Rerun& rerun, Preparation* preparation) {
  for (const uint64_t hash : rerun.keys) preparation->keys.push_back({{}, hash});
}

bool RunsElsewhere(const Status& status) {
  return status.code() == ErrorCode::kNeedSlowLane || status.code() == ErrorCode::kNeedLocks ||
         status.code() == ErrorCode::kNeedGate;
}

}  // namespace

// What one pool thread keeps between commands, so that none of them allocates.
struct CommandExecutor::ThreadState {
  std::unique_ptr<CommitGroup> group;
  Preparation preparation;
  Outbox outbox;                    // of a command that only reads
  std::vector<net::BatchPtr> rest;  // of the current Execute, the next at the end
  int index = 0;
  net::Lane lane = net::Lane::kFast;  // of the current Execute
  uint64_t now_ns = 0;                // when the last command ended
  bool someone_waits = false;         // for a key that the last command may have changed
};

CommandExecutor::CommandExecutor(const Services& services, const ClientPause& pause, const MemoryLimit& memory_limit,
                                 storage::CommitObserver& observer, int pool_threads)
    : services_(services),
      pause_(pause),
      memory_limit_(memory_limit),
      observer_(observer),
      held_threads_(services, pool_threads) {
  for (int i = 0; i < pool_threads; ++i) {
    threads_.push_back(std::make_unique<ThreadState>());
    threads_.back()->index = i;
  }
}

CommandExecutor::~CommandExecutor() = default;

void CommandExecutor::Execute(std::vector<net::BatchPtr> batches, net::Lane lane, int thread_index) {
  ThreadState& thread = *threads_[thread_index];
  thread.lane = lane;
  thread.rest = std::move(batches);
  std::reverse(thread.rest.begin(), thread.rest.end());
  while (!thread.rest.empty()) {
    net::BatchPtr batch = std::move(thread.rest.back());
    thread.rest.pop_back();
    if (thread.group == nullptr) thread.group = std::make_unique<CommitGroup>(services_, observer_);
    RunBatch(thread, std::move(batch));
  }
  if (thread.group != nullptr) CommitNow(thread);
}

// Commits what is pending. False: RocksDB would stall, and the fast lane does not wait: the group has left for the slow
// lane, with the current batch in it.
bool CommandExecutor::CommitNow(ThreadState& thread) {
  CommitGroup& group = *thread.group;
  if (group.Commit(thread.lane == net::Lane::kFast ? CommitGroup::Stall::kFail : CommitGroup::Stall::kWait))
    return true;
  if (group.HasCurrent()) group.End(Then::kResubmit, net::Lane::kFast);
  net::BatchPtr carrier = group.TakeCarrier();
  SessionOf(*carrier).stalled = std::move(thread.group);
  services_.transport->Resubmit(std::move(carrier), net::Lane::kSlow);
  return false;
}

void CommandExecutor::RunBatch(ThreadState& thread, net::BatchPtr batch) {
  Session& session = SessionOf(*batch);
  if (session.stalled != nullptr) {
    std::unique_ptr<CommitGroup> stalled = std::move(session.stalled);
    stalled->GiveBackCarrier(std::move(batch));
    CHECK(stalled->Commit(CommitGroup::Stall::kWait));
    return;
  }
  session.queue_wait_ns = batch->queue_wait_ns;
  services_.stats.RecordQueueWait(thread.lane == net::Lane::kSlow, batch->queue_wait_ns);
  thread.group->Begin(std::move(batch));
  const uint64_t started_ns = thread.now_ns = net::MonotonicNs();
  while (true) {
    net::CommandBatch& current = thread.group->current();
    if (UserIsStale(services_, session)) RefreshUser(services_, session);
    if (session.info->killed.load(std::memory_order_relaxed)) session.close_after_reply = true;
    if (session.close_after_reply) {
      current.protocol_error.reset();
      session.grant.Release();
      session.turn.Release();
      session.blocked = {};
      current.next = static_cast<uint32_t>(current.commands.size());
    }
    if (current.finished()) break;
    if (thread.now_ns - started_ns > kBatchTimeMaxNs || current.replies.size() > kBatchReplyBytesMax) {
      session.grant.Release();  // what it was handed is nobody's while it is on its way
      session.turn.Release();
      thread.group->End(Then::kContinue, net::Lane::kFast);
      return;
    }
    const std::span<const std::string_view> argv = current.Argv(current.commands[current.next]);
    if (RunCommand(thread, session, argv) == Next::kTakenOff) return;
    ++current.next;
    if (session.caching_said) ClientTracking::AfterCommand(session, argv);
    session.wake = Wake::kFirstRun;
    session.rerun.Clear();
    session.grant.Release();  // of a command that was refused when it had waited
    session.turn.Release();
    // A command that had its turn gives it up when what it took is committed.
    BlockedCommand served;
    if (session.blocked.registration.active()) std::swap(served, session.blocked);
    const bool commit_now = served.registration.active() || std::exchange(thread.someone_waits, false);
    if ((commit_now || thread.group->ShouldCommit(thread.now_ns)) && !CommitNow(thread)) return;
  }
  thread.group->End(Then::kReturn, net::Lane::kFast);
}

CommandExecutor::Next CommandExecutor::RunCommand(ThreadState& thread, Session& session,
                                                  std::span<const std::string_view> argv) {
  net::CommandBatch& batch = thread.group->current();
  Status error;
  const Command* command = services_.commands.Resolve(argv, &error);
  if (command != nullptr) error = CommandTable::CheckArity(*command->spec, argv.size());
  if (!error.ok()) {
    Refuse(batch, session, command, error);
    return Next::kAdvance;
  }
  const CommandSpec* spec = command->spec;
  const uint64_t flags = FlagsOfCall(*spec, argv, session);
  error = session.refusal.ok() ? CheckGates(session, *command, argv, flags) : std::exchange(session.refusal, Ok());
  if (!error.ok()) {
    Refuse(batch, session, command, error);
    return Next::kAdvance;
  }
  if (const auto until_ms = PausedUntil(*spec, argv, session)) return Postpone(thread, *until_ms);
  if (session.in_multi && !spec->Has(kCmdImmediate)) {
    Queue(batch, session, *command, argv, flags);
    return Next::kAdvance;
  }
  return RunPrepared(thread, session, *command, argv);
}

uint64_t CommandExecutor::FlagsOfCall(const CommandSpec& spec, std::span<const std::string_view> argv,
                                      const Session& session) const {
  return spec.actual_flags != nullptr ? spec.actual_flags({spec, argv, session, services_}) : FlagsOf(spec, session);
}

std::optional<int64_t> CommandExecutor::PausedUntil(const CommandSpec& spec, std::span<const std::string_view> argv,
                                                    const Session& session) const {
  if (pause_.none()) return std::nullopt;
  const ClientPause::InForce paused = pause_.in_force(services_.storage.NowMs());
  const bool holds =
      paused.scope == ClientPause::Scope::kAll || (paused.scope == ClientPause::Scope::kWrites &&
                                                   (FlagsOfCall(spec, argv, session) & (kCmdWrite | kCmdMayReplicate)));
  return holds ? std::optional(paused.until_ms) : std::nullopt;
}

CommandExecutor::Next CommandExecutor::Postpone(ThreadState& thread, int64_t until_ms) {
  if (!CommitNow(thread)) return Next::kTakenOff;
  // The end of the pause wakes all whom it finds. So whoever it did not find looks once more when he can be found.
  const auto look_again = [this](ParkTicket ticket) {
    if (pause_.none()) services_.parked.WakeUp(ticket, Wake::kReady);
  };
  return ParkCurrent(thread, ParkKind::kPostponed, {.deadline_ms = until_ms, .on_parked = look_again});
}

Status CommandExecutor::CheckGates(Session& session, const Command& command, std::span<const std::string_view> argv,
                                   uint64_t flags) const {
  const CommandSpec& spec = *command.spec;
  if (!session.authenticated && services_.users.NewClientsMustAuthenticate() && !spec.Has(kCmdNoAuth))
    return ErrorCode::kNoAuth;
  if (session.in_multi && spec.Has(kCmdNoMulti)) return Status::Message("ERR Command not allowed inside a transaction");
  if (!session.user->unrestricted() && session.wake != Wake::kTimeout) {
    BASALT_RETURN_IF_ERROR(CheckPermission(services_, session, command, argv, AclContext::kCommand));
  }
  // Inside MULTI everything takes memory: the queue.
  const bool needs_memory = (flags & kCmdDenyOom) != 0 || (session.in_multi && !spec.Has(kCmdImmediate));
  BASALT_RETURN_IF_ERROR(CheckResources(needs_memory ? flags | kCmdDenyOom : flags));
  return PubSub::CheckMayRun(session, spec);
}

Status CommandExecutor::OutOfMemory() {
  return Status::Message("OOM command not allowed when used memory > 'maxmemory'.");
}

Status CommandExecutor::CheckResources(uint64_t flags) const {
  if ((flags & kCmdDenyOom) != 0 && memory_limit_.exceeded()) return OutOfMemory();
  if ((flags & kCmdWrite) != 0 && services_.config.current().min_replicas_to_write > 0) {
    return Status::Message("NOREPLICAS Not enough good replicas to write.");  // there are none
  }
  if ((flags & kCmdWrite) != 0) {
    const storage::Health health = services_.storage.health();
    const bool makes_room = health == storage::Health::kReadOnly && (flags & kCmdOnlyRemoves) != 0;
    if (health >= storage::Health::kReadOnly && !makes_room)
      return Status::Message("MISCONF " + services_.storage.HealthReason());
  }
  return Ok();
}

// The command does not run. Inside MULTI that dooms the transaction, as Redis has it.
void CommandExecutor::Refuse(net::CommandBatch& batch, Session& session, const Command* command,
                             const Status& error) const {
  const CommandSpec* spec = command != nullptr ? command->spec : nullptr;
  std::string line = ErrorText(error, spec != nullptr ? spec->name : std::string_view());
  if (spec != nullptr && spec->Has(kCmdRunsQueue)) {
    services_.watches.Forget(session.watch);
    session.DiscardTransaction();
    ShowToMonitors(*spec, batch.Argv(batch.commands[batch.next]), session,
                   session.db);  // that the transaction has ended
    line = "EXECABORT Transaction discarded because of: " + (line.starts_with("ERR ") ? line.substr(4) : line);
  } else if (session.in_multi) {
    session.dirty_exec = true;
  }
  if (command != nullptr) services_.stats.RecordCall(command->index, 0, CallOutcome::kRejected, false);
  services_.stats.RecordError(line);
  if (session.reply_mode == ReplyMode::kOn) net::ReplyBuilder(&batch.replies, session.resp).Error(line);
  if (session.reply_mode == ReplyMode::kSkipNext) session.reply_mode = ReplyMode::kOn;
}

void CommandExecutor::Queue(net::CommandBatch& batch, Session& session, const Command& command,
                            std::span<const std::string_view> argv, uint64_t flags) const {
  QueuedCommand queued{.command = &command, .args = {}};
  queued.args.reserve(argv.size());
  for (std::string_view arg : argv) {
    queued.args.emplace_back(arg);
    session.queued_bytes += arg.size() + sizeof(std::string);
  }
  session.queued_flags |= flags & ~uint64_t{kCmdOnlyRemoves};  // which others in the queue may not
  session.queued.push_back(std::move(queued));
  session.Publish();
  if (session.reply_mode == ReplyMode::kOn) net::ReplyBuilder(&batch.replies, session.resp).Simple("QUEUED");
  if (session.reply_mode == ReplyMode::kSkipNext) session.reply_mode = ReplyMode::kOn;
}

void PrepareFromRow(const PrepareInput& input, Preparation* preparation) {
  const CommandSpec& spec = input.spec;
  if (spec.Has(kCmdSlowLane)) preparation->slow = true;
  if (spec.Has(kCmdExclusive)) preparation->exclusive = preparation->slow = true;
  if (spec.Has(kCmdRunsScript)) preparation->runs_script = true;
  if (spec.Has(kCmdWrite) || spec.Has(kCmdLockKeys)) preparation->uses_txn = true;
  if (!CommandTable::HasKeys(spec)) return;
  KeyPositions positions;
  CommandTable::Keys(spec, input.argv,
                     &positions);  // where they cannot be found, the handler will find the arguments wrong
  for (const KeyPosition& position : positions) {
    preparation->keys.push_back(input.services.storage.Hash(input.argv[position.index]));
  }
}

bool CommandExecutor::SomeoneWaits(std::span<const storage::HashedKey> keys) const {
  return std::any_of(keys.begin(), keys.end(),
                     [this](const storage::HashedKey& key) { return services_.blocked_keys.MayWait(key); });
}

CommandExecutor::Next CommandExecutor::RunPrepared(ThreadState& thread, Session& session, const Command& command,
                                                   std::span<const std::string_view> argv) {
  const CommandSpec& spec = *command.spec;
  Preparation& preparation = thread.preparation;
  preparation.Clear();
  const PrepareInput input{spec, argv, session, services_};
  (spec.prepare != nullptr ? spec.prepare : PrepareFromRow)(input, &preparation);
  AddKeysOf(session.rerun, &preparation);
  if (session.rerun.with_gate) preparation.exclusive = preparation.slow = preparation.uses_txn = true;

  if (session.pushes_held && (FlagsOf(spec, session) & kCmdAfterPushes) != 0) {
    thread.group->End(Then::kContinue, thread.lane);
    return Next::kTakenOff;
  }
  if (preparation.slow && thread.lane == net::Lane::kFast) return MoveToSlowLane(thread);
  if (preparation.exclusive) return RunExclusive(thread, session, command, argv);
  if (preparation.runs_script && thread.lane == net::Lane::kSlow) return RunScripts(thread, session, command, argv);
  if (thread.group->CurrentDepends() && !preparation.uses_txn) {
    // A read behind a pending write of its own connection: of certain keys, under their locks; of anything else, after
    // the commit. (What concerns the connection alone does not look.)
    if (!preparation.keys.empty()) {
      preparation.uses_txn = true;
    } else if (spec.group != CommandGroup::kConnection && spec.group != CommandGroup::kTransactions &&
               !CommitNow(thread)) {
      return Next::kTakenOff;
    }
  }
  // Who waits for a key is served before anybody sees what it waits for: a read of such a key has its turn behind them.
  if (!preparation.uses_txn && SomeoneWaits(preparation.keys)) preparation.uses_txn = true;
  return RunOnce(thread, session, command, argv);
}

CommandExecutor::Next CommandExecutor::RunOnce(ThreadState& thread, Session& session, const Command& command,
                                               std::span<const std::string_view> argv) {
  Preparation& preparation = thread.preparation;
  // A read that waited behind a pending write of its own connection: that is committed by now.
  if (!preparation.uses_txn && !session.grant.empty()) session.grant.Release();
  if (preparation.uses_txn && !LockKeys(thread, session)) {
    if (!CommitNow(thread)) return Next::kTakenOff;
    if (!LockKeys(thread, session)) return WaitForKeys(thread);
  }
  // CLIENT PAUSE is answered when it has had the gate to itself. Whoever has passed the gate since may have looked
  // before.
  if (preparation.uses_txn) {
    if (const auto until_ms = PausedUntil(*command.spec, argv, session)) return Postpone(thread, *until_ms);
  }
  const auto from = thread.group->current().replies.End();
  ParkRequest park;
  storage::WriteTxn* txn = preparation.uses_txn ? &thread.group->txn() : nullptr;
  const Status status = Invoke(thread, session, command, argv, txn, &park);
  switch (status.code()) {
    case ErrorCode::kNeedLocks:
      preparation.uses_txn = true;
      AddKeysOf(session.rerun, &preparation);
      return RunOnce(thread, session, command, argv);
    case ErrorCode::kNeedSlowLane:
      return MoveToSlowLane(thread);
    case ErrorCode::kNeedGate:
      session.rerun.with_gate = true;
      return thread.lane == net::Lane::kFast ? MoveToSlowLane(thread) : RunExclusive(thread, session, command, argv);
    case ErrorCode::kParked:
      // What it keeps is a write of this batch: a group that RocksDB stalls needs somebody to carry it.
      if (thread.group->HasPending()) thread.group->AddDependent(thread.group->current().replies.End());
      if (!CommitNow(thread)) return Next::kTakenOff;
      return ParkCurrent(thread, ParkKind::kBlocked, std::move(park));
    default:
      break;
  }
  if (txn != nullptr && thread.group->HasPending()) {
    thread.group->AddDependent(from);
    // Those who wait for a key are served before the next command sees it.
    AddKeysOf(session.rerun, &preparation);
    thread.someone_waits = SomeoneWaits(preparation.keys);
  }
  return Next::kAdvance;
}

// In the slow lane, where a script may run for long: nothing of other clients is held meanwhile.
CommandExecutor::Next CommandExecutor::RunScripts(ThreadState& thread, Session& session, const Command& command,
                                                  std::span<const std::string_view> argv) {
  CHECK(CommitNow(thread)) << "the slow lane waits for stalls";
  if (!session.turn.active()) {
    const bool has_locks = !session.grant.empty();
    session.turn = services_.scripting.running().TryEnter(RunningScripts::Part::kScript, has_locks);
    if (!session.turn.active()) return WaitForTurn(thread, RunningScripts::Part::kScript, has_locks);
  }
  const Next next = RunOnce(thread, session, command, argv);
  if (next == Next::kTakenOff) return next;
  CHECK(CommitNow(thread));
  session.turn.Release();
  return next;
}

// With the gate closed: everybody else's writes are done, and wait.
CommandExecutor::Next CommandExecutor::RunExclusive(ThreadState& thread, Session& session, const Command& command,
                                                    std::span<const std::string_view> argv) {
  session.grant.Release();
  CHECK(CommitNow(thread)) << "the slow lane waits for stalls";
  if (session.turn.active() && session.turn.part() != RunningScripts::Part::kExclusive) session.turn.Release();
  if (!session.turn.active()) {
    session.turn = services_.scripting.running().TryEnter(RunningScripts::Part::kExclusive, false);
    if (!session.turn.active()) return WaitForTurn(thread, RunningScripts::Part::kExclusive, false);
  }
  std::optional<storage::ExclusiveGate::Closed> closed;
  closed.emplace(services_.storage.gate(), std::try_to_lock);
  if (!closed->owns()) return WaitForGate(thread);
  if (const auto until_ms = PausedUntil(*command.spec, argv, session)) {
    closed.reset();
    return Postpone(thread, *until_ms);
  }
  net::CommandBatch& batch = thread.group->current();
  const auto from = batch.replies.End();
  storage::WriteTxn& txn = thread.group->txn();
  txn.RunExclusive();
  ParkRequest park;
  const Status status = Invoke(thread, session, command, argv, &txn, &park);
  CHECK(!RunsElsewhere(status) && status.code() != ErrorCode::kParked)
      << command.spec->name << " under the gate must finish";
  if (thread.group->HasPending()) thread.group->AddDependent(from);
  CHECK(CommitNow(thread));
  closed.reset();  // before the next one has its turn
  session.turn.Release();
  return Next::kAdvance;
}

// Runs the handler. Afterwards either its reply, or its error's, is in the batch, or nothing has happened and the
// status says what shall happen next.
Status CommandExecutor::Invoke(ThreadState& thread, Session& session, const Command& command,
                               std::span<const std::string_view> argv, storage::WriteTxn* txn, ParkRequest* park) {
  const CommandSpec& spec = *command.spec;
  net::CommandBatch& batch = thread.group->current();
  const uint64_t started_ns = thread.now_ns;
  const int64_t now_ms = services_.storage.NowMs();
  const auto from = batch.replies.End();
  session.info->last_command.store(spec.name.data(), std::memory_order_relaxed);
  if (session.reply_mode == ReplyMode::kSkipNext) session.reply_mode = ReplyMode::kSkipping;

  Outbox& outbox = txn != nullptr ? thread.group->outbox() : thread.outbox;
  const size_t outbox_mark = outbox.Mark();
  if (session.tracking != 0) {
    if (batch.detached()) services_.transport->HoldPushes(batch.conn);
    services_.tracking.BeforeCommand(services_.storage, session, spec, argv, txn != nullptr ? &outbox : nullptr);
  }
  net::ReplyBuilder reply(&batch.replies, session.resp);
  std::optional<storage::ReadView> view;
  if (txn != nullptr) {
    txn->BeginCommand(now_ms, TierOf(thread.lane));
  } else {
    view.emplace(services_.storage, now_ms, TierOf(thread.lane));
  }
  CommandContext context(spec, argv, reply, session, services_, txn != nullptr ? *txn : *view, txn, outbox,
                         thread.lane);
  context.wake_ = session.wake;
  context.thread = thread.index;
  std::optional<HeldThreads::Hold> hold;
  if (thread.preparation.runs_script) hold.emplace(held_threads_, thread.index, thread.lane, &thread.rest, started_ns);
  Status status = spec.handler(context);
  hold.reset();
  const bool keeps_changes = status.ok() || (status.code() == ErrorCode::kParked && context.keep_changes_when_parked);
  if (txn != nullptr && keeps_changes) {
    if (!context.ran_others_) Invalidate(*txn, session, outbox);
    outbox.AnnounceNewKeys(services_.config.current().notify_keyspace_events, session.conn.id, *txn, outbox_mark);
  }
  if (txn != nullptr) keeps_changes ? txn->EndCommand() : txn->RollbackCommand();
  // Redis removes an expired key when it is asked for. So do we, and that is a write.
  if (view && view->met_expired() && !thread.preparation.keys.empty() && !RunsElsewhere(status) &&
      services_.storage.MayExpire()) {
    status = ErrorCode::kNeedLocks;
  }
  *park = std::move(context.park_);
  if (RunsElsewhere(status)) {
    outbox.RollbackTo(outbox_mark);
  } else if (!keeps_changes) {
    outbox.RollbackChangesTo(outbox_mark);
  }

  if (!status.ok()) batch.replies.Truncate(from);
  if (status.code() == ErrorCode::kParked && !std::exchange(session.rerun.shown, true))
    ShowToMonitors(spec, argv, session, session.db);
  if (RunsElsewhere(status) || status.code() == ErrorCode::kParked) {
    if (session.reply_mode == ReplyMode::kSkipping) session.reply_mode = ReplyMode::kSkipNext;
    return status;
  }
  thread.now_ns = net::MonotonicNs();
  FinishedCall call{.duration_ns = thread.now_ns - started_ns,
                    .keyspace_hits = context.keyspace_hits,
                    .keyspace_misses = context.keyspace_misses,
                    .db = session.db,
                    .failed = !status.ok() || context.replied_error};
  if (!status.ok()) {
    call.error = ErrorText(status, spec.name);
    reply.Error(call.error);
  }
  Account(&session, command, argv, call);
  if (session.reply_mode != ReplyMode::kOn && !spec.Has(kCmdRepliesByPush)) batch.replies.Truncate(from);
  if (session.reply_mode == ReplyMode::kSkipping) session.reply_mode = ReplyMode::kOn;
  if (!thread.outbox.empty()) {
    thread.outbox.Deliver(services_, [&batch, &session](net::ConnId, std::string_view resp) {
      batch.replies.Append(resp);
      session.pushes_held = true;
    });
  }
  session.Publish();
  return Ok();
}

// The keys that the command has changed are to leave the caches of clients, once it is committed. (Those whose time had
// come are ClientTracking::OnCommitted's to tell: nobody has changed them.)
void CommandExecutor::Invalidate(const storage::WriteTxn& txn, const Session& session, Outbox& outbox) const {
  if (!services_.tracking.active()) return;
  storage::VisitCommandChanges(txn, [&](const storage::CommandChange& change) {
    if (change.exists || !change.expired) outbox.Invalidate(session.conn.id, change.key.key);
  });
}

Status CommandExecutor::RunNested(CommandContext& outer, const Command& command, std::span<const std::string_view> argv,
                                  net::ReplyBuilder& reply, FinishedCall* call) const {
  const CommandSpec& spec = *command.spec;
  const uint64_t started_ns = net::MonotonicNs();
  const auto from = reply.Mark();
  storage::WriteTxn& txn = outer.txn();
  const size_t outbox_mark = outer.outbox.Mark();
  outer.ran_others_ = true;
  if (outer.session.tracking != 0)
    services_.tracking.BeforeCommand(services_.storage, outer.session, spec, argv, &outer.outbox);
  txn.BeginCommand(outer.now_ms(), TierOf(outer.lane));
  CommandContext context(spec, argv, reply, outer.session, services_, txn, &txn, outer.outbox, outer.lane);
  context.deny_blocking = true;
  context.outer = &outer;
  context.thread = outer.thread;
  const Status status = spec.handler(context);
  if (status.ok()) {
    if (!context.ran_others_) Invalidate(txn, outer.session, outer.outbox);
    const uint32_t configured = services_.config.current().notify_keyspace_events;
    outer.outbox.AnnounceNewKeys(configured, outer.session.conn.id, txn, outbox_mark);
  }
  status.ok() ? txn.EndCommand() : txn.RollbackCommand();
  if (!status.ok()) {
    reply.buffer().Truncate(from);
    RunsElsewhere(status) ? outer.outbox.RollbackTo(outbox_mark) : outer.outbox.RollbackChangesTo(outbox_mark);
  }
  if (RunsElsewhere(status)) return status;
  CHECK(status.code() != ErrorCode::kParked) << spec.name << " must not block here";
  if (!status.ok()) {
    call->error = ErrorText(status, spec.name);
    reply.Error(call->error);
  }
  call->ended_ns = net::MonotonicNs();
  call->duration_ns = call->ended_ns - started_ns;
  call->keyspace_hits = context.keyspace_hits;
  call->keyspace_misses = context.keyspace_misses;
  call->db = outer.session.db;
  call->failed = !status.ok() || context.replied_error;
  return Ok();
}

void CommandExecutor::Account(const Session* caller, const Command& command, std::span<const std::string_view> argv,
                              const FinishedCall& call) const {
  const CommandSpec& spec = *command.spec;
  if (!call.error.empty()) services_.stats.RecordError(call.error);
  if (call.keyspace_hits != 0) services_.stats.KeyspaceHit(call.keyspace_hits);
  if (call.keyspace_misses != 0) services_.stats.KeyspaceMiss(call.keyspace_misses);
  const ConfigSnapshot& config = services_.config.current();
  services_.stats.RecordCall(command.index, call.duration_ns, call.failed ? CallOutcome::kFailed : CallOutcome::kOk,
                             config.latency_tracking);
  const int64_t duration_us = static_cast<int64_t>(call.duration_ns / 1000);
  if (LatencyMonitor::Wants(duration_us / 1000, config.latency_monitor_threshold)) {
    services_.latency.Record(spec.Has(kCmdFast) ? "fast-command" : "command", duration_us / 1000, time(nullptr));
  }
  if (argv.empty()) return;
  if (SlowLog::Wants(duration_us, config.slowlog_log_slower_than) && !spec.Has(kCmdSkipSlowlog)) {
    const std::string name = caller != nullptr ? caller->info->name() : "";
    const SlowLog::Caller shown =
        caller != nullptr ? SlowLog::Caller{caller->conn.peer, name, caller->queue_wait_ns} : SlowLog::Caller{};
    services_.slowlog.Record(spec, argv, duration_us, shown, time(nullptr),
                             static_cast<size_t>(config.slowlog_max_len));
  }
  if (caller == nullptr) {
    if (services_.monitors.watched() && MonitorHub::Shows(spec))
      services_.monitors.Feed(spec, argv, call.db, "lua", false);
  } else if (!caller->rerun.shown) {  // when it began to wait
    ShowToMonitors(spec, argv, *caller, call.db);
  }
}

void CommandExecutor::ShowToMonitors(const CommandSpec& spec, std::span<const std::string_view> argv,
                                     const Session& session, storage::DbIndex db) const {
  if (!services_.monitors.watched() || !MonitorHub::Shows(spec)) return;
  services_.monitors.Feed(spec, argv, db, session.conn.peer, session.conn.unix_socket);
}

// All locks of the prepared keys, or none.
bool CommandExecutor::LockKeys(ThreadState& thread, Session& session) {
  storage::WriteTxn& txn = thread.group->txn();
  if (!session.grant.empty()) txn.AdoptLocks(std::move(session.grant));
  return txn.LockKeys(thread.preparation.keys) == storage::Status::kOk;
}

CommandExecutor::Next CommandExecutor::MoveToSlowLane(ThreadState& thread) {
  CHECK(thread.lane == net::Lane::kFast) << "the slow lane has the disk";
  thread.group->End(Then::kResubmit, net::Lane::kSlow);
  return Next::kTakenOff;
}

// Its replies stay in the batch, and nobody would know any more that they are not synced.
bool CommandExecutor::LeftForSync(ThreadState& thread) {
  if (!thread.group->CurrentUnsynced()) return false;
  Session& session = SessionOf(thread.group->current());
  session.grant.Release();
  session.turn.Release();
  thread.group->End(Then::kResubmit, thread.lane);
  return true;
}

CommandExecutor::Waiting CommandExecutor::TakeWaiting(ThreadState& thread) {
  // std::function wants to be copied; the one call owns it.
  net::CommandBatch* const batch = thread.group->TakeCurrent().release();
  const auto resubmit = [batch, lane = thread.lane, this] {
    services_.transport->Resubmit(net::BatchPtr(batch), lane);
  };
  const auto refuse = [batch, resubmit, this] {
    SessionOf(*batch).refusal = services_.scripting.running().BusyError();
    resubmit();
  };
  return {SessionOf(*batch), resubmit, refuse};
}

// Someone else holds a key. Nothing is pending and no lock is held here; the batch queues, without a thread.
CommandExecutor::Next CommandExecutor::WaitForKeys(ThreadState& thread) {
  if (thread.group->txn().BlockedByGate()) return WaitForGate(thread);
  if (LeftForSync(thread)) return Next::kTakenOff;
  SessionOf(thread.group->current()).turn.Release();
  Waiting waiting = TakeWaiting(thread);
  services_.storage.locks().Wait(
      thread.preparation.keys, storage::KeyLocks::Place::kBack,
      [&session = waiting.session, resubmit = std::move(waiting.resubmit)](storage::KeyLocks::Grant grant) {
        session.grant = std::move(grant);
        resubmit();
      },
      std::move(waiting.refused));
  return Next::kTakenOff;
}

CommandExecutor::Next CommandExecutor::WaitForGate(ThreadState& thread) {
  if (LeftForSync(thread)) return Next::kTakenOff;
  SessionOf(thread.group->current()).turn.Release();
  Waiting waiting = TakeWaiting(thread);
  services_.storage.gate().WhenOpen(std::move(waiting.resubmit), std::move(waiting.refused));
  return Next::kTakenOff;
}

// `first`: it holds the locks of its keys already, and others wait for them.
CommandExecutor::Next CommandExecutor::WaitForTurn(ThreadState& thread, RunningScripts::Part part, bool first) {
  if (LeftForSync(thread)) return Next::kTakenOff;
  Waiting waiting = TakeWaiting(thread);
  services_.scripting.running().Wait(
      part, first,
      [&session = waiting.session, resubmit = std::move(waiting.resubmit)](RunningScripts::Turn turn) {
        session.turn = std::move(turn);
        resubmit();
      },
      std::move(waiting.refused));
  return Next::kTakenOff;
}

CommandExecutor::Next CommandExecutor::ParkCurrent(ThreadState& thread, ParkKind kind, ParkRequest request) {
  if (LeftForSync(thread)) return Next::kTakenOff;
  SessionOf(thread.group->current()).grant.Release();  // nobody else shall wait for what it waited for
  SessionOf(thread.group->current()).turn.Release();
  net::BatchPtr batch = thread.group->TakeCurrent();
  AboutToSend(services_, *batch);
  services_.parked.Park(std::move(batch), thread.lane, kind, std::move(request));
  return Next::kTakenOff;
}

}  // namespace basalt
