#pragma once

#include <atomic>

namespace basalt {

// Whether a script or function is too slow for the fast lane: when it ran too long there, it begins in the slow lane
// until it has been quick there a few times. Any thread. A copy begins anew.
class ScriptPace {
 public:
  ScriptPace() = default;
  ScriptPace(const ScriptPace&) {}
  ScriptPace& operator=(const ScriptPace&) { return *this; }

  bool IsSlow() const { return slow_runs_left_.load(std::memory_order_relaxed) > 0; }
  void NoteSlow() { slow_runs_left_.store(kSlowRuns, std::memory_order_relaxed); }
  void NoteQuick() {
    if (IsSlow()) slow_runs_left_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  static constexpr int kSlowRuns = 16;
  std::atomic<int> slow_runs_left_{0};
};

}  // namespace basalt
