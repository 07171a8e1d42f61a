#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/backups.h"
#include "storage/data_folder.h"
#include "storage/database.h"
#include "storage/durability.h"
#include "storage/engine.h"
#include "storage/engine_listener.h"
#include "storage/garbage_collector.h"
#include "storage/guardian.h"
#include "storage/rank_index.h"
#include "storage/record_cache.h"
#include "storage/storage.h"
#include "storage/ttl_index.h"
#include "storage/write_switch.h"

namespace basalt::storage {

// The parts of a Storage, for the library's own files.
class Storage::Impl {
 public:
  explicit Impl(const StorageOptions& storage_options);
  ~Impl();

  // Null, and one line in *error.
  bool Open(std::string* error);
  void StartThreads(Storage& storage);
  void StopThreads();

  int64_t NowMs() const;
  bool MayExpire() const { return !ttl.paused() && writes.FreeingAllowed() == Status::kOk; }
  rocksdb::Env* env() const;

  const StorageOptions options;
  uint64_t hash_seed = 0;
  std::string identity;

  std::unique_ptr<DataFolder> folder;  // once Open has it
  WriteSwitch writes;
  std::shared_ptr<EngineListener> listener;
  KeyLocks locks;
  ExclusiveGate gate;
  Engine engine;
  RecordCache cache;
  RankIndex ranks;
  DatabaseTable databases;
  GarbageCollector garbage;
  TtlIndex ttl;
  Durability durability;
  Guardian guardian;
  Backups backups;

  std::atomic<uint64_t> commits{0};
  std::atomic<uint64_t> commit_keys{0};
  std::atomic<uint64_t> commit_failures{0};
  std::atomic<uint64_t> expired_keys{0};
  std::atomic<uint64_t> memory_bytes;
  std::atomic<uint64_t> string_bytes_max;

 private:
  bool LoadIdentity(std::string* error);
  // Whether the log reaches as far as it was synced. Changes nothing.
  bool CheckLog(const SyncedMarker& marker, std::string* error) const;
  // The same of what was recovered; a loss that the administrator accepted is put on record.
  bool AcceptLog(SyncedMarker* marker, std::string* error) const;
  void RunExpireThread(Storage& storage);
  void FlushRangeTombstones();
  void RunGarbageThread();
  // False when the threads are to stop.
  bool SleepFor(int64_t ms);

  std::mutex stop_mu_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;  // guarded by stop_mu_
  std::vector<std::thread> threads_;
};

}  // namespace basalt::storage
