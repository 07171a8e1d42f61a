#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace basalt::storage {

// Who is inside RocksDB, so that it can be closed and opened again in-process: everyone who calls it holds this gate
// shared, but for commit groups, which hold the ExclusiveGate. Part of Engine; any thread.
//
// To enter and to leave is one locked addition each, on a cache line that a thread shares with few others: 10 ns together,
// next to the 1,000 or more of the cheapest read that gets past the record cache.
class EngineGate {
 public:
  static constexpr int kClosed = -1;

  // The slot to leave, or kClosed.
  [[nodiscard]] int TryEnter() {
    const int slot = SlotOfThread();
    slots_[slot].inside.fetch_add(1, std::memory_order_seq_cst);
    // Either this sees `closed_`, or the closer sees it inside: both store first and load then.
    if (!closed_.load(std::memory_order_seq_cst)) return slot;
    Leave(slot);
    return kClosed;
  }
  // Waits while it is closed. kClosed when RocksDB could not be opened again: there is nothing inside. REQUIRES: not the
  // fast lane.
  [[nodiscard]] int Enter();
  void Leave(int slot) {
    slots_[slot].inside.fetch_sub(1, std::memory_order_seq_cst);
    if (closed_.load(std::memory_order_seq_cst)) WakeCloser();
  }

  // Lets nobody in any more and waits until everyone has left. False when that took longer than `timeout_ms`: then it is
  // as before. One closer at a time.
  [[nodiscard]] bool Close(int64_t timeout_ms);
  void Open();
  void OpenFailed();  // whoever waits, or comes, is told that there is nothing inside, until the next Open

 private:
  static constexpr int kSlots = 64;
  struct alignas(64) Slot {
    std::atomic<uint32_t> inside{0};
  };

  static int SlotOfThread() {
    static std::atomic<unsigned> threads{0};
    thread_local const int slot = static_cast<int>(threads.fetch_add(1, std::memory_order_relaxed) % kSlots);
    return slot;
  }
  void WakeCloser();
  bool Empty() const;

  std::array<Slot, kSlots> slots_;
  std::atomic<bool> closed_{false};
  std::mutex mu_;
  std::condition_variable changed_;  // someone left, or the gate opened
  bool nothing_inside_ = false;      // guarded by mu_
};

// Inside for the length of a block, if ok(). Waits while RocksDB is being reopened.
class EngineUse {
 public:
  explicit EngineUse(EngineGate& gate) : gate_(gate), slot_(gate.Enter()) {}
  ~EngineUse() {
    if (ok()) gate_.Leave(slot_);
  }
  EngineUse(const EngineUse&) = delete;
  EngineUse& operator=(const EngineUse&) = delete;

  bool ok() const { return slot_ != EngineGate::kClosed; }

 private:
  EngineGate& gate_;
  const int slot_;
};

}  // namespace basalt::storage
