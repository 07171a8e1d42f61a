#include "storage/key_locks.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace basalt::storage {
namespace {

// Word of a stripe. A stripe that is waited for is always held: it is handed over, never freed.
constexpr uint32_t kFree = 0;
constexpr uint32_t kHeld = 1;
constexpr uint32_t kHeldAndWaitedFor = 3;

struct Waiter {
  std::vector<KeyLocks::Stripe> stripes;  // ascending
  size_t next = 0;                        // stripes before are held by this waiter
  KeyLocks::Place place = KeyLocks::Place::kBack;
  std::function<void(KeyLocks::Grant)> granted;
  std::function<void()> refused;  // null: waits in any case
};

}  // namespace

struct KeyLocks::Impl {
  struct alignas(32) StripeState {
    std::atomic<uint32_t> word{kFree};
    std::atomic<uint64_t> version{0};
    std::atomic<uint64_t> last_sequence{0};
  };

  std::unique_ptr<StripeState[]> stripes = std::make_unique<StripeState[]>(kStripes);
  std::atomic<uint64_t> waits{0};

  std::mutex mu;
  std::unordered_map<Stripe, std::deque<std::unique_ptr<Waiter>>> queues;  // guarded by mu; no empty queue stays

  bool TryTake(Stripe stripe) {
    uint32_t expected = kFree;
    return stripes[stripe].word.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                                        std::memory_order_relaxed);
  }

  // Takes stripes for `waiter` from its `next` on; queues it at the first that is held. Returns it when it has them
  // all. REQUIRES: mu
  std::unique_ptr<Waiter> Advance(std::unique_ptr<Waiter> waiter) {
    while (waiter->next < waiter->stripes.size()) {
      const Stripe stripe = waiter->stripes[waiter->next];
      std::atomic<uint32_t>& word = stripes[stripe].word;
      uint32_t seen = word.load(std::memory_order_relaxed);
      while (true) {
        if (seen == kFree) {
          if (word.compare_exchange_weak(seen, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) break;
        } else if (seen == kHeldAndWaitedFor ||
                   word.compare_exchange_weak(seen, kHeldAndWaitedFor, std::memory_order_relaxed)) {
          auto& queue = queues[stripe];
          const auto at_back = [](const std::unique_ptr<Waiter>& each) { return each->place == Place::kBack; };
          const bool front = waiter->place == Place::kFront;
          queue.insert(front ? std::find_if(queue.begin(), queue.end(), at_back) : queue.end(), std::move(waiter));
          return nullptr;
        }
      }
      ++waiter->next;
    }
    return waiter;
  }

  // Frees a stripe, or hands it to the first in its queue; waiters that are complete now go to *complete.
  void Release(Stripe stripe, std::vector<std::unique_ptr<Waiter>>* complete) {
    uint32_t expected = kHeld;
    if (stripes[stripe].word.compare_exchange_strong(expected, kFree, std::memory_order_release,
                                                     std::memory_order_relaxed)) {
      return;
    }
    assert(expected == kHeldAndWaitedFor);
    std::lock_guard lock(mu);
    auto queue = queues.find(stripe);
    assert(queue != queues.end() && !queue->second.empty());
    std::unique_ptr<Waiter> waiter = std::move(queue->second.front());
    queue->second.pop_front();
    if (queue->second.empty()) {
      queues.erase(queue);
      stripes[stripe].word.store(kHeld, std::memory_order_relaxed);  // only under mu does kHeldAndWaitedFor change
    }
    ++waiter->next;
    waiter = Advance(std::move(waiter));
    if (waiter != nullptr) complete->push_back(std::move(waiter));
  }
};

KeyLocks::KeyLocks() : impl_(std::make_unique<Impl>()) {}
KeyLocks::~KeyLocks() { assert(impl_->queues.empty()); }

KeyLocks::Grant::Grant(Grant&& other) noexcept : locks_(other.locks_), stripes_(std::move(other.stripes_)) {
  other.stripes_.clear();
}

KeyLocks::Grant& KeyLocks::Grant::operator=(Grant&& other) noexcept {
  if (this != &other) {
    Release();
    locks_ = other.locks_;
    stripes_ = std::move(other.stripes_);
    other.stripes_.clear();
  }
  return *this;
}

KeyLocks::Grant::~Grant() { Release(); }

bool KeyLocks::Grant::Holds(Stripe stripe) const {
  return std::binary_search(stripes_.begin(), stripes_.end(), stripe);
}

void KeyLocks::Grant::Merge(Grant other) {
  if (other.stripes_.empty()) return;
  if (stripes_.empty()) {
    locks_ = other.locks_;
    stripes_.swap(other.stripes_);
    return;
  }
  assert(locks_ == other.locks_);
  const size_t middle = stripes_.size();
  stripes_.insert(stripes_.end(), other.stripes_.begin(), other.stripes_.end());
  other.stripes_.clear();
  std::inplace_merge(stripes_.begin(), stripes_.begin() + static_cast<ptrdiff_t>(middle), stripes_.end());
  assert(std::adjacent_find(stripes_.begin(), stripes_.end()) == stripes_.end());  // a stripe has one owner
}

void KeyLocks::Grant::Release() {
  if (stripes_.empty()) return;
  std::vector<std::unique_ptr<Waiter>> complete;
  for (Stripe stripe : stripes_) locks_->impl_->Release(stripe, &complete);
  stripes_.clear();
  for (std::unique_ptr<Waiter>& waiter : complete) {
    Grant grant;
    grant.locks_ = locks_;
    grant.stripes_ = std::move(waiter->stripes);
    waiter->granted(std::move(grant));
  }
}

bool KeyLocks::TryLock(std::span<const HashedKey> keys, Grant* grant) {
  grant->locks_ = this;
  if (keys.size() == 1) {  // nearly always
    const Stripe stripe = StripeOf(keys[0].hash);
    auto place = std::lower_bound(grant->stripes_.begin(), grant->stripes_.end(), stripe);
    if (place != grant->stripes_.end() && *place == stripe) return true;
    if (!impl_->TryTake(stripe)) return false;
    grant->stripes_.insert(place, stripe);
    return true;
  }
  Grant added;
  added.locks_ = this;
  added.stripes_.reserve(keys.size());
  for (const HashedKey& key : keys) {
    const Stripe stripe = StripeOf(key.hash);
    if (!grant->Holds(stripe)) added.stripes_.push_back(stripe);
  }
  std::vector<Stripe>& wanted = added.stripes_;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (impl_->TryTake(wanted[i])) continue;
    wanted.resize(i);  // gives back what was taken
    return false;
  }
  grant->Merge(std::move(added));
  return true;
}

void KeyLocks::Wait(std::span<const HashedKey> keys, Place place, std::function<void(Grant)> granted,
                    std::function<void()> refused) {
  auto waiter = std::make_unique<Waiter>();
  waiter->place = place;
  waiter->stripes.reserve(keys.size());
  for (const HashedKey& key : keys) waiter->stripes.push_back(StripeOf(key.hash));
  std::sort(waiter->stripes.begin(), waiter->stripes.end());
  waiter->stripes.erase(std::unique(waiter->stripes.begin(), waiter->stripes.end()), waiter->stripes.end());
  waiter->granted = std::move(granted);
  waiter->refused = std::move(refused);
  impl_->waits.fetch_add(1, std::memory_order_relaxed);
  {
    std::lock_guard lock(impl_->mu);
    waiter = impl_->Advance(std::move(waiter));
  }
  if (waiter == nullptr) return;
  Grant grant;
  grant.locks_ = this;
  grant.stripes_ = std::move(waiter->stripes);
  waiter->granted(std::move(grant));
}

void KeyLocks::RefuseWaiters(const Grant& held) {
  std::vector<std::unique_ptr<Waiter>> refused;
  for (const Stripe stripe : held.stripes_) {
    std::atomic<uint32_t>& word = impl_->stripes[stripe].word;
    if (word.load(std::memory_order_relaxed) != kHeldAndWaitedFor) continue;
    std::lock_guard lock(impl_->mu);
    auto queue = impl_->queues.find(stripe);
    if (queue == impl_->queues.end()) continue;
    std::deque<std::unique_ptr<Waiter>> stay;
    for (std::unique_ptr<Waiter>& waiter : queue->second) {
      waiter->refused ? refused.push_back(std::move(waiter)) : stay.push_back(std::move(waiter));
    }
    queue->second.swap(stay);
    if (!queue->second.empty()) continue;
    impl_->queues.erase(queue);
    word.store(kHeld, std::memory_order_relaxed);
  }
  for (std::unique_ptr<Waiter>& waiter : refused) {
    Grant had;  // what it held of the stripes before the one it waited for
    had.locks_ = this;
    had.stripes_.assign(waiter->stripes.begin(), waiter->stripes.begin() + static_cast<ptrdiff_t>(waiter->next));
    had.Release();
    waiter->refused();
  }
}

uint64_t KeyLocks::Version(Stripe stripe) const {
  return impl_->stripes[stripe].version.load(std::memory_order_acquire);
}

void KeyLocks::BeginWrite(Stripe stripe) {
  std::atomic<uint64_t>& version = impl_->stripes[stripe].version;
  const uint64_t seen = version.load(std::memory_order_relaxed);
  // One owner per stripe, so load and store need not be one step; several keys of a commit may share a stripe.
  if ((seen & 1) == 0) version.store(seen + 1, std::memory_order_seq_cst);
}

void KeyLocks::EndWrite(Stripe stripe, uint64_t sequence) {
  Impl::StripeState& state = impl_->stripes[stripe];
  if (sequence != 0) state.last_sequence.store(sequence, std::memory_order_relaxed);
  const uint64_t seen = state.version.load(std::memory_order_relaxed);
  if ((seen & 1) != 0) state.version.store(seen + 1, std::memory_order_release);
}

uint64_t KeyLocks::LastSequence(Stripe stripe) const {
  return impl_->stripes[stripe].last_sequence.load(std::memory_order_acquire);
}

uint64_t KeyLocks::waits() const { return impl_->waits.load(std::memory_order_relaxed); }

}  // namespace basalt::storage
