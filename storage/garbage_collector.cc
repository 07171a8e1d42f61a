#include "storage/garbage_collector.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/record_cache.h"
#include "storage/stream_layout.h"
#include "storage/string_layout.h"

namespace basalt::storage {
namespace {

constexpr RowFamily kRowFamilies[] = {RowFamily::kBig, RowFamily::kData, RowFamily::kScore};
constexpr uint64_t kUnknownRows = UINT32_MAX;    // more than kPointDeleteRowsMax
constexpr uint64_t kDeadNamespaceWindow = 4096;  // records of a dead name space looked at for one batch
// Members of collections are parts of keys: so many bytes of keys are gathered for one range of rows, and written by
// one batch.
constexpr size_t kKeyBytesMax = 1 << 20;
constexpr size_t kBatchBytesMax = 1 << 20;

std::unique_ptr<rocksdb::Iterator> NewIterator(Engine& engine, Family family, const rocksdb::Slice* upper) {
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = upper;
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(engine.db()->NewIterator(options, engine.handle(family)));
}

}  // namespace

// ---- what is on record ----

std::optional<Garbage> Garbage::Of(const Record& record) {
  const uint64_t id = record.header().object_id;
  if (id == 0) return std::nullopt;
  if (record.type() == ValueType::kString) {
    const std::optional<ChunkedString> string = ParseChunkedString(record.payload());
    if (string) return Garbage{id, RowFamilyBit(string->family()), string->chunks()};
    return Garbage{id, kAllFamilies, kUnknownRows};
  }
  constexpr uint8_t kFamilies = RowFamilyBit(RowFamily::kData) | RowFamilyBit(RowFamily::kScore);
  const uint64_t elements = ElementCount(record);
  switch (record.type()) {
    case ValueType::kList:
    case ValueType::kSet:
      return Garbage{id, RowFamilyBit(RowFamily::kData), elements};
    case ValueType::kHash:
    case ValueType::kZset:  // a second row for fields that expire; for scores, and their rank buckets
      return Garbage{id, kFamilies, 2 * elements + elements / 32 + 8};
    case ValueType::kStream:
      if (const std::optional<StreamHeader> header = ParseStreamHeader(record.payload());
          header && header->groups == 0) {
        return Garbage{id, kFamilies, header->length + header->nodes};
      }
      return Garbage{id, kFamilies, kUnknownRows};  // what groups have pending is not in the record
    default:
      return Garbage{id, kFamilies, kUnknownRows};
  }
}

std::string EncodeGarbage(const Garbage& garbage) {
  std::string value(9, '\0');
  value[0] = static_cast<char>(garbage.families);
  PutBig64(value.data() + 1, garbage.rows);
  return value;
}

std::optional<Garbage> ParseGarbage(uint64_t object_id, std::string_view value) {
  if (value.size() != 9) return std::nullopt;
  const uint8_t families = static_cast<uint8_t>(value[0]);
  if (families == 0 || (families & ~Garbage::kAllFamilies) != 0) return std::nullopt;
  return Garbage{object_id, families, GetBig64(value.data() + 1)};
}

std::string EncodeDeadNamespace(const DeadNamespace& dead) {
  std::string value(1, dead.objects_left ? '\1' : '\0');
  return value += dead.next_key;
}

std::optional<DeadNamespace> ParseDeadNamespace(std::string_view value) {
  if (value.empty() || static_cast<uint8_t>(value[0]) > 1) return std::nullopt;
  return DeadNamespace{value[0] == '\1', std::string(value.substr(1))};
}

Status GarbageCollector::Load() {
  std::unique_ptr<rocksdb::Iterator> iterator = NewIterator(engine_, Family::kSys, nullptr);
  uint64_t objects = 0;
  uint64_t rows = 0;
  const char tag = static_cast<char>(SysTag::kGarbageObject);
  for (iterator->Seek(rocksdb::Slice(&tag, 1)); iterator->Valid(); iterator->Next()) {
    const std::optional<uint64_t> id = ParseSysNumber(SysTag::kGarbageObject, ToView(iterator->key()));
    if (!id) break;
    const std::optional<Garbage> garbage = ParseGarbage(*id, ToView(iterator->value()));
    if (!garbage) return Status::kCorruption;
    ++objects;
    rows += garbage->rows;
  }
  objects_pending_.store(objects);
  rows_pending_.store(rows);
  whole_pending_.store(true);  // there may be; the first pass finds out
  low_water_.store(0);
  return FromRocks(iterator->status(), "reading garbage records");
}

void GarbageCollector::Protect(uint64_t object_id) {
  std::lock_guard lock(mu_);
  protected_.insert(object_id);
}

void GarbageCollector::Unprotect(uint64_t object_id, bool is_garbage) {
  {
    std::lock_guard lock(mu_);
    protected_.erase(object_id);
  }
  if (!is_garbage) return;
  objects_pending_.fetch_add(1, std::memory_order_relaxed);
  Lower(object_id);
}

void GarbageCollector::Lower(uint64_t object_id) {
  uint64_t seen = low_water_.load();
  while (object_id < seen && !low_water_.compare_exchange_weak(seen, object_id)) {
  }
}

void GarbageCollector::Added(const Garbage& garbage) {
  objects_pending_.fetch_add(1, std::memory_order_relaxed);
  rows_pending_.fetch_add(garbage.rows, std::memory_order_relaxed);
  Lower(garbage.object_id);
}

void GarbageCollector::AddedWhole() { whole_pending_.store(true, std::memory_order_release); }

GarbageCollector::Stats GarbageCollector::GetStats() const {
  return {objects_pending_.load(), rows_pending_.load(), rows_removed_.load(), objects_removed_.load()};
}

// ---- removing ----

uint64_t GarbageCollector::Run(uint64_t rows_max) {
  const EngineUse use(engine_.gate());
  if (!use.ok()) return 0;
  std::lock_guard lock(run_mu_);
  uint64_t rows = 0;
  if (whole_pending_.exchange(false, std::memory_order_acquire)) {
    if (!RunBelow(&rows) || !RunDeadNamespaces(rows_max, &rows)) whole_pending_.store(true);
  }
  if (rows < rows_max && !RunObjects(rows_max, &rows)) Lower(0);
  return rows;
}

bool GarbageCollector::Write(rocksdb::WriteBatch* batch) {
  rocksdb::WriteOptions options;
  options.low_pri = true;  // waits when compactions lag behind
  return FromRocks(engine_.Write(options, batch), "removing garbage") == Status::kOk;
}

bool GarbageCollector::DeleteAll(Family family, std::string_view lower, std::string_view upper, bool try_points,
                                 rocksdb::WriteBatch* batch, uint64_t* rows) {
  if (try_points) {
    const rocksdb::Slice end = ToSlice(upper);
    std::unique_ptr<rocksdb::Iterator> iterator = NewIterator(engine_, family, &end);
    std::vector<std::string> keys;
    size_t bytes = 0;
    for (iterator->Seek(ToSlice(lower));
         iterator->Valid() && keys.size() <= kPointDeleteRowsMax && bytes <= kKeyBytesMax; iterator->Next()) {
      keys.push_back(iterator->key().ToString());
      bytes += keys.back().size();
    }
    if (FromRocks(iterator->status(), "reading garbage") != Status::kOk) return false;
    if (!iterator->Valid()) {
      for (const std::string& key : keys) batch->Delete(engine_.handle(family), key);
      CountRemoved(keys.size(), rows);
      return true;
    }
  }
  batch->DeleteRange(engine_.handle(family), ToSlice(lower), ToSlice(upper));
  engine_.NoteRangeTombstones(family, 1);
  freed_[static_cast<int>(family)].Add(lower, upper);
  *rows += kRangeDeleteRows;
  return true;
}

void GarbageCollector::DeleteChunks(const Garbage& garbage, rocksdb::WriteBatch* batch, uint64_t* rows) {
  KeyBuffer key;
  for (uint64_t chunk = 0; chunk < garbage.rows; ++chunk) {
    EncodeChunkKey(garbage.object_id, static_cast<uint32_t>(chunk), &key);
    batch->Delete(engine_.handle(Family::kBig), ToSlice(key.view()));
  }
  CountRemoved(garbage.rows, rows);
}

void GarbageCollector::CountRemoved(uint64_t removed, uint64_t* rows) {
  *rows += removed;
  rows_removed_.fetch_add(removed, std::memory_order_relaxed);
}

bool GarbageCollector::CompactFreed() {
  const EngineUse use(engine_.gate());
  if (!use.ok()) return false;
  bool any = false;
  for (int i = 0; i < kFamilies; ++i) {
    KeyRanges freed;
    {
      std::lock_guard lock(run_mu_);
      std::swap(freed, freed_[i]);
    }
    for (const auto& [lower, upper] : freed.ranges()) engine_.CompactRange(static_cast<Family>(i), lower, upper);
    any = any || !freed.empty();
  }
  return any;
}

bool GarbageCollector::RunBelow(uint64_t* rows) {
  rocksdb::ColumnFamilyHandle* sys = engine_.handle(Family::kSys);
  std::unique_ptr<rocksdb::Iterator> iterator = NewIterator(engine_, Family::kSys, nullptr);
  const char tag = static_cast<char>(SysTag::kGarbageBelow);
  uint64_t below = 0;
  rocksdb::WriteBatch batch;
  for (iterator->Seek(rocksdb::Slice(&tag, 1)); iterator->Valid(); iterator->Next()) {
    const std::optional<uint64_t> id = ParseSysNumber(SysTag::kGarbageBelow, ToView(iterator->key()));
    if (!id) break;
    below = std::max(below, *id);
    batch.Delete(sys, iterator->key());
  }
  if (FromRocks(iterator->status(), "reading garbage records") != Status::kOk) return false;
  if (below == 0) return true;
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeObjectBound(0, &lower);
  EncodeObjectBound(below, &upper);
  for (const RowFamily family : kRowFamilies) {
    if (!DeleteAll(FamilyOf(family), lower.view(), upper.view(), true, &batch, rows)) return false;
  }
  // Records of single objects below say the same.
  EncodeGarbageObjectKey(0, &lower);
  EncodeGarbageObjectKey(below, &upper);
  if (!DeleteAll(Family::kSys, lower.view(), upper.view(), true, &batch, rows)) return false;
  if (!Write(&batch)) return false;
  objects_pending_.store(0);
  rows_pending_.store(0);
  return true;
}

bool GarbageCollector::RunDeadNamespaces(uint64_t rows_max, uint64_t* rows) {
  std::vector<std::pair<Namespace, DeadNamespace>> dead;
  std::unique_ptr<rocksdb::Iterator> iterator = NewIterator(engine_, Family::kSys, nullptr);
  const char tag = static_cast<char>(SysTag::kDeadNamespace);
  for (iterator->Seek(rocksdb::Slice(&tag, 1)); iterator->Valid(); iterator->Next()) {
    const std::optional<uint64_t> ns = ParseSysNumber(SysTag::kDeadNamespace, ToView(iterator->key()));
    if (!ns) break;
    std::optional<DeadNamespace> parsed = ParseDeadNamespace(ToView(iterator->value()));
    if (!parsed) parsed = DeadNamespace{};  // start over
    dead.emplace_back(static_cast<Namespace>(*ns), std::move(*parsed));
  }
  if (FromRocks(iterator->status(), "reading garbage records") != Status::kOk) return false;
  for (auto& [ns, state] : dead) {
    if (*rows >= rows_max) {
      whole_pending_.store(true);
      return true;
    }
    if (!RunDeadNamespace(ns, std::move(state), rows_max, rows)) return false;
  }
  return true;
}

bool GarbageCollector::RunDeadNamespace(Namespace ns, DeadNamespace dead, uint64_t rows_max, uint64_t* rows) {
  rocksdb::ColumnFamilyHandle* sys = engine_.handle(Family::kSys);
  KeyBuffer dead_key;
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeDeadNamespaceKey(ns, &dead_key);
  EncodeMetaBound(ns, 0, &lower);
  EncodeMetaBound(ns, kBuckets, &upper);
  // First the objects: each goes on record, window by window; then the records themselves.
  while (dead.objects_left) {
    if (*rows >= rows_max) {
      whole_pending_.store(true);
      return true;
    }
    const rocksdb::Slice end = ToSlice(upper.view());
    std::unique_ptr<rocksdb::Iterator> iterator = NewIterator(engine_, Family::kMeta, &end);
    rocksdb::WriteBatch batch;
    std::vector<Garbage> found;
    uint64_t looked_at = 0;
    iterator->Seek(dead.next_key.empty() ? ToSlice(lower.view()) : rocksdb::Slice(dead.next_key));
    for (; iterator->Valid() && looked_at < kDeadNamespaceWindow; iterator->Next(), ++looked_at) {
      const RecordPtr record = Record::FromStored(ToView(iterator->value()));
      const std::optional<Garbage> garbage = record == nullptr ? std::nullopt : Garbage::Of(*record);
      if (!garbage) continue;
      KeyBuffer key;
      EncodeGarbageObjectKey(garbage->object_id, &key);
      batch.Put(sys, ToSlice(key.view()), EncodeGarbage(*garbage));
      found.push_back(*garbage);
    }
    if (FromRocks(iterator->status(), "reading a dead name space") != Status::kOk) return false;
    dead.objects_left = iterator->Valid();
    dead.next_key = iterator->Valid() ? iterator->key().ToString() : "";
    if (!found.empty() || dead.objects_left) {
      batch.Put(sys, ToSlice(dead_key.view()), EncodeDeadNamespace(dead));
      if (!Write(&batch)) return false;
    }
    for (const Garbage& each : found) Added(each);
    *rows += std::max<uint64_t>(looked_at / 16, 1);  // looking costs less than deleting
  }
  rocksdb::WriteBatch batch;
  if (!DeleteAll(Family::kMeta, lower.view(), upper.view(), true, &batch, rows)) return false;
  EncodeTtlBound(ns, 0, &lower);
  if (!DeleteAll(Family::kTtl, lower.view(), upper.view(), true, &batch, rows)) return false;
  batch.Delete(sys, ToSlice(dead_key.view()));
  if (!Write(&batch)) return false;
  cache_.EraseNamespace(ns);
  ++*rows;
  return true;
}

bool GarbageCollector::RunObjects(uint64_t rows_max, uint64_t* rows) {
  uint64_t at = std::min(floor_, low_water_.exchange(UINT64_MAX));
  if (at == UINT64_MAX) return true;
  KeyBuffer key;
  EncodeGarbageObjectKey(at, &key);
  // Both as of one moment: what is published while this pass runs still has its record in the iterator's snapshot. An
  // object is protected before its record is written and until it is deleted, so what has one and is not protected is
  // garbage.
  std::unordered_set<uint64_t> kept;
  std::unique_ptr<rocksdb::Iterator> iterator;
  {
    std::lock_guard lock(mu_);
    kept = protected_;
    iterator = NewIterator(engine_, Family::kSys, nullptr);
  }
  rocksdb::WriteBatch batch;
  uint64_t large_objects = 0;
  uint64_t objects = 0;
  uint64_t estimate = 0;
  uint64_t floor = UINT64_MAX;
  struct Range {
    uint64_t first = 0, last = 0;  // ids, both included
  };
  std::array<std::optional<Range>, 3> ranges;
  const auto flush_range = [&](int i) {
    if (!ranges[i]) return true;
    KeyBuffer lower;
    KeyBuffer upper;
    EncodeObjectBound(ranges[i]->first, &lower);
    EncodeObjectBound(ranges[i]->last + 1, &upper);
    ranges[i].reset();
    return DeleteAll(FamilyOf(kRowFamilies[i]), lower.view(), upper.view(), false, &batch, rows);
  };
  const auto write = [&] {
    for (int i = 0; i < 3; ++i) {
      if (!flush_range(i)) return false;
    }
    if (batch.Count() == 0) return true;
    if (!Write(&batch)) return false;
    batch.Clear();
    const auto subtract = [](std::atomic<uint64_t>& from, uint64_t amount) {
      uint64_t seen = from.load();
      while (!from.compare_exchange_weak(seen, seen - std::min(seen, amount))) {
      }
    };
    objects_removed_.fetch_add(std::exchange(large_objects, 0), std::memory_order_relaxed);
    subtract(objects_pending_, std::exchange(objects, 0));
    subtract(rows_pending_, std::exchange(estimate, 0));
    return true;
  };
  for (iterator->Seek(ToSlice(key.view())); iterator->Valid(); iterator->Next()) {
    const std::optional<uint64_t> id = ParseSysNumber(SysTag::kGarbageObject, ToView(iterator->key()));
    if (!id) break;
    if (*rows >= rows_max) {
      floor = std::min(floor, *id);
      break;
    }
    if (kept.contains(*id)) {
      floor = std::min(floor, *id);
      continue;
    }
    std::optional<Garbage> garbage = ParseGarbage(*id, ToView(iterator->value()));
    if (!garbage) garbage = Garbage{*id, Garbage::kAllFamilies, kUnknownRows};
    for (int i = 0; i < 3; ++i) {
      if ((garbage->families & RowFamilyBit(kRowFamilies[i])) == 0) continue;
      if (garbage->rows > kPointDeleteRowsMax) {
        if (ranges[i] && ranges[i]->last + 1 == *id) {
          ranges[i]->last = *id;
        } else {
          if (!flush_range(i)) return false;
          ranges[i] = Range{*id, *id};
        }
        continue;
      }
      if (kRowFamilies[i] == RowFamily::kBig) {
        DeleteChunks(*garbage, &batch, rows);
        continue;
      }
      KeyBuffer lower;
      KeyBuffer upper;
      EncodeObjectBound(*id, &lower);
      EncodeObjectBound(*id + 1, &upper);
      if (!DeleteAll(FamilyOf(kRowFamilies[i]), lower.view(), upper.view(), true, &batch, rows)) return false;
    }
    batch.Delete(engine_.handle(Family::kSys), iterator->key());
    ++*rows;
    ++objects;
    large_objects += garbage->rows > kLargeObjectRows;
    estimate += garbage->rows;
    if (batch.GetDataSize() >= kBatchBytesMax && !write()) return false;
  }
  if (FromRocks(iterator->status(), "reading garbage records") != Status::kOk || !write()) return false;
  floor_ = floor;
  return true;
}

}  // namespace basalt::storage
