#pragma once

#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine_gate.h"
#include "storage/read_view.h"
#include "storage/status.h"
#include "storage/storage.h"

namespace rocksdb {
class Cache;
class EventListener;
class Statistics;
class WriteBufferManager;
}  // namespace rocksdb

namespace basalt::storage {

class WriteSwitch;

// Column families. `sys` is RocksDB's default one.
enum class Family : uint8_t { kSys = 0, kMeta = 1, kBig = 2, kData = 3, kScore = 4, kTtl = 5 };
inline constexpr int kFamilies = 6;
std::string_view FamilyName(Family family);
inline Family FamilyOf(RowFamily rows) {
  return static_cast<Family>(static_cast<int>(Family::kBig) + static_cast<int>(rows));
}

inline rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view ToView(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

// The name of a RocksDB status; what it says goes to the log unless it is ordinary.
Status FromRocks(const rocksdb::Status& status, const char* doing);

// How the one memory setting is divided.
struct MemorySplit {
  uint64_t record_cache_bytes;
  uint64_t block_cache_bytes;   // index and filter blocks and the write buffers are charged to it
  uint64_t write_buffer_bytes;  // of all column families together
  uint64_t rank_index_bytes;
  static MemorySplit Of(uint64_t memory_bytes);
};

// The RocksDB under a Storage: its options, its handle, its column families. Owned by Storage::Impl. Open once; Close
// and Open again only with no one inside. Otherwise any thread.
class Engine {
 public:
  Engine(const StorageOptions& options, std::string path);
  ~Engine();

  rocksdb::Status Open();
  // For reads only, when the disk takes no writes: every Write fails.
  rocksdb::Status OpenReadOnly();
  void Close();
  // The last sequence that Open would come to, found out without changing a byte. NotFound: there is no database.
  rocksdb::Status FindLastSequence(uint64_t* sequence) const;
  // Before the first Open. `writes`: once it says that RocksDB has failed, nothing is flushed or compacted any more:
  // where RocksDB's assertions are on, touching a log that failed aborts.
  void Watch(std::shared_ptr<rocksdb::EventListener> listener, const WriteSwitch* writes) {
    listener_ = std::move(listener);
    writes_ = writes;
  }
  // All memtables to tables.
  rocksdb::Status Flush();

  EngineGate& gate() { return gate_; }

  rocksdb::DB* db() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* handle(Family family) const { return handles_[static_cast<int>(family)]; }
  rocksdb::ColumnFamilyHandle* handle(RowFamily rows) const { return handle(FamilyOf(rows)); }
  rocksdb::Statistics* statistics() const { return statistics_.get(); }
  rocksdb::Cache* block_cache() const { return block_cache_.get(); }
  const std::string& path() const { return path_; }
  // Whether PageCacheOnly has an effect.
  bool reads_page_cache() const { return page_cache_env_ != nullptr; }
  // The only ways to the log. With a RocksDB that is built with assertions (Debian's) they go one at a time and stop at
  // the first failure: its log writer aborts the process when it is used again after an error, which writers that wait
  // behind the failing one would do.
  rocksdb::Status Write(const rocksdb::WriteOptions& options, rocksdb::WriteBatch* batch);
  rocksdb::Status SyncLog();
  uint64_t LatestSequence() const { return db_->GetLatestSequenceNumber(); }

  void SetMemory(const MemorySplit& split);
  // RocksDB's part of Storage::Stats.
  void AddStats(StorageStats* stats) const;
  void ResetStats();

  // Told of every range tombstone written: each costs every later read of its memtable, so a column family is flushed
  // after kRangeTombstonesMax of them. (A DeleteRange and a Get cost 334 µs together at 1,000.)
  static constexpr uint32_t kRangeTombstonesMax = 100;
  void NoteRangeTombstones(Family family, uint32_t count) {
    range_tombstones_[static_cast<int>(family)].fetch_add(count, std::memory_order_relaxed);
  }
  // Flushes those that have so many. May wait until that would not stall writers: not for commits.
  void FlushRangeTombstones();

  // Frees the space of [lower, upper) without waiting for an ordinary compaction to come by. Blocks; gives up when
  // Close or CancelCompactions is called.
  void CompactRange(Family family, std::string_view lower, std::string_view upper);
  void CancelCompactions() { cancelled_.store(true); }

 private:
  bool Failed() const;
  rocksdb::DBOptions MakeDbOptions() const;
  rocksdb::ColumnFamilyOptions MakeFamilyOptions(Family family) const;
  std::vector<rocksdb::ColumnFamilyDescriptor> MakeFamilies() const;
  void Adopt(rocksdb::DB* db, const std::vector<rocksdb::ColumnFamilyHandle*>& handles);

  const StorageOptions options_;
  const std::string path_;
  const std::unique_ptr<rocksdb::Env> page_cache_env_;  // null: the options name another one
  std::shared_ptr<rocksdb::Cache> block_cache_;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers_;
  std::shared_ptr<rocksdb::Statistics> statistics_;
  std::shared_ptr<rocksdb::EventListener> listener_;
  const WriteSwitch* writes_ = nullptr;
  EngineGate gate_;
  uint64_t write_buffer_bytes_ = 0;
  std::unique_ptr<rocksdb::DB> db_;
#ifdef BASALT_ROCKSDB_ASSERTS
  rocksdb::Status OneAtATime(const std::function<rocksdb::Status()>& use_log);
  std::mutex log_mu_;
  bool log_failed_ = false;  // guarded by log_mu_; until the next Open
#endif
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> handles_{};
  std::array<std::atomic<uint32_t>, kFamilies> range_tombstones_{};
  std::atomic<bool> cancelled_{false};
};

}  // namespace basalt::storage
