#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace basalt::storage {

// Ranges [lower, upper) of keys that neither overlap nor touch each other: those that would are made one. What lies
// between two of them was never added. At most kMax; further ones are dropped. Not thread-safe.
class KeyRanges {
 public:
  static constexpr size_t kMax = 256;

  // REQUIRES: lower < upper.
  void Add(std::string_view lower, std::string_view upper);
  bool empty() const { return ranges_.empty(); }
  // In order: lower bound, upper bound.
  const std::map<std::string, std::string>& ranges() const { return ranges_; }

 private:
  std::map<std::string, std::string> ranges_;
};

}  // namespace basalt::storage
