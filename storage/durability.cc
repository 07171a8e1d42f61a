#include "storage/durability.h"

#include <glog/logging.h>

#include <cassert>
#include <chrono>
#include <utility>

#include "storage/engine.h"
#include "storage/write_switch.h"

namespace basalt::storage {

Durability::~Durability() { assert(!thread_.joinable() && waiting_.empty()); }

void Durability::Start(SyncPolicy policy) {
  policy_.store(policy);
  Restarted();
}

void Durability::Restarted() {
  std::lock_guard lock(mu_);
  // Recovery writes all that it reads from the WAL to tables, which are synced: see Engine::MakeDbOptions.
  synced_sequence_.store(engine_.LatestSequence());
  synced_at_ms_.store(CoarseMs());
  sync_failed_.store(false);
  UpdateLeaveUntilLocked();
}

void Durability::GiveUp() {
  {
    std::lock_guard lock(mu_);
    sync_failed_.store(true);
    leave_until_.store(0);
    synced_at_ms_.store(CoarseMs() - 2 * kSyncOverdueMs);
    wanted_ = true;
  }
  wake_.notify_all();
}

void Durability::StartThread() {
  {
    std::lock_guard lock(mu_);
    running_ = true;
  }
  thread_ = std::thread([this] { Run(); });
}

void Durability::StopThread() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Durability::Run() {
  std::unique_lock lock(mu_);
  auto next_sync = std::chrono::steady_clock::now() + std::chrono::milliseconds(kSyncPeriodMs);
  while (!stopping_) {
    const auto has_work = [this] { return stopping_ || wanted_; };
    if (policy() == SyncPolicy::kNo) {
      wake_.wait(lock, has_work);
    } else {
      wake_.wait_until(lock, next_sync, has_work);
    }
    const bool someone_waits = !waiting_.empty();
    wanted_ = false;
    if (stopping_ || (policy() == SyncPolicy::kNo && !someone_waits)) continue;
    next_sync = std::chrono::steady_clock::now() + std::chrono::milliseconds(kSyncPeriodMs);
    lock.unlock();
    // A failure is told by whoever waits, by the health, and once in the log.
    (void)SyncNow();
    ReleaseWaiting();
    lock.lock();
  }
  running_ = false;
  lock.unlock();
  (void)SyncNow();
  std::vector<Waiting> left;
  {
    std::lock_guard relock(mu_);
    left.swap(waiting_);
  }
  for (Waiting& each : left) each.done(ReplyMayLeave(each.sequence) ? Status::kOk : Status::kIoError);
}

void Durability::SetPolicy(SyncPolicy policy) {
  {
    std::lock_guard lock(mu_);
    policy_.store(policy);
    UpdateLeaveUntilLocked();
    wanted_ = true;
  }
  wake_.notify_all();
}

void Durability::UpdateLeaveUntilLocked() {
  if (sync_failed_.load()) return;
  leave_until_.store(policy() == SyncPolicy::kNo ? UINT64_MAX : synced_sequence_.load(), std::memory_order_release);
}

void Durability::WhenReplyMayLeave(uint64_t sequence, std::function<void(Status)> done) {
  {
    std::lock_guard lock(mu_);
    if (running_ && !sync_failed_.load() && !ReplyMayLeave(sequence)) {
      waiting_.push_back({sequence, std::move(done)});
      if (std::exchange(wanted_, true)) return;
      wake_.notify_one();
      return;
    }
  }
  if (ReplyMayLeave(sequence)) {
    done(Status::kOk);
  } else {
    done(SyncNow());  // without a thread; or it fails at once
  }
}

void Durability::ReleaseWaiting() {
  std::vector<std::pair<std::function<void(Status)>, Status>> decided;
  {
    std::lock_guard lock(mu_);
    std::vector<Waiting> still;
    for (Waiting& each : waiting_) {
      if (ReplyMayLeave(each.sequence)) {
        decided.emplace_back(std::move(each.done), Status::kOk);
      } else if (sync_failed_.load() || writes_.failed()) {
        decided.emplace_back(std::move(each.done), Status::kIoError);
      } else {
        still.push_back(std::move(each));  // came while the sync was under way
      }
    }
    waiting_.swap(still);
    if (!waiting_.empty()) wanted_ = true;
  }
  for (auto& [done, status] : decided) done(status);
}

Status Durability::SyncNow() {
  const EngineUse use(engine_.gate());
  // A log that could not be written is not touched either: where RocksDB's assertions are on, it aborts.
  if (!use.ok() || sync_failed_.load() || writes_.failed()) return Status::kIoError;
  const int64_t started_ms = CoarseMs();
  // Taken before: every commit up to here is in the WAL.
  const uint64_t sequence = engine_.LatestSequence();
  if (sequence > synced_sequence_.load(std::memory_order_acquire)) {
    const rocksdb::Status status = engine_.SyncLog();
    if (!status.ok()) {
      {
        std::lock_guard lock(mu_);
        sync_failed_.store(true);
      }
      writes_.Failed("sync of the log", status);
      return Status::kIoError;
    }
    syncs_.fetch_add(1, std::memory_order_relaxed);
  }
  Publish(sequence, started_ms);
  return Status::kOk;
}

void Durability::Publish(uint64_t sequence, int64_t started_ms) {
  std::lock_guard lock(mu_);
  if (sequence > synced_sequence_.load()) synced_sequence_.store(sequence, std::memory_order_release);
  if (started_ms > synced_at_ms_.load()) synced_at_ms_.store(started_ms, std::memory_order_relaxed);
  UpdateLeaveUntilLocked();
}

}  // namespace basalt::storage
