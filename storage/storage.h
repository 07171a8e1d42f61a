#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/exclusive_gate.h"
#include "storage/key.h"
#include "storage/key_locks.h"
#include "storage/status.h"

namespace rocksdb {
class Env;
}

namespace basalt::storage {

enum class SyncPolicy : uint8_t { kAlways, kEverySecond, kNo };  // appendfsync always | everysec | no

struct StorageOptions {
  std::string dir;  // created when missing; refused when it holds something that is not Basalt's
  int databases = 16;
  uint64_t memory_bytes =
      1ull << 30;  // the one memory setting: record cache, block cache and write buffers come out of it
  SyncPolicy sync_policy = SyncPolicy::kEverySecond;
  std::string compression = "lz4";  // none | snappy | lz4 | zstd; levels 0 and 1 are never compressed
  bool blob_files = false;          // values of `big` in blob files
  uint64_t blob_bytes_min = 16 * 1024;
  int background_jobs = 2;  // flushes and compactions
  uint64_t disk_free_warn_bytes = 1ull << 30;
  // Below this, writes are refused (kReadOnly) until there is space again; but for those that free it.
  uint64_t disk_free_stop_bytes = 256ull << 20;
  uint64_t ballast_bytes = 64ull << 20;  // a file that is given up so that the WAL never meets a full disk
  uint64_t string_bytes_max = 512ull << 20;
  std::function<int64_t()> now_ms;  // Unix time; null: the system clock. For tests with clock jumps
  rocksdb::Env* env = nullptr;      // null: the default. For fault injection
  bool background = true;           // false: no threads; tests call the cycles themselves
};

struct DatabaseCounts {
  uint64_t keys = 0;
  uint64_t expires = 0;
  int64_t average_ttl_ms = 0;  // estimated from the TTL index
};

enum class Health : uint8_t {
  kOk,
  kDiskLow /* warned */,
  kReadOnly /* no space */,
  kFailed /* I/O error, reopening */
};

struct BackupStatus {
  bool running = false;
  bool last_ok = true;
  int64_t last_success_unix_s = 0;  // LASTSAVE
  int64_t last_duration_s = -1;
  std::string last_path;
  std::string last_error;
};

struct StorageStats {
  uint64_t cache_hits = 0, cache_misses = 0, cache_entries = 0, cache_bytes = 0, cache_budget_bytes = 0;
  uint64_t block_cache_bytes = 0, block_cache_budget_bytes = 0, block_cache_hits = 0, block_cache_misses = 0;
  uint64_t memtable_bytes = 0, table_readers_bytes = 0;
  uint64_t commits = 0, commit_keys = 0, commit_failures = 0;
  uint64_t wal_syncs = 0, wal_bytes = 0;
  uint64_t expired_keys = 0;  // removed because their time had come
  uint64_t expire_cycle_us = 0;
  uint64_t expire_overdue_ms = 0;  // for how long the oldest key that the cycle has not got to has been due
  uint64_t garbage_objects = 0, garbage_rows_estimate = 0, garbage_rows_removed = 0, garbage_objects_removed = 0;
  uint64_t compactions_running = 0, compactions = 0, flushes_running = 0, write_stalls = 0, stall_us = 0;
  uint64_t flush_bytes_written = 0, compaction_bytes_read = 0, compaction_bytes_written = 0;
  uint64_t live_sst_bytes = 0, blob_bytes = 0, wal_live_bytes = 0, disk_used_bytes = 0, disk_free_bytes = 0;
  uint64_t reopens = 0;
  uint64_t lock_waits = 0;
  bool write_stopped = false, write_delayed = false;
};

// All data of one Basalt folder, on one RocksDB. Thread-safe unless stated.
class Storage {
 public:
  // Null and one clear line in *error: not a Basalt folder, a newer format, in use by another process, a WAL that ends
  // before what had been synced, …
  static std::unique_ptr<Storage> Open(const StorageOptions& options, std::string* error);
  // REQUIRES: no ReadView, no WriteTxn. Syncs the WAL.
  ~Storage();
  // Ends the background threads. Every reply that waits (WhenReplyMayLeave) is decided before this returns, later ones
  // at once. Idempotent.
  void StopThreads();

  HashedKey Hash(std::string_view key) const;

  KeyLocks& locks();
  ExclusiveGate& gate();
  int databases() const;
  int64_t NowMs() const;
  uint64_t string_bytes_max() const;       // what a command may make of a string
  void SetStringBytesMax(uint64_t bytes);  // those that are longer stay

  // ---- keyspace ----
  DatabaseCounts Counts(DbIndex db) const;  // exact keys and expires
  // OBJECT IDLETIME and FREQ, of keys in the record cache; false for others. Frequency as Redis' LFU counter.
  bool AccessInfo(DbIndex db, const HashedKey& key, uint64_t* idle_seconds, uint8_t* frequency) const;
  // Sets them (RESTORE), as long as the key stays in the record cache.
  void SetAccess(DbIndex db, const HashedKey& key, std::optional<uint64_t> idle_seconds,
                 std::optional<uint8_t> frequency);

  // ---- libraries of functions (WriteTxn::PutLibrary) ----
  // All that are on disk, by name. Blocks.
  Status VisitLibraries(const std::function<void(std::string_view name, std::string_view code)>& visit) const;

  // ---- durability ----
  void SetSyncPolicy(SyncPolicy policy);
  SyncPolicy sync_policy() const;
  // Whether replies to a write that committed as `sequence` may leave now: with `always` when it is synced, with
  // `everysec` unless the last successful sync is more than 2 s old, with `no` always.
  bool ReplyMayLeave(uint64_t sequence) const;
  // Otherwise: calls `done(kOk)` when it may, or done(error) when the disk failed; on the sync thread, or before this
  // returns. Short work only.
  void WhenReplyMayLeave(uint64_t sequence, std::function<void(Status)> done);
  // Syncs now, for WAITAOF, SHUTDOWN, backups. Blocks.
  Status SyncNow();
  uint64_t LastSyncedSequence() const;
  uint64_t LastSequence() const;

  Health health() const;
  std::string HealthReason() const;  // one line for -MISCONF and INFO

  // Makes a consistent copy of everything committed so far under <dir>/backups/<name>; hard links where possible.
  // Blocks its caller, not writers. One at a time (kInvalid); kReadOnly when there is no space or RocksDB has failed.
  Status Backup(std::string* path, std::string* error);
  BackupStatus backup_status() const;

  // ---- background, also callable by tests and DEBUG ----
  // Removes keys whose time had come, due ones only, at most `keys_max`; returns how many.
  uint64_t RunExpireCycle(uint64_t keys_max);
  // Removes those of the keys whose time has come, but for keys that are busy. Commits: not for the fast lane.
  void RemoveExpired(DbIndex db, std::span<const std::string> keys);
  void SetActiveExpire(bool on);  // DEBUG SET-ACTIVE-EXPIRE
  void PauseExpire(bool paused);  // CLIENT PAUSE: nothing expires meanwhile
  // Whether what has expired may be removed: not while that is paused, nor while nothing can be written. Until it may
  // it is invisible, and there.
  bool MayExpire() const;
  // Told about what the expire cycle removed. Set before clients arrive, and to null when they have gone, before the
  // observer ends.
  void SetExpireObserver(class CommitObserver* observer);
  uint64_t RunGarbageCycle(uint64_t rows_max);
  void Compact();  // everything; slow
  Status Flush();  // memtables to disk

  void SetMemoryBytes(uint64_t bytes);
  StorageStats Stats() const;
  void ResetStats();
  std::string RocksdbProperty(std::string_view name) const;
  static std::string RocksdbVersion();  // "7.8.3"
  const std::string& dir() const;
  const std::string& identity() const;  // 40 hex digits, made when the folder was

  // The parts, for the library's own files and its tests.
  class Impl;
  Impl& impl() { return *impl_; }

 private:
  explicit Storage(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace basalt::storage
