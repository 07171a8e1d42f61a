#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/metadata.h"

namespace basalt::storage {

// Where the elements of a list are, and when Redis would keep them in one listpack. FORMAT.md draws the bytes. Pure
// functions; any thread.
//
// Packed, or with one row per element: [object id][position] -> element. Lists are dense: the element at index i is at
// position head + i, always. So every index is found by one Get, however long the list is, and a read begins exactly at
// a row that is there, never at the remains of those that were popped. What is inserted or removed in the middle shifts
// the shorter side.

// The position of the first element of a new list: in the middle, so that both ends can grow.
inline constexpr uint64_t kListMiddle = 1ull << 63;

// What all elements of a list would take in one listpack.
struct ListpackSize {
  uint64_t bytes = 0;
  bool exact = false;  // else: at least `bytes`. Elements were removed unread, or nobody has counted to the end

  static constexpr ListpackSize Unknown() { return {}; }
  friend bool operator==(const ListpackSize&, const ListpackSize&) = default;
  ListpackSize Plus(uint64_t more) const { return {bytes + more, exact}; }
  ListpackSize Minus(uint64_t less) const { return less <= bytes ? ListpackSize{bytes - less, exact} : Unknown(); }
};

// The record of a list, taken apart.
struct List {
  RecordPtr record;  // null: there is no list (yet)
  Encoding encoding = Encoding::kListpack;
  int64_t expire_ms = kNoExpire;
  uint64_t count = 0;

  std::string_view elements;  // packed, one behind the other; bytes of `record`

  uint64_t object_id = 0;  // not 0: has rows
  uint64_t head = 0;       // position of the first
  ListpackSize listpack;   // with rows; a packed one is soon counted

  bool packed() const { return object_id == 0; }
};

// False: the record is damaged.
bool ParseList(RecordPtr record, List* list);
// The payload of a list with rows.
std::string EncodeListRows(const List& list);

// ---- OBJECT ENCODING ----

// Bytes that an element takes in a listpack, and what a listpack takes without any.
uint64_t ListpackEntryBytes(std::string_view element);
inline constexpr uint64_t kListpackEmptyBytes = 7;
// No more than that many times what it takes packed.
inline constexpr uint64_t kListpackPerPackedMax = 2;

// The limits that Redis gets from list-max-listpack-size: a number of elements, or (-1 to -5) 4 to 64 KiB.
struct ListLimits {
  explicit ListLimits(int64_t option);

  bool by_bytes;
  uint64_t bytes;     // by_bytes: as many at most; else whatever the number of elements
  uint64_t elements;  // !by_bytes

  // A listpack that grows to this becomes a quicklist.
  bool ExceededBy(uint64_t listpack_bytes, uint64_t count) const {
    return listpack_bytes > bytes || (!by_bytes && count > elements);
  }
  // A quicklist that shrinks to this becomes a listpack again.
  bool HalfHolds(uint64_t listpack_bytes, uint64_t count) const {
    return by_bytes ? listpack_bytes <= bytes / 2 : count <= elements / 2;
  }
};

}  // namespace basalt::storage
