// When keys expire: EXPIRE and its relatives, TTL and its relatives, PERSIST.

#include <limits>

#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "storage/keyspace.h"

namespace basalt {
namespace {

using storage::HashedKey;
using storage::kNoExpire;
using storage::RecordPtr;

enum class TimeUnit : uint8_t { kSeconds, kMilliseconds };
enum class TimeBase : uint8_t { kNow, kEpoch };

// ---- EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT ----

struct ExpireConditions {
  bool nx = false, xx = false, gt = false, lt = false;

  // A key without expiry counts as one that expires at the end of time.
  bool Allow(int64_t old_ms, int64_t new_ms) const {
    const bool had = old_ms != kNoExpire;
    if (nx && had) return false;
    if (xx && !had) return false;
    if (gt && (!had || new_ms <= old_ms)) return false;
    if (lt && had && new_ms >= old_ms) return false;
    return true;
  }
};

Status ParseConditions(std::span<const std::string_view> words, ExpireConditions* conditions) {
  for (const std::string_view word : words) {
    if (EqualsIgnoreCase(word, "NX")) {
      conditions->nx = true;
    } else if (EqualsIgnoreCase(word, "XX")) {
      conditions->xx = true;
    } else if (EqualsIgnoreCase(word, "GT")) {
      conditions->gt = true;
    } else if (EqualsIgnoreCase(word, "LT")) {
      conditions->lt = true;
    } else {
      return Status::Message("ERR Unsupported option " + std::string(word));
    }
  }
  if (conditions->nx && (conditions->xx || conditions->gt || conditions->lt)) {
    return Status::Message("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (conditions->gt && conditions->lt) {
    return Status::Message("ERR GT and LT options at the same time are not compatible");
  }
  return Ok();
}

// May be in the past, and before 1970.
Status ParseTime(const CommandContext& ctx, std::string_view text, TimeBase base, TimeUnit unit, int64_t* time_ms) {
  int64_t time;
  if (!ParseInteger(text, &time)) return ErrorCode::kNotInteger;
  if (unit == TimeUnit::kSeconds && __builtin_mul_overflow(time, int64_t{1000}, &time))
    return ErrorCode::kInvalidExpire;
  if (base == TimeBase::kNow && __builtin_add_overflow(time, ctx.now_ms(), &time)) return ErrorCode::kInvalidExpire;
  *time_ms = time;
  return Ok();
}

Status SetExpiry(CommandContext& ctx, TimeBase base, TimeUnit unit) {
  ExpireConditions conditions;
  BASALT_RETURN_IF_ERROR(ParseConditions(ctx.argv.subspan(3), &conditions));
  int64_t expire_ms = 0;
  BASALT_RETURN_IF_ERROR(ParseTime(ctx, ctx.arg(2), base, unit, &expire_ms));

  const HashedKey key = ctx.key(1);
  RecordPtr record;
  const storage::Status found = ctx.txn().GetRecord(ctx.db(), key, &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  if (found == storage::Status::kNotFound || !conditions.Allow(record->expire_ms(), expire_ms)) {
    ctx.reply.Integer(0);
    return Ok();
  }
  if (expire_ms <= ctx.now_ms()) {
    ctx.txn().Erase(ctx.db(), key);
    NotifyKey(ctx, kEventGeneric, "del", key.key);
  } else {
    BASALT_RETURN_IF_ERROR(storage::Keyspace::SetExpire(ctx.txn(), ctx.db(), key, expire_ms));
    NotifyKey(ctx, kEventGeneric, "expire", key.key);
  }
  ctx.reply.Integer(1);
  return Ok();
}

Status Expire(CommandContext& ctx) { return SetExpiry(ctx, TimeBase::kNow, TimeUnit::kSeconds); }
Status PExpire(CommandContext& ctx) { return SetExpiry(ctx, TimeBase::kNow, TimeUnit::kMilliseconds); }
Status ExpireAt(CommandContext& ctx) { return SetExpiry(ctx, TimeBase::kEpoch, TimeUnit::kSeconds); }
Status PExpireAt(CommandContext& ctx) { return SetExpiry(ctx, TimeBase::kEpoch, TimeUnit::kMilliseconds); }

Status Persist(CommandContext& ctx) {
  const HashedKey key = ctx.key(1);
  RecordPtr record;
  const storage::Status found = ctx.txn().GetRecord(ctx.db(), key, &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  const bool expires = found == storage::Status::kOk && record->expire_ms() != kNoExpire;
  if (expires) {
    BASALT_RETURN_IF_ERROR(storage::Keyspace::SetExpire(ctx.txn(), ctx.db(), key, kNoExpire));
    NotifyKey(ctx, kEventGeneric, "persist", key.key);
  }
  ctx.reply.Integer(expires ? 1 : 0);
  return Ok();
}

// ---- TTL, PTTL, EXPIRETIME, PEXPIRETIME ----

constexpr int64_t kNoSuchKeyAnswer = -2, kNoExpiryAnswer = -1;

Status ReplyExpiry(CommandContext& ctx, TimeBase base, TimeUnit unit) {
  RecordPtr record;
  const storage::Status found = PeekKey(ctx, ctx.view(), ctx.key(1), &record);
  int64_t answer = kNoSuchKeyAnswer;
  if (found == storage::Status::kOk) {
    answer = kNoExpiryAnswer;
    if (record->expire_ms() != kNoExpire) {
      answer = record->expire_ms() - (base == TimeBase::kNow ? ctx.now_ms() : 0);
      if (unit == TimeUnit::kSeconds) answer = answer / 1000 + (answer % 1000 >= 500 ? 1 : 0);
    }
  } else if (found != storage::Status::kNotFound) {
    return found;
  }
  ctx.reply.Integer(answer);
  return Ok();
}

Status Ttl(CommandContext& ctx) { return ReplyExpiry(ctx, TimeBase::kNow, TimeUnit::kSeconds); }
Status PTtl(CommandContext& ctx) { return ReplyExpiry(ctx, TimeBase::kNow, TimeUnit::kMilliseconds); }
Status ExpireTime(CommandContext& ctx) { return ReplyExpiry(ctx, TimeBase::kEpoch, TimeUnit::kSeconds); }
Status PExpireTime(CommandContext& ctx) { return ReplyExpiry(ctx, TimeBase::kEpoch, TimeUnit::kMilliseconds); }

// ---- rows ----

constexpr CommandHistory kConditionHistory[] = {{"7.0.0", "New options `NX`, `XX`, `GT` and `LT`."}};
constexpr CommandHistory kTtlHistory[] = {{"2.8.0", "-2 for a key that does not exist."}};

constexpr CommandSpec kExpiryCommands[] = {
    {.name = "expire",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key seconds:integer [NX | XX | GT | LT]",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Lets a key expire after a number of seconds.",
     .handler = Expire,
     .history = kConditionHistory},
    {.name = "pexpire",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key milliseconds:integer [NX | XX | GT | LT]",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Lets a key expire after a number of milliseconds.",
     .handler = PExpire,
     .history = kConditionHistory},
    {.name = "expireat",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key unix-time-seconds:unix-time [NX | XX | GT | LT]",
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Lets a key expire at a Unix time.",
     .handler = ExpireAt,
     .history = kConditionHistory},
    {.name = "pexpireat",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key unix-time-milliseconds:unix-time [NX | XX | GT | LT]",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Lets a key expire at a Unix time in milliseconds.",
     .handler = PExpireAt,
     .history = kConditionHistory},
    {.name = "persist",
     .arity = 2,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key",
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Removes the expiry of a key.",
     .handler = Persist},
    {.name = "ttl",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers in how many seconds a key expires.",
     .handler = Ttl,
     .tips = {"nondeterministic_output"},
     .history = kTtlHistory},
    {.name = "pttl",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Answers in how many milliseconds a key expires.",
     .handler = PTtl,
     .tips = {"nondeterministic_output"},
     .history = kTtlHistory},
    {.name = "expiretime",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Answers the Unix time at which a key expires.",
     .handler = ExpireTime},
    {.name = "pexpiretime",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Answers the Unix time in milliseconds at which a key expires.",
     .handler = PExpireTime},
};

}  // namespace

std::span<const CommandSpec> ExpiryCommands() { return kExpiryCommands; }

}  // namespace basalt
