#include <iterator>
#include <optional>
#include <vector>

#include "server/acl/permission.h"
#include "server/client_registry.h"
#include "server/command_context.h"
#include "server/command_executor.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/session.h"
#include "server/stats.h"
#include "server/watch_table.h"

namespace basalt {

namespace {

void Unwatch(CommandContext& ctx) {
  if (ctx.session.watch == nullptr) return;
  ctx.services.watches.Forget(ctx.session.watch);
  ctx.session.info->ShowWatch(nullptr);
}

Status Multi(CommandContext& ctx) {
  if (ctx.session.in_multi) return Status::Message("ERR MULTI calls can not be nested");
  ctx.session.in_multi = true;
  ctx.reply.Ok();
  return Ok();
}

Status Discard(CommandContext& ctx) {
  if (!ctx.session.in_multi) return Status::Message("ERR DISCARD without MULTI");
  ctx.session.DiscardTransaction();
  Unwatch(ctx);
  ctx.reply.Ok();
  return Ok();
}

// Under the locks of its keys: no commit can fall between the look and the registration.
Status Watch(CommandContext& ctx) {
  if (ctx.session.in_multi) return Status::Message("ERR WATCH inside MULTI is not allowed");
  if (ctx.session.watch != nullptr && ctx.session.watch->dirty()) {  // EXEC will fail whatever else is watched
    ctx.reply.Ok();
    return Ok();
  }
  std::vector<bool> existed;
  for (size_t i = 1; i < ctx.argc(); ++i) {
    storage::RecordPtr record;
    const storage::Status status = ctx.view().GetRecord(ctx.db(), ctx.key(i), &record);
    if (status != storage::Status::kNotFound) BASALT_RETURN_IF_ERROR(status);
    existed.push_back(status == storage::Status::kOk);
  }
  if (ctx.session.watch == nullptr) ctx.session.watch = std::make_shared<WatchToken>();
  for (size_t i = 1; i < ctx.argc(); ++i) {
    ctx.services.watches.Watch(ctx.session.watch, ctx.db(), ctx.key(i), existed[i - 1]);
  }
  ctx.session.info->ShowWatch(ctx.session.watch);
  ctx.reply.Ok();
  return Ok();
}

Status UnwatchCommand(CommandContext& ctx) {
  Unwatch(ctx);
  ctx.reply.Ok();
  return Ok();
}

// The union of what the queued commands need, and the watched keys: their state must not move between the check and the
// commit.
void PrepareExec(const PrepareInput& input, Preparation* preparation) {
  const Session& session = input.session;
  if (!session.in_multi) return;
  preparation->uses_txn = true;
  std::vector<std::string_view> argv;
  for (const QueuedCommand& queued : session.queued) {
    argv.assign(queued.args.begin(), queued.args.end());
    const CommandSpec& spec = *queued.command->spec;
    PrepareFromRow({spec, argv, session, input.services}, preparation);
    // A rerun in the slow lane must not repeat what the transaction does not take back.
    const bool only_data = spec.Has(kCmdWrite) || spec.Has(kCmdReadonly);
    if (!only_data && spec.group != CommandGroup::kConnection) preparation->slow = true;
  }
  if (session.watch != nullptr) {
    for (const WatchToken::Key& watched : session.watch->keys()) {
      preparation->keys.push_back(input.services.storage.Hash(watched.key));
    }
  }
}

// Whether a watched key is not what WATCH saw. An expired key shows only here: nobody has written it.
Status WatchBroken(CommandContext& ctx, bool* broken) {
  *broken = false;
  if (ctx.session.watch == nullptr) return Ok();
  *broken = ctx.session.watch->dirty();
  for (const WatchToken::Key& watched : ctx.session.watch->keys()) {
    if (*broken) break;
    storage::RecordPtr record;
    const storage::HashedKey key = ctx.services.storage.Hash(watched.key);
    const storage::Status status = ctx.view().GetRecord(watched.db, key, &record);
    if (status != storage::Status::kNotFound) BASALT_RETURN_IF_ERROR(status);
    *broken = watched.existed != (status == storage::Status::kOk);
  }
  return Ok();
}

Status Exec(CommandContext& ctx) {
  Session& session = ctx.session;
  if (!session.in_multi) return Status::Message("ERR EXEC without MULTI");
  if (session.dirty_exec) {
    session.DiscardTransaction();
    Unwatch(ctx);
    return ErrorCode::kExecAbort;
  }
  bool broken = false;
  BASALT_RETURN_IF_ERROR(WatchBroken(ctx, &broken));
  if (broken) {
    session.DiscardTransaction();
    Unwatch(ctx);
    ctx.reply.NullArray();
    return Ok();
  }

  ctx.reply.Array(session.queued.size());
  session.in_multi = false;  // for the commands that ask (MULTI state is not theirs)
  const storage::DbIndex db = session.db;
  std::vector<std::vector<std::string_view>> argvs;
  std::vector<std::optional<FinishedCall>> calls;  // none: denied
  for (const QueuedCommand& queued : session.queued) {
    std::vector<std::string_view>& argv = argvs.emplace_back(queued.args.begin(), queued.args.end());
    std::optional<FinishedCall>& call = calls.emplace_back();
    if (const Status denied = CheckPermission(ctx.services, session, *queued.command, argv, AclContext::kExec);
        !denied.ok()) {
      ctx.services.stats.RecordError(denied.text());
      ctx.reply.Error(denied.text());
      continue;
    }
    net::ReplyBuilder reply(&ctx.reply.buffer(), session.resp);  // HELLO may have changed the version
    const Status status = ctx.services.executor.RunNested(ctx, *queued.command, argv, reply, &call.emplace());
    if (!status.ok()) {  // to be run again, from the beginning
      session.db = db;
      session.in_multi = true;
      return status;
    }
  }
  // Only now: what has to run again elsewhere has not happened yet.
  for (size_t i = 0; i < calls.size(); ++i) {
    if (calls[i]) ctx.services.executor.Account(&session, *session.queued[i].command, argvs[i], *calls[i]);
  }
  session.DiscardTransaction();
  Unwatch(ctx);
  return Ok();
}

constexpr uint64_t kFlags = kCmdNoScript | kCmdLoading | kCmdStale | kCmdImmediate;

constexpr CommandSpec kCommands[] = {
    {.name = "multi",
     .arity = 1,
     .flags = kFlags | kCmdFast | kCmdAllowBusy,
     .group = CommandGroup::kTransactions,
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Begins a transaction: the commands that follow are queued.",
     .handler = Multi},
    {.name = "exec",
     .arity = 1,
     .flags = kFlags | kCmdSkipSlowlog | kCmdRunsQueue,
     .group = CommandGroup::kTransactions,
     .since = "1.2.0",
     .complexity = "That of the queued commands",
     .summary = "Runs the queued commands as one atomic step.",
     .handler = Exec,
     .prepare = PrepareExec},
    {.name = "discard",
     .arity = 1,
     .flags = kFlags | kCmdFast | kCmdAllowBusy,
     .group = CommandGroup::kTransactions,
     .since = "2.0.0",
     .complexity = "O(N), N being the number of queued commands",
     .summary = "Drops the queued commands and ends the transaction.",
     .handler = Discard},
    {.name = "watch",
     .arity = -2,
     .flags = kFlags | kCmdFast | kCmdAllowBusy | kCmdLockKeys,
     .group = CommandGroup::kTransactions,
     .keys = {KeySpec::Range(kKeyRO, 1, -1, 1)},
     .syntax = "key…",
     .since = "2.2.0",
     .complexity = "O(1) per key",
     .summary = "Makes the next EXEC fail if one of the keys changes before it.",
     .handler = Watch},
    {.name = "unwatch",
     .arity = 1,
     .flags = (kFlags & ~kCmdImmediate) | kCmdFast | kCmdAllowBusy,
     .group = CommandGroup::kTransactions,
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Forgets all watched keys.",
     .handler = UnwatchCommand},
};

}  // namespace

std::span<const CommandSpec> TransactionCommands() { return kCommands; }

}  // namespace basalt
