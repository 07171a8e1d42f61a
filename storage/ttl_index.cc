#include "storage/ttl_index.h"

#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "storage/hash_store.h"
#include "storage/key_codec.h"
#include "storage/storage_impl.h"
#include "storage/write_txn.h"

namespace basalt::storage {

uint64_t TtlIndex::Run(Storage& storage, uint64_t units_max) {
  const EngineUse use(storage.impl().engine.gate());
  if (!use.ok()) return 0;
  std::lock_guard lock(run_mu_);
  const auto started = std::chrono::steady_clock::now();
  const int64_t now_ms = storage.NowMs();
  DatabaseTable& databases = storage.impl().databases;
  overdue_ms_.store(0, std::memory_order_relaxed);
  uint64_t removed = 0;
  for (int i = 0; i < databases.size() && removed < units_max && !paused_.load(); ++i) {
    const int db = next_db_;
    next_db_ = (db + 1) % databases.size();
    removed += RunDatabase(storage, static_cast<DbIndex>(db), now_ms, units_max - removed);
  }
  if (floors_.size() > 2 * static_cast<size_t>(databases.size())) floors_.clear();  // of name spaces that are gone
  cycle_us_.fetch_add(
      static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started).count()),
      std::memory_order_relaxed);
  return removed;
}

// Removes what is due of a key that is locked: the key itself, or up to `fields_max` fields of a hash. *done: nothing
// of it is due any more.
Status TtlIndex::RemoveDue(WriteTxn& txn, DbIndex db, const HashedKey& key, uint64_t fields_max, uint64_t* removed,
                           bool* done) {
  *removed = 1;
  *done = true;
  RecordPtr record;
  Status status = txn.GetRecord(db, key, &record);  // which removes it, if the exact time has come
  if (status == Status::kNotFound) return Status::kOk;
  if (status != Status::kOk || !record->FieldsDueAt(txn.now_ms())) return status;
  status = HashStore::RemoveDue(txn, db, key, fields_max, removed);
  *done = *removed < fields_max;
  return status;
}

uint64_t TtlIndex::RunDatabase(Storage& storage, DbIndex db, int64_t now_ms, uint64_t units_max) {
  Storage::Impl& impl = storage.impl();
  Database& database = impl.databases[db];
  const Namespace ns = impl.databases.NamespaceOf(db);
  // Taken before the iterator: what is committed after this lowers the mark again, what was committed before is seen.
  const int64_t low_water = database.ttl_low_water.exchange(INT64_MAX);
  if (impl.databases.NamespaceOf(db) != ns) {  // swapped meanwhile: the mark may be the other one's
    database.ttl_low_water.store(0);
    return 0;
  }
  KeyBuffer bound;
  EncodeTtlBound(ns, 0, &bound);
  std::string& floor = floors_.try_emplace(ns, bound.view()).first->second;
  EncodeTtlBound(ns, std::max<int64_t>(low_water, 0), &bound);
  if (bound.view() < floor) floor = bound.view();
  EncodeTtlBound(ns, now_ms + 1, &bound);
  if (floor >= bound.view()) return 0;

  KeyBuffer upper;
  EncodeTtlBound(ns, INT64_MAX, &upper);  // the first row that is not due yet says when to look again
  const rocksdb::Slice end = ToSlice(upper.view());
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end;
  std::unique_ptr<rocksdb::Iterator> rows(impl.engine.db()->NewIterator(options, impl.engine.handle(Family::kTtl)));
  WriteTxn txn(storage);
  uint64_t removed = 0;
  std::string next_floor(upper.view());
  const auto look_again_at = [&next_floor](std::string_view row_key) {
    if (row_key < next_floor) next_floor = row_key;
  };
  rows->Seek(ToSlice(floor));
  const auto due = [&] {
    if (!rows->Valid()) return false;
    const std::optional<TtlKey> row = ParseTtlKey(ToView(rows->key()));
    return !row || row->expire_ms <= now_ms;
  };
  while (removed < units_max && due()) {
    uint64_t batch_units = 0;
    const std::string batch_floor = rows->key().ToString();
    bool done = true;
    while (done && due() && batch_units < std::min<uint64_t>(kBatchUnits, units_max - removed)) {
      const std::optional<TtlKey> row = ParseTtlKey(ToView(rows->key()));
      if (!row) {
        LOG_EVERY_N(ERROR, 1000) << "a row of the TTL index is not one";
        rows->Next();
        continue;
      }
      const HashedKey key = storage.Hash(row->user_key);
      if (txn.LockKeys({&key, 1}) != Status::kOk) {  // busy: next time
        look_again_at(ToView(rows->key()));
        if (txn.BlockedByGate()) break;  // and so would be all others
        rows->Next();
        continue;
      }
      uint64_t units = 0;
      txn.BeginCommand(now_ms, ReadTier::kDisk);
      const Status status = RemoveDue(txn, db, key, kBatchUnits, &units, &done);
      if (status == Status::kOk) {
        txn.EndCommand();
      } else {
        txn.RollbackCommand();
        look_again_at(ToView(rows->key()));
        done = true;
      }
      batch_units += units;
      if (done) rows->Next();  // else this hash again, in the next commit: its row may be another by then
    }
    uint64_t sequence = 0;
    // met_expired: what was met is there still, since by now nothing may expire.
    if (txn.Commit(observer_.load(), false, &sequence) != Status::kOk || txn.met_expired() || txn.BlockedByGate()) {
      look_again_at(batch_floor);
      break;
    }
    removed += batch_units;
  }
  if (rows->Valid()) look_again_at(ToView(rows->key()));
  if (const std::optional<TtlKey> next = ParseTtlKey(next_floor)) {
    overdue_ms_.store(std::max(overdue_ms(), now_ms - next->expire_ms), std::memory_order_relaxed);
  }
  if (FromRocks(rows->status(), "reading the TTL index") == Status::kOk) floor = std::move(next_floor);
  return removed;
}

void TtlIndex::Remove(Storage& storage, DbIndex db, std::span<const std::string> keys) {
  if (!storage.MayExpire()) return;
  const EngineUse use(storage.impl().engine.gate());
  if (!use.ok()) return;
  WriteTxn txn(storage);
  for (const std::string& name : keys) {
    const HashedKey key = storage.Hash(name);
    if (txn.LockKeys({&key, 1}) != Status::kOk) continue;
    txn.BeginCommand(storage.NowMs(), ReadTier::kDisk);
    RecordPtr record;
    const Status status = txn.GetRecord(db, key, &record);
    status == Status::kOk || status == Status::kNotFound ? txn.EndCommand() : txn.RollbackCommand();
  }
  uint64_t sequence = 0;
  const Status status = txn.Commit(observer_.load(), false, &sequence);
  if (status != Status::kOk) LOG(WARNING) << "expired keys stay for now: " << StatusName(status);
}

void TtlIndex::EstimateAverages(Storage& storage) {
  const EngineUse use(storage.impl().engine.gate());
  if (!use.ok()) return;
  Storage::Impl& impl = storage.impl();
  const int64_t now_ms = storage.NowMs();
  for (int i = 0; i < impl.databases.size(); ++i) {
    Database& database = impl.databases[static_cast<DbIndex>(i)];
    if (database.expires.load(std::memory_order_relaxed) == 0) {
      database.average_ttl_ms.store(0, std::memory_order_relaxed);
      continue;
    }
    // The middle between the first and the last that will expire: exact for times that are spread evenly.
    const Namespace ns = impl.databases.NamespaceOf(static_cast<DbIndex>(i));
    KeyBuffer lower;
    KeyBuffer upper;
    EncodeTtlBound(ns, now_ms, &lower);
    EncodeTtlBound(ns, INT64_MAX, &upper);
    const rocksdb::Slice end = ToSlice(upper.view());
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &end;
    std::unique_ptr<rocksdb::Iterator> rows(impl.engine.db()->NewIterator(options, impl.engine.handle(Family::kTtl)));
    int64_t sum = 0;
    rows->Seek(ToSlice(lower.view()));
    if (rows->Valid()) {
      if (const std::optional<TtlKey> first = ParseTtlKey(ToView(rows->key()))) sum += (first->expire_ms - now_ms) / 2;
      rows->SeekForPrev(end);
      if (rows->Valid()) {
        if (const std::optional<TtlKey> last = ParseTtlKey(ToView(rows->key()))) sum += (last->expire_ms - now_ms) / 2;
      }
    }
    database.average_ttl_ms.store(std::max<int64_t>(sum, 0), std::memory_order_relaxed);
  }
}

}  // namespace basalt::storage
