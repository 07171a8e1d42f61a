#include "storage/database.h"

#include <glog/logging.h>

#include "storage/engine.h"
#include "storage/key_codec.h"

namespace basalt::storage {
namespace {

// Ids are leased on disk this many at a time, so that none is handed out twice, also not after a crash.
constexpr uint64_t kObjectIdLease = 1 << 20;

// kNotFound, kCorruption; otherwise *number is what the row says.
Status ReadNumber(Engine& engine, const KeyBuffer& key, size_t bytes, uint64_t* number) {
  std::string value;
  const rocksdb::Status status =
      engine.db()->Get(rocksdb::ReadOptions(), engine.handle(Family::kSys), ToSlice(key.view()), &value);
  if (!status.ok()) return FromRocks(status, "reading sys");
  if (value.size() != bytes) return Status::kCorruption;
  *number = bytes == 8 ? GetBig64(value.data()) : GetBig32(value.data());
  return Status::kOk;
}

// Zeros when there is no row. kCorruption.
Status ReadCounts(Engine& engine, Namespace ns, CountsDelta* counts) {
  KeyBuffer key;
  EncodeCountsKey(ns, &key);
  std::string value;
  const rocksdb::Status read =
      engine.db()->Get(rocksdb::ReadOptions(), engine.handle(Family::kSys), ToSlice(key.view()), &value);
  *counts = {};
  if (read.IsNotFound()) return Status::kOk;
  if (!read.ok()) return FromRocks(read, "reading counters");
  const std::optional<CountsDelta> parsed = ParseCounts(value);
  if (!parsed) return Status::kCorruption;
  *counts = *parsed;
  return Status::kOk;
}

// Whether a database with this number or a higher one holds keys.
Status FindKeysFrom(Engine& engine, int first, bool* found) {
  *found = false;
  KeyBuffer key;
  EncodeDatabaseKey(static_cast<DbIndex>(first), &key);
  const std::unique_ptr<rocksdb::Iterator> row(
      engine.db()->NewIterator(rocksdb::ReadOptions(), engine.handle(Family::kSys)));
  for (row->Seek(ToSlice(key.view())); row->Valid() && row->key()[0] == key.view()[0] && !*found; row->Next()) {
    CountsDelta counts;
    if (row->value().size() != 4) return Status::kCorruption;
    const Status status = ReadCounts(engine, GetBig32(row->value().data()), &counts);
    if (status != Status::kOk) return status;
    *found = counts.keys != 0;
  }
  return FromRocks(row->status(), "reading sys");
}

}  // namespace

void NamespaceMap::Set(DbIndex db, Namespace ns) {
  if (db < kInline) {
    inline_[db] = ns;
    return;
  }
  if (rest_.size() <= db - kInline) rest_.resize(db - kInline + 1);
  rest_[db - kInline] = ns;
}

DatabaseTable::DatabaseTable(int databases)
    : size_(databases), databases_(std::make_unique<Database[]>(static_cast<size_t>(databases))) {}

Status DatabaseTable::Load(Engine& engine) {
  KeyBuffer key;
  uint64_t number = 0;

  EncodeSysKey(SysTag::kNextObjectId, &key);
  Status status = ReadNumber(engine, key, 8, &number);
  if (status != Status::kOk && status != Status::kNotFound) return status;
  const uint64_t next_id = status == Status::kOk ? number : 1;
  next_object_id_.store(next_id);
  leased_object_ids_.store(next_id);

  EncodeSysKey(SysTag::kNextNamespace, &key);
  status = ReadNumber(engine, key, 4, &number);
  if (status != Status::kOk && status != Status::kNotFound) return status;
  next_namespace_.store(status == Status::kOk ? static_cast<Namespace>(number) : 1);

  status = FindKeysFrom(engine, size_, &has_hidden_keys_);
  if (status != Status::kOk) return status;

  rocksdb::WriteBatch added;
  for (int i = 0; i < size_; ++i) {
    const DbIndex db = static_cast<DbIndex>(i);
    Database& database = databases_[db];
    EncodeDatabaseKey(db, &key);
    status = ReadNumber(engine, key, 4, &number);
    if (status == Status::kNotFound) {
      const Namespace ns = NewNamespace();
      char value[4];
      PutBig32(value, ns);
      added.Put(engine.handle(Family::kSys), ToSlice(key.view()), rocksdb::Slice(value, 4));
      number = ns;
    } else if (status != Status::kOk) {
      return status;
    }
    database.ns.store(static_cast<Namespace>(number));
    CountsDelta counts;
    status = ReadCounts(engine, static_cast<Namespace>(number), &counts);
    if (status != Status::kOk) return status;
    database.keys.store(counts.keys);
    database.expires.store(counts.expires);
    database.ttl_low_water.store(0);
  }
  if (added.Count() == 0) return Status::kOk;
  char value[4];
  PutBig32(value, NextNamespace());
  EncodeSysKey(SysTag::kNextNamespace, &key);
  added.Put(engine.handle(Family::kSys), ToSlice(key.view()), rocksdb::Slice(value, 4));
  return FromRocks(engine.Write(rocksdb::WriteOptions(), &added), "creating databases");
}

void DatabaseTable::BeginRemap() { version_.fetch_add(1, std::memory_order_acq_rel); }
void DatabaseTable::EndRemap() { version_.fetch_add(1, std::memory_order_release); }

void DatabaseTable::Replace(DbIndex db, Namespace ns) {
  Database& database = databases_[db];
  database.ns.store(ns, std::memory_order_release);
  database.keys.store(0, std::memory_order_relaxed);
  database.expires.store(0, std::memory_order_relaxed);
  database.average_ttl_ms.store(0, std::memory_order_relaxed);
  database.ttl_low_water.store(INT64_MAX, std::memory_order_relaxed);
}

void DatabaseTable::Swap(DbIndex a, DbIndex b) {
  const auto exchange = [](auto& x, auto& y) { y.store(x.exchange(y.load())); };
  exchange(databases_[a].ns, databases_[b].ns);
  exchange(databases_[a].keys, databases_[b].keys);
  exchange(databases_[a].expires, databases_[b].expires);
  exchange(databases_[a].average_ttl_ms, databases_[b].average_ttl_ms);
  for (const DbIndex db : {a, b})
    databases_[db].ttl_low_water.store(0);  // the cycle may be between the two: it starts over
}

void DatabaseTable::Count(Namespace ns, DbIndex hint, const CountsDelta& delta, int64_t expire_min) {
  for (int i = -1; i < size_; ++i) {
    Database& database = databases_[i < 0 ? hint : static_cast<DbIndex>(i)];
    if (database.ns.load(std::memory_order_relaxed) != ns) continue;
    if (delta.keys != 0) database.keys.fetch_add(delta.keys, std::memory_order_relaxed);
    if (delta.expires != 0) database.expires.fetch_add(delta.expires, std::memory_order_relaxed);
    int64_t seen = database.ttl_low_water.load(std::memory_order_relaxed);
    while (expire_min < seen && !database.ttl_low_water.compare_exchange_weak(seen, expire_min)) {
    }
    return;
  }
}

uint64_t DatabaseTable::NewObjectId(Engine& engine) {
  const uint64_t id = next_object_id_.fetch_add(1, std::memory_order_relaxed);
  if (id < leased_object_ids_.load(std::memory_order_acquire)) return id;
  std::lock_guard lock(lease_mu_);
  if (id < leased_object_ids_.load(std::memory_order_relaxed)) return id;
  const uint64_t leased = id + kObjectIdLease;
  KeyBuffer key;
  EncodeSysKey(SysTag::kNextObjectId, &key);
  char value[8];
  PutBig64(value, leased);
  rocksdb::WriteBatch lease;
  lease.Put(engine.handle(Family::kSys), ToSlice(key.view()), rocksdb::Slice(value, 8));
  if (FromRocks(engine.Write(rocksdb::WriteOptions(), &lease), "leasing object ids") != Status::kOk) return 0;
  leased_object_ids_.store(leased, std::memory_order_release);
  return id;
}

}  // namespace basalt::storage
