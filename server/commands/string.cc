// Strings: SET and its relatives, ranges, counters. LCS has a file of its own.

#include <charconv>
#include <cmath>
#include <limits>

#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/commands/string_lcs.h"
#include "storage/keyspace.h"

namespace basalt {
namespace {

using storage::HashedKey;
using storage::kNoExpire;
using storage::RecordPtr;
using storage::StringStore;
using storage::StringValue;
using Rows = storage::StringStore::Rows;

// ---- options of SET and GETEX ----

enum class ExpireForm : uint8_t { kNone, kSeconds, kMilliseconds, kUnixSeconds, kUnixMilliseconds };

constexpr bool IsRelative(ExpireForm form) { return form == ExpireForm::kSeconds || form == ExpireForm::kMilliseconds; }

struct StringOptions {
  bool nx = false, xx = false, get = false, keep_ttl = false, persist = false;
  ExpireForm form = ExpireForm::kNone;
  std::string_view expire = {};
};

enum class OptionUser : uint8_t { kSet, kGetEx };

// The form that an option names, kNone for any other word.
ExpireForm ExpireFormOf(std::string_view word) {
  const auto upper = [&](size_t i) { return static_cast<char>(word[i] & ~0x20); };
  if ((word.size() != 2 && word.size() != 4) || upper(1) != 'X') return ExpireForm::kNone;
  const bool unix_time = word.size() == 4;
  if (unix_time && (upper(2) != 'A' || upper(3) != 'T')) return ExpireForm::kNone;
  if (upper(0) == 'E') return unix_time ? ExpireForm::kUnixSeconds : ExpireForm::kSeconds;
  if (upper(0) == 'P') return unix_time ? ExpireForm::kUnixMilliseconds : ExpireForm::kMilliseconds;
  return ExpireForm::kNone;
}

Status ParseStringOptions(std::span<const std::string_view> words, OptionUser user, StringOptions* options) {
  const bool set = user == OptionUser::kSet;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool expiry_free = options->form == ExpireForm::kNone;
    if (const ExpireForm form = ExpireFormOf(word); form != ExpireForm::kNone) {
      // The same form may be given again, the last one counts; two forms are an error.
      if (!expiry_free && options->form != form) return ErrorCode::kSyntax;
      if (options->keep_ttl || options->persist || ++i == words.size()) return ErrorCode::kSyntax;
      options->form = form;
      options->expire = words[i];
    } else if (set && EqualsIgnoreCase(word, "NX") && !options->xx) {
      options->nx = true;
    } else if (set && EqualsIgnoreCase(word, "XX") && !options->nx) {
      options->xx = true;
    } else if (set && EqualsIgnoreCase(word, "GET")) {
      options->get = true;
    } else if (set && EqualsIgnoreCase(word, "KEEPTTL") && expiry_free) {
      options->keep_ttl = true;
    } else if (!set && EqualsIgnoreCase(word, "PERSIST") && expiry_free) {
      options->persist = true;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return Ok();
}

// The time that an EX, PX, EXAT or PXAT argument means, in Unix milliseconds. Leaves *expire_ms alone when there is
// none.
Status ParseExpire(const CommandContext& ctx, ExpireForm form, std::string_view text, int64_t* expire_ms) {
  if (form == ExpireForm::kNone) return Ok();
  int64_t time;
  if (!ParseInteger(text, &time)) return ErrorCode::kNotInteger;
  if (time <= 0) return ErrorCode::kInvalidExpire;
  const bool seconds = form == ExpireForm::kSeconds || form == ExpireForm::kUnixSeconds;
  if (seconds && __builtin_mul_overflow(time, int64_t{1000}, &time)) return ErrorCode::kInvalidExpire;
  if (IsRelative(form) && __builtin_add_overflow(time, ctx.now_ms(), &time)) return ErrorCode::kInvalidExpire;
  *expire_ms = time;
  return Ok();
}

// ---- SET, SETNX, SETEX, PSETEX, GETSET, MSET, MSETNX ----

enum class SetOutcome : uint8_t { kSet, kRefused /* by NX or XX */ };

// Sets argument `key_at` to `value` under the options; with GET the old value is the reply.
Status SetWithOptions(CommandContext& ctx, size_t key_at, std::string_view value, const StringOptions& options,
                      SetOutcome* outcome) {
  int64_t expire_ms = kNoExpire;
  BASALT_RETURN_IF_ERROR(ParseExpire(ctx, options.form, options.expire, &expire_ms));
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, value.size()));
  const HashedKey key = ctx.key(key_at);
  StringValue old;
  const storage::Status found = options.get ? LookupString(ctx, ctx.txn(), key, Rows::kNeeded, &old)
                                            : ctx.txn().GetRecord(ctx.db(), key, &old.record);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  const bool exists = found == storage::Status::kOk;
  if (options.get && exists) BASALT_RETURN_IF_ERROR(ReplyString(ctx, ctx.txn(), old));
  if (options.get && !exists) ctx.reply.Null();
  *outcome = (options.nx && exists) || (options.xx && !exists) ? SetOutcome::kRefused : SetOutcome::kSet;
  if (*outcome == SetOutcome::kRefused) return Ok();
  if (options.keep_ttl && exists) expire_ms = old.record->expire_ms();
  BASALT_RETURN_IF_ERROR(StringStore::Set(ctx.txn(), ctx.db(), key, value, expire_ms));
  NotifyKey(ctx, kEventString, "set", key.key);
  if (options.form != ExpireForm::kNone) NotifyKey(ctx, kEventGeneric, "expire", key.key);
  return Ok();
}

Status Set(CommandContext& ctx) {
  StringOptions options;
  if (ctx.argc() > 3) BASALT_RETURN_IF_ERROR(ParseStringOptions(ctx.argv.subspan(3), OptionUser::kSet, &options));
  SetOutcome outcome = SetOutcome::kSet;
  BASALT_RETURN_IF_ERROR(SetWithOptions(ctx, 1, ctx.arg(2), options, &outcome));
  if (options.get) return Ok();
  outcome == SetOutcome::kSet ? ctx.reply.Ok() : ctx.reply.Null();
  return Ok();
}

Status SetNx(CommandContext& ctx) {
  SetOutcome outcome = SetOutcome::kSet;
  BASALT_RETURN_IF_ERROR(SetWithOptions(ctx, 1, ctx.arg(2), {.nx = true}, &outcome));
  ctx.reply.Integer(outcome == SetOutcome::kSet ? 1 : 0);
  return Ok();
}

Status SetWithTime(CommandContext& ctx, ExpireForm form) {
  SetOutcome outcome = SetOutcome::kSet;
  BASALT_RETURN_IF_ERROR(SetWithOptions(ctx, 1, ctx.arg(3), {.form = form, .expire = ctx.arg(2)}, &outcome));
  ctx.reply.Ok();
  return Ok();
}
Status SetEx(CommandContext& ctx) { return SetWithTime(ctx, ExpireForm::kSeconds); }
Status PSetEx(CommandContext& ctx) { return SetWithTime(ctx, ExpireForm::kMilliseconds); }

Status GetSet(CommandContext& ctx) {
  SetOutcome outcome = SetOutcome::kSet;
  return SetWithOptions(ctx, 1, ctx.arg(2), {.get = true}, &outcome);
}

// Key and value in turn from argument 1 on.
Status SetPairs(CommandContext& ctx) {
  for (size_t i = 1; i < ctx.argc(); i += 2) {
    const HashedKey key = ctx.key(i);
    RecordPtr old;
    const storage::Status found = ctx.txn().GetRecord(ctx.db(), key, &old);
    if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
    BASALT_RETURN_IF_ERROR(StringStore::Set(ctx.txn(), ctx.db(), key, ctx.arg(i + 1), kNoExpire));
    NotifyKey(ctx, kEventString, "set", key.key);
  }
  return Ok();
}

Status CheckPairs(const CommandContext& ctx) {
  if (ctx.argc() % 2 == 0) {
    return Status::Message("ERR wrong number of arguments for '" + std::string(ctx.spec.name) + "' command");
  }
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() / 2));
  uint64_t bytes = 0;
  for (size_t i = 2; i < ctx.argc(); i += 2) bytes += ctx.arg(i).size();
  return CheckLaneBytes(ctx, bytes);
}

Status MSet(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckPairs(ctx));
  BASALT_RETURN_IF_ERROR(SetPairs(ctx));
  ctx.reply.Ok();
  return Ok();
}

Status MSetNx(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckPairs(ctx));
  for (size_t i = 1; i < ctx.argc(); i += 2) {
    RecordPtr record;
    const storage::Status found = ctx.txn().GetRecord(ctx.db(), ctx.key(i), &record);
    if (found == storage::Status::kNotFound) continue;
    if (found != storage::Status::kOk) return found;
    ctx.reply.Integer(0);
    return Ok();
  }
  BASALT_RETURN_IF_ERROR(SetPairs(ctx));
  ctx.reply.Integer(1);
  return Ok();
}

// ---- GET, GETEX, GETDEL, MGET, STRLEN ----

Status Get(CommandContext& ctx) {
  StringValue value;
  const storage::Status found = LookupString(ctx, ctx.view(), ctx.key(1), Rows::kNeeded, &value);
  if (found == storage::Status::kOk) return ReplyString(ctx, ctx.view(), value);
  if (found != storage::Status::kNotFound) return found;
  ctx.reply.Null();
  return Ok();
}

Status GetEx(CommandContext& ctx) {
  StringOptions options;
  BASALT_RETURN_IF_ERROR(ParseStringOptions(ctx.argv.subspan(2), OptionUser::kGetEx, &options));
  const HashedKey key = ctx.key(1);
  StringValue value;
  const storage::Status found = LookupString(ctx, ctx.txn(), key, Rows::kNeeded, &value);
  if (found == storage::Status::kNotFound) {
    ctx.reply.Null();
    return Ok();
  }
  if (found != storage::Status::kOk) return found;
  int64_t expire_ms = kNoExpire;
  BASALT_RETURN_IF_ERROR(ParseExpire(ctx, options.form, options.expire, &expire_ms));
  BASALT_RETURN_IF_ERROR(ReplyString(ctx, ctx.txn(), value));
  if (expire_ms != kNoExpire && expire_ms <= ctx.now_ms()) {
    ctx.txn().Erase(ctx.db(), key);
    NotifyKey(ctx, kEventGeneric, "del", key.key);
  } else if (expire_ms != kNoExpire || (options.persist && value.record->expire_ms() != kNoExpire)) {
    BASALT_RETURN_IF_ERROR(storage::Keyspace::SetExpire(ctx.txn(), ctx.db(), key, expire_ms));
    NotifyKey(ctx, kEventGeneric, options.persist ? "persist" : "expire", key.key);
  }
  return Ok();
}

Status GetDel(CommandContext& ctx) {
  const HashedKey key = ctx.key(1);
  StringValue value;
  const storage::Status found = LookupString(ctx, ctx.txn(), key, Rows::kNeeded, &value);
  if (found == storage::Status::kNotFound) {
    ctx.reply.Null();
    return Ok();
  }
  if (found != storage::Status::kOk) return found;
  BASALT_RETURN_IF_ERROR(ReplyString(ctx, ctx.txn(), value));
  ctx.txn().Erase(ctx.db(), key);
  NotifyKey(ctx, kEventGeneric, "del", key.key);
  return Ok();
}

Status MGet(CommandContext& ctx) {
  const size_t keys = ctx.argc() - 1;
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, keys));
  if (keys > 1) ctx.view().RequireSnapshot();
  ctx.reply.Array(keys);
  uint64_t bytes = 0;
  for (size_t i = 1; i <= keys; ++i) {
    StringValue value;
    const storage::Status found = LookupString(ctx, ctx.view(), ctx.key(i), Rows::kNeeded, &value);
    if (found == storage::Status::kOk) {
      BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes += value.length));
      BASALT_RETURN_IF_ERROR(ReplyString(ctx, ctx.view(), value));
    } else if (found == storage::Status::kNotFound || found == storage::Status::kWrongType) {
      ctx.reply.Null();
    } else {
      return found;
    }
  }
  return Ok();
}

Status StrLen(CommandContext& ctx) {
  StringValue value;
  const storage::Status found = LookupString(ctx, ctx.view(), ctx.key(1), Rows::kNotNeeded, &value);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  ctx.reply.Integer(static_cast<int64_t>(value.length));
  return Ok();
}

// ---- GETRANGE, SUBSTR, SETRANGE, APPEND ----

Status GetRange(CommandContext& ctx) {
  int64_t start, end;
  if (!ParseInteger(ctx.arg(2), &start) || !ParseInteger(ctx.arg(3), &end)) return ErrorCode::kNotInteger;
  StringValue value;
  const storage::Status found = LookupString(ctx, ctx.view(), ctx.key(1), Rows::kNeeded, &value);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  const ByteRange range = ClampRange(start, end, value.length);
  const bool backwards = start < 0 && end < 0 && start > end;  // would be clamped to the first byte
  if (backwards || range.empty()) {
    ctx.reply.Bulk({});
    return Ok();
  }
  return ReplyStringRange(ctx, ctx.view(), value, static_cast<uint64_t>(range.first), range.size());
}

Status SetRange(CommandContext& ctx) {
  int64_t offset;
  if (!ParseInteger(ctx.arg(2), &offset)) return ErrorCode::kNotInteger;
  if (offset < 0) return ErrorCode::kOffsetRange;
  const HashedKey key = ctx.key(1);
  const std::string_view bytes = ctx.arg(3);
  uint64_t length = 0;
  if (bytes.empty()) {  // changes nothing, and creates nothing
    StringValue value;
    const storage::Status found = StringStore::Find(ctx.txn(), ctx.db(), key, Rows::kNotNeeded, &value);
    if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
    length = value.length;
  } else {
    BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes.size()));
    BASALT_RETURN_IF_ERROR(
        StringStore::SetRange(ctx.txn(), ctx.db(), key, static_cast<uint64_t>(offset), bytes, &length));
    NotifyKey(ctx, kEventString, "setrange", key.key);
  }
  ctx.reply.Integer(static_cast<int64_t>(length));
  return Ok();
}

Status Append(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, ctx.arg(2).size()));
  uint64_t length = 0;
  BASALT_RETURN_IF_ERROR(StringStore::Append(ctx.txn(), ctx.db(), ctx.key(1), ctx.arg(2), &length));
  NotifyKey(ctx, kEventString, "append", ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(length));
  return Ok();
}

// ---- counters ----

Status IncrementBy(CommandContext& ctx, int64_t delta) {
  const HashedKey key = ctx.key(1);
  StringValue value;
  int64_t number = 0;
  int64_t expire_ms = kNoExpire;
  const storage::Status found = StringStore::Find(ctx.txn(), ctx.db(), key, Rows::kNotNeeded, &value);
  if (found == storage::Status::kOk) {
    if (!value.inlined || !ParseInteger(value.view(), &number)) return ErrorCode::kNotInteger;
    expire_ms = value.record->expire_ms();
  } else if (found != storage::Status::kNotFound) {
    return found;
  }
  if (__builtin_add_overflow(number, delta, &number)) return ErrorCode::kOverflow;
  char text[24];
  const char* end = std::to_chars(text, text + sizeof(text), number).ptr;
  BASALT_RETURN_IF_ERROR(StringStore::Set(ctx.txn(), ctx.db(), key, {text, end}, expire_ms));
  NotifyKey(ctx, kEventString, "incrby", key.key);
  ctx.reply.Integer(number);
  return Ok();
}

Status Incr(CommandContext& ctx) { return IncrementBy(ctx, 1); }
Status Decr(CommandContext& ctx) { return IncrementBy(ctx, -1); }

Status IncrBy(CommandContext& ctx) {
  int64_t delta;
  if (!ParseInteger(ctx.arg(2), &delta)) return ErrorCode::kNotInteger;
  return IncrementBy(ctx, delta);
}

Status DecrBy(CommandContext& ctx) {
  int64_t delta;
  if (!ParseInteger(ctx.arg(2), &delta)) return ErrorCode::kNotInteger;
  if (delta == std::numeric_limits<int64_t>::min()) return Status::Message("ERR decrement would overflow");
  return IncrementBy(ctx, -delta);
}

Status IncrByFloat(CommandContext& ctx) {
  const HashedKey key = ctx.key(1);
  StringValue value;
  long double number = 0, delta = 0;
  int64_t expire_ms = kNoExpire;
  const storage::Status found = StringStore::Find(ctx.txn(), ctx.db(), key, Rows::kNeeded, &value);
  if (found == storage::Status::kOk) {
    if (value.length >= kLongDoubleTextMax) return ErrorCode::kNotFloat;
    std::string buffer;
    std::string_view bytes;
    BASALT_RETURN_IF_ERROR(WholeString(ctx.txn(), value, &buffer, &bytes));
    if (!ParseLongDouble(bytes, &number)) return ErrorCode::kNotFloat;
    expire_ms = value.record->expire_ms();
  } else if (found != storage::Status::kNotFound) {
    return found;
  }
  if (!ParseLongDouble(ctx.arg(2), &delta)) return ErrorCode::kNotFloat;
  number += delta;
  if (!std::isfinite(number)) return ErrorCode::kNanOrInfinity;
  char text[kLongDoubleTextMax];
  const std::string_view result = FormatLongDouble(number, text);
  // Not stored as an integer even when it looks like one.
  const storage::Encoding natural = StringStore::EncodingOf(result);
  const storage::Encoding encoding = natural == storage::Encoding::kInt ? storage::Encoding::kEmbstr : natural;
  BASALT_RETURN_IF_ERROR(SetStringAs(ctx, key, result, expire_ms, encoding));
  NotifyKey(ctx, kEventString, "incrbyfloat", key.key);
  ctx.reply.Bulk(result);
  return Ok();
}

// ---- rows ----

constexpr CommandHistory kSetHistory[] = {
    {"2.6.12", "New options `EX`, `PX`, `NX` and `XX`."},
    {"6.0.0", "New option `KEEPTTL`."},
    {"6.2.0", "New options `GET`, `EXAT` and `PXAT`."},
    {"7.0.0", "`NX` and `GET` may be combined."},
};

constexpr CommandSpec kStringCommands[] = {
    {.name = "set",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate | kKeyVariableFlags).Noted("Reads too, with `GET`.")},
     .syntax = "key value [NX | XX] [GET] [EX seconds:integer | PX milliseconds:integer | EXAT "
               "unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL]",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Stores a string under a key, whatever the key held before.",
     .handler = Set,
     .history = kSetHistory},
    {.name = "setnx",
     .arity = 3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyOW | kKeyInsert)},
     .syntax = "key value",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Stores a string under a key that does not exist yet.",
     .handler = SetNx,
     .doc_flags = "deprecated",
     .deprecated_since = "2.6.12",
     .replaced_by = "`SET` with the `NX` argument"},
    {.name = "setex",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyOW | kKeyUpdate)},
     .syntax = "key seconds:integer value",
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Stores a string that expires after a number of seconds.",
     .handler = SetEx,
     .doc_flags = "deprecated",
     .deprecated_since = "2.6.12",
     .replaced_by = "`SET` with the `EX` argument"},
    {.name = "psetex",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyOW | kKeyUpdate)},
     .syntax = "key milliseconds:integer value",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Stores a string that expires after a number of milliseconds.",
     .handler = PSetEx,
     .doc_flags = "deprecated",
     .deprecated_since = "2.6.12",
     .replaced_by = "`SET` with the `PX` argument"},
    {.name = "get",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers the string that a key holds.",
     .handler = Get},
    {.name = "getex",
     .arity = -2,
     .flags = kCmdWrite | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate).Noted("Changes the expiry.")},
     .syntax = "key [EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT "
               "unix-time-milliseconds:unix-time | PERSIST]",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Answers the string that a key holds and changes or removes its expiry.",
     .handler = GetEx},
    {.name = "getdel",
     .arity = 2,
     .flags = kCmdWrite | kCmdFast | kCmdOnlyRemoves,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyDelete)},
     .syntax = "key",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Answers the string that a key holds and removes the key.",
     .handler = GetDel},
    {.name = "getset",
     .arity = 3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key value",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Stores a string and answers the one that was there before.",
     .handler = GetSet,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`SET` with the `!GET` argument"},
    {.name = "setrange",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key offset:integer value",
     .since = "2.2.0",
     .complexity = "O(M), M being the length of the value; the length of the string that is changed does not matter",
     .summary = "Writes over a part of a string from an offset on, filling a gap with zero bytes.",
     .handler = SetRange},
    {.name = "getrange",
     .arity = 4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key start:integer end:integer",
     .since = "2.4.0",
     .complexity = "O(N), N being the length of the answer",
     .summary = "Answers a part of a string, from one offset to another inclusive.",
     .handler = GetRange},
    {.name = "substr",
     .arity = 4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key start:integer end:integer",
     .since = "1.0.0",
     .complexity = "O(N), N being the length of the answer",
     .summary = "Answers a part of a string: the old name of GETRANGE.",
     .handler = GetRange,
     .doc_flags = "deprecated",
     .deprecated_since = "2.0.0",
     .replaced_by = "`GETRANGE`"},
    {.name = "append",
     .arity = 3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert)},
     .syntax = "key value",
     .since = "2.0.0",
     .complexity = "O(M), M being the length of the value; the length of the string that grows does not matter",
     .summary = "Adds bytes to the end of a string, creating it if needed.",
     .handler = Append},
    {.name = "strlen",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key",
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Answers the length of a string in bytes.",
     .handler = StrLen},
    {.name = "mget",
     .arity = -2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::Range(kKeyRO | kKeyAccess, 1, -1, 1)},
     .syntax = "key…",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Answers the strings of several keys as of one moment.",
     .handler = MGet,
     .tips = {"request_policy:multi_shard"}},
    {.name = "mset",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kString,
     .keys = {KeySpec::Range(kKeyOW | kKeyUpdate, 1, -1, 2)},
     .syntax = "(key value)…",
     .since = "1.0.1",
     .complexity = "O(N), N being the number of keys",
     .summary = "Stores several strings at once, all or none.",
     .handler = MSet,
     .tips = {"request_policy:multi_shard", "response_policy:all_succeeded"}},
    {.name = "msetnx",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kString,
     .keys = {KeySpec::Range(kKeyOW | kKeyInsert, 1, -1, 2)},
     .syntax = "(key value)…",
     .since = "1.0.1",
     .complexity = "O(N), N being the number of keys",
     .summary = "Stores several strings at once, unless one of the keys exists.",
     .handler = MSetNx},
    {.name = "incr",
     .arity = 2,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Adds one to the integer in a string; a missing key counts as 0.",
     .handler = Incr},
    {.name = "decr",
     .arity = 2,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Subtracts one from the integer in a string; a missing key counts as 0.",
     .handler = Decr},
    {.name = "incrby",
     .arity = 3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key increment:integer",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Adds to the integer in a string; a missing key counts as 0.",
     .handler = IncrBy},
    {.name = "decrby",
     .arity = 3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key decrement:integer",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Subtracts from the integer in a string; a missing key counts as 0.",
     .handler = DecrBy},
    {.name = "incrbyfloat",
     .arity = 3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key increment:double",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Adds to the floating point number in a string; a missing key counts as 0.",
     .handler = IncrByFloat},
    {.name = "lcs",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kString,
     .keys = {KeySpec::Range(kKeyRO | kKeyAccess, 1, 1, 1)},
     .syntax = "key1:key key2:key [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]",
     .since = "7.0.0",
     .complexity = "O(N*M), N and M being the lengths of the strings",
     .summary = "Finds the longest common subsequence of two strings.",
     .handler = LcsCommand},
};

}  // namespace

std::span<const CommandSpec> StringCommands() { return kStringCommands; }

}  // namespace basalt
