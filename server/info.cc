#include "server/info.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <optional>

#include "net/transport.h"
#include "server/blocked_keys.h"
#include "server/client_registry.h"
#include "server/client_tracking.h"
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/config_table.h"
#include "server/logging.h"
#include "server/parked_registry.h"
#include "server/process_info.h"
#include "server/pubsub.h"
#include "server/scripting/scripting.h"
#include "server/server.h"
#include "server/slowlog.h"
#include "server/stats.h"
#include "server/version.h"
#include "storage/storage.h"

namespace basalt {

namespace {

// What several sections need; read once per INFO, when first asked for.
class Facts {
 public:
  explicit Facts(const Services& services) : services(services), config(services.config.current()) {}

  const Services& services;
  const ConfigSnapshot& config;

  const Stats::Totals& totals() {
    return Once(&totals_, [this] { return services.stats.Read(); });
  }
  const storage::StorageStats& storage() {
    return Once(&storage_, [this] { return services.storage.Stats(); });
  }
  const net::TransportStats& transport() {
    return Once(&transport_,
                [this] { return services.transport == nullptr ? net::TransportStats() : services.transport->Stats(); });
  }
  int64_t now_s() const { return services.storage.NowMs() / 1000; }

 private:
  template <typename T, typename Read>
  static const T& Once(std::optional<T>* value, Read read) {
    if (!value->has_value()) *value = read();
    return **value;
  }

  std::optional<Stats::Totals> totals_;
  std::optional<storage::StorageStats> storage_;
  std::optional<net::TransportStats> transport_;
};

// A value of an option as it is written. Of the snapshot: ConfigTable::Text waits while an option changes.
template <typename Enum>
std::string_view ChoiceText(std::string_view option, Enum value) {
  return FindOption(option)->choices[static_cast<size_t>(value)];
}

// Appends "name:value\r\n".
class Lines {
 public:
  explicit Lines(std::string* out) : out_(out) {}
  void Text(std::string_view name, std::string_view value) {
    *out_ += name;
    *out_ += ':';
    *out_ += value;
    *out_ += "\r\n";
  }
  template <typename Integer>
  requires std::is_integral_v<Integer>
  void Number(std::string_view name, Integer value) { Text(name, std::to_string(value)); }
  __attribute__((format(printf, 3, 4))) void Format(std::string_view name, const char* format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    Text(name, text);
  }
  void Bytes(std::string_view name, uint64_t bytes) {
    Number(name, bytes);
    Text(std::string(name) + "_human", HumanBytes(bytes));
  }
  void Zeros(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) Text(name, "0");
  }

 private:
  std::string* out_;
};

void Server_(Facts& facts, Lines& out) {
  const Server& server = facts.services.server;
  const int64_t uptime = std::max<int64_t>(0, static_cast<int64_t>(std::time(nullptr)) - server.start_unix_s());
  out.Text("redis_version", kRedisVersion);
  // Some tools look for these; they are Redis' own, so nothing can be said.
  out.Text("redis_git_sha1", "00000000");
  out.Number("redis_git_dirty", 0);
  out.Text("redis_build_id", "0");
  out.Text("basalt_version", BasaltVersion());
  out.Text("rocksdb_version", storage::Storage::RocksdbVersion());
  out.Text("rocksdb_build", RocksdbBuild());
  out.Text("redis_mode", "standalone");
  out.Text("os", OsName());
  out.Number("arch_bits", sizeof(void*) * 8);
  out.Text("multiplexing_api", "epoll");
  out.Text("gcc_version", __VERSION__);
  out.Number("process_id", ::getpid());
  out.Text("process_supervised", "no");
  out.Text("run_id", server.run_id());
  out.Number("tcp_port", facts.config.port);
  out.Number("server_time_usec",
             std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
                 .count());
  out.Number("uptime_in_seconds", uptime);
  out.Number("uptime_in_days", uptime / (24 * 3600));
  out.Number("hz", facts.config.hz);
  out.Number("configured_hz", facts.config.hz);
  out.Text("executable", ExecutablePath());
  out.Text("config_file", facts.services.config.file());
  out.Number("io_threads_active", 0);
  const ThreadCounts threads = ThreadsOf(facts.config);
  out.Number("worker_threads", threads.workers);
  out.Number("fast_threads", threads.fast);
  out.Number("slow_threads", threads.slow);
  size_t listener = 0;
  if (facts.config.port != 0) {
    std::string binds;
    for (const std::string& address : facts.config.bind) binds += ",bind=" + address;
    out.Text("listener" + std::to_string(listener++),
             "name=tcp" + binds + ",port=" + std::to_string(facts.config.port));
  }
  if (!facts.config.unixsocket.empty())
    out.Text("listener" + std::to_string(listener), "name=unix,bind=" + facts.config.unixsocket);
}

void Clients(Facts& facts, Lines& out) {
  out.Number("connected_clients", facts.services.clients.size());
  out.Number("cluster_connections", 0);
  out.Number("maxclients", facts.config.maxclients);
  out.Number("blocked_clients", facts.services.parked.blocked_clients());
  out.Number("tracking_clients", facts.services.tracking.GetCounts().clients);
  out.Number("clients_in_timeout_table", 0);
  const BlockedKeys::Counts blocking = facts.services.blocked_keys.GetCounts();
  out.Number("total_blocking_keys", blocking.keys);
  out.Number("total_blocking_keys_on_nokey", blocking.keys_any_change);
}

double Ratio(uint64_t a, uint64_t b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); }

void Memory(Facts& facts, Lines& out) {
  const ProcessMemory memory = SampleProcessMemory();
  const storage::StorageStats& storage = facts.storage();
  const uint64_t caches = storage.cache_bytes + storage.block_cache_bytes + storage.memtable_bytes;
  const uint64_t dataset = std::min(caches, memory.used);
  out.Bytes("used_memory", memory.used);
  out.Bytes("used_memory_rss", memory.resident);
  out.Bytes("used_memory_peak", memory.peak);
  out.Format("used_memory_peak_perc", "%.2f%%", 100 * Ratio(memory.used, memory.peak));
  out.Number("used_memory_overhead", memory.used - dataset);
  out.Number("used_memory_startup", 0);
  out.Number("used_memory_dataset", dataset);
  out.Format("used_memory_dataset_perc", "%.2f%%", 100 * Ratio(dataset, memory.used));
  out.Number("allocator_allocated", memory.used);
  out.Number("allocator_active", memory.allocator_active);
  out.Number("allocator_resident", memory.allocator_resident);
  out.Bytes("total_system_memory", TotalSystemMemory());
  const Scripting& scripting = facts.services.scripting;
  const InterpreterMemory interpreters = scripting.interpreter_memory();
  out.Number("used_memory_vm_eval", interpreters.script_bytes);
  out.Bytes("used_memory_lua", interpreters.script_bytes);
  out.Number("used_memory_scripts_eval", scripting.scripts().bytes());
  out.Number("number_of_cached_scripts", scripting.scripts().size());
  const FunctionRegistry::Snapshot functions = scripting.functions().Current(nullptr);
  uint64_t function_code_bytes = 0;
  for (const auto& [name, library] : functions->libraries()) function_code_bytes += library->code.size();
  out.Number("number_of_functions", functions->function_count());
  out.Number("number_of_libraries", functions->libraries().size());
  out.Number("used_memory_vm_functions", interpreters.function_bytes);
  out.Bytes("used_memory_vm_total", interpreters.script_bytes + interpreters.function_bytes);
  out.Number("used_memory_functions", function_code_bytes);
  out.Bytes("used_memory_scripts", scripting.scripts().bytes() + function_code_bytes);
  out.Bytes("maxmemory", static_cast<uint64_t>(facts.config.maxmemory));
  out.Text("maxmemory_policy", ChoiceText("maxmemory-policy", facts.config.maxmemory_policy));
  out.Bytes("memory_budget", static_cast<uint64_t>(facts.config.memory));
  out.Format("allocator_frag_ratio", "%.2f", Ratio(memory.allocator_active, memory.used));
  out.Number("allocator_frag_bytes", static_cast<int64_t>(memory.allocator_active - memory.used));
  out.Format("allocator_rss_ratio", "%.2f", Ratio(memory.allocator_resident, memory.allocator_active));
  out.Number("allocator_rss_bytes", static_cast<int64_t>(memory.allocator_resident - memory.allocator_active));
  out.Format("rss_overhead_ratio", "%.2f", Ratio(memory.resident, memory.allocator_resident));
  out.Number("rss_overhead_bytes", static_cast<int64_t>(memory.resident - memory.allocator_resident));
  out.Format("mem_fragmentation_ratio", "%.2f", Ratio(memory.resident, memory.used));
  out.Number("mem_fragmentation_bytes", static_cast<int64_t>(memory.resident - memory.used));
  out.Zeros(
      {"mem_not_counted_for_evict", "mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves"});
  out.Number("mem_clients_normal", facts.transport().query_buffer_bytes + facts.transport().output_pending_bytes);
  out.Zeros({"mem_cluster_links", "mem_aof_buffer"});
  out.Text("mem_allocator", AllocatorName());
  out.Number("active_defrag_running", 0);
  out.Number("lazyfree_pending_objects", storage.garbage_objects);
  out.Number("lazyfreed_objects", storage.garbage_objects_removed);
}

void Persistence(Facts& facts, Lines& out) {
  const storage::BackupStatus backup = facts.services.storage.backup_status();
  const storage::Health health = facts.services.storage.health();
  const bool writable = health == storage::Health::kOk || health == storage::Health::kDiskLow;
  const uint64_t changes = facts.storage().commit_keys;
  const uint64_t saved = std::min(changes, facts.services.stats.changes_at_backup());
  out.Zeros({"loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"});
  out.Text("current_fork_perc", "0.00");
  out.Zeros({"current_save_keys_processed", "current_save_keys_total"});
  // Every change is on disk at once; this counts what the last backup does not have.
  out.Number("rdb_changes_since_last_save", changes - saved);
  out.Number("rdb_bgsave_in_progress", backup.running ? 1 : 0);
  out.Number("rdb_last_save_time",
             backup.last_success_unix_s != 0 ? backup.last_success_unix_s : facts.services.server.start_unix_s());
  out.Text("rdb_last_bgsave_status", backup.last_ok ? "ok" : "err");
  out.Number("rdb_last_bgsave_time_sec", backup.last_duration_s);
  out.Number("rdb_current_bgsave_time_sec", backup.running ? 0 : -1);
  out.Number("rdb_last_cow_size", 0);
  out.Zeros({"rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"});
  out.Number("aof_enabled", facts.config.appendonly ? 1 : 0);
  out.Zeros({"aof_rewrite_in_progress", "aof_rewrite_scheduled"});
  out.Text("aof_last_rewrite_time_sec", "-1");
  out.Text("aof_current_rewrite_time_sec", "-1");
  out.Text("aof_last_bgrewrite_status", "ok");
  out.Text("aof_last_write_status", writable ? "ok" : "err");
  out.Zeros({"aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"});
  out.Text("appendfsync", ChoiceText("appendfsync", facts.config.appendfsync));
  out.Number("wal_last_sequence", facts.services.storage.LastSequence());
  out.Number("wal_synced_sequence", facts.services.storage.LastSyncedSequence());
  out.Text("last_backup_path", backup.last_path);
}

void StatsSection(Facts& facts, Lines& out) {
  const Stats::Totals& totals = facts.totals();
  const net::TransportStats& transport = facts.transport();
  const storage::StorageStats& storage = facts.storage();
  out.Number("total_connections_received", transport.connections_accepted);
  out.Number("total_commands_processed", totals.commands);
  out.Number("instantaneous_ops_per_sec", static_cast<uint64_t>(totals.ops_per_second));
  out.Number("total_net_input_bytes", transport.bytes_in);
  out.Number("total_net_output_bytes", transport.bytes_out);
  out.Zeros({"total_net_repl_input_bytes", "total_net_repl_output_bytes"});
  out.Format("instantaneous_input_kbps", "%.2f", totals.input_bytes_per_second / 1024);
  out.Format("instantaneous_output_kbps", "%.2f", totals.output_bytes_per_second / 1024);
  out.Text("instantaneous_input_repl_kbps", "0.00");
  out.Text("instantaneous_output_repl_kbps", "0.00");
  out.Number("rejected_connections", totals.rejected_connections);
  out.Zeros({"sync_full", "sync_partial_ok", "sync_partial_err"});
  out.Number("expired_keys", storage.expired_keys);
  out.Text("expired_stale_perc", "0.00");
  out.Number("expired_time_cap_reached_count", 0);
  out.Number("expire_cycle_cpu_milliseconds", storage.expire_cycle_us / 1000);
  out.Zeros({"evicted_keys", "evicted_clients", "total_eviction_exceeded_time", "current_eviction_exceeded_time"});
  out.Number("keyspace_hits", totals.hits);
  out.Number("keyspace_misses", totals.misses);
  out.Number("pubsub_channels", facts.services.pubsub.topics(TopicKind::kChannel));
  out.Number("pubsub_patterns", facts.services.pubsub.topics(TopicKind::kPattern));
  out.Number("pubsubshard_channels", facts.services.pubsub.topics(TopicKind::kShardChannel));
  out.Zeros({"latest_fork_usec", "total_forks", "migrate_cached_sockets", "slave_expires_tracked_keys",
             "active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
             "total_active_defrag_time", "current_active_defrag_time"});
  const ClientTracking::Counts tracking = facts.services.tracking.GetCounts();
  out.Number("tracking_total_keys", tracking.keys);
  out.Number("tracking_total_items", tracking.items);
  out.Number("tracking_total_prefixes", tracking.prefixes);
  out.Number("unexpected_error_replies", totals.unexpected_errors);
  out.Number("total_error_replies", totals.error_replies);
  out.Number("dump_payload_sanitizations", 0);
  out.Number("total_reads_processed", transport.read_calls);
  out.Number("total_writes_processed", transport.write_calls);
  out.Zeros({"io_threaded_reads_processed", "io_threaded_writes_processed"});
  out.Number("client_query_buffer_limit_disconnections", transport.closed_query_buffer_limit);
  out.Number("client_output_buffer_limit_disconnections",
             transport.closed_output_limit + transport.closed_output_budget);
  out.Number("acl_access_denied_auth", totals.acl_denied_auth);
  out.Number("acl_access_denied_cmd", totals.acl_denied_command);
  out.Number("acl_access_denied_key", totals.acl_denied_key);
  out.Number("acl_access_denied_channel", totals.acl_denied_channel);
}

void Replication(Facts& facts, Lines& out) {
  out.Text("role", "master");
  out.Number("connected_slaves", 0);
  out.Text("master_failover_state", "no-failover");
  out.Text("master_replid", facts.services.storage.identity());
  out.Text("master_replid2", std::string(40, '0'));
  out.Number("master_repl_offset", 0);
  out.Text("second_repl_offset", "-1");
  out.Number("repl_backlog_active", 0);
  out.Number("repl_backlog_size", facts.config.repl_backlog_size);
  out.Zeros({"repl_backlog_first_byte_offset", "repl_backlog_histlen"});
}

void Cpu(Facts&, Lines& out) {
  const ProcessCpu cpu = ReadProcessCpu();
  out.Format("used_cpu_sys", "%.6f", cpu.system_s);
  out.Format("used_cpu_user", "%.6f", cpu.user_s);
  out.Format("used_cpu_sys_children", "%.6f", cpu.children_system_s);
  out.Format("used_cpu_user_children", "%.6f", cpu.children_user_s);
}

void Modules(Facts&, Lines&) {}

void CommandStats(Facts& facts, Lines& out) {
  const std::vector<Stats::CommandCounts> counts = facts.services.stats.Commands();
  for (const Command& command : facts.services.commands.all()) {
    const Stats::CommandCounts& c = counts[command.index];
    if (c.calls == 0 && c.rejected == 0 && c.failed == 0) continue;
    const uint64_t us = c.ns / 1000;
    out.Format("cmdstat_" + std::string(command.name()),
               "calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64,
               c.calls, us, c.calls == 0 ? 0 : static_cast<double>(c.ns) / 1000 / static_cast<double>(c.calls),
               c.rejected, c.failed);
  }
}

// What could break a line of INFO.
std::string SafeName(std::string name) {
  for (char& c : name) {
    if (c == ':' || c == '#' || c == '\r' || c == '\n' || c == ' ') c = '_';
  }
  return name;
}

void ErrorStats(Facts& facts, Lines& out) {
  for (const auto& [name, count] : facts.services.stats.Errors())
    out.Format("errorstat_" + SafeName(name), "count=%" PRIu64, count);
}

std::string Trimmed(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%f", value);
  std::string text = buffer;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string Percentiles(const LatencyHistogram& histogram, const std::vector<double>& percentiles) {
  std::string text;
  for (const double percentile : percentiles) {
    char value[64];
    std::snprintf(value, sizeof value, "%.3f", static_cast<double>(histogram.Percentile(percentile)) / 1000);
    text += (text.empty() ? "p" : ",p") + Trimmed(percentile) + '=' + value;
  }
  return text;
}

void LatencyStats(Facts& facts, Lines& out) {
  if (!facts.config.latency_tracking) return;
  for (const Command& command : facts.services.commands.all()) {
    if (!facts.services.stats.HasHistogram(command.index)) continue;
    const LatencyHistogram histogram = facts.services.stats.Histogram(command.index);
    if (histogram.total == 0) continue;
    out.Text("latency_percentiles_usec_" + std::string(command.name()),
             Percentiles(histogram, facts.config.latency_tracking_info_percentiles));
  }
}

void Cluster(Facts&, Lines& out) { out.Number("cluster_enabled", 0); }

void Keyspace(Facts& facts, Lines& out) {
  for (int db = 0; db < facts.services.storage.databases(); ++db) {
    const storage::DatabaseCounts counts = facts.services.storage.Counts(static_cast<storage::DbIndex>(db));
    if (counts.keys == 0) continue;
    out.Format("db" + std::to_string(db), "keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=%" PRId64, counts.keys,
               counts.expires, counts.average_ttl_ms);
  }
}

std::string_view HealthName(storage::Health health) {
  switch (health) {
    case storage::Health::kOk:
      return "ok";
    case storage::Health::kDiskLow:
      return "disk-low";
    case storage::Health::kReadOnly:
      return "read-only";
    case storage::Health::kFailed:
      return "failed";
  }
  return "";
}

void Lane(std::string_view name, const net::TransportStats::LaneStats& lane, const LatencyHistogram& waits,
          Lines& out) {
  const std::string prefix = std::string(name) + "_lane_";
  out.Number(prefix + "batches", lane.batches);
  out.Number(prefix + "queued", lane.queued);
  out.Format(
      prefix + "queue_wait_usec_avg", "%.3f",
      lane.batches == 0 ? 0 : static_cast<double>(lane.queue_wait_ns_sum) / 1000 / static_cast<double>(lane.batches));
  out.Format(prefix + "queue_wait_usec_max", "%.3f", static_cast<double>(lane.queue_wait_ns_max) / 1000);
  if (waits.total > 0) out.Text(prefix + "queue_wait_usec", Percentiles(waits, {50, 99, 99.9}));
}

void Basalt(Facts& facts, Lines& out) {
  const storage::StorageStats& s = facts.storage();
  const net::TransportStats& t = facts.transport();
  out.Text("health", HealthName(facts.services.storage.health()));
  out.Text("health_reason", facts.services.storage.HealthReason());
  Lane("fast", t.lanes[static_cast<size_t>(net::Lane::kFast)], facts.services.stats.QueueWait(false), out);
  Lane("slow", t.lanes[static_cast<size_t>(net::Lane::kSlow)], facts.services.stats.QueueWait(true), out);
  int64_t slowlog_wait = 0;
  for (const SlowLog::Entry& entry : facts.services.slowlog.Newest(facts.services.slowlog.size()))
    slowlog_wait = std::max(slowlog_wait, entry.queue_wait_us);
  out.Number("slowlog_queue_wait_usec_max", slowlog_wait);
  out.Number("batches", t.batches);
  out.Number("batch_commands", t.commands);
  out.Format("syscalls_per_batch", "%.2f",
             Ratio(t.read_calls + t.write_calls + t.epoll_wait_calls + t.epoll_ctl_calls + t.pipe_calls + t.futex_wakes,
                   t.batches));
  out.Number("record_cache_entries", s.cache_entries);
  out.Number("record_cache_bytes", s.cache_bytes);
  out.Number("record_cache_budget", s.cache_budget_bytes);
  out.Number("record_cache_hits", s.cache_hits);
  out.Number("record_cache_misses", s.cache_misses);
  out.Format("record_cache_hit_rate", "%.4f", Ratio(s.cache_hits, s.cache_hits + s.cache_misses));
  out.Number("block_cache_bytes", s.block_cache_bytes);
  out.Number("block_cache_budget", s.block_cache_budget_bytes);
  out.Number("block_cache_hits", s.block_cache_hits);
  out.Number("block_cache_misses", s.block_cache_misses);
  out.Format("block_cache_hit_rate", "%.4f", Ratio(s.block_cache_hits, s.block_cache_hits + s.block_cache_misses));
  out.Number("memtable_bytes", s.memtable_bytes);
  out.Number("table_readers_bytes", s.table_readers_bytes);
  out.Number("commits", s.commits);
  out.Number("commit_keys", s.commit_keys);
  out.Number("commit_failures", s.commit_failures);
  out.Number("lock_waits", s.lock_waits);
  out.Number("wal_bytes", s.wal_bytes);
  out.Number("wal_syncs", s.wal_syncs);
  out.Number("wal_live_bytes", s.wal_live_bytes);
  out.Number("compactions", s.compactions);
  out.Number("compactions_running", s.compactions_running);
  out.Number("flushes_running", s.flushes_running);
  out.Number("flush_bytes_written", s.flush_bytes_written);
  out.Number("compaction_bytes_read", s.compaction_bytes_read);
  out.Number("compaction_bytes_written", s.compaction_bytes_written);
  out.Number("write_stalls", s.write_stalls);
  out.Number("write_stall_usec", s.stall_us);
  out.Number("write_delayed", s.write_delayed ? 1 : 0);
  out.Number("write_stopped", s.write_stopped ? 1 : 0);
  out.Number("expire_overdue_milliseconds", s.expire_overdue_ms);
  out.Number("garbage_objects", s.garbage_objects);
  out.Number("garbage_rows_estimate", s.garbage_rows_estimate);
  out.Number("garbage_rows_removed", s.garbage_rows_removed);
  out.Number("live_sst_bytes", s.live_sst_bytes);
  out.Number("blob_bytes", s.blob_bytes);
  out.Number("disk_used_bytes", s.disk_used_bytes);
  out.Number("disk_free_bytes", s.disk_free_bytes);
  out.Number("reopens", s.reopens);
}

struct Section {
  std::string_view name, title, other_name;
  bool by_default;
  void (*write)(Facts&, Lines&);
};

constexpr Section kSections[] = {
    {"server", "Server", "", true, Server_},
    {"clients", "Clients", "", true, Clients},
    {"memory", "Memory", "", true, Memory},
    {"persistence", "Persistence", "", true, Persistence},
    {"stats", "Stats", "", true, StatsSection},
    {"replication", "Replication", "", true, Replication},
    {"cpu", "CPU", "", true, Cpu},
    {"modules", "Modules", "module_list", true, Modules},
    {"commandstats", "Commandstats", "", false, CommandStats},
    {"errorstats", "Errorstats", "", true, ErrorStats},
    {"latencystats", "Latencystats", "", false, LatencyStats},
    {"cluster", "Cluster", "", true, Cluster},
    {"keyspace", "Keyspace", "", true, Keyspace},
    {"basalt", "Basalt", "rocksdb", false, Basalt},
};

bool IsChosen(const Section& section, std::span<const std::string_view> names) {
  if (names.empty()) return section.by_default;
  for (const std::string_view name : names) {
    if (EqualsIgnoreCase(name, "all") || EqualsIgnoreCase(name, "everything")) return true;
    if (EqualsIgnoreCase(name, "default") && section.by_default) return true;
    if (EqualsIgnoreCase(name, section.name) ||
        (!section.other_name.empty() && EqualsIgnoreCase(name, section.other_name)))
      return true;
  }
  return false;
}

}  // namespace

std::string HumanBytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "K", "M", "G", "T", "P", "E"};
  char text[64];
  if (bytes < 1024) {
    std::snprintf(text, sizeof text, "%" PRIu64 "B", bytes);
    return text;
  }
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  std::snprintf(text, sizeof text, "%.2f%s", value, kUnits[unit]);
  return text;
}

std::string InfoText(const Services& services, std::span<const std::string_view> names) {
  Facts facts(services);
  std::string text;
  for (const Section& section : kSections) {
    if (!IsChosen(section, names)) continue;
    if (!text.empty()) text += "\r\n";
    text += "# " + std::string(section.title) + "\r\n";
    Lines lines(&text);
    section.write(facts, lines);
  }
  return text;
}

}  // namespace basalt
