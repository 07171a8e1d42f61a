// HyperLogLog: strings in the format of server/hyperloglog.h.

#include "server/hyperloglog.h"

#include <cmath>
#include <memory>
#include <random>

#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/config_table.h"

namespace basalt {
namespace {

using storage::HashedKey;
using storage::kNoExpire;
using storage::StringStore;
using storage::StringValue;
using Rows = storage::StringStore::Rows;

// Sketches that the fast lane may merge; one dense sketch takes about 30 µs.
constexpr size_t kFastLaneSketchesMax = 16;

Status NotASketch() { return Status::Message("WRONGTYPE Key is not a valid HyperLogLog string value."); }
Status CorruptSketch() { return Status::Message("INVALIDOBJ Corrupted HLL object detected"); }

// A sketch as it was found under a key, or an empty one.
struct Sketch {
  HyperLogLog hll;
  bool exists = false;
  int64_t expire_ms = kNoExpire;
};

size_t SparseBytesMax(const CommandContext& ctx) {
  return static_cast<size_t>(ctx.services.config.current().hll_sparse_max_bytes);
}

enum class Lookup : uint8_t { kRead /* counts as a hit or miss */, kWrite };

Status LoadSketch(CommandContext& ctx, storage::ReadView& view, const HashedKey& key, Lookup lookup, Sketch* sketch) {
  StringValue value;
  const storage::Status found = lookup == Lookup::kRead ? LookupString(ctx, view, key, Rows::kNeeded, &value)
                                                        : StringStore::Find(view, ctx.db(), key, Rows::kNeeded, &value);
  if (found == storage::Status::kNotFound) return Ok();
  if (found != storage::Status::kOk) return found;
  // Looks at the header before it copies what may be a large string of another kind.
  if (value.length < kHllHeaderBytes) return NotASketch();
  std::string bytes;
  if (!value.inlined && value.length != kHllDenseBytes) {
    BASALT_RETURN_IF_ERROR(StringStore::Read(view, value, 0, kHllHeaderBytes, &bytes));
    if (!HyperLogLog::LooksValid(bytes)) return NotASketch();
    bytes.clear();
  }
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, value.length));
  BASALT_RETURN_IF_ERROR(StringStore::Read(view, value, 0, value.length, &bytes));
  if (!HyperLogLog::LooksValid(bytes)) return NotASketch();
  *sketch = {HyperLogLog(std::move(bytes)), true, value.record->expire_ms()};
  return Ok();
}

Status StoreSketch(CommandContext& ctx, const HashedKey& key, const Sketch& sketch) {
  return SetStringAs(ctx, key, sketch.hll.bytes(), sketch.expire_ms, storage::Encoding::kRaw);
}

Status CheckSketches(const CommandContext& ctx) {
  return ctx.argc() - 1 > kFastLaneSketchesMax && !ctx.in_slow_lane() ? ErrorCode::kNeedSlowLane : ErrorCode::kOk;
}

Status PfAdd(CommandContext& ctx) {
  const HashedKey key = ctx.key(1);
  Sketch sketch;
  BASALT_RETURN_IF_ERROR(LoadSketch(ctx, ctx.txn(), key, Lookup::kWrite, &sketch));
  bool changed = !sketch.exists;
  const size_t sparse_bytes_max = SparseBytesMax(ctx);
  for (const std::string_view element : ctx.argv.subspan(2)) {
    const HllResult result = sketch.hll.Add(element, sparse_bytes_max);
    if (result == HllResult::kCorrupt) return CorruptSketch();
    changed |= result == HllResult::kChanged;
  }
  if (changed) {
    sketch.hll.ForgetCardinality();
    BASALT_RETURN_IF_ERROR(StoreSketch(ctx, key, sketch));
    NotifyKey(ctx, kEventString, "pfadd", key.key);
  }
  ctx.reply.Integer(changed ? 1 : 0);
  return Ok();
}

// One key: the cardinality that is stored, or else computed and, where the command may write, stored for the next time.
Status PfCountOne(CommandContext& ctx, storage::ReadView& view) {
  Sketch sketch;
  BASALT_RETURN_IF_ERROR(LoadSketch(ctx, view, ctx.key(1), Lookup::kRead, &sketch));
  uint64_t cardinality = sketch.hll.known_cardinality();
  if (sketch.exists && !sketch.hll.cardinality_known()) {
    if (!sketch.hll.Estimate(&cardinality)) return CorruptSketch();
    sketch.hll.RememberCardinality(cardinality);
    const bool writable = ctx.can_write() && ctx.services.storage.health() < storage::Health::kReadOnly;
    if (writable) BASALT_RETURN_IF_ERROR(StoreSketch(ctx, ctx.key(1), sketch));
  }
  ctx.reply.Integer(static_cast<int64_t>(cardinality));
  return Ok();
}

Status PfCount(CommandContext& ctx) {
  storage::ReadView& view = ctx.can_write() ? ctx.txn() : ctx.view();
  if (ctx.argc() == 2) return PfCountOne(ctx, view);
  BASALT_RETURN_IF_ERROR(CheckSketches(ctx));
  view.RequireSnapshot();
  auto registers = std::make_unique<HllRegisters>();
  for (size_t i = 1; i < ctx.argc(); ++i) {
    Sketch sketch;
    BASALT_RETURN_IF_ERROR(LoadSketch(ctx, view, ctx.key(i), Lookup::kRead, &sketch));
    if (!sketch.hll.MergeInto(registers.get())) return CorruptSketch();
  }
  ctx.reply.Integer(static_cast<int64_t>(HllEstimate(*registers)));
  return Ok();
}

Status PfMerge(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(CheckSketches(ctx));
  auto registers = std::make_unique<HllRegisters>();
  bool dense = false;
  Sketch target;
  for (size_t i = 1; i < ctx.argc(); ++i) {  // the target is one of the sources
    Sketch sketch;
    BASALT_RETURN_IF_ERROR(LoadSketch(ctx, ctx.txn(), ctx.key(i), Lookup::kRead, &sketch));
    dense |= !sketch.hll.sparse();
    if (!sketch.hll.MergeInto(registers.get())) return CorruptSketch();
    if (i == 1) target = std::move(sketch);
  }
  if (dense && target.hll.ToDense() == HllResult::kCorrupt) return CorruptSketch();
  const size_t sparse_bytes_max = SparseBytesMax(ctx);
  for (uint32_t i = 0; i < kHllRegisters; ++i) {
    const uint8_t rank = (*registers)[i];
    if (rank > 0 && target.hll.Raise({i, rank}, sparse_bytes_max) == HllResult::kCorrupt) return CorruptSketch();
  }
  target.hll.ForgetCardinality();
  BASALT_RETURN_IF_ERROR(StoreSketch(ctx, ctx.key(1), target));
  NotifyKey(ctx, kEventString, "pfadd", ctx.arg(1));
  ctx.reply.Ok();
  return Ok();
}

// ---- PFDEBUG ----

// *converted: whether it was sparse.
Status MakeDense(CommandContext& ctx, Sketch* sketch, bool* converted) {
  const HllResult result = sketch->hll.ToDense();
  if (result == HllResult::kCorrupt) return CorruptSketch();
  *converted = result == HllResult::kChanged;
  return *converted ? StoreSketch(ctx, ctx.key(2), *sketch) : Ok();
}

Status PfDebug(CommandContext& ctx) {
  Sketch sketch;
  BASALT_RETURN_IF_ERROR(LoadSketch(ctx, ctx.txn(), ctx.key(2), Lookup::kWrite, &sketch));
  if (!sketch.exists) return Status::Message("ERR The specified key does not exist");
  const std::string_view subcommand = ctx.arg(1);
  bool converted = false;
  if (EqualsIgnoreCase(subcommand, "GETREG")) {
    BASALT_RETURN_IF_ERROR(MakeDense(ctx, &sketch, &converted));
    ctx.reply.Array(kHllRegisters);
    const char* dense = sketch.hll.bytes().data() + kHllHeaderBytes;
    for (size_t i = 0; i < kHllRegisters; ++i) ctx.reply.Integer(HllDenseRegister(dense, i));
  } else if (EqualsIgnoreCase(subcommand, "DECODE")) {
    if (!sketch.hll.sparse()) return Status::Message("ERR HLL encoding is not sparse");
    ctx.reply.Bulk(sketch.hll.Decode());
  } else if (EqualsIgnoreCase(subcommand, "ENCODING")) {
    ctx.reply.Simple(sketch.hll.sparse() ? "sparse" : "dense");
  } else if (EqualsIgnoreCase(subcommand, "TODENSE")) {
    BASALT_RETURN_IF_ERROR(MakeDense(ctx, &sketch, &converted));
    ctx.reply.Integer(converted ? 1 : 0);
  } else {
    return Status::Message("ERR Unknown PFDEBUG subcommand '" + std::string(subcommand) + "'");
  }
  return Ok();
}

// ---- PFSELFTEST ----

// The same numbers in every run: what passes once passes always.
constexpr uint64_t kSelfTestSeed = 0x5e1f7e57;
constexpr int kSelfTestRegisterRounds = 100;
constexpr uint64_t kSelfTestElements = 1'000'000;

Status TestRegisters(std::mt19937_64* random) {
  std::string dense(kHllDenseBytes - kHllHeaderBytes, '\0');
  auto expected = std::make_unique<HllRegisters>();
  for (int round = 0; round < kSelfTestRegisterRounds; ++round) {
    for (size_t i = 0; i < kHllRegisters; ++i) {
      (*expected)[i] = static_cast<uint8_t>((*random)() % 64);
      HllSetDenseRegister(dense.data(), i, (*expected)[i]);
    }
    for (size_t i = 0; i < kHllRegisters; ++i) {
      const int want = (*expected)[i], is = HllDenseRegister(dense.data(), i);
      if (want != is) {
        return Status::Message("ERR TESTFAILED Register " + std::to_string(i) + " should be " + std::to_string(want) +
                               " but is " + std::to_string(is));
      }
    }
  }
  return Ok();
}

// At 1, 10, 100, … elements: sparse where it should be, sparse and dense of one opinion, and that opinion close to the
// truth.
Status CheckEstimate(const HyperLogLog& dense, const HyperLogLog& natural, uint64_t elements, size_t sparse_bytes_max) {
  if (elements < sparse_bytes_max / 2 && !natural.sparse()) {
    return Status::Message("ERR TESTFAILED sparse encoding not used");
  }
  uint64_t from_dense = 0, from_natural = 0;
  if (!dense.Estimate(&from_dense) || !natural.Estimate(&from_natural) || from_dense != from_natural) {
    return Status::Message("ERR TESTFAILED dense/sparse disagree");
  }
  const double standard_error = 1.04 / std::sqrt(static_cast<double>(kHllRegisters));
  const uint64_t error = from_dense > elements ? from_dense - elements : elements - from_dense;
  if (static_cast<double>(error) > std::ceil(standard_error * 6 * static_cast<double>(elements))) {
    return Status::Message("ERR TESTFAILED Too big error. card:" + std::to_string(elements) +
                           " abserr:" + std::to_string(error));
  }
  return Ok();
}

Status TestEstimates(std::mt19937_64* random, size_t sparse_bytes_max) {
  HyperLogLog dense, natural;
  (void)dense.ToDense();
  const uint64_t salt = (*random)();
  uint64_t checkpoint = 1;
  for (uint64_t i = 1; i <= kSelfTestElements; ++i) {
    const uint64_t number = i ^ salt;
    const std::string_view element(reinterpret_cast<const char*>(&number), sizeof(number));
    (void)dense.Add(element, sparse_bytes_max);
    (void)natural.Add(element, sparse_bytes_max);
    if (i < checkpoint) continue;
    BASALT_RETURN_IF_ERROR(CheckEstimate(dense, natural, i, sparse_bytes_max));
    checkpoint *= 10;
  }
  return Ok();
}

Status PfSelfTest(CommandContext& ctx) {
  std::mt19937_64 random(kSelfTestSeed);
  BASALT_RETURN_IF_ERROR(TestRegisters(&random));
  BASALT_RETURN_IF_ERROR(TestEstimates(&random, SparseBytesMax(ctx)));
  ctx.reply.Ok();
  return Ok();
}

// ---- rows ----

constexpr CommandSpec kHyperloglogCommands[] = {
    {.name = "pfadd",
     .arity = -2,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = CommandGroup::kHyperloglog,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert)},
     .syntax = "key [element…]",
     .since = "2.8.9",
     .complexity = "O(1) for each element",
     .summary = "Adds elements to a HyperLogLog, creating it if needed.",
     .handler = PfAdd},
    {.name = "pfcount",
     .arity = -2,
     .flags = kCmdReadonly | kCmdMayReplicate | kCmdLockKeys,
     .group = CommandGroup::kHyperloglog,
     .keys = {KeySpec::Range(kKeyRW | kKeyAccess, 1, -1, 1).Noted("Keeps what it computed.")},
     .syntax = "key…",
     .since = "2.8.9",
     .complexity = "O(1) with one key, the cardinality being kept; O(N) with N keys, and dearer for each",
     .summary = "Estimates how many different elements one or several HyperLogLogs together have seen.",
     .handler = PfCount},
    {.name = "pfmerge",
     .arity = -2,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kHyperloglog,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess | kKeyInsert), KeySpec::Range(kKeyRO | kKeyAccess, 2, -1, 1)},
     .syntax = "destkey [sourcekey…]",
     .since = "2.8.9",
     .complexity = "O(N), N being the number of keys, with a high constant",
     .summary = "Adds all that other HyperLogLogs have seen to one.",
     .handler = PfMerge},
    {.name = "pfdebug",
     .arity = 3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdAdmin,
     .group = CommandGroup::kHyperloglog,
     .keys = {KeySpec::One(kKeyRW | kKeyAccess, 2)},
     .syntax = "subcommand key",
     .since = "2.8.9",
     .complexity = "N/A",
     .summary = "Shows the inside of a HyperLogLog.",
     .handler = PfDebug,
     .doc_flags = "syscmd"},
    {.name = "pfselftest",
     .arity = 1,
     .flags = kCmdAdmin | kCmdSlowLane,
     .group = CommandGroup::kHyperloglog,
     .since = "2.8.9",
     .complexity = "N/A",
     .summary = "Checks the HyperLogLog implementation.",
     .handler = PfSelfTest,
     .doc_flags = "syscmd"},
};

}  // namespace

std::span<const CommandSpec> HyperloglogCommands() { return kHyperloglogCommands; }

}  // namespace basalt
