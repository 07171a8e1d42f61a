#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/rank_index.h"
#include "storage/zset_packed.h"
#include "storage/zset_store.h"

namespace basalt::storage {

// Sorted sets that have rows: what ZsetStore does with those. Pool thread, on the caller's stack.

// The payload of such a record: [count:8][ranked:1][floor: packed][ceiling: packed]. No position is less than the
// floor, and none greater than all that begin with the ceiling: so what was popped from an end is not walked over again
// (DESIGN §4, floors against tombstones). Empty: not known. Both are cut off after kFenceBytesMax.
struct ZsetRowsHeader {
  static constexpr size_t kFenceBytesMax = 40;

  uint64_t count = 0;
  bool ranked = false;
  std::string floor, ceiling;

  static std::optional<ZsetRowsHeader> Parse(const Record& record);
  std::string Payload() const;
  static std::string_view Fence(std::string_view position) { return position.substr(0, kFenceBytesMax); }
};

// Rows in which the members of a range are found: those in [lower, upper), in an order, without the first `skip`, at
// most `limit`.
struct ZsetSpan {
  KeyBuffer lower, upper;
  ScanOrder order = ScanOrder::kForward;
  uint64_t skip = 0;
  uint64_t limit = UINT64_MAX;
  bool empty() const { return limit == 0 || lower.view() >= upper.view(); }
};

class ZsetRows {
 public:
  // False: the record is damaged.
  static bool Open(ReadView& view, const Record& record, std::optional<ZsetRows>* rows);

  const ZsetRowsHeader& header() const { return header_; }
  uint64_t object_id() const { return object_id_; }

  // Where the members of a range are, without the first `offset` in the order, at most `limit`.
  Status Resolve(const ZsetRange& range, ScanOrder order, uint64_t offset, uint64_t limit, ZsetSpan* span) const;
  Status CountIn(const ZsetRange& range, uint64_t* count) const;
  // Members before a position.
  Status CountBefore(std::string_view position, uint64_t* count) const;
  // `visit(position, score, member)` returns false to stop. In the fast lane at most rows_max rows are looked at, then
  // it is kIncomplete.
  template <typename Visit>
  Status Scan(const ZsetSpan& span, Visit&& visit) const;
  // All rows, from floor to ceiling.
  void Whole(ScanOrder order, ZsetSpan* span) const;

 private:
  ZsetRows(ReadView& view, uint64_t object_id, ZsetRowsHeader header)
      : view_(&view), object_id_(object_id), header_(std::move(header)) {}

  Status Bounds(const ZsetRange& range, ZsetSpan* span) const;
  Status LexBounds(const ZsetRange& range, ZsetSpan* span) const;
  Status EdgeScore(ScanOrder order, double* score) const;
  Status ResolveRanks(uint64_t first, uint64_t last, ScanOrder order, uint64_t limit, ZsetSpan* span) const;
  Status CountRows(std::string_view lower, std::string_view upper, uint64_t* count) const;
  RankIndex& ranks() const;

  ReadView* view_;
  uint64_t object_id_;
  ZsetRowsHeader header_;
};

// What the fast lane looks at in one command.
inline constexpr uint64_t kFastLaneZsetRowsMax = 1100;
inline constexpr uint64_t kFastLaneZsetBytesMax = 256 * 1024;

// The data row's value, and the `score` row's.
std::string_view EncodeRowScore(double score, char (&bytes)[kScoreBytes]);
bool DecodeRowScore(std::string_view value, double* score);
inline std::string_view SignOf(double score) { return score == 0 && std::signbit(score) ? "-" : std::string_view(); }

template <typename Visit>
Status ZsetRows::Scan(const ZsetSpan& span, Visit&& visit) const {
  if (span.empty()) return Status::kOk;
  const bool fast = view_->tier() == ReadTier::kMemory;
  uint64_t looked_at = 0, bytes = 0;
  bool damaged = false, too_much = false;
  const auto on_row = [&](std::string_view key, std::string_view value) {
    if (looked_at++ < span.skip) return true;
    const std::optional<Position> at = ParsePosition(key.substr(kScoreKeyPrefixBytes));
    damaged = !at;
    bytes += key.size();
    too_much = fast && (looked_at > kFastLaneZsetRowsMax || bytes > kFastLaneZsetBytesMax);
    if (damaged || too_much) return false;
    const double score = value.empty() ? at->score : -0.0;
    return visit(key.substr(kScoreKeyPrefixBytes), score, at->member) && looked_at - span.skip < span.limit;
  };
  const Status status = ScanRows(*view_, RowFamily::kScore, span.lower.view(), span.upper.view(), span.order, on_row);
  if (status != Status::kOk) return status;
  return damaged ? Status::kCorruption : too_much ? Status::kIncomplete : Status::kOk;
}

// A sorted set with rows while one command changes it: rows, buckets, header.
class ZsetRowsChange {
 public:
  // `record`: what GetRecord of this group said.
  ZsetRowsChange(WriteTxn& txn, DbIndex db, const HashedKey& key, RecordPtr record)
      : txn_(txn), db_(db), key_(key), record_(std::move(record)) {}

  // Reads what is needed; before anything is changed.
  Status Open();
  uint64_t count() const { return header_.count; }

  // REQUIRES: there is no such member.
  Status Insert(std::string_view member, double score);
  Status Update(std::string_view member, double from, double to);
  Status Erase(std::string_view member, double score);
  // The members at these positions, ascending; neighbours of each other. `at_start`, `at_end`: nothing is before,
  // behind them.
  Status EraseRun(const std::vector<std::string>& positions, bool at_start, bool at_end);

  // The record under `encoding`; the key goes when it is empty.
  Status Finish(Encoding encoding);

 private:
  void PutPosition(std::string_view position, double score);
  void DeletePosition(std::string_view position);
  Status RaiseFences();

  WriteTxn& txn_;
  const DbIndex db_;
  const HashedKey key_;
  const RecordPtr record_;
  uint64_t object_id_ = 0;
  ZsetRowsHeader header_;
  std::shared_ptr<RankTree> tree_;  // when ranked
  bool look_for_start_ = false, look_for_end_ = false;
};

}  // namespace basalt::storage
