#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

namespace basalt::storage {

// Lets one caller be the only writer (FLUSHDB, SWAPDB, scripts on undeclared keys, CLIENT PAUSE). Every commit group
// holds it shared from its first lock to its commit: a flag on a cache line of its own, set, then `closed` is loaded;
// if closed, the flag is unset and the group parks. Any thread.
class ExclusiveGate {
 public:
  ExclusiveGate();
  ~ExclusiveGate();

  // Shared. False when closed. `slot`: of the commit group, from AcquireSlot.
  int AcquireSlot();
  void ReleaseSlot(int slot);
  bool TryEnter(int slot);
  void Leave(int slot);
  // Calls `opened` once the gate is open (at once when it is); or `refused`, if given, when RefuseWaiters ends the
  // waiting.
  void WhenOpen(std::function<void()> opened, std::function<void()> refused = nullptr);
  // Ends the waiting of all who may be refused. For one who will keep the gate closed long.
  void RefuseWaiters();

  // Closes the gate, waits until all groups inside have left (they never wait for anything but the disk), reopens it
  // when destroyed and tells those who wait. REQUIRES: slow lane or own thread; the calling thread is not inside.
  class Closed {
   public:
    // One at a time: a second closer waits for the first.
    explicit Closed(ExclusiveGate& gate);
    // … does not wait: owns() is false. In the slow lane, where a group that RocksDB has stalled may stand behind.
    Closed(ExclusiveGate& gate, std::try_to_lock_t);
    ~Closed();
    Closed(const Closed&) = delete;
    bool owns() const { return owns_; }

   private:
    void Drain(std::unique_lock<std::mutex>& lock);

    ExclusiveGate& gate_;
    bool owns_ = true;
  };

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace basalt::storage
