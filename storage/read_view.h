#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "storage/key.h"
#include "storage/metadata.h"
#include "storage/status.h"

namespace rocksdb {
class ColumnFamilyHandle;
class PinnableSlice;
}  // namespace rocksdb

namespace basalt::storage {

class Storage;
class WriteTxn;

// Column families that hold rows of objects. (`meta`, `ttl` and `sys` are the storage's own.)
enum class RowFamily : uint8_t { kBig, kData, kScore };
constexpr uint8_t RowFamilyBit(RowFamily family) { return static_cast<uint8_t>(1u << static_cast<int>(family)); }

enum class ScanOrder : uint8_t { kForward, kBackward };

enum class ReadTier : uint8_t {
  kMemory,  // fast lane: what is neither in our memory nor in the kernel's (its page cache) is kIncomplete
  kDisk,
};

// What one command (or EXEC, or script) reads through. Takes no locks. The clock is frozen for its lifetime.
//
// A read of one record uses the record cache or one Get. Before the first row or the second key it must be told so with
// RequireSnapshot(): from then on everything is read as of one moment; a cached record counts only when it was
// committed before that moment.
//
// Pool thread that created it only; short-lived (it may hold back reclaim).
class ReadView {
 public:
  ReadView(Storage& storage, int64_t now_ms, ReadTier tier);
  virtual ~ReadView();
  ReadView(const ReadView&) = delete;
  ReadView& operator=(const ReadView&) = delete;

  int64_t now_ms() const { return now_ms_; }
  ReadTier tier() const { return tier_; }
  Storage& storage() const { return storage_; }
  // Whether a key was asked for whose time has come but that is still there: read again in a WriteTxn, it is removed.
  bool met_expired() const { return met_expired_; }
  // The same of a part of a value that expires by itself (fields of hashes): told by its store. In a WriteTxn the store
  // removes it instead.
  void NoteExpired() { met_expired_ = true; }

  // Whether the reads that follow are uses of their keys (OBJECT IDLETIME and FREQ tell of them). They are unless told
  // otherwise.
  void CountAsUse(bool on) { counts_as_use_ = on; }

  // Idempotent. In a WriteTxn it does nothing: its keys are locked.
  virtual void RequireSnapshot();

  // The sequence as of which rows are read; 0 before RequireSnapshot(). Not of a WriteTxn.
  uint64_t snapshot_sequence() const;
  // This view as the commit group that it is; null when it is none.
  virtual WriteTxn* AsWriteTxn() { return nullptr; }

  // The live record of a key, whatever its type. kNotFound when absent or expired at now_ms().
  virtual Status GetRecord(DbIndex db, const HashedKey& key, RecordPtr* record);
  // As above, and kWrongType unless it holds `type`.
  Status GetRecord(DbIndex db, const HashedKey& key, ValueType type, RecordPtr* record);

  // One row of an object. REQUIRES: RequireSnapshot() before the record with its object id was read (or a WriteTxn).
  virtual Status GetRow(RowFamily family, std::string_view row_key, std::string* value);

  // Rows of [lower, upper) in order, `visit` returns false to stop. It may read, but not write through this view.
  using RowVisitor = bool (*)(void* context, std::string_view row_key, std::string_view value);
  virtual Status ScanRows(RowFamily family, std::string_view lower, std::string_view upper, ScanOrder order,
                          RowVisitor visit, void* context);

  // Records whose bucket is in [first, last), in order of bucket, as of one moment; those that have expired too. For
  // Keyspace.
  using RecordVisitor = bool (*)(void* context, uint64_t bucket, std::string_view key, const RecordPtr& record);
  virtual Status ScanRecords(DbIndex db, uint64_t first_bucket, uint64_t last_bucket, RecordVisitor visit,
                             void* context);

  // Keys of a database as this view sees them (a WriteTxn: with its own), expired ones not yet removed included.
  virtual uint64_t KeyCount(DbIndex db) const;

 protected:
  virtual Namespace NamespaceOf(DbIndex db) const;
  // The stored record, expired or not, from the cache or from disk.
  Status LoadRecord(Namespace ns, const HashedKey& key, RecordPtr* record);

  // Before the first call of RocksDB: from here on it is not closed (EngineGate). kIncomplete when it is being reopened
  // and the tier is kMemory; with kDisk it waits. kIoError when it could not be opened again.
  Status EnterEngine();
  void LeaveEngine();
  // Whether something else keeps RocksDB open for this view.
  virtual bool HoldsEngine() const { return false; }

  // Single rows that a command in the fast lane may fetch from the page cache, at 10 to 20 µs each; then only from the
  // block cache.
  static constexpr int kPageCacheGetsMax = 16;

  Storage& storage_;
  int64_t now_ms_;
  ReadTier tier_;
  bool met_expired_ = false;
  bool counts_as_use_ = true;
  int page_cache_gets_ = 0;

 private:
  Status Get(rocksdb::ColumnFamilyHandle* family, std::string_view stored_key, rocksdb::PinnableSlice* value,
             const char* doing);
  Status ReadRecordFromDisk(Namespace ns, const HashedKey& key, RecordPtr* record);

  struct SnapshotHolder;
  std::unique_ptr<SnapshotHolder> snapshot_;
  int engine_slot_ = -1;                  // EngineGate's
  Status snapshot_failed_ = Status::kOk;  // what every read answers when RequireSnapshot could not have one
};

// Lambdas for the visitors above, without a std::function: ScanRows(view, family, lower, upper, [&](key, value) { … }).
template <typename Visit>
Status ScanRows(ReadView& view, RowFamily family, std::string_view lower, std::string_view upper, ScanOrder order,
                Visit&& visit) {
  return view.ScanRows(
      family, lower, upper, order,
      [](void* context, std::string_view key, std::string_view value) {
        return (*static_cast<std::remove_reference_t<Visit>*>(context))(key, value);
      },
      const_cast<void*>(static_cast<const void*>(&visit)));
}
template <typename Visit>
Status ScanRows(ReadView& view, RowFamily family, std::string_view lower, std::string_view upper, Visit&& visit) {
  return ScanRows(view, family, lower, upper, ScanOrder::kForward, visit);
}
template <typename Visit>
Status ScanRecords(ReadView& view, DbIndex db, uint64_t first_bucket, uint64_t last_bucket, Visit&& visit) {
  return view.ScanRecords(
      db, first_bucket, last_bucket,
      [](void* context, uint64_t bucket, std::string_view key, const RecordPtr& record) {
        return (*static_cast<std::remove_reference_t<Visit>*>(context))(bucket, key, record);
      },
      const_cast<void*>(static_cast<const void*>(&visit)));
}

}  // namespace basalt::storage
