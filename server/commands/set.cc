// Sets of members, and their algebra.

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <vector>

#include "server/client_registry.h"
#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/commands/scan_options.h"
#include "server/config_table.h"
#include "server/session.h"
#include "storage/set_algebra.h"
#include "storage/set_store.h"

namespace basalt {
namespace {

using storage::ElementCount;
using storage::HashedKey;
using storage::RecordPtr;
using storage::SetAlgebra;
using storage::SetStore;
using storage::ValueType;

storage::SetLimits LimitsOf(const CommandContext& ctx) {
  const ConfigSnapshot& config = ctx.services.config.current();
  return {.intset_entries = static_cast<uint64_t>(config.set_max_intset_entries),
          .listpack_entries = static_cast<uint64_t>(config.set_max_listpack_entries),
          .listpack_value = static_cast<uint64_t>(config.set_max_listpack_value)};
}

// The set under argument `i` for a command that reads; *set stays null when there is none.
Status FindSet(CommandContext& ctx, storage::ReadView& view, size_t i, RecordPtr* set) {
  const storage::Status found = LookupCollection(ctx, view, ctx.key(i), ValueType::kSet, set);
  if (found != storage::Status::kNotFound) return found;
  *set = nullptr;
  return Ok();
}

// … for a command that changes it: no hit and no miss.
Status FindSetForWrite(CommandContext& ctx, size_t i, RecordPtr* set) {
  const storage::Status found = ctx.txn().GetRecord(ctx.db(), ctx.key(i), ValueType::kSet, set);
  if (found != storage::Status::kNotFound) return found;
  *set = nullptr;
  return Ok();
}

// Going through all of it in the fast lane is all right.
Status CheckLaneMembers(const CommandContext& ctx, const storage::Record& set) {
  return storage::IsPacked(set) ? Ok() : CheckLaneKeys(ctx, ElementCount(set));
}

// ---- one set ----

Status SAdd(CommandContext& ctx) {
  uint64_t bytes = 0;
  for (const std::string_view member : ctx.argv.subspan(2)) bytes += member.size();
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - 2));
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes));
  uint64_t added = 0;
  BASALT_RETURN_IF_ERROR(SetStore::Add(ctx.txn(), ctx.db(), ctx.key(1), ctx.argv.subspan(2), LimitsOf(ctx), &added));
  if (added > 0) NotifyKey(ctx, kEventSet, "sadd", ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(added));
  return Ok();
}

Status SRem(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - 2));
  uint64_t removed = 0;
  BASALT_RETURN_IF_ERROR(SetStore::Remove(ctx.txn(), ctx.db(), ctx.key(1), ctx.argv.subspan(2), &removed));
  if (removed > 0) NotifyRemoval(ctx, kEventSet, "srem", ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(removed));
  return Ok();
}

Status SMove(CommandContext& ctx) {
  SetStore::MoveOutcome outcome;
  BASALT_RETURN_IF_ERROR(
      SetStore::Move(ctx.txn(), ctx.db(), ctx.key(1), ctx.key(2), ctx.arg(3), LimitsOf(ctx), &outcome));
  if (outcome.found && ctx.arg(1) != ctx.arg(2)) NotifyRemoval(ctx, kEventSet, "srem", ctx.arg(1));
  if (outcome.added) NotifyKey(ctx, kEventSet, "sadd", ctx.arg(2));
  ctx.reply.Integer(outcome.found ? 1 : 0);
  return Ok();
}

// Whether `member` is in the set, as the integer that Redis answers. `set` may be null.
Status ReplyMembership(CommandContext& ctx, const RecordPtr& set, std::string_view member) {
  storage::Status found = storage::Status::kNotFound;
  if (set != nullptr) found = SetStore::Contains(ctx.view(), *set, member);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  ctx.reply.Integer(found == storage::Status::kOk ? 1 : 0);
  return Ok();
}

Status SIsMember(CommandContext& ctx) {
  RecordPtr set;
  BASALT_RETURN_IF_ERROR(FindSet(ctx, ctx.view(), 1, &set));
  return ReplyMembership(ctx, set, ctx.arg(2));
}

Status SMIsMember(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - 2));
  RecordPtr set;
  BASALT_RETURN_IF_ERROR(FindSet(ctx, ctx.view(), 1, &set));
  ctx.reply.Array(ctx.argc() - 2);
  for (const std::string_view member : ctx.argv.subspan(2)) BASALT_RETURN_IF_ERROR(ReplyMembership(ctx, set, member));
  return Ok();
}

Status SCard(CommandContext& ctx) {
  RecordPtr set;
  const storage::Status found = LookupKey(ctx, ctx.view(), ctx.key(1), &set);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  if (found == storage::Status::kOk && set->type() != ValueType::kSet) return ErrorCode::kWrongType;
  ctx.reply.Integer(found == storage::Status::kOk ? static_cast<int64_t>(ElementCount(*set)) : 0);
  return Ok();
}

// Every member as a bulk, behind a header that the caller has written.
Status ReplyMembers(CommandContext& ctx, storage::ReadView& view, const storage::Record& set) {
  net::ReplyBuilder& reply = ctx.reply;
  return SetStore::ForEach(view, set, [&reply](std::string_view member) {
    reply.Bulk(member);
    return true;
  });
}

Status SMembers(CommandContext& ctx) {
  RecordPtr set;
  BASALT_RETURN_IF_ERROR(FindSet(ctx, ctx.view(), 1, &set));
  if (set == nullptr) {
    ctx.reply.Set(0);
    return Ok();
  }
  BASALT_RETURN_IF_ERROR(CheckLaneMembers(ctx, *set));
  ctx.reply.Set(ElementCount(*set));
  return ReplyMembers(ctx, ctx.view(), *set);
}

Status SScan(CommandContext& ctx) {
  uint64_t cursor;
  if (!ParseScanCursor(ctx.arg(2), &cursor)) return Status::Message("ERR invalid cursor");
  RecordPtr set;
  BASALT_RETURN_IF_ERROR(FindSet(ctx, ctx.view(), 1, &set));
  net::ReplyBuilder& reply = ctx.reply;
  const auto start = reply.Mark();
  uint64_t next = 0;
  uint64_t count = 0;
  if (set != nullptr) {  // Redis does not look at the options of a scan of nothing
    ScanOptions options;
    BASALT_RETURN_IF_ERROR(ParseScanOptions(ctx.argv.subspan(3), ScanTypeOption::kUnknown, &options));
    if (options.count > kFastLaneScanCountMax && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
    BASALT_RETURN_IF_ERROR(SetStore::Scan(
        ctx.view(), *set, cursor, static_cast<uint64_t>(options.count),
        [&](std::string_view member) {
          if (options.MatchesName(member)) {
            reply.Bulk(member);
            ++count;
          }
          return true;
        },
        &next));
  }
  InsertScanHeader(reply, start, next, count);
  return Ok();
}

// ---- random members ----

Status ParsePopCount(std::string_view text, uint64_t* count) {
  int64_t number;
  if (!ParseInteger(text, &number) || number < 0) return ErrorCode::kMustBePositive;
  *count = static_cast<uint64_t>(number);
  return Ok();
}

Status PopInto(CommandContext& ctx, uint64_t count) {
  net::ReplyBuilder& reply = ctx.reply;
  BASALT_RETURN_IF_ERROR(
      SetStore::Pop(ctx.txn(), ctx.db(), ctx.key(1), count, LimitsOf(ctx), [&reply](std::string_view member) {
        reply.Bulk(member);
        return true;
      }));
  NotifyRemoval(ctx, kEventSet, "spop", ctx.arg(1));
  return Ok();
}

Status SPop(CommandContext& ctx) {
  if (ctx.argc() > 3) return ErrorCode::kSyntax;
  uint64_t count = 1;
  const bool one = ctx.argc() == 2;
  if (!one) BASALT_RETURN_IF_ERROR(ParsePopCount(ctx.arg(2), &count));
  RecordPtr set;
  BASALT_RETURN_IF_ERROR(FindSetForWrite(ctx, 1, &set));
  if (one) {
    if (set != nullptr) return PopInto(ctx, 1);
    ctx.reply.Null();
    return Ok();
  }
  if (set == nullptr) count = 0;
  if (count > 0) count = std::min(count, ElementCount(*set));
  ctx.reply.Set(count);
  if (count == 0) return Ok();
  if (!storage::IsPacked(*set)) {
    // What is drawn, or one pass over the set where that costs less.
    BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, std::min(count * 32, ElementCount(*set))));
  }
  return PopInto(ctx, count);
}

// Redis goes on until its client is closed, or its memory is used up. Here a reply ends where
// `client-output-total-limit` says that all replies together must.
Status CheckReplySize(const CommandContext& ctx) {
  const int64_t limit = ctx.services.config.current().client_output_total_limit;
  if (limit <= 0 || ctx.reply.Mark() < static_cast<uint64_t>(limit)) return Ok();
  return Status::Message("ERR reply would exceed client-output-total-limit");
}

Status RepliesWithRepeats(CommandContext& ctx, const storage::Record& set, uint64_t count) {
  BASALT_RETURN_IF_ERROR(
      CheckLaneKeys(ctx, storage::IsPacked(set) ? count / 8 : std::min(count, UINT64_MAX / 32) * 32));
  net::ReplyBuilder& reply = ctx.reply;
  reply.Array(count);
  const std::atomic<bool>& killed = ctx.session.info->killed;
  Status size = Ok();
  uint64_t visited = 0;
  BASALT_RETURN_IF_ERROR(SetStore::RandomRepeated(ctx.view(), set, count, [&](std::string_view member) {
    reply.Bulk(member);
    if (++visited % 1024 != 0) return true;
    size = CheckReplySize(ctx);
    return size.ok() && !killed.load(std::memory_order_relaxed);
  }));
  return size;
}

Status SRandMemberCount(CommandContext& ctx) {
  int64_t number;
  if (!ParseInteger(ctx.arg(2), &number)) return ErrorCode::kNotInteger;
  if (number == std::numeric_limits<int64_t>::min()) {
    return Status::Message(
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
  }
  RecordPtr set;
  BASALT_RETURN_IF_ERROR(FindSet(ctx, ctx.view(), 1, &set));
  if (set == nullptr || number == 0) {
    ctx.reply.Array(0);
    return Ok();
  }
  if (number < 0) return RepliesWithRepeats(ctx, *set, static_cast<uint64_t>(-number));
  const uint64_t total = ElementCount(*set);
  const uint64_t count = std::min(static_cast<uint64_t>(number), total);
  if (!storage::IsPacked(*set)) BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, count > total / 32 ? total : count * 32));
  net::ReplyBuilder& reply = ctx.reply;
  reply.Array(count);
  if (count == total) return ReplyMembers(ctx, ctx.view(), *set);
  return SetStore::RandomDistinct(ctx.view(), *set, count, [&reply](std::string_view member) {
    reply.Bulk(member);
    return true;
  });
}

Status SRandMember(CommandContext& ctx) {
  if (ctx.argc() > 3) return ErrorCode::kSyntax;
  if (ctx.argc() == 3) return SRandMemberCount(ctx);
  RecordPtr set;
  BASALT_RETURN_IF_ERROR(FindSet(ctx, ctx.view(), 1, &set));
  if (set == nullptr) {
    ctx.reply.Null();
    return Ok();
  }
  std::string member;
  BASALT_RETURN_IF_ERROR(SetStore::Random(ctx.view(), *set, &member));
  ctx.reply.Bulk(member);
  return Ok();
}

// ---- algebra ----

// The sets under arguments [first, first + count), null where there is none; every one's type is looked at.
Status FindSets(CommandContext& ctx, storage::ReadView& view, size_t first, size_t count,
                std::vector<RecordPtr>* sets) {
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, count));
  if (count > 1) view.RequireSnapshot();
  sets->resize(count);
  for (size_t i = 0; i < count; ++i) BASALT_RETURN_IF_ERROR(FindSet(ctx, view, first + i, &(*sets)[i]));
  return Ok();
}

Status ReplyAlgebra(CommandContext& ctx, SetAlgebra::Operation operation) {
  std::vector<RecordPtr> sets;
  BASALT_RETURN_IF_ERROR(FindSets(ctx, ctx.view(), 1, ctx.argc() - 1, &sets));
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, SetAlgebra::Cost(operation, sets)));
  net::ReplyBuilder& reply = ctx.reply;
  const std::atomic<bool>& killed = ctx.session.info->killed;
  const auto start = reply.Mark();
  uint64_t count = 0;
  BASALT_RETURN_IF_ERROR(SetAlgebra::Run(operation, ctx.view(), sets, [&](std::string_view member) {
    reply.Bulk(member);
    ++count;
    return !killed.load(std::memory_order_relaxed);
  }));
  reply.InsertSet(start, count);
  return Ok();
}

Status StoreAlgebra(CommandContext& ctx, SetAlgebra::Operation operation, std::string_view event) {
  std::vector<RecordPtr> sets;
  BASALT_RETURN_IF_ERROR(FindSets(ctx, ctx.txn(), 2, ctx.argc() - 2, &sets));
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, SetAlgebra::Cost(operation, sets)));
  uint64_t count = 0;
  BASALT_RETURN_IF_ERROR(SetAlgebra::Store(operation, ctx.txn(), ctx.db(), ctx.key(1), sets, LimitsOf(ctx), &count));
  NotifyStored(ctx, kEventSet, event, ctx.arg(1), count);
  ctx.reply.Integer(static_cast<int64_t>(count));
  return Ok();
}

Status SInter(CommandContext& ctx) { return ReplyAlgebra(ctx, SetAlgebra::Operation::kIntersect); }
Status SUnion(CommandContext& ctx) { return ReplyAlgebra(ctx, SetAlgebra::Operation::kUnite); }
Status SDiff(CommandContext& ctx) { return ReplyAlgebra(ctx, SetAlgebra::Operation::kSubtract); }
Status SInterStore(CommandContext& ctx) { return StoreAlgebra(ctx, SetAlgebra::Operation::kIntersect, "sinterstore"); }
Status SUnionStore(CommandContext& ctx) { return StoreAlgebra(ctx, SetAlgebra::Operation::kUnite, "sunionstore"); }
Status SDiffStore(CommandContext& ctx) { return StoreAlgebra(ctx, SetAlgebra::Operation::kSubtract, "sdiffstore"); }

Status ParseInterCard(const CommandContext& ctx, size_t* keys, uint64_t* limit) {
  int64_t number;
  if (!ParseInteger(ctx.arg(1), &number) || number < 1) {
    return Status::Message("ERR numkeys should be greater than 0");
  }
  if (static_cast<uint64_t>(number) > ctx.argc() - 2) {
    return Status::Message("ERR Number of keys can't be greater than number of args");
  }
  *keys = static_cast<size_t>(number);
  *limit = 0;
  for (size_t i = 2 + *keys; i < ctx.argc(); i += 2) {
    if (!EqualsIgnoreCase(ctx.arg(i), "LIMIT") || i + 1 == ctx.argc()) return ErrorCode::kSyntax;
    if (!ParseInteger(ctx.arg(i + 1), &number) || number < 0) return Status::Message("ERR LIMIT can't be negative");
    *limit = static_cast<uint64_t>(number);
  }
  return Ok();
}

Status SInterCard(CommandContext& ctx) {
  size_t keys = 0;
  uint64_t limit = 0;
  BASALT_RETURN_IF_ERROR(ParseInterCard(ctx, &keys, &limit));
  std::vector<RecordPtr> sets;
  BASALT_RETURN_IF_ERROR(FindSets(ctx, ctx.view(), 2, keys, &sets));
  int64_t count = 0;
  if (keys == 1) {
    const auto all = sets[0] == nullptr ? 0 : static_cast<int64_t>(ElementCount(*sets[0]));
    count = limit == 0 ? all : std::min(all, static_cast<int64_t>(limit));
  } else {
    BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, SetAlgebra::Cost(SetAlgebra::Operation::kIntersect, sets)));
    BASALT_RETURN_IF_ERROR(SetAlgebra::Intersect(ctx.view(), sets, [&](std::string_view) {
      ++count;
      return limit == 0 || static_cast<uint64_t>(count) < limit;
    }));
  }
  ctx.reply.Integer(count);
  return Ok();
}

// ---- rows ----

constexpr CommandHistory kMembersHistory[] = {{"2.4.0", "Takes more than one member."}};
constexpr CommandHistory kPopHistory[] = {{"3.2.0", "Added the count."}};
constexpr CommandHistory kRandomHistory[] = {{"2.6.0", "Added the count."}};

constexpr CommandSpec kSetCommands[] = {
    {.name = "sadd",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert)},
     .syntax = "key member…",
     .since = "1.0.0",
     .complexity = "O(1) for each member",
     .summary = "Adds members to a set, which is made when there is none.",
     .handler = SAdd,
     .history = kMembersHistory},
    {.name = "srem",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRW | kKeyDelete)},
     .syntax = "key member…",
     .since = "1.0.0",
     .complexity = "O(1) for each member",
     .summary = "Removes members from a set, and the key with the last of them.",
     .handler = SRem,
     .history = kMembersHistory},
    {.name = "smove",
     .arity = 4,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete), KeySpec::One(kKeyRW | kKeyInsert, 2)},
     .syntax = "source:key destination:key member",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Moves a member from one set to another.",
     .handler = SMove},
    {.name = "sismember",
     .arity = 3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key member",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Tells whether something is a member of a set.",
     .handler = SIsMember},
    {.name = "smismember",
     .arity = -3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key member…",
     .since = "6.2.0",
     .complexity = "O(1) for each member",
     .summary = "Tells of several things whether they are members of a set.",
     .handler = SMIsMember},
    {.name = "scard",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Counts the members of a set.",
     .handler = SCard},
    {.name = "smembers",
     .arity = 2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "1.0.0",
     .complexity = "O(N), N being the members of the set",
     .summary = "Returns all members of a set.",
     .handler = SMembers,
     .tips = {"nondeterministic_output_order"}},
    {.name = "sscan",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
     .since = "2.8.0",
     .complexity = "O(1) for each call, O(N) for all members",
     .summary = "Goes through the members of a set, some at a time.",
     .handler = SScan,
     .tips = {"nondeterministic_output"}},
    {.name = "spop",
     .arity = -2,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete)},
     .syntax = "key [count:integer]",
     .since = "1.0.0",
     .complexity = "O(1) for each member that is returned",
     .summary = "Takes random members out of a set and returns them.",
     .handler = SPop,
     .tips = {"nondeterministic_output"},
     .history = kPopHistory},
    {.name = "srandmember",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key [count:integer]",
     .since = "1.0.0",
     .complexity = "O(1) for each member that is returned",
     .summary = "Returns random members of a set.",
     .handler = SRandMember,
     .tips = {"nondeterministic_output"},
     .history = kRandomHistory},
    {.name = "sinter",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::Range(kKeyRO | kKeyAccess, 1, -1, 1)},
     .syntax = "key…",
     .since = "1.0.0",
     .complexity = "O(N*M), N being the members of the smallest set and M the sets",
     .summary = "Returns what is in all of the sets.",
     .handler = SInter,
     .tips = {"nondeterministic_output_order"}},
    {.name = "sinterstore",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate), KeySpec::Range(kKeyRO | kKeyAccess, 2, -1, 1)},
     .syntax = "destination:key key…",
     .since = "1.0.0",
     .complexity = "O(N*M), N being the members of the smallest set and M the sets",
     .summary = "Stores what is in all of the sets.",
     .handler = SInterStore},
    {.name = "sintercard",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::NumKeys(kKeyRO | kKeyAccess, 1)},
     .syntax = "numkeys:integer key… [LIMIT limit:integer]",
     .since = "7.0.0",
     .complexity = "O(N*M), N being the members of the smallest set and M the sets",
     .summary = "Counts what is in all of the sets.",
     .handler = SInterCard},
    {.name = "sunion",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::Range(kKeyRO | kKeyAccess, 1, -1, 1)},
     .syntax = "key…",
     .since = "1.0.0",
     .complexity = "O(N), N being the members of all sets",
     .summary = "Returns what is in any of the sets.",
     .handler = SUnion,
     .tips = {"nondeterministic_output_order"}},
    {.name = "sunionstore",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyOW | kKeyUpdate), KeySpec::Range(kKeyRO | kKeyAccess, 2, -1, 1)},
     .syntax = "destination:key key…",
     .since = "1.0.0",
     .complexity = "O(N), N being the members of all sets",
     .summary = "Stores what is in any of the sets.",
     .handler = SUnionStore},
    {.name = "sdiff",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::Range(kKeyRO | kKeyAccess, 1, -1, 1)},
     .syntax = "key…",
     .since = "1.0.0",
     .complexity = "O(N), N being the members of all sets",
     .summary = "Returns what is in the first set and in none of the others.",
     .handler = SDiff,
     .tips = {"nondeterministic_output_order"}},
    {.name = "sdiffstore",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::One(kKeyOW | kKeyUpdate), KeySpec::Range(kKeyRO | kKeyAccess, 2, -1, 1)},
     .syntax = "destination:key key…",
     .since = "1.0.0",
     .complexity = "O(N), N being the members of all sets",
     .summary = "Stores what is in the first set and in none of the others.",
     .handler = SDiffStore},
};

}  // namespace

std::span<const CommandSpec> SetCommands() { return kSetCommands; }

}  // namespace basalt
