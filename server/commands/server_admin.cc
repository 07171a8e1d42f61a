// The server itself: INFO TIME LASTSAVE SAVE BGSAVE BGREWRITEAOF SHUTDOWN MONITOR LOLWUT MODULE.
#include <glog/logging.h>

#include <chrono>

#include "net/transport.h"
#include "server/backup_runner.h"
#include "server/client_registry.h"
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/info.h"
#include "server/logging.h"
#include "server/monitor_hub.h"
#include "server/server.h"
#include "server/session.h"
#include "server/version.h"

namespace basalt {

namespace {

Status Info(CommandContext& ctx) {
  ctx.reply.Verbatim("txt", InfoText(ctx.services, ctx.argv.subspan(1)));
  return Ok();
}

Status Time(CommandContext& ctx) {
  const int64_t now = ctx.now_us();
  ctx.reply.Array(2);
  ctx.reply.BulkInteger(now / 1000000);
  ctx.reply.BulkInteger(now % 1000000);
  return Ok();
}

Status LastSave(CommandContext& ctx) {
  const int64_t last = ctx.services.storage.backup_status().last_success_unix_s;
  // Before the first backup, as Redis: since when it runs.
  ctx.reply.Integer(last != 0 ? last : ctx.services.server.start_unix_s());
  return Ok();
}

Status Save(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(ctx.services.backups.Run());
  ctx.reply.Ok();
  return Ok();
}

Status BackgroundSave(CommandContext& ctx) {
  if (ctx.argc() > 2 || (ctx.argc() == 2 && !EqualsIgnoreCase(ctx.arg(1), "schedule"))) return ErrorCode::kSyntax;
  BASALT_RETURN_IF_ERROR(ctx.services.backups.Start());
  ctx.reply.Simple("Background saving started");
  return Ok();
}

// What Redis rewrites its log for, RocksDB does by compaction all the time: there is nothing to start.
Status RewriteLog(CommandContext& ctx) {
  ctx.reply.Simple("Background append only file rewriting started");
  return Ok();
}

Status Shutdown(CommandContext& ctx) {
  bool save = false, no_save = false, abort = false, force = false, now = false;
  for (size_t i = 1; i < ctx.argc(); ++i) {
    if (EqualsIgnoreCase(ctx.arg(i), "save"))
      save = true;
    else if (EqualsIgnoreCase(ctx.arg(i), "nosave"))
      no_save = true;
    else if (EqualsIgnoreCase(ctx.arg(i), "now"))
      now = true;
    else if (EqualsIgnoreCase(ctx.arg(i), "force"))
      force = true;
    else if (EqualsIgnoreCase(ctx.arg(i), "abort"))
      abort = true;
    else
      return ErrorCode::kSyntax;
  }
  if ((abort && ctx.argc() > 2) || (save && no_save)) return ErrorCode::kSyntax;
  if (abort) return Status::Message("ERR No shutdown in progress.");
  if (!now && ctx.deny_blocking)
    return Status::Message("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client");
  LOG(INFO) << "SHUTDOWN asked for by " << ctx.session.conn.peer;
  if (save) {
    const Status saved = ctx.services.backups.Run();
    if (!saved.ok() && !force) return Status::Message("ERR Errors trying to SHUTDOWN. Check logs.");
  }
  ctx.session.close_after_reply = true;  // no reply: the end of the connection is the answer
  ctx.services.server.RequestShutdown();
  return Ok();
}

Status Monitor(CommandContext& ctx) {
  if (ctx.deny_blocking) return Status::Message("ERR MONITOR isn't allowed for DENY BLOCKING client");
  if (!ctx.session.monitor) {
    ctx.session.monitor = true;
    ctx.session.info->monitor.store(true, std::memory_order_relaxed);
    // Lines about others come behind the OK.
    ctx.session.pushes_held = true;
    if (ctx.services.transport != nullptr) ctx.services.transport->HoldPushes(ctx.session.conn.id);
    ctx.services.monitors.Add(ctx.session.conn.id);
  }
  ctx.reply.Ok();
  return Ok();
}

Status Lolwut(CommandContext& ctx) {
  int64_t version = 0;
  if (ctx.argc() >= 3 && EqualsIgnoreCase(ctx.arg(1), "version") && !ParseInteger(ctx.arg(2), &version))
    return ErrorCode::kNotInteger;
  // Columns of basalt, seen from the sea.
  std::string art =
      "     __    __    __\n"
      "  __/  \\__/  \\__/  \\__\n"
      " /  \\__/  \\__/  \\__/  \\\n"
      " |  |  |  |  |  |  |  |\n"
      " |  |  |  |  |  |  |  |\n"
      "~^~~^~~~^~~^~~~~^~~^~~~~\n";
  art += "Basalt ver. " + std::string(BasaltVersion()) + ", as Redis ver. " + std::string(kRedisVersion) + "\n";
  ctx.reply.Verbatim("txt", art);
  return Ok();
}

Status ModuleList(CommandContext& ctx) {
  ctx.reply.Array(0);
  return Ok();
}

Status ModuleHelp(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "LIST",
      "    The modules that are loaded: none, as Basalt loads none.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr CommandGroup kGroup = CommandGroup::kServer;
constexpr CommandHistory kInfoHistory[] = {{"7.0.0", "Takes several sections."}};
constexpr CommandHistory kBgsaveHistory[] = {{"3.2.2", "The option `SCHEDULE`."}};
constexpr CommandHistory kShutdownHistory[] = {{"7.0.0", "The options `NOW`, `FORCE` and `ABORT`."}};

constexpr CommandSpec kCommands[] = {
    {.name = "bgrewriteaof",
     .arity = 1,
     .flags = kCmdNoAsyncLoading | kCmdAdmin | kCmdNoScript,
     .group = kGroup,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers as Redis does; the log needs no rewriting here.",
     .handler = RewriteLog},
    {.name = "bgsave",
     .arity = -1,
     .flags = kCmdNoAsyncLoading | kCmdAdmin | kCmdNoScript,
     .group = kGroup,
     .syntax = "[SCHEDULE]",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Makes a backup in the background.",
     .handler = BackgroundSave,
     .history = kBgsaveHistory},
    {.name = "info",
     .arity = -1,
     .flags = kCmdLoading | kCmdStale | kCmdSentinel,
     .group = kGroup,
     .syntax = "[section…]",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Figures about the server, by section.",
     .handler = Info,
     .acl_categories = kAclDangerous,
     .tips = {"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
     .history = kInfoHistory},
    {.name = "lastsave",
     .arity = 1,
     .flags = kCmdLoading | kCmdStale | kCmdFast,
     .group = kGroup,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "When the last backup was made.",
     .handler = LastSave,
     .acl_categories = kAclAdmin | kAclDangerous,
     .tips = {"nondeterministic_output"}},
    {.name = "lolwut",
     .arity = -1,
     .flags = kCmdReadonly | kCmdFast,
     .group = kGroup,
     .syntax = "[VERSION version:integer]",
     .since = "5.0.0",
     .summary = "A picture, and the version.",
     .handler = Lolwut},
    {.name = "module",
     .arity = -2,
     .group = kGroup,
     .since = "4.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about modules."},
    {.name = "module|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = ModuleHelp},
    {.name = "module|list",
     .arity = 2,
     .flags = kCmdAdmin | kCmdNoScript,
     .group = kGroup,
     .since = "4.0.0",
     .complexity = "O(N) where N is the number of loaded modules.",
     .summary = "The loaded modules; there are none.",
     .handler = ModuleList,
     .tips = {"nondeterministic_output_order"}},
    {.name = "monitor",
     .arity = 1,
     .flags = kCmdAdmin | kCmdNoScript | kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "1.0.0",
     .summary = "Shows every command that the server runs.",
     .handler = Monitor},
    {.name = "save",
     .arity = 1,
     .flags = kCmdNoAsyncLoading | kCmdAdmin | kCmdNoScript | kCmdNoMulti | kCmdSlowLane,
     .group = kGroup,
     .since = "1.0.0",
     .complexity = "O(N) where N is the total number of keys in all databases",
     .summary = "Makes a backup.",
     .handler = Save},
    {.name = "shutdown",
     .arity = -1,
     .flags =
         kCmdAdmin | kCmdNoScript | kCmdLoading | kCmdStale | kCmdNoMulti | kCmdSentinel | kCmdAllowBusy | kCmdSlowLane,
     .group = kGroup,
     .syntax = "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
     .since = "1.0.0",
     .complexity =
         "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
     .summary = "Ends the server, after a backup if asked for.",
     .handler = Shutdown,
     .history = kShutdownHistory},
    {.name = "time",
     .arity = 1,
     .flags = kCmdLoading | kCmdStale | kCmdFast,
     .group = kGroup,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "The server's clock, in seconds and microseconds.",
     .handler = Time,
     .tips = {"nondeterministic_output"}},
};

}  // namespace

std::span<const CommandSpec> ServerCommands() { return kCommands; }

}  // namespace basalt
