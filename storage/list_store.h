#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "storage/key_codec.h"
#include "storage/list_layout.h"
#include "storage/packed.h"
#include "storage/read_view.h"
#include "storage/write_txn.h"

namespace basalt::storage {

enum class ListEnd : uint8_t { kHead, kTail };

// Lists. list_layout.h has what is where; FORMAT.md draws it.
//
// Verbs that write read the record of the key themselves, keep its expiry, and erase the key with its last element.
// kIncomplete: needs the disk, or is too much for the fast lane (as everywhere); elements visited so far were visited
// in vain. kNotFound, kWrongType.
class ListStore {
 public:
  // With rows: the view has its snapshot, so they can be read next.
  static Status Find(ReadView& view, DbIndex db, const HashedKey& key, List* list);

  // ---- reads. REQUIRES: found in this view; REQUIRES: the indices are inside ----
  // *element: bytes of the record, or of *buffer.
  static Status Get(ReadView& view, const List& list, uint64_t index, std::string* buffer, std::string_view* element);
  // `count` elements from index `first` on, in either order (kBackward: `first` comes last). `visit(std::string_view)`
  // returns false to stop.
  template <typename Visit>
  static Status ForEach(ReadView& view, const List& list, uint64_t first, uint64_t count, ScanOrder order,
                        Visit&& visit);

  // ---- writes ----
  enum class IfAbsent : uint8_t { kCreate, kLeave /* kNotFound */ };
  // One after the other, so several pushed to the head end up in reverse order. *length: afterwards.
  static Status Push(WriteTxn& txn, DbIndex db, const HashedKey& key, ListEnd end, IfAbsent if_absent,
                     std::span<const std::string_view> elements, const ListLimits& limits, uint64_t* length);
  // Shows up to `count` elements to `visit(std::string_view)` in the order in which they are popped, and removes them.
  // REQUIRES: `list` was found in this txn and nothing written since; count > 0.
  template <typename Visit>
  static Status Pop(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list, ListEnd end, uint64_t count,
                    const ListLimits& limits, Visit&& visit);
  // Keeps elements [first, first + count). REQUIRES: as Pop, but for the count.
  static Status Trim(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list, uint64_t first, uint64_t count,
                     const ListLimits& limits);
  // REQUIRES: as Pop; index < list.count.
  static Status Set(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list, uint64_t index,
                    std::string_view element, const ListLimits& limits);
  enum class Side : uint8_t { kBefore, kAfter };
  // Next to the first element that equals `pivot`. *length: afterwards; -1: there is no such element.
  static Status Insert(WriteTxn& txn, DbIndex db, const HashedKey& key, Side side, std::string_view pivot,
                       std::string_view element, const ListLimits& limits, int64_t* length);
  // Elements that equal `element`: the first `count` of them, the last -count, or with 0 all.
  static Status Remove(WriteTxn& txn, DbIndex db, const HashedKey& key, int64_t count, std::string_view element,
                       const ListLimits& limits, uint64_t* removed);
  // From one end of a list to one end of another, or of the same. kNotFound: there is nothing to move. kWrongType:
  // either key.
  static Status Move(WriteTxn& txn, DbIndex db, const HashedKey& from, ListEnd from_end, const HashedKey& to,
                     ListEnd to_end, const ListLimits& limits, std::string* element);
  // Replaces whatever the key holds. REQUIRES: it was read in this group; there are elements.
  static Status Assign(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> elements,
                       int64_t expire_ms, const ListLimits& limits);

 private:
  // Removes elements from both ends. `listpack_bytes`: what they take in a listpack, or kUnknownBytes.
  static constexpr uint64_t kUnknownBytes = UINT64_MAX;
  static Status Drop(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list, uint64_t front, uint64_t back,
                     uint64_t listpack_bytes, const ListLimits& limits);
};

// ---- templates ----

template <typename Visit>
Status ListStore::ForEach(ReadView& view, const List& list, uint64_t first, uint64_t count, ScanOrder order,
                          Visit&& visit) {
  if (count == 0) return Status::kOk;
  const bool forward = order == ScanOrder::kForward || count == 1;
  if (list.packed()) {
    PackedReader reader(list.elements);
    std::string_view element;
    for (; first > 0; --first) {
      if (!reader.Read(&element)) return Status::kCorruption;
    }
    if (forward) {
      for (; count > 0; --count) {
        if (!reader.Read(&element)) return Status::kCorruption;
        if (!visit(element)) return Status::kOk;
      }
      return Status::kOk;
    }
    std::array<std::string_view, kPackedBytesMax> found;
    if (count > found.size()) return Status::kCorruption;
    for (uint64_t i = 0; i < count; ++i) {
      if (!reader.Read(&found[i])) return Status::kCorruption;
    }
    while (count > 0 && visit(found[count - 1])) --count;
    return Status::kOk;
  }
  KeyBuffer lower;
  EncodeListKey(list.object_id, list.head + first, &lower);
  if (count == 1) {
    std::string element;
    const Status status = view.GetRow(RowFamily::kData, lower.view(), &element);
    if (status != Status::kOk) return status == Status::kNotFound ? Status::kCorruption : status;
    (void)visit(std::string_view(element));
    return Status::kOk;
  }
  KeyBuffer upper;
  EncodeListKey(list.object_id, list.head + first + count, &upper);
  // What the header says must be there, one row after the other.
  uint64_t next = list.head + first + (forward ? 0 : count - 1);
  uint64_t left = count;
  bool stopped = false;
  bool damaged = false;
  const Status status = ScanRows(view, RowFamily::kData, lower.view(), upper.view(), order,
                                 [&](std::string_view row_key, std::string_view element) {
                                   const std::optional<ListKey> at = ParseListKey(row_key);
                                   damaged = left == 0 || !at || at->position != next;
                                   if (damaged) return false;
                                   forward ? ++next : --next;
                                   --left;
                                   stopped = !visit(element);
                                   return !stopped;
                                 });
  if (damaged) return Status::kCorruption;
  if (status != Status::kOk) return status;
  return stopped || left == 0 ? Status::kOk : Status::kCorruption;
}

template <typename Visit>
Status ListStore::Pop(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list, ListEnd end, uint64_t count,
                      const ListLimits& limits, Visit&& visit) {
  count = std::min(count, list.count);
  const bool at_head = end == ListEnd::kHead;
  const bool counts_bytes = !list.packed();
  uint64_t bytes = 0;
  uint64_t seen = 0;
  const Status status = ForEach(txn, list, at_head ? 0 : list.count - count, count,
                                at_head ? ScanOrder::kForward : ScanOrder::kBackward, [&](std::string_view element) {
                                  if (counts_bytes) bytes += ListpackEntryBytes(element);
                                  ++seen;
                                  return visit(element);
                                });
  if (status != Status::kOk) return status;
  if (seen < count) return Status::kIncomplete;  // the visitor has had enough
  return Drop(txn, db, key, list, at_head ? count : 0, at_head ? 0 : count, bytes, limits);
}

}  // namespace basalt::storage
