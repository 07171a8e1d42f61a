#include <glog/logging.h>
#include <rocksdb/env.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <algorithm>

#include "storage/engine.h"

namespace basalt::storage {
namespace {

// A WriteBatch begins [sequence of its first change:8][changes:4], little-endian.
uint64_t LittleEndian(const char* bytes, int count) {
  uint64_t number = 0;
  for (int i = count - 1; i >= 0; --i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

// Notes where the log ends, and has nothing applied.
class LastSequenceFilter : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "basalt.LastSequenceFilter"; }
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch*, bool*) override {
    const char* header = batch.Data().data();
    const uint64_t changes = LittleEndian(header + 8, 4);
    if (changes != 0) last_ = std::max(last_, LittleEndian(header, 8) + changes - 1);
    return WalProcessingOption::kIgnoreCurrentRecord;
  }
  uint64_t last() const { return last_; }

 private:
  uint64_t last_ = 0;
};

// The first look must not turn the folder's LOG over.
class NoLog : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace

rocksdb::Status Engine::OpenReadOnly() {
  CHECK(db_ == nullptr);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::DBOptions options = MakeDbOptions();
  options.info_log = std::make_shared<NoLog>();  // there may be no space for one
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path_, MakeFamilies(), &handles, &db);
  if (status.ok()) Adopt(db, handles);
  return status;
}

rocksdb::Status Engine::FindLastSequence(uint64_t* sequence) const {
  rocksdb::DBOptions options = MakeDbOptions();
  const rocksdb::Status exists = options.env->FileExists(path_ + "/CURRENT");
  if (!exists.ok()) return exists;
  options.listeners.clear();
  options.info_log = std::make_shared<NoLog>();
  options.max_open_files = 16;  // the tables do not matter: they need not be opened
  LastSequenceFilter filter;
  options.wal_filter = &filter;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path_, MakeFamilies(), &handles, &db);
  if (!status.ok()) return status;
  const std::unique_ptr<rocksdb::DB> owned(db);
  *sequence = std::max<uint64_t>(filter.last(), db->GetLatestSequenceNumber());
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return db->Close();
}

}  // namespace basalt::storage
