#include "server/scripting/script_run.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "net/clock.h"
#include "server/acl/permission.h"
#include "server/command_table.h"
#include "server/config_table.h"
#include "server/monitor_hub.h"
#include "server/scripting/scripting.h"
#include "server/session.h"
#include "server/slowlog.h"
#include "server/stats.h"

namespace basalt {

namespace {

// Of the command that FUNCTION STATS shows.
constexpr size_t kShownArgsMax = 32, kShownArgBytesMax = 1024;
// Errors in one result that are counted.
constexpr size_t kResultErrorsMax = 1000;

std::vector<std::string> Copy(std::span<const std::string_view> argv) { return {argv.begin(), argv.end()}; }

std::vector<std::string> Shown(std::span<const std::string_view> argv) {
  std::vector<std::string> shown;
  for (const std::string_view arg : argv.first(std::min(argv.size(), kShownArgsMax))) {
    shown.emplace_back(arg.substr(0, kShownArgBytesMax));
  }
  return shown;
}

std::vector<std::string_view> ViewsOf(const std::vector<std::string>& argv) { return {argv.begin(), argv.end()}; }

}  // namespace

uint64_t FlagsOfScript(uint64_t row_flags, uint32_t script_flags) {
  if ((script_flags & kScriptCompat) != 0) return row_flags;
  uint64_t flags = row_flags & ~static_cast<uint64_t>(kCmdStale | kCmdDenyOom | kCmdWrite | kCmdMayReplicate);
  if ((script_flags & (kScriptAllowOom | kScriptNoWrites)) == 0) flags |= kCmdDenyOom;
  if ((script_flags & kScriptNoWrites) == 0) flags |= kCmdWrite;
  if ((script_flags & kScriptAllowStale) != 0) flags |= kCmdStale;
  return flags;
}

void ShowScriptToMonitors(const CommandContext& ctx) {
  if (!ctx.services.monitors.watched()) return;
  const net::ConnInfo& conn = ctx.session.conn;
  ctx.services.monitors.Feed(ctx.spec, ctx.argv, ctx.db(), conn.peer, conn.unix_socket);
}

Status RunScript(CommandContext& ctx, const ScriptCall& call, const RunInterpreter& run) {
  ScriptRun script(ctx, call);
  if (Status refused = script.CheckFlags(); !refused.ok()) {
    ShowScriptToMonitors(ctx);
    return refused;
  }
  return script.Run(run);
}

ScriptRun::ScriptRun(CommandContext& outer, const ScriptCall& call)
    : outer_(outer),
      call_(call),
      caller_db_(outer.session.db),
      started_ns_(net::MonotonicNs()),
      oom_at_start_(!outer.services.executor.CheckResources(kCmdDenyOom).ok()),
      ticked_ns_(started_ns_),
      called_ns_(started_ns_) {}

ScriptRun::~ScriptRun() { outer_.session.db = caller_db_; }

Status ScriptRun::CheckFlags() const {
  if ((call_.flags & kScriptCompat) != 0) return Ok();
  if ((call_.flags & kScriptNoWrites) == 0) {
    if (Status writes_off = outer_.services.executor.CheckResources(kCmdWrite); !writes_off.ok()) return writes_off;
    if (call_.read_only) return Status::Message("ERR Can not execute a script with write flag using *_ro command.");
  }
  if (oom_at_start_ && (call_.flags & (kScriptAllowOom | kScriptNoWrites)) == 0) {
    return Status::Message(
        "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'");
  }
  return Ok();
}

Status ScriptRun::Run(const RunInterpreter& run) {
  RunningScripts::Turn& turn = outer_.session.turn;
  CHECK(turn.active() || !outer_.in_slow_lane()) << "a script that may take long has its turn";
  if (turn.active()) {
    turn.ScriptBegins(call_.kind, call_.name, Shown(outer_.argv), started_ns_);
  }
  Status status;
  {
    const Scripting::InterpreterUse interpreter(outer_.services.scripting, outer_.thread);
    const Interpreter::Outcome outcome = run(*interpreter, *this, outer_.reply);
    if (outcome == Interpreter::Outcome::kUnwound) status = StatusOf(stop_, *interpreter);
  }
  if (turn.active()) turn.ScriptEnds();
  outer_.session.db = caller_db_;

  const bool runs_again = stop_ == Stop::kSlowLane || stop_ == Stop::kLocks || stop_ == Stop::kGate;
  if (runs_again) return status;
  Publish();
  if (call_.pace != nullptr && outer_.in_slow_lane() && net::MonotonicNs() - started_ns_ < kFastLaneNs / 2) {
    call_.pace->NoteQuick();
  }
  if (!status.ok()) return status;
  for (const auto& [line, counted] : result_errors_) {
    outer_.replied_error = true;
    if (!counted) outer_.services.stats.RecordError(line);
  }
  return Ok();
}

Status ScriptRun::StatusOf(Stop stop, const Interpreter& interpreter) const {
  const auto with_place = [&](std::string text) {
    text.append(" script: ").append(call_.name);
    if (!interpreter.stopped_at().empty()) text.append(", on ").append(interpreter.stopped_at()).append(".");
    return Status::Message(std::move(text));
  };
  switch (stop) {
    case Stop::kSlowLane:
      return ErrorCode::kNeedSlowLane;
    case Stop::kLocks:
      return ErrorCode::kNeedLocks;
    case Stop::kGate:
      return ErrorCode::kNeedGate;
    case Stop::kKilled:
      return with_place("ERR Script killed by user with SCRIPT KILL...");
    case Stop::kTooLarge:
      return with_place("ERR The script was ended and what it did was undone: its writes and reads take more than " +
                        std::to_string(kBytesMax / (1024 * 1024)) + " MiB.");
    case Stop::kShutdown:
      return with_place("ERR The script was ended and what it did was undone: the server stops.");
    case Stop::kNone:
      break;
  }
  LOG(FATAL) << "a script was unwound without a reason";
}

// ---- limits ----

bool ScriptRun::MustUnwind() { return Tick(net::MonotonicNs()); }

bool ScriptRun::Tick(uint64_t now_ns) {
  if (stop_ != Stop::kNone) return true;
  ticked_ns_ = now_ns;
  const uint64_t ran_ns = now_ns - started_ns_;
  if (!outer_.in_slow_lane()) {
    if (ran_ns > kFastLaneNs) {
      stop_ = Stop::kSlowLane;
      if (call_.pace != nullptr) call_.pace->NoteSlow();
    }
    return stop_ != Stop::kNone;
  }
  if (outer_.txn().MemoryBytes() + outer_.outbox.bytes() > kBytesMax) {
    stop_ = Stop::kTooLarge;
    return true;
  }
  const int64_t threshold_ms = outer_.services.config.current().busy_reply_threshold;
  if (threshold_ms > 0 && ran_ns / 1'000'000 >= static_cast<uint64_t>(threshold_ms)) TickOverdue();
  if (outer_.services.scripting.running().MustEnd(overdue_, now_ns)) stop_ = Stop::kShutdown;
  return stop_ != Stop::kNone;
}

void ScriptRun::TickOverdue() {
  RunningScripts::Turn& turn = outer_.session.turn;
  if (!overdue_) {
    overdue_ = true;
    LOG(WARNING) << "A script has run for " << (ticked_ns_ - started_ns_) / 1'000'000 << " ms. "
                 << (call_.kind == ScriptKind::kEval ? "SCRIPT KILL" : "FUNCTION KILL")
                 << " ends it, unless it has written: " << call_.name;
  }
  turn.Overdue();
  outer_.txn().RefuseWaiters();
  if (!turn.killed()) return;
  stop_ = Stop::kKilled;
  LOG(INFO) << "Script killed: " << call_.name;
}

// ---- nested commands ----

ScriptHost::CallResult ScriptRun::Call(std::span<const std::string_view> argv, net::RespVersion resp,
                                       net::OutputBuffer* reply) {
  if (stop_ != Stop::kNone || (called_ns_ > ticked_ns_ + kFastLaneNs / 4 && Tick(called_ns_)))
    return CallResult::kUnwind;

  net::ReplyBuilder builder(reply, resp);
  Status error;
  const Command* command = outer_.services.commands.Resolve(argv, &error);
  if (command == nullptr) {
    error = Status::Message("ERR Unknown Redis command called from script");
  } else if (!CommandTable::CheckArity(*command->spec, argv.size()).ok()) {
    error = Status::Message("ERR Wrong number of args calling Redis command from script");
  } else {
    error = Check(*command, argv);
  }
  if (!error.ok()) {
    const std::string line = ErrorText(error, command != nullptr ? command->name() : "");
    Keep({.command = command, .rejected = true, .call = {.error = line}}, {});
    builder.Error(line);
    return CallResult::kReplied;
  }
  if (command->spec->Has(kCmdWrite) && !wrote_) {
    wrote_ = true;
    if (outer_.session.turn.active()) outer_.session.turn.SetWrote();
  }
  if (!LockKeys(*command, argv)) return CallResult::kUnwind;

  FinishedCall nested;
  const Status status = outer_.services.executor.RunNested(outer_, *command, argv, builder, &nested);
  switch (status.code()) {
    case ErrorCode::kNeedSlowLane:
      stop_ = Stop::kSlowLane;
      return CallResult::kUnwind;
    case ErrorCode::kNeedGate:
      stop_ = Stop::kGate;
      return CallResult::kUnwind;
    default:
      break;
  }
  CHECK(status.ok()) << command->name() << " cannot run inside a script";
  called_ns_ = nested.ended_ns;
  Keep({.command = command, .call = std::move(nested)}, argv);
  return CallResult::kReplied;
}

// What Redis checks before it runs a command of a script, in its order.
Status ScriptRun::Check(const Command& command, std::span<const std::string_view> argv) {
  const CommandSpec& spec = *command.spec;
  if (spec.Has(kCmdNoScript) && !outer_.services.scripting.allows_all_commands()) {
    return Status::Message("ERR This Redis command is not allowed from script");
  }
  BASALT_RETURN_IF_ERROR(CheckPermission(outer_.services, outer_.session, command, argv, AclContext::kScript));
  const bool no_writes = call_.read_only || (call_.flags & (kScriptCompat | kScriptNoWrites)) == kScriptNoWrites;
  if (no_writes && spec.Has(kCmdWrite | kCmdMayReplicate)) {
    return Status::Message("ERR Write commands are not allowed from read-only scripts.");
  }
  if (wrote_) return Ok();  // what has begun to write is not stopped in the middle
  if (spec.Has(kCmdWrite)) BASALT_RETURN_IF_ERROR(outer_.services.executor.CheckResources(kCmdWrite));
  const bool allow_oom = (call_.flags & (kScriptCompat | kScriptAllowOom)) == kScriptAllowOom;
  if (oom_at_start_ && !allow_oom && spec.Has(kCmdDenyOom)) return outer_.services.executor.OutOfMemory();
  return Ok();
}

bool ScriptRun::LockKeys(const Command& command, std::span<const std::string_view> argv) {
  const CommandSpec& spec = *command.spec;
  storage::WriteTxn& txn = outer_.txn();
  if (spec.Has(kCmdSlowLane | kCmdExclusive | kCmdReadsAllKeys) && !outer_.in_slow_lane()) {
    stop_ = Stop::kSlowLane;
    return false;
  }
  if (txn.exclusive()) return true;
  if (spec.Has(kCmdExclusive | kCmdReadsAllKeys)) {
    stop_ = Stop::kGate;
    return false;
  }
  if (!CommandTable::HasKeys(spec)) return true;
  KeyPositions positions;
  CommandTable::Keys(spec, argv, &positions);
  Rerun& rerun = outer_.session.rerun;
  bool free = true;
  for (const KeyPosition& position : positions) {
    const storage::HashedKey key = outer_.services.storage.Hash(argv[position.index]);
    if (txn.Holds(key)) continue;
    rerun.keys.push_back(key.hash);
    free = free && txn.LockKeys({&key, 1}) == storage::Status::kOk;
  }
  if (free) return true;
  stop_ = ++rerun.attempts > kReruns ? Stop::kGate : Stop::kLocks;
  return false;
}

bool ScriptRun::MayRun(std::span<const std::string_view> argv, bool* known) {
  Status error;
  const Command* command = outer_.services.commands.Resolve(argv, &error);
  *known = command != nullptr;  // with any number of arguments, as in Redis
  return *known && outer_.session.user->Check(*command, argv).allowed();
}

// ---- what the calls leave behind ----

void ScriptRun::OnErrorReply(std::string_view line, bool counted) {
  if (result_errors_.size() < kResultErrorsMax) result_errors_.emplace_back(line, counted);
}

void ScriptRun::Keep(Done done, std::span<const std::string_view> argv) {
  const ConfigSnapshot& config = outer_.services.config.current();
  const bool wanted = !argv.empty() && (outer_.services.monitors.watched() ||
                                        SlowLog::Wants(static_cast<int64_t>(done.call.duration_ns / 1000),
                                                       config.slowlog_log_slower_than));
  if (wanted) done.argv = Copy(argv);
  unpublished_.push_back(std::move(done));
  if (unpublished_.size() >= kUnpublishedMax) Publish();
}

void ScriptRun::Publish() {
  const Services& services = outer_.services;
  if (!std::exchange(shown_, true)) {
    const storage::DbIndex db = std::exchange(outer_.session.db, caller_db_);
    ShowScriptToMonitors(outer_);
    outer_.session.db = db;
  }
  for (const Done& done : unpublished_) {
    if (done.command != nullptr && !done.rejected) {
      const std::vector<std::string_view> argv = ViewsOf(done.argv);
      services.executor.Account(nullptr, *done.command, argv, done.call);
      continue;
    }
    services.stats.RecordError(done.call.error);
    if (done.command != nullptr) services.stats.RecordCall(done.command->index, 0, CallOutcome::kRejected, false);
  }
  unpublished_.clear();
}

}  // namespace basalt
