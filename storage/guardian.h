#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "storage/ballast.h"
#include "storage/storage.h"
#include "storage/synced_marker.h"

namespace basalt::storage {

// Looks after the disk: how much is free (writes are refused before it is full), how far the log was synced (the
// marker), and, when RocksDB has failed, whether the disk works again: then it closes and reopens RocksDB under the
// running server. Owned by Storage::Impl; a thread of its own, or Tick by tests.
//
// What a reopen promises: all that was acknowledged is there. A write that was answered with an error is there as a
// whole or not at all: its record may have reached the log before the error.
class Guardian {
 public:
  explicit Guardian(Storage::Impl& storage);

  // REQUIRES: RocksDB is open.
  void Start(std::unique_ptr<SyncedMarker> marker);
  void StartThread();
  void StopThread();
  // Any thread, at any time: do not wait for the next look.
  void Wake();

  // One look at everything. One thread at a time.
  void Tick();
  // All that is synced goes on record. For the end.
  void WriteMarker();

  // Between attempts to reopen, at most. For tests.
  void SetRetryMaxMs(int64_t ms) { retry_max_ms_.store(ms); }

  uint64_t reopens() const { return reopens_.load(std::memory_order_relaxed); }
  // Bytes of the WAL that is kept. Any thread.
  uint64_t LogBytes() const;
  uint64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr int64_t kLookPeriodMs = 1000;
  static constexpr int64_t kLookPeriodNearMs = 100;  // within twice the watermark: a fast disk fills 1 GB in 2 s
  static constexpr int64_t kRetryMinMs = 100;
  static constexpr int64_t kRetryMaxMs = 10'000;
  static constexpr int64_t kCalmMs = 1000;  // a failure later than this after a reopen is a new one
  static constexpr int64_t kDrainTimeoutMs = 5000;
  static constexpr uint64_t kReopenSpareBytes = 4 << 20;
  static constexpr uint64_t kFullShare = 8;  // of disk_free_stop_bytes: below one of so many parts nothing is written
  static constexpr uint64_t kProbeBytes = 64 << 10;

  void Run();
  void LookAtSpace();
  bool DiskWorks() const;
  void TryReopen();
  // REQUIRES: nobody is inside RocksDB. False: it is closed, or read-only.
  bool SwapEngine();
  bool Reload();

  Storage::Impl& storage_;

  // Thread of the guardian only.
  Ballast ballast_;
  std::unique_ptr<SyncedMarker> marker_;
  int64_t retry_at_ms_ = 0;  // steady clock
  int64_t retry_after_ms_ = kRetryMinMs;
  int64_t reopened_at_ms_ = 0;
  int64_t marker_written_at_ms_ = 0;
  uint64_t committed_ = 0;    // last sequence before RocksDB was closed, until it is open for writing again
  bool lost_writes_ = false;  // nothing but a restart helps

  std::atomic<int64_t> retry_max_ms_{kRetryMaxMs};
  std::atomic<uint64_t> reopens_{0};
  std::atomic<uint64_t> free_bytes_{0};

  std::mutex mu_;
  std::condition_variable wake_;
  bool woken_ = false;     // guarded by mu_
  bool stopping_ = false;  // guarded by mu_
  std::thread thread_;
};

}  // namespace basalt::storage
