// SLOWLOG and LATENCY.
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/config_table.h"
#include "server/latency_monitor.h"
#include "server/slowlog.h"
#include "server/stats.h"

namespace basalt {

namespace {

// SLOWLOG GET [count] [QUEUEWAIT]. The last word is Basalt's own: it adds to each entry how many microseconds the
// command had waited for a thread. Without it an entry has the six fields that clients expect.
Status SlowlogGet(CommandContext& ctx) {
  size_t argc = ctx.argc();
  const bool with_wait = argc > 2 && EqualsIgnoreCase(ctx.arg(argc - 1), "queuewait");
  if (with_wait) --argc;
  if (argc > 3) return SubcommandSyntaxError(ctx);
  int64_t count = 10;
  if (argc == 3) {
    if (!ParseInteger(ctx.arg(2), &count) || count < -1)
      return Status::Message("ERR count should be greater than or equal to -1");
    if (count == -1) count = std::numeric_limits<int64_t>::max();
  }
  const auto entries = ctx.services.slowlog.Newest(static_cast<size_t>(count));
  ctx.reply.Array(entries.size());
  for (const SlowLog::Entry& entry : entries) {
    ctx.reply.Array(with_wait ? 7 : 6);
    ctx.reply.Integer(static_cast<int64_t>(entry.id));
    ctx.reply.Integer(entry.unix_s);
    ctx.reply.Integer(entry.duration_us);
    ctx.reply.Array(entry.args.size());
    for (const std::string& arg : entry.args) ctx.reply.Bulk(arg);
    ctx.reply.Bulk(entry.peer);
    ctx.reply.Bulk(entry.client_name);
    if (with_wait) ctx.reply.Integer(entry.queue_wait_us);
  }
  return Ok();
}

Status SlowlogLen(CommandContext& ctx) {
  ctx.reply.Integer(static_cast<int64_t>(ctx.services.slowlog.size()));
  return Ok();
}

Status SlowlogReset(CommandContext& ctx) {
  ctx.services.slowlog.Reset();
  ctx.reply.Ok();
  return Ok();
}

Status SlowlogHelp(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "GET [<count>] [QUEUEWAIT]",
      "    The newest entries (10 unless told; -1: all). An entry is its number, the time, microseconds taken,",
      "    the command, the client's address and name; and with QUEUEWAIT the microseconds spent waiting for a thread.",
      "LEN",
      "    How many entries there are.",
      "RESET",
      "    Forget all entries.",
  };
  return WriteHelp(ctx, kLines);
}

Status LatencyLatest(CommandContext& ctx) {
  const auto events = ctx.services.latency.AllLatest();
  ctx.reply.Array(events.size());
  for (const LatencyMonitor::Latest& event : events) {
    ctx.reply.Array(4);
    ctx.reply.Bulk(event.event);
    ctx.reply.Integer(event.last.unix_s);
    ctx.reply.Integer(event.last.ms);
    ctx.reply.Integer(event.max_ms);
  }
  return Ok();
}

Status LatencyHistory(CommandContext& ctx) {
  const auto samples = ctx.services.latency.History(ctx.arg(2));
  ctx.reply.Array(samples.size());
  for (const LatencyMonitor::Sample& sample : samples) {
    ctx.reply.Array(2);
    ctx.reply.Integer(sample.unix_s);
    ctx.reply.Integer(sample.ms);
  }
  return Ok();
}

Status LatencyReset(CommandContext& ctx) {
  size_t forgotten = 0;
  if (ctx.argc() == 2) forgotten = ctx.services.latency.Reset("");
  for (size_t i = 2; i < ctx.argc(); ++i) {
    if (!ctx.arg(i).empty()) forgotten += ctx.services.latency.Reset(ctx.arg(i));
  }
  ctx.reply.Integer(static_cast<int64_t>(forgotten));
  return Ok();
}

Status LatencyGraph(CommandContext& ctx) {
  const auto graph = ctx.services.latency.Graph(ctx.arg(2), ctx.now_ms() / 1000);
  if (!graph) return Status::Message("ERR No samples available for event '" + std::string(ctx.arg(2)) + "'");
  ctx.reply.Verbatim("txt", *graph);
  return Ok();
}

Status LatencyDoctor(CommandContext& ctx) {
  ctx.reply.Verbatim(
      "txt", ctx.services.latency.Report(ctx.services.config.current().latency_monitor_threshold, ctx.now_ms() / 1000));
  return Ok();
}

// How many calls took up to 1, 2, 4, … 16, 33, 66 … microseconds: Redis' powers of two in nanoseconds, with the upper
// end of its own buckets as label.
void WriteDistribution(net::ReplyBuilder& reply, const LatencyHistogram& histogram) {
  constexpr int kFirstBits = 10;
  reply.Map(2);
  reply.Bulk("calls");
  reply.Integer(static_cast<int64_t>(histogram.total));
  reply.Bulk("histogram_usec");
  const auto at = reply.Mark();
  uint64_t written = 0, steps = 0;
  size_t bucket = 0;
  uint64_t below = 0;
  for (int bits = kFirstBits; bits <= LatencyBuckets::kMaxBits && written < histogram.total; ++bits) {
    for (; bucket < histogram.counts.size() && LatencyBuckets::HighestOf(bucket) < (1ull << bits); ++bucket)
      below += histogram.counts[bucket];
    if (below == written) continue;
    reply.Integer(static_cast<int64_t>(((1ull << bits) + (1ull << (bits - 7)) - 1) / 1000));
    reply.Integer(static_cast<int64_t>(below));
    written = below;
    ++steps;
  }
  reply.InsertMap(at, steps);
}

Status LatencyHistogramCommand(CommandContext& ctx) {
  std::vector<const Command*> commands;
  if (ctx.argc() == 2) {
    for (const Command& command : ctx.services.commands.all()) commands.push_back(&command);
  }
  for (size_t i = 2; i < ctx.argc(); ++i) {
    const Command* command = ctx.services.commands.FindFullName(ctx.arg(i));
    if (command == nullptr) continue;
    commands.push_back(command);
    commands.insert(commands.end(), command->subcommands.begin(), command->subcommands.end());
  }
  const auto at = ctx.reply.Mark();
  uint64_t written = 0;
  for (const Command* command : commands) {
    if (!ctx.services.stats.HasHistogram(command->index)) continue;
    const LatencyHistogram histogram = ctx.services.stats.Histogram(command->index);
    if (histogram.total == 0) continue;
    ctx.reply.Bulk(command->name());
    WriteDistribution(ctx.reply, histogram);
    ++written;
  }
  ctx.reply.InsertMap(at, written);
  return Ok();
}

Status LatencyHelp(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    What the spikes of latency say, and what may help.",
      "GRAPH <event>",
      "    The spikes of an event as a chart.",
      "HISTOGRAM [<command> ...]",
      "    How long commands took: calls up to 1, 2, 4, ... microseconds, of all or some commands.",
      "HISTORY <event>",
      "    The spikes of an event.",
      "LATEST",
      "    The last spike of every event.",
      "RESET [<event> ...]",
      "    Forget the spikes of all or some events.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr CommandGroup kGroup = CommandGroup::kServer;
constexpr uint64_t kSlowlogFlags = kCmdAdmin | kCmdLoading | kCmdStale;
constexpr uint64_t kLatencyFlags = kCmdAdmin | kCmdNoScript | kCmdLoading | kCmdStale;
constexpr CommandHistory kSlowlogGetHistory[] = {{"4.0.0", "Entries name the client's address and name."}};

constexpr CommandSpec kCommands[] = {
    {.name = "latency",
     .arity = -2,
     .group = kGroup,
     .since = "2.8.13",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about latency."},
    {.name = "latency|doctor",
     .arity = 2,
     .flags = kLatencyFlags,
     .group = kGroup,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "A report on spikes of latency, with advice.",
     .handler = LatencyDoctor,
     .tips = {"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}},
    {.name = "latency|graph",
     .arity = 3,
     .flags = kLatencyFlags,
     .group = kGroup,
     .syntax = "event",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "The spikes of an event as a chart.",
     .handler = LatencyGraph,
     .tips = {"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}},
    {.name = "latency|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = LatencyHelp},
    {.name = "latency|histogram",
     .arity = -2,
     .flags = kLatencyFlags,
     .group = kGroup,
     .syntax = "[command…]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of commands with latency information being retrieved.",
     .summary = "How long the calls of commands took.",
     .handler = LatencyHistogramCommand,
     .tips = {"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}},
    {.name = "latency|history",
     .arity = 3,
     .flags = kLatencyFlags,
     .group = kGroup,
     .syntax = "event",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "The spikes of an event.",
     .handler = LatencyHistory,
     .tips = {"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}},
    {.name = "latency|latest",
     .arity = 2,
     .flags = kLatencyFlags,
     .group = kGroup,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "The last spike of every event.",
     .handler = LatencyLatest,
     .tips = {"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}},
    {.name = "latency|reset",
     .arity = -2,
     .flags = kLatencyFlags,
     .group = kGroup,
     .syntax = "[event…]",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Forgets spikes.",
     .handler = LatencyReset,
     .tips = {"request_policy:all_nodes", "response_policy:agg_sum"}},
    {.name = "slowlog",
     .arity = -2,
     .group = kGroup,
     .since = "2.2.12",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about the log of slow commands."},
    {.name = "slowlog|get",
     .arity = -2,
     .flags = kSlowlogFlags,
     .group = kGroup,
     .syntax = "[count:integer]",
     .since = "2.2.12",
     .complexity = "O(N) where N is the number of entries returned",
     .summary = "The newest entries of the log of slow commands.",
     .handler = SlowlogGet,
     .tips = {"request_policy:all_nodes", "nondeterministic_output"},
     .history = kSlowlogGetHistory},
    {.name = "slowlog|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = SlowlogHelp},
    {.name = "slowlog|len",
     .arity = 2,
     .flags = kSlowlogFlags,
     .group = kGroup,
     .since = "2.2.12",
     .complexity = "O(1)",
     .summary = "How many slow commands are logged.",
     .handler = SlowlogLen,
     .tips = {"request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"}},
    {.name = "slowlog|reset",
     .arity = 2,
     .flags = kSlowlogFlags,
     .group = kGroup,
     .since = "2.2.12",
     .complexity = "O(N) where N is the number of entries in the slowlog",
     .summary = "Forgets all slow commands.",
     .handler = SlowlogReset,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
};

}  // namespace

std::span<const CommandSpec> ObservationCommands() { return kCommands; }

}  // namespace basalt
