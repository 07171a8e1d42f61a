#pragma once

#include <atomic>
#include <cstddef>

namespace basalt {

// What all Lua states together may take, in bytes: each has a limit of its own, but there is one per thread. Any
// thread.
class LuaBudget {
 public:
  static constexpr size_t kDefaultBytesMax = 1024 * 1024 * 1024;

  explicit LuaBudget(size_t bytes_max = kDefaultBytesMax) : bytes_max_(bytes_max) {}

  bool TryTake(size_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_max_) return true;
    GiveBack(bytes);
    return false;
  }
  // Whether or not there is room.
  void Take(size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void GiveBack(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const size_t bytes_max_;
  std::atomic<size_t> used_{0};
};

}  // namespace basalt
