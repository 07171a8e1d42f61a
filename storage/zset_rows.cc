#include "storage/zset_rows.h"

#include <algorithm>

#include "storage/member_rows.h"
#include "storage/random.h"
#include "storage/storage_impl.h"

namespace basalt::storage {
namespace {

// Neighbouring rows are deleted one by one up to here: a range tombstone costs every later read of its memtable.
constexpr size_t kPointDeletesMax = 100;
// An end that members are taken from one at a time (ZRANGE and ZREM) is looked for once in so many.
constexpr uint64_t kFenceEvery = 16;

// The smallest position that is greater than all that begin with `prefix`; empty: there is none.
std::string Behind(std::string_view prefix) {
  std::string behind(prefix);
  while (!behind.empty() && behind.back() == '\xff') behind.pop_back();
  if (!behind.empty()) ++behind.back();
  return behind;
}

void KeepGreater(std::string_view key, KeyBuffer* bound) {
  if (key > bound->view()) std::memcpy(bound->Resize(key.size()), key.data(), key.size());
}
void KeepLess(std::string_view key, KeyBuffer* bound) {
  if (key < bound->view()) std::memcpy(bound->Resize(key.size()), key.data(), key.size());
}

std::string_view PositionOf(const KeyBuffer& row_key) { return row_key.view().substr(kScoreKeyPrefixBytes); }
bool IsEnd(const KeyBuffer& row_key) {
  return row_key.view()[kScoreKeyPrefixBytes - 1] != static_cast<char>(ScoreTag::kMember);
}

// The smallest position with this score, or with the next one.
void ScoreBound(double score, bool next, std::string* position) {
  char bytes[kScoreBytes];
  PutBig64(bytes, OrderedScore(score == 0 ? 0.0 : score) + (next ? 1 : 0));
  position->assign(bytes, kScoreBytes);
}

}  // namespace

std::string_view EncodeRowScore(double score, char (&bytes)[kScoreBytes]) {
  PutBig64(bytes, OrderedScore(score));
  return {bytes, kScoreBytes};
}

bool DecodeRowScore(std::string_view value, double* score) {
  if (value.size() != kScoreBytes) return false;
  *score = ScoreOf(GetBig64(value.data()));
  return true;
}

// ---- the header ----

std::optional<ZsetRowsHeader> ZsetRowsHeader::Parse(const Record& record) {
  ZsetRowsHeader header;
  header.count = ElementCount(record);
  PackedReader reader(PayloadBehindCount(record));
  std::string_view ranked, floor, ceiling;
  if (!reader.ReadBytes(1, &ranked) || !reader.Read(&floor) || !reader.Read(&ceiling)) return std::nullopt;
  header.ranked = ranked[0] != 0;
  header.floor = floor;
  header.ceiling = ceiling;
  return header;
}

std::string ZsetRowsHeader::Payload() const {
  std::string payload;
  AppendRowsCount(count, &payload);
  payload.push_back(ranked ? 1 : 0);
  AppendPacked(floor, &payload);
  AppendPacked(ceiling, &payload);
  return payload;
}

// ---- reading ----

bool ZsetRows::Open(ReadView& view, const Record& record, std::optional<ZsetRows>* rows) {
  std::optional<ZsetRowsHeader> header = ZsetRowsHeader::Parse(record);
  if (!header) return false;
  rows->emplace(ZsetRows(view, record.header().object_id, std::move(*header)));
  return true;
}

RankIndex& ZsetRows::ranks() const { return view_->storage().impl().ranks; }

void ZsetRows::Whole(ScanOrder order, ZsetSpan* span) const {
  EncodeScoreKey(object_id_, ScoreTag::kMember, header_.floor, &span->lower);
  const std::string end = Behind(header_.ceiling);
  if (end.empty()) {
    EncodeScoreEnd(object_id_, ScoreTag::kMember, &span->upper);
  } else {
    EncodeScoreKey(object_id_, ScoreTag::kMember, end, &span->upper);
  }
  span->order = order;
}

Status ZsetRows::CountRows(std::string_view lower, std::string_view upper, uint64_t* count) const {
  *count = 0;
  if (lower >= upper) return Status::kOk;
  return ScanRows(*view_, RowFamily::kScore, lower, upper, [count](std::string_view, std::string_view) {
    ++*count;
    return true;
  });
}

Status ZsetRows::CountBefore(std::string_view position, uint64_t* count) const {
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeScoreKey(object_id_, ScoreTag::kMember, header_.floor, &lower);
  EncodeScoreKey(object_id_, ScoreTag::kMember, position, &upper);
  RankIndex::Place place;
  if (header_.ranked) {
    const Status status = ranks().Find(*view_, object_id_, header_.count, position, &place);
    if (status != Status::kOk) return status;
    KeyBuffer bucket;
    EncodeScoreKey(object_id_, ScoreTag::kMember, place.bound, &bucket);
    KeepGreater(bucket.view(), &lower);
  }
  const Status status = CountRows(lower.view(), upper.view(), count);
  *count += place.before;
  return status;
}

Status ZsetRows::EdgeScore(ScanOrder order, double* score) const {
  ZsetSpan span;
  Whole(order, &span);
  span.limit = 1;
  bool found = false;
  const Status status = Scan(span, [&](std::string_view, double at, std::string_view) {
    *score = at;
    found = true;
    return true;
  });
  return status == Status::kOk && !found ? Status::kCorruption : status;  // the header says otherwise
}

Status ZsetRows::LexBounds(const ZsetRange& range, ZsetSpan* span) const {
  using Kind = ZsetRange::LexKind;
  if (range.lex_min.kind == Kind::kMaximum || range.lex_max.kind == Kind::kMinimum) {
    span->limit = 0;
    return Status::kOk;
  }
  const auto key_of = [this](double score, const ZsetRange::LexBound& bound, bool behind, KeyBuffer* key) {
    KeyBuffer position;
    std::string member(bound.bytes);
    if (behind) member.push_back('\0');  // nothing is between a string and this one
    EncodePosition(score, member, &position);
    EncodeScoreKey(object_id_, ScoreTag::kMember, position.view(), key);
  };
  KeyBuffer key;
  double score = 0;
  if (range.lex_min.kind != Kind::kMinimum) {
    const Status status = EdgeScore(ScanOrder::kForward, &score);
    if (status != Status::kOk) return status;
    key_of(score, range.lex_min, range.lex_min.kind == Kind::kExclusive, &key);
    KeepGreater(key.view(), &span->lower);
  }
  if (range.lex_max.kind != Kind::kMaximum) {
    const Status status = EdgeScore(ScanOrder::kBackward, &score);
    if (status != Status::kOk) return status;
    key_of(score, range.lex_max, range.lex_max.kind == Kind::kInclusive, &key);
    KeepLess(key.view(), &span->upper);
  }
  return Status::kOk;
}

Status ZsetRows::Bounds(const ZsetRange& range, ZsetSpan* span) const {
  Whole(span->order, span);
  if (range.by == ZsetRange::By::kLex) return LexBounds(range, span);
  std::string position;
  KeyBuffer key;
  ScoreBound(range.min, range.min_open, &position);
  EncodeScoreKey(object_id_, ScoreTag::kMember, position, &key);
  KeepGreater(key.view(), &span->lower);
  ScoreBound(range.max, !range.max_open, &position);
  EncodeScoreKey(object_id_, ScoreTag::kMember, position, &key);
  KeepLess(key.view(), &span->upper);
  return Status::kOk;
}

Status ZsetRows::ResolveRanks(uint64_t first, uint64_t last, ScanOrder order, uint64_t limit, ZsetSpan* span) const {
  Whole(order, span);
  span->limit = limit;
  if (limit > kFastLaneZsetRowsMax && view_->tier() == ReadTier::kMemory) return Status::kIncomplete;
  const bool forward = order == ScanOrder::kForward;
  const uint64_t from_edge = forward ? first : header_.count - 1 - last;
  span->skip = from_edge;
  if (!header_.ranked || from_edge < kBucketMax) return Status::kOk;
  RankIndex::Place place;
  const Status status = ranks().FindRank(*view_, object_id_, header_.count, forward ? first : last, &place);
  if (status != Status::kOk) return status;
  KeyBuffer key;
  if (forward) {
    EncodeScoreKey(object_id_, ScoreTag::kMember, place.bound, &key);
    KeepGreater(key.view(), &span->lower);
    span->skip = first - place.before;
  } else {
    if (!place.next.empty()) {
      EncodeScoreKey(object_id_, ScoreTag::kMember, place.next, &key);
      KeepLess(key.view(), &span->upper);
    }
    span->skip = place.before + place.count - 1 - last;
  }
  return Status::kOk;
}

Status ZsetRows::Resolve(const ZsetRange& range, ScanOrder order, uint64_t offset, uint64_t limit,
                         ZsetSpan* span) const {
  span->order = order;
  uint64_t first = range.first, end = header_.count;
  if (range.by != ZsetRange::By::kRank) {
    const Status status = Bounds(range, span);
    if (status != Status::kOk) return status;
    if (!header_.ranked || offset <= kBucketMax || span->empty()) {
      span->skip = offset;
      span->limit = std::min(limit, span->limit);
      return Status::kOk;
    }
    const Status before = CountBefore(PositionOf(span->lower), &first);
    if (before != Status::kOk) return before;
    const Status behind = IsEnd(span->upper) ? Status::kOk : CountBefore(PositionOf(span->upper), &end);
    if (behind != Status::kOk) return behind;
  } else if (range.last < end) {
    end = range.last + 1;
  }
  if (first >= end || offset >= end - first || limit == 0) {
    span->limit = 0;
    return Status::kOk;
  }
  (order == ScanOrder::kForward ? first : end) += order == ScanOrder::kForward ? offset : -offset;
  return ResolveRanks(first, end - 1, order, std::min(limit, end - first), span);
}

Status ZsetRows::CountIn(const ZsetRange& range, uint64_t* count) const {
  *count = 0;
  if (range.by == ZsetRange::By::kRank) {
    const uint64_t end = range.last < header_.count ? range.last + 1 : header_.count;
    *count = range.first < end ? end - range.first : 0;
    return Status::kOk;
  }
  ZsetSpan span;
  Status status = Bounds(range, &span);
  if (status != Status::kOk || span.empty()) return status;
  if (!header_.ranked) return CountRows(span.lower.view(), span.upper.view(), count);
  uint64_t before = 0, end = header_.count;
  if (PositionOf(span.lower) > header_.floor) status = CountBefore(PositionOf(span.lower), &before);
  if (status != Status::kOk) return status;
  ZsetSpan whole;
  Whole(ScanOrder::kForward, &whole);
  if (span.upper.view() < whole.upper.view()) status = CountBefore(PositionOf(span.upper), &end);
  *count = end > before ? end - before : 0;
  return status;
}

// ---- changing ----

Status ZsetRowsChange::Open() {
  std::optional<ZsetRowsHeader> header = ZsetRowsHeader::Parse(*record_);
  if (!header) return Status::kCorruption;
  header_ = std::move(*header);
  object_id_ = record_->header().object_id;
  if (!header_.ranked) return Status::kOk;
  return txn_.storage().impl().ranks.Open(txn_, object_id_, header_.count, &tree_);
}

void ZsetRowsChange::PutPosition(std::string_view position, double score) {
  KeyBuffer key;
  EncodeScoreKey(object_id_, ScoreTag::kMember, position, &key);
  txn_.PutRow(RowFamily::kScore, key.view(), SignOf(score));
  if (!header_.floor.empty() && position < header_.floor) header_.floor = ZsetRowsHeader::Fence(position);
  if (!header_.ceiling.empty() && position.substr(0, header_.ceiling.size()) > header_.ceiling) {
    header_.ceiling = ZsetRowsHeader::Fence(position);
  }
}

void ZsetRowsChange::DeletePosition(std::string_view position) {
  KeyBuffer key;
  EncodeScoreKey(object_id_, ScoreTag::kMember, position, &key);
  txn_.DeleteRow(RowFamily::kScore, key.view());
  if (RandomBelow(kFenceEvery) != 0) return;
  look_for_start_ |= tree_ == nullptr || tree_->InFirst(position);
  look_for_end_ |= tree_ == nullptr || tree_->InLast(position);
}

Status ZsetRowsChange::Insert(std::string_view member, double score) {
  char bytes[kScoreBytes];
  MemberRows::Put(txn_, object_id_, member, EncodeRowScore(score, bytes));
  KeyBuffer position;
  EncodePosition(score, member, &position);
  PutPosition(position.view(), score);
  ++header_.count;
  return tree_ == nullptr ? Status::kOk : tree_->Added(txn_, position.view());
}

Status ZsetRowsChange::Update(std::string_view member, double from, double to) {
  char bytes[kScoreBytes];
  MemberRows::Put(txn_, object_id_, member, EncodeRowScore(to, bytes));
  KeyBuffer old_position;
  KeyBuffer position;
  EncodePosition(from, member, &old_position);
  EncodePosition(to, member, &position);
  DeletePosition(old_position.view());
  PutPosition(position.view(), to);
  return tree_ == nullptr ? Status::kOk : tree_->Moved(txn_, old_position.view(), position.view());
}

Status ZsetRowsChange::Erase(std::string_view member, double score) {
  MemberRows::Delete(txn_, object_id_, member);
  KeyBuffer position;
  EncodePosition(score, member, &position);
  DeletePosition(position.view());
  --header_.count;
  return tree_ == nullptr ? Status::kOk : tree_->Removed(txn_, position.view());
}

Status ZsetRowsChange::EraseRun(const std::vector<std::string>& positions, bool at_start, bool at_end) {
  KeyBuffer key;
  for (const std::string& position : positions) {
    MemberRows::Delete(txn_, object_id_, std::string_view(position).substr(kScoreBytes));
    if (positions.size() > kPointDeletesMax) continue;
    EncodeScoreKey(object_id_, ScoreTag::kMember, position, &key);
    txn_.DeleteRow(RowFamily::kScore, key.view());
  }
  if (positions.size() > kPointDeletesMax) {
    KeyBuffer end;
    EncodeScoreKey(object_id_, ScoreTag::kMember, positions.front(), &key);
    EncodeScoreKey(object_id_, ScoreTag::kMember, positions.back() + '\0', &end);
    txn_.DeleteRows(RowFamily::kScore, key.view(), end.view());
  }
  header_.count -= positions.size();
  if (at_start) header_.floor = ZsetRowsHeader::Fence(positions.back());
  if (at_end) header_.ceiling = ZsetRowsHeader::Fence(positions.front());
  return tree_ == nullptr ? Status::kOk : tree_->RemovedRun(txn_, positions);
}

Status ZsetRowsChange::RaiseFences() {
  const RecordPtr record = Record::Make(record_->header(), header_.Payload());
  std::optional<ZsetRows> rows;
  if (!ZsetRows::Open(txn_, *record, &rows)) return Status::kCorruption;
  for (const ScanOrder order : {ScanOrder::kForward, ScanOrder::kBackward}) {
    const bool start = order == ScanOrder::kForward;
    if (!(start ? look_for_start_ : look_for_end_)) continue;
    ZsetSpan span;
    rows->Whole(order, &span);
    span.limit = 1;
    const Status status = rows->Scan(span, [&](std::string_view position, double, std::string_view) {
      (start ? header_.floor : header_.ceiling) = ZsetRowsHeader::Fence(position);
      return true;
    });
    if (status != Status::kOk) return status;
  }
  return Status::kOk;
}

Status ZsetRowsChange::Finish(Encoding encoding) {
  if (header_.count == 0) {
    txn_.Erase(db_, key_);
    return Status::kOk;
  }
  if (look_for_start_ || look_for_end_) {
    const Status status = RaiseFences();
    if (status != Status::kOk) return status;
  }
  if (!header_.ranked && header_.count > kRankedMembersMin) {
    const Status status = RankIndex::Create(txn_, object_id_);
    if (status != Status::kOk) return status;
    header_.ranked = true;
  }
  const std::string payload = header_.Payload();
  RecordHeader header = record_->header();
  if (header.encoding == encoding && payload == record_->payload()) {
    txn_.Touch(db_, key_);
    return Status::kOk;
  }
  header.encoding = encoding;
  txn_.Put(db_, key_, Record::Make(header, payload));
  return Status::kOk;
}

}  // namespace basalt::storage
