#pragma once

#include <rocksdb/listener.h>

#include <atomic>
#include <cstdint>

namespace basalt::storage {

class WriteSwitch;

// What RocksDB tells about itself: failures of its background work switch writes off, and its own attempts to recover are
// vetoed: it cannot resume from an error of the WAL, and what it resumes from a full disk aborts with the next write.
// Guardian reopens it instead. Counts write stalls. Shared with RocksDB; called on its threads.
class FailureListener : public rocksdb::EventListener {
 public:
  explicit FailureListener(WriteSwitch& writes) : writes_(writes) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status status, bool* auto_recovery) override;
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override;
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& info) override;

  // Since start: how often a column family began to slow writes down, or to stop them.
  uint64_t stalls() const { return stalls_.load(std::memory_order_relaxed); }
  uint64_t compactions() const { return compactions_.load(std::memory_order_relaxed); }

 private:
  WriteSwitch& writes_;
  std::atomic<uint64_t> stalls_{0};
  std::atomic<uint64_t> compactions_{0};
};

}  // namespace basalt::storage
