#pragma once

#include <rocksdb/status.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "storage/status.h"
#include "storage/storage.h"

namespace basalt::storage {

// Whether writes are allowed, and the one line that says why not. Two causes, each with its own way back: RocksDB
// failed (until it has been reopened), and the disk is nearly full (until there is space). Owned by Storage::Impl; any
// thread.
class WriteSwitch {
 public:
  // kOk, or kReadOnly. One load: every commit asks.
  Status WritesAllowed() const { return off_.load(std::memory_order_acquire) ? Status::kReadOnly : Status::kOk; }
  // The same for what frees space: it goes on while the disk is nearly full, or nothing but an administrator would ever
  // make room.
  Status FreeingAllowed() const {
    return failed() || full_.load(std::memory_order_acquire) ? Status::kReadOnly : Status::kOk;
  }

  // RocksDB could not write, sync, flush or compact. The first failure is the one that is told.
  void Failed(std::string_view doing, const rocksdb::Status& status);
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  // Whether any of the failures was for want of space.
  bool out_of_space() const { return out_of_space_.load(std::memory_order_acquire); }
  // RocksDB works again, or does so only for reads: `reason` replaces the first failure.
  void Recovered();
  void StaysFailed(std::string reason);

  // What the watermark says: kOk, kDiskLow or kReadOnly.
  void SetSpace(Health space, std::string reason);
  // Whether there is so little left that not even what frees space is written: it goes through the log first.
  void SetFull(bool full) { full_.store(full, std::memory_order_release); }

  Health health() const;
  Health space() const { return space_.load(std::memory_order_acquire); }
  std::string Reason() const;

  // Called after each Failed, on the thread of it: short, no locks of RocksDB's or ours. Set before RocksDB is opened.
  void SetFailureHook(std::function<void()> hook) { hook_ = std::move(hook); }

 private:
  void UpdateLocked();

  std::function<void()> hook_;  // constant after construction of the owner
  std::atomic<bool> off_{false};
  std::atomic<bool> failed_{false};
  std::atomic<bool> out_of_space_{false};
  std::atomic<bool> full_{false};
  std::atomic<Health> space_{Health::kOk};
  mutable std::mutex mu_;
  std::string failure_reason_;  // guarded by mu_
  std::string space_reason_;    // guarded by mu_
};

}  // namespace basalt::storage
