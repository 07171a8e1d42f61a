#include "storage/member_rows.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "storage/fair_draw.h"
#include "storage/key_codec.h"
#include "storage/random.h"
#include "storage/storage.h"

namespace basalt::storage {
namespace {

constexpr uint64_t kHashes = 1ull << 32;
// The members that are left may stand close together (those that SSCAN showed first were removed): of up to
// kCloseMembersMax, one pass draws when an interval holds too many, or after kCloseTries draws that hit none.
constexpr uint64_t kCloseMembersMax = 4096;
constexpr int kCloseTries = 16;
constexpr int kTries = 128;
// When more than one of so many members is wanted, one pass over all of them costs less than drawing each.
constexpr uint64_t kDrawFraction = 32;

uint32_t MemberHash(const Storage& storage, std::string_view member) {
  return static_cast<uint32_t>(storage.Hash(member).hash >> 32);
}

// Rows with a hash in [first, last).
template <typename Visit>
Status ScanHashes(ReadView& view, uint64_t object_id, uint64_t first, uint64_t last, Visit&& visit) {
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeMemberBound(object_id, first, &lower);
  EncodeMemberBound(object_id, last, &upper);
  bool damaged = false;
  const Status status = ScanRows(view, RowFamily::kData, lower.view(), upper.view(),
                                 [&](std::string_view row_key, std::string_view value) {
                                   const std::optional<MemberKey> key = ParseMemberKey(row_key);
                                   damaged = !key;
                                   return key && visit(key->hash, key->member, value);
                                 });
  return damaged ? Status::kCorruption : status;
}

Status Collect(ReadView& view, uint64_t object_id, uint64_t first, uint64_t last, uint64_t rows_max,
               std::vector<MemberRows::Row>* rows) {
  return ScanHashes(view, object_id, first, last, [&](uint32_t, std::string_view member, std::string_view value) {
    rows->push_back({std::string(member), std::string(value)});
    return rows->size() < rows_max;
  });
}

// Every subset of `count` has the same chance (selection sampling, Knuth 3.4.2, Algorithm S).
Status SampleInOnePass(ReadView& view, uint64_t object_id, uint64_t total, uint64_t count,
                       std::vector<MemberRows::Row>* rows) {
  uint64_t left = total;
  const size_t wanted = rows->size() + count;
  const auto visit = [&](uint32_t, std::string_view member, std::string_view value) {
    if (left > 0 && RandomBelow(left) < wanted - rows->size())
      rows->push_back({std::string(member), std::string(value)});
    if (left > 0) --left;
    return rows->size() < wanted;
  };
  return ScanHashes(view, object_id, 0, kHashes, visit);
}

}  // namespace

void MemberRows::EncodeKey(const Storage& storage, uint64_t object_id, std::string_view member, KeyBuffer* key) {
  EncodeMemberKey(object_id, MemberHash(storage, member), member, key);
}

Status MemberRows::Get(ReadView& view, uint64_t object_id, std::string_view member, std::string* value) {
  KeyBuffer key;
  EncodeKey(view.storage(), object_id, member, &key);
  return view.GetRow(RowFamily::kData, key.view(), value);
}

void MemberRows::Put(WriteTxn& txn, uint64_t object_id, std::string_view member, std::string_view value) {
  KeyBuffer key;
  EncodeKey(txn.storage(), object_id, member, &key);
  txn.PutRow(RowFamily::kData, key.view(), value);
}

void MemberRows::Delete(WriteTxn& txn, uint64_t object_id, std::string_view member) {
  KeyBuffer key;
  EncodeKey(txn.storage(), object_id, member, &key);
  txn.DeleteRow(RowFamily::kData, key.view());
}

Status MemberRows::ForEach(ReadView& view, uint64_t object_id, const Visitor& visit) {
  return ScanHashes(view, object_id, 0, kHashes,
                    [&](uint32_t, std::string_view member, std::string_view value) { return visit(member, value); });
}

Status MemberRows::Scan(ReadView& view, uint64_t object_id, uint64_t cursor, uint64_t count, const Visitor& visit,
                        uint64_t* next) {
  *next = 0;
  if (cursor >= kHashes) return Status::kOk;
  count = std::max<uint64_t>(count, 1);
  uint64_t visited = 0;
  uint32_t last = 0;
  return ScanHashes(view, object_id, cursor, kHashes,
                    [&](uint32_t hash, std::string_view member, std::string_view value) {
                      if (visited >= count && hash != last) {
                        *next = hash;
                        return false;
                      }
                      last = hash;
                      ++visited;
                      return visit(member, value);
                    });
}

Status MemberRows::Random(ReadView& view, uint64_t object_id, uint64_t total, Row* row) {
  if (total > kDrawEnumerateMax) {
    const auto collect = [&](uint64_t first, uint64_t last, uint64_t rows_max, std::vector<Row>* rows) {
      return Collect(view, object_id, first, last, rows_max, rows);
    };
    const bool few = total <= kCloseMembersMax;
    bool drawn = false;
    const Status status = DrawFromSpace(kHashes, total, few ? kCloseTries : kTries,
                                        few ? Crowded::kGiveUp : Crowded::kHalve, collect, row, &drawn);
    if (status != Status::kOk || drawn) return status;
    if (!few && view.tier() == ReadTier::kMemory) return Status::kIncomplete;
  }
  std::vector<Row> rows;
  const Status status = SampleInOnePass(view, object_id, total, 1, &rows);
  if (status != Status::kOk) return status;
  if (rows.empty()) return Status::kCorruption;  // the header says otherwise
  *row = std::move(rows[0]);
  return Status::kOk;
}

Status MemberRows::RandomDistinct(ReadView& view, uint64_t object_id, uint64_t total, uint64_t count,
                                  std::vector<Row>* rows) {
  if (total <= kDrawEnumerateMax || count > total / kDrawFraction) {
    const size_t first = rows->size();
    const Status status = SampleInOnePass(view, object_id, total, count, rows);
    std::shuffle(rows->begin() + static_cast<ptrdiff_t>(first), rows->end(), Random64());
    return status;
  }
  std::unordered_set<std::string> drawn;
  for (uint64_t i = 0; drawn.size() < count; ++i) {
    if (i > kDrawFraction * count) return Status::kCorruption;  // at most one in kDrawFraction was drawn before
    Row row;
    const Status status = Random(view, object_id, total, &row);
    if (status != Status::kOk) return status;
    if (drawn.insert(row.member).second) rows->push_back(std::move(row));
  }
  return Status::kOk;
}

}  // namespace basalt::storage
