// Hashes. What concerns the expiry of fields has a file of its own, hash_expiry.cc.

#include <charconv>
#include <cmath>
#include <limits>

#include "server/commands/families.h"
#include "server/commands/hash_access.h"
#include "server/commands/hash_expiry.h"
#include "server/commands/key_access.h"
#include "server/commands/scan_options.h"

namespace basalt {
namespace {

using storage::HashedKey;
using storage::HashField;
using storage::HashStore;
using storage::HashValue;

bool IsError(storage::Status found) { return found != storage::Status::kOk && found != storage::Status::kNotFound; }

// ---- HSET, HMSET, HSETNX, HDEL ----

Status SetFields(CommandContext& ctx, uint64_t* added) {
  if (ctx.argc() % 2 == 1) {
    return Status::Message("ERR wrong number of arguments for '" + std::string(ctx.spec.name) + "' command");
  }
  const auto pairs = ctx.argv.subspan(2);
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, pairs.size() / 2));
  uint64_t bytes = 0;
  for (const std::string_view each : pairs) bytes += each.size();
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes));
  BASALT_RETURN_IF_ERROR(HashStore::Set(ctx.txn(), ctx.db(), ctx.key(1), pairs, HashLimitsOf(ctx), added));
  NotifyKey(ctx, kEventHash, "hset", ctx.arg(1));
  return Ok();
}

Status HSet(CommandContext& ctx) {
  uint64_t added = 0;
  BASALT_RETURN_IF_ERROR(SetFields(ctx, &added));
  ctx.reply.Integer(static_cast<int64_t>(added));
  return Ok();
}

Status HMSet(CommandContext& ctx) {
  uint64_t added = 0;
  BASALT_RETURN_IF_ERROR(SetFields(ctx, &added));
  ctx.reply.Ok();
  return Ok();
}

Status HSetNx(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, ctx.arg(3).size()));
  bool added = false;
  BASALT_RETURN_IF_ERROR(
      HashStore::SetIfAbsent(ctx.txn(), ctx.db(), ctx.key(1), ctx.arg(2), ctx.arg(3), HashLimitsOf(ctx), &added));
  if (added) NotifyKey(ctx, kEventHash, "hset", ctx.arg(1));
  ctx.reply.Integer(added ? 1 : 0);
  return Ok();
}

Status HDel(CommandContext& ctx) {
  const auto names = ctx.argv.subspan(2);
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, names.size()));
  uint64_t removed = 0;
  BASALT_RETURN_IF_ERROR(HashStore::Delete(ctx.txn(), ctx.db(), ctx.key(1), names, &removed));
  if (removed > 0) NotifyRemoval(ctx, kEventHash, "hdel", ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(removed));
  return Ok();
}

// ---- HGET, HMGET, HEXISTS, HSTRLEN, HLEN ----

// The field that argument 2 names; its views live as long as *hash and *buffer.
storage::Status LookupField(CommandContext& ctx, HashValue* hash, std::string* buffer, HashField* field) {
  const storage::Status found = LookupHash(ctx, ctx.key(1), hash);
  return found == storage::Status::kOk ? HashStore::Get(ctx.view(), *hash, ctx.arg(2), buffer, field) : found;
}

Status HGet(CommandContext& ctx) {
  HashValue hash;
  HashField field;
  std::string buffer;
  const storage::Status found = LookupField(ctx, &hash, &buffer, &field);
  if (IsError(found)) return found;
  if (found == storage::Status::kNotFound) {
    ctx.reply.Null();
    return Ok();
  }
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, field.value.size()));
  ctx.reply.Bulk(field.value);
  return Ok();
}

Status HMGet(CommandContext& ctx) {
  const auto names = ctx.argv.subspan(2);
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, names.size()));
  HashValue hash;
  const storage::Status found = LookupHash(ctx, ctx.key(1), &hash);
  if (IsError(found)) return found;
  ctx.reply.Array(names.size());
  std::string buffer;
  uint64_t bytes = 0;
  for (const std::string_view name : names) {
    HashField field;
    const storage::Status status =
        found == storage::Status::kOk ? HashStore::Get(ctx.view(), hash, name, &buffer, &field) : found;
    if (IsError(status)) return status;
    if (status == storage::Status::kOk) {
      BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes += field.value.size()));
      ctx.reply.Bulk(field.value);
    } else {
      ctx.reply.Null();
    }
  }
  return Ok();
}

Status HExists(CommandContext& ctx) {
  HashValue hash;
  HashField field;
  std::string buffer;
  const storage::Status found = LookupField(ctx, &hash, &buffer, &field);
  if (IsError(found)) return found;
  ctx.reply.Integer(found == storage::Status::kOk ? 1 : 0);
  return Ok();
}

Status HStrLen(CommandContext& ctx) {
  HashValue hash;
  HashField field;
  std::string buffer;
  const storage::Status found = LookupField(ctx, &hash, &buffer, &field);
  if (IsError(found)) return found;
  ctx.reply.Integer(found == storage::Status::kOk ? static_cast<int64_t>(field.value.size()) : 0);
  return Ok();
}

Status HLen(CommandContext& ctx) {
  HashValue hash;
  const storage::Status found = LookupHash(ctx, ctx.key(1), &hash);
  if (IsError(found)) return found;
  uint64_t count = 0;
  if (found == storage::Status::kOk) BASALT_RETURN_IF_ERROR(HashStore::Count(ctx.view(), hash, &count));
  ctx.reply.Integer(static_cast<int64_t>(count));
  return Ok();
}

// ---- HGETALL, HKEYS, HVALS ----

enum class Parts : uint8_t { kNames = 1, kValues = 2, kBoth = 3 };
constexpr bool Wants(Parts parts, Parts part) {
  return (static_cast<uint8_t>(parts) & static_cast<uint8_t>(part)) != 0;
}

void ReplyHeader(net::ReplyBuilder& reply, Parts parts, uint64_t fields) {
  parts == Parts::kBoth ? reply.Map(fields) : reply.Array(fields);
}

// Straight into the reply, however many there are.
Status ReplyAll(CommandContext& ctx, Parts parts) {
  HashValue hash;
  const storage::Status found = LookupHash(ctx, ctx.key(1), &hash);
  if (IsError(found)) return found;
  net::ReplyBuilder& reply = ctx.reply;
  if (found == storage::Status::kNotFound) {
    ReplyHeader(reply, parts, 0);
    return Ok();
  }
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, hash.stored));
  uint64_t live = 0;
  BASALT_RETURN_IF_ERROR(HashStore::Count(ctx.view(), hash, &live));
  ReplyHeader(reply, parts, live);
  uint64_t fields = 0;
  uint64_t bytes = 0;
  Status enough;
  BASALT_RETURN_IF_ERROR(HashStore::ForEach(ctx.view(), hash, [&](const HashField& field) {
    if (Wants(parts, Parts::kNames)) reply.Bulk(field.name);
    if (Wants(parts, Parts::kValues)) reply.Bulk(field.value);
    enough = CheckLaneBytes(ctx, bytes += field.name.size() + field.value.size());
    return ++fields < live && enough.ok();
  }));
  if (!enough.ok()) return enough;
  return fields == live ? ErrorCode::kOk : ErrorCode::kCorruption;
}

Status HGetAll(CommandContext& ctx) { return ReplyAll(ctx, Parts::kBoth); }
Status HKeys(CommandContext& ctx) { return ReplyAll(ctx, Parts::kNames); }
Status HVals(CommandContext& ctx) { return ReplyAll(ctx, Parts::kValues); }

// ---- HINCRBY, HINCRBYFLOAT ----

// Of a field that is to be changed; its expiry stays.
storage::Status FindForUpdate(CommandContext& ctx, HashValue* hash, std::string* buffer, HashField* field) {
  const storage::Status found = HashStore::Find(ctx.txn(), ctx.db(), ctx.key(1), hash);
  return found == storage::Status::kOk ? HashStore::Get(ctx.txn(), *hash, ctx.arg(2), buffer, field) : found;
}

Status HIncrBy(CommandContext& ctx) {
  int64_t delta;
  if (!ParseInteger(ctx.arg(3), &delta)) return ErrorCode::kNotInteger;
  HashValue hash;
  HashField field;
  std::string buffer;
  const storage::Status found = FindForUpdate(ctx, &hash, &buffer, &field);
  if (IsError(found)) return found;
  int64_t number = 0;
  if (found == storage::Status::kOk && !ParseInteger(field.value, &number)) {
    return Status::Message("ERR hash value is not an integer");
  }
  if (__builtin_add_overflow(number, delta, &number)) return ErrorCode::kOverflow;
  char text[24];
  const char* end = std::to_chars(text, text + sizeof(text), number).ptr;
  BASALT_RETURN_IF_ERROR(
      HashStore::Update(ctx.txn(), ctx.db(), ctx.key(1), ctx.arg(2), {text, end}, HashLimitsOf(ctx)));
  NotifyKey(ctx, kEventHash, "hincrby", ctx.arg(1));
  ctx.reply.Integer(number);
  return Ok();
}

Status HIncrByFloat(CommandContext& ctx) {
  long double delta = 0, number = 0;
  if (!ParseLongDouble(ctx.arg(3), &delta)) return ErrorCode::kNotFloat;
  if (!std::isfinite(delta)) return Status::Message("ERR value is NaN or Infinity");
  HashValue hash;
  HashField field;
  std::string buffer;
  const storage::Status found = FindForUpdate(ctx, &hash, &buffer, &field);
  if (IsError(found)) return found;
  if (found == storage::Status::kOk && !ParseLongDouble(field.value, &number)) {
    return Status::Message("ERR hash value is not a float");
  }
  number += delta;
  if (!std::isfinite(number)) return ErrorCode::kNanOrInfinity;
  char text[kLongDoubleTextMax];
  const std::string_view result = FormatLongDouble(number, text);
  BASALT_RETURN_IF_ERROR(HashStore::Update(ctx.txn(), ctx.db(), ctx.key(1), ctx.arg(2), result, HashLimitsOf(ctx)));
  NotifyKey(ctx, kEventHash, "hincrbyfloat", ctx.arg(1));
  ctx.reply.Bulk(result);
  return Ok();
}

// ---- HSCAN ----

Status HScan(CommandContext& ctx) {
  uint64_t cursor;
  if (!ParseScanCursor(ctx.arg(2), &cursor)) return Status::Message("ERR invalid cursor");
  HashValue hash;
  const storage::Status found = LookupHash(ctx, ctx.key(1), &hash);
  if (IsError(found)) return found;
  net::ReplyBuilder& reply = ctx.reply;
  const auto start = reply.Mark();
  if (found == storage::Status::kNotFound) {
    InsertScanHeader(reply, start, 0, 0);
    return Ok();
  }
  ScanOptions options;
  BASALT_RETURN_IF_ERROR(ParseScanOptions(ctx.argv.subspan(3), ScanTypeOption::kUnknown, &options));
  const bool many = options.count > kFastLaneScanCountMax && hash.stored > static_cast<uint64_t>(kFastLaneScanCountMax);
  if (many && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
  uint64_t items = 0, next = 0, bytes = 0;
  Status enough;
  const auto visit = [&](const HashField& field) {
    if (!options.MatchesName(field.name)) return true;
    reply.Bulk(field.name);
    reply.Bulk(field.value);
    items += 2;
    enough = CheckLaneBytes(ctx, bytes += field.name.size() + field.value.size());
    return enough.ok();
  };
  BASALT_RETURN_IF_ERROR(
      HashStore::Scan(ctx.view(), hash, cursor, static_cast<uint64_t>(options.count), std::ref(visit), &next));
  if (!enough.ok()) return enough;
  InsertScanHeader(reply, start, next, items);
  return Ok();
}

// ---- HRANDFIELD ----

// The smallest reply of one field; and what one HRANDFIELD may answer, however often it is to repeat itself.
constexpr uint64_t kBulkBytesMin = 6;
constexpr uint64_t kRandomReplyBytesMax = 512 << 20;
// A draw from rows is several seeks.
constexpr uint64_t kDrawCost = 16;

// What the lane is asked for: rows that are looked at, and fields that are answered.
uint64_t RandomCost(const HashValue& hash, uint64_t count, bool distinct) {
  if (hash.packed()) return count;
  const bool all = distinct && (hash.due || count > hash.stored / kDrawCost);
  return all ? hash.stored : count > std::numeric_limits<uint64_t>::max() / kDrawCost ? count : count * kDrawCost;
}

Status RandomFields(CommandContext& ctx, const HashValue& hash, uint64_t live, int64_t wanted, Parts parts) {
  const bool distinct = wanted > 0;
  const uint64_t asked = distinct ? static_cast<uint64_t>(wanted) : static_cast<uint64_t>(-wanted);
  const uint64_t count = distinct ? std::min(asked, live) : asked;
  if (!distinct && count > kRandomReplyBytesMax / kBulkBytesMin) return ErrorCode::kOutOfRange;
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, RandomCost(hash, count, distinct)));
  const bool values = parts == Parts::kBoth;
  const bool nested = values && ctx.reply.version() == net::RespVersion::kResp3;
  ctx.reply.Array(values && !nested ? count * 2 : count);
  uint64_t fields = 0, bytes = 0;
  Status enough;
  const auto visit = [&](const HashField& field) {
    if (nested) ctx.reply.Array(2);
    ctx.reply.Bulk(field.name);
    if (values) ctx.reply.Bulk(field.value);
    bytes += kBulkBytesMin + field.name.size() + (values ? field.value.size() : 0);
    enough = CheckLaneBytes(ctx, bytes);
    if (!distinct && bytes > kRandomReplyBytesMax) enough = ErrorCode::kOutOfRange;
    return ++fields < count && enough.ok();
  };
  BASALT_RETURN_IF_ERROR(distinct ? HashStore::RandomDistinct(ctx.view(), hash, live, count, std::ref(visit))
                                  : HashStore::RandomRepeated(ctx.view(), hash, live, count, std::ref(visit)));
  if (!enough.ok()) return enough;
  return fields == count ? ErrorCode::kOk : ErrorCode::kCorruption;
}

Status HRandField(CommandContext& ctx) {
  const bool one = ctx.argc() == 2;
  const bool values = ctx.argc() > 3;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t wanted = 1;
  if (!one && !ParseInteger(ctx.arg(2), &wanted)) return ErrorCode::kNotInteger;
  if (wanted < -kMax) {
    return Status::Message("ERR value is out of range, value must between -" + std::to_string(kMax) + " and " +
                           std::to_string(kMax));
  }
  if (ctx.argc() > 4 || (values && !EqualsIgnoreCase(ctx.arg(3), "WITHVALUES"))) return ErrorCode::kSyntax;
  if (values && (wanted < -kMax / 2 || wanted > kMax / 2)) return ErrorCode::kOutOfRange;

  HashValue hash;
  const storage::Status found = LookupHash(ctx, ctx.key(1), &hash);
  if (IsError(found)) return found;
  uint64_t live = 0;
  if (found == storage::Status::kOk) BASALT_RETURN_IF_ERROR(HashStore::Count(ctx.view(), hash, &live));
  if (live == 0 || wanted == 0) {
    one ? ctx.reply.Null() : ctx.reply.Array(0);
    return Ok();
  }
  if (!one) return RandomFields(ctx, hash, live, wanted, values ? Parts::kBoth : Parts::kNames);
  return HashStore::RandomRepeated(ctx.view(), hash, live, 1, [&ctx](const HashField& field) {
    ctx.reply.Bulk(field.name);
    return false;
  });
}

// ---- rows ----

constexpr CommandHistory kHSetHistory[] = {{"4.0.0", "Several fields may be set at once."}};
constexpr CommandHistory kHDelHistory[] = {{"2.4.0", "Several fields may be given."}};

constexpr CommandSpec kHashCommands[] = {
    {.name = "hset",
     .arity = -4,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key (field value)…",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Sets fields of a hash, creating it if needed.",
     .handler = HSet,
     .history = kHSetHistory},
    {.name = "hsetnx",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert)},
     .syntax = "key field value",
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Sets a field of a hash that does not exist yet.",
     .handler = HSetNx},
    {.name = "hmset",
     .arity = -4,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key (field value)…",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Sets fields of a hash, creating it if needed; the old form of HSET.",
     .handler = HMSet,
     .doc_flags = "deprecated",
     .deprecated_since = "4.0.0",
     .replaced_by = "`HSET` with multiple field-value pairs"},
    {.name = "hget",
     .arity = 3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key field",
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Answers the value of a field of a hash.",
     .handler = HGet},
    {.name = "hmget",
     .arity = -3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key field…",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Answers the values of several fields of a hash.",
     .handler = HMGet},
    {.name = "hgetall",
     .arity = 2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of fields",
     .summary = "Answers all fields of a hash with their values.",
     .handler = HGetAll,
     .tips = {"nondeterministic_output_order"}},
    {.name = "hkeys",
     .arity = 2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of fields",
     .summary = "Answers all fields of a hash without their values.",
     .handler = HKeys,
     .tips = {"nondeterministic_output_order"}},
    {.name = "hvals",
     .arity = 2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of fields",
     .summary = "Answers the values of all fields of a hash.",
     .handler = HVals,
     .tips = {"nondeterministic_output_order"}},
    {.name = "hlen",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key",
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Answers how many fields a hash has.",
     .handler = HLen},
    {.name = "hstrlen",
     .arity = 3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key field",
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Answers the length in bytes of the value of a field.",
     .handler = HStrLen},
    {.name = "hexists",
     .arity = 3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key field",
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Tells whether a hash has a field.",
     .handler = HExists},
    {.name = "hdel",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyDelete)},
     .syntax = "key field…",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Removes fields of a hash, and the hash with the last of them.",
     .handler = HDel,
     .history = kHDelHistory},
    {.name = "hincrby",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key field increment:integer",
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Adds to the integer in a field of a hash; a missing field counts as 0.",
     .handler = HIncrBy},
    {.name = "hincrbyfloat",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key field increment:double",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Adds to the floating point number in a field of a hash; a missing field counts as 0.",
     .handler = HIncrByFloat},
    {.name = "hscan",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
     .since = "2.8.0",
     .complexity = "O(1) a call, O(N) for all calls together, N being the number of fields",
     .summary = "Goes through the fields of a hash and their values, some with each call.",
     .handler = HScan,
     .tips = {"nondeterministic_output"}},
    {.name = "hrandfield",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key [count:integer [WITHVALUES]]",
     .since = "6.2.0",
     .complexity = "O(N), N being the number of fields answered",
     .summary = "Answers fields of a hash, drawn at random.",
     .handler = HRandField,
     .tips = {"nondeterministic_output"}},
    // ---- of Redis 7.4 ----
    {.name = "hexpire",
     .arity = -6,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key seconds:integer [NX | XX | GT | LT] FIELDS (numfields:integer field…)",
     .since = "7.4.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Lets fields of a hash expire after a number of seconds.",
     .handler = HExpire},
    {.name = "hpexpire",
     .arity = -6,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key milliseconds:integer [NX | XX | GT | LT] FIELDS (numfields:integer field…)",
     .since = "7.4.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Lets fields of a hash expire after a number of milliseconds.",
     .handler = HPExpire},
    {.name = "hexpireat",
     .arity = -6,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key unix-time-seconds:unix-time [NX | XX | GT | LT] FIELDS (numfields:integer field…)",
     .since = "7.4.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Lets fields of a hash expire at a Unix time in seconds.",
     .handler = HExpireAt},
    {.name = "hpexpireat",
     .arity = -6,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key unix-time-milliseconds:unix-time [NX | XX | GT | LT] FIELDS (numfields:integer field…)",
     .since = "7.4.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Lets fields of a hash expire at a Unix time in milliseconds.",
     .handler = HPExpireAt},
    {.name = "httl",
     .arity = -5,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key FIELDS (numfields:integer field…)",
     .since = "7.4.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Answers in how many seconds fields of a hash expire.",
     .handler = HTtl},
    {.name = "hpttl",
     .arity = -5,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key FIELDS (numfields:integer field…)",
     .since = "7.4.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Answers in how many milliseconds fields of a hash expire.",
     .handler = HPTtl},
    {.name = "hexpiretime",
     .arity = -5,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key FIELDS (numfields:integer field…)",
     .since = "7.4.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Answers the Unix times in seconds at which fields of a hash expire.",
     .handler = HExpireTime},
    {.name = "hpexpiretime",
     .arity = -5,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key FIELDS (numfields:integer field…)",
     .since = "7.4.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Answers the Unix times in milliseconds at which fields of a hash expire.",
     .handler = HPExpireTime},
    {.name = "hpersist",
     .arity = -5,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kHash,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key FIELDS (numfields:integer field…)",
     .since = "7.4.0",
     .complexity = "O(N), N being the number of fields given",
     .summary = "Removes the expiry of fields of a hash.",
     .handler = HPersist},
};

}  // namespace

std::span<const CommandSpec> HashCommands() { return kHashCommands; }

}  // namespace basalt
