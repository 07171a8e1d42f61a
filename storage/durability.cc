#include "storage/durability.h"

#include <glog/logging.h>

#include <chrono>

#include "storage/engine.h"

namespace basalt::storage {
namespace {

int64_t SteadyMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void Durability::Start(SyncPolicy policy) {
  policy_.store(policy);
  synced_sequence_.store(engine_.LatestSequence());  // what was read back from the disk
  synced_at_ms_.store(SteadyMs());
}

void Durability::StartThread() {
  thread_ = std::thread([this] {
    std::unique_lock lock(stop_mu_);
    while (!stop_changed_.wait_for(lock, std::chrono::milliseconds(kSyncPeriodMs), [this] { return stopping_; })) {
      lock.unlock();
      if (policy() != SyncPolicy::kNo && SyncNow() != Status::kOk) LOG(ERROR) << "the WAL could not be synced";
      lock.lock();
    }
  });
}

void Durability::StopThread() {
  {
    std::lock_guard lock(stop_mu_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Durability::WriteFailed(const rocksdb::Status& status) {
  std::lock_guard lock(mu_);
  reason_ = "write error: " + status.ToString();
  failed_.store(true, std::memory_order_release);
}

std::string Durability::HealthReason() const {
  std::lock_guard lock(mu_);
  return reason_;
}

bool Durability::ReplyMayLeave(uint64_t sequence) const {
  switch (policy()) {
    case SyncPolicy::kNo:
      return true;
    case SyncPolicy::kAlways:
      return sequence <= synced_sequence_.load(std::memory_order_acquire);
    case SyncPolicy::kEverySecond:
      break;
  }
  return sequence <= synced_sequence_.load(std::memory_order_acquire) ||
         SteadyMs() - synced_at_ms_.load(std::memory_order_relaxed) <= kSyncOverdueMs;
}

void Durability::WhenReplyMayLeave(uint64_t sequence, std::function<void(Status)> done) {
  done(ReplyMayLeave(sequence) ? Status::kOk : SyncNow());
}

Status Durability::SyncNow() {
  const uint64_t sequence = engine_.LatestSequence();
  const Status status = FromRocks(engine_.db()->SyncWAL(), "syncing the WAL");
  if (status != Status::kOk) return status;
  syncs_.fetch_add(1, std::memory_order_relaxed);
  synced_at_ms_.store(SteadyMs(), std::memory_order_relaxed);
  uint64_t seen = synced_sequence_.load();
  while (seen < sequence && !synced_sequence_.compare_exchange_weak(seen, sequence)) {
  }
  return Status::kOk;
}

}  // namespace basalt::storage
