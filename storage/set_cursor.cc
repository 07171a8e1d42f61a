#include "storage/set_cursor.h"

#include <algorithm>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/member_rows.h"
#include "storage/packed.h"

namespace basalt::storage {
namespace {

constexpr size_t kObjectIdBytes = 8;
constexpr size_t kHashBytes = kMemberKeyPrefixBytes - kObjectIdBytes;

}  // namespace

SetCursor::SetCursor(ReadView& view, const Record& record, size_t rows_max)
    : view_(&view), record_(&record), rows_max_(std::max<size_t>(rows_max, 1)) {}

std::string_view SetCursor::MemberOf(std::string_view place) { return place.substr(kHashBytes); }

Status SetCursor::Next() {
  if (started_ && ++at_ < places_.size()) return Status::kOk;
  started_ = true;
  bytes_.clear();
  places_.clear();
  at_ = 0;
  if (!more_) return Status::kOk;
  return IsPacked(*record_) ? FillFromPacked() : FillFromRows();
}

void SetCursor::Append(std::string_view place) {
  places_.push_back({bytes_.size(), place.size()});
  bytes_.append(place);
}

Status SetCursor::FillFromPacked() {
  more_ = false;
  PackedReader reader(PayloadBehindCount(*record_));
  std::string_view member;
  KeyBuffer key;
  while (reader.Read(&member)) {
    MemberRows::EncodeKey(view_->storage(), 0, member, &key);
    Append(key.view().substr(kObjectIdBytes));
  }
  if (!reader.done()) return Status::kCorruption;
  std::sort(places_.begin(), places_.end(), [this](const Place& a, const Place& b) {
    const std::string_view bytes = bytes_;
    return bytes.substr(a.offset, a.size) < bytes.substr(b.offset, b.size);
  });
  return Status::kOk;
}

Status SetCursor::FillFromRows() {
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
      ScanRows(*view_, RowFamily::kData, lower_, upper.view(), [&](std::string_view row_key, std::string_view) {
        damaged = row_key.size() < kMemberKeyPrefixBytes;
        if (damaged) return false;
        if (places_.size() == rows_max_ || bytes_.size() >= rows_max_ * kBytesPerRow) {
          more_ = true;
          return false;
        }
        Append(row_key.substr(kObjectIdBytes));
        return true;
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
