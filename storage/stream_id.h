#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace basalt::storage {

// The name of a stream's entry: Unix milliseconds, as a rule, and a number within them. A value.
struct StreamId {
  uint64_t ms = 0;
  uint64_t seq = 0;

  friend constexpr auto operator<=>(const StreamId&, const StreamId&) = default;
  constexpr bool zero() const { return ms == 0 && seq == 0; }

  // To the next or the previous id there can be. False: there is none, and the id went round to the other end.
  constexpr bool Increment() {
    if (++seq != 0) return true;
    return ++ms != 0;
  }
  constexpr bool Decrement() {
    if (seq-- != 0) return true;
    return ms-- != 0;
  }
};

inline constexpr StreamId kStreamIdMin{0, 0};
inline constexpr StreamId kStreamIdMax{std::numeric_limits<uint64_t>::max(), std::numeric_limits<uint64_t>::max()};

}  // namespace basalt::storage
