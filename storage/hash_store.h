#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/hash_layout.h"
#include "storage/read_view.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// Up to where Redis would keep a hash as a listpack; for OBJECT ENCODING only.
struct HashLimits {
  uint64_t listpack_entries = 0;
  uint64_t listpack_value = 0;  // bytes of a field or value
};

// A hash that was found, and what it takes to read it.
struct HashValue {
  RecordPtr record;
  uint64_t stored = 0;  // fields there are, those included whose time has come
  bool due = false;     // … if there are such

  bool packed() const { return IsPacked(*record); }
  uint64_t object_id() const { return record->header().object_id; }
};

// Hashes, with fields that may expire. Packed in their record up to kPackedBytesMax, in the order in which fields were
// added; else rows in the order of their hash, those that expire also by their time. FORMAT.md draws both.
//
// Fields whose time has come are nowhere to be seen. Their removal lags behind: in a plain view they stay
// (ReadView::met_expired asks to come back with a WriteTxn), writing removes some of them, the expire cycle the rest.
class HashStore {
 public:
  // ---- reading ----

  // kNotFound, kWrongType. Takes a snapshot itself when rows may have to be read.
  static Status Find(ReadView& view, DbIndex db, const HashedKey& key, HashValue* hash);
  // The same of a record that FindCollection found.
  static Status Open(ReadView& view, RecordPtr record, HashValue* hash);
  // How many fields there are, exactly. kIncomplete: too many of them are due for the fast lane to count.
  static Status Count(ReadView& view, const HashValue& hash, uint64_t* count);
  // kNotFound. The field's views live as long as the record and *buffer.
  static Status Get(ReadView& view, const HashValue& hash, std::string_view name, std::string* buffer,
                    HashField* field);
  // `visit(const HashField&)` returns false to stop.
  template <typename Visit>
  static Status ForEach(ReadView& view, const HashValue& hash, Visit&& visit) {
    if (!hash.packed()) return ForEachRow(view, hash, std::ref(visit));
    PackedHashReader reader(*hash.record);
    for (HashField field; reader.Next(&field);) {
      if (!field.DueAt(view.now_ms()) && !visit(field)) return Status::kOk;
    }
    return reader.done() ? Status::kOk : Status::kCorruption;
  }
  // HSCAN: from `cursor` on until about `count` fields were looked at, packed ones all at once. *next: 0 at the end.
  using Visitor = std::function<bool(const HashField& field)>;
  static Status Scan(ReadView& view, const HashValue& hash, uint64_t cursor, uint64_t count, const Visitor& visit,
                     uint64_t* next);

  // Fields drawn at random, each with the same chance. `live`: what Count says, not 0. `visit` returns false to stop.
  // Different ones, `count` <= live of them.
  static Status RandomDistinct(ReadView& view, const HashValue& hash, uint64_t live, uint64_t count,
                               const Visitor& visit);
  // Each drawn anew, so that fields may come several times.
  static Status RandomRepeated(ReadView& view, const HashValue& hash, uint64_t live, uint64_t count,
                               const Visitor& visit);

  // ---- writing. Creates the hash when there is none, and removes it with its last field. kWrongType ----

  // `pairs`: field and value in turn. What they held before is gone, their expiry included. *added: fields that were
  // not there.
  static Status Set(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> pairs,
                    const HashLimits& limits, uint64_t* added);
  // Unless the field is there.
  static Status SetIfAbsent(WriteTxn& txn, DbIndex db, const HashedKey& key, std::string_view name,
                            std::string_view value, const HashLimits& limits, bool* added);
  // As Set, but the field keeps its expiry.
  static Status Update(WriteTxn& txn, DbIndex db, const HashedKey& key, std::string_view name, std::string_view value,
                       const HashLimits& limits);
  // *removed: fields that were there.
  static Status Delete(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> names,
                       uint64_t* removed);

  // ---- expiry of fields ----

  enum class ExpireCondition : uint8_t {
    kAlways,
    kHasNone /* NX */,
    kHasOne /* XX */,
    kLater /* GT */,
    kEarlier /* LT */
  };
  enum class ExpireOutcome : uint8_t {
    kNoField,
    kRefused /* by the condition */,
    kSet,
    kDeleted /* was in the past */
  };
  // Appends an outcome for each name. `expire_ms`: Unix milliseconds, up to kFieldExpireMax.
  static constexpr int64_t kFieldExpireMax = (int64_t{1} << 46) - 1;
  static Status Expire(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> names,
                       int64_t expire_ms, ExpireCondition condition, std::vector<ExpireOutcome>* outcomes);
  // Appends for each name: kNoField, kRefused (it had no expiry) or kSet.
  static Status Persist(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> names,
                        std::vector<ExpireOutcome>* outcomes);
  // Removes up to `fields_max` fields whose time has come, and the hash with the last of them.
  static Status RemoveDue(WriteTxn& txn, DbIndex db, const HashedKey& key, uint64_t fields_max, uint64_t* removed);
  // The same when it is met in a command: as many as suit its lane.
  static Status RemoveDue(WriteTxn& txn, DbIndex db, const HashedKey& key);

 private:
  static Status ForEachRow(ReadView& view, const HashValue& hash, const Visitor& visit);
};

}  // namespace basalt::storage
