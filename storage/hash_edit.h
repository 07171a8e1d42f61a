#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/hash_layout.h"
#include "storage/hash_store.h"
#include "storage/key_codec.h"
#include "storage/storage.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// One change of one hash, packed or in rows: what all verbs of HashStore that write are made of.
//
//   HashEdit edit(txn, db, key, limits);
//   status = edit.Begin(); … edit.Find(name, &slot) … edit.Put(slot, field) or edit.Remove(slot) …; status =
//   edit.Finish();
//
// The record is written once, by Finish. On the caller's stack; an error on the way is the caller's to return (the
// command is then rolled back).
class HashEdit {
 public:
  // `limits`: when the logical encoding may change with what is put; null: it stays.
  HashEdit(WriteTxn& txn, DbIndex db, const HashedKey& key, const HashLimits* limits)
      : txn_(txn), db_(db), key_(key), limits_(limits), places_(0, SeededHash{&txn.storage()}) {}
  HashEdit(const HashEdit&) = delete;

  // Reads the hash; none is an empty one. Fields that are due go: of rows, as many as suit the lane. kWrongType;
  // kIncomplete: there is more to remove than the fast lane may.
  Status Begin();
  // … or up to `due_max` of rows, whatever the lane.
  Status Begin(uint64_t due_max);

  bool empty() const { return count_ == 0; }
  uint64_t due_removed() const { return due_removed_; }
  // As many fields may be put.
  void Expect(size_t fields) { fields_.reserve(fields_.size() + fields); }
  void BecomeHashtable() { encoding_ = Encoding::kHashtable; }

  // Where a field is, or would be. Until the next call of anything here.
  struct Slot {
    HashField field;      // its name is always set
    bool stored = false;  // perhaps due all the same
    size_t index = 0;     // packed
  };
  // kNotFound: there is none, or its time has come.
  Status Find(std::string_view name, Slot* slot);
  // `slot` holds this from now on. The views must live until Finish.
  void Put(const Slot& slot, std::string_view value, int64_t expire_ms);
  // REQUIRES: slot.stored.
  void Remove(const Slot& slot);

  Status Finish();

 private:
  Status ReadPacked();
  Status RemoveDueRows(uint64_t due_max);
  void StartAnew();
  void FindPacked(std::string_view name, Slot* slot);
  void PutRow(const Slot& slot, std::string_view value, int64_t expire_ms);
  void DropExpiry(const Slot& slot);
  Status FindEarliest();
  Status FinishPacked();
  Status FinishRows();
  Status Expand();
  RecordHeader Header() const;

  WriteTxn& txn_;
  const DbIndex db_;
  const HashedKey key_;
  const HashLimits* const limits_;

  RecordPtr record_;  // as it was; null: none, or its last field was due
  Encoding encoding_ = Encoding::kListpack;
  uint64_t count_ = 0;  // stored
  bool changed_ = false;
  uint64_t due_removed_ = 0;

  // Packed, and what is not yet anything.
  struct SeededHash {  // what clients send must not collide on purpose
    const Storage* storage;
    size_t operator()(std::string_view name) const { return storage->Hash(name).hash; }
  };
  std::vector<HashField> fields_;                                    // views into record_ and of the caller
  std::unordered_map<std::string_view, size_t, SeededHash> places_;  // of fields_: when many are asked for of many
  int lookups_ = 0;

  // Rows.
  uint64_t object_id_ = 0;
  int64_t earliest_ = kNoExpire;        // of the fields' expiries, unless …
  bool earliest_unknown_ = false;       // … it has gone, and the next one is to be looked for
  int64_t earliest_floor_ = kNoExpire;  // none is earlier than this; kNoExpire: there is none at all
  std::string found_row_;
  std::string new_row_;
  KeyBuffer row_key_;
};

}  // namespace basalt::storage
