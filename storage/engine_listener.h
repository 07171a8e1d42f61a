#pragma once

#include <rocksdb/listener.h>

#include <atomic>
#include <cstdint>
#include <functional>

namespace basalt::storage {

class WriteSwitch;

// What RocksDB tells about itself: failures of its background work switch writes off, and its own attempts to recover are
// vetoed: it cannot resume from an error of the WAL, and what it resumes from a full disk aborts with the next write.
// Guardian reopens it instead. Whenever a good part of the disk may have been taken it says so, so that a fast writer does
// not outrun the watermark. Counts write stalls. Shared with RocksDB; called on its threads.
class EngineListener : public rocksdb::EventListener {
 public:
  // `grew`: short, no locks of RocksDB's or ours.
  EngineListener(WriteSwitch& writes, std::function<void()> grew) : writes_(writes), grew_(std::move(grew)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status status, bool* auto_recovery) override;
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override;
  void OnMemTableSealed(const rocksdb::MemTableInfo& info) override;
  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& info) override;
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& info) override;

  // Since start: how often a column family began to slow writes down, or to stop them.
  uint64_t stalls() const { return stalls_.load(std::memory_order_relaxed); }
  uint64_t compactions() const { return compactions_.load(std::memory_order_relaxed); }

 private:
  WriteSwitch& writes_;
  const std::function<void()> grew_;
  std::atomic<uint64_t> stalls_{0};
  std::atomic<uint64_t> compactions_{0};
};

}  // namespace basalt::storage
