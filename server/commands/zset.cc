// Sorted sets: their commands, and the handlers of single members. Ranges, pops and combinations have files of their
// own.

#include "server/commands/zset.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "server/client_registry.h"
#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/commands/scan_options.h"
#include "server/config_table.h"
#include "server/session.h"
#include "storage/collection.h"
#include "storage/random.h"

namespace basalt {

storage::ZsetLimits ZsetLimitsOf(const CommandContext& ctx) {
  const ConfigSnapshot& config = ctx.services.config.current();
  return {.listpack_entries_max = static_cast<uint64_t>(config.zset_max_listpack_entries),
          .listpack_value_max = static_cast<uint64_t>(config.zset_max_listpack_value)};
}

namespace {

using storage::HashedKey;
using storage::RecordPtr;
using storage::ScoredMember;
using storage::ValueType;
using storage::ZsetStore;

storage::Status Lookup(CommandContext& ctx, RecordPtr* record) {
  return LookupCollection(ctx, ctx.view(), ctx.key(1), ValueType::kZset, record);
}

// ---- ZADD, ZINCRBY ----

struct AddArguments {
  ZsetStore::AddOptions options;
  bool count_changed = false;
  size_t items_at = 2;
};

Status ParseAddOptions(const CommandContext& ctx, AddArguments* arguments) {
  ZsetStore::AddOptions& options = arguments->options;
  size_t& at = arguments->items_at;
  for (; at < ctx.argc(); ++at) {
    const std::string_view word = ctx.arg(at);
    if (EqualsIgnoreCase(word, "NX")) {
      options.nx = true;
    } else if (EqualsIgnoreCase(word, "XX")) {
      options.xx = true;
    } else if (EqualsIgnoreCase(word, "CH")) {
      arguments->count_changed = true;
    } else if (EqualsIgnoreCase(word, "INCR")) {
      options.incr = true;
    } else if (EqualsIgnoreCase(word, "GT")) {
      options.gt = true;
    } else if (EqualsIgnoreCase(word, "LT")) {
      options.lt = true;
    } else {
      break;
    }
  }
  const size_t words = ctx.argc() - at;
  if (words == 0 || words % 2 != 0) return ErrorCode::kSyntax;
  if (options.nx && options.xx) {
    return Status::Message("ERR XX and NX options at the same time are not compatible");
  }
  if ((options.gt && options.nx) || (options.lt && options.nx) || (options.gt && options.lt)) {
    return Status::Message("ERR GT, LT, and/or NX options at the same time are not compatible");
  }
  if (options.incr && words > 2) {
    return Status::Message("ERR INCR option supports a single increment-element pair");
  }
  return Ok();
}

Status AddItems(CommandContext& ctx, const AddArguments& arguments) {
  const size_t count = (ctx.argc() - arguments.items_at) / 2;
  ZsetStore::AddItem few[8];
  std::vector<ZsetStore::AddItem> many(count > std::size(few) ? count : 0);
  const std::span<ZsetStore::AddItem> items(many.empty() ? few : many.data(), count);
  uint64_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = arguments.items_at + 2 * i;
    if (!ParseDouble(ctx.arg(at), &items[i].score)) return ErrorCode::kNotFloat;
    items[i].member = ctx.arg(at + 1);
    bytes += items[i].member.size();
  }
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, count));
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes));
  ZsetStore::AddOutcome outcome;
  BASALT_RETURN_IF_ERROR(
      ZsetStore::Add(ctx.txn(), ctx.db(), ctx.key(1), items, arguments.options, ZsetLimitsOf(ctx), &outcome));
  if (outcome.nan) return Status::Message("ERR resulting score is not a number (NaN)");
  if (outcome.added + outcome.updated > 0) {
    NotifyKey(ctx, kEventZset, arguments.options.incr ? "zincr" : "zadd", ctx.arg(1));
  }
  if (!arguments.options.incr) {
    ctx.reply.Integer(static_cast<int64_t>(outcome.added + (arguments.count_changed ? outcome.updated : 0)));
  } else if (outcome.processed) {
    ctx.reply.Double(outcome.score);
  } else {
    ctx.reply.Null();
  }
  return Ok();
}

Status ZAdd(CommandContext& ctx) {
  AddArguments arguments;
  BASALT_RETURN_IF_ERROR(ParseAddOptions(ctx, &arguments));
  return AddItems(ctx, arguments);
}

// Redis reads the options of ZADD here too.
Status ZIncrBy(CommandContext& ctx) {
  AddArguments arguments;
  arguments.options.incr = true;
  BASALT_RETURN_IF_ERROR(ParseAddOptions(ctx, &arguments));
  return AddItems(ctx, arguments);
}

// ---- ZREM, ZCARD, ZSCORE, ZMSCORE ----

Status ZRem(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - 2));
  uint64_t removed = 0;
  const storage::Status status = ZsetStore::Remove(ctx.txn(), ctx.db(), ctx.key(1), ctx.argv.subspan(2), &removed);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  if (removed > 0) NotifyRemoval(ctx, kEventZset, "zrem", ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(removed));
  return Ok();
}

Status ZCard(CommandContext& ctx) {
  RecordPtr record;
  const storage::Status found = LookupKey(ctx, ctx.view(), ctx.key(1), &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  if (record != nullptr && record->type() != ValueType::kZset) return ErrorCode::kWrongType;
  ctx.reply.Integer(record == nullptr ? 0 : static_cast<int64_t>(ZsetStore::Count(*record)));
  return Ok();
}

// The score of a member, or null; also when there is no such key.
Status AnswerScore(CommandContext& ctx, const RecordPtr& record, std::string_view member) {
  double score = 0;
  const storage::Status found =
      record == nullptr ? storage::Status::kNotFound : ZsetStore::Score(ctx.view(), *record, member, &score);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  found == storage::Status::kOk ? ctx.reply.Double(score) : ctx.reply.Null();
  return Ok();
}

Status ZScore(CommandContext& ctx) {
  RecordPtr record;
  const storage::Status found = Lookup(ctx, &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  return AnswerScore(ctx, record, ctx.arg(2));
}

Status ZMScore(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - 2));
  RecordPtr record;
  const storage::Status found = Lookup(ctx, &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  ctx.reply.Array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) BASALT_RETURN_IF_ERROR(AnswerScore(ctx, record, ctx.arg(i)));
  return Ok();
}

// ---- ZRANDMEMBER ----

// So many draws, each a few reads, are the fast lane's.
constexpr uint64_t kFastLaneDrawsMax = 64;

// `count` members, some of them perhaps more than once.
Status AnswerDraws(CommandContext& ctx, const storage::Record& record, uint64_t count, bool with_scores) {
  if (count > kFastLaneDrawsMax && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
  const std::atomic<bool>& killed = ctx.session.info->killed;
  MembersReply reply(ctx.reply, with_scores);
  const uint64_t total = ZsetStore::Count(record);
  if (total <= count && total <= 4096) {  // then looking at all of them is less work than one draw each
    std::vector<ScoredMember> all;
    BASALT_RETURN_IF_ERROR(ZsetStore::RandomDistinct(ctx.view(), record, total, &all));
    if (all.empty()) return storage::Status::kCorruption;
    for (; count > 0 && !killed.load(std::memory_order_relaxed); --count) {
      const ScoredMember& member = all[storage::RandomBelow(all.size())];
      reply.Add(member.score, member.member);
    }
  } else {
    ScoredMember member;
    for (; count > 0 && !killed.load(std::memory_order_relaxed); --count) {
      BASALT_RETURN_IF_ERROR(ZsetStore::Random(ctx.view(), record, &member));
      reply.Add(member.score, member.member);
    }
  }
  reply.End();
  return Ok();
}

Status ZRandMemberCount(CommandContext& ctx) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t count;
  if (!ParseInteger(ctx.arg(2), &count)) return ErrorCode::kNotInteger;
  if (count < -kMax) {
    return Status::Message(
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
  }
  const bool with_scores = ctx.argc() == 4;
  if (ctx.argc() > 4 || (with_scores && !EqualsIgnoreCase(ctx.arg(3), "WITHSCORES"))) return ErrorCode::kSyntax;
  if (with_scores && (count < -kMax / 2 || count > kMax / 2)) return ErrorCode::kOutOfRange;
  RecordPtr record;
  const storage::Status found = Lookup(ctx, &record);
  if (found == storage::Status::kNotFound) {
    ctx.reply.Array(0);
    return Ok();
  }
  if (found != storage::Status::kOk) return found;
  if (count < 0) return AnswerDraws(ctx, *record, static_cast<uint64_t>(-count), with_scores);
  const uint64_t total = ZsetStore::Count(*record);
  const uint64_t wanted = std::min(static_cast<uint64_t>(count), total);
  // Each draw looks at about 32 rows, all draws together at most at all of them.
  if (!storage::IsPacked(*record) && std::min(total, 32 * wanted) > kFastLaneDrawsMax * 16 && !ctx.in_slow_lane()) {
    return ErrorCode::kNeedSlowLane;
  }
  MembersReply reply(ctx.reply, with_scores);
  if (wanted == total) {
    BASALT_RETURN_IF_ERROR(ZsetStore::ForEach(ctx.view(), *record, [&reply](double score, std::string_view member) {
      reply.Add(score, member);
      return true;
    }));
  } else {
    std::vector<ScoredMember> members;
    BASALT_RETURN_IF_ERROR(ZsetStore::RandomDistinct(ctx.view(), *record, wanted, &members));
    for (const ScoredMember& member : members) reply.Add(member.score, member.member);
  }
  reply.End();
  return Ok();
}

Status ZRandMember(CommandContext& ctx) {
  if (ctx.argc() > 2) return ZRandMemberCount(ctx);
  RecordPtr record;
  const storage::Status found = Lookup(ctx, &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  if (record == nullptr) {
    ctx.reply.Null();
    return Ok();
  }
  ScoredMember member;
  BASALT_RETURN_IF_ERROR(ZsetStore::Random(ctx.view(), *record, &member));
  ctx.reply.Bulk(member.member);
  return Ok();
}

// ---- ZSCAN ----

// Redis writes the scores of a skiplist with 17 digits here, and nowhere else.
void AnswerScanScore(net::ReplyBuilder& reply, storage::Encoding encoding, double score) {
  if (encoding == storage::Encoding::kListpack || std::isinf(score)) {
    net::ReplyBuilder(&reply.buffer(), net::RespVersion::kResp2).Double(score);
    return;
  }
  char text[48];
  const int size = std::snprintf(text, sizeof(text), "%.17Lg", static_cast<long double>(score));
  reply.Bulk({text, static_cast<size_t>(size)});
}

Status ZScan(CommandContext& ctx) {
  uint64_t cursor;
  if (!ParseScanCursor(ctx.arg(2), &cursor)) return Status::Message("ERR invalid cursor");
  RecordPtr record;
  const storage::Status found = Lookup(ctx, &record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  net::ReplyBuilder& reply = ctx.reply;
  const auto start = reply.Mark();
  uint64_t words = 0, next = 0;
  if (record != nullptr) {
    ScanOptions options;
    BASALT_RETURN_IF_ERROR(ParseScanOptions(ctx.argv.subspan(3), ScanTypeOption::kUnknown, &options));
    const auto visit = [&](double score, std::string_view member) {
      if (!options.MatchesName(member)) return true;
      reply.Bulk(member);
      AnswerScanScore(reply, record->header().encoding, score);
      words += 2;
      return true;
    };
    BASALT_RETURN_IF_ERROR(
        ZsetStore::Scan(ctx.view(), *record, cursor, static_cast<uint64_t>(options.count), visit, &next));
  }
  InsertScanHeader(reply, start, next, words);
  return Ok();
}

// ---- the rows ----

constexpr KeySpec kRead = KeySpec::One(kKeyRO | kKeyAccess);
constexpr KeySpec kRemove = KeySpec::One(kKeyRW | kKeyDelete);
constexpr KeySpec kTake = KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete);
constexpr KeySpec kReadKeys = KeySpec::NumKeys(kKeyRO | kKeyAccess, 1);
constexpr KeySpec kStore = KeySpec::One(kKeyOW | kKeyUpdate);
constexpr KeySpec kStoredKeys = KeySpec::NumKeys(kKeyRO | kKeyAccess, 2);

constexpr CommandHistory kAddHistory[] = {{"2.4.0", "Takes several members."},
                                          {"3.0.2", "Options `XX`, `NX`, `CH` and `INCR`."},
                                          {"6.2.0", "Options `GT` and `LT`."}};
constexpr CommandHistory kRemHistory[] = {{"2.4.0", "Takes several members."}};
constexpr CommandHistory kRangeHistory[] = {{"6.2.0", "Options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`."}};
constexpr CommandHistory kByScoreHistory[] = {{"2.0.0", "Option `WITHSCORES`."}};
constexpr CommandHistory kRevByScoreHistory[] = {{"2.1.6", "Bounds may be exclusive."}};
constexpr CommandHistory kRankHistory[] = {{"7.2.0", "Option `WITHSCORE`."}};
constexpr CommandHistory kBlockHistory[] = {{"6.0.0", "The timeout may have a fraction."}};

constexpr CommandSpec kCommands[] = {
    {.name = "zadd",
     .arity = -4,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key [NX | XX] [GT | LT] [CH] [INCR] (score:double member)…",
     .since = "1.2.0",
     .complexity = "O(log N) for each member, N being the size of the set",
     .summary = "Adds members to a sorted set, or gives them other scores.",
     .handler = ZAdd,
     .history = kAddHistory},
    {.name = "zincrby",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key increment:integer member",
     .since = "1.2.0",
     .complexity = "O(log N), N being the size of the set",
     .summary = "Adds to the score of a member, which is created with it when absent.",
     .handler = ZIncrBy},
    {.name = "zrem",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {kRemove},
     .syntax = "key member…",
     .since = "1.2.0",
     .complexity = "O(M * log N), M being the number of members named, N the size of the set",
     .summary = "Removes members from a sorted set.",
     .handler = ZRem,
     .history = kRemHistory},
    {.name = "zcard",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key",
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Answers how many members a sorted set has.",
     .handler = ZCard},
    {.name = "zscore",
     .arity = 3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key member",
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Answers the score of a member.",
     .handler = ZScore},
    {.name = "zmscore",
     .arity = -3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key member…",
     .since = "6.2.0",
     .complexity = "O(M), M being the number of members named",
     .summary = "Answers the scores of several members.",
     .handler = ZMScore},
    {.name = "zrank",
     .arity = -3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key member [WITHSCORE]",
     .since = "2.0.0",
     .complexity = "O(log N), N being the size of the set",
     .summary = "Answers how many members stand before one, lowest scores first.",
     .handler = ZRank,
     .history = kRankHistory},
    {.name = "zrevrank",
     .arity = -3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key member [WITHSCORE]",
     .since = "2.0.0",
     .complexity = "O(log N), N being the size of the set",
     .summary = "Answers how many members stand before one, highest scores first.",
     .handler = ZRevRank,
     .history = kRankHistory},
    {.name = "zcount",
     .arity = 4,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key min:double max:double",
     .since = "2.0.0",
     .complexity = "O(log N), N being the size of the set",
     .summary = "Counts the members whose scores lie between two bounds.",
     .handler = ZCount},
    {.name = "zlexcount",
     .arity = 4,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key min max",
     .since = "2.8.9",
     .complexity = "O(log N), N being the size of the set",
     .summary = "Counts the members that lie between two strings, where all have the same score.",
     .handler = ZLexCount},
    {.name = "zrange",
     .arity = -4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset:integer count:integer] [WITHSCORES]",
     .since = "1.2.0",
     .complexity = "O(log N + M), N being the size of the set and M the number of members answered",
     .summary = "Answers the members of a range of ranks, scores or strings.",
     .handler = ZRange,
     .history = kRangeHistory},
    {.name = "zrangestore",
     .arity = -5,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kSortedSet,
     .keys = {kStore, KeySpec::One(kKeyRO | kKeyAccess, 2)},
     .syntax = "dst:key src:key min max [BYSCORE | BYLEX] [REV] [LIMIT offset:integer count:integer]",
     .since = "6.2.0",
     .complexity = "O(log N + M), N being the size of the set and M the number of members stored",
     .summary = "Stores the members of a range in another key.",
     .handler = ZRangeStore},
    {.name = "zrevrange",
     .arity = -4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key start:integer stop:integer [WITHSCORES]",
     .since = "1.2.0",
     .complexity = "O(log N + M), N being the size of the set and M the number of members answered",
     .summary = "Answers the members of a range of ranks, highest scores first.",
     .handler = ZRevRange,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with the `REV` argument"},
    {.name = "zrangebyscore",
     .arity = -4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key min:double max:double [WITHSCORES] [LIMIT offset:integer count:integer]",
     .since = "1.0.5",
     .complexity = "O(log N + M), N being the size of the set and M the number of members answered",
     .summary = "Answers the members whose scores lie between two bounds.",
     .handler = ZRangeByScore,
     .history = kByScoreHistory,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with the `BYSCORE` argument"},
    {.name = "zrevrangebyscore",
     .arity = -4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key max:double min:double [WITHSCORES] [LIMIT offset:integer count:integer]",
     .since = "2.2.0",
     .complexity = "O(log N + M), N being the size of the set and M the number of members answered",
     .summary = "Answers the members whose scores lie between two bounds, highest first.",
     .handler = ZRevRangeByScore,
     .history = kRevByScoreHistory,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with the `REV` and `BYSCORE` arguments"},
    {.name = "zrangebylex",
     .arity = -4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key min max [LIMIT offset:integer count:integer]",
     .since = "2.8.9",
     .complexity = "O(log N + M), N being the size of the set and M the number of members answered",
     .summary = "Answers the members that lie between two strings, where all have the same score.",
     .handler = ZRangeByLex,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with the `BYLEX` argument"},
    {.name = "zrevrangebylex",
     .arity = -4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key max min [LIMIT offset:integer count:integer]",
     .since = "2.8.9",
     .complexity = "O(log N + M), N being the size of the set and M the number of members answered",
     .summary = "Answers the members that lie between two strings, backward, where all have the same score.",
     .handler = ZRevRangeByLex,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with the `REV` and `BYLEX` arguments"},
    {.name = "zremrangebyrank",
     .arity = 4,
     .flags = kCmdWrite,
     .group = CommandGroup::kSortedSet,
     .keys = {kRemove},
     .syntax = "key start:integer stop:integer",
     .since = "2.0.0",
     .complexity = "O(log N + M), N being the size of the set and M the number of members removed",
     .summary = "Removes the members of a range of ranks.",
     .handler = ZRemRangeByRank},
    {.name = "zremrangebyscore",
     .arity = 4,
     .flags = kCmdWrite,
     .group = CommandGroup::kSortedSet,
     .keys = {kRemove},
     .syntax = "key min:double max:double",
     .since = "1.2.0",
     .complexity = "O(log N + M), N being the size of the set and M the number of members removed",
     .summary = "Removes the members whose scores lie between two bounds.",
     .handler = ZRemRangeByScore},
    {.name = "zremrangebylex",
     .arity = 4,
     .flags = kCmdWrite,
     .group = CommandGroup::kSortedSet,
     .keys = {kRemove},
     .syntax = "key min max",
     .since = "2.8.9",
     .complexity = "O(log N + M), N being the size of the set and M the number of members removed",
     .summary = "Removes the members that lie between two strings, where all have the same score.",
     .handler = ZRemRangeByLex},
    {.name = "zpopmin",
     .arity = -2,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {kTake},
     .syntax = "key [count:integer]",
     .since = "5.0.0",
     .complexity = "O(M * log N), M being the number of members taken, N the size of the set",
     .summary = "Removes and answers the members with the lowest scores.",
     .handler = ZPopMin},
    {.name = "zpopmax",
     .arity = -2,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kSortedSet,
     .keys = {kTake},
     .syntax = "key [count:integer]",
     .since = "5.0.0",
     .complexity = "O(M * log N), M being the number of members taken, N the size of the set",
     .summary = "Removes and answers the members with the highest scores.",
     .handler = ZPopMax},
    {.name = "zmpop",
     .arity = -4,
     .flags = kCmdWrite,
     .group = CommandGroup::kSortedSet,
     .keys = {KeySpec::NumKeys(kKeyRW | kKeyAccess | kKeyDelete, 1)},
     .syntax = "numkeys:integer key… (MIN | MAX) [COUNT count:integer]",
     .since = "7.0.0",
     .complexity = "O(K) + O(M * log N), K being the number of keys, M of the members taken, N the size of the set",
     .summary = "Removes and answers members from an end of the first sorted set that is there.",
     .handler = ZMPop},
    {.name = "bzpopmin",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast | kCmdBlocking,
     .group = CommandGroup::kSortedSet,
     .keys = {KeySpec::Range(kKeyRW | kKeyAccess | kKeyDelete, 1, -2, 1)},
     .syntax = "key… timeout:double",
     .since = "5.0.0",
     .complexity = "O(log N), N being the size of the set",
     .summary =
         "Removes and answers the member with the lowest score of the first sorted set that is there, waiting for one.",
     .handler = BZPopMin,
     .history = kBlockHistory},
    {.name = "bzpopmax",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast | kCmdBlocking,
     .group = CommandGroup::kSortedSet,
     .keys = {KeySpec::Range(kKeyRW | kKeyAccess | kKeyDelete, 1, -2, 1)},
     .syntax = "key… timeout:double",
     .since = "5.0.0",
     .complexity = "O(log N), N being the size of the set",
     .summary = "Removes and answers the member with the highest score of the first sorted set that is there, waiting "
                "for one.",
     .handler = BZPopMax,
     .history = kBlockHistory},
    {.name = "bzmpop",
     .arity = -5,
     .flags = kCmdWrite | kCmdBlocking,
     .group = CommandGroup::kSortedSet,
     .keys = {KeySpec::NumKeys(kKeyRW | kKeyAccess | kKeyDelete, 2)},
     .syntax = "timeout:double numkeys:integer key… (MIN | MAX) [COUNT count:integer]",
     .since = "7.0.0",
     .complexity = "O(K) + O(M * log N), K being the number of keys, M of the members taken, N the size of the set",
     .summary = "Removes and answers members from an end of the first sorted set that is there, waiting for one.",
     .handler = BZMPop},
    {.name = "zrandmember",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key [count:integer [WITHSCORES]]",
     .since = "6.2.0",
     .complexity = "O(M), M being the number of members answered",
     .summary = "Answers members picked at random.",
     .handler = ZRandMember,
     .tips = {"nondeterministic_output"}},
    {.name = "zscan",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kRead},
     .syntax = "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
     .since = "2.8.0",
     .complexity = "O(M), M being the number of members looked at; O(N) for a whole iteration",
     .summary = "Goes through the members of a sorted set, some at a time.",
     .handler = ZScan,
     .tips = {"nondeterministic_output"}},
    {.name = "zunion",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kReadKeys},
     .syntax = "numkeys:integer key… [WEIGHTS weight:integer…] [AGGREGATE (SUM | MIN | MAX)] [WITHSCORES]",
     .since = "6.2.0",
     .complexity = "O(N) + O(M * log M), N being the sizes of the sets together, M the size of the result",
     .summary = "Answers the union of sorted sets.",
     .handler = ZUnion},
    {.name = "zunionstore",
     .arity = -4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kSortedSet,
     .keys = {kStore, kStoredKeys},
     .syntax = "destination:key numkeys:integer key… [WEIGHTS weight:integer…] [AGGREGATE (SUM | MIN | MAX)]",
     .since = "2.0.0",
     .complexity = "O(N) + O(M * log M), N being the sizes of the sets together, M the size of the result",
     .summary = "Stores the union of sorted sets in a key.",
     .handler = ZUnionStore},
    {.name = "zinter",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kReadKeys},
     .syntax = "numkeys:integer key… [WEIGHTS weight:integer…] [AGGREGATE (SUM | MIN | MAX)] [WITHSCORES]",
     .since = "6.2.0",
     .complexity = "O(N * K) + O(M * log M), N being the size of the smallest set, K the number of sets, M the size of "
                   "the result",
     .summary = "Answers the intersection of sorted sets.",
     .handler = ZInter},
    {.name = "zinterstore",
     .arity = -4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kSortedSet,
     .keys = {kStore, kStoredKeys},
     .syntax = "destination:key numkeys:integer key… [WEIGHTS weight:integer…] [AGGREGATE (SUM | MIN | MAX)]",
     .since = "2.0.0",
     .complexity = "O(N * K) + O(M * log M), N being the size of the smallest set, K the number of sets, M the size of "
                   "the result",
     .summary = "Stores the intersection of sorted sets in a key.",
     .handler = ZInterStore},
    {.name = "zintercard",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kReadKeys},
     .syntax = "numkeys:integer key… [LIMIT limit:integer]",
     .since = "7.0.0",
     .complexity = "O(N * K), N being the size of the smallest set, K the number of sets",
     .summary = "Counts the members that several sorted sets have in common.",
     .handler = ZInterCard},
    {.name = "zdiff",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSortedSet,
     .keys = {kReadKeys},
     .syntax = "numkeys:integer key… [WITHSCORES]",
     .since = "6.2.0",
     .complexity =
         "O(N * K) + O(M * log M), N being the size of the first set, K the number of sets, M the size of the result",
     .summary = "Answers the members of the first sorted set that are in no other.",
     .handler = ZDiff},
    {.name = "zdiffstore",
     .arity = -4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kSortedSet,
     .keys = {kStore, kStoredKeys},
     .syntax = "destination:key numkeys:integer key…",
     .since = "6.2.0",
     .complexity =
         "O(N * K) + O(M * log M), N being the size of the first set, K the number of sets, M the size of the result",
     .summary = "Stores the members of the first sorted set that are in no other.",
     .handler = ZDiffStore},
};

}  // namespace

std::span<const CommandSpec> ZsetCommands() { return kCommands; }

}  // namespace basalt
