#include "storage/member_cursor.h"

#include <algorithm>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/member_rows.h"
#include "storage/set_store.h"
#include "storage/zset_rows.h"
#include "storage/zset_store.h"

namespace basalt::storage {
namespace {

constexpr size_t kObjectIdBytes = 8;
// Rows of all cursors of one command together, and of one.
constexpr size_t kRowsTotal = 16384;
constexpr size_t kRowsMax = 512;
constexpr size_t kHashBytes = kMemberKeyPrefixBytes - kObjectIdBytes;

bool IsZset(const Record& record) { return record.type() == ValueType::kZset; }

}  // namespace

MemberCursor::MemberCursor(ReadView& view, const Record& record, size_t rows_max)
    : view_(&view), record_(&record), rows_max_(std::max<size_t>(rows_max, 1)) {}

size_t MemberCursor::RowsEach(size_t cursors) {
  return std::clamp<size_t>(kRowsTotal / std::max<size_t>(cursors, 1), 8, kRowsMax);
}

std::string_view MemberCursor::MemberOf(std::string_view place) { return place.substr(kHashBytes); }

Status MemberCursor::Next() {
  if (started_ && ++at_ < places_.size()) return Status::kOk;
  started_ = true;
  bytes_.clear();
  places_.clear();
  at_ = 0;
  if (!more_) return Status::kOk;
  return IsPacked(*record_) ? FillFromPacked() : FillFromRows();
}

Status MemberCursor::SkipTo(std::string_view place) {
  Status status = started_ ? Status::kOk : Next();
  while (status == Status::kOk && !done() && this->place() < place) status = Next();
  return status;
}

void MemberCursor::Append(std::string_view place, double score) {
  places_.push_back({bytes_.size(), place.size(), score});
  bytes_.append(place);
}

Status MemberCursor::FillFromPacked() {
  more_ = false;
  KeyBuffer key;
  const auto append = [&](double score, std::string_view member) {
    MemberRows::EncodeKey(view_->storage(), 0, member, &key);
    Append(key.view().substr(kObjectIdBytes), score);
    return true;
  };
  const Status status =
      IsZset(*record_)
          ? ZsetStore::ForEach(*view_, *record_, append)
          : SetStore::ForEach(*view_, *record_, [&append](std::string_view member) { return append(1, member); });
  std::sort(places_.begin(), places_.end(), [this](const Place& a, const Place& b) {
    const std::string_view bytes = bytes_;
    return bytes.substr(a.offset, a.size) < bytes.substr(b.offset, b.size);
  });
  return status;
}

Status MemberCursor::FillFromRows() {
  const uint64_t id = record_->header().object_id;
  KeyBuffer upper;
  EncodeMemberBound(id, 1ull << 32, &upper);
  if (lower_.empty()) {
    KeyBuffer lower;
    EncodeMemberBound(id, 0, &lower);
    lower_ = lower.view();
  }
  more_ = false;
  bool damaged = false;
  const Status status =
      ScanRows(*view_, RowFamily::kData, lower_, upper.view(), [&](std::string_view row_key, std::string_view value) {
        double score = 1;
        damaged = row_key.size() < kMemberKeyPrefixBytes || (IsZset(*record_) && !DecodeRowScore(value, &score));
        if (damaged) return false;
        more_ = places_.size() == rows_max_ || bytes_.size() >= rows_max_ * kBytesPerRow;
        if (!more_) Append(row_key.substr(kObjectIdBytes), score);
        return !more_;
      });
  if (status != Status::kOk) return status;
  if (damaged) return Status::kCorruption;
  if (more_) {  // the key right behind the last one
    lower_.resize(kObjectIdBytes);
    lower_.append(bytes_, places_.back().offset);
    lower_.push_back('\0');
  }
  return Status::kOk;
}

}  // namespace basalt::storage
