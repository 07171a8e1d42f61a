// The rows of Redis' options that Basalt accepts and reports so that tools, test suites and existing conf files work,
// but that change nothing: what they tune does not exist here, or not yet.
#include "server/config_options.h"

namespace basalt::config_internal {

namespace {

using S = OptionSection;
using T = OptionType;
using C = ConfigSnapshot;

constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();
constexpr int64_t kLongMax = std::numeric_limits<int64_t>::max();

constexpr std::string_view kEvictionChoices[] = {"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
                                                 "allkeys-lru",  "allkeys-lfu",  "allkeys-random",  "noeviction"};
constexpr std::string_view kOomScoreChoices[] = {"no", "yes", "relative", "absolute"};
constexpr std::string_view kSanitizeChoices[] = {"no", "yes", "clients"};
constexpr std::string_view kDisklessLoadChoices[] = {"disabled", "on-empty-db", "swapdb"};
constexpr std::string_view kSignalChoices[] = {"default", "save", "nosave", "now", "force"};
constexpr std::string_view kSupervisedChoices[] = {"upstart", "systemd", "auto", "no"};
constexpr std::string_view kEndpointChoices[] = {"ip", "hostname", "unknown-endpoint"};
constexpr std::string_view kPropagationChoices[] = {"ignore", "panic", "panic-on-replicas"};

constexpr std::string_view kSyslogChoices[] = {"user",   "local0", "local1", "local2", "local3",
                                               "local4", "local5", "local6", "local7"};
constexpr std::string_view kTlsClientChoices[] = {"no", "yes", "optional"};

constexpr OptionSpec Bool(std::string_view name, std::string_view value, std::string_view help, uint32_t flags = 0,
                          std::string_view alias = {}) {
  return {
      .name = name, .type = T::kBool, .default_text = value, .help = help, .flags = flags | kOptCompat, .alias = alias};
}
constexpr OptionSpec Integer(std::string_view name, std::string_view value, int64_t min, int64_t max,
                             std::string_view help, uint32_t flags = 0, std::string_view alias = {}) {
  return {.name = name,
          .type = T::kInteger,
          .default_text = value,
          .help = help,
          .flags = flags | kOptCompat,
          .min = min,
          .max = max,
          .alias = alias};
}
constexpr OptionSpec Memory(std::string_view name, std::string_view value, int64_t min, int64_t max,
                            std::string_view help, uint32_t flags = 0) {
  return {.name = name,
          .type = T::kMemory,
          .default_text = value,
          .help = help,
          .flags = flags | kOptCompat,
          .min = min,
          .max = max};
}
constexpr OptionSpec Text(std::string_view name, std::string_view value, std::string_view help, uint32_t flags = 0,
                          std::string_view alias = {}) {
  return {.name = name,
          .type = T::kString,
          .default_text = value,
          .help = help,
          .flags = flags | kOptCompat,
          .alias = alias};
}
constexpr OptionSpec Choice(std::string_view name, std::string_view value, std::span<const std::string_view> choices,
                            std::string_view help, uint32_t flags = 0) {
  return {.name = name,
          .type = T::kEnum,
          .default_text = value,
          .help = help,
          .flags = flags | kOptCompat,
          .choices = choices};
}
constexpr OptionSpec With(OptionSpec row, OptionField field) {
  row.field = field;
  return row;
}
constexpr OptionSpec In(OptionSection section, OptionSpec row) {
  row.section = section;
  return row;
}

constexpr OptionSpec kRows[] = {
    // ---- durability, memory: Basalt always logs every write and keeps data on disk ----
    With(Bool("appendonly", "yes", "Every write goes to RocksDB's write-ahead log, whatever this says."),
         &C::appendonly),
    {.name = "save",
     .type = T::kSavePoints,
     .default_text = "",
     .help = "Data is on disk at once, so there are no points at which to save. BGSAVE makes a backup.",
     .flags = kOptMultiArg | kOptCompat},
    With(Choice("maxmemory-policy", "noeviction", kEvictionChoices,
                "No key is ever evicted. The policies with lfu in their name only make OBJECT FREQ answer."),
         &C::maxmemory_policy),
    Integer("maxmemory-samples", "5", 1, kIntMax, ""),
    Integer("maxmemory-eviction-tenacity", "10", 0, 100, ""),
    {.name = "maxmemory-clients",
     .type = T::kMemoryOrPercent,
     .default_text = "0",
     .help = "Unsent output is limited by client-output-total-limit.",
     .flags = kOptCompat,
     .min = -100,
     .max = kLongMax},
    With(Integer("lfu-log-factor", "10", 0, kIntMax, ""), &C::lfu_log_factor),
    With(Integer("lfu-decay-time", "1", 0, kIntMax, ""), &C::lfu_decay_time),
    Text("dbfilename", "dump.rdb", "There is no RDB file.", kOptProtected),
    Text("appendfilename", "appendonly.aof", "There is no AOF file.", kOptImmutable),
    Text("appenddirname", "appendonlydir", "", kOptImmutable),
    Bool("no-appendfsync-on-rewrite", "no", "Nothing is ever rewritten by a second process."),
    Integer("auto-aof-rewrite-percentage", "100", 0, kIntMax, ""),
    Memory("auto-aof-rewrite-min-size", "64mb", 0, kLongMax, ""),
    Bool("aof-load-truncated", "yes", ""),
    Bool("aof-use-rdb-preamble", "yes", ""),
    Bool("aof-timestamp-enabled", "no", ""),
    Bool("aof-rewrite-incremental-fsync", "yes", ""),
    Bool("aof-disable-auto-gc", "no", "", kOptHidden),
    Bool("rdbcompression", "yes", "See `compression`."),
    Bool("rdbchecksum", "yes", "RocksDB checksums every block.", kOptImmutable),
    Bool("rdb-del-sync-files", "no", ""),
    Bool("rdb-save-incremental-fsync", "yes", ""),
    Integer("rdb-key-save-delay", "0", -kIntMax - 1, kIntMax, "", kOptHidden),
    Integer("key-load-delay", "0", -kIntMax - 1, kIntMax, "", kOptHidden),
    Memory("loading-process-events-interval-bytes", "2mb", 1024, kIntMax, "", kOptHidden),
    Bool("stop-writes-on-bgsave-error", "yes",
         "A failed backup stops nothing. A failed write does, see disk-free-stop."),
    Choice("sanitize-dump-payload", "no", kSanitizeChoices, ""),
    Choice("shutdown-on-sigint", "default", kSignalChoices, "A signal always ends in a clean shutdown.", kOptMultiArg),
    Choice("shutdown-on-sigterm", "default", kSignalChoices, "", kOptMultiArg),
    Bool("lazyfree-lazy-eviction", "no",
         "Deleting is always lazy: a record is removed at once, its rows in the background."),
    Bool("lazyfree-lazy-expire", "no", ""),
    Bool("lazyfree-lazy-server-del", "no", ""),
    Bool("lazyfree-lazy-user-del", "no", ""),
    Bool("lazyfree-lazy-user-flush", "no", ""),

    // ---- process ----
    With(Integer("io-threads", "1", 1, 128, "See workers and pool-threads.", kOptImmutable), &C::io_threads),
    Bool("io-threads-do-reads", "no", "", kOptImmutable),
    With(Integer("hz", "10", 0, kIntMax, "Periodic work is driven by timers of its own."), &C::hz),
    Bool("dynamic-hz", "yes", ""),
    Bool("activerehashing", "yes", ""),
    Bool("activedefrag", "no", "There is nothing to defragment; it cannot be enabled."),
    Memory("active-defrag-ignore-bytes", "100mb", 1, kLongMax, ""),
    Integer("active-defrag-threshold-lower", "10", 0, 1000, ""),
    Integer("active-defrag-threshold-upper", "100", 0, 1000, ""),
    Integer("active-defrag-cycle-min", "1", 1, 99, ""),
    Integer("active-defrag-cycle-max", "25", 1, 99, ""),
    Integer("active-defrag-max-scan-fields", "1000", 1, kLongMax, ""),
    Bool("jemalloc-bg-thread", "yes", ""),
    Bool("daemonize", "no", "The server stays in the foreground; a service manager puts it where it belongs.",
         kOptImmutable),
    Choice("supervised", "no", kSupervisedChoices, "", kOptImmutable),
    Text("pidfile", "", "", kOptImmutable),
    Bool("always-show-logo", "no", "", kOptImmutable),
    Bool("set-proc-title", "yes", "", kOptImmutable),
    Text("proc-title-template", "{title} {listen-addr} {server-mode}", ""),
    Bool("syslog-enabled", "no", "", kOptImmutable),
    Text("syslog-ident", "redis", "", kOptImmutable),
    Choice("syslog-facility", "local0", kSyslogChoices, "", kOptImmutable),
    Bool("crash-log-enabled", "yes", ""),
    Bool("crash-memcheck-enabled", "yes", ""),
    Bool("use-exit-on-panic", "no", "", kOptHidden),
    Bool("disable-thp", "yes", "", kOptImmutable),
    Choice("oom-score-adj", "no", kOomScoreChoices, "The kernel's choice of victim is left alone."),
    {.name = "oom-score-adj-values",
     .type = T::kIntegerList,
     .default_text = "0 200 800",
     .help = "",
     .flags = kOptMultiArg | kOptCompat,
     .min = -2000,
     .max = 2000},
    Integer("watchdog-period", "0", 0, kIntMax, "", kOptHidden),
    Text("ignore-warnings", "", ""),
    Text("locale-collate", "", ""),
    Text("server_cpulist", "", "", kOptImmutable),
    Text("bio_cpulist", "", "", kOptImmutable),
    Text("aof_rewrite_cpulist", "", "", kOptImmutable),
    Text("bgsave_cpulist", "", "", kOptImmutable),
    Integer("socket-mark-id", "0", 0, 4294967295, "", kOptImmutable),
    Text("bind-source-addr", "", ""),

    // ---- TLS: not there yet ----
    Integer("tls-port", "0", 0, 65535,
            "There is no TLS yet: any other port than 0 is refused. The options that belong to it are kept."),
    Text("tls-cert-file", "", ""),
    Text("tls-key-file", "", ""),
    Text("tls-key-file-pass", "", "", kOptSensitive),
    Text("tls-client-cert-file", "", ""),
    Text("tls-client-key-file", "", ""),
    Text("tls-client-key-file-pass", "", "", kOptSensitive),
    Text("tls-dh-params-file", "", ""),
    Text("tls-ca-cert-file", "", ""),
    Text("tls-ca-cert-dir", "", ""),
    Choice("tls-auth-clients", "yes", kTlsClientChoices, ""),
    Bool("tls-replication", "no", ""),
    Bool("tls-cluster", "no", ""),
    Text("tls-protocols", "", ""),
    Text("tls-ciphers", "", ""),
    Text("tls-ciphersuites", "", ""),
    Bool("tls-prefer-server-ciphers", "no", ""),
    Bool("tls-session-caching", "yes", ""),
    Integer("tls-session-cache-size", "20480", 0, kIntMax, ""),
    Integer("tls-session-cache-timeout", "300", 0, kIntMax, ""),

    // ---- replication and cluster: not there yet ----
    In(S::kReplication,
       With(Text("masterauth", "", "Replication is not there yet; its options are kept and reported.", kOptSensitive),
            &C::masterauth)),
    In(S::kReplication, With(Text("masteruser", "", "", kOptSensitive), &C::masteruser)),
    In(S::kReplication, With(Bool("replica-read-only", "yes", "", 0, "slave-read-only"), &C::replica_read_only)),
    In(S::kReplication,
       With(Integer("replica-priority", "100", 0, kIntMax, "", 0, "slave-priority"), &C::replica_priority)),
    In(S::kReplication, With(Integer("min-replicas-to-write", "0", 0, kIntMax, "", 0, "min-slaves-to-write"),
                             &C::min_replicas_to_write)),
    In(S::kReplication,
       With(Integer("min-replicas-max-lag", "10", 0, kIntMax, "", 0, "min-slaves-max-lag"), &C::min_replicas_max_lag)),
    In(S::kReplication, With(Memory("repl-backlog-size", "1mb", 1, kLongMax, ""), &C::repl_backlog_size)),
    In(S::kReplication, Integer("repl-backlog-ttl", "3600", 0, kLongMax, "")),
    In(S::kReplication, Integer("repl-timeout", "60", 1, kIntMax, "")),
    In(S::kReplication, Integer("repl-ping-replica-period", "10", 1, kIntMax, "", 0, "repl-ping-slave-period")),
    In(S::kReplication, Bool("repl-disable-tcp-nodelay", "no", "")),
    In(S::kReplication, Bool("repl-diskless-sync", "yes", "")),
    In(S::kReplication, Integer("repl-diskless-sync-delay", "5", 0, kIntMax, "")),
    In(S::kReplication, Integer("repl-diskless-sync-max-replicas", "0", 0, kIntMax, "")),
    In(S::kReplication, Choice("repl-diskless-load", "disabled", kDisklessLoadChoices, "")),
    In(S::kReplication, Bool("replica-serve-stale-data", "yes", "", 0, "slave-serve-stale-data")),
    In(S::kReplication, Bool("replica-lazy-flush", "no", "", 0, "slave-lazy-flush")),
    In(S::kReplication, Bool("replica-ignore-maxmemory", "yes", "", 0, "slave-ignore-maxmemory")),
    In(S::kReplication, Bool("replica-ignore-disk-write-errors", "no", "")),
    In(S::kReplication, Bool("replica-announced", "yes", "")),
    In(S::kReplication, Text("replica-announce-ip", "", "", 0, "slave-announce-ip")),
    In(S::kReplication, Integer("replica-announce-port", "0", 0, 65535, "", 0, "slave-announce-port")),
    In(S::kReplication, Choice("propagation-error-behavior", "ignore", kPropagationChoices, "")),
    In(S::kReplication, {.name = "replicaof",
                         .type = T::kStringList,
                         .default_text = "",
                         .help = "REPLICAOF answers with an error as long as there is no replication.",
                         .flags = kOptMultiArg | kOptImmutable | kOptCompat,
                         .alias = "slaveof"}),
    In(S::kReplication,
       With(Bool("cluster-enabled", "no", "Cluster mode is not there yet.", kOptImmutable), &C::cluster_enabled)),
    In(S::kReplication, Text("cluster-config-file", "nodes.conf", "", kOptImmutable)),
    In(S::kReplication, Integer("cluster-node-timeout", "15000", 0, kLongMax, "")),
    In(S::kReplication, Integer("cluster-ping-interval", "0", 0, kLongMax, "", kOptHidden)),
    In(S::kReplication, Integer("cluster-port", "0", 0, 65535, "", kOptImmutable)),
    In(S::kReplication, Bool("cluster-require-full-coverage", "yes", "")),
    In(S::kReplication, Bool("cluster-allow-reads-when-down", "no", "")),
    In(S::kReplication, Bool("cluster-allow-pubsubshard-when-down", "yes", "")),
    In(S::kReplication, Bool("cluster-allow-replica-migration", "yes", "")),
    In(S::kReplication, Bool("cluster-replica-no-failover", "no", "", 0, "cluster-slave-no-failover")),
    In(S::kReplication,
       Integer("cluster-replica-validity-factor", "10", 0, kIntMax, "", 0, "cluster-slave-validity-factor")),
    In(S::kReplication, Integer("cluster-migration-barrier", "1", 0, kIntMax, "")),
    In(S::kReplication, Memory("cluster-link-sendbuf-limit", "0", 0, kLongMax, "")),
    In(S::kReplication, Text("cluster-announce-ip", "", "")),
    In(S::kReplication, Integer("cluster-announce-port", "0", 0, 65535, "")),
    In(S::kReplication, Integer("cluster-announce-bus-port", "0", 0, 65535, "")),
    In(S::kReplication, Integer("cluster-announce-tls-port", "0", 0, 65535, "")),
    In(S::kReplication, Text("cluster-announce-hostname", "", "")),
    In(S::kReplication, Text("cluster-announce-human-nodename", "", "")),
    In(S::kReplication, Choice("cluster-preferred-endpoint-type", "ip", kEndpointChoices, "")),
};

}  // namespace

std::span<const OptionSpec> CompatibilityOptions() { return kRows; }

}  // namespace basalt::config_internal
