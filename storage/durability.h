#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <ctime>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/status.h"
#include "storage/storage.h"

namespace basalt::storage {

class Engine;
class WriteSwitch;

// What stands between a commit and its reply: syncs of the WAL. One thread syncs, and one sync covers all replies that
// came before it began: with `always` it starts as soon as the first one waits, those that come meanwhile share the
// next. Owned by Storage::Impl; any thread.
//
// After a failure nothing is synced any more until RocksDB was reopened, and replies that need a sync are errors: the
// kernel forgets which pages it could not write, so a second sync of the same file may succeed and mean nothing.
class Durability {
 public:
  // Replies wait, with `everysec`, when no sync that began in the last so many ms has succeeded.
  static constexpr int64_t kSyncPeriodMs = 1000;
  static constexpr int64_t kSyncOverdueMs = 2000;

  Durability(Engine& engine, WriteSwitch& writes) : engine_(engine), writes_(writes) {}
  ~Durability();

  // RocksDB has been opened, or reopened without a loss: all that it holds is on the disk. REQUIRES: no one else
  // inside.
  void Start(SyncPolicy policy);
  void Restarted();
  // … with a loss: no reply that waits may leave, nor any that comes.
  void GiveUp();
  void StartThread();
  // Syncs what there is, then decides about every reply that waits.
  void StopThread();

  void SetPolicy(SyncPolicy policy);
  SyncPolicy policy() const { return policy_.load(std::memory_order_relaxed); }

  bool ReplyMayLeave(uint64_t sequence) const {
    if (sequence <= leave_until_.load(std::memory_order_acquire)) return true;
    return policy_.load(std::memory_order_relaxed) == SyncPolicy::kEverySecond &&
           CoarseMs() - synced_at_ms_.load(std::memory_order_relaxed) <= kSyncOverdueMs;
  }
  // Calls `done` on the sync thread, or before it returns. In the order of calls, as far as both wait.
  void WhenReplyMayLeave(uint64_t sequence, std::function<void(Status)> done);

  Status SyncNow();
  uint64_t LastSyncedSequence() const { return synced_sequence_.load(std::memory_order_acquire); }
  uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }

 private:
  struct Waiting {
    uint64_t sequence;
    std::function<void(Status)> done;
  };

  // Milliseconds of a clock that costs 5 ns and is right within 4 ms.
  static int64_t CoarseMs() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
  }
  void Run();
  void Publish(uint64_t sequence, int64_t started_ms);
  void UpdateLeaveUntilLocked();
  void ReleaseWaiting();

  Engine& engine_;
  WriteSwitch& writes_;

  // Read by every write reply.
  std::atomic<uint64_t> leave_until_{0};  // replies up to this sequence leave without a look at the clock
  std::atomic<int64_t> synced_at_ms_{0};  // CoarseMs when the last successful sync began
  std::atomic<SyncPolicy> policy_{SyncPolicy::kEverySecond};

  std::atomic<uint64_t> synced_sequence_{0};
  std::atomic<bool> sync_failed_{false};  // set under mu_
  std::atomic<uint64_t> syncs_{0};

  std::mutex mu_;
  std::condition_variable wake_;
  std::vector<Waiting> waiting_;  // guarded by mu_
  bool wanted_ = false;           // guarded by mu_: someone waits, or the policy changed
  bool stopping_ = false;         // guarded by mu_
  bool running_ = false;          // guarded by mu_
  std::thread thread_;
};

}  // namespace basalt::storage
