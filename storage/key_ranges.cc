#include "storage/key_ranges.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace basalt::storage {

void KeyRanges::Add(std::string_view lower, std::string_view upper) {
  std::string first(lower);
  std::string last(upper);
  // Those that begin inside it or at its end, and the one before if it reaches that far.
  auto next = ranges_.lower_bound(first);
  if (next != ranges_.begin() && std::prev(next)->second >= first) --next;
  while (next != ranges_.end() && next->first <= last) {
    first = std::min(first, next->first);
    last = std::max(last, next->second);
    next = ranges_.erase(next);
  }
  if (ranges_.size() < kMax) ranges_.emplace(std::move(first), std::move(last));
}

}  // namespace basalt::storage
