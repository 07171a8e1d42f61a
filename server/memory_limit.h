#pragma once

#include <atomic>
#include <cstdint>

namespace basalt {

// `maxmemory`, as Redis has it with the policy noeviction: above it, commands that may need memory are refused. Sampled
// periodically and when the limit changes, so that a command costs one relaxed load. Any thread.
class MemoryLimit {
 public:
  // `limit_bytes`: 0 = none.
  void Sample(uint64_t limit_bytes);
  bool exceeded() const { return exceeded_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> exceeded_{false};
};

}  // namespace basalt
