#include "storage/storage.h"

#include <glog/logging.h>
#include <rocksdb/env.h>
#include <rocksdb/statistics.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#include <chrono>
#include <random>

#include "storage/key_codec.h"
#include "storage/posix_file.h"
#include "storage/storage_impl.h"

namespace basalt::storage {
namespace {

// Row of `sys`: [format:4][identity:20][hash seed:8]
constexpr uint32_t kDiskFormat = 1;
constexpr size_t kIdentityBytes = 20;
constexpr size_t kIdentityRowBytes = 4 + kIdentityBytes + 8;

constexpr int64_t kExpirePeriodMs = 100;
constexpr uint64_t kExpireKeysPerRun = 1024;
constexpr int64_t kOverdueMs = 10'000;
constexpr int64_t kGarbagePeriodMs = 100;
constexpr uint64_t kGarbageRowsPerRun = 10000;

std::string ToHex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return hex;
}

void FromHex(std::string_view hex, char* out) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i + 1 < hex.size(); i += 2) *out++ = static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
}

}  // namespace

Storage::Impl::Impl(const StorageOptions& storage_options)
    : options(storage_options),
      listener(std::make_shared<EngineListener>(writes, [this] { guardian.Wake(); })),
      engine(storage_options, storage_options.dir + "/db"),
      cache(locks, MemorySplit::Of(storage_options.memory_bytes).record_cache_bytes),
      ranks(MemorySplit::Of(storage_options.memory_bytes).rank_index_bytes),
      databases(storage_options.databases),
      garbage(engine, cache),
      durability(engine, writes),
      guardian(*this),
      backups(*this),
      memory_bytes(storage_options.memory_bytes) {
  engine.Watch(listener, &writes);
  writes.SetFailureHook([this] { guardian.Wake(); });
}

Storage::Impl::~Impl() = default;

int64_t Storage::Impl::NowMs() const {
  if (options.now_ms) return options.now_ms();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool Storage::Impl::Open(std::string* error) {
  if (options.databases < 1 || options.databases > UINT16_MAX) {
    *error = "databases must be between 1 and 65535";
    return false;
  }
  folder = DataFolder::Open(options.dir, error);
  if (folder == nullptr) return false;
  std::unique_ptr<SyncedMarker> marker = SyncedMarker::Open(folder->marker_path(), error);
  if (marker == nullptr || !CheckLog(*marker, error)) return false;
  const rocksdb::Status status = engine.Open();
  if (!status.ok()) {
    *error = "cannot open " + engine.path() + ": " + status.ToString();
    return false;
  }
  if (!AcceptLog(marker.get(), error)) return false;
  if (!LoadIdentity(error)) return false;
  Status loaded = databases.Load(engine);
  if (loaded == Status::kOk) loaded = garbage.Load();
  if (loaded != Status::kOk) {
    *error = "cannot read the databases in " + engine.path() + ": " + std::string(StatusName(loaded));
    return false;
  }
  if (!backups.Open(error)) return false;
  // What the databases wrote just now is in the WAL only.
  rocksdb::Status synced = engine.SyncLog();
  if (!synced.ok()) {
    *error = "cannot sync " + engine.path() + ": " + synced.ToString();
    return false;
  }
  durability.Start(options.sync_policy);
  guardian.Start(std::move(marker));
  return true;
}

rocksdb::Env* Storage::Impl::env() const { return options.env != nullptr ? options.env : rocksdb::Env::Default(); }

bool Storage::Impl::CheckLog(const SyncedMarker& marker, std::string* error) const {
  if (marker.sequence() == 0 || FileExists(folder->accept_loss_path())) return true;
  uint64_t last = 0;
  const rocksdb::Status status = engine.FindLastSequence(&last);
  if (!status.ok() && !status.IsNotFound()) {
    *error = "cannot read " + engine.path() + ": " + status.ToString();
    return false;
  }
  if (last >= marker.sequence()) return true;
  *error = engine.path() + ": the log ends at change " + std::to_string(last) + " but was synced up to " +
           std::to_string(marker.sequence()) +
           ", so writes that were safe on the disk are missing; nothing was changed. " +
           "To start without them, create the file " + folder->accept_loss_path();
  return false;
}

bool Storage::Impl::AcceptLog(SyncedMarker* marker, std::string* error) const {
  const uint64_t last = engine.LatestSequence();
  const std::string accept = folder->accept_loss_path();
  int failed = 0;
  if (last < marker->sequence()) {
    if (!FileExists(accept)) {
      *error = engine.path() + ": the log was recovered up to change " + std::to_string(last) +
               " but was synced up to " + std::to_string(marker->sequence()) +
               ". To start without what is missing, create the file " + accept;
      return false;
    }
    LOG(WARNING) << engine.path() << ": changes " << last + 1 << " to " << marker->sequence()
                 << " were synced and are missing; accepted because of " << accept;
    failed = marker->Write(last);
    if (failed == 0) failed = marker->Write(last);  // both slots
  }
  if (failed == 0) failed = RemoveFile(accept);
  if (failed != 0) *error = FileError("update", folder->marker_path(), failed);
  return failed == 0;
}

bool Storage::Impl::LoadIdentity(std::string* error) {
  KeyBuffer key;
  EncodeSysKey(SysTag::kIdentity, &key);
  std::string row;
  const rocksdb::Status read =
      engine.db()->Get(rocksdb::ReadOptions(), engine.handle(Family::kSys), ToSlice(key.view()), &row);
  if (read.IsNotFound()) {
    if (engine.LatestSequence() != 0) {
      *error = engine.path() + " is a RocksDB, but not one of Basalt";
      return false;
    }
    std::random_device random;
    row.assign(kIdentityRowBytes, '\0');
    PutBig32(row.data(), kDiskFormat);
    FromHex(folder->identity(), row.data() + 4);
    for (size_t at = 4 + kIdentityBytes; at < kIdentityRowBytes; at += 4) PutBig32(row.data() + at, random());
    rocksdb::WriteOptions options_synced;
    options_synced.sync = true;
    rocksdb::WriteBatch batch;
    batch.Put(engine.handle(Family::kSys), ToSlice(key.view()), row);
    const rocksdb::Status written = engine.Write(options_synced, &batch);
    if (!written.ok()) {
      *error = "cannot write to " + engine.path() + ": " + written.ToString();
      return false;
    }
  } else if (!read.ok()) {
    *error = "cannot read " + engine.path() + ": " + read.ToString();
    return false;
  }
  const uint32_t format = row.size() >= 4 ? GetBig32(row.data()) : 0;
  if (format != kDiskFormat || row.size() != kIdentityRowBytes) {
    *error = engine.path() + " has format " + std::to_string(format) +
             (format > kDiskFormat ? ", made by a newer Basalt" : "") + "; this one reads format " +
             std::to_string(kDiskFormat);
    return false;
  }
  identity = ToHex(std::string_view(row).substr(4, kIdentityBytes));
  if (identity != folder->identity()) {
    *error = engine.path() + " belongs to another data folder: it is of " + identity + ", the folder of " +
             folder->identity();
    return false;
  }
  hash_seed = GetBig64(row.data() + 4 + kIdentityBytes);
  return true;
}

// ---- threads ----

void Storage::Impl::StartThreads(Storage& storage) {
  if (!options.background) return;
  durability.StartThread();
  guardian.StartThread();
  threads_.emplace_back([this, &storage] { RunExpireThread(storage); });
  threads_.emplace_back([this] { RunGarbageThread(); });
}

void Storage::Impl::StopThreads() {
  {
    std::lock_guard lock(stop_mu_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
  guardian.StopThread();  // first: from here on RocksDB stays as it is
  engine.CancelCompactions();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  durability.StopThread();
}

bool Storage::Impl::SleepFor(int64_t ms) {
  std::unique_lock lock(stop_mu_);
  return !stop_changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopping_; });
}

// The calling thread makes way at once for those that serve clients.
static void YieldToClients() {
  constexpr int kNice = 10;
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);  // refused at worst; then it is as before
}

void Storage::Impl::RunExpireThread(Storage& storage) {
  YieldToClients();
  int rounds = 0;
  int64_t pause_ms = kExpirePeriodMs;
  while (SleepFor(pause_ms)) {
    pause_ms = kExpirePeriodMs;
    FlushRangeTombstones();
    if (ttl.enabled() && writes.FreeingAllowed() == Status::kOk) {
      const auto started = std::chrono::steady_clock::now();
      const uint64_t removed = ttl.Run(storage, kExpireKeysPerRun);
      const auto took = std::chrono::steady_clock::now() - started;
      // As long as more is due: clients go first. A quarter of one core's time, as in Redis; half of it when that does
      // not keep up with what falls due. A run that the disk held up has not used its time.
      if (removed >= kExpireKeysPerRun) {
        const int64_t took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
        const int64_t share = ttl.overdue_ms() < kOverdueMs ? 4 : 2;
        pause_ms = std::clamp<int64_t>((share - 1) * took_ms, 1, kExpirePeriodMs);
      }
    }
    if (++rounds % 10 == 0) ttl.EstimateAverages(storage);
  }
}

// Of the expire thread: the garbage thread may be inside a compaction for long.
void Storage::Impl::FlushRangeTombstones() {
  const EngineUse use(engine.gate());
  if (use.ok()) engine.FlushRangeTombstones();
}

void Storage::Impl::RunGarbageThread() {
  YieldToClients();
  int64_t pause_ms = kGarbagePeriodMs;
  int idle_rounds = 0;
  while (SleepFor(pause_ms)) {
    pause_ms = kGarbagePeriodMs;
    if (writes.FreeingAllowed() != Status::kOk) continue;
    if (garbage.Run(kGarbageRowsPerRun) >= kGarbageRowsPerRun) {
      pause_ms = 10;
      idle_rounds = 0;
    } else if (++idle_rounds == 10) {
      garbage.CompactFreed();
      idle_rounds = 0;
    }
  }
}

// ---- the interface ----

std::unique_ptr<Storage> Storage::Open(const StorageOptions& options, std::string* error) {
  auto impl = std::make_unique<Impl>(options);
  if (!impl->Open(error)) return nullptr;
  std::unique_ptr<Storage> storage(new Storage(std::move(impl)));
  storage->impl_->StartThreads(*storage);
  return storage;
}

Storage::Storage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

void Storage::StopThreads() { impl_->StopThreads(); }

Storage::~Storage() {
  StopThreads();
  if (SyncNow() != Status::kOk) LOG(ERROR) << "the WAL could not be synced at the end";
  impl_->guardian.WriteMarker();
}

HashedKey Storage::Hash(std::string_view key) const {
  return {key, XXH3_64bits_withSeed(key.data(), key.size(), impl_->hash_seed)};
}

KeyLocks& Storage::locks() { return impl_->locks; }
ExclusiveGate& Storage::gate() { return impl_->gate; }
int Storage::databases() const { return impl_->databases.size(); }
int64_t Storage::NowMs() const { return impl_->NowMs(); }
uint64_t Storage::string_bytes_max() const { return impl_->options.string_bytes_max; }

DatabaseCounts Storage::Counts(DbIndex db) const {
  const Database& database = impl_->databases[db];
  // A swap may come between the two: each number alone is exact.
  return {static_cast<uint64_t>(std::max<int64_t>(database.keys.load(std::memory_order_relaxed), 0)),
          static_cast<uint64_t>(std::max<int64_t>(database.expires.load(std::memory_order_relaxed), 0)),
          database.average_ttl_ms.load(std::memory_order_relaxed)};
}

Status Storage::VisitLibraries(const std::function<void(std::string_view name, std::string_view code)>& visit) const {
  const EngineUse use(impl_->engine.gate());
  if (!use.ok()) return Status::kIoError;
  const std::unique_ptr<rocksdb::Iterator> iterator(
      impl_->engine.db()->NewIterator(rocksdb::ReadOptions(), impl_->engine.handle(Family::kSys)));
  KeyBuffer first;
  EncodeLibraryKey({}, &first);
  for (iterator->Seek(ToSlice(first.view())); iterator->Valid(); iterator->Next()) {
    const std::optional<std::string_view> name = ParseLibraryKey(ToView(iterator->key()));
    if (!name) break;
    visit(*name, ToView(iterator->value()));
  }
  return FromRocks(iterator->status(), "reading libraries");
}

bool Storage::AccessInfo(DbIndex db, const HashedKey& key, uint64_t* idle_seconds, uint8_t* frequency) const {
  return impl_->cache.AccessInfo(impl_->databases.NamespaceOf(db), key, NowMs(), idle_seconds, frequency);
}

void Storage::SetAccess(DbIndex db, const HashedKey& key, std::optional<uint64_t> idle_seconds,
                        std::optional<uint8_t> frequency) {
  impl_->cache.SetAccess(impl_->databases.NamespaceOf(db), key, NowMs(), idle_seconds, frequency);
}

void Storage::SetSyncPolicy(SyncPolicy policy) { impl_->durability.SetPolicy(policy); }
SyncPolicy Storage::sync_policy() const { return impl_->durability.policy(); }
bool Storage::ReplyMayLeave(uint64_t sequence) const { return impl_->durability.ReplyMayLeave(sequence); }
void Storage::WhenReplyMayLeave(uint64_t sequence, std::function<void(Status)> done) {
  impl_->durability.WhenReplyMayLeave(sequence, std::move(done));
}
Status Storage::SyncNow() { return impl_->durability.SyncNow(); }
uint64_t Storage::LastSyncedSequence() const { return impl_->durability.LastSyncedSequence(); }
uint64_t Storage::LastSequence() const {
  const EngineUse use(impl_->engine.gate());
  return use.ok() ? impl_->engine.LatestSequence() : LastSyncedSequence();
}
Health Storage::health() const { return impl_->writes.health(); }
std::string Storage::HealthReason() const { return impl_->writes.Reason(); }

Status Storage::Backup(std::string* path, std::string* error) { return impl_->backups.Make(path, error); }
BackupStatus Storage::backup_status() const { return impl_->backups.status(); }

void Storage::RemoveExpired(DbIndex db, std::span<const std::string> keys) { impl_->ttl.Remove(*this, db, keys); }

uint64_t Storage::RunExpireCycle(uint64_t keys_max) { return impl_->ttl.Run(*this, keys_max); }
void Storage::SetActiveExpire(bool on) { impl_->ttl.SetActive(on); }
void Storage::PauseExpire(bool paused) { impl_->ttl.SetPaused(paused); }

bool Storage::MayExpire() const { return impl_->MayExpire(); }
void Storage::SetExpireObserver(CommitObserver* observer) { impl_->ttl.SetObserver(observer); }
uint64_t Storage::RunGarbageCycle(uint64_t rows_max) { return impl_->garbage.Run(rows_max); }

void Storage::Compact() {
  const EngineUse use(impl_->engine.gate());
  if (!use.ok()) return;
  for (int i = 0; i < kFamilies; ++i) impl_->engine.CompactRange(static_cast<Family>(i), {}, {});
}

Status Storage::Flush() {
  const EngineUse use(impl_->engine.gate());
  if (!use.ok()) return Status::kIoError;
  return FromRocks(impl_->engine.Flush(), "flushing");
}

void Storage::SetMemoryBytes(uint64_t bytes) {
  const MemorySplit split = MemorySplit::Of(bytes);
  impl_->memory_bytes.store(bytes);
  impl_->cache.SetBudget(split.record_cache_bytes);
  impl_->ranks.SetBudget(split.rank_index_bytes);
  const EngineUse use(impl_->engine.gate());
  impl_->engine.SetMemory(split);  // also when there is nothing inside: for the next time it is opened
}

void Storage::ResetStats() {
  impl_->cache.ResetStats();
  impl_->commits.store(0);
  impl_->commit_keys.store(0);
  impl_->commit_failures.store(0);
  impl_->expired_keys.store(0);
  impl_->garbage.ResetStats();
  impl_->engine.ResetStats();
}

StorageStats Storage::Stats() const {
  StorageStats stats;
  const RecordCache::Stats cache = impl_->cache.GetStats();
  stats.cache_hits = cache.hits;
  stats.cache_misses = cache.misses;
  stats.cache_entries = cache.entries;
  stats.cache_bytes = cache.bytes;
  stats.cache_budget_bytes = cache.budget_bytes;
  stats.commits = impl_->commits.load();
  stats.commit_keys = impl_->commit_keys.load();
  stats.commit_failures = impl_->commit_failures.load();
  stats.wal_syncs = impl_->durability.syncs();
  stats.expired_keys = impl_->expired_keys.load();
  stats.expire_cycle_us = impl_->ttl.cycle_us();
  stats.expire_overdue_ms = static_cast<uint64_t>(impl_->ttl.overdue_ms());
  const GarbageCollector::Stats garbage = impl_->garbage.GetStats();
  stats.garbage_objects = garbage.objects_pending;
  stats.garbage_rows_estimate = garbage.rows_pending;
  stats.garbage_rows_removed = garbage.rows_removed;
  stats.garbage_objects_removed = garbage.objects_removed;
  stats.lock_waits = impl_->locks.waits();
  stats.reopens = impl_->guardian.reopens();
  stats.wal_live_bytes = impl_->guardian.LogBytes();
  stats.disk_free_bytes = impl_->guardian.free_bytes();
  stats.write_stalls = impl_->listener->stalls();
  stats.compactions = impl_->listener->compactions();
  const EngineUse use(impl_->engine.gate());
  if (use.ok()) impl_->engine.AddStats(&stats);
  stats.disk_used_bytes = stats.live_sst_bytes + stats.blob_bytes + stats.wal_live_bytes;
  return stats;
}

std::string Storage::RocksdbProperty(std::string_view name) const {
  std::string value;
  const EngineUse use(impl_->engine.gate());
  if (!use.ok() || !impl_->engine.db()->GetProperty(ToSlice(name), &value)) return "";
  return value;
}

std::string Storage::RocksdbVersion() { return rocksdb::GetRocksVersionAsString(); }
const std::string& Storage::dir() const { return impl_->options.dir; }
const std::string& Storage::identity() const { return impl_->identity; }

}  // namespace basalt::storage
