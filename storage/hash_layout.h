#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/collection.h"
#include "storage/metadata.h"
#include "storage/packed.h"

namespace basalt::storage {

// How hashes are laid out: packed in the record, or as rows (FORMAT.md, hashes). Pure functions; any thread.

// One field. Views: the bytes belong to whoever made them.
struct HashField {
  std::string_view name;
  std::string_view value;
  int64_t expire_ms = kNoExpire;

  bool DueAt(int64_t now_ms) const { return expire_ms != kNoExpire && expire_ms <= now_ms; }
};

// Packed: field and value in turn; where the header has an earliest field expiry, behind each pair the time at which it
// expires (varint, 0: never).
class PackedHashReader {
 public:
  // REQUIRES: IsPacked(record), which outlives this.
  explicit PackedHashReader(const Record& record)
      : reader_(PayloadBehindCount(record)), expiring_(record.field_expire_ms() != kNoExpire) {}

  // False at the end, and on damaged bytes; done() tells the two apart.
  bool Next(HashField* field) {
    uint64_t expire_ms = 0;
    if (!reader_.Read(&field->name) || !reader_.Read(&field->value)) return false;
    if (expiring_ && !reader_.ReadVarint(&expire_ms)) return false;
    field->expire_ms = static_cast<int64_t>(expire_ms);
    return true;
  }
  bool done() const { return reader_.done(); }

 private:
  PackedReader reader_;
  bool expiring_;
};

inline size_t PackedFieldBytes(const HashField& field, bool expiring) {
  return PackedBytes(field.name) + PackedBytes(field.value) +
         (expiring ? VarintBytes(static_cast<uint64_t>(field.expire_ms)) : 0);
}
inline void AppendPackedField(const HashField& field, bool expiring, std::string* payload) {
  AppendPacked(field.name, payload);
  AppendPacked(field.value, payload);
  if (expiring) AppendVarint(static_cast<uint64_t>(field.expire_ms), payload);
}

// The value of a field's row in `data`: [expire ms:varint][value].
inline void EncodeHashRow(std::string_view value, int64_t expire_ms, std::string* row) {
  row->clear();
  row->reserve(VarintBytes(static_cast<uint64_t>(expire_ms)) + value.size());
  AppendVarint(static_cast<uint64_t>(expire_ms), row);
  row->append(value);
}
inline bool ParseHashRow(std::string_view row, std::string_view* value, int64_t* expire_ms) {
  PackedReader reader(row);
  uint64_t time;
  if (!reader.ReadVarint(&time) || time > INT64_MAX) return false;
  *expire_ms = static_cast<int64_t>(time);
  *value = row.substr(reader.offset());
  return true;
}

}  // namespace basalt::storage
