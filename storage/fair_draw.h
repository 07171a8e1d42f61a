#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "storage/random.h"
#include "storage/status.h"

namespace basalt::storage {

// Draws one of many things that lie in the order of a hash, in [0, space), without looking at all of them (DESIGN §4,
// fair random): an interval that is expected to hold kDrawExpected, of which k are found, is accepted with probability
// k / kDrawCapacity. So each has the same chance, however many share its interval; a seek to a random place would
// favour those behind large gaps.
//
// `collect(first, last, max, std::vector<Item>*)` appends those of [first, last), at most `max`. Pure but for that.
inline constexpr uint64_t kDrawEnumerateMax = 64;  // so few are better looked at one and all
inline constexpr uint64_t kDrawExpected = 16;
inline constexpr uint64_t kDrawCapacity = 32;

// What to do about an interval that holds more than kDrawCapacity.
enum class Crowded : uint8_t {
  kHalve,   // go on with one half, at random: fair only as far as the hashes are spread
  kGiveUp,  // the caller looks at all
};

enum class DrawOutcome : uint8_t { kDrawn, kMissed, kCrowded };

template <typename Item, typename Collect>
Status DrawFromInterval(uint64_t first, uint64_t last, Crowded crowded, Collect&& collect, Item* item,
                        DrawOutcome* outcome) {
  std::vector<Item> found;
  while (true) {
    found.clear();
    const Status status = collect(first, last, kDrawCapacity + 1, &found);
    if (status != Status::kOk) return status;
    if (found.size() <= kDrawCapacity || last - first == 1) break;
    if (crowded == Crowded::kGiveUp) {
      *outcome = DrawOutcome::kCrowded;
      return Status::kOk;
    }
    const uint64_t middle = first + (last - first) / 2;
    (RandomBelow(2) == 0 ? last : first) = middle;
  }
  const bool accepted = !found.empty() && RandomBelow(kDrawCapacity) < found.size();
  if (accepted) *item = std::move(found[RandomBelow(found.size())]);
  *outcome = accepted ? DrawOutcome::kDrawn : DrawOutcome::kMissed;
  return Status::kOk;
}

// Out of about `total`, at most `tries` times. *drawn is false when they lie too close together for that.
template <typename Item, typename Collect>
Status DrawFromSpace(uint64_t space, uint64_t total, int tries, Crowded crowded, Collect&& collect, Item* item,
                     bool* drawn) {
  const uint64_t intervals = std::clamp<uint64_t>(total / kDrawExpected, 1, space);
  const uint64_t width = (space + intervals - 1) / intervals;
  const uint64_t used = (space + width - 1) / width;  // rounding may leave the last intervals empty
  DrawOutcome outcome = DrawOutcome::kMissed;
  for (int i = 0; i < tries && outcome == DrawOutcome::kMissed; ++i) {
    const uint64_t first = RandomBelow(used) * width;
    const Status status = DrawFromInterval(first, std::min(first + width, space), crowded, collect, item, &outcome);
    if (status != Status::kOk) return status;
  }
  *drawn = outcome == DrawOutcome::kDrawn;
  return Status::kOk;
}

}  // namespace basalt::storage
