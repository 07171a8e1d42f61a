// Lists. The commands that wait have their handlers in list_blocking.cc.

#include <algorithm>
#include <memory>

#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/commands/list_commands.h"
#include "server/commands/scan_options.h"
#include "server/config_table.h"

namespace basalt {

using storage::HashedKey;
using storage::List;
using storage::ListEnd;
using storage::ListStore;
using storage::ScanOrder;
using storage::ValueType;

namespace {

// ---- lookups, ranges, replies ----

// For commands that read. Counted.
storage::Status LookupList(CommandContext& ctx, const HashedKey& key, List* list) {
  storage::RecordPtr record;
  const storage::Status status = LookupCollection(ctx, ctx.view(), key, ValueType::kList, &record);
  if (status != storage::Status::kOk) return status;
  return storage::ParseList(std::move(record), list) ? storage::Status::kOk : storage::Status::kCorruption;
}

// What one command may show or look at in the fast lane, when nobody knows before how much it will be.
class LaneBudget {
 public:
  explicit LaneBudget(const CommandContext& ctx)
      : unlimited_(ctx.in_slow_lane()), rows_(kFastLaneScanCountMax), bytes_(kFastLaneBytesMax) {}

  // False: no further.
  bool Spend(std::string_view element) {
    if (unlimited_) return true;
    spent_ = rows_ <= 0 || bytes_ == 0;
    --rows_;
    bytes_ -= std::min<uint64_t>(bytes_, element.size());
    return !spent_;
  }
  bool spent() const { return spent_; }

 private:
  const bool unlimited_;
  bool spent_ = false;
  int64_t rows_;
  uint64_t bytes_;
};

// Indices from `start` to `stop`, both inclusive and negative from the end, of a list.
struct IndexRange {
  uint64_t first = 0;
  uint64_t count = 0;

  IndexRange(int64_t start, int64_t stop, uint64_t length) {
    const auto size = static_cast<int64_t>(length);
    if (start < 0) start = std::max<int64_t>(size + start, 0);
    if (stop < 0) stop += size;
    stop = std::min(stop, size - 1);
    if (start > stop) return;
    first = static_cast<uint64_t>(start);
    count = static_cast<uint64_t>(stop - start) + 1;
  }
};

// The element that an index means. False: there is none.
bool FindIndex(int64_t index, uint64_t length, uint64_t* found) {
  const auto size = static_cast<int64_t>(length);
  if (index < 0) index += size;
  if (index < 0 || index >= size) return false;
  *found = static_cast<uint64_t>(index);
  return true;
}

std::string_view PushEvent(ListEnd end) { return end == ListEnd::kHead ? "lpush" : "rpush"; }
std::string_view PopEvent(ListEnd end) { return end == ListEnd::kHead ? "lpop" : "rpop"; }

// ---- pushing ----

Status Push(CommandContext& ctx, ListEnd end, ListStore::IfAbsent if_absent) {
  const std::span<const std::string_view> elements = ctx.argv.subspan(2);
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, elements.size()));
  uint64_t bytes = 0;
  for (const std::string_view element : elements) bytes += element.size();
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes));
  uint64_t length = 0;
  const storage::Status status =
      ListStore::Push(ctx.txn(), ctx.db(), ctx.key(1), end, if_absent, elements, ListLimitsOf(ctx), &length);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  if (status == storage::Status::kOk) NotifyKey(ctx, kEventList, PushEvent(end), ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(length));
  return Ok();
}

Status LPush(CommandContext& ctx) { return Push(ctx, ListEnd::kHead, ListStore::IfAbsent::kCreate); }
Status RPush(CommandContext& ctx) { return Push(ctx, ListEnd::kTail, ListStore::IfAbsent::kCreate); }
Status LPushX(CommandContext& ctx) { return Push(ctx, ListEnd::kHead, ListStore::IfAbsent::kLeave); }
Status RPushX(CommandContext& ctx) { return Push(ctx, ListEnd::kTail, ListStore::IfAbsent::kLeave); }

// ---- popping ----

// Pops `count` elements, each of which becomes a reply.
Status PopAndReply(CommandContext& ctx, const HashedKey& key, const List& list, ListEnd end, uint64_t count) {
  BASALT_RETURN_IF_ERROR(list.packed() ? Ok() : CheckLaneKeys(ctx, std::min(count, list.count)));
  LaneBudget budget(ctx);
  BASALT_RETURN_IF_ERROR(
      ListStore::Pop(ctx.txn(), ctx.db(), key, list, end, count, ListLimitsOf(ctx), [&](std::string_view element) {
        ctx.reply.Bulk(element);
        return budget.Spend(element);
      }));
  NotifyRemoval(ctx, kEventList, PopEvent(end), key.key);
  return Ok();
}

Status Pop(CommandContext& ctx, ListEnd end) {
  if (ctx.argc() > 3) {
    return Status::Message("ERR wrong number of arguments for '" + std::string(ctx.spec.name) + "' command");
  }
  const bool counted = ctx.argc() == 3;
  int64_t count = 1;
  if (counted && (!ParseInteger(ctx.arg(2), &count) || count < 0)) return ErrorCode::kMustBePositive;
  const HashedKey key = ctx.key(1);
  List list;
  const storage::Status status = ListStore::Find(ctx.txn(), ctx.db(), key, &list);
  if (status == storage::Status::kNotFound) {
    counted ? ctx.reply.NullArray() : ctx.reply.Null();
    return Ok();
  }
  if (status != storage::Status::kOk) return status;
  if (counted) ctx.reply.Array(std::min(static_cast<uint64_t>(count), list.count));
  return count == 0 ? Ok() : PopAndReply(ctx, key, list, end, static_cast<uint64_t>(count));
}

Status LPop(CommandContext& ctx) { return Pop(ctx, ListEnd::kHead); }
Status RPop(CommandContext& ctx) { return Pop(ctx, ListEnd::kTail); }

Status LMPop(CommandContext& ctx) {
  MultiPop pop;
  BASALT_RETURN_IF_ERROR(ParseMultiPop(ctx.argv.subspan(1), &pop));
  bool served = false;
  BASALT_RETURN_IF_ERROR(PopFromFirst(ctx, pop, PopReply::kElements, &served));
  if (!served) ctx.reply.NullArray();
  return Ok();
}

Status MoveOrNull(CommandContext& ctx, ListEnd from_end, ListEnd to_end) {
  bool served = false;
  BASALT_RETURN_IF_ERROR(MoveElement(ctx, ctx.arg(1), from_end, ctx.arg(2), to_end, &served));
  if (!served) ctx.reply.Null();
  return Ok();
}

Status LMove(CommandContext& ctx) {
  ListEnd from_end = ListEnd::kHead;
  ListEnd to_end = ListEnd::kHead;
  BASALT_RETURN_IF_ERROR(ParseListEnd(ctx.arg(3), &from_end));
  BASALT_RETURN_IF_ERROR(ParseListEnd(ctx.arg(4), &to_end));
  return MoveOrNull(ctx, from_end, to_end);
}

Status RPopLPush(CommandContext& ctx) { return MoveOrNull(ctx, ListEnd::kTail, ListEnd::kHead); }

// ---- reading ----

Status LLen(CommandContext& ctx) {
  storage::RecordPtr record;
  const storage::Status status = LookupKey(ctx, ctx.view(), ctx.key(1), &record);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  if (record != nullptr && record->type() != ValueType::kList) return ErrorCode::kWrongType;
  List list;
  if (record != nullptr && !storage::ParseList(std::move(record), &list)) return ErrorCode::kCorruption;
  ctx.reply.Integer(static_cast<int64_t>(list.count));
  return Ok();
}

Status LIndex(CommandContext& ctx) {
  List list;
  storage::Status status = LookupList(ctx, ctx.key(1), &list);
  if (status == storage::Status::kNotFound) {
    ctx.reply.Null();
    return Ok();
  }
  if (status != storage::Status::kOk) return status;
  int64_t index = 0;
  if (!ParseInteger(ctx.arg(2), &index)) return ErrorCode::kNotInteger;
  uint64_t at = 0;
  if (!FindIndex(index, list.count, &at)) {
    ctx.reply.Null();
    return Ok();
  }
  std::string buffer;
  std::string_view element;
  status = ListStore::Get(ctx.view(), list, at, &buffer, &element);
  if (status != storage::Status::kOk) return status;
  if (buffer.size() < net::OutputBuffer::kPinBytesMin) {
    ctx.reply.Bulk(element);
  } else {
    const auto owner = std::make_shared<const std::string>(std::move(buffer));
    ctx.reply.BulkPinned(*owner, owner);
  }
  return Ok();
}

Status LRange(CommandContext& ctx) {
  int64_t start = 0;
  int64_t stop = 0;
  if (!ParseInteger(ctx.arg(2), &start) || !ParseInteger(ctx.arg(3), &stop)) return ErrorCode::kNotInteger;
  List list;
  storage::Status status = LookupList(ctx, ctx.key(1), &list);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  const IndexRange range(start, stop, list.count);
  if (!list.packed() && range.count > kFastLaneScanCountMax && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
  ctx.reply.Array(range.count);
  LaneBudget budget(ctx);
  status = ListStore::ForEach(ctx.view(), list, range.first, range.count, ScanOrder::kForward,
                              [&](std::string_view element) {
                                ctx.reply.Bulk(element);
                                return list.packed() || budget.Spend(element);
                              });
  return budget.spent() ? ErrorCode::kNeedSlowLane : Status(status);
}

struct LPosOptions {
  int64_t rank = 1;    // not 0; negative: from the tail
  int64_t count = -1;  // -1: not given; 0: all
  int64_t maxlen = 0;  // 0: no limit
};

Status ParseLPosOptions(std::span<const std::string_view> words, LPosOptions* options) {
  for (size_t i = 0; i < words.size(); i += 2) {
    if (i + 1 == words.size()) return ErrorCode::kSyntax;
    const std::string_view value = words[i + 1];
    if (EqualsIgnoreCase(words[i], "RANK")) {
      if (!ParseInteger(value, &options->rank)) return ErrorCode::kNotInteger;
      if (options->rank == INT64_MIN) {
        return Status::Message(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
      }
      if (options->rank == 0) {
        return Status::Message(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to "
            "start from the end of the list");
      }
    } else if (EqualsIgnoreCase(words[i], "COUNT")) {
      if (!ParseInteger(value, &options->count) || options->count < 0) {
        return Status::Message("ERR COUNT can't be negative");
      }
    } else if (EqualsIgnoreCase(words[i], "MAXLEN")) {
      if (!ParseInteger(value, &options->maxlen) || options->maxlen < 0) {
        return Status::Message("ERR MAXLEN can't be negative");
      }
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return Ok();
}

Status LPos(CommandContext& ctx) {
  LPosOptions options;
  BASALT_RETURN_IF_ERROR(ParseLPosOptions(ctx.argv.subspan(3), &options));
  const bool counted = options.count != -1;
  List list;
  storage::Status status = LookupList(ctx, ctx.key(1), &list);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;

  const bool forward = options.rank > 0;
  const uint64_t looked_at_max =
      options.maxlen == 0 ? list.count : std::min(static_cast<uint64_t>(options.maxlen), list.count);
  uint64_t to_skip = static_cast<uint64_t>(forward ? options.rank : -options.rank) - 1;
  const uint64_t wanted = !counted ? 1 : options.count == 0 ? UINT64_MAX : static_cast<uint64_t>(options.count);
  const std::string_view element = ctx.arg(2);
  const auto mark = ctx.reply.Mark();
  uint64_t found = 0;
  uint64_t looked_at = 0;
  LaneBudget budget(ctx);
  status = ListStore::ForEach(ctx.view(), list, forward ? 0 : list.count - looked_at_max, looked_at_max,
                              forward ? ScanOrder::kForward : ScanOrder::kBackward, [&](std::string_view each) {
                                const uint64_t index = forward ? looked_at : list.count - 1 - looked_at;
                                ++looked_at;
                                if (each == element) {
                                  if (to_skip > 0) {
                                    --to_skip;
                                  } else {
                                    ctx.reply.Integer(static_cast<int64_t>(index));
                                    if (++found == wanted) return false;
                                  }
                                }
                                return list.packed() || budget.Spend(each);
                              });
  if (budget.spent()) return ErrorCode::kNeedSlowLane;
  if (status != storage::Status::kOk) return status;
  if (counted) {
    ctx.reply.InsertArray(mark, found);
  } else if (found == 0) {
    ctx.reply.Null();
  }
  return Ok();
}

// ---- changing ----

Status LSet(CommandContext& ctx) {
  const HashedKey key = ctx.key(1);
  List list;
  storage::Status status = ListStore::Find(ctx.txn(), ctx.db(), key, &list);
  if (status == storage::Status::kNotFound) return ErrorCode::kNoSuchKey;
  if (status != storage::Status::kOk) return status;
  int64_t index = 0;
  if (!ParseInteger(ctx.arg(2), &index)) return ErrorCode::kNotInteger;
  uint64_t at = 0;
  if (!FindIndex(index, list.count, &at)) return Status::Message("ERR index out of range");
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, ctx.arg(3).size()));
  status = ListStore::Set(ctx.txn(), ctx.db(), key, list, at, ctx.arg(3), ListLimitsOf(ctx));
  if (status != storage::Status::kOk) return status;
  NotifyKey(ctx, kEventList, "lset", key.key);
  ctx.reply.Ok();
  return Ok();
}

Status LInsert(CommandContext& ctx) {
  ListStore::Side side;
  if (EqualsIgnoreCase(ctx.arg(2), "AFTER")) {
    side = ListStore::Side::kAfter;
  } else if (EqualsIgnoreCase(ctx.arg(2), "BEFORE")) {
    side = ListStore::Side::kBefore;
  } else {
    return ErrorCode::kSyntax;
  }
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, ctx.arg(4).size()));
  int64_t length = 0;
  const storage::Status status =
      ListStore::Insert(ctx.txn(), ctx.db(), ctx.key(1), side, ctx.arg(3), ctx.arg(4), ListLimitsOf(ctx), &length);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  if (length > 0) NotifyKey(ctx, kEventList, "linsert", ctx.arg(1));
  ctx.reply.Integer(length);
  return Ok();
}

Status LRem(CommandContext& ctx) {
  int64_t count = 0;
  if (!ParseInteger(ctx.arg(2), &count)) return ErrorCode::kNotInteger;
  uint64_t removed = 0;
  const storage::Status status =
      ListStore::Remove(ctx.txn(), ctx.db(), ctx.key(1), count, ctx.arg(3), ListLimitsOf(ctx), &removed);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  if (removed > 0) NotifyRemoval(ctx, kEventList, "lrem", ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(removed));
  return Ok();
}

Status LTrim(CommandContext& ctx) {
  int64_t start = 0;
  int64_t stop = 0;
  if (!ParseInteger(ctx.arg(2), &start) || !ParseInteger(ctx.arg(3), &stop)) return ErrorCode::kNotInteger;
  const HashedKey key = ctx.key(1);
  List list;
  storage::Status status = ListStore::Find(ctx.txn(), ctx.db(), key, &list);
  if (status == storage::Status::kOk) {
    const IndexRange kept(start, stop, list.count);
    status = ListStore::Trim(ctx.txn(), ctx.db(), key, list, kept.first, kept.count, ListLimitsOf(ctx));
  }
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  if (status == storage::Status::kOk) NotifyRemoval(ctx, kEventList, "ltrim", key.key);
  ctx.reply.Ok();
  return Ok();
}

// ---- rows ----

constexpr CommandHistory kPopHistory[] = {{"6.2.0", "Added the `count` argument."}};
constexpr CommandHistory kPushHistory[] = {{"2.4.0", "Accepts multiple `element` arguments."}};
constexpr CommandHistory kPushXHistory[] = {{"4.0.0", "Accepts multiple `element` arguments."}};
constexpr CommandHistory kTimeoutHistory[] = {{"6.0.0", "`timeout` is interpreted as a double instead of an integer."}};

constexpr CommandSpec kListCommands[] = {
    {.name = "lpush",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert)},
     .syntax = "key element…",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of elements added, however long the list is",
     .summary = "Puts elements at the head of a list, one after the other, creating it if needed.",
     .handler = LPush,
     .history = kPushHistory},
    {.name = "rpush",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert)},
     .syntax = "key element…",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of elements added, however long the list is",
     .summary = "Puts elements at the tail of a list, one after the other, creating it if needed.",
     .handler = RPush,
     .history = kPushHistory},
    {.name = "lpushx",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert)},
     .syntax = "key element…",
     .since = "2.2.0",
     .complexity = "O(N), N being the number of elements added, however long the list is",
     .summary = "Puts elements at the head of a list that exists.",
     .handler = LPushX,
     .history = kPushXHistory},
    {.name = "rpushx",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert)},
     .syntax = "key element…",
     .since = "2.2.0",
     .complexity = "O(N), N being the number of elements added, however long the list is",
     .summary = "Puts elements at the tail of a list that exists.",
     .handler = RPushX,
     .history = kPushXHistory},
    {.name = "lpop",
     .arity = -2,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete)},
     .syntax = "key [count:integer]",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of elements popped",
     .summary = "Removes elements from the head of a list and answers them; the last one takes the list with it.",
     .handler = LPop,
     .history = kPopHistory},
    {.name = "rpop",
     .arity = -2,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete)},
     .syntax = "key [count:integer]",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of elements popped",
     .summary = "Removes elements from the tail of a list and answers them; the last one takes the list with it.",
     .handler = RPop,
     .history = kPopHistory},
    {.name = "lmpop",
     .arity = -4,
     .flags = kCmdWrite,
     .group = CommandGroup::kList,
     .keys = {KeySpec::NumKeys(kKeyRW | kKeyAccess | kKeyDelete, 1)},
     .syntax = "numkeys:integer key… (LEFT | RIGHT) [COUNT count:integer]",
     .since = "7.0.0",
     .complexity = "O(N+M), N being the number of keys and M that of the elements popped",
     .summary = "Pops elements from the first of several lists that has any.",
     .handler = LMPop},
    {.name = "lmove",
     .arity = 5,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete), KeySpec::One(kKeyRW | kKeyInsert, 2)},
     .syntax = "source:key destination:key (LEFT | RIGHT) (LEFT | RIGHT)",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Moves an element from an end of one list to an end of another, or of the same, and answers it.",
     .handler = LMove},
    {.name = "rpoplpush",
     .arity = 3,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete), KeySpec::One(kKeyRW | kKeyInsert, 2)},
     .syntax = "source:key destination:key",
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Moves an element from the tail of one list to the head of another and answers it.",
     .handler = RPopLPush,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`LMOVE` with the `RIGHT` and `LEFT` arguments"},
    {.name = "llen",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers the length of a list.",
     .handler = LLen},
    {.name = "lindex",
     .arity = 3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key index:integer",
     .since = "1.0.0",
     .complexity = "O(1), wherever the element is",
     .summary = "Answers the element of a list at an index; negative ones count from the tail.",
     .handler = LIndex},
    {.name = "lrange",
     .arity = 4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key start:integer stop:integer",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of elements answered, wherever they are",
     .summary = "Answers the elements of a list from one index to another, both inclusive.",
     .handler = LRange},
    {.name = "lpos",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
     .since = "6.0.6",
     .complexity = "O(N), N being the number of elements looked at until enough were found",
     .summary = "Finds the indices at which a list has an element.",
     .handler = LPos},
    {.name = "lset",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key index:integer element",
     .since = "1.0.0",
     .complexity = "O(1), wherever the element is",
     .summary = "Replaces the element of a list at an index.",
     .handler = LSet},
    {.name = "linsert",
     .arity = 5,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert)},
     .syntax = "key (BEFORE | AFTER) pivot element",
     .since = "2.2.0",
     .complexity = "O(N+M), N being the distance of the pivot from the head and M that from the nearer end",
     .summary = "Puts an element before or behind the first one that equals another.",
     .handler = LInsert},
    {.name = "lrem",
     .arity = 4,
     .flags = kCmdWrite,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyDelete)},
     .syntax = "key count:integer element",
     .since = "1.0.0",
     .complexity = "O(N), N being the length of the list",
     .summary = "Removes the elements of a list that equal a value: all, or as many from the head or from the tail.",
     .handler = LRem},
    {.name = "ltrim",
     .arity = 4,
     .flags = kCmdWrite,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyDelete)},
     .syntax = "key start:integer stop:integer",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of elements removed",
     .summary = "Removes all elements of a list that are not between two indices, both inclusive.",
     .handler = LTrim},
    {.name = "blpop",
     .arity = -3,
     .flags = kCmdWrite | kCmdBlocking,
     .group = CommandGroup::kList,
     .keys = {KeySpec::Range(kKeyRW | kKeyAccess | kKeyDelete, 1, -2, 1)},
     .syntax = "key… timeout:double",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Pops from the head of the first of several lists that has an element, or waits until one has.",
     .handler = BlPop,
     .history = kTimeoutHistory},
    {.name = "brpop",
     .arity = -3,
     .flags = kCmdWrite | kCmdBlocking,
     .group = CommandGroup::kList,
     .keys = {KeySpec::Range(kKeyRW | kKeyAccess | kKeyDelete, 1, -2, 1)},
     .syntax = "key… timeout:double",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Pops from the tail of the first of several lists that has an element, or waits until one has.",
     .handler = BrPop,
     .history = kTimeoutHistory},
    {.name = "blmpop",
     .arity = -5,
     .flags = kCmdWrite | kCmdBlocking,
     .group = CommandGroup::kList,
     .keys = {KeySpec::NumKeys(kKeyRW | kKeyAccess | kKeyDelete, 2)},
     .syntax = "timeout:double numkeys:integer key… (LEFT | RIGHT) [COUNT count:integer]",
     .since = "7.0.0",
     .complexity = "O(N+M), N being the number of keys and M that of the elements popped",
     .summary = "Pops elements from the first of several lists that has any, or waits until one has.",
     .handler = BlMPop},
    {.name = "blmove",
     .arity = 6,
     .flags = kCmdWrite | kCmdDenyOom | kCmdBlocking,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete), KeySpec::One(kKeyRW | kKeyInsert, 2)},
     .syntax = "source:key destination:key (LEFT | RIGHT) (LEFT | RIGHT) timeout:double",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Moves an element from an end of one list to an end of another, waiting for one if there is none.",
     .handler = BlMove},
    {.name = "brpoplpush",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom | kCmdBlocking,
     .group = CommandGroup::kList,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete), KeySpec::One(kKeyRW | kKeyInsert, 2)},
     .syntax = "source:key destination:key timeout:double",
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Moves an element from the tail of one list to the head of another, waiting for one if there is none.",
     .handler = BrPopLPush,
     .history = kTimeoutHistory,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`BLMOVE` with the `RIGHT` and `LEFT` arguments"},
};

}  // namespace

storage::ListLimits ListLimitsOf(const CommandContext& ctx) {
  return storage::ListLimits(ctx.services.config.current().list_max_listpack_size);
}

Status ParseListEnd(std::string_view text, ListEnd* end) {
  if (EqualsIgnoreCase(text, "LEFT")) {
    *end = ListEnd::kHead;
  } else if (EqualsIgnoreCase(text, "RIGHT")) {
    *end = ListEnd::kTail;
  } else {
    return ErrorCode::kSyntax;
  }
  return Ok();
}

Status ParseMultiPop(std::span<const std::string_view> words, MultiPop* pop) {
  int64_t keys = 0;
  if (!ParseInteger(words[0], &keys) || keys < 1) return Status::Message("ERR numkeys should be greater than 0");
  words = words.subspan(1);
  if (static_cast<uint64_t>(keys) >= words.size()) return ErrorCode::kSyntax;
  pop->keys = words.first(static_cast<size_t>(keys));
  words = words.subspan(static_cast<size_t>(keys));
  BASALT_RETURN_IF_ERROR(ParseListEnd(words[0], &pop->end));
  words = words.subspan(1);
  bool counted = false;
  for (size_t i = 0; i < words.size(); i += 2) {
    if (counted || !EqualsIgnoreCase(words[i], "COUNT") || i + 1 == words.size()) return ErrorCode::kSyntax;
    int64_t count = 0;
    if (!ParseInteger(words[i + 1], &count) || count < 1) return Status::Message("ERR count should be greater than 0");
    pop->count = static_cast<uint64_t>(count);
    counted = true;
  }
  return Ok();
}

Status PopFromFirst(CommandContext& ctx, const MultiPop& pop, PopReply form, bool* served) {
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, pop.keys.size()));
  for (const std::string_view name : pop.keys) {
    const HashedKey key = ctx.services.storage.Hash(name);
    List list;
    const storage::Status status = ListStore::Find(ctx.txn(), ctx.db(), key, &list);
    if (status == storage::Status::kNotFound) continue;
    if (status != storage::Status::kOk) return status;
    *served = true;
    ctx.reply.Array(2);
    ctx.reply.Bulk(name);
    if (form == PopReply::kElements) ctx.reply.Array(std::min(pop.count, list.count));
    return PopAndReply(ctx, key, list, pop.end, pop.count);
  }
  return Ok();
}

Status MoveElement(CommandContext& ctx, std::string_view from, ListEnd from_end, std::string_view to, ListEnd to_end,
                   bool* served) {
  const HashedKey source = ctx.services.storage.Hash(from);
  const HashedKey target = ctx.services.storage.Hash(to);
  std::string element;
  const storage::Status status =
      ListStore::Move(ctx.txn(), ctx.db(), source, from_end, target, to_end, ListLimitsOf(ctx), &element);
  if (status == storage::Status::kNotFound) return Ok();
  if (status != storage::Status::kOk) return status;
  *served = true;
  NotifyKey(ctx, kEventList, PushEvent(to_end), to);
  NotifyRemoval(ctx, kEventList, PopEvent(from_end), from);
  ctx.reply.Bulk(element);
  return Ok();
}

std::span<const CommandSpec> ListCommands() { return kListCommands; }

}  // namespace basalt
