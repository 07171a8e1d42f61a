// Ranges of sorted sets: by rank, score or member; answered, stored, counted, removed. And ranks.

#include <cmath>
#include <cstdlib>
#include <limits>

#include "server/commands/key_access.h"
#include "server/commands/zset.h"
#include "storage/zset_writer.h"

namespace basalt {

using storage::HashedKey;
using storage::RecordPtr;
using storage::ScanOrder;
using storage::ValueType;
using storage::ZsetRange;
using storage::ZsetStore;

// ---- reading arguments ----

namespace {

// As strtod has it: leading space, hex and overflow to infinity included; an empty text is 0. The bytes end with the
// first zero byte, as in C.
bool ParseScoreBound(std::string_view text, double* score, bool* open) {
  *open = text.starts_with('(');
  const std::string copy(text.substr(*open ? 1 : 0));
  char* end = nullptr;
  *score = std::strtod(copy.c_str(), &end);
  return *end == '\0' && !std::isnan(*score);
}

bool ParseLexBound(std::string_view text, ZsetRange::LexBound* bound) {
  using Kind = ZsetRange::LexKind;
  const char first = text.empty() ? '\0' : text[0];
  bound->bytes = text.substr(text.empty() ? 0 : 1);
  if (first == '[' || first == '(') {
    bound->kind = first == '[' ? Kind::kInclusive : Kind::kExclusive;
    return true;
  }
  bound->kind = first == '-' ? Kind::kMinimum : Kind::kMaximum;
  return (first == '-' || first == '+') && (bound->bytes.empty() || bound->bytes[0] == '\0');
}

}  // namespace

Status ParseScoreRange(std::string_view min, std::string_view max, ZsetRange* range) {
  range->by = ZsetRange::By::kScore;
  if (ParseScoreBound(min, &range->min, &range->min_open) && ParseScoreBound(max, &range->max, &range->max_open)) {
    return Ok();
  }
  return Status::Message("ERR min or max is not a float");
}

Status ParseLexRange(std::string_view min, std::string_view max, ZsetRange* range) {
  range->by = ZsetRange::By::kLex;
  if (ParseLexBound(min, &range->lex_min) && ParseLexBound(max, &range->lex_max)) return Ok();
  return Status::Message("ERR min or max not valid string range item");
}

void ClampIndexes(int64_t start, int64_t end, uint64_t count, uint64_t* first, uint64_t* last) {
  const int64_t length = static_cast<int64_t>(count);
  if (start < 0) start = std::max<int64_t>(length + start, 0);
  if (end < 0) end += length;
  const bool none = start > end || start >= length;
  *first = none ? 1 : static_cast<uint64_t>(start);
  *last = none ? 0 : static_cast<uint64_t>(std::min(end, length - 1));
}

// ---- ZRANGE and its many names ----

namespace {

enum class Direction : uint8_t { kForward, kReverse, kAsTold };

struct RangeCommand {
  std::optional<ZsetRange::By> by;  // absent: as told by BYSCORE, BYLEX
  Direction direction = Direction::kAsTold;
  bool stores = false;
  size_t source_at = 1;

  // What the arguments say.
  bool with_scores = false;
  int64_t offset = 0, limit = -1;
  int64_t start = 0, end = 0;  // by rank
  ZsetRange range;

  Status Parse(const CommandContext& ctx);
  Status ParseOptions(const CommandContext& ctx);
  // Calls visit for each member.
  storage::Status Run(storage::ReadView& view, const storage::Record& record, storage::MemberVisitor visit) const;
};

Status RangeCommand::ParseOptions(const CommandContext& ctx) {
  for (size_t i = source_at + 3; i < ctx.argc(); ++i) {
    const std::string_view word = ctx.arg(i);
    if (!stores && EqualsIgnoreCase(word, "WITHSCORES")) {
      with_scores = true;
    } else if (EqualsIgnoreCase(word, "LIMIT") && i + 2 < ctx.argc()) {
      if (!ParseInteger(ctx.arg(i + 1), &offset) || !ParseInteger(ctx.arg(i + 2), &limit))
        return ErrorCode::kNotInteger;
      i += 2;
    } else if (direction == Direction::kAsTold && EqualsIgnoreCase(word, "REV")) {
      direction = Direction::kReverse;
    } else if (!by && EqualsIgnoreCase(word, "BYLEX")) {
      by = ZsetRange::By::kLex;
    } else if (!by && EqualsIgnoreCase(word, "BYSCORE")) {
      by = ZsetRange::By::kScore;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return Ok();
}

Status RangeCommand::Parse(const CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(ParseOptions(ctx));
  if (!by) by = ZsetRange::By::kRank;
  if (limit != -1 && by == ZsetRange::By::kRank) {
    return Status::Message("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
  }
  if (with_scores && by == ZsetRange::By::kLex) {
    return Status::Message("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
  }
  std::string_view min = ctx.arg(source_at + 1), max = ctx.arg(source_at + 2);
  if (by == ZsetRange::By::kRank) {
    return ParseInteger(min, &start) && ParseInteger(max, &end) ? ErrorCode::kOk : ErrorCode::kNotInteger;
  }
  if (direction == Direction::kReverse) std::swap(min, max);
  return by == ZsetRange::By::kScore ? ParseScoreRange(min, max, &range) : ParseLexRange(min, max, &range);
}

storage::Status RangeCommand::Run(storage::ReadView& view, const storage::Record& record,
                                  storage::MemberVisitor visit) const {
  const bool reverse = direction == Direction::kReverse;
  const ScanOrder order = reverse ? ScanOrder::kBackward : ScanOrder::kForward;
  const uint64_t count = ZsetStore::Count(record);
  if (by == ZsetRange::By::kRank) {
    uint64_t first = 0, last = 0;
    ClampIndexes(start, end, count, &first, &last);
    if (first > last) return storage::Status::kOk;
    const ZsetRange ranks =
        reverse ? ZsetRange::Ranks(count - 1 - last, count - 1 - first) : ZsetRange::Ranks(first, last);
    return ZsetStore::Visit(view, record, ranks, order, 0, UINT64_MAX, visit);
  }
  if (offset < 0 || (offset > 0 && static_cast<uint64_t>(offset) >= count)) return storage::Status::kOk;
  return ZsetStore::Visit(view, record, range, order, static_cast<uint64_t>(offset),
                          limit < 0 ? UINT64_MAX : static_cast<uint64_t>(limit), visit);
}

Status AnswerRange(CommandContext& ctx, RangeCommand command) {
  BASALT_RETURN_IF_ERROR(command.Parse(ctx));
  RecordPtr record;
  const storage::Status found = LookupCollection(ctx, ctx.view(), ctx.key(1), ValueType::kZset, &record);
  if (found == storage::Status::kNotFound) {
    ctx.reply.Array(0);
    return Ok();
  }
  if (found != storage::Status::kOk) return found;
  MembersReply members(ctx.reply, command.with_scores);
  BASALT_RETURN_IF_ERROR(command.Run(ctx.view(), *record, [&members](double score, std::string_view member) {
    members.Add(score, member);
    return true;
  }));
  members.End();
  return Ok();
}

}  // namespace

Status ZRange(CommandContext& ctx) { return AnswerRange(ctx, {}); }
Status ZRevRange(CommandContext& ctx) {
  return AnswerRange(ctx, {.by = ZsetRange::By::kRank, .direction = Direction::kReverse});
}
Status ZRangeByScore(CommandContext& ctx) {
  return AnswerRange(ctx, {.by = ZsetRange::By::kScore, .direction = Direction::kForward});
}
Status ZRevRangeByScore(CommandContext& ctx) {
  return AnswerRange(ctx, {.by = ZsetRange::By::kScore, .direction = Direction::kReverse});
}
Status ZRangeByLex(CommandContext& ctx) {
  return AnswerRange(ctx, {.by = ZsetRange::By::kLex, .direction = Direction::kForward});
}
Status ZRevRangeByLex(CommandContext& ctx) {
  return AnswerRange(ctx, {.by = ZsetRange::By::kLex, .direction = Direction::kReverse});
}

Status ZRangeStore(CommandContext& ctx) {
  RangeCommand command{.stores = true, .source_at = 2};
  BASALT_RETURN_IF_ERROR(command.Parse(ctx));
  RecordPtr record, old;
  const storage::Status found = LookupCollection(ctx, ctx.txn(), ctx.key(2), ValueType::kZset, &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  storage::ZsetWriter result(ctx.txn(), record == nullptr ? 0 : ZsetStore::Count(*record));
  if (record != nullptr) {
    storage::Status written = storage::Status::kOk;
    BASALT_RETURN_IF_ERROR(command.Run(ctx.txn(), *record, [&](double score, std::string_view member) {
      written = result.Add(score, member);
      return written == storage::Status::kOk;
    }));
    BASALT_RETURN_IF_ERROR(written);
  }
  const storage::Status target = ctx.txn().GetRecord(ctx.db(), ctx.key(1), &old);
  if (target != storage::Status::kOk && target != storage::Status::kNotFound) return target;
  // Redis does not know how many there will be, but by rank, and then makes a skiplist.
  const storage::Encoding encoding =
      command.by == ZsetRange::By::kRank
          ? ZsetStore::EncodingOf(result.count(), result.longest_member_bytes(), ZsetLimitsOf(ctx))
          : storage::Encoding::kSkiplist;
  BASALT_RETURN_IF_ERROR(result.Finish(ctx.db(), ctx.key(1), encoding, storage::kNoExpire));
  NotifyStored(ctx, kEventZset, "zrangestore", ctx.arg(1), result.count());
  ctx.reply.Integer(static_cast<int64_t>(result.count()));
  return Ok();
}

// ---- ZCOUNT, ZLEXCOUNT ----

namespace {

using ParseRange = Status (*)(std::string_view min, std::string_view max, ZsetRange* range);

Status CountRange(CommandContext& ctx, ParseRange parse) {
  ZsetRange range;
  BASALT_RETURN_IF_ERROR(parse(ctx.arg(2), ctx.arg(3), &range));
  RecordPtr record;
  const storage::Status found = LookupCollection(ctx, ctx.view(), ctx.key(1), ValueType::kZset, &record);
  uint64_t count = 0;
  if (found != storage::Status::kNotFound) {
    if (found != storage::Status::kOk) return found;
    BASALT_RETURN_IF_ERROR(ZsetStore::CountIn(ctx.view(), *record, range, &count));
  }
  ctx.reply.Integer(static_cast<int64_t>(count));
  return Ok();
}

}  // namespace

Status ZCount(CommandContext& ctx) { return CountRange(ctx, ParseScoreRange); }
Status ZLexCount(CommandContext& ctx) { return CountRange(ctx, ParseLexRange); }

// ---- ZRANK, ZREVRANK ----

namespace {

Status AnswerRank(CommandContext& ctx, Direction direction) {
  if (ctx.argc() > 4) {
    return Status::Message("ERR wrong number of arguments for '" + std::string(ctx.spec.name) + "' command");
  }
  const bool with_score = ctx.argc() == 4;
  if (with_score && !EqualsIgnoreCase(ctx.arg(3), "WITHSCORE")) return ErrorCode::kSyntax;
  RecordPtr record;
  storage::Status found = LookupCollection(ctx, ctx.view(), ctx.key(1), ValueType::kZset, &record);
  uint64_t rank = 0;
  double score = 0;
  if (found == storage::Status::kOk) found = ZsetStore::Rank(ctx.view(), *record, ctx.arg(2), &rank, &score);
  if (found == storage::Status::kNotFound) {
    with_score ? ctx.reply.NullArray() : ctx.reply.Null();
    return Ok();
  }
  if (found != storage::Status::kOk) return found;
  if (direction == Direction::kReverse) rank = ZsetStore::Count(*record) - 1 - rank;
  if (with_score) ctx.reply.Array(2);
  ctx.reply.Integer(static_cast<int64_t>(rank));
  if (with_score) ctx.reply.Double(score);
  return Ok();
}

}  // namespace

Status ZRank(CommandContext& ctx) { return AnswerRank(ctx, Direction::kForward); }
Status ZRevRank(CommandContext& ctx) { return AnswerRank(ctx, Direction::kReverse); }

// ---- ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX ----

namespace {

Status RemoveRange(CommandContext& ctx, const ZsetRange& range, std::string_view event) {
  uint64_t removed = 0;
  const storage::Status status =
      ZsetStore::RemoveRange(ctx.txn(), ctx.db(), ctx.key(1), range, ScanOrder::kForward, nullptr, &removed);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  if (removed > 0) NotifyRemoval(ctx, kEventZset, event, ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(removed));
  return Ok();
}

}  // namespace

Status ZRemRangeByRank(CommandContext& ctx) {
  int64_t start, end;
  if (!ParseInteger(ctx.arg(2), &start) || !ParseInteger(ctx.arg(3), &end)) return ErrorCode::kNotInteger;
  RecordPtr record;
  const storage::Status found = ctx.txn().GetRecord(ctx.db(), ctx.key(1), ValueType::kZset, &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  ZsetRange range = ZsetRange::Ranks(1, 0);
  if (record != nullptr) ClampIndexes(start, end, ZsetStore::Count(*record), &range.first, &range.last);
  return RemoveRange(ctx, range, "zremrangebyrank");
}

Status ZRemRangeByScore(CommandContext& ctx) {
  ZsetRange range;
  BASALT_RETURN_IF_ERROR(ParseScoreRange(ctx.arg(2), ctx.arg(3), &range));
  return RemoveRange(ctx, range, "zremrangebyscore");
}

Status ZRemRangeByLex(CommandContext& ctx) {
  ZsetRange range;
  BASALT_RETURN_IF_ERROR(ParseLexRange(ctx.arg(2), ctx.arg(3), &range));
  return RemoveRange(ctx, range, "zremrangebylex");
}

}  // namespace basalt
