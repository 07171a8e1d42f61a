#include "server/hyperloglog.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace basalt {
namespace {

constexpr uint64_t kHashSeed = 0xadc83b19;
constexpr int kBitsOfRank = 64 - kHllBitsOfIndex;  // 50; ranks go one further
constexpr uint8_t kRankMask = 63;
constexpr uint8_t kSparseRankMax = 32;
constexpr uint32_t kValRunMax = 4, kZeroRunMax = 64;
constexpr size_t kRunBytesMax = 2;
constexpr char kDense = 0, kSparse = 1;

// How many registers hold each rank. Sized for any six bits: a hostile dense value may hold ranks that no hash gives.
using Histogram = std::array<uint32_t, 64>;

// ---- runs of the sparse form ----

struct Run {
  uint8_t rank = 0;     // 0: ZERO or XZERO
  uint8_t bytes = 1;    // of its code
  uint32_t length = 0;  // registers
};

// REQUIRES: !code.empty(). The second byte of a cut-off XZERO counts as zero.
Run ReadRun(std::string_view code) {
  const uint8_t first = static_cast<uint8_t>(code[0]);
  if (first & 0x80) return {static_cast<uint8_t>((first >> 2 & 0x1f) + 1), 1, (first & 3u) + 1};
  if (!(first & 0x40)) return {0, 1, (first & 0x3fu) + 1};
  const uint8_t second = code.size() > 1 ? static_cast<uint8_t>(code[1]) : 0;
  return {0, 2, ((first & 0x3fu) << 8 | second) + 1};
}

// A short byte string on the stack: at most three runs.
class RunWriter {
 public:
  void Zeros(uint32_t length) {
    if (length == 0) return;
    if (length > kZeroRunMax) {
      Push(static_cast<uint8_t>(0x40 | (length - 1) >> 8));
      Push(static_cast<uint8_t>((length - 1) & 0xff));
    } else {
      Push(static_cast<uint8_t>(length - 1));
    }
  }
  void Ranks(uint8_t rank, uint32_t length) {
    if (length > 0) Push(static_cast<uint8_t>(0x80 | (rank - 1) << 2 | (length - 1)));
  }
  std::string_view view() const { return {bytes_, size_}; }

 private:
  void Push(uint8_t byte) { bytes_[size_++] = static_cast<char>(byte); }
  char bytes_[3 * kRunBytesMax];
  size_t size_ = 0;
};

// Redis counts with every run, but when it merges it stops at a VAL run that reaches beyond the last register.
enum class SurplusValues : uint8_t { kRefuse, kIgnore };

// Visits the runs of a sparse value; false when they do not cover exactly all registers. Never passes a run that
// reaches beyond.
template <typename Visit>
bool ForEachRun(std::string_view runs, SurplusValues surplus, Visit visit) {
  uint32_t index = 0;
  for (size_t at = 0; at < runs.size();) {
    const Run run = ReadRun(runs.substr(at));
    if (at + run.bytes > runs.size()) return false;
    if (index + run.length > kHllRegisters) {
      return run.rank > 0 && surplus == SurplusValues::kIgnore && index == kHllRegisters;
    }
    visit(index, run);
    index += run.length;
    at += run.bytes;
  }
  return index == kHllRegisters;
}

// Joins neighbouring runs of one rank where four registers or fewer result: up to five runs from `at` on.
void JoinRuns(std::string* bytes, size_t at) {
  for (int looked_at = 0; looked_at < 5 && at < bytes->size(); ++looked_at) {
    const Run run = ReadRun(std::string_view(*bytes).substr(at));
    if (run.rank > 0 && at + 1 < bytes->size()) {
      const Run next = ReadRun(std::string_view(*bytes).substr(at + 1));
      if (next.rank == run.rank && run.length + next.length <= kValRunMax) {
        RunWriter joined;
        joined.Ranks(run.rank, run.length + next.length);
        bytes->replace(at, 2, joined.view());
        continue;  // and perhaps with the one after
      }
    }
    at += run.bytes;
  }
}

// ---- estimation: sigma and tau of Ertl's paper ----

double Sigma(double x) {
  if (x == 1.0) return std::numeric_limits<double>::infinity();
  double y = 1, z = x, before;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (before != z);
  return z;
}

double Tau(double x) {
  if (x == 0.0 || x == 1.0) return 0.0;
  double y = 1, z = 1 - x, before;
  do {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= std::pow(1 - x, 2) * y;
  } while (before != z);
  return z / 3;
}

uint64_t EstimateFrom(const Histogram& histogram) {
  constexpr double kAlphaInfinity = 0.721347520444481703680;  // 1 / (2 ln 2)
  constexpr double m = kHllRegisters;
  double z = m * Tau((m - histogram[kBitsOfRank + 1]) / m);
  for (int rank = kBitsOfRank; rank >= 1; --rank) {
    z += histogram[static_cast<size_t>(rank)];
    z *= 0.5;
  }
  z += m * Sigma(histogram[0] / m);
  return static_cast<uint64_t>(llroundl(kAlphaInfinity * m * m / z));
}

}  // namespace

// ---- hash ----

// MurmurHash64A by Austin Appleby (public domain), reading little endian on every machine.
uint64_t MurmurHash64A(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr int kShift = 47;
  const auto load = [](const char* p, size_t n) {
    uint64_t word = 0;
    for (size_t i = 0; i < n; ++i) word |= static_cast<uint64_t>(static_cast<uint8_t>(p[i])) << (8 * i);
    return word;
  };
  uint64_t hash = seed ^ (bytes.size() * kMultiplier);
  const char* p = bytes.data();
  for (size_t words = bytes.size() / 8; words > 0; --words, p += 8) {
    uint64_t word = load(p, 8) * kMultiplier;
    word ^= word >> kShift;
    hash = (hash ^ word * kMultiplier) * kMultiplier;
  }
  if (const size_t rest = bytes.size() % 8; rest > 0) hash = (hash ^ load(p, rest)) * kMultiplier;
  hash ^= hash >> kShift;
  hash *= kMultiplier;
  return hash ^ hash >> kShift;
}

HllPoint HllPointOf(std::string_view element) {
  const uint64_t hash = MurmurHash64A(element, kHashSeed);
  const uint64_t rest = hash >> kHllBitsOfIndex | uint64_t{1} << kBitsOfRank;  // bounds the rank
  return {static_cast<uint32_t>(hash % kHllRegisters), static_cast<uint8_t>(std::countr_zero(rest) + 1)};
}

// ---- dense registers ----

uint8_t HllDenseRegister(const char* dense, size_t index) {
  const size_t byte = index * 6 / 8, shift = index * 6 % 8;
  const unsigned low = static_cast<uint8_t>(dense[byte]);
  // Registers that start in the last two bits of a byte, or in the middle of one, end in the next.
  const unsigned high = shift > 2 ? static_cast<uint8_t>(dense[byte + 1]) : 0;
  return static_cast<uint8_t>((low >> shift | high << (8 - shift)) & kRankMask);
}

void HllSetDenseRegister(char* dense, size_t index, uint8_t rank) {
  const size_t byte = index * 6 / 8, shift = index * 6 % 8;
  const unsigned low = static_cast<uint8_t>(dense[byte]);
  dense[byte] = static_cast<char>((low & ~(unsigned{kRankMask} << shift)) | unsigned{rank} << shift);
  if (shift <= 2) return;
  const unsigned high = static_cast<uint8_t>(dense[byte + 1]);
  dense[byte + 1] = static_cast<char>((high & ~(unsigned{kRankMask} >> (8 - shift))) | unsigned{rank} >> (8 - shift));
}

uint64_t HllEstimate(const HllRegisters& registers) {
  Histogram histogram = {};
  for (const uint8_t rank : registers) ++histogram[rank & kRankMask];
  return EstimateFrom(histogram);
}

// ---- HyperLogLog ----

HyperLogLog::HyperLogLog() : bytes_(kHllHeaderBytes, '\0') {
  bytes_.replace(0, 4, "HYLL");
  bytes_[4] = kSparse;
  RunWriter all;
  all.Zeros(kHllRegisters);
  bytes_.append(all.view());
}

bool HyperLogLog::LooksValid(std::string_view bytes) {
  if (bytes.size() < kHllHeaderBytes || !bytes.starts_with("HYLL")) return false;
  return bytes[4] == kSparse || (bytes[4] == kDense && bytes.size() == kHllDenseBytes);
}

uint64_t HyperLogLog::known_cardinality() const {
  uint64_t cardinality = 0;
  for (size_t i = 0; i < 8; ++i) {
    cardinality |= static_cast<uint64_t>(static_cast<uint8_t>(bytes_[8 + i])) << (8 * i);
  }
  return cardinality;
}

void HyperLogLog::RememberCardinality(uint64_t cardinality) {
  for (size_t i = 0; i < 8; ++i) bytes_[8 + i] = static_cast<char>(cardinality >> (8 * i));
}

HllResult HyperLogLog::Raise(HllPoint point, size_t sparse_bytes_max) {
  const HllResult result = sparse() ? RaiseSparse(point, sparse_bytes_max) : RaiseDense(point);
  if (result == HllResult::kChanged) ForgetCardinality();
  return result;
}

HllResult HyperLogLog::RaiseDense(HllPoint point) {
  char* dense = bytes_.data() + kHllHeaderBytes;
  if (HllDenseRegister(dense, point.index) >= point.rank) return HllResult::kUnchanged;
  HllSetDenseRegister(dense, point.index, point.rank);
  return HllResult::kChanged;
}

HllResult HyperLogLog::PromoteAndRaise(HllPoint point) {
  if (ToDense() == HllResult::kCorrupt) return HllResult::kCorrupt;
  (void)RaiseDense(point);
  return HllResult::kChanged;
}

// Splits the run that covers the register into up to three.
HllResult HyperLogLog::RaiseSparse(HllPoint point, size_t sparse_bytes_max) {
  if (point.rank > kSparseRankMax) return PromoteAndRaise(point);
  size_t at = kHllHeaderBytes, before = kHllHeaderBytes;
  uint32_t first = 0;
  Run run;
  for (;; before = at, at += run.bytes, first += run.length) {
    if (at >= bytes_.size()) return HllResult::kCorrupt;
    run = ReadRun(std::string_view(bytes_).substr(at));
    if (at + run.bytes > bytes_.size()) return HllResult::kCorrupt;
    if (point.index < first + run.length) break;
  }
  if (run.rank >= point.rank) return HllResult::kUnchanged;

  const uint32_t left = point.index - first, right = run.length - left - 1;
  RunWriter runs;
  run.rank == 0 ? runs.Zeros(left) : runs.Ranks(run.rank, left);
  runs.Ranks(point.rank, 1);
  run.rank == 0 ? runs.Zeros(right) : runs.Ranks(run.rank, right);
  const std::string_view code = runs.view();
  if (code.size() > run.bytes && bytes_.size() + code.size() - run.bytes > sparse_bytes_max) {
    return PromoteAndRaise(point);
  }
  bytes_.replace(at, run.bytes, code);
  JoinRuns(&bytes_, before);
  return HllResult::kChanged;
}

HllResult HyperLogLog::ToDense() {
  if (!sparse()) return HllResult::kUnchanged;
  std::string dense(kHllDenseBytes, '\0');
  dense.replace(0, kHllHeaderBytes, bytes_, 0, kHllHeaderBytes);
  dense[4] = kDense;
  const bool valid = ForEachRun(runs(), SurplusValues::kIgnore, [&dense](uint32_t index, const Run& run) {
    for (uint32_t i = 0; run.rank > 0 && i < run.length; ++i) {
      HllSetDenseRegister(dense.data() + kHllHeaderBytes, index + i, run.rank);
    }
  });
  if (!valid) return HllResult::kCorrupt;
  bytes_ = std::move(dense);
  return HllResult::kChanged;
}

bool HyperLogLog::Estimate(uint64_t* cardinality) const {
  Histogram histogram = {};
  if (sparse()) {
    const auto count = [&histogram](uint32_t, const Run& run) { histogram[run.rank] += run.length; };
    if (!ForEachRun(runs(), SurplusValues::kRefuse, count)) return false;
  } else {
    for (size_t i = 0; i < kHllRegisters; ++i) ++histogram[HllDenseRegister(bytes_.data() + kHllHeaderBytes, i)];
  }
  *cardinality = EstimateFrom(histogram);
  return true;
}

bool HyperLogLog::MergeInto(HllRegisters* registers) const {
  if (sparse()) {
    return ForEachRun(runs(), SurplusValues::kIgnore, [registers](uint32_t index, const Run& run) {
      for (uint32_t i = 0; run.rank > 0 && i < run.length; ++i) {
        uint8_t& rank = (*registers)[index + i];
        rank = std::max(rank, run.rank);
      }
    });
  }
  for (size_t i = 0; i < kHllRegisters; ++i) {
    (*registers)[i] = std::max((*registers)[i], HllDenseRegister(bytes_.data() + kHllHeaderBytes, i));
  }
  return true;
}

std::string HyperLogLog::Decode() const {
  std::string text;
  for (size_t at = kHllHeaderBytes; at < bytes_.size();) {
    const Run run = ReadRun(std::string_view(bytes_).substr(at));
    if (!text.empty()) text += ' ';
    if (run.rank == 0) {
      text += (run.bytes == 1 ? "z:" : "Z:") + std::to_string(run.length);
    } else {
      text += "v:" + std::to_string(run.rank) + ',' + std::to_string(run.length);
    }
    at += run.bytes;
  }
  return text;
}

}  // namespace basalt
