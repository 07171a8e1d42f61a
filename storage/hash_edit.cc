#include "storage/hash_edit.h"

#include <algorithm>
#include <cassert>

#include "storage/member_rows.h"
#include "storage/new_object.h"
#include "storage/storage.h"

namespace basalt::storage {
namespace {

// Due fields that a command removes of rows before it goes on: in the fast lane all or none, else it leaves the rest to
// the expire cycle.
constexpr uint64_t kDueMaxFast = 128;
constexpr uint64_t kDueMaxSlow = 4000;
// Packed fields are looked for one after the other, unless there are more and as many look-ups have been made.
constexpr size_t kSearchedMax = 32;
constexpr int kLookupsBeforePlaces = 16;

}  // namespace

Status HashEdit::Begin() {
  if (txn_.tier() != ReadTier::kMemory) return Begin(kDueMaxSlow);
  const Status status = Begin(kDueMaxFast);
  const bool due_left = earliest_ != kNoExpire && earliest_ <= txn_.now_ms();
  return status == Status::kOk && due_left ? Status::kIncomplete : status;
}

Status HashEdit::Begin(uint64_t due_max) {
  const Status status = txn_.GetRecord(db_, key_, ValueType::kHash, &record_);
  if (status == Status::kNotFound) return Status::kOk;
  if (status != Status::kOk) return status;
  encoding_ = record_->header().encoding;
  if (IsPacked(*record_)) {
    const Status read = ReadPacked();
    if (read != Status::kOk) return read;
  } else {
    object_id_ = record_->header().object_id;
    earliest_ = earliest_floor_ = record_->field_expire_ms();
    count_ = ElementCount(*record_);
    if (count_ == 0) return Status::kCorruption;
    if (record_->FieldsDueAt(txn_.now_ms())) {
      const Status removed = RemoveDueRows(due_max);
      if (removed != Status::kOk) return removed;
    }
  }
  if (due_removed_ != 0) {
    txn_.NoteFieldsExpired(db_, key_, count_ == 0 ? ExpiredPart::kAllFields : ExpiredPart::kFields);
  }
  if (count_ == 0) StartAnew();
  return Status::kOk;
}

Status HashEdit::ReadPacked() {
  const uint64_t count = ElementCount(*record_);
  fields_.reserve(std::min<uint64_t>(count, kPackedBytesMax) + 1);
  PackedHashReader reader(*record_);
  uint64_t read = 0;
  for (HashField field; reader.Next(&field); ++read) {
    if (!field.DueAt(txn_.now_ms())) {
      fields_.push_back(field);
    } else {
      ++due_removed_;
    }
  }
  if (!reader.done() || read != count || count == 0) return Status::kCorruption;
  changed_ = due_removed_ != 0;
  count_ = fields_.size();
  return Status::kOk;
}

Status HashEdit::RemoveDueRows(uint64_t due_max) {
  struct Due {
    std::string name;
    int64_t expire_ms;
  };
  std::vector<Due> due;
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeFieldExpiryBound(object_id_, earliest_, &lower);
  EncodeFieldExpiryBound(object_id_, INT64_MAX, &upper);
  bool damaged = false;
  earliest_ = kNoExpire;
  // Up to the first that stays: the earliest from now on.
  const Status status =
      ScanRows(txn_, RowFamily::kScore, lower.view(), upper.view(), [&](std::string_view row_key, std::string_view) {
        const std::optional<FieldExpiryKey> key = ParseFieldExpiryKey(row_key);
        damaged = !key;
        if (damaged) return false;
        if (key->expire_ms > txn_.now_ms() || due.size() == due_max) {
          earliest_ = key->expire_ms;
          return false;
        }
        due.push_back({std::string(key->field), key->expire_ms});
        return true;
      });
  if (status != Status::kOk) return status;
  if (damaged || due.size() > count_) return Status::kCorruption;
  for (const Due& each : due) {
    MemberRows::Delete(txn_, object_id_, each.name);
    EncodeFieldExpiryKey(object_id_, each.expire_ms, each.name, &row_key_);
    txn_.DeleteRow(RowFamily::kScore, row_key_.view());
  }
  count_ -= due.size();
  due_removed_ = due.size();
  earliest_floor_ = earliest_;
  changed_ = true;
  return Status::kOk;
}

// The last field was due, and with it the hash: what is put now makes a new one.
void HashEdit::StartAnew() {
  txn_.Erase(db_, key_);
  record_ = nullptr;
  object_id_ = 0;
  earliest_ = earliest_floor_ = kNoExpire;
  encoding_ = Encoding::kListpack;
  changed_ = false;
}

Status HashEdit::Find(std::string_view name, Slot* slot) {
  slot->field = {.name = name, .value = {}, .expire_ms = kNoExpire};
  slot->stored = false;
  if (object_id_ == 0) {
    FindPacked(name, slot);
    return slot->stored ? Status::kOk : Status::kNotFound;
  }
  const Status status = MemberRows::Get(txn_, object_id_, name, &found_row_);
  if (status != Status::kOk) return status;
  if (!ParseHashRow(found_row_, &slot->field.value, &slot->field.expire_ms)) return Status::kCorruption;
  slot->stored = true;
  return slot->field.DueAt(txn_.now_ms()) ? Status::kNotFound : Status::kOk;
}

void HashEdit::FindPacked(std::string_view name, Slot* slot) {
  slot->index = fields_.size();
  if (fields_.size() <= kSearchedMax || (places_.empty() && ++lookups_ <= kLookupsBeforePlaces)) {
    for (size_t i = 0; i < fields_.size(); ++i) {
      if (fields_[i].name == name) {
        slot->index = i;
        break;
      }
    }
  } else {
    if (places_.empty()) {
      for (size_t i = 0; i < fields_.size(); ++i) places_.emplace(fields_[i].name, i);
    }
    const auto found = places_.find(name);
    if (found != places_.end()) slot->index = found->second;
  }
  slot->stored = slot->index < fields_.size();
  if (slot->stored) slot->field = fields_[slot->index];
}

void HashEdit::Put(const Slot& slot, std::string_view value, int64_t expire_ms) {
  changed_ = true;
  if (!slot.stored) ++count_;
  if (limits_ != nullptr && (slot.field.name.size() > limits_->listpack_value ||
                             value.size() > limits_->listpack_value || count_ > limits_->listpack_entries)) {
    encoding_ = Encoding::kHashtable;
  }
  if (object_id_ != 0) return PutRow(slot, value, expire_ms);
  if (slot.stored) {
    fields_[slot.index].value = value;
    fields_[slot.index].expire_ms = expire_ms;
    return;
  }
  fields_.push_back({slot.field.name, value, expire_ms});
  if (!places_.empty()) places_.emplace(slot.field.name, fields_.size() - 1);
}

void HashEdit::PutRow(const Slot& slot, std::string_view value, int64_t expire_ms) {
  if (slot.field.expire_ms != expire_ms) {
    if (slot.stored) DropExpiry(slot);
    if (expire_ms != kNoExpire) {
      EncodeFieldExpiryKey(object_id_, expire_ms, slot.field.name, &row_key_);
      txn_.PutRow(RowFamily::kScore, row_key_.view(), {});
      if (earliest_ == kNoExpire || expire_ms < earliest_) earliest_ = expire_ms;
      if (earliest_floor_ == kNoExpire || expire_ms < earliest_floor_) earliest_floor_ = expire_ms;
    }
  }
  EncodeHashRow(value, expire_ms, &new_row_);
  MemberRows::Put(txn_, object_id_, slot.field.name, new_row_);
}

void HashEdit::DropExpiry(const Slot& slot) {
  if (slot.field.expire_ms == kNoExpire) return;
  EncodeFieldExpiryKey(object_id_, slot.field.expire_ms, slot.field.name, &row_key_);
  txn_.DeleteRow(RowFamily::kScore, row_key_.view());
  earliest_unknown_ |= slot.field.expire_ms == earliest_;
}

void HashEdit::Remove(const Slot& slot) {
  assert(slot.stored && count_ > 0);
  changed_ = true;
  --count_;
  if (object_id_ == 0) {
    fields_.erase(fields_.begin() + static_cast<ptrdiff_t>(slot.index));
    places_.clear();
    lookups_ = 0;
    return;
  }
  MemberRows::Delete(txn_, object_id_, slot.field.name);
  DropExpiry(slot);
}

// ---- the record ----

RecordHeader HashEdit::Header() const {
  return {.type = ValueType::kHash,
          .encoding = encoding_,
          .expire_ms = record_ == nullptr ? kNoExpire : record_->expire_ms(),
          .object_id = object_id_,
          .field_expire_ms = kNoExpire};
}

Status HashEdit::Finish() {
  if (!changed_) return Status::kOk;
  if (count_ == 0) {
    if (record_ != nullptr) txn_.Erase(db_, key_);
    return Status::kOk;
  }
  return object_id_ == 0 ? FinishPacked() : FinishRows();
}

Status HashEdit::FinishPacked() {
  RecordHeader header = Header();
  for (const HashField& field : fields_) {
    if (field.expire_ms == kNoExpire) continue;
    if (header.field_expire_ms == kNoExpire || field.expire_ms < header.field_expire_ms) {
      header.field_expire_ms = field.expire_ms;
    }
  }
  const bool expiring = header.field_expire_ms != kNoExpire;
  size_t bytes = VarintBytes(count_);
  for (const HashField& field : fields_) bytes += PackedFieldBytes(field, expiring);
  if (bytes > kPackedBytesMax) {
    earliest_ = header.field_expire_ms;
    return Expand();
  }
  std::string payload;
  payload.reserve(bytes);
  AppendPackedCount(count_, &payload);
  for (const HashField& field : fields_) AppendPackedField(field, expiring, &payload);
  txn_.Put(db_, key_, Record::Make(header, payload));
  return Status::kOk;
}

// The fields get rows.
Status HashEdit::Expand() {
  uint64_t bytes = 0;
  uint64_t expiring = 0;
  for (const HashField& field : fields_) {
    const uint64_t key_bytes = field.name.size() + kFieldExpiryKeyPrefixBytes;
    bytes += key_bytes + field.value.size();
    if (field.expire_ms == kNoExpire) continue;
    bytes += key_bytes;
    ++expiring;
  }
  uint8_t families = RowFamilyBit(RowFamily::kData);
  if (expiring != 0) families |= RowFamilyBit(RowFamily::kScore);
  NewObject object(txn_, families, fields_.size() + expiring, bytes);
  Status status = object.Begin();
  for (const HashField& field : fields_) {
    if (status != Status::kOk) return status;
    MemberRows::EncodeKey(txn_.storage(), object.id(), field.name, &row_key_);
    EncodeHashRow(field.value, field.expire_ms, &new_row_);
    status = object.Put(RowFamily::kData, row_key_.view(), new_row_);
    if (status != Status::kOk || field.expire_ms == kNoExpire) continue;
    EncodeFieldExpiryKey(object.id(), field.expire_ms, field.name, &row_key_);
    status = object.Put(RowFamily::kScore, row_key_.view(), {});
  }
  if (status == Status::kOk) status = object.End();
  if (status != Status::kOk) return status;
  object_id_ = object.id();
  return FinishRows();
}

Status HashEdit::FinishRows() {
  if (earliest_unknown_) {
    const Status status = FindEarliest();
    if (status != Status::kOk) return status;
  }
  RecordHeader header = Header();
  header.field_expire_ms = earliest_;
  std::string payload;
  AppendRowsCount(count_, &payload);
  RecordPtr record = Record::Make(header, payload);
  if (record_ != nullptr && record->stored() == record_->stored()) {
    txn_.Touch(db_, key_);  // only rows have changed
  } else {
    txn_.Put(db_, key_, std::move(record));
  }
  return Status::kOk;
}

Status HashEdit::FindEarliest() {
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeFieldExpiryBound(object_id_, earliest_floor_, &lower);
  EncodeFieldExpiryBound(object_id_, INT64_MAX, &upper);
  earliest_ = kNoExpire;
  bool damaged = false;
  const Status status =
      ScanRows(txn_, RowFamily::kScore, lower.view(), upper.view(), [&](std::string_view row_key, std::string_view) {
        const std::optional<FieldExpiryKey> key = ParseFieldExpiryKey(row_key);
        damaged = !key;
        if (key) earliest_ = key->expire_ms;
        return false;
      });
  return damaged ? Status::kCorruption : status;
}

}  // namespace basalt::storage
