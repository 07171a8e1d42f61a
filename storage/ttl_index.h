#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>

#include "storage/key.h"
#include "storage/status.h"

namespace basalt::storage {

class Storage;
class CommitObserver;
class WriteTxn;

// The active expire cycle over `ttl`: reads only what is due, locks each key (skipping those that are busy), compares
// the exact time, removes the key or the fields of a hash that are due, and commits in bounded batches. Owned by
// Storage::Impl; Run by any thread, one at a time.
class TtlIndex {
 public:
  // Keys and fields of hashes removed by one commit: so long may a client wait for their locks.
  static constexpr uint64_t kBatchUnits = 128;

  // Removes about `units_max` keys and fields of hashes whose time had come; returns how many.
  uint64_t Run(Storage& storage, uint64_t units_max);
  // Removes those of the keys whose time has come; keys that are busy stay for the cycle. Any thread.
  void Remove(Storage& storage, DbIndex db, std::span<const std::string> keys);
  // Estimates the average time to live of every database.
  void EstimateAverages(Storage& storage);

  void SetActive(bool on) { active_.store(on); }
  void SetPaused(bool paused) { paused_.store(paused); }
  bool paused() const { return paused_.load(); }
  bool enabled() const { return active_.load() && !paused(); }
  // The one before is not called any more when this returns (but by Remove, whose callers are to have ended).
  void SetObserver(CommitObserver* observer) {
    const std::lock_guard lock(run_mu_);
    observer_.store(observer);
  }
  // For how long the oldest of what the last Run left has been due; 0: it left nothing.
  int64_t overdue_ms() const { return overdue_ms_.load(std::memory_order_relaxed); }
  uint64_t cycle_us() const { return cycle_us_.load(std::memory_order_relaxed); }

 private:
  uint64_t RunDatabase(Storage& storage, DbIndex db, int64_t now_ms, uint64_t units_max);
  static Status RemoveDue(WriteTxn& txn, DbIndex db, const HashedKey& key, uint64_t fields_max, uint64_t* removed,
                          bool* done);

  std::mutex run_mu_;
  // Guarded by run_mu_: the key of the first row, or one before it, but for rows that commits added since
  // (Database::ttl_low_water). A time alone would not do: of a million keys that expire together, every cycle would
  // pass the tombstones of all that are gone.
  std::unordered_map<Namespace, std::string> floors_;
  // Guarded by run_mu_: where the next Run begins. One database with ever more that is due does not keep the others
  // waiting.
  int next_db_ = 0;
  std::atomic<bool> active_{true};
  std::atomic<bool> paused_{false};
  std::atomic<CommitObserver*> observer_{nullptr};
  std::atomic<int64_t> overdue_ms_{0};
  std::atomic<uint64_t> cycle_us_{0};
};

}  // namespace basalt::storage
