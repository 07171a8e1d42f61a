#include "storage/zset_writer.h"

#include <algorithm>

#include "storage/member_rows.h"
#include "storage/rank_index.h"
#include "storage/zset_rows.h"

namespace basalt::storage {
namespace {

// What one member takes in both families beside its name, twice.
constexpr uint64_t kRowOverheadBytes = kMemberKeyPrefixBytes + kScoreBytes + kScoreKeyPrefixBytes + kScoreBytes;
// As many members as the rows of a batch that is not too large, and as many bytes.
constexpr uint64_t kKeptMembersMax = NewObject::kLargeRows / 2;
constexpr uint64_t kKeptBytesMax = NewObject::kLargeBytes / 2;

// Scores as the encoding keeps them: a listpack has whole numbers as integers, and those have no -0.
double Kept(double score, Encoding encoding) { return encoding == Encoding::kListpack && score == 0 ? 0 : score; }

}  // namespace

// The rows of a new object, in any order.
class ZsetWriter::Rows {
 public:
  Rows(WriteTxn& txn, uint64_t members_max, uint64_t bytes_max)
      : txn_(txn),
        object_(txn, RowFamilyBit(RowFamily::kData) | RowFamilyBit(RowFamily::kScore),
                2 * members_max + members_max / kBucketFill + 1, 2 * bytes_max + members_max * kRowOverheadBytes) {}

  Status Begin() { return object_.Begin(); }

  Status Add(double score, std::string_view member) {
    KeyBuffer key;
    char bytes[kScoreBytes];
    MemberRows::EncodeKey(txn_.storage(), object_.id(), member, &key);
    const Status status = object_.Put(RowFamily::kData, key.view(), EncodeRowScore(score, bytes));
    if (status != Status::kOk) return status;
    KeyBuffer position;
    EncodePosition(score, member, &position);
    EncodeScoreKey(object_.id(), ScoreTag::kMember, position.view(), &key);
    return object_.Put(RowFamily::kScore, key.view(), SignOf(score));
  }

  Status End(DbIndex db, const HashedKey& key, RecordHeader header, uint64_t count) {
    Status status = object_.End();
    ZsetRowsHeader payload;
    payload.count = count;
    payload.ranked = count > kRankedMembersMin;
    if (status == Status::kOk && payload.ranked) status = RankIndex::Create(txn_, object_.id());
    header.object_id = object_.id();
    if (status == Status::kOk) txn_.Put(db, key, Record::Make(header, payload.Payload()));
    return status;
  }

 private:
  WriteTxn& txn_;
  NewObject object_;
};

ZsetWriter::ZsetWriter(WriteTxn& txn, uint64_t members_max) : txn_(txn), members_max_(members_max) {}

ZsetWriter::~ZsetWriter() = default;

Status ZsetWriter::Add(double score, std::string_view member) {
  ++count_;
  longest_ = std::max(longest_, member.size());
  if (rows_ != nullptr) return rows_->Add(score, member);
  kept_.push_back({score, std::string(member)});
  bytes_ += member.size();
  return kept_.size() > kKeptMembersMax || bytes_ > kKeptBytesMax ? Spill() : Status::kOk;
}

Status ZsetWriter::Spill() {
  // It is large, whatever else comes: the bytes say so to NewObject.
  rows_ = std::make_unique<Rows>(txn_, std::max(members_max_, count_), NewObject::kLargeBytes);
  Status status = rows_->Begin();
  for (const ScoredMember& each : kept_) {
    if (status == Status::kOk) status = rows_->Add(each.score, each.member);
  }
  kept_ = {};
  return status;
}

Status ZsetWriter::Finish(DbIndex db, const HashedKey& key, Encoding encoding, int64_t expire_ms) {
  const RecordHeader header{.type = ValueType::kZset, .encoding = encoding, .expire_ms = expire_ms};
  if (rows_ != nullptr) return rows_->End(db, key, header, count_);
  if (kept_.empty()) {
    RecordPtr old;
    const Status status = txn_.GetRecord(db, key, &old);
    if (status == Status::kOk) txn_.Erase(db, key);
    return status == Status::kNotFound ? Status::kOk : status;
  }
  std::vector<ZsetEntry> entries;
  entries.reserve(kept_.size());
  for (const ScoredMember& each : kept_) entries.push_back({each.score, each.member});
  return Write(txn_, db, key, header, entries);
}

Status ZsetWriter::Write(WriteTxn& txn, DbIndex db, const HashedKey& key, RecordHeader header,
                         std::span<ZsetEntry> entries) {
  header.type = ValueType::kZset;
  header.object_id = 0;
  uint64_t bytes = 0, payload = VarintBytes(entries.size());
  for (ZsetEntry& entry : entries) {
    entry.score = Kept(entry.score, header.encoding);
    bytes += entry.member.size();
    payload += entry.packed_bytes();
  }
  if (payload <= kPackedBytesMax) {
    std::sort(entries.begin(), entries.end());
    txn.Put(db, key, PackedZset::Pack(header, entries.data(), entries.size()));
    return Status::kOk;
  }
  Rows rows(txn, entries.size(), bytes);
  Status status = rows.Begin();
  for (const ZsetEntry& entry : entries) {
    if (status == Status::kOk) status = rows.Add(entry.score, entry.member);
  }
  return status == Status::kOk ? rows.End(db, key, header, entries.size()) : status;
}

}  // namespace basalt::storage
