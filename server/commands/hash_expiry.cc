#include "server/commands/hash_expiry.h"

#include <algorithm>
#include <string>
#include <vector>

#include "server/commands/hash_access.h"
#include "server/commands/key_access.h"

namespace basalt {
namespace {

using storage::HashField;
using storage::HashStore;
using storage::HashValue;
using Condition = HashStore::ExpireCondition;
using Outcome = HashStore::ExpireOutcome;

enum class TimeUnit : uint8_t { kSeconds, kMilliseconds };
enum class TimeBase : uint8_t { kNow, kEpoch };

// What is said of each field.
constexpr int64_t kNoFieldAnswer = -2, kNoExpiryAnswer = -1, kRefusedAnswer = 0, kSetAnswer = 1, kDeletedAnswer = 2;

// FIELDS n field…, from argument `at` on: the fields.
Status ParseFields(const CommandContext& ctx, size_t at, const char* not_positive,
                   std::span<const std::string_view>* fields) {
  if (!EqualsIgnoreCase(ctx.arg(at), "FIELDS")) {
    return Status::Message("ERR Mandatory argument FIELDS is missing or not at the right position");
  }
  int64_t count;
  if (!ParseInteger(ctx.arg(at + 1), &count) || count < 1) return Status::Message(not_positive);
  *fields = ctx.argv.subspan(at + 2);
  if (static_cast<uint64_t>(count) != fields->size()) {
    return Status::Message("ERR The `numfields` parameter must match the number of arguments");
  }
  return CheckLaneKeys(ctx, fields->size());
}

constexpr const char* kNumFieldsText = "ERR Parameter `numFields` should be greater than 0";
constexpr const char* kNumberOfFieldsText = "ERR Number of fields must be a positive integer";

// The option before FIELDS; kAlways for any other word.
Condition ConditionOf(std::string_view word) {
  if (EqualsIgnoreCase(word, "NX")) return Condition::kHasNone;
  if (EqualsIgnoreCase(word, "XX")) return Condition::kHasOne;
  if (EqualsIgnoreCase(word, "GT")) return Condition::kLater;
  if (EqualsIgnoreCase(word, "LT")) return Condition::kEarlier;
  return Condition::kAlways;
}

Status ParseTime(const CommandContext& ctx, TimeBase base, TimeUnit unit, int64_t* expire_ms) {
  int64_t time;
  if (!ParseInteger(ctx.arg(2), &time)) return ErrorCode::kNotInteger;
  if (time < 0) return Status::Message("ERR invalid expire time, must be >= 0");
  const int64_t scale = unit == TimeUnit::kSeconds ? 1000 : 1;
  const int64_t from = base == TimeBase::kNow ? ctx.now_ms() : 0;
  if (time > HashStore::kFieldExpireMax / scale || time * scale > HashStore::kFieldExpireMax - from) {
    return ErrorCode::kInvalidExpire;
  }
  *expire_ms = time * scale + from;
  return Ok();
}

// A key of another type is the first thing that is wrong. The reply of a key that is not there comes later.
Status CheckIsHash(CommandContext& ctx, storage::ReadView& view) {
  storage::RecordPtr record;
  const storage::Status found = view.GetRecord(ctx.db(), ctx.key(1), storage::ValueType::kHash, &record);
  return found == storage::Status::kNotFound ? storage::Status::kOk : found;
}

Status SetExpiry(CommandContext& ctx, TimeBase base, TimeUnit unit) {
  BASALT_RETURN_IF_ERROR(CheckIsHash(ctx, ctx.txn()));
  int64_t expire_ms = 0;
  BASALT_RETURN_IF_ERROR(ParseTime(ctx, base, unit, &expire_ms));
  const Condition condition = ConditionOf(ctx.arg(3));
  std::span<const std::string_view> fields;
  BASALT_RETURN_IF_ERROR(ParseFields(ctx, condition == Condition::kAlways ? 3 : 4, kNumFieldsText, &fields));
  std::vector<Outcome> outcomes;
  outcomes.reserve(fields.size());
  BASALT_RETURN_IF_ERROR(HashStore::Expire(ctx.txn(), ctx.db(), ctx.key(1), fields, expire_ms, condition, &outcomes));
  const auto some = [&outcomes](Outcome outcome) { return std::ranges::find(outcomes, outcome) != outcomes.end(); };
  if (some(Outcome::kDeleted)) {
    NotifyRemoval(ctx, kEventHash, "hdel", ctx.arg(1));
  } else if (some(Outcome::kSet)) {
    NotifyKey(ctx, kEventHash, "hexpire", ctx.arg(1));
  }
  ctx.reply.Array(outcomes.size());
  for (const Outcome outcome : outcomes) {
    switch (outcome) {
      case Outcome::kNoField:
        ctx.reply.Integer(kNoFieldAnswer);
        break;
      case Outcome::kRefused:
        ctx.reply.Integer(kRefusedAnswer);
        break;
      case Outcome::kSet:
        ctx.reply.Integer(kSetAnswer);
        break;
      case Outcome::kDeleted:
        ctx.reply.Integer(kDeletedAnswer);
        break;
    }
  }
  return Ok();
}

Status ReplyExpiry(CommandContext& ctx, TimeBase base, TimeUnit unit) {
  HashValue hash;
  const storage::Status found = LookupHash(ctx, ctx.key(1), &hash);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  std::span<const std::string_view> fields;
  BASALT_RETURN_IF_ERROR(ParseFields(ctx, 2, kNumberOfFieldsText, &fields));
  ctx.reply.Array(fields.size());
  std::string buffer;
  for (const std::string_view name : fields) {
    HashField field;
    const storage::Status status =
        found == storage::Status::kOk ? HashStore::Get(ctx.view(), hash, name, &buffer, &field) : found;
    int64_t answer = kNoFieldAnswer;
    if (status == storage::Status::kOk) {
      answer = kNoExpiryAnswer;
      if (field.expire_ms != storage::kNoExpire) {
        answer = field.expire_ms - (base == TimeBase::kNow ? ctx.now_ms() : 0);
        if (unit == TimeUnit::kSeconds) answer = (answer + 999) / 1000;
      }
    } else if (status != storage::Status::kNotFound) {
      return status;
    }
    ctx.reply.Integer(answer);
  }
  return Ok();
}

}  // namespace

Status HExpire(CommandContext& ctx) { return SetExpiry(ctx, TimeBase::kNow, TimeUnit::kSeconds); }
Status HPExpire(CommandContext& ctx) { return SetExpiry(ctx, TimeBase::kNow, TimeUnit::kMilliseconds); }
Status HExpireAt(CommandContext& ctx) { return SetExpiry(ctx, TimeBase::kEpoch, TimeUnit::kSeconds); }
Status HPExpireAt(CommandContext& ctx) { return SetExpiry(ctx, TimeBase::kEpoch, TimeUnit::kMilliseconds); }

Status HTtl(CommandContext& ctx) { return ReplyExpiry(ctx, TimeBase::kNow, TimeUnit::kSeconds); }
Status HPTtl(CommandContext& ctx) { return ReplyExpiry(ctx, TimeBase::kNow, TimeUnit::kMilliseconds); }
Status HExpireTime(CommandContext& ctx) { return ReplyExpiry(ctx, TimeBase::kEpoch, TimeUnit::kSeconds); }
Status HPExpireTime(CommandContext& ctx) { return ReplyExpiry(ctx, TimeBase::kEpoch, TimeUnit::kMilliseconds); }

Status HPersist(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckIsHash(ctx, ctx.txn()));
  std::span<const std::string_view> fields;
  BASALT_RETURN_IF_ERROR(ParseFields(ctx, 2, kNumberOfFieldsText, &fields));
  std::vector<Outcome> outcomes;
  outcomes.reserve(fields.size());
  BASALT_RETURN_IF_ERROR(HashStore::Persist(ctx.txn(), ctx.db(), ctx.key(1), fields, &outcomes));
  const bool changed = std::ranges::find(outcomes, Outcome::kSet) != outcomes.end();
  if (changed) NotifyKey(ctx, kEventHash, "hpersist", ctx.arg(1));
  ctx.reply.Array(outcomes.size());
  for (const Outcome outcome : outcomes) {
    ctx.reply.Integer(outcome == Outcome::kNoField ? kNoFieldAnswer
                      : outcome == Outcome::kSet   ? kSetAnswer
                                                   : kNoExpiryAnswer);
  }
  return Ok();
}

}  // namespace basalt
