#include "storage/engine_gate.h"

#include <chrono>

namespace basalt::storage {

bool EngineGate::Empty() const {
  for (const Slot& slot : slots_) {
    if (slot.inside.load(std::memory_order_seq_cst) != 0) return false;
  }
  return true;
}

void EngineGate::WakeCloser() {
  std::lock_guard lock(mu_);
  changed_.notify_all();
}

int EngineGate::Enter() {
  while (true) {
    const int slot = TryEnter();
    if (slot != kClosed) return slot;
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this] { return !closed_.load(std::memory_order_relaxed) || nothing_inside_; });
    if (nothing_inside_) return kClosed;
  }
}

bool EngineGate::Close(int64_t timeout_ms) {
  std::unique_lock lock(mu_);
  closed_.store(true, std::memory_order_seq_cst);
  if (changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return Empty(); })) return true;
  closed_.store(nothing_inside_, std::memory_order_seq_cst);
  changed_.notify_all();
  return false;
}

void EngineGate::Open() {
  std::lock_guard lock(mu_);
  nothing_inside_ = false;
  closed_.store(false, std::memory_order_seq_cst);
  changed_.notify_all();
}

void EngineGate::OpenFailed() {
  std::lock_guard lock(mu_);
  nothing_inside_ = true;
  changed_.notify_all();
}

}  // namespace basalt::storage
