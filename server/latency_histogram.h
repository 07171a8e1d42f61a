#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

namespace basalt {

// Buckets of durations in nanoseconds: 32 equal steps within every power of two, so a value is known to 3 %. Values
// above kMaxNs count as kMaxNs.
class LatencyBuckets {
 public:
  static constexpr int kStepBits = 5;
  static constexpr uint64_t kSteps = 1u << kStepBits;
  static constexpr int kMaxBits = 36;  // 68 s
  static constexpr uint64_t kMaxNs = (1ull << kMaxBits) - 1;
  static constexpr size_t kBuckets = (kMaxBits - kStepBits + 1) * kSteps;

  static size_t BucketOf(uint64_t ns) {
    if (ns < kSteps) return ns;
    if (ns > kMaxNs) ns = kMaxNs;
    const int shift = static_cast<int>(std::bit_width(ns)) - kStepBits - 1;
    return static_cast<size_t>(shift + 1) * kSteps + ((ns >> shift) - kSteps);
  }
  // The largest value that falls into the bucket.
  static uint64_t HighestOf(size_t bucket) {
    if (bucket < kSteps) return bucket;
    const size_t shift = bucket / kSteps - 1;
    return ((bucket % kSteps + kSteps + 1) << shift) - 1;
  }
};

// Counts, as summed over all threads.
struct LatencyHistogram {
  std::vector<uint64_t> counts = std::vector<uint64_t>(LatencyBuckets::kBuckets);
  uint64_t total = 0;

  // The value below which `percentile` (0..100) of all durations lie, in nanoseconds. 0 when empty.
  uint64_t Percentile(double percentile) const;
};

}  // namespace basalt
