#pragma once

#include <cstdint>
#include <span>

#include "storage/metadata.h"
#include "storage/read_view.h"
#include "storage/write_txn.h"
#include "storage/zset_store.h"

namespace basalt::storage {

// One operand: the record of a sorted set or of a set, whose members have score 1; null: a key that is not there.
struct ZsetInput {
  RecordPtr record;
  double weight = 1;  // not NaN
};

// Union, intersection and difference of sorted sets and sets. All are stored in the order of one hash, so they are
// merged as they are read, in memory that does not grow with them.
//
// The records: of FindCollection(), for readers after one RequireSnapshot().
class ZsetAlgebra {
 public:
  enum class Operation : uint8_t { kUnite, kIntersect, kSubtract };
  enum class Aggregate : uint8_t { kSum, kMin, kMax };  // of the weighted scores; kSubtract keeps the first's

  // Visits each member of the result once, in no order that means anything. kIncomplete: for the slow lane.
  static Status Run(Operation operation, Aggregate aggregate, ReadView& view, std::span<const ZsetInput> inputs,
                    MemberVisitor visit);
  // Puts the result in place of whatever `destination` holds; when it is empty the key goes. *count: its members.
  static Status Store(Operation operation, Aggregate aggregate, WriteTxn& txn, DbIndex db, const HashedKey& destination,
                      std::span<const ZsetInput> inputs, const ZsetLimits& limits, uint64_t* count);
};

}  // namespace basalt::storage
