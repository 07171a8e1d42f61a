// DEBUG: what test suites and people looking for a fault use. Off unless enable-debug-command allows it
// (kCmdProtected).
#include <glog/logging.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/key_access.h"
#include "server/commands/tell_value.h"
#include "server/config_table.h"
#include "server/process_info.h"
#include "server/scripting/scripting.h"
#include "server/session.h"
#include "server/value_digest.h"
#include "storage/keyspace.h"
#include "storage/rdb_format.h"
#include "storage/rdb_writer.h"
#include "storage/string_store.h"

namespace basalt {

namespace {

// ---- digests ----

Status AddValue(CommandContext& ctx, storage::DbIndex db, const storage::HashedKey& key, int64_t expire_ms,
                Digest* digest) {
  ValueDigest value(digest);
  BASALT_RETURN_IF_ERROR(TellWithoutUse(ctx.view(), db, key, &value));
  if (expire_ms != storage::kNoExpire) digest->Xor("!!expire!!");
  return Ok();
}

Status DigestAll(CommandContext& ctx) {
  ctx.view().RequireSnapshot();
  Digest all;
  Status failed;
  for (int i = 0; i < ctx.services.storage.databases(); ++i) {
    const auto db = static_cast<storage::DbIndex>(i);
    bool empty = true;
    BASALT_RETURN_IF_ERROR(
        storage::Keyspace::ForEach(ctx.view(), db, [&](std::string_view key, const storage::RecordPtr& record) {
          if (std::exchange(empty, false)) all.MixBig32(static_cast<uint32_t>(i));
          Digest digest;
          digest.Mix(key);
          failed = AddValue(ctx, db, ctx.services.storage.Hash(key), record->expire_ms(), &digest);
          all.Xor(digest.view());
          return failed.ok();
        }));
    BASALT_RETURN_IF_ERROR(failed);
  }
  ctx.reply.Simple(all.Hex());
  return Ok();
}

Status DigestValues(CommandContext& ctx) {
  ctx.view().RequireSnapshot();
  ctx.reply.Array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) {
    storage::RecordPtr record;
    const storage::Status found = ctx.view().GetRecord(ctx.db(), ctx.key(i), &record);
    Digest digest;  // zeros: no such key
    if (found != storage::Status::kNotFound) {
      BASALT_RETURN_IF_ERROR(found);
      BASALT_RETURN_IF_ERROR(AddValue(ctx, ctx.db(), ctx.key(i), record->expire_ms(), &digest));
    }
    ctx.reply.Simple(digest.Hex());
  }
  return Ok();
}

// ---- keys ----

// What the value takes in an RDB file, without its type.
Status SerializedLength(CommandContext& ctx, storage::ReadView& view, uint64_t* bytes) {
  constexpr size_t kTypeBytes = 1;
  const ConfigSnapshot& config = ctx.services.config.current();
  storage::RdbWriter writer({.list_max_listpack_size = config.list_max_listpack_size,
                             .stream_node_max_bytes = config.stream_node_max_bytes,
                             .stream_node_max_entries = config.stream_node_max_entries});
  BASALT_RETURN_IF_ERROR(TellWithoutUse(view, ctx.db(), ctx.key(2), &writer));
  *bytes = writer.TakePayload().size() - storage::kRdbFooterBytes - kTypeBytes;
  return Ok();
}

Status Object(CommandContext& ctx) {
  // A key whose time has come is an object until somebody asks for it; this does not.
  storage::ReadView before_all_time(ctx.services.storage, 0, storage::ReadTier::kDisk);
  storage::ReadView& view = ctx.can_write() ? ctx.view() : before_all_time;
  storage::RecordPtr record;
  const storage::Status status = PeekKey(ctx, view, ctx.key(2), &record);
  if (status == storage::Status::kNotFound) return ErrorCode::kNoSuchKey;
  BASALT_RETURN_IF_ERROR(status);
  uint64_t idle_seconds = 0;
  uint8_t frequency = 0;
  if (!ctx.services.storage.AccessInfo(ctx.db(), ctx.key(2), &idle_seconds, &frequency)) idle_seconds = 0;
  uint64_t serialized = 0;
  BASALT_RETURN_IF_ERROR(SerializedLength(ctx, view, &serialized));
  // A value has no lasting address in memory; its key's place in the hash order on disk stands for one.
  const uint64_t place = ctx.key(2).hash;
  constexpr uint64_t kLruMask = 0xffffff;  // Redis' clock of last use has 24 bits of seconds
  const uint64_t last_used = (static_cast<uint64_t>(ctx.now_ms() / 1000) - idle_seconds) & kLruMask;
  char text[256];
  std::snprintf(
      text, sizeof text,
      "Value at:0x%llx refcount:1 encoding:%s serializedlength:%llu lru:%llu lru_seconds_idle:%llu object_id:%llu",
      static_cast<unsigned long long>(place), std::string(storage::EncodingName(record->header().encoding)).c_str(),
      static_cast<unsigned long long>(serialized), static_cast<unsigned long long>(last_used),
      static_cast<unsigned long long>(idle_seconds), static_cast<unsigned long long>(record->header().object_id));
  ctx.reply.Simple(text);
  return Ok();
}

// DEBUG POPULATE <count> [<prefix>] [<size>]: under the exclusive gate (see PrepareDebug), as one commit.
Status Populate(CommandContext& ctx) {
  int64_t count = 0, size = 0;
  if (!ParseInteger(ctx.arg(2), &count)) return ErrorCode::kNotInteger;
  if (count < 0) return ErrorCode::kMustBePositive;
  if (ctx.argc() == 5) {
    if (!ParseInteger(ctx.arg(4), &size)) return ErrorCode::kNotInteger;
    if (size < 0) return ErrorCode::kMustBePositive;
  }
  const std::string prefix = ctx.argc() > 3 ? std::string(ctx.arg(3)) : "key";
  for (int64_t i = 0; i < count; ++i) {
    const std::string name = prefix + ':' + std::to_string(i);
    const storage::HashedKey key = ctx.services.storage.Hash(name);
    storage::RecordPtr record;
    const storage::Status found = ctx.txn().GetRecord(ctx.db(), key, &record);
    if (found == storage::Status::kOk) continue;
    if (found != storage::Status::kNotFound) return found;
    std::string value = "value:" + std::to_string(i);
    if (size > 0) value.resize(static_cast<size_t>(size), '\0');
    BASALT_RETURN_IF_ERROR(storage::StringStore::Set(ctx.txn(), ctx.db(), key, value, storage::kNoExpire));
  }
  ctx.reply.Ok();
  return Ok();
}

// ---- replies of every type, for tests of clients ----

Status Protocol(CommandContext& ctx) {
  const std::string_view type = ctx.arg(2);
  net::ReplyBuilder& reply = ctx.reply;
  const auto is = [&](std::string_view name) { return EqualsIgnoreCase(type, name); };
  const auto three_integers = [&] {
    for (int i = 0; i < 3; ++i) reply.Integer(i);
  };
  if (is("string")) {
    reply.Bulk("Hello World");
  } else if (is("integer")) {
    reply.Integer(12345);
  } else if (is("double")) {
    reply.Double(3.141);
  } else if (is("bignum")) {
    reply.BigNumber("1234567999999999999999999999999999999");
  } else if (is("null")) {
    reply.Null();
  } else if (is("array")) {
    reply.Array(3);
    three_integers();
  } else if (is("set")) {
    reply.Set(3);
    three_integers();
  } else if (is("map")) {
    reply.Map(3);
    for (int i = 0; i < 3; ++i) {
      reply.Integer(i);
      reply.Bool(i == 1);
    }
  } else if (is("attrib")) {
    if (reply.version() == net::RespVersion::kResp3) {
      reply.Attribute(1);
      reply.Bulk("key-popularity");
      reply.Array(2);
      reply.Bulk("key:123");
      reply.Integer(90);
    }
    reply.Bulk("Some real reply following the attribute");
  } else if (is("push")) {
    if (reply.version() != net::RespVersion::kResp3)
      return Status::Message("ERR RESP2 is not supported by this command");
    // A push goes between replies, never inside one: behind this one.
    reply.Bulk("Some real reply following the push reply");
    reply.Push(2);
    reply.Bulk("server-cpu-usage");
    reply.Integer(42);
  } else if (is("true") || is("false")) {
    reply.Bool(is("true"));
  } else if (is("verbatim")) {
    reply.Verbatim("txt", "This is a verbatim\nstring");
  } else {
    return Status::Message(
        "ERR Wrong protocol type name. Please use one of the following: "
        "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
  }
  return Ok();
}

// ---- the server ----

Status Sleep(CommandContext& ctx) {
  const double seconds = std::strtod(std::string(ctx.arg(2)).c_str(), nullptr);
  if (seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  ctx.reply.Ok();
  return Ok();
}

bool IsOn(std::string_view flag) { return std::atoi(std::string(flag).c_str()) != 0; }

Status SetDisableDenyScripts(CommandContext& ctx) {
  ctx.services.scripting.AllowAllCommands(IsOn(ctx.arg(2)));
  ctx.reply.Ok();
  return Ok();
}

Status SetActiveExpire(CommandContext& ctx) {
  ctx.services.storage.SetActiveExpire(IsOn(ctx.arg(2)));
  ctx.reply.Ok();
  return Ok();
}

// Redis writes everything to disk, forgets it and reads it back. Here it is on disk already; what is only in memory and
// log goes into data files.
Status Reload(CommandContext& ctx) {
  for (size_t i = 2; i < ctx.argc(); ++i) {
    if (!EqualsIgnoreCase(ctx.arg(i), "merge") && !EqualsIgnoreCase(ctx.arg(i), "noflush") &&
        !EqualsIgnoreCase(ctx.arg(i), "nosave")) {
      return Status::Message("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    }
  }
  BASALT_RETURN_IF_ERROR(ctx.services.storage.Flush());
  ctx.reply.Ok();
  return Ok();
}

Status LoadAof(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(ctx.services.storage.SyncNow());
  ctx.reply.Ok();
  return Ok();
}

Status Log(CommandContext& ctx) {
  LOG(WARNING) << "DEBUG LOG: " << ctx.arg(2);
  ctx.reply.Ok();
  return Ok();
}

Status Error(CommandContext& ctx) {
  ctx.reply.Error(ctx.arg(2));
  return Ok();
}

// Patterns and texts of few letters, so that they often nearly match.
Status StringMatchTest(CommandContext& ctx) {
  std::mt19937 random(std::random_device{}());
  const auto text = [&](std::string_view letters) {
    std::string made(random() % 32, ' ');
    for (char& c : made) c = letters[random() % letters.size()];
    return made;
  };
  constexpr int kRounds = 100000;
  int matched = 0;
  for (int i = 0; i < kRounds; ++i) matched += GlobMatch(text("ab*?[]^-\\"), text("ab-]"));
  ctx.reply.Simple("Matched " + std::to_string(matched) + " of " + std::to_string(kRounds) + ": test passed");
  return Ok();
}

Status QuicklistThreshold(CommandContext& ctx) {
  int64_t bytes = 0;
  if (!ParseMemory(ctx.arg(2), &bytes) || bytes > (4ll << 30))
    return Status::Message("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
  ctx.reply.Ok();  // lists have no such nodes here
  return Ok();
}

Status ReplyBuffer(CommandContext& ctx) {
  if (!EqualsIgnoreCase(ctx.arg(2), "peak-reset-time") && !EqualsIgnoreCase(ctx.arg(2), "resizing"))
    return SubcommandSyntaxError(ctx);
  ctx.reply.Ok();  // output buffers have no fixed part that could be resized
  return Ok();
}

Status ConfigRewrite(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(ctx.services.config.Rewrite());
  ctx.reply.Ok();
  return Ok();
}

Status MemoryMap(CommandContext& ctx) {
  const std::string report = AllocatorReport();
  ctx.reply.Verbatim("txt", report.empty() ? "the allocator has no report\n" : report);
  return Ok();
}

Status HashTables(CommandContext& ctx) {
  int64_t db = 0;
  if (!ParseInteger(ctx.arg(2), &db)) return ErrorCode::kNotInteger;
  if (db < 0 || db >= ctx.services.storage.databases()) return Status::Message("ERR Out of range database");
  const storage::DatabaseCounts counts = ctx.services.storage.Counts(static_cast<storage::DbIndex>(db));
  ctx.reply.Verbatim("txt", "Keys are rows of a RocksDB column family, there are no hash tables.\nkeys: " +
                                std::to_string(counts.keys) + "\nexpires: " + std::to_string(counts.expires) + "\n");
  return Ok();
}

Status HashTableOfKey(CommandContext& ctx) {
  storage::RecordPtr record;
  const storage::Status status = ctx.view().GetRecord(ctx.db(), ctx.key(2), &record);
  if (status == storage::Status::kNotFound) return ErrorCode::kNoSuchKey;
  BASALT_RETURN_IF_ERROR(status);
  return Status::Message("ERR The value stored at the specified key is not represented using an hash table");
}

Status NoClientEviction(CommandContext&) { return Status::Message("ERR maxmemory-clients is disabled."); }

// Accepted because suites send it; there is nothing here that it could change.
Status NoEffect(CommandContext& ctx) {
  ctx.reply.Ok();
  return Ok();
}

Status Crash(CommandContext&) {
  ::raise(SIGSEGV);
  return Ok();
}

Status Panic(CommandContext&) { LOG(FATAL) << "DEBUG PANIC"; }

Status Help(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "ASSERT, PANIC, SEGFAULT",
      "    End the process at once, in different ways.",
      "CONFIG-REWRITE-FORCE-ALL",
      "    As CONFIG REWRITE.",
      "DIGEST",
      "    A digest of all data.",
      "DIGEST-VALUE <key> [<key> ...]",
      "    A digest of each value.",
      "ERROR <text>",
      "    Answer with this error.",
      "HTSTATS <db>, HTSTATS-KEY <key>",
      "    How many keys a database has.",
      "JMAP",
      "    The allocator's report.",
      "LOADAOF",
      "    Sync the write-ahead log.",
      "LOG <text>",
      "    Write a line into the log.",
      "OBJECT <key>",
      "    How a value is kept.",
      "POPULATE <count> [<prefix>] [<size>]",
      "    Make keys prefix:0, prefix:1, ...",
      "PROTOCOL <type>",
      "    A reply of a type: string, integer, double, bignum, null, array, set, map, attrib, push, verbatim, true, "
      "false.",
      "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
      "    Write what is only in memory and log into data files.",
      "SET-ACTIVE-EXPIRE <0|1>",
      "    Whether expired keys are removed before somebody asks for them.",
      "SET-DISABLE-DENY-SCRIPTS <0|1>",
      "    Whether scripts may call every command.",
      "SLEEP <seconds>",
      "    Keep one thread of the slow lane busy.",
      "STRINGMATCH-TEST",
      "    Match random patterns.",
      "AOF-FLUSH-SLEEP, CHANGE-REPL-ID, PAUSE-CRON, QUICKLIST-PACKED-THRESHOLD, REPLICATE, REPLYBUFFER, "
      "SET-SKIP-CHECKSUM-VALIDATION",
      "    Accepted for test suites; they change nothing.",
  };
  return WriteHelp(ctx, kLines);
}

struct Subcommand {
  std::string_view name;
  size_t argc_min, argc_max;
  Status (*run)(CommandContext&);
};

constexpr size_t kAny = 1024 * 1024;
constexpr Subcommand kSubcommands[] = {
    {"aof-flush-sleep", 3, 3, NoEffect},
    {"assert", 2, 2, Panic},
    {"change-repl-id", 2, 2, NoEffect},
    {"client-eviction", 2, 2, NoClientEviction},
    {"config-rewrite-force-all", 2, 2, ConfigRewrite},
    {"digest", 2, 2, DigestAll},
    {"digest-value", 2, kAny, DigestValues},
    {"drop-cluster-packet-filter", 3, 3, NoEffect},
    {"error", 3, 3, Error},
    {"help", 2, 2, Help},
    {"htstats", 3, 4, HashTables},
    {"htstats-key", 3, 4, HashTableOfKey},
    {"jmap", 2, 2, MemoryMap},
    {"loadaof", 2, 2, LoadAof},
    {"log", 3, 3, Log},
    {"object", 3, 3, Object},
    {"panic", 2, 2, Panic},
    {"pause-cron", 3, 3, NoEffect},
    {"populate", 3, 5, Populate},
    {"protocol", 3, 3, Protocol},
    {"quicklist-packed-threshold", 3, 3, QuicklistThreshold},
    {"reload", 2, kAny, Reload},
    {"replicate", 3, kAny, NoEffect},
    {"replybuffer", 4, 4, ReplyBuffer},
    {"segfault", 2, 2, Crash},
    {"set-active-expire", 3, 3, SetActiveExpire},
    {"set-disable-deny-scripts", 3, 3, SetDisableDenyScripts},
    {"set-skip-checksum-validation", 3, 3, NoEffect},
    {"sleep", 3, 3, Sleep},
    {"stringmatch-len", 2, kAny, StringMatchTest},
    {"stringmatch-test", 2, 2, StringMatchTest},
};

const Subcommand* FindSubcommand(std::string_view name) {
  for (const Subcommand& subcommand : kSubcommands) {
    if (EqualsIgnoreCase(subcommand.name, name)) return &subcommand;
  }
  return nullptr;
}

Status Debug(CommandContext& ctx) {
  const Subcommand* subcommand = FindSubcommand(ctx.arg(1));
  if (subcommand == nullptr || ctx.argc() < subcommand->argc_min || ctx.argc() > subcommand->argc_max)
    return SubcommandSyntaxError(ctx);
  return subcommand->run(ctx);
}

// POPULATE writes keys that no key spec names.
void PrepareDebug(const PrepareInput& input, Preparation* preparation) {
  preparation->slow = true;
  if (input.argv.size() < 3 || !EqualsIgnoreCase(input.argv[1], "populate")) return;
  preparation->uses_txn = preparation->exclusive = true;
}

constexpr CommandSpec kCommands[] = {
    {.name = "debug",
     .arity = -2,
     .flags = kCmdAdmin | kCmdNoScript | kCmdLoading | kCmdStale | kCmdProtected | kCmdSlowLane,
     .group = CommandGroup::kServer,
     .syntax = "subcommand [argument…]",
     .since = "1.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "For those who look for faults.",
     .handler = Debug,
     .prepare = PrepareDebug},
};

}  // namespace

std::span<const CommandSpec> DebugCommands() { return kCommands; }

}  // namespace basalt
