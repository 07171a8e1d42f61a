#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "storage/key.h"

namespace basalt::storage {

// Striped key locks, by hash of the user key alone (so that SELECT, MOVE and SWAPDB inside MULTI lock correctly). FIFO;
// owned by a commit group or a waiting batch, never by a thread. No thread ever blocks here: TryLock fails, or Wait
// enqueues and calls back. A TryLock fails when anyone waits. Multi-stripe waiters take stripes in ascending order,
// keeping those they have, so there is no deadlock: whoever holds stripes without being in ascending order never waits.
// Any thread.
class KeyLocks {
 public:
  static constexpr uint32_t kStripes = 16384;
  using Stripe = uint32_t;
  static Stripe StripeOf(uint64_t hash) { return static_cast<Stripe>(hash % kStripes); }

  // Stripes held; releases them when destroyed.
  class Grant {
   public:
    Grant() = default;
    Grant(Grant&&) noexcept;
    Grant& operator=(Grant&&) noexcept;
    ~Grant();
    bool Holds(Stripe stripe) const;
    bool empty() const { return stripes_.empty(); }
    void Merge(Grant other);
    void Release();

   private:
    friend class KeyLocks;
    KeyLocks* locks_ = nullptr;
    std::vector<Stripe> stripes_;  // sorted, unique
  };

  KeyLocks();
  ~KeyLocks();

  // Adds the stripes of `keys` to *grant, all or none. False when one is held by another owner or waited for.
  bool TryLock(std::span<const HashedKey> keys, Grant* grant);

  enum class Place : uint8_t { kBack, kFront /* before all who wait at the back */ };
  // Queues for the stripes of `keys`; `granted` is called once, with all of them, on the thread that released the last
  // one, or before Wait returns. It must only hand the grant on (submit the batch). `refused`, if given, is called
  // instead when RefuseWaiters ends the waiting.
  void Wait(std::span<const HashedKey> keys, Place place, std::function<void(Grant)> granted,
            std::function<void()> refused = nullptr);
  // Ends the waiting of all who queue for a stripe of `held` and may be refused. For an owner that will keep it long.
  void RefuseWaiters(const Grant& held);

  // Version of a stripe, odd while a commit that touches it is under way: a record that was read from disk at version v
  // may fill the cache only while the version still is v, and even.
  uint64_t Version(Stripe stripe) const;
  // Around the Write of a commit. Idempotent. REQUIRES: the caller holds the stripe, or is the only writer. `sequence`:
  // not less than that of the commit; 0 when nothing was written.
  void BeginWrite(Stripe stripe);
  void EndWrite(Stripe stripe, uint64_t sequence);
  // Of the last commit that touched the stripe (or more), since start. Means nothing while the version is odd.
  uint64_t LastSequence(Stripe stripe) const;

  uint64_t waits() const;  // since start, for INFO

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace basalt::storage
