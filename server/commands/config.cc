// CONFIG.
#include "net/transport.h"
#include "server/command_context.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/config_table.h"
#include "server/latency_monitor.h"
#include "server/session.h"
#include "server/slowlog.h"
#include "server/stats.h"

namespace basalt {

namespace {

Status Get(CommandContext& ctx) {
  const auto values = ctx.services.config.Get(ctx.argv.subspan(2));
  ctx.reply.Map(values.size());
  for (const auto& [name, value] : values) {
    ctx.reply.Bulk(name);
    ctx.reply.Bulk(value);
  }
  return Ok();
}

Status Set(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(ctx.services.config.Set(ctx.argv.subspan(2), ctx.session.conn.loopback));
  ctx.services.slowlog.Trim(static_cast<size_t>(ctx.services.config.current().slowlog_max_len));
  ctx.reply.Ok();
  return Ok();
}

Status ResetStat(CommandContext& ctx) {
  ctx.services.stats.Reset();
  ctx.services.storage.ResetStats();
  if (ctx.services.transport != nullptr) ctx.services.transport->ResetStats();
  ctx.reply.Ok();
  return Ok();
}

Status Rewrite(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(ctx.services.config.Rewrite());
  ctx.reply.Ok();
  return Ok();
}

Status Help(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "GET <pattern> [<pattern> ...]",
      "    The options that a pattern names, with their values.",
      "SET <name> <value> [<name> <value> ...]",
      "    Change options; all of them, or none when one is refused.",
      "RESETSTAT",
      "    Begin the counters of INFO anew.",
      "REWRITE",
      "    Write what runs now into the configuration file.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr uint64_t kFlags = kCmdAdmin | kCmdNoScript | kCmdLoading | kCmdStale;
constexpr CommandGroup kGroup = CommandGroup::kServer;
constexpr CommandHistory kManyHistory[] = {{"7.0.0", "Takes several parameters in one call."}};

constexpr CommandSpec kCommands[] = {
    {.name = "config",
     .arity = -2,
     .group = kGroup,
     .since = "2.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about the configuration."},
    {.name = "config|get",
     .arity = -3,
     .flags = kFlags | kCmdSlowLane,  // while an option changes, which may wait for a name server, it waits
     .group = kGroup,
     .syntax = "parameter…",
     .since = "2.0.0",
     .complexity = "O(N) when N is the number of configuration parameters provided",
     .summary = "The values of options.",
     .handler = Get,
     .history = kManyHistory},
    {.name = "config|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = Help},
    {.name = "config|resetstat",
     .arity = 2,
     .flags = kFlags,
     .group = kGroup,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Begins the counters of INFO anew.",
     .handler = ResetStat,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
    {.name = "config|rewrite",
     .arity = 2,
     .flags = kFlags | kCmdSlowLane,
     .group = kGroup,
     .since = "2.8.0",
     .complexity = "O(1)",
     .summary = "Writes what runs now into the configuration file.",
     .handler = Rewrite,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
    {.name = "config|set",
     .arity = -4,
     .flags = kFlags | kCmdSlowLane,
     .group = kGroup,
     .syntax = "(parameter value)…",
     .since = "2.0.0",
     .complexity = "O(N) when N is the number of configuration parameters provided",
     .summary = "Changes options.",
     .handler = Set,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"},
     .history = kManyHistory},
};

}  // namespace

std::span<const CommandSpec> ConfigCommands() { return kCommands; }

}  // namespace basalt
