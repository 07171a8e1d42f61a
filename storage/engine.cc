#include "storage/engine.h"

#include <glog/logging.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>

#include "storage/counter_merge.h"
#include "storage/page_cache.h"
#include "storage/write_switch.h"

namespace basalt::storage {
namespace {

constexpr int kBloomBitsPerKey = 10;
constexpr int kLevels = 7;
// Inserting into a large skip list is one cache miss after the other: a SET in a group of 16 cost 7.4 µs of CPU with
// memtables of 100 MiB, 5.8 with 50, 4.9 with 12, flushes and compactions included.
constexpr uint64_t kMemtableBytesMax = 16 << 20;
constexpr uint64_t kMemtableBytesMin = 2 << 20;
constexpr int kUncompressedLevels = 2;
// A table with this many tombstones among so many neighbours is compacted soon: deleted keys (expired ones, popped
// ones) stand in the way of every iterator.
constexpr size_t kTombstoneWindowKeys = 4096;
constexpr size_t kTombstonesInWindow = 2048;
constexpr double kTombstoneRatio = 0.5;

rocksdb::CompressionType CompressionOf(const std::string& name) {
  rocksdb::CompressionType wanted = rocksdb::kNoCompression;
  if (name == "lz4") wanted = rocksdb::kLZ4Compression;
  if (name == "zstd") wanted = rocksdb::kZSTD;
  if (name == "snappy") wanted = rocksdb::kSnappyCompression;
  const std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  if (std::find(supported.begin(), supported.end(), wanted) == supported.end()) {
    LOG(WARNING) << "this RocksDB was built without " << name << ": tables are not compressed";
    return rocksdb::kNoCompression;
  }
  return wanted;
}

uint64_t MemtableBytes(uint64_t write_buffer_bytes) {
  return std::clamp(write_buffer_bytes / 2, kMemtableBytesMin, kMemtableBytesMax);
}

}  // namespace

std::string_view FamilyName(Family family) {
  switch (family) {
    case Family::kSys:
      return "default";
    case Family::kMeta:
      return "meta";
    case Family::kBig:
      return "big";
    case Family::kData:
      return "data";
    case Family::kScore:
      return "score";
    case Family::kTtl:
      return "ttl";
  }
  return "";
}

Status FromRocks(const rocksdb::Status& status, const char* doing) {
  if (status.ok()) return Status::kOk;
  if (status.IsNotFound()) return Status::kNotFound;
  if (status.IsIncomplete()) return Status::kIncomplete;
  LOG_EVERY_N(ERROR, 100) << doing << ": " << status.ToString() << " (" << google::COUNTER << ")";
  if (status.IsCorruption()) return Status::kCorruption;
  return Status::kIoError;
}

MemorySplit MemorySplit::Of(uint64_t memory_bytes) {
  // Measured with values of 100 bytes: a record in the cache saves 5 to 10 µs, a block saves a disk read of 100 µs but
  // holds 40 records, so both get their share. What is left is for rank trees, open batches and clients.
  MemorySplit split;
  split.record_cache_bytes = memory_bytes * 4 / 10;
  split.block_cache_bytes = std::max<uint64_t>(memory_bytes / 2, 8ull << 20);
  split.write_buffer_bytes = std::max<uint64_t>(memory_bytes * 2 / 10, 4ull << 20);
  split.rank_index_bytes = memory_bytes / 32;  // 1 GiB: of 50 million members of large sorted sets
  return split;
}

Engine::Engine(const StorageOptions& options, std::string path)
    : options_(options),
      path_(std::move(path)),
      page_cache_env_(options.env == nullptr ? MakePageCacheEnv() : nullptr) {
  const MemorySplit split = MemorySplit::Of(options.memory_bytes);
  rocksdb::LRUCacheOptions cache;
  cache.capacity = split.block_cache_bytes;
  cache.high_pri_pool_ratio = 0.3;  // index and filter blocks
  block_cache_ = rocksdb::NewLRUCache(cache);
  write_buffer_bytes_ = split.write_buffer_bytes;
  write_buffers_ = std::make_shared<rocksdb::WriteBufferManager>(write_buffer_bytes_, block_cache_);
  statistics_ = rocksdb::CreateDBStatistics();
  statistics_->set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
}

Engine::~Engine() { Close(); }

rocksdb::DBOptions Engine::MakeDbOptions() const {
  rocksdb::DBOptions options;
  options.env = page_cache_env_ != nullptr ? page_cache_env_.get() : options_.env;
  if (listener_ != nullptr) options.listeners.push_back(listener_);
  options.max_bgerror_resume_count = 0;  // Guardian reopens instead
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = std::max(2, options_.background_jobs);
  options.write_buffer_manager = write_buffers_;
  options.max_total_wal_size = write_buffer_bytes_ * 2;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.avoid_flush_during_recovery =
      false;  // what was recovered is on the disk once it is open: Durability counts on it
  options.avoid_flush_during_shutdown = true;  // the WAL has it all; a stop takes milliseconds
  options.statistics = statistics_;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.bytes_per_sync = 1 << 20;
  options.keep_log_file_num = 5;
  options.max_log_file_size = 16 << 20;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.max_open_files = -1;
  options.enable_thread_tracking = false;
  return options;
}

rocksdb::ColumnFamilyOptions Engine::MakeFamilyOptions(Family family) const {
  rocksdb::ColumnFamilyOptions options;
  // The write buffer manager flushes the largest one when all together reach their share; this is the limit of each.
  options.write_buffer_size = MemtableBytes(write_buffer_bytes_);
  options.max_write_buffer_number = 4;
  options.num_levels = kLevels;
  options.level_compaction_dynamic_level_bytes = true;
  options.target_file_size_base = 32 << 20;
  options.max_bytes_for_level_base = std::max<uint64_t>(write_buffer_bytes_ * 2, 64ull << 20);
  options.compression_per_level.assign(kLevels, CompressionOf(options_.compression));
  for (int level = 0; level < kUncompressedLevels; ++level) {
    options.compression_per_level[level] = rocksdb::kNoCompression;
  }
  options.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(kTombstoneWindowKeys, kTombstonesInWindow, kTombstoneRatio));

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache_;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  switch (family) {
    case Family::kMeta:
      table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
      table.whole_key_filtering = true;
      table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
      options.memtable_whole_key_filtering = true;
      options.memtable_prefix_bloom_size_ratio = 0.02;
      break;
    case Family::kBig:
    case Family::kData:
    case Family::kScore:
      table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
      table.whole_key_filtering = true;
      break;
    case Family::kTtl:  // only ever scanned
    case Family::kSys:
      break;
  }
  if (family == Family::kBig) {
    table.block_size = 16 << 10;
    options.enable_blob_files = options_.blob_files;
    options.min_blob_size = options_.blob_bytes_min;
    options.blob_compression_type = options.compression_per_level.back();
    options.enable_blob_garbage_collection = options_.blob_files;
  }
  if (family == Family::kSys) {
    options.merge_operator = MakeCounterMergeOperator();
    options.write_buffer_size = std::max<uint64_t>(write_buffer_bytes_ / 8, 1ull << 20);
  }
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> Engine::MakeFamilies() const {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (int i = 0; i < kFamilies; ++i) {
    const Family family = static_cast<Family>(i);
    families.emplace_back(std::string(FamilyName(family)), MakeFamilyOptions(family));
  }
  return families;
}

void Engine::Adopt(rocksdb::DB* db, const std::vector<rocksdb::ColumnFamilyHandle*>& handles) {
  db_.reset(db);
  std::copy(handles.begin(), handles.end(), handles_.begin());
  for (std::atomic<uint32_t>& count : range_tombstones_) count.store(0);
}

rocksdb::Status Engine::Open() {
  CHECK(db_ == nullptr);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  cancelled_.store(false);
  const rocksdb::Status status = rocksdb::DB::Open(MakeDbOptions(), path_, MakeFamilies(), &handles, &db);
  if (status.ok()) Adopt(db, handles);
#ifdef BASALT_ROCKSDB_ASSERTS
  log_failed_ = false;
#endif
  return status;
}

void Engine::Close() {
  if (db_ == nullptr) return;
  CancelCompactions();
  for (rocksdb::ColumnFamilyHandle*& handle : handles_) {
    db_->DestroyColumnFamilyHandle(handle);
    handle = nullptr;
  }
  const rocksdb::Status status = db_->Close();
  if (!status.ok()) LOG(WARNING) << "closing RocksDB: " << status.ToString();
  db_.reset();
}

void Engine::SetMemory(const MemorySplit& split) {
  block_cache_->SetCapacity(split.block_cache_bytes);
  write_buffers_->SetBufferSize(split.write_buffer_bytes);
  write_buffer_bytes_ = split.write_buffer_bytes;
  if (db_ == nullptr) return;
  const rocksdb::Status status =
      db_->SetDBOptions({{"max_total_wal_size", std::to_string(split.write_buffer_bytes * 2)}});
  if (!status.ok()) LOG(WARNING) << "max_total_wal_size: " << status.ToString();
  for (int i = 0; i < kFamilies; ++i) {
    if (static_cast<Family>(i) == Family::kSys) continue;
    const rocksdb::Status set =
        db_->SetOptions(handles_[i], {{"write_buffer_size", std::to_string(MemtableBytes(split.write_buffer_bytes))}});
    if (!set.ok()) LOG(WARNING) << "write_buffer_size: " << set.ToString();
  }
}

void Engine::AddStats(StorageStats* stats) const {
  const auto number = [this](const std::string& property) {
    uint64_t value = 0;
    db_->GetAggregatedIntProperty(property, &value);
    return value;
  };
  using Properties = rocksdb::DB::Properties;
  stats->block_cache_bytes = block_cache_->GetUsage();
  stats->block_cache_budget_bytes = block_cache_->GetCapacity();
  stats->block_cache_hits = statistics_->getTickerCount(rocksdb::BLOCK_CACHE_HIT);
  stats->block_cache_misses = statistics_->getTickerCount(rocksdb::BLOCK_CACHE_MISS);
  stats->memtable_bytes = number(Properties::kCurSizeAllMemTables);
  stats->table_readers_bytes = number(Properties::kEstimateTableReadersMem);
  stats->wal_bytes = statistics_->getTickerCount(rocksdb::WAL_FILE_BYTES);
  stats->stall_us = statistics_->getTickerCount(rocksdb::STALL_MICROS);
  stats->flush_bytes_written = statistics_->getTickerCount(rocksdb::FLUSH_WRITE_BYTES);
  stats->compaction_bytes_read = statistics_->getTickerCount(rocksdb::COMPACT_READ_BYTES);
  stats->compaction_bytes_written = statistics_->getTickerCount(rocksdb::COMPACT_WRITE_BYTES);
  stats->live_sst_bytes = number(Properties::kLiveSstFilesSize);
  stats->blob_bytes = number(Properties::kLiveBlobFileSize);
  db_->GetIntProperty(Properties::kNumRunningCompactions, &stats->compactions_running);
  db_->GetIntProperty(Properties::kNumRunningFlushes, &stats->flushes_running);
  uint64_t stopped = 0;
  uint64_t delayed = 0;
  db_->GetIntProperty(Properties::kIsWriteStopped, &stopped);
  db_->GetIntProperty(Properties::kActualDelayedWriteRate, &delayed);
  stats->write_stopped = stopped != 0;
  stats->write_delayed = delayed != 0;
}

void Engine::ResetStats() {
  const rocksdb::Status status = statistics_->Reset();
  if (!status.ok()) LOG(WARNING) << "statistics: " << status.ToString();
}

bool Engine::Failed() const { return writes_ != nullptr && writes_->failed(); }

#ifdef BASALT_ROCKSDB_ASSERTS
rocksdb::Status Engine::OneAtATime(const std::function<rocksdb::Status()>& use_log) {
  std::lock_guard lock(log_mu_);
  if (log_failed_) return rocksdb::Status::IOError("the log has failed", "RocksDB is to be reopened");
  rocksdb::Status status = use_log();
  log_failed_ = !status.ok() && !status.IsIncomplete();
  return status;
}
rocksdb::Status Engine::Write(const rocksdb::WriteOptions& options, rocksdb::WriteBatch* batch) {
  return OneAtATime([&] { return db_->Write(options, batch); });
}
rocksdb::Status Engine::SyncLog() {
  return OneAtATime([&] { return db_->SyncWAL(); });
}
#else
rocksdb::Status Engine::Write(const rocksdb::WriteOptions& options, rocksdb::WriteBatch* batch) {
  return db_->Write(options, batch);
}
rocksdb::Status Engine::SyncLog() { return db_->SyncWAL(); }
#endif

rocksdb::Status Engine::Flush() {
  if (Failed()) return rocksdb::Status::IOError("RocksDB has failed and is to be reopened");
  const std::vector<rocksdb::ColumnFamilyHandle*> handles(handles_.begin(), handles_.end());
  return db_->Flush(rocksdb::FlushOptions(), handles);
}

void Engine::FlushRangeTombstones() {
  for (int i = 0; i < kFamilies; ++i) {
    const uint32_t written = range_tombstones_[i].load(std::memory_order_relaxed);
    if (written < kRangeTombstonesMax || Failed()) continue;
    rocksdb::FlushOptions options;
    options.wait = false;
    options.allow_write_stall = false;
    const rocksdb::Status status = db_->Flush(options, handles_[i]);
    if (status.ok()) {
      range_tombstones_[i].fetch_sub(written, std::memory_order_relaxed);
    } else if (!status.IsTryAgain()) {
      LOG_EVERY_N(WARNING, 100) << "flush of " << FamilyName(static_cast<Family>(i)) << ": " << status.ToString();
    }
  }
}

void Engine::CompactRange(Family family, std::string_view lower, std::string_view upper) {
  if (Failed()) return;
  const rocksdb::Slice begin = ToSlice(lower);
  const rocksdb::Slice end = ToSlice(upper);
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.canceled = &cancelled_;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const rocksdb::Status status =
      db_->CompactRange(options, handle(family), lower.empty() ? nullptr : &begin, upper.empty() ? nullptr : &end);
  if (!status.ok() && !status.IsIncomplete()) {
    LOG(WARNING) << "compaction of " << FamilyName(family) << ": " << status.ToString();
  }
}

}  // namespace basalt::storage
