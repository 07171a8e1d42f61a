#include "storage/engine_listener.h"

#include <string_view>

#include "storage/write_switch.h"

namespace basalt::storage {
namespace {

std::string_view WhatFailed(rocksdb::BackgroundErrorReason reason) {
  switch (reason) {
    case rocksdb::BackgroundErrorReason::kFlush:
    case rocksdb::BackgroundErrorReason::kFlushNoWAL: return "flush";
    case rocksdb::BackgroundErrorReason::kCompaction: return "compaction";
    case rocksdb::BackgroundErrorReason::kWriteCallback: return "write to the log";
    case rocksdb::BackgroundErrorReason::kMemTable: return "write to memory";
    case rocksdb::BackgroundErrorReason::kManifestWrite:
    case rocksdb::BackgroundErrorReason::kManifestWriteNoWAL: return "write to the manifest";
  }
  return "background work";
}

}  // namespace

void EngineListener::OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) {
  writes_.Failed(WhatFailed(reason), *status);
}

void EngineListener::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) {
  *auto_recovery = false;
}

void EngineListener::OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) {
  if (info.condition.cur != rocksdb::WriteStallCondition::kNormal &&
      info.condition.prev == rocksdb::WriteStallCondition::kNormal) {
    stalls_.fetch_add(1, std::memory_order_relaxed);
  }
}

void EngineListener::OnMemTableSealed(const rocksdb::MemTableInfo&) { grew_(); }
void EngineListener::OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) { grew_(); }

void EngineListener::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) {
  grew_();
  compactions_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace basalt::storage
