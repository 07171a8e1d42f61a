// Unions, intersections and differences of sorted sets and sets.

#include <algorithm>
#include <limits>

#include "server/commands/key_access.h"
#include "server/commands/zset.h"
#include "storage/collection.h"
#include "storage/zset_algebra.h"

namespace basalt {
namespace {

using storage::RecordPtr;
using storage::ScoredMember;
using storage::ValueType;
using storage::ZsetAlgebra;
using storage::ZsetInput;
using Operation = storage::ZsetAlgebra::Operation;

enum class Result : uint8_t { kMembers, kStored, kCount };

struct Combination {
  Operation operation = Operation::kUnite;
  Result result = Result::kMembers;
  std::vector<ZsetInput> inputs = {};
  ZsetAlgebra::Aggregate aggregate = ZsetAlgebra::Aggregate::kSum;
  bool with_scores = false;
  int64_t limit = 0;  // ZINTERCARD; 0: none
};

storage::ReadView& ViewOf(CommandContext& ctx, Result result) {
  return result == Result::kStored ? static_cast<storage::ReadView&>(ctx.txn()) : ctx.view();
}

// Redis looks at the keys before it reads the options behind them.
Status FindInputs(CommandContext& ctx, size_t first, size_t count, Combination* combination) {
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, count));
  storage::ReadView& view = ViewOf(ctx, combination->result);
  view.RequireSnapshot();
  combination->inputs.resize(count);
  for (size_t i = 0; i < count; ++i) {
    RecordPtr& record = combination->inputs[i].record;
    const storage::Status found = LookupKey(ctx, view, ctx.key(first + i), &record);
    if (found == storage::Status::kNotFound) {
      record = nullptr;
      continue;
    }
    if (found != storage::Status::kOk) return found;
    if (record->type() != ValueType::kZset && record->type() != ValueType::kSet) return ErrorCode::kWrongType;
  }
  return Ok();
}

Status ParseOptions(const CommandContext& ctx, size_t at, Combination* combination) {
  const bool scored = combination->operation != Operation::kSubtract && combination->result != Result::kCount;
  const size_t keys = combination->inputs.size();
  while (at < ctx.argc()) {
    const std::string_view word = ctx.arg(at);
    const size_t left = ctx.argc() - at;
    if (scored && left >= keys + 1 && EqualsIgnoreCase(word, "WEIGHTS")) {
      for (size_t i = 0; i < keys; ++i) {
        if (!ParseDouble(ctx.arg(at + 1 + i), &combination->inputs[i].weight)) {
          return Status::Message("ERR weight value is not a float");
        }
      }
      at += keys + 1;
    } else if (scored && left >= 2 && EqualsIgnoreCase(word, "AGGREGATE")) {
      const std::string_view how = ctx.arg(at + 1);
      if (EqualsIgnoreCase(how, "SUM")) {
        combination->aggregate = ZsetAlgebra::Aggregate::kSum;
      } else if (EqualsIgnoreCase(how, "MIN")) {
        combination->aggregate = ZsetAlgebra::Aggregate::kMin;
      } else if (EqualsIgnoreCase(how, "MAX")) {
        combination->aggregate = ZsetAlgebra::Aggregate::kMax;
      } else {
        return ErrorCode::kSyntax;
      }
      at += 2;
    } else if (combination->result == Result::kMembers && EqualsIgnoreCase(word, "WITHSCORES")) {
      combination->with_scores = true;
      ++at;
    } else if (combination->result == Result::kCount && left >= 2 && EqualsIgnoreCase(word, "LIMIT")) {
      BASALT_RETURN_IF_ERROR(ParseWithin(ctx.arg(at + 1), 0, std::numeric_limits<int64_t>::max(),
                                         "LIMIT can't be negative", &combination->limit));
      at += 2;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return Ok();
}

Status Prepare(CommandContext& ctx, size_t number_at, Combination* combination) {
  int64_t keys;
  if (!ParseInteger(ctx.arg(number_at), &keys)) return ErrorCode::kNotInteger;
  if (keys < 1) {
    return Status::Message("ERR at least 1 input key is needed for '" + std::string(ctx.spec.name) + "' command");
  }
  const size_t first = number_at + 1;
  if (keys > static_cast<int64_t>(ctx.argc() - first)) return ErrorCode::kSyntax;
  BASALT_RETURN_IF_ERROR(FindInputs(ctx, first, static_cast<size_t>(keys), combination));
  return ParseOptions(ctx, first + static_cast<size_t>(keys), combination);
}

Status AnswerMembers(CommandContext& ctx, Operation operation) {
  Combination combination{.operation = operation};
  BASALT_RETURN_IF_ERROR(Prepare(ctx, 1, &combination));
  std::vector<ScoredMember> members;
  BASALT_RETURN_IF_ERROR(ZsetAlgebra::Run(operation, combination.aggregate, ctx.view(), combination.inputs,
                                          [&members](double score, std::string_view member) {
                                            members.push_back({score, std::string(member)});
                                            return true;
                                          }));
  std::sort(members.begin(), members.end(), [](const ScoredMember& a, const ScoredMember& b) {
    return a.score != b.score ? a.score < b.score : a.member < b.member;
  });
  MembersReply reply(ctx.reply, combination.with_scores);
  for (const ScoredMember& member : members) reply.Add(member.score, member.member);
  reply.End();
  return Ok();
}

Status StoreMembers(CommandContext& ctx, Operation operation, std::string_view event) {
  Combination combination{.operation = operation, .result = Result::kStored};
  BASALT_RETURN_IF_ERROR(Prepare(ctx, 2, &combination));
  uint64_t count = 0;
  BASALT_RETURN_IF_ERROR(ZsetAlgebra::Store(operation, combination.aggregate, ctx.txn(), ctx.db(), ctx.key(1),
                                            combination.inputs, ZsetLimitsOf(ctx), &count));
  NotifyStored(ctx, kEventZset, event, ctx.arg(1), count);
  ctx.reply.Integer(static_cast<int64_t>(count));
  return Ok();
}

}  // namespace

Status ZUnion(CommandContext& ctx) { return AnswerMembers(ctx, Operation::kUnite); }
Status ZInter(CommandContext& ctx) { return AnswerMembers(ctx, Operation::kIntersect); }
Status ZDiff(CommandContext& ctx) { return AnswerMembers(ctx, Operation::kSubtract); }
Status ZUnionStore(CommandContext& ctx) { return StoreMembers(ctx, Operation::kUnite, "zunionstore"); }
Status ZInterStore(CommandContext& ctx) { return StoreMembers(ctx, Operation::kIntersect, "zinterstore"); }
Status ZDiffStore(CommandContext& ctx) { return StoreMembers(ctx, Operation::kSubtract, "zdiffstore"); }

Status ZInterCard(CommandContext& ctx) {
  Combination combination{.operation = Operation::kIntersect, .result = Result::kCount};
  BASALT_RETURN_IF_ERROR(Prepare(ctx, 1, &combination));
  int64_t count = 0;
  BASALT_RETURN_IF_ERROR(ZsetAlgebra::Run(Operation::kIntersect, combination.aggregate, ctx.view(), combination.inputs,
                                          [&](double, std::string_view) {
                                            ++count;
                                            return combination.limit == 0 || count < combination.limit;
                                          }));
  ctx.reply.Integer(count);
  return Ok();
}

}  // namespace basalt
