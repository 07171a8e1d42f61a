// MEMORY.
#include "net/transport.h"
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/config_table.h"
#include "server/info.h"
#include "server/process_info.h"
#include "storage/keyspace.h"

namespace basalt {

namespace {

double Ratio(uint64_t a, uint64_t b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); }

Status Usage(CommandContext& ctx) {
  constexpr int64_t kSamplesDefault = 5;
  constexpr int64_t kFastLaneSamplesMax = 100;
  int64_t samples = kSamplesDefault;
  for (size_t i = 3; i < ctx.argc(); i += 2) {
    if (!EqualsIgnoreCase(ctx.arg(i), "samples") || i + 1 == ctx.argc()) return ErrorCode::kSyntax;
    if (!ParseInteger(ctx.arg(i + 1), &samples)) return ErrorCode::kNotInteger;
    if (samples < 0) return ErrorCode::kSyntax;
  }
  if ((samples == 0 || samples > kFastLaneSamplesMax) && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
  uint64_t bytes = 0;
  const storage::Status status =
      storage::Keyspace::Usage(ctx.view(), ctx.db(), ctx.key(2), static_cast<uint64_t>(samples), &bytes);
  if (status == storage::Status::kNotFound) {
    ctx.reply.Null();
    return Ok();
  }
  BASALT_RETURN_IF_ERROR(status);
  ctx.reply.Integer(static_cast<int64_t>(bytes));
  return Ok();
}

Status Stats(CommandContext& ctx) {
  const ProcessMemory memory = SampleProcessMemory();
  const storage::StorageStats storage = ctx.services.storage.Stats();
  const net::TransportStats transport =
      ctx.services.transport == nullptr ? net::TransportStats() : ctx.services.transport->Stats();
  uint64_t keys = 0;
  std::vector<int> databases;  // that have keys
  for (int db = 0; db < ctx.services.storage.databases(); ++db) {
    const uint64_t here = ctx.services.storage.Counts(static_cast<storage::DbIndex>(db)).keys;
    keys += here;
    if (here > 0) databases.push_back(db);
  }
  const uint64_t dataset =
      std::min(memory.used, storage.cache_bytes + storage.block_cache_bytes + storage.memtable_bytes);

  uint64_t fields = 0;
  const auto at = ctx.reply.Mark();
  const auto number = [&](std::string_view name, uint64_t value) {
    ctx.reply.Bulk(name);
    ctx.reply.Integer(static_cast<int64_t>(value));
    ++fields;
  };
  const auto real = [&](std::string_view name, double value) {
    ctx.reply.Bulk(name);
    ctx.reply.Double(value);
    ++fields;
  };
  number("peak.allocated", memory.peak);
  number("total.allocated", memory.used);
  number("startup.allocated", 0);
  number("replication.backlog", 0);
  number("clients.slaves", 0);
  number("clients.normal", transport.query_buffer_bytes + transport.output_pending_bytes);
  number("cluster.links", 0);
  number("aof.buffer", 0);
  number("lua.caches", 0);
  number("functions.caches", 0);
  for (const int db : databases) {  // there are no hash tables
    ctx.reply.Bulk("db." + std::to_string(db));
    ctx.reply.Map(3);
    for (const char* part : {"main", "expires", "slot-to-keys"}) {
      ctx.reply.Bulk(std::string("overhead.hashtable.") + part);
      ctx.reply.Integer(0);
    }
    ++fields;
  }
  number("overhead.total", memory.used - dataset);
  number("keys.count", keys);
  number("keys.bytes-per-key", keys == 0 ? 0 : dataset / keys);
  number("dataset.bytes", dataset);
  real("dataset.percentage", 100 * Ratio(dataset, memory.used));
  real("peak.percentage", 100 * Ratio(memory.used, memory.peak));
  number("allocator.allocated", memory.used);
  number("allocator.active", memory.allocator_active);
  number("allocator.resident", memory.allocator_resident);
  real("allocator-fragmentation.ratio", Ratio(memory.allocator_active, memory.used));
  number("allocator-fragmentation.bytes", memory.allocator_active - memory.used);
  real("allocator-rss.ratio", Ratio(memory.allocator_resident, memory.allocator_active));
  number("allocator-rss.bytes", memory.allocator_resident - memory.allocator_active);
  real("rss-overhead.ratio", Ratio(memory.resident, memory.allocator_resident));
  number("rss-overhead.bytes", memory.resident - memory.allocator_resident);
  real("fragmentation", Ratio(memory.resident, memory.used));
  number("fragmentation.bytes", memory.resident - memory.used);
  // Basalt's own.
  number("record-cache.bytes", storage.cache_bytes);
  number("block-cache.bytes", storage.block_cache_bytes);
  number("memtables.bytes", storage.memtable_bytes);
  number("table-readers.bytes", storage.table_readers_bytes);
  ctx.reply.InsertMap(at, fields);
  return Ok();
}

Status Doctor(CommandContext& ctx) {
  const ProcessMemory memory = SampleProcessMemory();
  const auto budget = static_cast<uint64_t>(ctx.services.config.current().memory);
  std::string report;
  if (memory.resident > budget + budget / 2) {
    report += "- The process holds " + HumanBytes(memory.resident) +
              ", more than one and a half times the memory setting (" + HumanBytes(budget) +
              "). Unsent output of clients (CLIENT LIST, omem) and large values in flight come on top of the caches; "
              "INFO memory shows the parts.\n";
  }
  if (memory.allocator_active > memory.used + memory.used / 3 && memory.allocator_active - memory.used > (64u << 20)) {
    report += "- The allocator holds " + HumanBytes(memory.allocator_active - memory.used) +
              " of pages that are only partly used. MEMORY PURGE gives whole pages back.\n";
  }
  if (memory.resident > TotalSystemMemory() / 10 * 9) {
    report +=
        "- Nearly all of this machine's memory is taken by this process. The kernel's page cache, which serves reads "
        "of data files, has no room; a smaller `memory` may be faster.\n";
  }
  ctx.reply.Verbatim("txt", report.empty() ? "Nothing to complain about: memory is within its setting.\n"
                                           : "Found with memory:\n\n" + report);
  return Ok();
}

Status MallocStats(CommandContext& ctx) {
  const std::string report = AllocatorReport();
  if (report.empty())
    ctx.reply.Bulk("Stats not supported for the current allocator");
  else
    ctx.reply.Verbatim("txt", report);
  return Ok();
}

Status Purge(CommandContext& ctx) {
  if (!PurgeAllocator() && AllocatorName() != "libc") return Status::Message("ERR Error purging dirty pages");
  ctx.reply.Ok();
  return Ok();
}

Status Help(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    What is wrong with the use of memory, if anything.",
      "MALLOC-STATS",
      "    The allocator's own report.",
      "PURGE",
      "    Have the allocator give unused pages back.",
      "STATS",
      "    What memory is used for.",
      "USAGE <key> [SAMPLES <count>]",
      "    About how many bytes a key and its value take.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr CommandGroup kGroup = CommandGroup::kServer;

constexpr CommandSpec kCommands[] = {
    {.name = "memory",
     .arity = -2,
     .group = kGroup,
     .since = "4.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about memory."},
    {.name = "memory|doctor",
     .arity = 2,
     .group = kGroup,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "What is wrong with the use of memory, if anything.",
     .handler = Doctor,
     .tips = {"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}},
    {.name = "memory|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = Help},
    {.name = "memory|malloc-stats",
     .arity = 2,
     .flags = kCmdSlowLane,
     .group = kGroup,
     .since = "4.0.0",
     .complexity = "Depends on how much memory is allocated, could be slow",
     .summary = "The allocator's own report.",
     .handler = MallocStats,
     .tips = {"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}},
    {.name = "memory|purge",
     .arity = 2,
     .flags = kCmdSlowLane,
     .group = kGroup,
     .since = "4.0.0",
     .complexity = "Depends on how much memory is allocated, could be slow",
     .summary = "Has the allocator give unused pages back.",
     .handler = Purge,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "memory|stats",
     .arity = 2,
     .group = kGroup,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "What memory is used for.",
     .handler = Stats,
     .tips = {"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}},
    {.name = "memory|usage",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRO, 2)},
     .syntax = "key [SAMPLES count:integer]",
     .since = "4.0.0",
     .complexity = "O(N) where N is the number of samples.",
     .summary = "About how many bytes a key and its value take.",
     .handler = Usage},
};

}  // namespace

std::span<const CommandSpec> MemoryCommands() { return kCommands; }

}  // namespace basalt
