// Keys of any type: finding, counting, removing, renaming, copying, iterating.

#include "storage/keyspace.h"

#include <functional>
#include <limits>

#include "server/acl/categories.h"
#include "server/client_registry.h"
#include "server/client_tracking.h"
#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/commands/scan_options.h"
#include "server/session.h"

namespace basalt {
namespace {

using storage::DbIndex;
using storage::HashedKey;
using storage::Keyspace;
using storage::RecordPtr;

// ---- DEL, UNLINK, EXISTS, TOUCH, TYPE ----

Status Del(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - 1));
  int64_t removed = 0;
  for (size_t i = 1; i < ctx.argc(); ++i) {
    const HashedKey key = ctx.key(i);
    RecordPtr record;
    const storage::Status found = ctx.txn().GetRecord(ctx.db(), key, &record);
    if (found == storage::Status::kNotFound) continue;
    if (found != storage::Status::kOk) return found;
    ctx.txn().Erase(ctx.db(), key);
    NotifyKey(ctx, kEventGeneric, "del", key.key);
    ++removed;
  }
  ctx.reply.Integer(removed);
  return Ok();
}

using LookupFunction = storage::Status (*)(CommandContext&, storage::ReadView&, const HashedKey&, RecordPtr*);

// A key that is named twice counts twice.
Status CountLiveKeys(CommandContext& ctx, LookupFunction lookup) {
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - 1));
  if (ctx.argc() > 2) ctx.view().RequireSnapshot();
  int64_t live = 0;
  for (size_t i = 1; i < ctx.argc(); ++i) {
    RecordPtr record;
    const storage::Status found = lookup(ctx, ctx.view(), ctx.key(i), &record);
    if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
    live += found == storage::Status::kOk;
  }
  ctx.reply.Integer(live);
  return Ok();
}

Status Exists(CommandContext& ctx) { return CountLiveKeys(ctx, PeekKey); }
Status Touch(CommandContext& ctx) { return CountLiveKeys(ctx, TouchKey); }

Status Type(CommandContext& ctx) {
  RecordPtr record;
  const storage::Status found = PeekKey(ctx, ctx.view(), ctx.key(1), &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  ctx.reply.Simple(found == storage::Status::kOk ? storage::TypeName(record->type()) : "none");
  return Ok();
}

// ---- RENAME, RENAMENX, MOVE, COPY ----

// Whether a key is there, for a command that writes.
Status FindForWrite(CommandContext& ctx, DbIndex db, const HashedKey& key, bool* exists) {
  RecordPtr record;
  const storage::Status found = ctx.txn().GetRecord(db, key, &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  *exists = found == storage::Status::kOk;
  return Ok();
}

// Redis removes what a target held before it adds what it gets: it is new, whatever it was.
void NotifyReplaced(CommandContext& ctx, DbIndex db, std::string_view key) {
  NotifyKey(ctx, kEventNew, db, "new", key);
}

void NotifyRenamed(CommandContext& ctx) {
  NotifyReplaced(ctx, ctx.db(), ctx.arg(2));
  NotifyKey(ctx, kEventGeneric, "rename_from", ctx.arg(1));
  NotifyKey(ctx, kEventGeneric, "rename_to", ctx.arg(2));
}

Status Rename(CommandContext& ctx) {
  bool exists = false;
  BASALT_RETURN_IF_ERROR(FindForWrite(ctx, ctx.db(), ctx.key(1), &exists));
  if (!exists) return ErrorCode::kNoSuchKey;
  if (ctx.arg(1) != ctx.arg(2)) {
    BASALT_RETURN_IF_ERROR(FindForWrite(ctx, ctx.db(), ctx.key(2), &exists));
    BASALT_RETURN_IF_ERROR(Keyspace::Rename(ctx.txn(), ctx.db(), ctx.key(1), ctx.db(), ctx.key(2)));
    NotifyRenamed(ctx);
  }
  ctx.reply.Ok();
  return Ok();
}

Status RenameNx(CommandContext& ctx) {
  bool source_exists = false, target_exists = false;
  BASALT_RETURN_IF_ERROR(FindForWrite(ctx, ctx.db(), ctx.key(1), &source_exists));
  if (!source_exists) return ErrorCode::kNoSuchKey;
  BASALT_RETURN_IF_ERROR(FindForWrite(ctx, ctx.db(), ctx.key(2), &target_exists));  // also when it is the same key
  if (!target_exists) {
    BASALT_RETURN_IF_ERROR(Keyspace::Rename(ctx.txn(), ctx.db(), ctx.key(1), ctx.db(), ctx.key(2)));
    NotifyRenamed(ctx);
  }
  ctx.reply.Integer(target_exists ? 0 : 1);
  return Ok();
}

Status Move(CommandContext& ctx) {
  DbIndex target_db = 0;
  BASALT_RETURN_IF_ERROR(ParseDb(ctx, ctx.arg(2), &target_db));
  if (target_db == ctx.db()) return ErrorCode::kSameObject;
  const HashedKey key = ctx.key(1);
  bool source_exists = false, target_exists = false;
  BASALT_RETURN_IF_ERROR(FindForWrite(ctx, ctx.db(), key, &source_exists));
  BASALT_RETURN_IF_ERROR(FindForWrite(ctx, target_db, key, &target_exists));
  const bool moves = source_exists && !target_exists;
  if (moves) {
    BASALT_RETURN_IF_ERROR(Keyspace::Rename(ctx.txn(), ctx.db(), key, target_db, key));
    NotifyReplaced(ctx, target_db, key.key);
    NotifyKey(ctx, kEventGeneric, "move_from", key.key);
    NotifyKey(ctx, kEventGeneric, target_db, "move_to", key.key);
  }
  ctx.reply.Integer(moves ? 1 : 0);
  return Ok();
}

struct CopyOptions {
  DbIndex db = 0;
  bool replace = false;
};

Status ParseCopyOptions(const CommandContext& ctx, CopyOptions* options) {
  options->db = ctx.db();
  for (size_t i = 3; i < ctx.argc(); ++i) {
    if (EqualsIgnoreCase(ctx.arg(i), "REPLACE")) {
      options->replace = true;
    } else if (EqualsIgnoreCase(ctx.arg(i), "DB") && i + 1 < ctx.argc()) {
      BASALT_RETURN_IF_ERROR(ParseDb(ctx, ctx.arg(++i), &options->db));
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return options->db == ctx.db() && ctx.arg(1) == ctx.arg(2) ? ErrorCode::kSameObject : ErrorCode::kOk;
}

Status Copy(CommandContext& ctx) {
  CopyOptions options;
  BASALT_RETURN_IF_ERROR(ParseCopyOptions(ctx, &options));
  RecordPtr source;
  const storage::Status found = LookupKey(ctx, ctx.txn(), ctx.key(1), &source);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  bool target_exists = false;
  BASALT_RETURN_IF_ERROR(FindForWrite(ctx, options.db, ctx.key(2), &target_exists));
  const bool copies = found == storage::Status::kOk && (options.replace || !target_exists);
  if (copies) {
    const bool has_rows = source->header().object_id != 0;
    if (has_rows && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
    BASALT_RETURN_IF_ERROR(Keyspace::Copy(ctx.txn(), ctx.db(), ctx.key(1), options.db, ctx.key(2)));
    NotifyReplaced(ctx, options.db, ctx.arg(2));
    NotifyKey(ctx, kEventGeneric, options.db, "copy_to", ctx.arg(2));
  }
  ctx.reply.Integer(copies ? 1 : 0);
  return Ok();
}

// ---- KEYS, SCAN, RANDOMKEY, DBSIZE ----

Status Keys(CommandContext& ctx) {
  const std::string_view pattern = ctx.arg(1);
  const bool all = pattern == "*";
  const std::atomic<bool>& killed = ctx.session.info->killed;
  net::ReplyBuilder& reply = ctx.reply;
  const auto start = reply.Mark();
  uint64_t count = 0;
  BASALT_RETURN_IF_ERROR(Keyspace::ForEach(ctx.view(), ctx.db(), [&](std::string_view key, const RecordPtr&) {
    if (all || GlobMatch(pattern, key)) {
      reply.Bulk(key);
      ++count;
    }
    return !killed.load(std::memory_order_relaxed);
  }));
  reply.InsertArray(start, count);
  return Ok();
}

bool Matches(const ScanOptions& options, std::string_view key, const storage::Record& record) {
  return options.MatchesName(key) &&
         (!options.by_type || EqualsIgnoreCase(options.type, storage::TypeName(record.type())));
}

Status Scan(CommandContext& ctx) {
  uint64_t cursor;
  if (!ParseScanCursor(ctx.arg(1), &cursor)) return Status::Message("ERR invalid cursor");
  ScanOptions options;
  BASALT_RETURN_IF_ERROR(ParseScanOptions(ctx.argv.subspan(2), ScanTypeOption::kAllowed, &options));
  if (options.count > kFastLaneScanCountMax && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;

  net::ReplyBuilder& reply = ctx.reply;
  const auto start = reply.Mark();
  uint64_t count = 0, next = 0;
  std::vector<std::string> expired;
  const auto visit = [&](std::string_view key, const RecordPtr& record) {
    if (!Matches(options, key, *record)) return;
    reply.Bulk(key);
    ++count;
  };
  BASALT_RETURN_IF_ERROR(Keyspace::Scan(ctx.view(), ctx.db(), cursor, static_cast<uint64_t>(options.count),
                                        std::ref(visit), &expired, &next));
  if (!expired.empty()) {  // as in Redis, who meets them removes them
    if (!ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
    ctx.services.storage.RemoveExpired(ctx.db(), expired);
  }
  InsertScanHeader(reply, start, next, count);
  return Ok();
}

Status RandomKey(CommandContext& ctx) {
  std::string key;
  const storage::Status found = Keyspace::Random(ctx.view(), ctx.db(), &key);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  found == storage::Status::kOk ? ctx.reply.Bulk(key) : ctx.reply.Null();
  return Ok();
}

Status DbSize(CommandContext& ctx) {
  ctx.reply.Integer(static_cast<int64_t>(ctx.view().KeyCount(ctx.db())));
  return Ok();
}

// ---- FLUSHDB, FLUSHALL, SWAPDB ----

// Both modes answer at once, and the space comes back behind the answer.
Status CheckFlushMode(const CommandContext& ctx) {
  if (ctx.argc() == 1) return Ok();
  const bool known = EqualsIgnoreCase(ctx.arg(1), "SYNC") || EqualsIgnoreCase(ctx.arg(1), "ASYNC");
  return ctx.argc() == 2 && known ? ErrorCode::kOk : ErrorCode::kSyntax;
}

void ForgetCachedKeys(CommandContext& ctx) {
  if (ctx.services.tracking.active()) ctx.outbox.InvalidateAll(ctx.session.conn.id);
}

Status FlushDb(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckFlushMode(ctx));
  ctx.txn().ReplaceNamespace(ctx.db());
  ForgetCachedKeys(ctx);
  ctx.reply.Ok();
  return Ok();
}

Status FlushAll(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckFlushMode(ctx));
  for (int db = 0; db < ctx.services.storage.databases(); ++db) {
    ctx.txn().ReplaceNamespace(static_cast<DbIndex>(db));
  }
  ForgetCachedKeys(ctx);
  ctx.reply.Ok();
  return Ok();
}

bool ParseInt32(std::string_view text, int64_t* number) {
  using Int = std::numeric_limits<int32_t>;
  return ParseInteger(text, number) && *number >= Int::min() && *number <= Int::max();
}

Status SwapDb(CommandContext& ctx) {
  int64_t a, b;
  if (!ParseInt32(ctx.arg(1), &a)) return Status::Message("ERR invalid first DB index");
  if (!ParseInt32(ctx.arg(2), &b)) return Status::Message("ERR invalid second DB index");
  const int64_t databases = ctx.services.storage.databases();
  if (a < 0 || a >= databases || b < 0 || b >= databases) return ErrorCode::kDbIndex;
  if (a != b) ctx.txn().SwapNamespaces(static_cast<DbIndex>(a), static_cast<DbIndex>(b));
  ctx.reply.Ok();
  return Ok();
}

// ---- rows ----

constexpr CommandHistory kExistsHistory[] = {{"3.0.3", "Several keys at once."}};
constexpr CommandHistory kRenameNxHistory[] = {{"3.2.0", "Equal names are no error any more."}};
constexpr CommandHistory kScanHistory[] = {{"6.0.0", "New option `TYPE`."}};
constexpr CommandHistory kFlushHistory[] = {{"4.0.0", "New option `ASYNC`."}, {"6.2.0", "New option `SYNC`."}};

constexpr CommandSpec kKeyspaceCommands[] = {
    {.name = "del",
     .arity = -2,
     .flags = kCmdWrite | kCmdOnlyRemoves,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::Range(kKeyRM | kKeyDelete, 1, -1, 1)},
     .syntax = "key…",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of keys; the size of the values does not matter",
     .summary = "Removes keys.",
     .handler = Del,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "unlink",
     .arity = -2,
     .flags = kCmdWrite | kCmdFast | kCmdOnlyRemoves,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::Range(kKeyRM | kKeyDelete, 1, -1, 1)},
     .syntax = "key…",
     .since = "4.0.0",
     .complexity = "O(N), N being the number of keys; the size of the values does not matter",
     .summary = "Removes keys; the same as DEL, which here frees space in the background too.",
     .handler = Del,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "exists",
     .arity = -2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::Range(kKeyRO, 1, -1, 1)},
     .syntax = "key…",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Counts how many of the keys exist.",
     .handler = Exists,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"},
     .history = kExistsHistory},
    {.name = "type",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers the type of the value that a key holds.",
     .handler = Type},
    {.name = "touch",
     .arity = -2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::Range(kKeyRO, 1, -1, 1)},
     .syntax = "key…",
     .since = "3.2.1",
     .complexity = "O(N), N being the number of keys",
     .summary = "Counts how many of the keys exist, as a use of each.",
     .handler = Touch,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "rename",
     .arity = 3,
     .flags = kCmdWrite,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete), KeySpec::One(kKeyOW | kKeyUpdate, 2)},
     .syntax = "key newkey",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives a key another name, replacing what has that name.",
     .handler = Rename},
    {.name = "renamenx",
     .arity = 3,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete), KeySpec::One(kKeyOW | kKeyInsert, 2)},
     .syntax = "key newkey",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives a key another name, unless something has that name.",
     .handler = RenameNx,
     .history = kRenameNxHistory},
    {.name = "copy",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess), KeySpec::One(kKeyOW | kKeyUpdate, 2)},
     .syntax = "source:key destination:key [DB destination-db:integer] [REPLACE]",
     .since = "6.2.0",
     .complexity = "O(N), N being the number of elements of a collection or bytes of a large string",
     .summary = "Copies a value and its expiry to another key.",
     .handler = Copy},
    {.name = "move",
     .arity = 3,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key db:integer",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Moves a key to another database.",
     .handler = Move},
    {.name = "keys",
     .arity = 2,
     .flags = kCmdReadonly | kCmdReadsAllKeys | kCmdSlowLane,
     .group = CommandGroup::kGeneric,
     .syntax = "pattern:pattern",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of keys in the database",
     .summary = "Answers the names of all keys that match a pattern.",
     .handler = Keys,
     .acl_categories = kAclDangerous,
     .tips = {"request_policy:all_shards", "nondeterministic_output_order"}},
    {.name = "scan",
     .arity = -2,
     .flags = kCmdReadonly | kCmdReadsAllKeys,
     .group = CommandGroup::kGeneric,
     .syntax = "cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type]",
     .since = "2.8.0",
     .complexity = "O(1) for each call, O(N) for all keys",
     .summary = "Iterates over the names of the keys, a few at a time.",
     .handler = Scan,
     .tips = {"nondeterministic_output", "request_policy:special", "response_policy:special"},
     .history = kScanHistory},
    {.name = "randomkey",
     .arity = 1,
     .flags = kCmdReadonly | kCmdReadsAllKeys,
     .group = CommandGroup::kGeneric,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers the name of a key chosen by chance.",
     .handler = RandomKey,
     .tips = {"request_policy:all_shards", "response_policy:special", "nondeterministic_output"}},
    {.name = "dbsize",
     .arity = 1,
     .flags = kCmdReadonly | kCmdReadsAllKeys | kCmdFast,
     .group = CommandGroup::kServer,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Counts the keys of the database.",
     .handler = DbSize,
     .acl_categories = kAclKeyspace,
     .tips = {"request_policy:all_shards", "response_policy:agg_sum"}},
    {.name = "flushdb",
     .arity = -1,
     .flags = kCmdWrite | kCmdExclusive | kCmdOnlyRemoves,
     .group = CommandGroup::kServer,
     .syntax = "[ASYNC | SYNC]",
     .since = "1.0.0",
     .complexity = "O(1); space is freed in the background",
     .summary = "Removes all keys of the database.",
     .handler = FlushDb,
     .acl_categories = kAclKeyspace | kAclDangerous,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"},
     .history = kFlushHistory},
    {.name = "flushall",
     .arity = -1,
     .flags = kCmdWrite | kCmdExclusive | kCmdOnlyRemoves,
     .group = CommandGroup::kServer,
     .syntax = "[ASYNC | SYNC]",
     .since = "1.0.0",
     .complexity = "O(1); space is freed in the background",
     .summary = "Removes all keys of all databases.",
     .handler = FlushAll,
     .acl_categories = kAclKeyspace | kAclDangerous,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"},
     .history = kFlushHistory},
    {.name = "swapdb",
     .arity = 3,
     .flags = kCmdWrite | kCmdFast | kCmdExclusive,
     .group = CommandGroup::kServer,
     .syntax = "index1:integer index2:integer",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Exchanges the contents of two databases.",
     .handler = SwapDb,
     .acl_categories = kAclKeyspace | kAclDangerous},
};

}  // namespace

std::span<const CommandSpec> KeyspaceCommands() { return kKeyspaceCommands; }

}  // namespace basalt
