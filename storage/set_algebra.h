#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "storage/metadata.h"
#include "storage/read_view.h"
#include "storage/set_encoding.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// Intersection, union and difference of sets, in memory that does not grow with them.
//
// `sets`: records that FindCollection() found, for readers after one RequireSnapshot(); null for a key that is not
// there. Each member of the result is visited once; the view is a call's; nothing may be written in between.
class SetAlgebra {
 public:
  using Visitor = std::function<bool(std::string_view member)>;  // false: stop

  static Status Intersect(ReadView& view, std::span<const RecordPtr> sets, const Visitor& visit);
  static Status Unite(ReadView& view, std::span<const RecordPtr> sets, const Visitor& visit);
  // What is in the first and in no other.
  static Status Subtract(ReadView& view, std::span<const RecordPtr> sets, const Visitor& visit);

  enum class Operation : uint8_t { kIntersect, kUnite, kSubtract };
  static Status Run(Operation operation, ReadView& view, std::span<const RecordPtr> sets, const Visitor& visit);
  // Puts the result in place of whatever `destination` holds; when it is empty the key goes. *count: its members.
  // kIncomplete: it is large, and so the slow lane's work.
  static Status Store(Operation operation, WriteTxn& txn, DbIndex db, const HashedKey& destination,
                      std::span<const RecordPtr> sets, const SetLimits& limits, uint64_t* count);

  // Rows that Run would read, roughly: for the choice of the lane.
  static uint64_t Cost(Operation operation, std::span<const RecordPtr> sets);
};

}  // namespace basalt::storage
