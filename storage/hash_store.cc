#include "storage/hash_store.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "storage/hash_edit.h"
#include "storage/key_codec.h"
#include "storage/member_rows.h"
#include "storage/random.h"

namespace basalt::storage {
namespace {

// HLEN of a hash with so many due fields is not the fast lane's work.
constexpr uint64_t kDueCountedFast = 1000;
// Drawing with repetition from rows: when so large a part of them is wanted, all are read first, unless they are more
// bytes than this.
constexpr uint64_t kReadAllFraction = 16;
constexpr size_t kReadAllBytesMax = 16 << 20;
// A draw that meets due fields is repeated so often; then all rows are looked at.
constexpr int kDrawTries = 32;

// A copy of a field, or of several in one buffer.
struct OwnedField {
  std::string row;  // as in `data`
  std::string name;
  HashField view() const {
    HashField field{.name = name, .value = {}, .expire_ms = kNoExpire};
    return ParseHashRow(row, &field.value, &field.expire_ms) ? field : HashField{};
  }
};

class FieldList {
 public:
  void Add(const HashField& field) {
    ends_.push_back({bytes_.size() + field.name.size(), bytes_.size() + field.name.size() + field.value.size()});
    bytes_.append(field.name).append(field.value);
  }
  size_t size() const { return ends_.size(); }
  size_t bytes() const { return bytes_.size() + ends_.size() * sizeof(Ends); }
  HashField operator[](size_t i) const {
    const std::string_view all = bytes_;
    const size_t start = i == 0 ? 0 : ends_[i - 1].value;
    return {all.substr(start, ends_[i].name - start), all.substr(ends_[i].name, ends_[i].value - ends_[i].name),
            kNoExpire};
  }

 private:
  struct Ends {
    size_t name, value;
  };
  std::string bytes_;
  std::vector<Ends> ends_;
};

// Every subset of `count` of the `live` fields has the same chance (selection sampling, Knuth 3.4.2, Algorithm S).
// Visited in the order of the hash.
Status SampleInOnePass(ReadView& view, const HashValue& hash, uint64_t live, uint64_t count,
                       const HashStore::Visitor& visit) {
  uint64_t left = live;
  return HashStore::ForEach(view, hash, [&](const HashField& field) {
    if (left > 0 && RandomBelow(left--) >= count) return true;
    return count-- > 0 && visit(field) && count > 0;
  });
}

// One live field of rows.
Status DrawRow(ReadView& view, const HashValue& hash, uint64_t live, OwnedField* drawn) {
  for (int i = 0; i < kDrawTries; ++i) {
    MemberRows::Row row;
    const Status status = MemberRows::Random(view, hash.object_id(), hash.stored, &row);
    if (status != Status::kOk) return status;
    *drawn = {std::move(row.value), std::move(row.member)};
    const HashField field = drawn->view();
    if (field.name.data() == nullptr) return Status::kCorruption;
    if (!field.DueAt(view.now_ms())) return Status::kOk;
  }
  return SampleInOnePass(view, hash, live, 1, [&](const HashField& field) {
    drawn->name = field.name;
    EncodeHashRow(field.value, field.expire_ms, &drawn->row);
    return false;
  });
}

Status ForEachName(HashEdit& edit, std::span<const std::string_view> names,
                   const std::function<void(const HashEdit::Slot& slot, bool found)>& visit) {
  for (const std::string_view name : names) {
    HashEdit::Slot slot;
    const Status status = edit.Find(name, &slot);
    if (status != Status::kOk && status != Status::kNotFound) return status;
    visit(slot, status == Status::kOk);
  }
  return Status::kOk;
}

}  // namespace

// ---- reading ----

Status HashStore::Find(ReadView& view, DbIndex db, const HashedKey& key, HashValue* hash) {
  RecordPtr record;
  const Status status = FindCollection(view, db, key, ValueType::kHash, &record);
  return status == Status::kOk ? Open(view, std::move(record), hash) : status;
}

Status HashStore::Open(ReadView& view, RecordPtr record, HashValue* hash) {
  hash->record = std::move(record);
  hash->stored = ElementCount(*hash->record);
  if (hash->stored == 0) return Status::kCorruption;
  hash->due = hash->record->FieldsDueAt(view.now_ms());
  if (!hash->due || !hash->packed()) return Status::kOk;
  view.NoteExpired();
  bool any = false;
  const Status read = ForEach(view, *hash, [&any](const HashField&) { return !(any = true); });
  return read == Status::kOk && !any ? Status::kNotFound : read;
}

Status HashStore::Count(ReadView& view, const HashValue& hash, uint64_t* count) {
  *count = hash.stored;
  if (!hash.due) return Status::kOk;
  uint64_t due = 0;
  const uint64_t due_max = view.tier() == ReadTier::kMemory ? kDueCountedFast : UINT64_MAX;
  Status status = Status::kOk;
  if (hash.packed()) {
    *count = 0;
    status = ForEach(view, hash, [count](const HashField&) { return ++*count > 0; });
  } else {
    KeyBuffer lower;
    KeyBuffer upper;
    EncodeFieldExpiryBound(hash.object_id(), hash.record->field_expire_ms(), &lower);
    EncodeFieldExpiryBound(hash.object_id(), view.now_ms() + 1, &upper);
    status = ScanRows(view, RowFamily::kScore, lower.view(), upper.view(),
                      [&](std::string_view, std::string_view) { return ++due <= due_max; });
    if (status == Status::kOk && due > due_max) status = Status::kIncomplete;
    if (status == Status::kOk && due > hash.stored) status = Status::kCorruption;
    *count = hash.stored - std::min(due, hash.stored);
  }
  if (*count == 0) view.NoteExpired();
  return status;
}

Status HashStore::Get(ReadView& view, const HashValue& hash, std::string_view name, std::string* buffer,
                      HashField* field) {
  if (hash.packed()) {
    PackedHashReader reader(*hash.record);
    while (reader.Next(field)) {
      if (field->name == name) return field->DueAt(view.now_ms()) ? Status::kNotFound : Status::kOk;
    }
    return reader.done() ? Status::kNotFound : Status::kCorruption;
  }
  const Status status = MemberRows::Get(view, hash.object_id(), name, buffer);
  if (status != Status::kOk) return status;
  field->name = name;
  if (!ParseHashRow(*buffer, &field->value, &field->expire_ms)) return Status::kCorruption;
  if (!field->DueAt(view.now_ms())) return Status::kOk;
  view.NoteExpired();
  return Status::kNotFound;
}

Status HashStore::ForEachRow(ReadView& view, const HashValue& hash, const Visitor& visit) {
  bool damaged = false;
  const Status status = MemberRows::ForEach(view, hash.object_id(), [&](std::string_view name, std::string_view row) {
    HashField field{.name = name, .value = {}, .expire_ms = kNoExpire};
    damaged = !ParseHashRow(row, &field.value, &field.expire_ms);
    return !damaged && (field.DueAt(view.now_ms()) || visit(field));
  });
  return damaged ? Status::kCorruption : status;
}

Status HashStore::Scan(ReadView& view, const HashValue& hash, uint64_t cursor, uint64_t count, const Visitor& visit,
                       uint64_t* next) {
  *next = 0;
  if (hash.packed()) return ForEach(view, hash, visit);
  bool damaged = false;
  const auto visit_row = [&](std::string_view name, std::string_view row) {
    HashField field{.name = name, .value = {}, .expire_ms = kNoExpire};
    damaged = !ParseHashRow(row, &field.value, &field.expire_ms);
    return !damaged && (field.DueAt(view.now_ms()) || visit(field));
  };
  const Status status = MemberRows::Scan(view, hash.object_id(), cursor, count, visit_row, next);
  return damaged ? Status::kCorruption : status;
}

Status HashStore::RandomDistinct(ReadView& view, const HashValue& hash, uint64_t live, uint64_t count,
                                 const Visitor& visit) {
  if (count >= live) return ForEach(view, hash, visit);
  if (hash.packed() || hash.due) return SampleInOnePass(view, hash, live, count, visit);
  std::vector<MemberRows::Row> rows;
  const Status status = MemberRows::RandomDistinct(view, hash.object_id(), hash.stored, count, &rows);
  if (status != Status::kOk) return status;
  for (const MemberRows::Row& row : rows) {
    HashField field{.name = row.member, .value = {}, .expire_ms = kNoExpire};
    if (!ParseHashRow(row.value, &field.value, &field.expire_ms)) return Status::kCorruption;
    if (!visit(field)) break;
  }
  return Status::kOk;
}

Status HashStore::RandomRepeated(ReadView& view, const HashValue& hash, uint64_t live, uint64_t count,
                                 const Visitor& visit) {
  if (hash.packed() || live / kReadAllFraction <= count) {
    FieldList all;
    const Status status = ForEach(view, hash, [&all](const HashField& field) {
      all.Add(field);
      return all.bytes() <= kReadAllBytesMax;
    });
    if (status != Status::kOk) return status;
    if (all.size() == 0) return Status::kCorruption;  // the header says otherwise
    if (all.bytes() <= kReadAllBytesMax) {
      while (count-- > 0 && visit(all[RandomBelow(all.size())])) {
      }
      return Status::kOk;
    }
  }
  for (; count > 0; --count) {
    OwnedField drawn;
    const Status status = DrawRow(view, hash, live, &drawn);
    if (status != Status::kOk) return status;
    if (!visit(drawn.view())) break;
  }
  return Status::kOk;
}

// ---- writing ----

Status HashStore::Set(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> pairs,
                      const HashLimits& limits, uint64_t* added) {
  *added = 0;
  HashEdit edit(txn, db, key, &limits);
  const Status begun = edit.Begin();
  if (begun != Status::kOk) return begun;
  edit.Expect(pairs.size() / 2);
  // Redis decides by the number of arguments, even when they name the same fields.
  if (pairs.size() / 2 > limits.listpack_entries) edit.BecomeHashtable();
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    HashEdit::Slot slot;
    const Status status = edit.Find(pairs[i], &slot);
    if (status != Status::kOk && status != Status::kNotFound) return status;
    *added += status == Status::kNotFound;
    edit.Put(slot, pairs[i + 1], kNoExpire);
  }
  return edit.Finish();
}

Status HashStore::SetIfAbsent(WriteTxn& txn, DbIndex db, const HashedKey& key, std::string_view name,
                              std::string_view value, const HashLimits& limits, bool* added) {
  HashEdit edit(txn, db, key, &limits);
  const Status begun = edit.Begin();
  if (begun != Status::kOk) return begun;
  HashEdit::Slot slot;
  const Status status = edit.Find(name, &slot);
  if (status != Status::kOk && status != Status::kNotFound) return status;
  *added = status == Status::kNotFound;
  if (*added) edit.Put(slot, value, kNoExpire);
  return edit.Finish();
}

Status HashStore::Update(WriteTxn& txn, DbIndex db, const HashedKey& key, std::string_view name, std::string_view value,
                         const HashLimits& limits) {
  HashEdit edit(txn, db, key, &limits);
  const Status begun = edit.Begin();
  if (begun != Status::kOk) return begun;
  HashEdit::Slot slot;
  const Status status = edit.Find(name, &slot);
  if (status != Status::kOk && status != Status::kNotFound) return status;
  edit.Put(slot, value, status == Status::kOk ? slot.field.expire_ms : kNoExpire);
  return edit.Finish();
}

Status HashStore::Delete(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> names,
                         uint64_t* removed) {
  *removed = 0;
  HashEdit edit(txn, db, key, nullptr);
  const Status begun = edit.Begin();
  if (begun != Status::kOk) return begun;
  for (const std::string_view name : names) {
    if (edit.empty()) break;
    HashEdit::Slot slot;
    const Status status = edit.Find(name, &slot);
    if (status != Status::kOk && status != Status::kNotFound) return status;
    *removed += status == Status::kOk;
    if (slot.stored) edit.Remove(slot);
  }
  return edit.Finish();
}

// ---- expiry of fields ----

namespace {

// A field without expiry counts as one that expires at the end of time.
bool Allows(HashStore::ExpireCondition condition, int64_t old_ms, int64_t new_ms) {
  const bool had = old_ms != kNoExpire;
  switch (condition) {
    case HashStore::ExpireCondition::kAlways:
      return true;
    case HashStore::ExpireCondition::kHasNone:
      return !had;
    case HashStore::ExpireCondition::kHasOne:
      return had;
    case HashStore::ExpireCondition::kLater:
      return had && new_ms > old_ms;
    case HashStore::ExpireCondition::kEarlier:
      return !had || new_ms < old_ms;
  }
  return false;
}

}  // namespace

Status HashStore::Expire(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> names,
                         int64_t expire_ms, ExpireCondition condition, std::vector<ExpireOutcome>* outcomes) {
  HashEdit edit(txn, db, key, nullptr);
  const Status begun = edit.Begin();
  if (begun != Status::kOk) return begun;
  // A value found in rows lives until the next one is looked for; Put of rows does not keep it either.
  const Status status = ForEachName(edit, names, [&](const HashEdit::Slot& slot, bool found) {
    ExpireOutcome outcome = ExpireOutcome::kNoField;
    if (found && !Allows(condition, slot.field.expire_ms, expire_ms)) {
      outcome = ExpireOutcome::kRefused;
    } else if (found && expire_ms <= txn.now_ms()) {
      outcome = ExpireOutcome::kDeleted;
      edit.Remove(slot);
    } else if (found) {
      outcome = ExpireOutcome::kSet;
      edit.Put(slot, slot.field.value, expire_ms);
    }
    outcomes->push_back(outcome);
  });
  return status == Status::kOk ? edit.Finish() : status;
}

Status HashStore::Persist(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> names,
                          std::vector<ExpireOutcome>* outcomes) {
  HashEdit edit(txn, db, key, nullptr);
  const Status begun = edit.Begin();
  if (begun != Status::kOk) return begun;
  const Status status = ForEachName(edit, names, [&](const HashEdit::Slot& slot, bool found) {
    const bool expires = found && slot.field.expire_ms != kNoExpire;
    if (expires) edit.Put(slot, slot.field.value, kNoExpire);
    outcomes->push_back(!found ? ExpireOutcome::kNoField : expires ? ExpireOutcome::kSet : ExpireOutcome::kRefused);
  });
  return status == Status::kOk ? edit.Finish() : status;
}

Status HashStore::RemoveDue(WriteTxn& txn, DbIndex db, const HashedKey& key, uint64_t fields_max, uint64_t* removed) {
  HashEdit edit(txn, db, key, nullptr);
  const Status begun = edit.Begin(fields_max);
  *removed = edit.due_removed();
  return begun == Status::kOk ? edit.Finish() : begun;
}

Status HashStore::RemoveDue(WriteTxn& txn, DbIndex db, const HashedKey& key) {
  HashEdit edit(txn, db, key, nullptr);
  const Status begun = edit.Begin();
  return begun == Status::kOk ? edit.Finish() : begun;
}

}  // namespace basalt::storage
