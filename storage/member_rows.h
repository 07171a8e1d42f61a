#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/key_codec.h"
#include "storage/read_view.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// Rows of `data` that are found by the bytes of a member: fields of hashes, members of sets and of sorted sets.
// [object id:8][seeded hash of the member:4][member] -> a value of the store's. In the order of the hash, so HSCAN,
// SSCAN and ZSCAN need no state on the server: their cursor is the next hash.
//
// Reading REQUIRES what ReadView::GetRow does (FindCollection sees to it). Nothing may be written inside a visitor.
class MemberRows {
 public:
  using Visitor = std::function<bool(std::string_view member, std::string_view value)>;  // false: stop

  // kNotFound: no such member.
  static Status Get(ReadView& view, uint64_t object_id, std::string_view member, std::string* value);
  static void Put(WriteTxn& txn, uint64_t object_id, std::string_view member, std::string_view value);
  static void Delete(WriteTxn& txn, uint64_t object_id, std::string_view member);
  // The key of a row, for NewObject.
  static void EncodeKey(const Storage& storage, uint64_t object_id, std::string_view member, KeyBuffer* key);

  static Status ForEach(ReadView& view, uint64_t object_id, const Visitor& visit);
  // From `cursor` on until about `count` rows were visited; members of one hash are never parted. *next: 0 at the end.
  static Status Scan(ReadView& view, uint64_t object_id, uint64_t cursor, uint64_t count, const Visitor& visit,
                     uint64_t* next);

  struct Row {
    std::string member;
    std::string value;
  };
  // Appends one member, each with the same chance (DESIGN §4, fair random). `total`: members there are, not 0.
  static Status Random(ReadView& view, uint64_t object_id, uint64_t total, Row* row);
  // Appends `count` different members in random order, every subset with the same chance. REQUIRES: count <= total.
  static Status RandomDistinct(ReadView& view, uint64_t object_id, uint64_t total, uint64_t count,
                               std::vector<Row>* rows);
};

}  // namespace basalt::storage
