#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "storage/read_view.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// Sorted sets: members, each once, in the order of their scores and then of their bytes. -0 and 0 are one score to the
// order; each comes back as it was given (but for encoding kListpack, where Redis keeps whole numbers as integers).
//
// Small ones are packed in the record in that order. Larger ones are two rows each: member -> score in `data`
// (MemberRows), position -> nothing in `score`; above kRankedMembersMin members with rank buckets besides
// (storage/rank_index.h), so that ranks and counts never walk the set. FORMAT.md draws them all.
//
// In the fast lane (ReadTier::kMemory) every verb answers kIncomplete rather than look at more than about a thousand
// rows. A ReadView may be answered kNeedLocks by verbs that ask for ranks.

struct ScoredMember {
  double score = 0;
  std::string member;
};

// Redis' zset-max-listpack-entries and -value: what OBJECT ENCODING follows.
struct ZsetLimits {
  uint64_t listpack_entries_max = 128;
  uint64_t listpack_value_max = 64;
};

// Members from one bound to another.
struct ZsetRange {
  enum class By : uint8_t { kRank, kScore, kLex };
  enum class LexKind : uint8_t { kMinimum /* "-" */, kMaximum /* "+" */, kInclusive, kExclusive };
  struct LexBound {
    LexKind kind = LexKind::kMinimum;
    std::string_view bytes;
  };

  By by = By::kRank;
  uint64_t first = 0, last = UINT64_MAX;  // kRank: both inclusive; may be beyond the end, and first > last
  double min = 0, max = 0;                // kScore: not NaN
  bool min_open = false, max_open = false;
  LexBound lex_min, lex_max;  // kLex: of members that all have the same score; otherwise unspecified, as in Redis

  static ZsetRange Ranks(uint64_t first, uint64_t last) { return {.by = By::kRank, .first = first, .last = last}; }
  static ZsetRange Scores(double min, double max) { return {.by = By::kScore, .min = min, .max = max}; }
};

// Calls `bool(double score, std::string_view member)`, which returns false to stop. Refers to a callable that outlives
// it: for parameters only. May read through its view, but not write.
class MemberVisitor {
 public:
  template <typename Visit, typename = std::enable_if_t<!std::is_same_v<std::remove_cvref_t<Visit>, MemberVisitor>>>
  MemberVisitor(Visit&& visit)  // NOLINT: a lambda is a visitor
      : context_(const_cast<void*>(static_cast<const void*>(&visit))),
        call_([](void* context, double score, std::string_view member) -> bool {
          return (*static_cast<std::remove_reference_t<Visit>*>(context))(score, member);
        }) {}
  bool operator()(double score, std::string_view member) const { return call_(context_, score, member); }

 private:
  void* context_;
  bool (*call_)(void*, double, std::string_view);
};

class ZsetStore {
 public:
  // ---- reading. `record`: of Find through the same view ----
  // kNotFound, kWrongType, …
  static Status Find(ReadView& view, DbIndex db, const HashedKey& key, RecordPtr* record);
  static uint64_t Count(const Record& record);
  // kNotFound: no such member.
  static Status Score(ReadView& view, const Record& record, std::string_view member, double* score);
  // How many members stand before it.
  static Status Rank(ReadView& view, const Record& record, std::string_view member, uint64_t* rank, double* score);
  static Status CountIn(ReadView& view, const Record& record, const ZsetRange& range, uint64_t* count);
  // Members of the range in order, backward from its end; the first `offset` of them are passed over, at most `limit`
  // visited.
  static Status Visit(ReadView& view, const Record& record, const ZsetRange& range, ScanOrder order, uint64_t offset,
                      uint64_t limit, MemberVisitor visit);
  // All members, in no order that means anything.
  static Status ForEach(ReadView& view, const Record& record, MemberVisitor visit);
  // ZSCAN: in the order of a hash, from `cursor` on until about `count` were visited. Packed ones at once. *next: 0 at
  // the end.
  static Status Scan(ReadView& view, const Record& record, uint64_t cursor, uint64_t count, MemberVisitor visit,
                     uint64_t* next);
  // One member, each with the same chance; `count` different ones (at most all), every subset with the same chance.
  static Status Random(ReadView& view, const Record& record, ScoredMember* member);
  static Status RandomDistinct(ReadView& view, const Record& record, uint64_t count,
                               std::vector<ScoredMember>* members);

  // ---- writing. REQUIRES: the key is locked ----
  struct AddOptions {
    bool nx = false, xx = false;  // only new members; only those that there are
    bool gt = false, lt = false;  // scores that there are only grow; only become less
    bool incr = false;            // add to the score
  };
  struct AddItem {
    double score = 0;  // not NaN
    std::string_view member;
  };
  struct AddOutcome {
    uint64_t added = 0, updated = 0;
    bool processed = false;  // some item was not refused by an option
    double score = 0;        // of the last item that was processed
    bool nan = false;        // the increment came to NaN: nothing was changed
  };
  // kWrongType. `items`: not empty; with `incr`, one.
  static Status Add(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const AddItem> items,
                    const AddOptions& options, const ZsetLimits& limits, AddOutcome* outcome);
  // kWrongType, kNotFound (no such key). The key goes with its last member; so below.
  static Status Remove(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> members,
                       uint64_t* removed);
  // Removes the members of a range; `visit`, unless null, gets each of them in `order`. kWrongType, kNotFound (no such
  // key).
  static Status RemoveRange(WriteTxn& txn, DbIndex db, const HashedKey& key, const ZsetRange& range, ScanOrder order,
                            const MemberVisitor* visit, uint64_t* removed);
  // To write a whole one (RESTORE, STORE results) there is storage/zset_writer.h.

  // The encoding of one that is made as a whole (ZUNIONSTORE and its relatives, RESTORE).
  static Encoding EncodingOf(uint64_t members, size_t longest_member_bytes, const ZsetLimits& limits) {
    return members <= limits.listpack_entries_max && longest_member_bytes <= limits.listpack_value_max
               ? Encoding::kListpack
               : Encoding::kSkiplist;
  }
};

}  // namespace basalt::storage
