// FUNCTION on an empty library.
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"

namespace basalt {

namespace {

Status NothingRuns(CommandContext&) { return Status::Message("NOTBUSY No scripts in execution right now."); }

Status FunctionFlush(CommandContext& ctx) {
  if (ctx.argc() > 3) return SubcommandSyntaxError(ctx);
  if (ctx.argc() == 3 && !EqualsIgnoreCase(ctx.arg(2), "sync") && !EqualsIgnoreCase(ctx.arg(2), "async")) {
    return Status::Message("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  ctx.reply.Ok();
  return Ok();
}

Status FunctionList(CommandContext& ctx) {
  bool with_code = false, library = false;
  for (size_t i = 2; i < ctx.argc(); ++i) {
    if (!with_code && EqualsIgnoreCase(ctx.arg(i), "withcode")) {
      with_code = true;
    } else if (!library && EqualsIgnoreCase(ctx.arg(i), "libraryname")) {
      if (i + 1 >= ctx.argc()) return Status::Message("ERR library name argument was not given");
      library = true;
      ++i;
    } else {
      return Status::Message("ERR Unknown argument " + std::string(ctx.arg(i)));
    }
  }
  ctx.reply.Array(0);
  return Ok();
}

Status FunctionDelete(CommandContext&) { return Status::Message("ERR Library not found"); }

Status FunctionStats(CommandContext& ctx) {
  ctx.reply.Map(2);
  ctx.reply.Bulk("running_script");
  ctx.reply.Null();
  ctx.reply.Bulk("engines");
  ctx.reply.Map(0);
  return Ok();
}

Status FunctionHelp(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "DELETE <library name>",
      "    Delete a library.",
      "FLUSH [ASYNC|SYNC]",
      "    Delete all libraries.",
      "KILL",
      "    End the function that runs.",
      "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
      "    The libraries. There are none, as this version runs no functions.",
      "STATS",
      "    The function that runs, and the engines.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr CommandGroup kGroup = CommandGroup::kScripting;

constexpr CommandSpec kCommands[] = {
    {.name = "function",
     .arity = -2,
     .group = kGroup,
     .since = "7.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about functions."},
    {.name = "function|delete",
     .arity = 3,
     .flags = kCmdNoScript | kCmdWrite,
     .group = kGroup,
     .syntax = "library-name",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Deletes a library.",
     .handler = FunctionDelete,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "function|flush",
     .arity = -2,
     .flags = kCmdNoScript | kCmdWrite,
     .group = kGroup,
     .syntax = "[ASYNC | SYNC]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of functions deleted",
     .summary = "Deletes all libraries.",
     .handler = FunctionFlush,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "function|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = FunctionHelp},
    {.name = "function|kill",
     .arity = 2,
     .flags = kCmdNoScript | kCmdAllowBusy,
     .group = kGroup,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Ends the function that runs.",
     .handler = NothingRuns,
     .tips = {"request_policy:all_shards", "response_policy:one_succeeded"}},
    {.name = "function|list",
     .arity = -2,
     .flags = kCmdNoScript,
     .group = kGroup,
     .syntax = "[LIBRARYNAME library-name-pattern] [WITHCODE]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of functions",
     .summary = "The libraries; there are none yet.",
     .handler = FunctionList,
     .tips = {"nondeterministic_output_order"}},
    {.name = "function|stats",
     .arity = 2,
     .flags = kCmdNoScript | kCmdAllowBusy,
     .group = kGroup,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "The function that runs, and the engines.",
     .handler = FunctionStats,
     .tips = {"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}},
};

}  // namespace

std::span<const CommandSpec> FunctionCommands() { return kCommands; }

}  // namespace basalt
