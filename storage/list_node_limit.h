#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace basalt::storage {

// list-max-listpack-size: from 0 up it is a number of elements (0 counts as 1) and 8 KiB besides; -1 … -5 are 4, 8, 16,
// 32 and 64 KiB.
struct ListNodeLimit {
  uint64_t bytes = std::numeric_limits<uint64_t>::max();
  uint64_t elements = std::numeric_limits<uint64_t>::max();
};
inline ListNodeLimit ListNodeLimitOf(int64_t setting) {
  if (setting >= 0) return {.elements = static_cast<uint64_t>(std::max<int64_t>(setting, 1))};
  return {.bytes = 4096ull << (std::min<int64_t>(-setting, 5) - 1)};
}

// Whether a node of `bytes` and `elements` takes one more element of `element_bytes`, as Redis estimates it.
inline bool ListNodeTakes(int64_t setting, uint64_t bytes, uint64_t elements, uint64_t element_bytes) {
  constexpr uint64_t kOverhead = 8;
  constexpr uint64_t kSafeBytes = 8192;
  const ListNodeLimit limit = ListNodeLimitOf(setting);
  const uint64_t after = bytes + element_bytes + kOverhead;
  if (setting < 0) return after <= limit.bytes;
  return after <= kSafeBytes && elements + 1 <= limit.elements;
}

}  // namespace basalt::storage
