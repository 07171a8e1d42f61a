#include "storage/keyspace.h"

#include <algorithm>

#include "storage/collection.h"
#include "storage/fair_draw.h"
#include "storage/garbage_collector.h"
#include "storage/key_codec.h"
#include "storage/new_object.h"
#include "storage/random.h"
#include "storage/storage.h"
#include "storage/string_layout.h"

namespace basalt::storage {
namespace {

// RANDOMKEY
constexpr int kRandomTries = 128;
// SCAN looks at windows of the hash order that are expected to hold this many times `count` keys, so that a desert of
// tombstones costs one window at a time; at most so many windows a call.
constexpr uint64_t kScanWindowFactor = 4;
constexpr int kScanWindowsMax = 32;

// Buckets of an interval expected to hold `keys` of `total` keys.
uint64_t WindowOf(uint64_t keys, uint64_t total) {
  if (total <= keys) return kBuckets;
  return std::max<uint64_t>(
      1, static_cast<uint64_t>(static_cast<double>(kBuckets) / static_cast<double>(total) * static_cast<double>(keys)));
}

// Live keys of [first, last), at most `keys_max`.
Status LiveKeys(ReadView& view, DbIndex db, uint64_t first, uint64_t last, uint64_t keys_max,
                std::vector<std::string>* keys) {
  return ScanRecords(view, db, first, last, [&](uint64_t, std::string_view key, const RecordPtr& record) {
    if (!record->ExpiredAt(view.now_ms())) keys->emplace_back(key);
    return keys->size() < keys_max;
  });
}

// When the hash order is far from even (most keys share a hash tag, so a slot): the slot of some key, then a random
// place in it.
template <typename Collect>
Status RandomInSlot(ReadView& view, DbIndex db, Collect&& collect, std::string* key) {
  const uint64_t from = RandomBelow(kBuckets);
  constexpr uint64_t kSlotBuckets = 1ull << kBucketHashBits;
  uint64_t slot_start = 0;
  bool found = false;
  const auto find = [&](uint64_t bucket, std::string_view, const RecordPtr& record) {
    if (record->ExpiredAt(view.now_ms())) return true;
    slot_start = bucket / kSlotBuckets * kSlotBuckets;
    found = true;
    return false;
  };
  Status status = ScanRecords(view, db, from, kBuckets, find);
  if (status == Status::kOk && !found) status = ScanRecords(view, db, 0, from, find);
  if (status != Status::kOk) return status;
  if (!found) return Status::kNotFound;
  DrawOutcome outcome = DrawOutcome::kMissed;
  for (int i = 0; i < kRandomTries && status == Status::kOk && outcome != DrawOutcome::kDrawn; ++i) {
    status = DrawFromInterval(slot_start, slot_start + kSlotBuckets, Crowded::kHalve, collect, key, &outcome);
  }
  if (status != Status::kOk) return status;
  return outcome == DrawOutcome::kDrawn ? Status::kOk : Status::kNotFound;
}

Status CopyFamily(WriteTxn& txn, RowFamily family, uint64_t from_id, NewObject* copy) {
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeObjectBound(from_id, &lower);
  EncodeObjectBound(from_id + 1, &upper);
  Status written = Status::kOk;
  std::string copy_key;
  const Status status =
      ScanRows(txn, family, lower.view(), upper.view(), [&](std::string_view key, std::string_view value) {
        copy_key.assign(key);
        PutBig64(copy_key.data(), copy->id());
        written = copy->Put(family, copy_key, value);
        return written == Status::kOk;
      });
  return status != Status::kOk ? status : written;
}

Status CopyRows(WriteTxn& txn, const Record& record, DbIndex to_db, const HashedKey& to) {
  // Rows begin with the object's id, and nothing else in them names it: a copy has another id and the same rest.
  const std::optional<Garbage> size = Garbage::Of(record);
  RecordHeader header = record.header();
  const uint64_t from_id = header.object_id;
  const std::optional<ChunkedString> string = ParseChunkedString(record.payload());
  NewObject copy(txn, size->families, size->rows, string ? string->length : 0);
  header.object_id = copy.id();
  Status status = copy.Begin();
  for (const RowFamily family : {RowFamily::kBig, RowFamily::kData, RowFamily::kScore}) {
    if (status != Status::kOk) return status;
    if ((size->families & RowFamilyBit(family)) == 0) continue;
    status = CopyFamily(txn, family, from_id, &copy);
  }
  if (status == Status::kOk) status = copy.End();
  if (status != Status::kOk) return status;
  txn.Put(to_db, to, Record::WithHeader(record, header));
  return Status::kOk;
}

// What the rows of an object take: measured up to `samples` of them, and taken as an average for `elements` where there
// are more.
Status SampleRows(ReadView& view, RowFamily family, uint64_t object_id, uint64_t elements, uint64_t samples,
                  uint64_t* bytes) {
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeObjectBound(object_id, &lower);
  EncodeObjectBound(object_id + 1, &upper);
  uint64_t measured = 0;
  bool more = false;
  *bytes = 0;
  const Status status =
      ScanRows(view, family, lower.view(), upper.view(), [&](std::string_view key, std::string_view value) {
        more = samples != 0 && measured == samples;
        if (more) return false;
        ++measured;
        *bytes += key.size() + value.size();
        return true;
      });
  if (more && elements > measured) {
    *bytes = static_cast<uint64_t>(static_cast<double>(*bytes) / static_cast<double>(measured) *
                                   static_cast<double>(elements));
  }
  return status;
}

}  // namespace

Status Keyspace::Scan(ReadView& view, DbIndex db, uint64_t cursor, uint64_t count,
                      const std::function<void(std::string_view key, const RecordPtr& record)>& visit,
                      std::vector<std::string>* expired, uint64_t* next) {
  *next = 0;
  if (cursor >= kBuckets) return Status::kOk;
  count = std::clamp<uint64_t>(count, 1, kBuckets / kScanWindowFactor);
  const uint64_t window = WindowOf(count * kScanWindowFactor, view.KeyCount(db));
  uint64_t looked_at = 0;
  uint64_t at = cursor;
  for (int i = 0; i < kScanWindowsMax && at < kBuckets; ++i) {
    const uint64_t end = std::min(kBuckets, at + std::min(window, kBuckets - at));
    uint64_t bucket = at;
    bool full = false;
    const Status status =
        ScanRecords(view, db, at, end, [&](uint64_t of, std::string_view key, const RecordPtr& record) {
          if (looked_at >= count && of != bucket) {  // a bucket is returned whole
            bucket = of;
            full = true;
            return false;
          }
          bucket = of;
          ++looked_at;
          if (record->ExpiredAt(view.now_ms())) {
            expired->emplace_back(key);
          } else {
            visit(key, record);
          }
          return true;
        });
    if (status != Status::kOk) return status;
    at = full ? bucket : end;
    if (looked_at >= count) break;
  }
  *next = at >= kBuckets ? 0 : at;
  return Status::kOk;
}

Status Keyspace::ForEach(ReadView& view, DbIndex db,
                         const std::function<bool(std::string_view key, const RecordPtr& record)>& visit) {
  return ScanRecords(view, db, 0, kBuckets, [&](uint64_t, std::string_view key, const RecordPtr& record) {
    return record->ExpiredAt(view.now_ms()) || visit(key, record);
  });
}

Status Keyspace::Random(ReadView& view, DbIndex db, std::string* key) {
  const uint64_t total = view.KeyCount(db);
  if (total <= kDrawEnumerateMax) {
    std::vector<std::string> keys;
    const Status status = LiveKeys(view, db, 0, kBuckets, UINT64_MAX, &keys);
    if (status != Status::kOk) return status;
    if (keys.empty()) return Status::kNotFound;
    *key = std::move(keys[RandomBelow(keys.size())]);
    return Status::kOk;
  }
  const auto collect = [&](uint64_t first, uint64_t last, uint64_t keys_max, std::vector<std::string>* keys) {
    return LiveKeys(view, db, first, last, keys_max, keys);
  };
  bool drawn = false;
  const Status status = DrawFromSpace(kBuckets, total, kRandomTries, Crowded::kHalve, collect, key, &drawn);
  return status != Status::kOk || drawn ? status : RandomInSlot(view, db, collect, key);
}

Status Keyspace::SetExpire(WriteTxn& txn, DbIndex db, const HashedKey& key, int64_t expire_ms) {
  RecordPtr record;
  const Status status = txn.GetRecord(db, key, &record);
  if (status != Status::kOk) return status;
  RecordHeader header = record->header();
  header.expire_ms = expire_ms;
  txn.Put(db, key, Record::WithHeader(*record, header));
  return Status::kOk;
}

Status Keyspace::Rename(WriteTxn& txn, DbIndex from_db, const HashedKey& from, DbIndex to_db, const HashedKey& to) {
  RecordPtr record;
  Status status = txn.GetRecord(from_db, from, &record);
  if (status != Status::kOk) return status;
  if (from_db == to_db && from.key == to.key) {
    txn.Touch(from_db, from);
    return Status::kOk;
  }
  RecordPtr replaced;
  status = txn.GetRecord(to_db, to, &replaced);
  if (status != Status::kOk && status != Status::kNotFound) return status;
  txn.Detach(from_db, from);
  txn.Put(to_db, to, std::move(record));
  return Status::kOk;
}

Status Keyspace::Copy(WriteTxn& txn, DbIndex from_db, const HashedKey& from, DbIndex to_db, const HashedKey& to) {
  RecordPtr record;
  Status status = txn.GetRecord(from_db, from, &record);
  if (status != Status::kOk) return status;
  if (from_db == to_db && from.key == to.key) return Status::kInvalid;
  RecordPtr replaced;
  status = txn.GetRecord(to_db, to, &replaced);
  if (status != Status::kOk && status != Status::kNotFound) return status;
  if (record->header().object_id == 0) {
    txn.Put(to_db, to, std::move(record));  // records are immutable: both keys share it
    return Status::kOk;
  }
  return CopyRows(txn, *record, to_db, to);
}

Status Keyspace::Usage(ReadView& view, DbIndex db, const HashedKey& key, uint64_t samples, uint64_t* bytes) {
  RecordPtr record;
  Status status = view.GetRecord(db, key, &record);
  if (status == Status::kOk && record->header().object_id != 0) {
    view.RequireSnapshot();
    status = view.GetRecord(db, key, &record);
  }
  if (status != Status::kOk) return status;
  *bytes = record->memory_bytes() + key.key.size() + kMetaKeyPrefixBytes;
  if (record->header().object_id == 0) return Status::kOk;
  const std::optional<Garbage> rows = Garbage::Of(*record);
  const std::optional<ChunkedString> string = ParseChunkedString(record->payload());
  if (record->type() == ValueType::kString) {
    if (string) *bytes += string->length + rows->rows * kChunkKeyBytes;
    return Status::kOk;
  }
  const uint64_t elements = ElementCount(*record);
  for (const RowFamily family : {RowFamily::kData, RowFamily::kScore}) {
    if ((rows->families & RowFamilyBit(family)) == 0) continue;
    uint64_t family_bytes = 0;
    status = SampleRows(view, family, record->header().object_id, elements, samples, &family_bytes);
    if (status != Status::kOk) return status;
    *bytes += family_bytes;
  }
  return Status::kOk;
}

}  // namespace basalt::storage
