#include "storage/exclusive_gate.h"

#include <atomic>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace basalt::storage {
namespace {

// More groups than slots share slots: a slot counts. Each has a cache line of its own.
constexpr int kSlots = 256;
struct alignas(64) Slot {
  std::atomic<uint32_t> inside{0};
};

}  // namespace

struct ExclusiveGate::Impl {
  std::atomic<bool> closed{false};
  std::unique_ptr<Slot[]> slots = std::make_unique<Slot[]>(kSlots);

  std::mutex mu;
  std::condition_variable changed;  // someone left, or the gate opened
  struct Waiter {
    std::function<void()> opened;
    std::function<void()> refused;  // null: waits in any case
  };
  std::vector<Waiter> waiting;                                // guarded by mu
  std::vector<int> slot_users = std::vector<int>(kSlots, 0);  // guarded by mu

  bool Empty() const {
    for (int i = 0; i < kSlots; ++i) {
      if (slots[i].inside.load(std::memory_order_seq_cst) != 0) return false;
    }
    return true;
  }
};

ExclusiveGate::ExclusiveGate() : impl_(std::make_unique<Impl>()) {}
ExclusiveGate::~ExclusiveGate() { assert(impl_->Empty()); }

int ExclusiveGate::AcquireSlot() {
  std::lock_guard lock(impl_->mu);
  int best = 0;
  for (int i = 0; i < kSlots && impl_->slot_users[best] != 0; ++i) {
    if (impl_->slot_users[i] < impl_->slot_users[best]) best = i;
  }
  ++impl_->slot_users[best];
  return best;
}

void ExclusiveGate::ReleaseSlot(int slot) {
  std::lock_guard lock(impl_->mu);
  assert(impl_->slot_users[slot] > 0);
  --impl_->slot_users[slot];
}

// Either the one who enters sees `closed`, or the one who closes sees it inside: both store first and load then.
bool ExclusiveGate::TryEnter(int slot) {
  impl_->slots[slot].inside.fetch_add(1, std::memory_order_seq_cst);
  if (!impl_->closed.load(std::memory_order_seq_cst)) return true;
  Leave(slot);
  return false;
}

void ExclusiveGate::Leave(int slot) {
  const uint32_t before = impl_->slots[slot].inside.fetch_sub(1, std::memory_order_seq_cst);
  assert(before > 0);
  (void)before;
  if (impl_->closed.load(std::memory_order_seq_cst)) {
    std::lock_guard lock(impl_->mu);
    impl_->changed.notify_all();
  }
}

void ExclusiveGate::WhenOpen(std::function<void()> opened, std::function<void()> refused) {
  {
    std::lock_guard lock(impl_->mu);
    if (impl_->closed.load(std::memory_order_relaxed)) {
      impl_->waiting.push_back({std::move(opened), std::move(refused)});
      return;
    }
  }
  opened();
}

void ExclusiveGate::RefuseWaiters() {
  std::vector<Impl::Waiter> refused;
  {
    std::lock_guard lock(impl_->mu);
    std::vector<Impl::Waiter> stay;
    for (Impl::Waiter& waiter : impl_->waiting) (waiter.refused ? refused : stay).push_back(std::move(waiter));
    impl_->waiting.swap(stay);
  }
  for (Impl::Waiter& waiter : refused) waiter.refused();
}

ExclusiveGate::Closed::Closed(ExclusiveGate& gate) : gate_(gate) {
  Impl& impl = *gate.impl_;
  std::unique_lock lock(impl.mu);
  impl.changed.wait(lock, [&] { return !impl.closed.load(std::memory_order_relaxed); });
  Drain(lock);
}

ExclusiveGate::Closed::Closed(ExclusiveGate& gate, std::try_to_lock_t) : gate_(gate) {
  std::unique_lock lock(gate.impl_->mu);
  owns_ = !gate.impl_->closed.load(std::memory_order_relaxed);
  if (owns_) Drain(lock);
}

void ExclusiveGate::Closed::Drain(std::unique_lock<std::mutex>& lock) {
  Impl& impl = *gate_.impl_;
  impl.closed.store(true, std::memory_order_seq_cst);
  impl.changed.wait(lock, [&] { return impl.Empty(); });
}

ExclusiveGate::Closed::~Closed() {
  if (!owns_) return;
  Impl& impl = *gate_.impl_;
  std::vector<Impl::Waiter> waiting;
  {
    std::lock_guard lock(impl.mu);
    impl.closed.store(false, std::memory_order_seq_cst);
    waiting.swap(impl.waiting);
    impl.changed.notify_all();
  }
  for (Impl::Waiter& waiter : waiting) waiter.opened();
}

}  // namespace basalt::storage
