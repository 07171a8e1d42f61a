// SCRIPT, as long as no script can run.
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"

namespace basalt {

namespace {

Status NothingRuns(CommandContext&) { return Status::Message("NOTBUSY No scripts in execution right now."); }

Status ScriptExists(CommandContext& ctx) {
  ctx.reply.Array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) ctx.reply.Integer(0);
  return Ok();
}

Status ScriptFlush(CommandContext& ctx) {
  if (ctx.argc() > 3) return SubcommandSyntaxError(ctx);
  if (ctx.argc() == 3 && !EqualsIgnoreCase(ctx.arg(2), "sync") && !EqualsIgnoreCase(ctx.arg(2), "async")) {
    return Status::Message("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  }
  ctx.reply.Ok();
  return Ok();
}

Status ScriptHelp(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "EXISTS <sha1> [<sha1> ...]",
      "    Which scripts are known. None is, as this version runs no scripts.",
      "FLUSH [ASYNC|SYNC]",
      "    Forget all scripts.",
      "KILL",
      "    End the script that runs.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr CommandGroup kGroup = CommandGroup::kScripting;
constexpr CommandHistory kScriptFlushHistory[] = {{"6.2.0", "The options `ASYNC` and `SYNC`."}};

constexpr CommandSpec kCommands[] = {
    {.name = "script",
     .arity = -2,
     .group = kGroup,
     .since = "2.6.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about scripts."},
    {.name = "script|exists",
     .arity = -3,
     .flags = kCmdNoScript,
     .group = kGroup,
     .syntax = "sha1…",
     .since = "2.6.0",
     .complexity =
         "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
     .summary = "Which scripts are known.",
     .handler = ScriptExists,
     .tips = {"request_policy:all_shards", "response_policy:agg_logical_and"}},
    {.name = "script|flush",
     .arity = -2,
     .flags = kCmdNoScript,
     .group = kGroup,
     .syntax = "[ASYNC | SYNC]",
     .since = "2.6.0",
     .complexity = "O(N) with N being the number of scripts in cache",
     .summary = "Forgets all scripts.",
     .handler = ScriptFlush,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"},
     .history = kScriptFlushHistory},
    {.name = "script|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = ScriptHelp},
    {.name = "script|kill",
     .arity = 2,
     .flags = kCmdNoScript | kCmdAllowBusy,
     .group = kGroup,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Ends the script that runs.",
     .handler = NothingRuns,
     .tips = {"request_policy:all_shards", "response_policy:one_succeeded"}},
};

}  // namespace

std::span<const CommandSpec> ScriptingCommands() { return kCommands; }

}  // namespace basalt
