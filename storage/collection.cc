#include "storage/collection.h"

#include "storage/key_codec.h"
#include "storage/packed.h"

namespace basalt::storage {
namespace {

constexpr size_t kRowsCountBytes = 8;

// The count, and in *rest what follows it. False: damaged.
bool ParseCount(const Record& record, uint64_t* count, std::string_view* rest) {
  const std::string_view payload = record.payload();
  if (!IsPacked(record)) {
    if (payload.size() < kRowsCountBytes) return false;
    *count = GetBig64(payload.data());
    *rest = payload.substr(kRowsCountBytes);
    return true;
  }
  PackedReader reader(payload);
  if (!reader.ReadVarint(count)) return false;
  *rest = payload.substr(reader.offset());
  return true;
}

}  // namespace

uint64_t ElementCount(const Record& record) {
  uint64_t count = 0;
  std::string_view rest;
  return ParseCount(record, &count, &rest) ? count : 0;
}

std::string_view PayloadBehindCount(const Record& record) {
  uint64_t count = 0;
  std::string_view rest;
  return ParseCount(record, &count, &rest) ? rest : std::string_view();
}

void AppendPackedCount(uint64_t count, std::string* payload) { AppendVarint(count, payload); }

void AppendRowsCount(uint64_t count, std::string* payload) {
  char bytes[kRowsCountBytes];
  PutBig64(bytes, count);
  payload->append(bytes, sizeof(bytes));
}

Status FindCollection(ReadView& view, DbIndex db, const HashedKey& key, ValueType type, RecordPtr* record) {
  const Status status = view.GetRecord(db, key, type, record);
  if (status != Status::kOk || IsPacked(**record)) return status;
  view.RequireSnapshot();
  return view.GetRecord(db, key, type, record);
}

}  // namespace basalt::storage
