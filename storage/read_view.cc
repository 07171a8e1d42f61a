#include "storage/read_view.h"

#include <optional>

#include "storage/key_codec.h"
#include "storage/page_cache.h"
#include "storage/storage_impl.h"

namespace basalt::storage {

struct ReadView::SnapshotHolder {
  rocksdb::DB* db = nullptr;
  const rocksdb::Snapshot* snapshot = nullptr;
  NamespaceMap namespaces;

  void Take() { snapshot = db->GetSnapshot(); }
  void Drop() {
    if (snapshot != nullptr) db->ReleaseSnapshot(snapshot);
    snapshot = nullptr;
  }
  ~SnapshotHolder() { Drop(); }
};

namespace {

rocksdb::ReadOptions OptionsOf(ReadTier tier, const rocksdb::Snapshot* snapshot) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  if (tier == ReadTier::kMemory) options.read_tier = rocksdb::kBlockCacheTier;
  return options;
}

}  // namespace

ReadView::ReadView(Storage& storage, int64_t now_ms, ReadTier tier) : storage_(storage), now_ms_(now_ms), tier_(tier) {}

ReadView::~ReadView() {
  snapshot_.reset();
  LeaveEngine();
}

Status ReadView::EnterEngine() {
  if (snapshot_failed_ != Status::kOk) return snapshot_failed_;
  if (engine_slot_ != EngineGate::kClosed || HoldsEngine()) return Status::kOk;
  EngineGate& gate = storage_.impl().engine.gate();
  if (tier_ == ReadTier::kMemory) {
    engine_slot_ = gate.TryEnter();
    return engine_slot_ != EngineGate::kClosed ? Status::kOk : Status::kIncomplete;
  }
  engine_slot_ = gate.Enter();
  return engine_slot_ != EngineGate::kClosed ? Status::kOk : Status::kIoError;
}

void ReadView::LeaveEngine() {
  if (engine_slot_ == EngineGate::kClosed) return;
  storage_.impl().engine.gate().Leave(engine_slot_);
  engine_slot_ = EngineGate::kClosed;
}

void ReadView::RequireSnapshot() {
  if (snapshot_ != nullptr) return;
  snapshot_failed_ = EnterEngine();
  if (snapshot_failed_ != Status::kOk) return;
  Storage::Impl& impl = storage_.impl();
  snapshot_ = std::make_unique<SnapshotHolder>();
  snapshot_->db = impl.engine.db();
  const auto patience = tier_ == ReadTier::kMemory ? DatabaseTable::Patience::kNone : DatabaseTable::Patience::kWaits;
  const bool taken = impl.databases.CopyAtOneMoment(
      &snapshot_->namespaces, patience, [this] { snapshot_->Take(); }, [this] { snapshot_->Drop(); });
  if (taken) return;
  snapshot_.reset();
  snapshot_failed_ = Status::kIncomplete;
}

uint64_t ReadView::snapshot_sequence() const {
  return snapshot_ == nullptr ? 0 : snapshot_->snapshot->GetSequenceNumber();
}

Namespace ReadView::NamespaceOf(DbIndex db) const {
  return snapshot_ != nullptr ? snapshot_->namespaces[db] : storage_.impl().databases.NamespaceOf(db);
}

Status ReadView::LoadRecord(Namespace ns, const HashedKey& key, RecordPtr* record) {
  if (snapshot_failed_ != Status::kOk) return snapshot_failed_;
  // What was committed after the snapshot, or is being committed, does not count.
  const uint64_t sequence_max =
      snapshot_ == nullptr ? RecordCache::kAnySequence : snapshot_->snapshot->GetSequenceNumber();
  const auto use = counts_as_use_ ? RecordCache::Use::kCounts : RecordCache::Use::kPeek;
  if (storage_.impl().cache.Lookup(ns, key, now_ms_, sequence_max, use, record)) return Status::kOk;
  return ReadRecordFromDisk(ns, key, record);
}

Status ReadView::Get(rocksdb::ColumnFamilyHandle* family, std::string_view stored_key, rocksdb::PinnableSlice* value,
                     const char* doing) {
  Engine& engine = storage_.impl().engine;
  rocksdb::ReadOptions options = OptionsOf(tier_, snapshot_ == nullptr ? nullptr : snapshot_->snapshot);
  std::optional<PageCacheOnly> page_cache_only;
  if (tier_ == ReadTier::kMemory && engine.reads_page_cache() && page_cache_gets_ < kPageCacheGetsMax) {
    ++page_cache_gets_;
    options.read_tier = rocksdb::kReadAllTier;
    page_cache_only.emplace();
  }
  return FromRocks(engine.db()->Get(options, family, ToSlice(stored_key), value), doing);
}

Status ReadView::ReadRecordFromDisk(Namespace ns, const HashedKey& key, RecordPtr* record) {
  if (const Status entered = EnterEngine(); entered != Status::kOk) return entered;
  Storage::Impl& impl = storage_.impl();
  const KeyLocks::Stripe stripe = KeyLocks::StripeOf(key.hash);
  const uint64_t version = impl.locks.Version(stripe);
  const uint64_t stripe_sequence = impl.locks.LastSequence(stripe);
  KeyBuffer meta_key;
  EncodeMetaKey(ns, key, &meta_key);
  const rocksdb::Snapshot* snapshot = snapshot_ == nullptr ? nullptr : snapshot_->snapshot;
  rocksdb::PinnableSlice stored;
  const Status status = Get(impl.engine.handle(Family::kMeta), meta_key.view(), &stored, "reading a record");
  if (status != Status::kOk) return status;
  *record = Record::FromStored(ToView(stored));
  if (*record == nullptr) return Status::kCorruption;
  if (snapshot == nullptr) {
    impl.cache.Fill(ns, key, *record, version, impl.engine.LatestSequence(), now_ms_);
  } else if (stripe_sequence <= snapshot->GetSequenceNumber()) {
    // Nothing has touched the stripe between the snapshot and `version`: what the snapshot shows is the last there is.
    impl.cache.Fill(ns, key, *record, version, snapshot->GetSequenceNumber(), now_ms_);
  }
  return Status::kOk;
}

Status ReadView::GetRecord(DbIndex db, const HashedKey& key, RecordPtr* record) {
  const Status status = LoadRecord(NamespaceOf(db), key, record);
  if (status != Status::kOk) return status;
  if ((*record)->ExpiredAt(now_ms_)) {
    *record = nullptr;
    met_expired_ = true;
    return Status::kNotFound;
  }
  return Status::kOk;
}

Status ReadView::GetRecord(DbIndex db, const HashedKey& key, ValueType type, RecordPtr* record) {
  const Status status = GetRecord(db, key, record);
  if (status != Status::kOk) return status;
  return (*record)->type() == type ? Status::kOk : Status::kWrongType;
}

Status ReadView::GetRow(RowFamily family, std::string_view row_key, std::string* value) {
  if (const Status entered = EnterEngine(); entered != Status::kOk) return entered;
  rocksdb::PinnableSlice stored(value);
  const Status status = Get(storage_.impl().engine.handle(family), row_key, &stored, "reading a row");
  if (status == Status::kOk && stored.IsPinned()) value->assign(stored.data(), stored.size());
  return status;
}

Status ReadView::ScanRows(RowFamily family, std::string_view lower, std::string_view upper, ScanOrder order,
                          RowVisitor visit, void* context) {
  if (const Status entered = EnterEngine(); entered != Status::kOk) return entered;
  Storage::Impl& impl = storage_.impl();
  rocksdb::ReadOptions options = OptionsOf(tier_, snapshot_ == nullptr ? nullptr : snapshot_->snapshot);
  const rocksdb::Slice first = ToSlice(lower);
  const rocksdb::Slice end = ToSlice(upper);
  options.iterate_lower_bound = &first;
  options.iterate_upper_bound = &end;
  std::unique_ptr<rocksdb::Iterator> iterator(impl.engine.db()->NewIterator(options, impl.engine.handle(family)));
  const bool forward = order == ScanOrder::kForward;
  for (forward ? iterator->Seek(first) : iterator->SeekForPrev(end); iterator->Valid();
       forward ? iterator->Next() : iterator->Prev()) {
    if (!visit(context, ToView(iterator->key()), ToView(iterator->value()))) return Status::kOk;
  }
  return FromRocks(iterator->status(), "reading rows");
}

Status ReadView::ScanRecords(DbIndex db, uint64_t first_bucket, uint64_t last_bucket, RecordVisitor visit,
                             void* context) {
  if (const Status entered = EnterEngine(); entered != Status::kOk) return entered;
  Storage::Impl& impl = storage_.impl();
  const Namespace ns = NamespaceOf(db);
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeMetaBound(ns, first_bucket, &lower);
  EncodeMetaBound(ns, last_bucket, &upper);
  rocksdb::ReadOptions options = OptionsOf(tier_, snapshot_ == nullptr ? nullptr : snapshot_->snapshot);
  const rocksdb::Slice end = ToSlice(upper.view());
  options.iterate_upper_bound = &end;
  std::unique_ptr<rocksdb::Iterator> iterator(
      impl.engine.db()->NewIterator(options, impl.engine.handle(Family::kMeta)));
  for (iterator->Seek(ToSlice(lower.view())); iterator->Valid(); iterator->Next()) {
    const std::optional<MetaKey> key = ParseMetaKey(ToView(iterator->key()));
    const RecordPtr record = Record::FromStored(ToView(iterator->value()));
    if (!key || record == nullptr) return Status::kCorruption;
    if (!visit(context, key->bucket, key->user_key, record)) return Status::kOk;
  }
  return FromRocks(iterator->status(), "reading records");
}

uint64_t ReadView::KeyCount(DbIndex db) const { return storage_.Counts(db).keys; }

}  // namespace basalt::storage
