// Taking members from an end of sorted sets, also waiting for some to come.

#include <limits>

#include "server/commands/blocking.h"
#include "server/commands/key_access.h"
#include "server/commands/zset.h"

namespace basalt {
namespace {

using storage::RecordPtr;
using storage::ScanOrder;
using storage::ValueType;
using storage::ZsetRange;
using storage::ZsetStore;

enum class End : uint8_t { kMin, kMax };

// How the members that were taken are told.
enum class Shape : uint8_t {
  kFlat,    // member, score, …: in the array that the caller has begun
  kNested,  // arrays of member and score
};

// Takes `count` members, not more than there are, off the sorted set at argument `key_at`.
Status Take(CommandContext& ctx, size_t key_at, End end, uint64_t count, uint64_t total, Shape shape) {
  const bool min = end == End::kMin;
  const ZsetRange range = min ? ZsetRange::Ranks(0, count - 1) : ZsetRange::Ranks(total - count, total - 1);
  const auto answer = [&ctx, shape](double score, std::string_view member) {
    if (shape == Shape::kNested) ctx.reply.Array(2);
    ctx.reply.Bulk(member);
    ctx.reply.Double(score);
    return true;
  };
  const storage::MemberVisitor visit(answer);
  uint64_t removed = 0;
  BASALT_RETURN_IF_ERROR(ZsetStore::RemoveRange(ctx.txn(), ctx.db(), ctx.key(key_at), range,
                                                min ? ScanOrder::kForward : ScanOrder::kBackward, &visit, &removed));
  NotifyRemoval(ctx, kEventZset, min ? "zpopmin" : "zpopmax", ctx.arg(key_at));
  return Ok();
}

// The first of the keys that is there: its argument, 0 when none is, and how many members it has.
Status FirstOf(CommandContext& ctx, size_t first, size_t end, size_t* at, uint64_t* total) {
  *at = 0;
  for (size_t i = first; i < end; ++i) {
    RecordPtr record;
    const storage::Status found = ctx.txn().GetRecord(ctx.db(), ctx.key(i), ValueType::kZset, &record);
    if (found == storage::Status::kNotFound) continue;
    if (found != storage::Status::kOk) return found;
    *at = i;
    *total = ZsetStore::Count(*record);
    return Ok();
  }
  return Ok();
}

Status Pop(CommandContext& ctx, End end) {
  if (ctx.argc() > 3) return ErrorCode::kSyntax;
  int64_t count = 1;
  const bool counted = ctx.argc() == 3;
  if (counted) {
    BASALT_RETURN_IF_ERROR(ParseWithin(ctx.arg(2), 0, std::numeric_limits<int64_t>::max(),
                                       "value is out of range, must be positive", &count));
  }
  size_t at = 0;
  uint64_t total = 0;
  BASALT_RETURN_IF_ERROR(FirstOf(ctx, 1, 2, &at, &total));
  if (at == 0 || count == 0) {
    ctx.reply.Array(0);
    return Ok();
  }
  const uint64_t taken = std::min(static_cast<uint64_t>(count), total);
  const bool nested = counted && ctx.reply.version() == net::RespVersion::kResp3;
  ctx.reply.Array(nested ? taken : 2 * taken);
  return Take(ctx, 1, end, taken, total, nested ? Shape::kNested : Shape::kFlat);
}

// ---- ZMPOP, BZMPOP ----

struct MultiPop {
  size_t first = 0, end_of_keys = 0;  // arguments
  End end = End::kMin;
  int64_t count = 1;
};

Status ParseMultiPop(const CommandContext& ctx, size_t number_at, MultiPop* pop) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t keys;
  BASALT_RETURN_IF_ERROR(ParseWithin(ctx.arg(number_at), 1, kMax, "numkeys should be greater than 0", &keys));
  pop->first = number_at + 1;
  if (keys >= static_cast<int64_t>(ctx.argc() - pop->first)) return ErrorCode::kSyntax;
  pop->end_of_keys = pop->first + static_cast<size_t>(keys);
  const std::string_view where = ctx.arg(pop->end_of_keys);
  if (!EqualsIgnoreCase(where, "MIN") && !EqualsIgnoreCase(where, "MAX")) return ErrorCode::kSyntax;
  pop->end = EqualsIgnoreCase(where, "MIN") ? End::kMin : End::kMax;
  bool counted = false;
  for (size_t i = pop->end_of_keys + 1; i < ctx.argc(); ++i) {
    if (counted || !EqualsIgnoreCase(ctx.arg(i), "COUNT") || i + 1 == ctx.argc()) return ErrorCode::kSyntax;
    counted = true;
    BASALT_RETURN_IF_ERROR(ParseWithin(ctx.arg(++i), 1, kMax, "count should be greater than 0", &pop->count));
  }
  return Ok();
}

// Answers from the first key that has something. *served: one had.
Status PopFromFirst(CommandContext& ctx, const MultiPop& pop, bool* served) {
  size_t at = 0;
  uint64_t total = 0;
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, pop.end_of_keys - pop.first));
  BASALT_RETURN_IF_ERROR(FirstOf(ctx, pop.first, pop.end_of_keys, &at, &total));
  *served = at != 0;
  if (!*served) return Ok();
  const uint64_t taken = std::min(static_cast<uint64_t>(pop.count), total);
  ctx.reply.Array(2);
  ctx.reply.Bulk(ctx.arg(at));
  ctx.reply.Array(taken);
  return Take(ctx, at, pop.end, taken, total, Shape::kNested);
}

// ---- BZPOPMIN, BZPOPMAX ----

Status BlockingPop(CommandContext& ctx, End end) {
  int64_t timeout_ms;
  BASALT_RETURN_IF_ERROR(ParseBlockSeconds(ctx, ctx.arg(ctx.argc() - 1), &timeout_ms));
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - 2));
  size_t at = 0;
  uint64_t total = 0;
  BASALT_RETURN_IF_ERROR(FirstOf(ctx, 1, ctx.argc() - 1, &at, &total));
  if (at != 0) {
    ctx.reply.Array(3);
    ctx.reply.Bulk(ctx.arg(at));
    return Take(ctx, at, end, 1, total, Shape::kFlat);
  }
  if (!MayBlock(ctx)) {
    ctx.reply.NullArray();
    return Ok();
  }
  return BlockOnKeys(ctx, ctx.argv.subspan(1, ctx.argc() - 2), ValueType::kZset, timeout_ms);
}

}  // namespace

Status ParseWithin(std::string_view text, int64_t min, int64_t max, std::string_view message, int64_t* value) {
  if (ParseInteger(text, value) && *value >= min && *value <= max) return Ok();
  return Status::Message("ERR " + std::string(message));
}

Status ZPopMin(CommandContext& ctx) { return Pop(ctx, End::kMin); }
Status ZPopMax(CommandContext& ctx) { return Pop(ctx, End::kMax); }

Status ZMPop(CommandContext& ctx) {
  MultiPop pop;
  BASALT_RETURN_IF_ERROR(ParseMultiPop(ctx, 1, &pop));
  bool served = false;
  BASALT_RETURN_IF_ERROR(PopFromFirst(ctx, pop, &served));
  if (!served) ctx.reply.NullArray();
  return Ok();
}

Status BZPopMin(CommandContext& ctx) { return BlockingPop(ctx, End::kMin); }
Status BZPopMax(CommandContext& ctx) { return BlockingPop(ctx, End::kMax); }

Status BZMPop(CommandContext& ctx) {
  MultiPop pop;
  BASALT_RETURN_IF_ERROR(ParseMultiPop(ctx, 2, &pop));
  int64_t timeout_ms;
  BASALT_RETURN_IF_ERROR(ParseBlockSeconds(ctx, ctx.arg(1), &timeout_ms));
  bool served = false;
  BASALT_RETURN_IF_ERROR(PopFromFirst(ctx, pop, &served));
  if (served) return Ok();
  if (!MayBlock(ctx)) {
    ctx.reply.NullArray();
    return Ok();
  }
  return BlockOnKeys(ctx, ctx.argv.subspan(pop.first, pop.end_of_keys - pop.first), ValueType::kZset, timeout_ms);
}

}  // namespace basalt
