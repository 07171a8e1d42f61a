#include "storage/zset_store.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "storage/collection.h"
#include "storage/member_rows.h"
#include "storage/random.h"
#include "storage/zset_packed.h"
#include "storage/zset_rows.h"
#include "storage/zset_writer.h"

namespace basalt::storage {
namespace {

// So many members are removed one by one, in one batch: up to the first number in any case, up to the second when they
// are fewer than those that stay. Otherwise those that stay are written anew.
constexpr uint64_t kPointRemovalsMax = 4000;
constexpr uint64_t kBatchRemovalsMax = 1'000'000;
constexpr uint64_t kFastLaneRemovalsMax = 500;
// … and so many are added to rows: each is a read and three or four writes.
constexpr uint64_t kFastLaneAddsMax = 128;

// ---- packed ----

// The members of a range in a packed sorted set: [first, end).
struct Slice {
  size_t first = 0, end = 0;
};

bool LexAtLeast(std::string_view member, const ZsetRange::LexBound& min) {
  switch (min.kind) {
    case ZsetRange::LexKind::kMinimum:
      return true;
    case ZsetRange::LexKind::kMaximum:
      return false;
    case ZsetRange::LexKind::kInclusive:
      return member >= min.bytes;
    case ZsetRange::LexKind::kExclusive:
      return member > min.bytes;
  }
  return false;
}

bool LexAtMost(std::string_view member, const ZsetRange::LexBound& max) {
  switch (max.kind) {
    case ZsetRange::LexKind::kMinimum:
      return false;
    case ZsetRange::LexKind::kMaximum:
      return true;
    case ZsetRange::LexKind::kInclusive:
      return member <= max.bytes;
    case ZsetRange::LexKind::kExclusive:
      return member < max.bytes;
  }
  return false;
}

Slice SliceOf(const PackedZset& packed, const ZsetRange& range) {
  if (range.by == ZsetRange::By::kRank) {
    const size_t end = range.last < packed.size() ? range.last + 1 : packed.size();
    return range.first < end ? Slice{range.first, end} : Slice{};
  }
  const bool by_score = range.by == ZsetRange::By::kScore;
  const auto at_least = [&](const ZsetEntry& entry) {
    if (!by_score) return LexAtLeast(entry.member, range.lex_min);
    return range.min_open ? entry.score > range.min : entry.score >= range.min;
  };
  const auto at_most = [&](const ZsetEntry& entry) {
    if (!by_score) return LexAtMost(entry.member, range.lex_max);
    return range.max_open ? entry.score < range.max : entry.score <= range.max;
  };
  Slice slice;
  if (packed.size() == 0 || !at_least(packed[packed.size() - 1]) || !at_most(packed[0])) return slice;
  while (slice.first < packed.size() && !at_least(packed[slice.first])) ++slice.first;
  slice.end = slice.first;
  while (slice.end < packed.size() && at_most(packed[slice.end])) ++slice.end;
  return slice;
}

void VisitSlice(const PackedZset& packed, Slice slice, ScanOrder order, uint64_t offset, uint64_t limit,
                const MemberVisitor& visit) {
  const uint64_t size = slice.end - slice.first;
  for (uint64_t i = offset; i < size && limit > 0; ++i, --limit) {
    const ZsetEntry& entry = packed[order == ScanOrder::kForward ? slice.first + i : slice.end - 1 - i];
    if (!visit(entry.score, entry.member)) return;
  }
}

// The record of a packed sorted set after a change; the key goes with the last member.
void PutPacked(WriteTxn& txn, DbIndex db, const HashedKey& key, const Record& old, const PackedZset& packed) {
  packed.size() == 0 ? txn.Erase(db, key) : txn.Put(db, key, packed.ToRecord(old.header()));
}

// ---- ZADD ----

enum class AddStep : uint8_t { kRefused, kSame, kAdd, kUpdate, kNan };

// What one item does; *score becomes what the member has afterwards.
AddStep StepOf(const ZsetStore::AddOptions& options, bool exists, double current, double* score) {
  if (!exists) return options.xx ? AddStep::kRefused : AddStep::kAdd;
  if (options.nx) return AddStep::kRefused;
  if (options.incr) *score += current;
  if (std::isnan(*score)) return AddStep::kNan;
  if ((options.lt && *score >= current) || (options.gt && *score <= current)) return AddStep::kRefused;
  return *score != current ? AddStep::kUpdate : AddStep::kSame;
}

void Note(AddStep step, double score, ZsetStore::AddOutcome* outcome) {
  outcome->added += step == AddStep::kAdd;
  outcome->updated += step == AddStep::kUpdate;
  outcome->nan |= step == AddStep::kNan;
  if (step == AddStep::kRefused || step == AddStep::kNan) return;
  outcome->processed = true;
  outcome->score = score;
}

// The record's encoding while members are added: it turns to kSkiplist by Redis' limits, and never back.
struct AddEncoding {
  Encoding now;
  const ZsetLimits& limits;

  // Before a member is added as the `count`-th.
  void Grow(uint64_t count, std::string_view member) {
    if (count > limits.listpack_entries_max || member.size() > limits.listpack_value_max) now = Encoding::kSkiplist;
  }
};

// Scores as the encoding keeps them: a listpack has whole numbers as integers, and those have no -0.
double Kept(double score, Encoding encoding) { return encoding == Encoding::kListpack && score == 0 ? 0 : score; }

// One command on one sorted set that is there, or (record null) is not yet.
struct AddCommand {
  WriteTxn& txn;
  DbIndex db;
  const HashedKey& key;
  std::span<const ZsetStore::AddItem> items;
  const ZsetStore::AddOptions& options;
  RecordHeader header;
  RecordPtr record;
  AddEncoding encoding;
  ZsetStore::AddOutcome* outcome;

  bool changed() const { return outcome->added + outcome->updated != 0; }

  // REQUIRES: with every item added it would still be packed.
  Status ToPacked(PackedZset* packed) {
    for (const ZsetStore::AddItem& item : items) {
      const size_t at = packed->Find(item.member);
      const bool exists = at < packed->size();
      double score = item.score;
      const AddStep step = StepOf(options, exists, exists ? (*packed)[at].score : 0, &score);
      Note(step, score, outcome);
      if (step == AddStep::kAdd) encoding.Grow(packed->size() + 1, item.member);
      if (step != AddStep::kAdd && step != AddStep::kUpdate) continue;
      const std::string_view member = exists ? (*packed)[at].member : item.member;
      if (exists) packed->Erase(at);
      packed->Insert({Kept(score, encoding.now), member});
    }
    if (!changed()) return Status::kOk;
    header.encoding = encoding.now;
    txn.Put(db, key, packed->ToRecord(header));
    return Status::kOk;
  }

  Status ToMembers(const PackedZset& packed) {
    std::vector<ZsetEntry> entries(packed.begin(), packed.end());
    std::unordered_map<std::string_view, size_t> places;
    places.reserve(entries.size() + items.size());
    for (size_t i = 0; i < entries.size(); ++i) places.emplace(entries[i].member, i);
    for (const ZsetStore::AddItem& item : items) {
      const auto [place, added] = places.try_emplace(item.member, entries.size());
      double score = item.score;
      const AddStep step = StepOf(options, !added, added ? 0 : entries[place->second].score, &score);
      Note(step, score, outcome);
      if (step == AddStep::kAdd) {
        entries.push_back({score, item.member});
        encoding.Grow(entries.size(), item.member);
      } else if (added) {
        places.erase(place);
      } else if (step == AddStep::kUpdate) {
        entries[place->second].score = score;
      }
    }
    if (!changed()) return Status::kOk;
    header.encoding = encoding.now;
    return ZsetWriter::Write(txn, db, key, header, entries);
  }

  Status ToRows() {
    if (items.size() > kFastLaneAddsMax && txn.tier() == ReadTier::kMemory) return Status::kIncomplete;
    ZsetRowsChange rows(txn, db, key, record);
    Status status = Status::kOk;
    bool open = false;
    std::string value;
    for (const ZsetStore::AddItem& item : items) {
      status = MemberRows::Get(txn, record->header().object_id, item.member, &value);
      if (status != Status::kOk && status != Status::kNotFound) return status;
      const bool exists = status == Status::kOk;
      double current = 0, score = item.score;
      if (exists && !DecodeRowScore(value, &current)) return Status::kCorruption;
      const AddStep step = StepOf(options, exists, current, &score);
      Note(step, score, outcome);
      if (step != AddStep::kAdd && step != AddStep::kUpdate) continue;
      if (!open) {
        status = rows.Open();
        if (status != Status::kOk) return status;
        open = true;
      }
      if (step == AddStep::kAdd) encoding.Grow(rows.count() + 1, item.member);
      score = Kept(score, encoding.now);
      status = exists ? rows.Update(item.member, current, score) : rows.Insert(item.member, score);
      if (status != Status::kOk) return status;
    }
    return open ? rows.Finish(encoding.now) : Status::kOk;
  }
};

// ---- removal ----

Status FindForWrite(WriteTxn& txn, DbIndex db, const HashedKey& key, RecordPtr* record) {
  const Status status = txn.GetRecord(db, key, record);
  if (status != Status::kOk) return status;
  return (*record)->type() == ValueType::kZset ? Status::kOk : Status::kWrongType;
}

// Removal of a range from a sorted set with rows.
struct RowsRemoval {
  WriteTxn& txn;
  DbIndex db;
  const HashedKey& key;
  const RecordPtr& record;
  const ZsetRows& rows;
  const ZsetRange& range;
  ScanOrder order;
  const MemberVisitor* visit;
  uint64_t* removed;

  // Visits all of them; *first and *last: the positions at both ends.
  Status VisitAll(std::vector<std::string>* positions, std::string* first, std::string* last) {
    ZsetSpan span;
    Status status = rows.Resolve(range, order, 0, UINT64_MAX, &span);
    if (status != Status::kOk) return status;
    bool any = false;
    status = rows.Scan(span, [&](std::string_view position, double score, std::string_view member) {
      if (positions != nullptr) positions->emplace_back(position);
      if (!any) *first = position;
      any = true;
      *last = position;
      if (visit != nullptr) (*visit)(score, member);
      return true;
    });
    if (order == ScanOrder::kBackward) {
      std::swap(*first, *last);
      if (positions != nullptr) std::reverse(positions->begin(), positions->end());
    }
    return status;
  }

  // The command is done.
  Status Everything() {
    std::string first, last;
    const Status status = visit == nullptr ? Status::kOk : VisitAll(nullptr, &first, &last);
    if (status == Status::kOk) txn.Erase(db, key);
    return status;
  }

  Status OneByOne(uint64_t count) {
    std::vector<std::string> positions;
    positions.reserve(count);
    std::string first, last;
    Status status = VisitAll(&positions, &first, &last);
    if (status != Status::kOk || positions.empty()) return status;
    bool at_start = false, at_end = false;
    status = Edges(first, last, &at_start, &at_end);
    if (status != Status::kOk) return status;
    ZsetRowsChange change(txn, db, key, record);
    status = change.Open();
    if (status == Status::kOk) status = change.EraseRun(positions, at_start, at_end);
    return status == Status::kOk ? change.Finish(record->header().encoding) : status;
  }

  // Whether nothing is before `first`, or behind `last`.
  Status Edges(const std::string& first, const std::string& last, bool* at_start, bool* at_end) {
    if (range.by == ZsetRange::By::kRank) {
      *at_start = range.first == 0;
      *at_end = range.last >= rows.header().count - 1;
      return Status::kOk;
    }
    for (const ScanOrder edge : {ScanOrder::kForward, ScanOrder::kBackward}) {
      ZsetSpan span;
      rows.Whole(edge, &span);
      span.limit = 1;
      const Status status = rows.Scan(span, [&](std::string_view position, double, std::string_view) {
        if (edge == ScanOrder::kForward) *at_start = position == first;
        if (edge == ScanOrder::kBackward) *at_end = position == last;
        return false;
      });
      if (status != Status::kOk) return status;
    }
    return Status::kOk;
  }

  // Those that stay become a new object; the old one is garbage.
  Status KeepTheRest(uint64_t count) {
    std::string first, last;
    Status status = VisitAll(nullptr, &first, &last);
    if (status != Status::kOk) return status;
    ZsetWriter writer(txn, rows.header().count - count);
    Status written = Status::kOk;
    const auto keep = [&](std::string_view position, double score, std::string_view member) {
      if (position >= first && position <= last) return true;
      written = writer.Add(score, member);
      return written == Status::kOk;
    };
    ZsetSpan before;
    ZsetSpan behind;
    rows.Whole(ScanOrder::kForward, &before);
    rows.Whole(ScanOrder::kForward, &behind);
    EncodeScoreKey(rows.object_id(), ScoreTag::kMember, first, &before.upper);
    EncodeScoreKey(rows.object_id(), ScoreTag::kMember, last, &behind.lower);
    for (const ZsetSpan* span : {&before, &behind}) {
      if (status == Status::kOk) status = rows.Scan(*span, keep);
      if (status == Status::kOk) status = written;
    }
    return status == Status::kOk ? writer.Finish(db, key, record->header().encoding, record->expire_ms()) : status;
  }

  Status Run() {
    Status status = rows.CountIn(range, removed);
    const uint64_t count = *removed;
    if (status != Status::kOk || count == 0) return status;
    if (count > kFastLaneRemovalsMax && txn.tier() == ReadTier::kMemory) return Status::kIncomplete;
    const uint64_t stay = rows.header().count - count;
    if (stay == 0) return Everything();
    if (count <= kPointRemovalsMax || (count < stay && count <= kBatchRemovalsMax)) return OneByOne(count);
    return KeepTheRest(count);
  }
};

}  // namespace

// ---- reading ----

Status ZsetStore::Find(ReadView& view, DbIndex db, const HashedKey& key, RecordPtr* record) {
  return FindCollection(view, db, key, ValueType::kZset, record);
}

uint64_t ZsetStore::Count(const Record& record) { return ElementCount(record); }

Status ZsetStore::Score(ReadView& view, const Record& record, std::string_view member, double* score) {
  if (IsPacked(record)) {
    PackedReader reader(PayloadBehindCount(record));
    std::string_view bytes, each;
    while (reader.ReadBytes(kScoreBytes, &bytes) && reader.Read(&each)) {
      if (each != member) continue;
      *score = ScoreOf(GetBig64(bytes.data()));
      return Status::kOk;
    }
    return reader.done() ? Status::kNotFound : Status::kCorruption;
  }
  std::string value;
  const Status status = MemberRows::Get(view, record.header().object_id, member, &value);
  if (status != Status::kOk) return status;
  return DecodeRowScore(value, score) ? Status::kOk : Status::kCorruption;
}

Status ZsetStore::Rank(ReadView& view, const Record& record, std::string_view member, uint64_t* rank, double* score) {
  if (IsPacked(record)) {
    PackedZset packed;
    if (!packed.Parse(record)) return Status::kCorruption;
    const size_t at = packed.Find(member);
    if (at == packed.size()) return Status::kNotFound;
    *rank = at;
    *score = packed[at].score;
    return Status::kOk;
  }
  std::optional<ZsetRows> rows;
  if (!ZsetRows::Open(view, record, &rows)) return Status::kCorruption;
  const Status status = Score(view, record, member, score);
  if (status != Status::kOk) return status;
  KeyBuffer position;
  EncodePosition(*score, member, &position);
  return rows->CountBefore(position.view(), rank);
}

Status ZsetStore::CountIn(ReadView& view, const Record& record, const ZsetRange& range, uint64_t* count) {
  if (IsPacked(record)) {
    PackedZset packed;
    if (!packed.Parse(record)) return Status::kCorruption;
    const Slice slice = SliceOf(packed, range);
    *count = slice.end - slice.first;
    return Status::kOk;
  }
  std::optional<ZsetRows> rows;
  if (!ZsetRows::Open(view, record, &rows)) return Status::kCorruption;
  return rows->CountIn(range, count);
}

Status ZsetStore::Visit(ReadView& view, const Record& record, const ZsetRange& range, ScanOrder order, uint64_t offset,
                        uint64_t limit, MemberVisitor visit) {
  if (IsPacked(record)) {
    PackedZset packed;
    if (!packed.Parse(record)) return Status::kCorruption;
    VisitSlice(packed, SliceOf(packed, range), order, offset, limit, visit);
    return Status::kOk;
  }
  std::optional<ZsetRows> rows;
  if (!ZsetRows::Open(view, record, &rows)) return Status::kCorruption;
  ZsetSpan span;
  const Status status = rows->Resolve(range, order, offset, limit, &span);
  if (status != Status::kOk) return status;
  return rows->Scan(span,
                    [&visit](std::string_view, double score, std::string_view member) { return visit(score, member); });
}

Status ZsetStore::ForEach(ReadView& view, const Record& record, MemberVisitor visit) {
  uint64_t next = 0;
  return Scan(view, record, 0, UINT64_MAX, visit, &next);
}

Status ZsetStore::Scan(ReadView& view, const Record& record, uint64_t cursor, uint64_t count, MemberVisitor visit,
                       uint64_t* next) {
  *next = 0;
  if (IsPacked(record)) {
    PackedZset packed;
    if (!packed.Parse(record)) return Status::kCorruption;
    VisitSlice(packed, {0, packed.size()}, ScanOrder::kForward, 0, UINT64_MAX, visit);
    return Status::kOk;
  }
  if (std::min(count, ElementCount(record)) > kFastLaneZsetRowsMax && view.tier() == ReadTier::kMemory) {
    return Status::kIncomplete;
  }
  bool damaged = false;
  const auto on_row = [&](std::string_view member, std::string_view value) {
    double score = 0;
    damaged = !DecodeRowScore(value, &score);
    return !damaged && visit(score, member);
  };
  const Status status = MemberRows::Scan(view, record.header().object_id, cursor, count, std::ref(on_row), next);
  return damaged ? Status::kCorruption : status;
}

Status ZsetStore::Random(ReadView& view, const Record& record, ScoredMember* member) {
  if (IsPacked(record)) {
    PackedZset packed;
    if (!packed.Parse(record) || packed.size() == 0) return Status::kCorruption;
    const ZsetEntry& entry = packed[RandomBelow(packed.size())];
    *member = {entry.score, std::string(entry.member)};
    return Status::kOk;
  }
  MemberRows::Row row;
  const Status status = MemberRows::Random(view, record.header().object_id, ElementCount(record), &row);
  if (status != Status::kOk) return status;
  member->member = std::move(row.member);
  return DecodeRowScore(row.value, &member->score) ? Status::kOk : Status::kCorruption;
}

Status ZsetStore::RandomDistinct(ReadView& view, const Record& record, uint64_t count,
                                 std::vector<ScoredMember>* members) {
  if (IsPacked(record)) {
    PackedZset packed;
    if (!packed.Parse(record)) return Status::kCorruption;
    std::vector<ZsetEntry> entries(packed.begin(), packed.end());
    std::shuffle(entries.begin(), entries.end(), Random64());
    for (size_t i = 0; i < std::min<uint64_t>(count, entries.size()); ++i) {
      members->push_back({entries[i].score, std::string(entries[i].member)});
    }
    return Status::kOk;
  }
  const uint64_t total = ElementCount(record);
  std::vector<MemberRows::Row> rows;
  const Status status =
      MemberRows::RandomDistinct(view, record.header().object_id, total, std::min(count, total), &rows);
  if (status != Status::kOk) return status;
  for (MemberRows::Row& row : rows) {
    ScoredMember& member = members->emplace_back();
    member.member = std::move(row.member);
    if (!DecodeRowScore(row.value, &member.score)) return Status::kCorruption;
  }
  return Status::kOk;
}

// ---- writing ----

Status ZsetStore::Add(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const AddItem> items,
                      const AddOptions& options, const ZsetLimits& limits, AddOutcome* outcome) {
  *outcome = {};
  RecordPtr record;
  const Status found = FindForWrite(txn, db, key, &record);
  if (found != Status::kOk && found != Status::kNotFound) return found;
  if (found == Status::kNotFound && options.xx) return Status::kOk;

  RecordHeader header{.type = ValueType::kZset, .encoding = Encoding::kListpack};
  if (record != nullptr) header = record->header();
  AddEncoding encoding{header.encoding, limits};
  encoding.Grow(items.size(), record == nullptr ? items.front().member : std::string_view());
  AddCommand command{txn, db, key, items, options, header, record, encoding, outcome};
  if (record != nullptr && !IsPacked(*record)) return command.ToRows();

  PackedZset packed;
  if (record != nullptr && !packed.Parse(*record)) return Status::kCorruption;
  size_t bytes = 1 + packed.PayloadBytes();  // the count may take a byte more
  for (const AddItem& item : items) bytes += ZsetEntry{item.score, item.member}.packed_bytes();
  return bytes <= kPackedBytesMax ? command.ToPacked(&packed) : command.ToMembers(packed);
}

Status ZsetStore::Remove(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> members,
                         uint64_t* removed) {
  *removed = 0;
  RecordPtr record;
  Status status = FindForWrite(txn, db, key, &record);
  if (status != Status::kOk) return status;
  if (IsPacked(*record)) {
    PackedZset packed;
    if (!packed.Parse(*record)) return Status::kCorruption;
    for (const std::string_view member : members) {
      const size_t at = packed.Find(member);
      if (at == packed.size()) continue;
      packed.Erase(at);
      ++*removed;
    }
    if (*removed != 0) PutPacked(txn, db, key, *record, packed);
    return Status::kOk;
  }
  ZsetRowsChange rows(txn, db, key, record);
  std::string value;
  for (const std::string_view member : members) {
    status = MemberRows::Get(txn, record->header().object_id, member, &value);
    if (status == Status::kNotFound) continue;
    double score = 0;
    if (status == Status::kOk && !DecodeRowScore(value, &score)) status = Status::kCorruption;
    if (status == Status::kOk && *removed == 0) status = rows.Open();
    if (status == Status::kOk) status = rows.Erase(member, score);
    if (status != Status::kOk) return status;
    ++*removed;
  }
  return *removed != 0 ? rows.Finish(record->header().encoding) : Status::kOk;
}

Status ZsetStore::RemoveRange(WriteTxn& txn, DbIndex db, const HashedKey& key, const ZsetRange& range, ScanOrder order,
                              const MemberVisitor* visit, uint64_t* removed) {
  *removed = 0;
  RecordPtr record;
  const Status status = FindForWrite(txn, db, key, &record);
  if (status != Status::kOk) return status;
  if (IsPacked(*record)) {
    PackedZset packed;
    if (!packed.Parse(*record)) return Status::kCorruption;
    const Slice slice = SliceOf(packed, range);
    *removed = slice.end - slice.first;
    if (*removed == 0) return Status::kOk;
    if (visit != nullptr) VisitSlice(packed, slice, order, 0, UINT64_MAX, *visit);
    packed.Erase(slice.first, *removed);
    PutPacked(txn, db, key, *record, packed);
    return Status::kOk;
  }
  std::optional<ZsetRows> rows;
  if (!ZsetRows::Open(txn, *record, &rows)) return Status::kCorruption;
  return RowsRemoval{txn, db, key, record, *rows, range, order, visit, removed}.Run();
}

}  // namespace basalt::storage
