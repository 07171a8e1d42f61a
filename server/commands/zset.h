#pragma once

#include <cstdint>
#include <string_view>

#include "net/reply_builder.h"
#include "server/command_context.h"
#include "storage/zset_store.h"

namespace basalt {

// Sorted sets: what their rows (zset.cc) and handlers (zset*.cc) share.

// Members, with or without their scores, whose number is known only afterwards: with scores a flat array of pairs in
// RESP2, an array of pairs in RESP3.
class MembersReply {
 public:
  MembersReply(net::ReplyBuilder& reply, bool with_scores)
      : reply_(reply),
        with_scores_(with_scores),
        nested_(with_scores && reply.version() == net::RespVersion::kResp3),
        start_(reply.Mark()) {}
  void Add(double score, std::string_view member) {
    if (nested_) reply_.Array(2);
    reply_.Bulk(member);
    if (with_scores_) reply_.Double(score);
    ++count_;
  }
  void End() { reply_.InsertArray(start_, with_scores_ && !nested_ ? 2 * count_ : count_); }

 private:
  net::ReplyBuilder& reply_;
  const bool with_scores_, nested_;
  const net::OutputBuffer::Position start_;
  uint64_t count_ = 0;
};

// Redis' limits for OBJECT ENCODING.
storage::ZsetLimits ZsetLimitsOf(const CommandContext& ctx);

// "1.5", "(1.5", "-inf" … and "-", "+", "[a", "(a". `range` views the texts.
Status ParseScoreRange(std::string_view min, std::string_view max, storage::ZsetRange* range);
Status ParseLexRange(std::string_view min, std::string_view max, storage::ZsetRange* range);
// Indexes as ZRANGE has them, negative ones from the end, of a sorted set of `count` members. first > last: none.
void ClampIndexes(int64_t start, int64_t end, uint64_t count, uint64_t* first, uint64_t* last);
// An integer in [min, max], or the error `message` (without "ERR "), also when it is none.
Status ParseWithin(std::string_view text, int64_t min, int64_t max, std::string_view message, int64_t* value);

// zset_range.cc
Status ZRange(CommandContext& ctx);
Status ZRangeStore(CommandContext& ctx);
Status ZRevRange(CommandContext& ctx);
Status ZRangeByScore(CommandContext& ctx);
Status ZRevRangeByScore(CommandContext& ctx);
Status ZRangeByLex(CommandContext& ctx);
Status ZRevRangeByLex(CommandContext& ctx);
Status ZCount(CommandContext& ctx);
Status ZLexCount(CommandContext& ctx);
Status ZRank(CommandContext& ctx);
Status ZRevRank(CommandContext& ctx);
Status ZRemRangeByRank(CommandContext& ctx);
Status ZRemRangeByScore(CommandContext& ctx);
Status ZRemRangeByLex(CommandContext& ctx);

// zset_pop.cc
Status ZPopMin(CommandContext& ctx);
Status ZPopMax(CommandContext& ctx);
Status ZMPop(CommandContext& ctx);
Status BZPopMin(CommandContext& ctx);
Status BZPopMax(CommandContext& ctx);
Status BZMPop(CommandContext& ctx);

// zset_combine.cc
Status ZUnion(CommandContext& ctx);
Status ZInter(CommandContext& ctx);
Status ZDiff(CommandContext& ctx);
Status ZUnionStore(CommandContext& ctx);
Status ZInterStore(CommandContext& ctx);
Status ZDiffStore(CommandContext& ctx);
Status ZInterCard(CommandContext& ctx);

}  // namespace basalt
