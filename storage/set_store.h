#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "storage/collection.h"
#include "storage/metadata.h"
#include "storage/packed.h"
#include "storage/read_view.h"
#include "storage/set_encoding.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// Sets. Packed: the members, in the order they came; those of an intset in the order of the numbers. With rows: a row
// of MemberRows for each member, its value empty; the record has the count only. FORMAT.md draws both.
//
// Reading verbs take a record that FindCollection() found in the same view (for several keys: after one
// RequireSnapshot()). Visitors get members as views that live during the call, and must not write through the view.
class SetStore {
 public:
  using Visitor = std::function<bool(std::string_view member)>;  // false: stop

  // kNotFound: no such member.
  static Status Contains(ReadView& view, const Record& record, std::string_view member);
  // Every member once; of an intset in the order of the numbers, else as they are stored.
  static Status ForEach(ReadView& view, const Record& record, const Visitor& visit);
  // As MemberRows::Scan; a packed set is visited whole, whatever the cursor.
  static Status Scan(ReadView& view, const Record& record, uint64_t cursor, uint64_t count, const Visitor& visit,
                     uint64_t* next);

  // One member, each with the same chance.
  static Status Random(ReadView& view, const Record& record, std::string* member);
  // `count` different members, every subset with the same chance, in any order. REQUIRES: count <= members.
  static Status RandomDistinct(ReadView& view, const Record& record, uint64_t count, const Visitor& visit);
  // `count` times one member, each with the same chance every time. Memory for a few thousand of them at most.
  static Status RandomRepeated(ReadView& view, const Record& record, uint64_t count, const Visitor& visit);

  // ---- writing; kWrongType ----
  // *added: members that were not there. (When there are none nothing changes, not even the encoding, which Redis
  // chooses by the number of arguments.) REQUIRES: members is not empty.
  static Status Add(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> members,
                    const SetLimits& limits, uint64_t* added);
  static Status Remove(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> members,
                       uint64_t* removed);
  // Takes a member out of one set and puts it into another, or into the same, which changes nothing. A source that is
  // not there hides what the target is.
  struct MoveOutcome {
    bool found = false;  // in the source
    bool added = false;  // to the target, which did not have it
  };
  static Status Move(WriteTxn& txn, DbIndex db, const HashedKey& from, const HashedKey& to, std::string_view member,
                     const SetLimits& limits, MoveOutcome* outcome);
  // Takes `count` random members out, every subset with the same chance; `visit` gets each. REQUIRES: 0 < count.
  static Status Pop(WriteTxn& txn, DbIndex db, const HashedKey& key, uint64_t count, const SetLimits& limits,
                    const Visitor& visit);
};

}  // namespace basalt::storage
