#pragma once

#include <cstddef>

namespace basalt::net {

inline constexpr size_t kDoubleBytesMax = 40;  // 17 digits, up to 21 zeros, sign, point, exponent

// Writes digits that read back as `value`, the same that Redis writes (the shortest, with rare exceptions), laid out as
// there: plain while that is short, an exponent without padding after. `at` has room for kDoubleBytesMax; returns the
// end. REQUIRES: finite, not 0.
char* WriteShortestDouble(char* at, double value);

}  // namespace basalt::net
