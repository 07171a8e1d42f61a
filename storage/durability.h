#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "storage/status.h"
#include "storage/storage.h"

namespace rocksdb {
class Status;
}

namespace basalt::storage {

class Engine;

// What stands between a commit and its reply: syncs of the WAL, and whether writes are allowed at all. Owned by
// Storage::Impl. Any thread.
class Durability {
 public:
  explicit Durability(Engine& engine) : engine_(engine) {}

  void Start(SyncPolicy policy);
  void StartThread();  // the sync of every second
  void StopThread();

  // kOk, or why no write may be tried.
  Status WritesAllowed() const { return failed_.load(std::memory_order_acquire) ? Status::kReadOnly : Status::kOk; }
  // A Write returned an error: RocksDB takes no more of them.
  void WriteFailed(const rocksdb::Status& status);
  Health health() const { return failed_.load() ? Health::kFailed : Health::kOk; }
  std::string HealthReason() const;

  void SetPolicy(SyncPolicy policy) { policy_.store(policy); }
  SyncPolicy policy() const { return policy_.load(); }
  bool ReplyMayLeave(uint64_t sequence) const;
  void WhenReplyMayLeave(uint64_t sequence, std::function<void(Status)> done);
  Status SyncNow();
  uint64_t LastSyncedSequence() const { return synced_sequence_.load(); }
  uint64_t syncs() const { return syncs_.load(); }

 private:
  static constexpr int64_t kSyncPeriodMs = 1000;
  static constexpr int64_t kSyncOverdueMs = 2000;

  Engine& engine_;
  std::atomic<SyncPolicy> policy_{SyncPolicy::kEverySecond};
  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> synced_sequence_{0};
  std::atomic<int64_t> synced_at_ms_{0};  // steady clock
  std::atomic<uint64_t> syncs_{0};
  mutable std::mutex mu_;
  std::string reason_;  // guarded by mu_
  std::mutex stop_mu_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;  // guarded by stop_mu_
  std::thread thread_;
};

}  // namespace basalt::storage
