#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "storage/key.h"
#include "storage/key_locks.h"
#include "storage/metadata.h"

namespace basalt::storage {

// Records of `meta` in memory, within a budget of bytes: sharded by hash, CLOCK eviction, access time and frequency of
// each entry on the side. Owned by Storage; any thread.
//
// Never trusted blindly. A commit marks its keys pending before it writes (lookups miss, fills are refused) and
// installs or erases them after; a fill counts only when the stripe's version is even and did not move since before the
// record was read; a reader at a snapshot takes only what was committed before it.
class RecordCache {
 public:
  static constexpr uint64_t kAnySequence = UINT64_MAX;
  struct Entry;

  struct Stats {
    uint64_t hits = 0, misses = 0, entries = 0, bytes = 0, budget_bytes = 0;
  };

  explicit RecordCache(KeyLocks& locks, uint64_t budget_bytes);
  ~RecordCache();

  enum class Use : uint8_t { kCounts, kPeek /* access time and frequency stay as they are */ };
  // The record of a key when it is cached, not pending, and committed at or before `sequence_max`.
  bool Lookup(Namespace ns, const HashedKey& key, int64_t now_ms, uint64_t sequence_max, Use use, RecordPtr* record);

  // A record read from disk. `version`: of the key's stripe, before it was read. `sequence`: no less than the record's.
  void Fill(Namespace ns, const HashedKey& key, RecordPtr record, uint64_t version, uint64_t sequence, int64_t now_ms);

  // ---- a commit. REQUIRES: KeyLocks::BeginWrite of the key's stripe came before, EndWrite comes after ----
  // Null when the key is not cached. A pending entry stays where it is until Install, Erase or Restore.
  Entry* MarkPending(Namespace ns, const HashedKey& key);
  // `entry`: what MarkPending said.
  void Install(Namespace ns, const HashedKey& key, Entry* entry, RecordPtr record, uint64_t sequence, int64_t now_ms);
  void Erase(const HashedKey& key, Entry* entry);
  void Restore(const HashedKey& key, Entry* entry);  // nothing was written

  // OBJECT IDLETIME and FREQ. False when the key is not cached. Does not count as an access.
  bool AccessInfo(Namespace ns, const HashedKey& key, int64_t now_ms, uint64_t* idle_seconds, uint8_t* frequency) const;
  // Sets them (RESTORE), where the key is cached.
  void SetAccess(Namespace ns, const HashedKey& key, int64_t now_ms, std::optional<uint64_t> idle_seconds,
                 std::optional<uint8_t> frequency);

  void SetBudget(uint64_t bytes);
  void Clear();                       // REQUIRES: nothing pending
  void EraseNamespace(Namespace ns);  // of a name space that no one writes any more
  Stats GetStats() const;
  void ResetStats();

 private:
  struct Shard;
  static constexpr int kShardBits = 6;
  static constexpr int kShards = 1 << kShardBits;

  // Stripes take the lowest bits of the hash, disk order the highest; shards and tables those between.
  Shard& ShardOf(uint64_t hash) const;

  KeyLocks& locks_;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace basalt::storage
