#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace basalt {

// Values of enumerated options, in the order of the choices in their rows (config_options.cc; a test compares them).
enum class AppendFsync : uint8_t { kEverySecond, kAlways, kNo };
enum class LogLevel : uint8_t { kDebug, kVerbose, kNotice, kWarning, kNothing };
enum class Permission : uint8_t { kNo, kYes, kLocal };
enum class Compression : uint8_t { kNone, kSnappy, kLz4, kZstd };
enum class EvictionPolicy : uint8_t {
  kVolatileLru,
  kVolatileLfu,
  kVolatileRandom,
  kVolatileTtl,
  kAllkeysLru,
  kAllkeysLfu,
  kAllkeysRandom,
  kNoEviction,
};

enum class PubsubDefault : uint8_t { kAllChannels, kResetChannels };

// Classes of `client-output-buffer-limit`.
enum class ClientClass : uint8_t { kNormal, kReplica, kPubsub };
inline constexpr size_t kClientClasses = 3;

struct ClientOutputLimit {
  uint64_t hard_bytes = 0, soft_bytes = 0;
  uint32_t soft_seconds = 0;
  bool operator==(const ClientOutputLimit&) const = default;
};

// The options that the server acts on, as plain typed fields. Immutable once published: CONFIG SET replaces the whole.
// Options without a field here are kept by the ConfigTable for CONFIG GET only. Names are those of the options.
struct ConfigSnapshot {
  // Network.
  std::vector<std::string> bind;
  int64_t port = 0;
  std::string unixsocket;
  int64_t unixsocketperm = 0;
  int64_t tcp_backlog = 0;
  int64_t tcp_keepalive = 0;  // seconds
  int64_t timeout = 0;        // seconds
  int64_t maxclients = 0;
  bool protected_mode = false;
  int64_t client_query_buffer_limit = 0;  // bytes
  int64_t proto_max_bulk_len = 0;         // bytes
  int64_t client_output_total_limit = 0;  // bytes
  std::array<ClientOutputLimit, kClientClasses> client_output_buffer_limit;

  // Threads; 0: chosen from the number of cores, see ThreadsOf().
  int64_t workers = 0;
  int64_t pool_threads = 0;
  int64_t slow_threads = 0;

  // Storage.
  std::string dir;
  int64_t databases = 0;
  int64_t memory = 0;  // bytes
  AppendFsync appendfsync = AppendFsync::kEverySecond;
  Compression compression = Compression::kLz4;
  bool blob_files = false;
  int64_t blob_min_size = 0;  // bytes
  int64_t background_jobs = 0;
  int64_t disk_free_warn = 0;  // bytes
  int64_t disk_free_stop = 0;  // bytes
  int64_t disk_ballast = 0;    // bytes
  int64_t active_expire_effort = 0;

  // Access.
  std::string requirepass, masterauth, masteruser;
  std::string aclfile;
  int64_t acllog_max_len = 0;
  PubsubDefault acl_pubsub_default = PubsubDefault::kResetChannels;
  Permission enable_debug_command = Permission::kNo;
  Permission enable_protected_configs = Permission::kNo;
  Permission enable_module_command = Permission::kNo;

  // Logs and observation.
  LogLevel loglevel = LogLevel::kNotice;
  std::string logfile;
  int64_t logfile_max_size = 0;         // bytes
  int64_t slowlog_log_slower_than = 0;  // microseconds; negative: off
  int64_t slowlog_max_len = 0;
  int64_t latency_monitor_threshold = 0;  // milliseconds; 0: off
  bool latency_tracking = false;
  std::vector<double> latency_tracking_info_percentiles;
  uint32_t notify_keyspace_events = 0;  // KeyEventClass

  // Scripts, shutdown.
  int64_t busy_reply_threshold = 0;  // milliseconds
  int64_t shutdown_timeout = 0;      // seconds

  // What OBJECT ENCODING and the packed layouts follow.
  int64_t hash_max_listpack_entries = 0, hash_max_listpack_value = 0;
  int64_t list_max_listpack_size = 0, list_compress_depth = 0;
  int64_t set_max_intset_entries = 0, set_max_listpack_entries = 0, set_max_listpack_value = 0;
  int64_t zset_max_listpack_entries = 0, zset_max_listpack_value = 0;
  int64_t stream_node_max_entries = 0, stream_node_max_bytes = 0;
  int64_t hll_sparse_max_bytes = 0;

  // Reported or used by features that clients probe.
  bool appendonly = false;
  int64_t maxmemory = 0;  // bytes
  EvictionPolicy maxmemory_policy = EvictionPolicy::kNoEviction;
  int64_t lfu_log_factor = 0, lfu_decay_time = 0;  // OBJECT FREQ
  int64_t hz = 0;
  bool cluster_enabled = false;
  int64_t io_threads = 0;
  bool replica_read_only = false;
  int64_t replica_priority = 0;
  int64_t min_replicas_to_write = 0, min_replicas_max_lag = 0;
  int64_t repl_backlog_size = 0;
  int64_t tracking_table_max_keys = 0;

  bool operator==(const ConfigSnapshot&) const = default;

  // Whether writes need replicas that follow closely. Either option at 0 switches it off.
  bool wants_replicas() const { return min_replicas_to_write > 0 && min_replicas_max_lag > 0; }
  const ClientOutputLimit& output_limit(ClientClass c) const {
    return client_output_buffer_limit[static_cast<size_t>(c)];
  }
};

// The numbers of threads that run, with automatic ones resolved.
struct ThreadCounts {
  int workers = 1, fast = 1, slow = 4;
};
ThreadCounts ThreadsOf(const ConfigSnapshot& config);

}  // namespace basalt
