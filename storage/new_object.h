#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "storage/write_txn.h"

namespace basalt::storage {

// Writes the rows of a new object: into the group's batch, or, when there are many, in small batches of their own that
// are garbage until the group commits (DESIGN §4, large changes; WriteTxn::BeginLargeObject). One that turns out to be
// large has its first rows in the group's batch, which makes no difference to anyone.
//
//   NewObject object(txn, families, rows, bytes);
//   status = object.Begin(); … object.Put(family, row_key, value) …; status = object.End();
//   txn.Put(db, key, <a record with object.id()>);
//
// Rows are written once each, in any order; until End() the group must not read them. On the caller's stack.
class NewObject {
 public:
  static constexpr uint64_t kLargeRows = 4000;
  static constexpr uint64_t kLargeBytes = 1 << 20;

  // `families`: bits of RowFamily (RowFamilyBit). `rows`, `bytes`: as many as will come, as far as that is known.
  NewObject(WriteTxn& txn, uint8_t families, uint64_t rows, uint64_t bytes)
      : txn_(txn), id_(txn.NewObjectId()), families_(families), rows_(rows), large_(IsLarge(rows, bytes)) {}
  NewObject(const NewObject&) = delete;

  uint64_t id() const { return id_; }
  // kIncomplete: it is large, and so the slow lane's work.
  Status Begin() { return large_ ? BeginLarge() : Status::kOk; }
  // kIncomplete: it has turned out to be large.
  Status Put(RowFamily family, std::string_view row_key, std::string_view value) {
    if (large_) return txn_.WriteLargeRow(family, row_key, value);
    ++rows_put_;
    bytes_put_ += row_key.size() + value.size();
    if (!IsLarge(rows_put_, bytes_put_)) {
      txn_.PutRow(family, row_key, value);
      return Status::kOk;
    }
    const Status begun = BeginLarge();
    if (begun != Status::kOk) return begun;
    large_ = true;
    return txn_.WriteLargeRow(family, row_key, value);
  }
  Status End() { return large_ ? txn_.EndLargeObject() : Status::kOk; }

 private:
  static bool IsLarge(uint64_t rows, uint64_t bytes) { return rows > kLargeRows || bytes > kLargeBytes; }
  Status BeginLarge() {
    if (txn_.tier() == ReadTier::kMemory) return Status::kIncomplete;
    return txn_.BeginLargeObject(id_, families_, std::max(rows_, rows_put_));
  }

  WriteTxn& txn_;
  const uint64_t id_;
  const uint8_t families_;
  const uint64_t rows_;
  bool large_;
  uint64_t rows_put_ = 0;  // into the group's batch
  uint64_t bytes_put_ = 0;
};

}  // namespace basalt::storage
