// ROLE WAIT WAITAOF REPLICAOF SLAVEOF FAILOVER, as of a server that has no replicas; SYNC PSYNC REPLCONF MIGRATE, which
// this one cannot do; READONLY READWRITE ASKING CLUSTER, as of one without cluster mode.
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/blocking.h"
#include "server/commands/families.h"
#include "server/config_table.h"
#include "server/session.h"

namespace basalt {

namespace {

Status Role(CommandContext& ctx) {
  ctx.reply.Array(3);
  ctx.reply.Bulk("master");
  ctx.reply.Integer(0);
  ctx.reply.Array(0);
  return Ok();
}

// As a deadline in Unix milliseconds; 0: without end.
Status ParseTimeout(CommandContext& ctx, std::string_view text, int64_t* deadline_ms) {
  int64_t timeout_ms = 0;
  BASALT_RETURN_IF_ERROR(ParseBlockMilliseconds(ctx, text, &timeout_ms));
  *deadline_ms = timeout_ms == 0 ? 0 : ctx.now_ms() + timeout_ms;
  return Ok();
}

// There are no replicas, so only the timeout ends the wait for one.
Status Wait(CommandContext& ctx) {
  int64_t replicas = 0, deadline_ms = 0;
  if (!ParseInteger(ctx.arg(1), &replicas)) return ErrorCode::kNotInteger;
  BASALT_RETURN_IF_ERROR(ParseTimeout(ctx, ctx.arg(2), &deadline_ms));
  if (replicas > 0 && !ctx.deny_blocking && ctx.wake() == Wake::kFirstRun)
    return ctx.Park({.deadline_ms = deadline_ms});
  ctx.reply.Integer(0);
  return Ok();
}

Status WaitAof(CommandContext& ctx) {
  int64_t local = 0, replicas = 0, deadline_ms = 0;
  if (!ParseInteger(ctx.arg(1), &local)) return ErrorCode::kNotInteger;
  if (local < 0 || local > 1) return Status::Message("ERR value is out of range, value must between 0 and 1");
  if (!ParseInteger(ctx.arg(2), &replicas) || replicas < 0) return ErrorCode::kMustBePositive;
  BASALT_RETURN_IF_ERROR(ParseTimeout(ctx, ctx.arg(3), &deadline_ms));
  if (local > 0 && !ctx.services.config.current().appendonly) {
    return Status::Message("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
  }
  storage::Storage& storage = ctx.services.storage;
  const auto synced = [&] { return storage.LastSyncedSequence() >= storage.LastSequence(); };
  // What this client wrote is committed, so syncing now covers it. Inside EXEC its own writes are not, and it does not
  // wait.
  if (local > 0 && !ctx.deny_blocking && !synced()) BASALT_RETURN_IF_ERROR(storage.SyncNow());
  const int64_t synced_here = (local > 0 && !ctx.deny_blocking) || synced() ? 1 : 0;
  if (replicas > 0 && !ctx.deny_blocking && ctx.wake() == Wake::kFirstRun)
    return ctx.Park({.deadline_ms = deadline_ms});
  ctx.reply.Array(2);
  ctx.reply.Integer(synced_here);
  ctx.reply.Integer(0);
  return Ok();
}

Status NoReplication() { return Status::Message("ERR Replication is not supported by this version of Basalt"); }

Status ReplicaOf(CommandContext& ctx) {
  if (EqualsIgnoreCase(ctx.arg(1), "no") && EqualsIgnoreCase(ctx.arg(2), "one")) {
    ctx.reply.Ok();  // it is nobody's replica already
    return Ok();
  }
  int64_t port = 0;
  if (!ParseInteger(ctx.arg(2), &port) || port < 0 || port > 65535) return Status::Message("ERR Invalid master port");
  return NoReplication();
}

Status Failover(CommandContext& ctx) {
  if (ctx.argc() == 2 && EqualsIgnoreCase(ctx.arg(1), "abort")) return Status::Message("ERR No failover in progress.");
  int64_t timeout_ms = 0, port = 0;
  bool force = false, target = false;
  for (size_t i = 1; i < ctx.argc(); ++i) {
    const size_t more = ctx.argc() - 1 - i;
    if (EqualsIgnoreCase(ctx.arg(i), "timeout") && more >= 1 && timeout_ms == 0) {
      if (!ParseInteger(ctx.arg(++i), &timeout_ms)) return ErrorCode::kNotInteger;
      if (timeout_ms <= 0) return Status::Message("ERR FAILOVER timeout must be greater than 0");
    } else if (EqualsIgnoreCase(ctx.arg(i), "to") && more >= 2 && !target) {
      if (!ParseInteger(ctx.arg(i + 2), &port)) return ErrorCode::kNotInteger;
      target = true;
      i += 2;
    } else if (EqualsIgnoreCase(ctx.arg(i), "force") && !force) {
      force = true;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return Status::Message("ERR FAILOVER requires connected replicas.");
}

// SYNC, and PSYNC <replid> <offset> [FAILOVER].
Status Sync(CommandContext& ctx) {
  if (ctx.argc() > 3 && EqualsIgnoreCase(ctx.arg(3), "failover"))
    return Status::Message("ERR PSYNC FAILOVER can't be sent to a master.");
  return NoReplication();
}

Status ReplConf(CommandContext& ctx) { return ctx.argc() % 2 == 0 ? ErrorCode::kSyntax : NoReplication(); }

Status Migrate(CommandContext&) {
  return Status::Message("ERR MIGRATE is not supported by this version of Basalt; DUMP and RESTORE move a key");
}

// The third argument, or when that is empty those behind KEYS.
bool MigrateKeys(std::span<const std::string_view> argv, void* out) {
  constexpr uint32_t kFlags = kKeyRW | kKeyAccess | kKeyDelete;
  auto& keys = *static_cast<KeyPositions*>(out);
  for (size_t i = 6; i < argv.size(); ++i) {
    if (EqualsIgnoreCase(argv[i], "auth")) {
      i += 1;
    } else if (EqualsIgnoreCase(argv[i], "auth2")) {
      i += 2;
    } else if (EqualsIgnoreCase(argv[i], "keys")) {
      if (!argv[3].empty()) return true;  // wrong, and not ours to say
      while (++i < argv.size()) keys.Add(static_cast<uint32_t>(i), kFlags);
      return true;
    }
  }
  keys.Add(3, kFlags);
  return true;
}

Status NoCluster(CommandContext&) { return Status::Message("ERR This instance has cluster support disabled"); }

constexpr CommandGroup kCluster = CommandGroup::kCluster;
constexpr uint64_t kReplicaOfFlags = kCmdNoAsyncLoading | kCmdAdmin | kCmdNoScript | kCmdStale;
constexpr uint64_t kSyncFlags = kCmdNoAsyncLoading | kCmdAdmin | kCmdNoMulti | kCmdNoScript;
constexpr uint64_t kClusterAdmin = kCmdNoAsyncLoading | kCmdAdmin | kCmdStale;
constexpr std::string_view kNondeterministic = "nondeterministic_output";

constexpr CommandHistory kMigrateHistory[] = {
    {"3.0.0", "The options `COPY` and `REPLACE`."},
    {"3.0.6", "The option `KEYS`."},
    {"4.0.7", "The option `AUTH`."},
    {"6.0.0", "The option `AUTH2`."},
};

// A subcommand of CLUSTER: all give the same answer.
constexpr CommandSpec Cluster(std::string_view name, int16_t arity, uint64_t flags, std::string_view since,
                              std::string_view syntax, std::string_view summary, std::string_view tip = {}) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .group = kCluster,
          .syntax = syntax,
          .since = since,
          .complexity = "O(1)",
          .summary = summary,
          .handler = NoCluster,
          .tips = {tip}};
}

constexpr CommandSpec kCommands[] = {
    {.name = "asking",
     .arity = 1,
     .flags = kCmdFast,
     .group = kCluster,
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Follows an ASK redirection (cluster mode).",
     .handler = NoCluster,
     .acl_categories = kAclConnection},
    {.name = "failover",
     .arity = -1,
     .flags = kCmdAdmin | kCmdNoScript | kCmdStale,
     .group = CommandGroup::kServer,
     .syntax = "[TO (host port:integer [FORCE])] [ABORT] [TIMEOUT milliseconds:integer]",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Hands the master's part to a replica; there are none.",
     .handler = Failover},
    {.name = "migrate",
     .arity = -6,
     .flags = kCmdWrite,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete, 3),
              KeySpec{.flags = kKeyRW | kKeyAccess | kKeyDelete | kKeyIncomplete,
                      .begin = KeySpec::Begin::kKeyword,
                      .index = -2,
                      .keyword = "KEYS",
                      .last_key = -1}},
     .syntax = "host port:integer (key | \"\") destination-db:integer timeout:integer [COPY] [REPLACE] "
               "[AUTH auth=password | AUTH2 username password] [KEYS keys=key:key…]",
     .since = "2.6.0",
     .complexity = "That of DUMP and DEL here, of RESTORE there, and O(N) for the transfer.",
     .summary = "Moves keys to another server; not supported.",
     .handler = Migrate,
     .acl_categories = kAclKeyspace | kAclDangerous,
     .tips = {kNondeterministic},
     .history = kMigrateHistory,
     .get_keys = MigrateKeys},
    {.name = "psync",
     .arity = -3,
     .flags = kSyncFlags,
     .group = CommandGroup::kServer,
     .syntax = "replicationid offset:integer",
     .since = "2.8.0",
     .summary = "What a replica asks its master for; not supported.",
     .handler = Sync},
    {.name = "readonly",
     .arity = 1,
     .flags = kCmdFast | kCmdLoading | kCmdStale,
     .group = kCluster,
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Lets this connection read from a replica (cluster mode).",
     .handler = NoCluster,
     .acl_categories = kAclConnection},
    {.name = "readwrite",
     .arity = 1,
     .flags = kCmdFast | kCmdLoading | kCmdStale,
     .group = kCluster,
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Ends READONLY (cluster mode).",
     .handler = NoCluster,
     .acl_categories = kAclConnection},
    {.name = "replconf",
     .arity = -1,
     .flags = kCmdAdmin | kCmdNoScript | kCmdLoading | kCmdStale | kCmdAllowBusy,
     .group = CommandGroup::kServer,
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "What a replica tells its master; not supported.",
     .handler = ReplConf,
     .doc_flags = "syscmd"},
    {.name = "replicaof",
     .arity = 3,
     .flags = kReplicaOfFlags,
     .group = CommandGroup::kServer,
     .syntax = "((host port:integer) | (NO ONE))",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Makes this server a replica of another; so far only NO ONE.",
     .handler = ReplicaOf},
    {.name = "role",
     .arity = 1,
     .flags = kCmdNoScript | kCmdLoading | kCmdStale | kCmdFast | kCmdSentinel,
     .group = CommandGroup::kServer,
     .since = "2.8.12",
     .complexity = "O(1)",
     .summary = "The server's part in replication.",
     .handler = Role,
     .acl_categories = kAclAdmin | kAclDangerous},
    {.name = "slaveof",
     .arity = 3,
     .flags = kReplicaOfFlags,
     .group = CommandGroup::kServer,
     .syntax = "((host port:integer) | (NO ONE))",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "The older name of REPLICAOF.",
     .handler = ReplicaOf,
     .doc_flags = "deprecated",
     .deprecated_since = "5.0.0",
     .replaced_by = "`REPLICAOF`"},
    {.name = "sync",
     .arity = 1,
     .flags = kSyncFlags,
     .group = CommandGroup::kServer,
     .since = "1.0.0",
     .summary = "What a replica of old asks its master for; not supported.",
     .handler = Sync},
    {.name = "wait",
     .arity = 3,
     .group = CommandGroup::kGeneric,
     .syntax = "numreplicas:integer timeout:integer",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Waits until replicas have this connection's writes.",
     .handler = Wait,
     .acl_categories = kAclConnection | kAclNotOfGroup,
     .tips = {"request_policy:all_shards", "response_policy:agg_min"}},
    {.name = "waitaof",
     .arity = 4,
     .flags = kCmdNoScript | kCmdSlowLane,
     .group = CommandGroup::kGeneric,
     .syntax = "numlocal:integer numreplicas:integer timeout:integer",
     .since = "7.2.0",
     .complexity = "O(1)",
     .summary = "Waits until the disk, here and of replicas, has this connection's writes.",
     .handler = WaitAof,
     .acl_categories = kAclConnection | kAclNotOfGroup,
     .tips = {"request_policy:all_shards", "response_policy:agg_min"}},

    {.name = "cluster",
     .arity = -2,
     .group = kCluster,
     .since = "3.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about the cluster; cluster mode is off."},
    Cluster("cluster|addslots", -3, kClusterAdmin, "3.0.0", "slot:integer…", "Gives slots to this node."),
    Cluster("cluster|addslotsrange", -4, kClusterAdmin, "7.0.0", "(start-slot:integer end-slot:integer)…",
            "Gives ranges of slots to this node."),
    Cluster("cluster|bumpepoch", 2, kClusterAdmin, "3.0.0", "", "Advances the configuration epoch.", kNondeterministic),
    Cluster("cluster|count-failure-reports", 3, kCmdAdmin | kCmdStale, "3.0.0", "node-id",
            "How many nodes report a node as failing.", kNondeterministic),
    Cluster("cluster|countkeysinslot", 3, kCmdStale, "3.0.0", "slot:integer", "How many keys a slot has."),
    Cluster("cluster|delslots", -3, kClusterAdmin, "3.0.0", "slot:integer…", "Takes slots from this node."),
    Cluster("cluster|delslotsrange", -4, kClusterAdmin, "7.0.0", "(start-slot:integer end-slot:integer)…",
            "Takes ranges of slots from this node."),
    Cluster("cluster|failover", -2, kClusterAdmin, "3.0.0", "[FORCE | TAKEOVER]", "Makes a replica the master."),
    Cluster("cluster|flushslots", 2, kClusterAdmin, "3.0.0", "", "Takes all slots from this node."),
    Cluster("cluster|forget", 3, kClusterAdmin, "3.0.0", "node-id", "Removes a node."),
    Cluster("cluster|getkeysinslot", 4, kCmdStale, "3.0.0", "slot:integer count:integer", "Keys of a slot.",
            kNondeterministic),
    Cluster("cluster|help", 2, kCmdLoading | kCmdStale, "5.0.0", "", "Explains the subcommands."),
    Cluster("cluster|info", 2, kCmdStale, "3.0.0", "", "The state of the cluster.", kNondeterministic),
    Cluster("cluster|keyslot", 3, kCmdStale, "3.0.0", "key:string", "The slot of a key."),
    Cluster("cluster|links", 2, kCmdStale, "7.0.0", "", "The connections between nodes.", kNondeterministic),
    Cluster("cluster|meet", -4, kClusterAdmin, "3.0.0", "ip port:integer [cluster-bus-port:integer]",
            "Introduces another node."),
    Cluster("cluster|myid", 2, kCmdStale, "3.0.0", "", "This node's id."),
    Cluster("cluster|myshardid", 2, kCmdStale, "7.2.0", "", "The id of this node's shard.", kNondeterministic),
    Cluster("cluster|nodes", 2, kCmdStale, "3.0.0", "", "The nodes of the cluster.", kNondeterministic),
    Cluster("cluster|replicas", 3, kCmdAdmin | kCmdStale, "5.0.0", "node-id", "The replicas of a node.",
            kNondeterministic),
    Cluster("cluster|replicate", 3, kClusterAdmin, "3.0.0", "node-id", "Makes this node a replica of another."),
    Cluster("cluster|reset", -2, kCmdAdmin | kCmdStale | kCmdNoScript, "3.0.0", "[HARD | SOFT]",
            "Takes this node out of the cluster."),
    Cluster("cluster|saveconfig", 2, kClusterAdmin, "3.0.0", "", "Writes the cluster's configuration to disk."),
    Cluster("cluster|set-config-epoch", 3, kClusterAdmin, "3.0.0", "config-epoch:integer",
            "Sets the configuration epoch."),
    Cluster("cluster|setslot", -4, kClusterAdmin, "3.0.0",
            "slot:integer (IMPORTING importing=node-id | MIGRATING migrating=node-id | NODE node=node-id | STABLE)",
            "Moves a slot between nodes."),
    Cluster("cluster|shards", 2, kCmdLoading | kCmdStale, "7.0.0", "", "The shards of the cluster.", kNondeterministic),
    Cluster("cluster|slaves", 3, kCmdAdmin | kCmdStale, "3.0.0", "node-id", "The older name of CLUSTER REPLICAS.",
            kNondeterministic),
    Cluster("cluster|slots", 2, kCmdLoading | kCmdStale, "3.0.0", "", "Which nodes have which slots.",
            kNondeterministic),
};

}  // namespace

std::span<const CommandSpec> ReplicationCommands() { return kCommands; }

}  // namespace basalt
