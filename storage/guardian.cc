#include "storage/guardian.h"

#include <glog/logging.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "storage/posix_file.h"
#include "storage/storage_impl.h"

namespace basalt::storage {
namespace {

int64_t SteadyMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string Megabytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MB"; }

// Back to normal only when there is a quarter more than what the limit asks for, or states would flutter.
uint64_t WithHysteresis(uint64_t bytes) { return bytes + bytes / 4; }

}  // namespace

Guardian::Guardian(Storage::Impl& storage)
    : storage_(storage), ballast_(storage.options.dir + "/ballast", storage.options.ballast_bytes) {}

void Guardian::Start(std::unique_ptr<SyncedMarker> marker) {
  marker_ = std::move(marker);
  LookAtSpace();
  WriteMarker();
}

void Guardian::StartThread() {
  thread_ = std::thread([this] { Run(); });
}

void Guardian::StopThread() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Guardian::Wake() {
  {
    std::lock_guard lock(mu_);
    woken_ = true;
  }
  wake_.notify_all();
}

void Guardian::Run() {
  std::unique_lock lock(mu_);
  while (!stopping_) {
    const bool near = free_bytes() < 2 * storage_.options.disk_free_warn_bytes;
    int64_t pause_ms = near ? kLookPeriodNearMs : kLookPeriodMs;
    if (storage_.writes.failed()) pause_ms = std::clamp<int64_t>(retry_at_ms_ - SteadyMs(), 1, kLookPeriodMs);
    wake_.wait_for(lock, std::chrono::milliseconds(pause_ms), [this] { return stopping_ || woken_; });
    if (stopping_) return;
    woken_ = false;
    lock.unlock();
    Tick();
    lock.lock();
  }
}

void Guardian::Tick() {
  if (storage_.writes.out_of_space()) ballast_.GiveUp();
  LookAtSpace();
  if (storage_.writes.failed() && !lost_writes_ && SteadyMs() >= retry_at_ms_) TryReopen();
  if (SteadyMs() - marker_written_at_ms_ >= kLookPeriodMs) WriteMarker();
}

// ---- space ----

void Guardian::LookAtSpace() {
  const StorageOptions& options = storage_.options;
  uint64_t free = 0;
  const rocksdb::Status status = storage_.env()->GetFreeSpace(options.dir, &free);
  if (!status.ok()) {
    LOG_EVERY_N(WARNING, 600) << "cannot tell how much of the disk is free: " << status.ToString();
    return;
  }
  free_bytes_.store(free, std::memory_order_relaxed);
  storage_.writes.SetFull(free < options.disk_free_stop_bytes / kFullShare);
  const Health before = storage_.writes.space();
  const uint64_t stop =
      before == Health::kReadOnly ? WithHysteresis(options.disk_free_stop_bytes) : options.disk_free_stop_bytes;
  const uint64_t warn =
      before == Health::kOk ? options.disk_free_warn_bytes : WithHysteresis(options.disk_free_warn_bytes);
  if (free < stop) {
    storage_.writes.SetSpace(Health::kReadOnly, "disk nearly full: " + Megabytes(free) + " free in " + options.dir +
                                                    ", writes are refused below " + Megabytes(stop));
  } else if (free < warn) {
    storage_.writes.SetSpace(Health::kDiskLow, "disk space is low: " + Megabytes(free) + " free in " + options.dir +
                                                   ", writes are refused below " +
                                                   Megabytes(options.disk_free_stop_bytes));
  } else {
    storage_.writes.SetSpace(Health::kOk, "");
  }
  const Health after = storage_.writes.space();
  if (after != before) {
    LOG(WARNING) << (after == Health::kOk ? "disk space is back: " + Megabytes(free) + " free"
                                          : storage_.writes.Reason());
  }
  if (after == Health::kOk && !storage_.writes.failed())
    ballast_.Restore(free, WithHysteresis(options.disk_free_warn_bytes));
}

// ---- the marker ----

void Guardian::WriteMarker() {
  if (marker_ == nullptr) return;
  const uint64_t sequence = storage_.durability.LastSyncedSequence();
  if (sequence <= marker_->sequence()) return;
  marker_written_at_ms_ = SteadyMs();
  const int failed = marker_->Write(sequence);
  if (failed != 0) {
    LOG_EVERY_N(ERROR, 600) << FileError("write", storage_.options.dir + "/SYNCED", failed);
  }
}

// ---- reopening ----

uint64_t Guardian::LogBytes() const {
  std::vector<std::string> names;
  if (!storage_.env()->GetChildren(storage_.engine.path(), &names).ok()) return 0;
  uint64_t bytes = 0;
  for (const std::string& name : names) {
    uint64_t size = 0;
    if (name.size() <= 4 || name.compare(name.size() - 4, 4, ".log") != 0) continue;
    // It may be gone by now.
    if (storage_.env()->GetFileSize(storage_.engine.path() + "/" + name, &size).ok()) bytes += size;
  }
  return bytes;
}

bool Guardian::DiskWorks() const {
  // Recovery writes the log once more, as tables.
  if (free_bytes() < LogBytes() + kReopenSpareBytes) return false;
  const std::string path = storage_.options.dir + "/probe";
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = storage_.env()->NewWritableFile(path, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Append(std::string(kProbeBytes, 'b'));
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  file.reset();
  const int left = RemoveFile(path);
  return status.ok() && left == 0;
}

void Guardian::TryReopen() {
  if (SteadyMs() - reopened_at_ms_ > kCalmMs) retry_after_ms_ = kRetryMinMs;
  retry_at_ms_ = SteadyMs() + retry_after_ms_;
  retry_after_ms_ = std::min(retry_after_ms_ * 2, retry_max_ms_.load());
  if (!DiskWorks()) return;
  storage_.engine.CancelCompactions();
  // First no writer, then no reader: a commit group may wait for neither, and whoever waits to be the only writer while
  // it reads makes the second time out.
  const ExclusiveGate::Closed no_writers(storage_.gate);
  if (!storage_.engine.gate().Close(kDrainTimeoutMs)) {
    LOG(WARNING) << "RocksDB is not reopened yet: a reader has been inside for " << kDrainTimeoutMs << " ms";
    return;
  }
  LOG(INFO) << "reopening RocksDB: " << storage_.writes.Reason();
  const bool works = SwapEngine();
  if (works) {
    storage_.durability.Restarted();
    reopens_.fetch_add(1, std::memory_order_relaxed);
    reopened_at_ms_ = SteadyMs();
    storage_.writes.Recovered();
    LOG(WARNING) << "RocksDB has been reopened; writes are allowed again";
  }
  if (storage_.engine.db() != nullptr) storage_.engine.gate().Open();
}

bool Guardian::SwapEngine() {
  Engine& engine = storage_.engine;
  const uint64_t committed = engine.db() == nullptr ? committed_ : std::max(committed_, engine.LatestSequence());
  committed_ = committed;
  engine.Close();
  rocksdb::Status status = engine.Open();
  const bool writable = status.ok();
  if (!writable) {
    LOG(ERROR) << "RocksDB cannot be reopened yet: " << status.ToString();
    status = engine.OpenReadOnly();
  }
  if (!status.ok() || !Reload()) {
    LOG(ERROR) << "nor can it be opened for reading: " << status.ToString();
    engine.Close();
    engine.gate().OpenFailed();
    return false;
  }
  if (!writable) return false;
  committed_ = 0;
  if (engine.LatestSequence() >= committed) return true;
  lost_writes_ = true;
  storage_.writes.StaysFailed(
      "the disk lost writes that had been acknowledged: " + std::to_string(committed - engine.LatestSequence()) +
      " changes at the end of the log; restart to go on without them");
  LOG(ERROR) << storage_.writes.Reason();
  storage_.durability.GiveUp();
  return false;
}

bool Guardian::Reload() {
  storage_.databases.BeginRemap();
  Status status = storage_.databases.Load(storage_.engine);
  storage_.databases.EndRemap();
  if (status == Status::kOk) status = storage_.garbage.Load();
  if (status != Status::kOk) {
    LOG(ERROR) << "the databases cannot be read: " << StatusName(status);
    return false;
  }
  storage_.cache.Clear();
  storage_.ranks.Clear();
  const uint64_t sequence = storage_.engine.LatestSequence();
  for (KeyLocks::Stripe stripe = 0; stripe < KeyLocks::kStripes; ++stripe) {
    storage_.locks.BeginWrite(stripe);
    storage_.locks.EndWrite(stripe, sequence);
  }
  return true;
}

}  // namespace basalt::storage
