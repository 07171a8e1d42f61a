// Bitmaps: strings, looked at as bits.

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "server/bit_math.h"
#include "server/commands/families.h"
#include "server/commands/key_access.h"

namespace basalt {
namespace {

using storage::HashedKey;
using storage::kNoExpire;
using storage::RecordPtr;
using storage::StringStore;
using storage::StringValue;
using Rows = storage::StringStore::Rows;

bool IsFailure(storage::Status status) {
  return status != storage::Status::kOk && status != storage::Status::kNotFound;
}

// A bit offset, limited by the longest string. `field_bits` > 0: "#3" means the fourth field of that size.
Status ParseBitOffset(const CommandContext& ctx, std::string_view text, unsigned field_bits, uint64_t* offset) {
  const bool counts_fields = field_bits > 0 && text.starts_with('#');
  int64_t number;
  if (!ParseInteger(counts_fields ? text.substr(1) : text, &number)) return ErrorCode::kBitOffset;
  if (counts_fields && __builtin_mul_overflow(number, static_cast<int64_t>(field_bits), &number)) {
    return ErrorCode::kBitOffset;
  }
  if (number < 0 || static_cast<uint64_t>(number) / 8 >= ctx.services.storage.string_bytes_max()) {
    return ErrorCode::kBitOffset;
  }
  *offset = static_cast<uint64_t>(number);
  return Ok();
}

// Reads up to out.size() bytes from `offset` on; what lies behind the end of the string is zero.
Status ReadPadded(storage::ReadView& view, const StringValue& value, uint64_t offset, std::span<uint8_t> out) {
  std::fill(out.begin(), out.end(), uint8_t{0});
  if (offset >= value.length) return Ok();
  const size_t size = static_cast<size_t>(std::min<uint64_t>(out.size(), value.length - offset));
  std::string buffer;
  std::string_view bytes;
  if (value.inlined) {
    bytes = value.view().substr(offset, size);
  } else {
    BASALT_RETURN_IF_ERROR(StringStore::Read(view, value, offset, size, &buffer));
    bytes = buffer;
  }
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return Ok();
}

std::string_view AsText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// ---- SETBIT, GETBIT ----

constexpr unsigned ShiftOf(uint64_t bit) { return static_cast<unsigned>(7 - bit % 8); }

Status SetBit(CommandContext& ctx) {
  uint64_t offset = 0;
  BASALT_RETURN_IF_ERROR(ParseBitOffset(ctx, ctx.arg(2), 0, &offset));
  int64_t bit;
  if (!ParseInteger(ctx.arg(3), &bit) || (bit != 0 && bit != 1)) return ErrorCode::kBitValue;

  const HashedKey key = ctx.key(1);
  StringValue value;
  const storage::Status found = StringStore::Find(ctx.txn(), ctx.db(), key, Rows::kNeeded, &value);
  if (IsFailure(found)) return found;
  uint8_t byte = 0;
  BASALT_RETURN_IF_ERROR(ReadPadded(ctx.txn(), value, offset / 8, {&byte, 1}));
  const int64_t old = byte >> ShiftOf(offset) & 1;
  if (old != bit || offset / 8 >= value.length) {
    byte = static_cast<uint8_t>((byte & ~(1 << ShiftOf(offset))) | bit << ShiftOf(offset));
    uint64_t length = 0;
    BASALT_RETURN_IF_ERROR(StringStore::SetRange(ctx.txn(), ctx.db(), key, offset / 8, AsText({&byte, 1}), &length));
    NotifyKey(ctx, kEventString, "setbit", key.key);
  }
  ctx.reply.Integer(old);
  return Ok();
}

Status GetBit(CommandContext& ctx) {
  uint64_t offset = 0;
  BASALT_RETURN_IF_ERROR(ParseBitOffset(ctx, ctx.arg(2), 0, &offset));
  StringValue value;
  const storage::Status found = LookupString(ctx, ctx.view(), ctx.key(1), Rows::kNeeded, &value);
  if (IsFailure(found)) return found;
  uint8_t byte = 0;
  BASALT_RETURN_IF_ERROR(ReadPadded(ctx.view(), value, offset / 8, {&byte, 1}));
  ctx.reply.Integer(byte >> ShiftOf(offset) & 1);
  return Ok();
}

// ---- BITCOUNT, BITPOS ----

enum class RangeUnit : uint8_t { kByte, kBit };

bool ParseUnit(std::string_view text, RangeUnit* unit) {
  if (EqualsIgnoreCase(text, "BIT")) {
    *unit = RangeUnit::kBit;
  } else if (EqualsIgnoreCase(text, "BYTE")) {
    *unit = RangeUnit::kByte;
  } else {
    return false;
  }
  return true;
}

// Bits [first, last] of a string of `length` bytes that `start` and `end` mean in the unit.
ByteRange ClampToBits(int64_t start, int64_t end, RangeUnit unit, uint64_t length) {
  if (unit == RangeUnit::kBit) return ClampRange(start, end, length * 8);
  const ByteRange bytes = ClampRange(start, end, length);
  return bytes.empty() ? ByteRange{} : ByteRange{bytes.first * 8, bytes.last * 8 + 7};
}

Status CountBits(CommandContext& ctx, const StringValue& value, ByteRange bits, uint64_t* count) {
  const uint64_t first_byte = static_cast<uint64_t>(bits.first) / 8, last_byte = static_cast<uint64_t>(bits.last) / 8;
  const uint64_t bytes = last_byte - first_byte + 1;
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes));
  uint64_t ones = 0;
  BASALT_RETURN_IF_ERROR(
      StringStore::ForEachPiece(ctx.view(), value, first_byte, bytes, [&ones](std::string_view piece) {
        ones += PopCount(piece);
        return true;
      }));
  // What was counted of the two bytes at the edges but lies outside.
  uint8_t edges[2] = {0, 0};
  BASALT_RETURN_IF_ERROR(ReadPadded(ctx.view(), value, first_byte, {&edges[0], 1}));
  BASALT_RETURN_IF_ERROR(ReadPadded(ctx.view(), value, last_byte, {&edges[1], 1}));
  edges[0] &= static_cast<uint8_t>(~(0xff >> bits.first % 8));
  edges[1] &= static_cast<uint8_t>(0xff >> bits.last % 8 >> 1);
  *count = ones - PopCount(AsText(edges));
  return Ok();
}

Status BitCount(CommandContext& ctx) {
  StringValue value;
  const storage::Status found = LookupString(ctx, ctx.view(), ctx.key(1), Rows::kNeeded, &value);
  if (found == storage::Status::kNotFound) {  // whatever the other arguments are
    ctx.reply.Integer(0);
    return Ok();
  }
  if (found != storage::Status::kOk) return found;

  int64_t start = 0, end = -1;
  RangeUnit unit = RangeUnit::kByte;
  if (ctx.argc() == 3 || ctx.argc() > 5) return ErrorCode::kSyntax;
  if (ctx.argc() > 3 && (!ParseInteger(ctx.arg(2), &start) || !ParseInteger(ctx.arg(3), &end))) {
    return ErrorCode::kNotInteger;
  }
  const bool backwards = start < 0 && end < 0 && start > end;
  if (!backwards && ctx.argc() == 5 && !ParseUnit(ctx.arg(4), &unit)) return ErrorCode::kSyntax;

  uint64_t count = 0;
  const ByteRange bits = ClampToBits(start, end, unit, value.length);
  if (!backwards && !bits.empty()) BASALT_RETURN_IF_ERROR(CountBits(ctx, value, bits, &count));
  ctx.reply.Integer(static_cast<int64_t>(count));
  return Ok();
}

// -1 in *position: there is no such bit.
Status FindBit(CommandContext& ctx, const StringValue& value, bool bit, ByteRange bits, int64_t* position) {
  const uint64_t first_byte = static_cast<uint64_t>(bits.first) / 8;
  const uint64_t bytes = static_cast<uint64_t>(bits.last) / 8 - first_byte + 1;
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes));
  BitFinder finder(bit, static_cast<uint64_t>(bits.first), static_cast<uint64_t>(bits.last));
  bool found = false;
  uint64_t offset = first_byte;
  const auto visit = [&](std::string_view piece) {
    found = finder.Feed(offset, piece);
    offset += piece.size();
    return !found;
  };
  BASALT_RETURN_IF_ERROR(StringStore::ForEachPiece(ctx.view(), value, first_byte, bytes, std::ref(visit)));
  *position = found ? static_cast<int64_t>(finder.position()) : -1;
  return Ok();
}

Status BitPos(CommandContext& ctx) {
  int64_t bit;
  if (!ParseInteger(ctx.arg(2), &bit)) return ErrorCode::kNotInteger;
  if (bit != 0 && bit != 1) return Status::Message("ERR The bit argument must be 1 or 0.");
  StringValue value;
  const storage::Status found = LookupString(ctx, ctx.view(), ctx.key(1), Rows::kNeeded, &value);
  if (found == storage::Status::kNotFound) {  // endless zeros, whatever the other arguments are
    ctx.reply.Integer(bit == 0 ? 0 : -1);
    return Ok();
  }
  if (found != storage::Status::kOk) return found;

  int64_t start = 0, end = -1;
  RangeUnit unit = RangeUnit::kByte;
  if (ctx.argc() > 6) return ErrorCode::kSyntax;
  if (ctx.argc() > 3 && !ParseInteger(ctx.arg(3), &start)) return ErrorCode::kNotInteger;
  if (ctx.argc() > 5 && !ParseUnit(ctx.arg(5), &unit)) return ErrorCode::kSyntax;
  const bool end_given = ctx.argc() > 4;
  if (end_given && !ParseInteger(ctx.arg(4), &end)) return ErrorCode::kNotInteger;

  int64_t position = -1;
  const ByteRange bits = ClampToBits(start, end, unit, value.length);
  if (!bits.empty()) {
    BASALT_RETURN_IF_ERROR(FindBit(ctx, value, bit == 1, bits, &position));
    // Without an explicit end a string of ones goes on with zeros.
    if (position < 0 && bit == 0 && !end_given) position = static_cast<int64_t>(value.length * 8);
  }
  ctx.reply.Integer(position);
  return Ok();
}

// ---- BITOP ----

// The result while it is built. Zero pages that are never written cost nothing, so operations on sparse strings stay
// cheap.
class ZeroedBuffer {
 public:
  explicit ZeroedBuffer(size_t size) : size_(size), bytes_(static_cast<char*>(std::calloc(size, 1)), &std::free) {}
  bool ok() const { return bytes_ != nullptr; }
  char* data() { return bytes_.get(); }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char, decltype(&std::free)> bytes_;
};

constexpr size_t kSparseWindowBytes = 64 * 1024;
constexpr size_t kSparseWindowsMax =
    16;  // a result of more than 1 MiB is a large change, and StringStore::Set knows how

Status ParseBitOp(const CommandContext& ctx, BitOp* op) {
  const std::string_view name = ctx.arg(1);
  if (EqualsIgnoreCase(name, "AND")) {
    *op = BitOp::kAnd;
  } else if (EqualsIgnoreCase(name, "OR")) {
    *op = BitOp::kOr;
  } else if (EqualsIgnoreCase(name, "XOR")) {
    *op = BitOp::kXor;
  } else if (EqualsIgnoreCase(name, "NOT")) {
    *op = BitOp::kNot;
    if (ctx.argc() != 4) return Status::Message("ERR BITOP NOT must be called with a single source key.");
  } else {
    return ErrorCode::kSyntax;
  }
  return Ok();
}

// Combines one source, piece by piece. A source that is shorter than the result counts as padded with zeros.
Status CombineSource(CommandContext& ctx, const StringValue& source, BitOp op, ZeroedBuffer* result) {
  size_t offset = 0;
  const auto visit = [&](std::string_view piece) {
    const bool unchanged = (op == BitOp::kOr || op == BitOp::kXor) && IsAllZero(piece);
    if (!unchanged) CombineBits(op, result->data() + offset, piece);
    offset += piece.size();
    return true;
  };
  if (source.length > 0) {
    BASALT_RETURN_IF_ERROR(StringStore::ForEachPiece(ctx.txn(), source, 0, source.length, std::ref(visit)));
  }
  if (op == BitOp::kAnd) std::fill(result->data() + offset, result->data() + result->view().size(), '\0');
  return Ok();
}

// Writes only what is not zero, so that a sparse result takes as little space as its sources did.
Status StoreSparse(CommandContext& ctx, const HashedKey& key, std::string_view bytes) {
  RecordPtr old;
  const storage::Status found = ctx.txn().GetRecord(ctx.db(), key, &old);
  if (IsFailure(found)) return found;
  if (found == storage::Status::kOk) ctx.txn().Erase(ctx.db(), key);
  uint64_t length = 0;
  for (size_t at = 0; at < bytes.size(); at += kSparseWindowBytes) {
    const std::string_view window = bytes.substr(at, kSparseWindowBytes);
    const bool last = at + window.size() == bytes.size();
    if (!IsAllZero(window)) {
      BASALT_RETURN_IF_ERROR(StringStore::SetRange(ctx.txn(), ctx.db(), key, at, window, &length));
    } else if (last) {  // its end makes the length
      BASALT_RETURN_IF_ERROR(
          StringStore::SetRange(ctx.txn(), ctx.db(), key, bytes.size() - 1, window.substr(0, 1), &length));
    }
  }
  return Ok();
}

// At least half of it zeros, and the rest little enough for one batch.
bool IsSparse(std::string_view bytes) {
  size_t windows = 0, full_windows = 0;
  for (size_t at = 0; at < bytes.size(); at += kSparseWindowBytes) {
    ++windows;
    full_windows += !IsAllZero(bytes.substr(at, kSparseWindowBytes));
  }
  return windows > 1 && full_windows * 2 <= windows && full_windows <= kSparseWindowsMax;
}

Status StoreBitOpResult(CommandContext& ctx, const HashedKey& key, std::string_view bytes) {
  if (IsSparse(bytes)) return StoreSparse(ctx, key, bytes);
  return SetStringAs(ctx, key, bytes, kNoExpire, storage::Encoding::kRaw);
}

Status BitOpCommand(CommandContext& ctx) {
  BitOp op = BitOp::kAnd;
  BASALT_RETURN_IF_ERROR(ParseBitOp(ctx, &op));
  constexpr size_t kFirstSource = 3;
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - kFirstSource));
  std::vector<StringValue> sources(ctx.argc() - kFirstSource);
  uint64_t length = 0, total = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    const storage::Status found = LookupString(ctx, ctx.txn(), ctx.key(kFirstSource + i), Rows::kNeeded, &sources[i]);
    if (IsFailure(found)) return found;
    if (found == storage::Status::kNotFound) sources[i] = {};
    length = std::max(length, sources[i].length);
    total += sources[i].length;
  }
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, total));

  const HashedKey target = ctx.key(2);
  if (length == 0) {
    RecordPtr old;
    const storage::Status found = ctx.txn().GetRecord(ctx.db(), target, &old);
    if (IsFailure(found)) return found;
    if (found == storage::Status::kOk) ctx.txn().Erase(ctx.db(), target);
  } else {
    ZeroedBuffer result(length);
    if (!result.ok()) return Status::Message("ERR not enough memory for the result");
    for (size_t i = 0; i < sources.size(); ++i) {
      // The first one is the start value.
      const BitOp step = i == 0 && op != BitOp::kNot ? BitOp::kOr : op;
      BASALT_RETURN_IF_ERROR(CombineSource(ctx, sources[i], step, &result));
    }
    BASALT_RETURN_IF_ERROR(StoreBitOpResult(ctx, target, result.view()));
  }
  NotifyStored(ctx, kEventString, "set", target.key, length);
  ctx.reply.Integer(static_cast<int64_t>(length));
  return Ok();
}

// ---- BITFIELD ----

enum class FieldVerb : uint8_t { kGet, kSet, kIncrBy };

struct FieldOperation {
  FieldVerb verb = FieldVerb::kGet;
  FieldOverflow overflow = FieldOverflow::kWrap;
  FieldType type;
  uint64_t offset = 0;  // in bits
  int64_t operand = 0;

  uint64_t last_byte() const { return (offset + type.bits - 1) / 8; }
};

Status ParseFieldType(std::string_view text, FieldType* type) {
  int64_t bits = 0;
  const bool is_signed = text.starts_with('i');
  if ((!is_signed && !text.starts_with('u')) || !ParseInteger(text.substr(1), &bits) || bits < 1 ||
      bits > (is_signed ? 64 : 63)) {
    return Status::Message(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
  }
  *type = {.is_signed = is_signed, .bits = static_cast<uint8_t>(bits)};
  return Ok();
}

bool ParseOverflow(std::string_view text, FieldOverflow* overflow) {
  if (EqualsIgnoreCase(text, "WRAP")) {
    *overflow = FieldOverflow::kWrap;
  } else if (EqualsIgnoreCase(text, "SAT")) {
    *overflow = FieldOverflow::kSaturate;
  } else if (EqualsIgnoreCase(text, "FAIL")) {
    *overflow = FieldOverflow::kFail;
  } else {
    return false;
  }
  return true;
}

Status ParseFieldOperations(const CommandContext& ctx, std::vector<FieldOperation>* operations) {
  FieldOverflow overflow = FieldOverflow::kWrap;
  for (size_t i = 2; i < ctx.argc();) {
    const std::string_view word = ctx.arg(i);
    const size_t following = ctx.argc() - i - 1;
    if (EqualsIgnoreCase(word, "OVERFLOW") && following >= 1) {
      if (!ParseOverflow(ctx.arg(i + 1), &overflow)) return Status::Message("ERR Invalid OVERFLOW type specified");
      i += 2;
      continue;
    }
    FieldOperation operation{.overflow = overflow};
    if (EqualsIgnoreCase(word, "GET") && following >= 2) {
      operation.verb = FieldVerb::kGet;
    } else if (EqualsIgnoreCase(word, "SET") && following >= 3) {
      operation.verb = FieldVerb::kSet;
    } else if (EqualsIgnoreCase(word, "INCRBY") && following >= 3) {
      operation.verb = FieldVerb::kIncrBy;
    } else {
      return ErrorCode::kSyntax;
    }
    BASALT_RETURN_IF_ERROR(ParseFieldType(ctx.arg(i + 1), &operation.type));
    BASALT_RETURN_IF_ERROR(ParseBitOffset(ctx, ctx.arg(i + 2), operation.type.bits, &operation.offset));
    const bool writes = operation.verb != FieldVerb::kGet;
    if (writes && !ParseInteger(ctx.arg(i + 3), &operation.operand)) return ErrorCode::kNotInteger;
    operations->push_back(operation);
    i += writes ? 4 : 3;
  }
  return Ok();
}

// The string that one BITFIELD works on. Short ones are changed in a copy and stored once; of long ones only the bytes
// of each field are read and written.
class FieldString {
 public:
  FieldString(CommandContext& ctx, storage::ReadView& view) : ctx_(ctx), view_(view) {}

  Status OpenForRead() {
    const storage::Status found = LookupString(ctx_, view_, ctx_.key(1), Rows::kNeeded, &value_);
    if (found == storage::Status::kNotFound) value_ = {};
    return IsFailure(found) ? Status(found) : Ok();
  }

  // The string has at least `bytes_min` bytes afterwards.
  Status OpenForWrite(uint64_t bytes_min) {
    const storage::Status found = StringStore::Find(view_, ctx_.db(), ctx_.key(1), Rows::kNeeded, &value_);
    if (IsFailure(found)) return found;
    if (found == storage::Status::kNotFound) value_ = {};
    grown_ = value_.length < bytes_min;
    in_copy_ = std::max(value_.length, bytes_min) <= storage::kInlineStringBytesMax &&
               (value_.inlined || value_.record.get() == nullptr);
    if (in_copy_) {
      if (value_.record) copy_ = value_.view();
      if (grown_) copy_.resize(bytes_min, '\0');
      return Ok();
    }
    return grown_ ? Write(bytes_min - 1, std::string_view("\0", 1)) : Ok();
  }

  Status Read(uint64_t offset, FieldWindow* window) {
    if (!in_copy_) return ReadPadded(view_, value_, offset, *window);
    window->fill(0);
    if (offset < copy_.size()) copy_.copy(reinterpret_cast<char*>(window->data()), window->size(), offset);
    return Ok();
  }

  Status Write(uint64_t offset, std::string_view bytes) {
    changed_ = true;
    if (in_copy_) {
      copy_.replace(offset, bytes.size(), bytes);
      return Ok();
    }
    uint64_t length = 0;
    BASALT_RETURN_IF_ERROR(StringStore::SetRange(ctx_.txn(), ctx_.db(), ctx_.key(1), offset, bytes, &length));
    return StringStore::Find(view_, ctx_.db(), ctx_.key(1), Rows::kNeeded, &value_);
  }

  bool grown() const { return grown_; }
  // A field was written that is not what it was, or is in a string that had to grow.
  void NoteUpdate() { updated_ = true; }

  Status Close() {
    if (updated_) NotifyKey(ctx_, kEventString, "setbit", ctx_.arg(1));
    if (!in_copy_ || (!changed_ && !grown_)) return Ok();
    const int64_t expire_ms = value_.record ? value_.record->expire_ms() : kNoExpire;
    return SetStringAs(ctx_, ctx_.key(1), copy_, expire_ms, storage::Encoding::kRaw);
  }

 private:
  CommandContext& ctx_;
  storage::ReadView& view_;
  StringValue value_;
  std::string copy_;
  bool in_copy_ = false, grown_ = false, changed_ = false, updated_ = false;
};

Status RunFieldOperation(CommandContext& ctx, const FieldOperation& operation, FieldString* string) {
  const unsigned shift = static_cast<unsigned>(operation.offset % 8);
  FieldWindow window;
  BASALT_RETURN_IF_ERROR(string->Read(operation.offset / 8, &window));
  const int64_t old = GetField(window, shift, operation.type);
  if (operation.verb == FieldVerb::kGet) {
    ctx.reply.Integer(old);
    return Ok();
  }
  const bool adds = operation.verb == FieldVerb::kIncrBy;
  const std::optional<int64_t> next = adds ? AddToField(operation.type, operation.overflow, old, operation.operand)
                                           : AssignField(operation.type, operation.overflow, operation.operand);
  if (!next) {
    ctx.reply.Null();
    return Ok();
  }
  ctx.reply.Integer(adds ? *next : old);
  if (string->grown() || *next != old) string->NoteUpdate();
  if (*next == old) return Ok();
  SetField(&window, shift, operation.type, *next);
  return string->Write(operation.offset / 8, AsText(std::span(window).first(FieldBytes(shift, operation.type))));
}

Status RunFieldOperations(CommandContext& ctx, storage::ReadView& view, std::span<const FieldOperation> operations) {
  uint64_t bytes_min = 0;
  for (const FieldOperation& operation : operations) {
    if (operation.verb != FieldVerb::kGet) bytes_min = std::max(bytes_min, operation.last_byte() + 1);
  }
  FieldString string(ctx, view);
  BASALT_RETURN_IF_ERROR(bytes_min > 0 ? string.OpenForWrite(bytes_min) : string.OpenForRead());
  ctx.reply.Array(operations.size());
  for (const FieldOperation& operation : operations) {
    BASALT_RETURN_IF_ERROR(RunFieldOperation(ctx, operation, &string));
  }
  return string.Close();
}

Status BitField(CommandContext& ctx) {
  std::vector<FieldOperation> operations;
  BASALT_RETURN_IF_ERROR(ParseFieldOperations(ctx, &operations));
  return RunFieldOperations(ctx, ctx.txn(), operations);
}

Status BitFieldRo(CommandContext& ctx) {
  std::vector<FieldOperation> operations;
  BASALT_RETURN_IF_ERROR(ParseFieldOperations(ctx, &operations));
  for (const FieldOperation& operation : operations) {
    if (operation.verb != FieldVerb::kGet) return Status::Message("ERR BITFIELD_RO only supports the GET subcommand");
  }
  ctx.view().RequireSnapshot();
  return RunFieldOperations(ctx, ctx.view(), operations);
}

// ---- rows ----

constexpr CommandHistory kUnitHistory[] = {{"7.0.0", "New option `BYTE | BIT`."}};

constexpr CommandSpec kBitmapCommands[] = {
    {.name = "setbit",
     .arity = 4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kBitmap,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyUpdate)},
     .syntax = "key offset:integer value:integer",
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Sets or clears one bit of a string, growing it with zeros as needed.",
     .handler = SetBit},
    {.name = "getbit",
     .arity = 3,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kBitmap,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key offset:integer",
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Answers one bit of a string.",
     .handler = GetBit},
    {.name = "bitcount",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kBitmap,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key [start:integer end:integer [BYTE | BIT]]",
     .since = "2.6.0",
     .complexity = "O(N), N being the bytes looked at",
     .summary = "Counts the ones in a string or in a part of it.",
     .handler = BitCount,
     .history = kUnitHistory},
    {.name = "bitpos",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kBitmap,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key bit:integer [start:integer [end:integer [BYTE | BIT]]]",
     .since = "2.8.7",
     .complexity = "O(N), N being the bytes looked at",
     .summary = "Finds the first one, or the first zero, in a string or in a part of it.",
     .handler = BitPos,
     .history = kUnitHistory},
    {.name = "bitop",
     .arity = -4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kBitmap,
     .keys = {KeySpec::One(kKeyOW | kKeyUpdate, 2), KeySpec::Range(kKeyRO | kKeyAccess, 3, -1, 1)},
     .syntax = "(AND | OR | XOR | NOT) destkey key…",
     .since = "2.6.0",
     .complexity = "O(N), N being the bytes of all sources",
     .summary = "Combines strings bit by bit and stores the result.",
     .handler = BitOpCommand},
    {.name = "bitfield",
     .arity = -2,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kBitmap,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate | kKeyAccess | kKeyVariableFlags)
                  .Noted("Reads, writes or both, as its operations say.")},
     .syntax = "key [GET encoding offset:integer | [OVERFLOW (WRAP | SAT | FAIL)] (SET encoding offset:integer "
               "value:integer | INCRBY encoding offset:integer increment:integer)]…",
     .since = "3.2.0",
     .complexity = "O(1) for each operation",
     .summary = "Reads, sets and adds to integers of any width at any bit of a string.",
     .handler = BitField},
    {.name = "bitfield_ro",
     .arity = -2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kBitmap,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key [GET encoding offset:integer]…",
     .since = "6.0.0",
     .complexity = "O(1) for each operation",
     .summary = "Reads integers of any width at any bit of a string.",
     .handler = BitFieldRo},
};

}  // namespace

std::span<const CommandSpec> BitmapCommands() { return kBitmapCommands; }

}  // namespace basalt
