#include "storage/write_txn.h"

#include "storage/write_txn_impl.h"

namespace basalt::storage {
namespace {

constexpr size_t kLargeBatchBytes = 256 << 10;  // rows of large objects are written so many at a time
constexpr size_t kRowIndexBytes = 64;           // of one node of row_index

}  // namespace

// ---- the interface ----

WriteTxn::WriteTxn(Storage& storage) : ReadView(storage, 0, ReadTier::kDisk), impl_(std::make_unique<Impl>(storage)) {}

WriteTxn::~WriteTxn() { Abort(); }

void WriteTxn::SetExpiryListener(ExpiryListener* listener) { impl_->expiry_listener = listener; }

Status WriteTxn::LockKeys(std::span<const HashedKey> keys) {
  if (impl_->exclusive) return Status::kOk;
  const bool entered = !impl_->inside_gate;
  impl_->blocked_by_gate = entered && !impl_->storage.gate.TryEnter(impl_->slot);
  if (impl_->blocked_by_gate) return Status::kLocked;
  impl_->inside_gate = true;
  if (impl_->storage.locks.TryLock(keys, &impl_->grant)) return Status::kOk;
  if (entered) {
    impl_->storage.gate.Leave(impl_->slot);
    impl_->inside_gate = false;
  }
  return Status::kLocked;
}

bool WriteTxn::BlockedByGate() const { return impl_->blocked_by_gate; }

bool WriteTxn::Holds(const HashedKey& key) const {
  return impl_->exclusive || (impl_->inside_gate && impl_->grant.Holds(KeyLocks::StripeOf(key.hash)));
}

void WriteTxn::RefuseWaiters() {
  if (impl_->exclusive) impl_->storage.gate.RefuseWaiters();
  impl_->storage.locks.RefuseWaiters(impl_->grant);
}

void WriteTxn::AdoptLocks(KeyLocks::Grant grant) { impl_->grant.Merge(std::move(grant)); }

void WriteTxn::RunExclusive() {
  assert(!impl_->inside_gate && !impl_->changed);
  impl_->exclusive = true;
}

bool WriteTxn::exclusive() const { return impl_->exclusive; }

void WriteTxn::BeginCommand(int64_t now_ms, ReadTier tier) {
  now_ms_ = now_ms;
  tier_ = tier;
  if (impl_->marks.empty()) page_cache_gets_ = 0;
  impl_->marks.push_back({impl_->undo.size(), impl_->rows.size(), impl_->garbage.size(), impl_->remaps.size(),
                          impl_->large_objects.size(), impl_->record_bytes, impl_->changed});
}

void WriteTxn::EndCommand() {
  assert(!impl_->marks.empty());
  impl_->marks.pop_back();
  if (impl_->marks.empty()) impl_->undo.clear();
}

void WriteTxn::VisitCommandChanges(void (*visit)(void* context, const CommandChange& change), void* context) const {
  const Impl& impl = *impl_;
  assert(!impl.marks.empty());
  std::vector<bool> seen(impl.entries.size());
  for (size_t i = impl.marks.back().undo; i < impl.undo.size(); ++i) {
    const Impl::Undo& undo = impl.undo[i];
    if (seen[undo.entry]) continue;
    seen[undo.entry] = true;
    const Impl::Entry& entry = impl.entries[undo.entry];
    const bool expired = entry.expired && !undo.expired;
    const bool ended = expired || (entry.hash_expired && !undo.hash_expired);
    visit(context, {entry.db, entry.hashed(), undo.current != nullptr && !ended, entry.current != nullptr, expired});
  }
}

void WriteTxn::RollbackCommand() {
  Impl& impl = *impl_;
  assert(!impl.marks.empty());
  const Impl::Mark mark = impl.marks.back();
  impl.marks.pop_back();
  while (impl.undo.size() > mark.undo) {
    Impl::Undo& undo = impl.undo.back();
    Impl::Entry& entry = impl.entries[undo.entry];
    entry.current = std::move(undo.current);
    entry.changed = undo.changed;
    entry.expired = undo.expired;
    entry.fields_expired = undo.fields_expired;
    entry.hash_expired = undo.hash_expired;
    impl.undo.pop_back();
  }
  impl.TruncateRows(mark.rows);
  impl.garbage.resize(mark.garbage);
  impl.DropLarge(mark.large);
  impl.large_batch.Clear();
  if (impl.remaps.size() > mark.remaps) {
    impl.remaps.resize(mark.remaps);
    impl.RebuildNamespaces();
  }
  impl.record_bytes = mark.record_bytes;
  impl.changed = mark.changed;
  std::erase_if(impl.participants,
                [&mark](const std::shared_ptr<CommitParticipant>& each) { return !each->OnRolledBack(mark.rows); });
}

bool WriteTxn::HasPendingWrites() const { return impl_->changed; }

size_t WriteTxn::PendingBytes() const {
  return impl_->arena.bytes() + impl_->record_bytes;  // keys and rows are in the arena
}

size_t WriteTxn::MemoryBytes() const {
  return impl_->arena.bytes() + impl_->held_bytes + impl_->entries.size() * sizeof(Impl::Entry) +
         impl_->undo.size() * sizeof(Impl::Undo) + impl_->rows.size() * (sizeof(Impl::RowOp) + kRowIndexBytes) +
         impl_->garbage.size() * sizeof(Garbage);
}

Namespace WriteTxn::NamespaceOf(DbIndex db) const {
  return impl_->namespaces ? (*impl_->namespaces)[db] : ReadView::NamespaceOf(db);
}

bool WriteTxn::HoldsEngine() const { return impl_->inside_gate || impl_->exclusive; }

Status WriteTxn::GetRecord(DbIndex db, const HashedKey& key, RecordPtr* record) {
  Impl& impl = *impl_;
  const Namespace ns = NamespaceOf(db);
  Impl::Entry* entry = impl.Find(ns, key);
  if (entry == nullptr) {
    RecordPtr original;
    const Status status = LoadRecord(ns, key, &original);
    if (status != Status::kOk && status != Status::kNotFound) return status;
    entry = impl.Add(ns, db, key, std::move(original));
  }
  if (entry->current != nullptr && entry->current->ExpiredAt(now_ms_)) {
    if (!impl.storage.MayExpire()) {
      met_expired_ = true;
      *record = nullptr;
      return Status::kNotFound;
    }
    impl.Expire(entry);
  }
  *record = entry->current;
  return *record != nullptr ? Status::kOk : Status::kNotFound;
}

Status WriteTxn::GetRow(RowFamily family, std::string_view row_key, std::string* value) {
  const Impl& impl = *impl_;
  const auto& index = impl.row_index[static_cast<int>(FamilyOf(family))];
  const auto found = index.empty() ? index.end() : index.find(row_key);
  const uint32_t last = found == index.end() ? Impl::kNoOp : found->second;
  if (impl.DeletedByRange(FamilyOf(family), row_key, last)) return Status::kNotFound;
  if (last == Impl::kNoOp) return ReadView::GetRow(family, row_key, value);
  if (impl.rows[last].kind == Impl::RowOp::kDelete) return Status::kNotFound;
  value->assign(impl.rows[last].value);
  return Status::kOk;
}

Status WriteTxn::ScanRows(RowFamily family, std::string_view lower, std::string_view upper, ScanOrder order,
                          RowVisitor visit, void* context) {
  const Impl& impl = *impl_;
  const auto& index = impl.row_index[static_cast<int>(FamilyOf(family))];
  if (index.empty() && impl.row_ranges.empty()) {
    return ReadView::ScanRows(family, lower, upper, order, visit, context);
  }
  // Pending rows and those on disk, merged; of two with one key the pending one counts. A visitor may put rows of other
  // objects meanwhile (it copies one): they are not of the range, wherever they come to stand.
  const bool forward = order == ScanOrder::kForward;
  auto at = index.lower_bound(forward ? lower : upper);
  bool stopped = false;
  // The next pending row of the range; end(): there is none.
  const auto next_pending = [&] {
    if (forward) return at != index.end() && at->first < upper ? at : index.end();
    while (at != index.begin() && std::prev(at)->first >= upper) --at;
    return at != index.begin() && std::prev(at)->first >= lower ? std::prev(at) : index.end();
  };
  const auto pass_pending = [&] { forward ? ++at : --at; };
  const auto visit_pending = [&](const std::pair<const std::string_view, uint32_t>& row) {
    const Impl::RowOp& op = impl.rows[row.second];
    if (op.kind == Impl::RowOp::kDelete || impl.DeletedByRange(FamilyOf(family), row.first, row.second)) return;
    stopped = !visit(context, row.first, op.value);
  };
  auto on_disk = [&](std::string_view key, std::string_view value) {
    for (auto pending = next_pending(); !stopped && pending != index.end(); pending = next_pending()) {
      const int compared = pending->first.compare(key);
      if (forward ? compared > 0 : compared < 0) break;
      pass_pending();
      visit_pending(*pending);
      if (compared == 0) return !stopped;
    }
    if (!stopped && !impl.DeletedByRange(FamilyOf(family), key, Impl::kNoOp)) stopped = !visit(context, key, value);
    return !stopped;
  };
  const Status status = ReadView::ScanRows(
      family, lower, upper, order,
      [](void* self, std::string_view key, std::string_view value) {
        return (*static_cast<decltype(on_disk)*>(self))(key, value);
      },
      &on_disk);
  if (status != Status::kOk) return status;
  for (auto pending = next_pending(); !stopped && pending != index.end(); pending = next_pending()) {
    pass_pending();
    visit_pending(*pending);
  }
  return Status::kOk;
}

Status WriteTxn::ScanRecords(DbIndex db, uint64_t first_bucket, uint64_t last_bucket, RecordVisitor visit,
                             void* context) {
  const Impl& impl = *impl_;
  const Namespace ns = NamespaceOf(db);
  struct Pending {
    uint64_t bucket;
    const Impl::Entry* entry;
    bool operator<(const Pending& other) const {
      return bucket != other.bucket ? bucket < other.bucket : entry->key < other.entry->key;
    }
  };
  std::vector<Pending> pending;
  for (const Impl::Entry& entry : impl.entries) {
    if (entry.ns != ns || !entry.written()) continue;
    const uint64_t bucket = BucketOf(entry.hashed());
    if (bucket >= first_bucket && bucket < last_bucket) pending.push_back({bucket, &entry});
  }
  std::sort(pending.begin(), pending.end());
  size_t next = 0;
  bool stopped = false;
  const auto visit_pending = [&](uint64_t bucket, std::string_view key, bool last, bool* replaced) {
    for (; !stopped && next < pending.size(); ++next) {
      const Pending& each = pending[next];
      if (!last && (each.bucket > bucket || (each.bucket == bucket && each.entry->key > key))) return;
      if (!last && each.bucket == bucket && each.entry->key == key) *replaced = true;
      if (each.entry->current == nullptr) continue;
      stopped = !visit(context, each.bucket, each.entry->key, each.entry->current);
    }
  };
  auto on_disk = [&](uint64_t bucket, std::string_view key, const RecordPtr& record) {
    bool replaced = false;
    visit_pending(bucket, key, false, &replaced);
    if (!stopped && !replaced) stopped = !visit(context, bucket, key, record);
    return !stopped;
  };
  const Status status = ReadView::ScanRecords(
      db, first_bucket, last_bucket,
      [](void* self, uint64_t bucket, std::string_view key, const RecordPtr& record) {
        return (*static_cast<decltype(on_disk)*>(self))(bucket, key, record);
      },
      &on_disk);
  if (status != Status::kOk || stopped) return status;
  bool replaced = false;
  visit_pending(0, {}, true, &replaced);
  return Status::kOk;
}

uint64_t WriteTxn::KeyCount(DbIndex db) const {
  const Impl& impl = *impl_;
  const Namespace ns = NamespaceOf(db);
  int64_t count = 0;
  for (int i = 0; i < impl.storage.databases.size(); ++i) {
    const Database& database = impl.storage.databases[static_cast<DbIndex>(i)];
    if (database.ns.load(std::memory_order_relaxed) == ns) count = database.keys.load(std::memory_order_relaxed);
  }
  for (const Impl::Entry& entry : impl.entries) {
    if (entry.ns == ns) count += (entry.current != nullptr) - (entry.original != nullptr);
  }
  return static_cast<uint64_t>(std::max<int64_t>(count, 0));
}

// ---- writes ----

void WriteTxn::Put(DbIndex db, const HashedKey& key, RecordPtr record) {
  assert(record != nullptr);
  Impl::Entry* entry = impl_->FindForWrite(NamespaceOf(db), key, now_ms_);
  const uint64_t old_id = entry->current == nullptr ? 0 : entry->current->header().object_id;
  if (old_id != 0 && old_id != record->header().object_id) impl_->AddGarbageOf(entry->current);
  impl_->SetCurrent(entry, std::move(record));
}

void WriteTxn::Erase(DbIndex db, const HashedKey& key) {
  Impl::Entry* entry = impl_->FindForWrite(NamespaceOf(db), key, now_ms_);
  impl_->AddGarbageOf(entry->current);
  impl_->SetCurrent(entry, nullptr);
}

void WriteTxn::Detach(DbIndex db, const HashedKey& key) {
  impl_->SetCurrent(impl_->FindForWrite(NamespaceOf(db), key, now_ms_), nullptr);
}

void WriteTxn::Touch(DbIndex db, const HashedKey& key) {
  Impl::Entry* entry = impl_->FindForWrite(NamespaceOf(db), key, now_ms_);
  impl_->Remember(entry);
  entry->changed = true;
}

void WriteTxn::NoteFieldsExpired(DbIndex db, const HashedKey& key, ExpiredPart part) {
  Impl::Entry* entry = impl_->FindForWrite(NamespaceOf(db), key, now_ms_);
  impl_->Remember(entry);
  entry->fields_expired = true;
  if (part == ExpiredPart::kAllFields) entry->hash_expired = true;
  if (impl_->expiry_listener != nullptr) impl_->expiry_listener->OnExpiryMet(db, key.key, part);
}

void WriteTxn::PutRow(RowFamily family, std::string_view row_key, std::string_view value) {
  impl_->AddRow(Impl::RowOp::kPut, FamilyOf(family), row_key, value);
}

void WriteTxn::DeleteRow(RowFamily family, std::string_view row_key) {
  impl_->AddRow(Impl::RowOp::kDelete, FamilyOf(family), row_key, {});
}

void WriteTxn::DeleteRows(RowFamily family, std::string_view lower, std::string_view upper) {
  impl_->AddRow(Impl::RowOp::kDeleteRange, FamilyOf(family), lower, upper);
}

void WriteTxn::PutLibrary(std::string_view name, std::string_view code) {
  KeyBuffer key;
  EncodeLibraryKey(name, &key);
  impl_->AddRow(Impl::RowOp::kPut, Family::kSys, key.view(), code);
}

void WriteTxn::DeleteLibrary(std::string_view name) {
  KeyBuffer key;
  EncodeLibraryKey(name, &key);
  impl_->AddRow(Impl::RowOp::kDelete, Family::kSys, key.view(), {});
}

void WriteTxn::ReplaceNamespace(DbIndex db) {
  assert(impl_->exclusive);
  const Namespace old_ns = NamespaceOf(db);
  DatabaseTable& table = impl_->storage.databases;
  impl_->remaps.push_back({false, db, db, old_ns, table.NewNamespace(), table.NextObjectId()});
  impl_->RebuildNamespaces();
  impl_->changed = true;
}

void WriteTxn::SwapNamespaces(DbIndex a, DbIndex b) {
  assert(impl_->exclusive);
  if (a == b) return;
  impl_->remaps.push_back({true, a, b, 0, 0, 0});
  impl_->RebuildNamespaces();
  impl_->changed = true;
}

uint64_t WriteTxn::NewObjectId() {
  const uint64_t id = impl_->storage.databases.NewObjectId(impl_->storage.engine);
  if (id != 0) return id;
  impl_->failed = Status::kIoError;  // Commit refuses; so this id reaches no disk
  return UINT64_MAX;
}

size_t WriteTxn::RowOperations() const { return impl_->rows.size(); }

void WriteTxn::Enlist(std::shared_ptr<CommitParticipant> participant) {
  std::vector<std::shared_ptr<CommitParticipant>>& all = impl_->participants;
  if (std::find(all.begin(), all.end(), participant) == all.end()) all.push_back(std::move(participant));
}

// ---- large objects ----

Status WriteTxn::BeginLargeObject(uint64_t object_id, uint8_t families, uint64_t rows) {
  assert(tier_ == ReadTier::kDisk);
  if (impl_->failed != Status::kOk) return impl_->failed;
  impl_->storage.garbage.Protect(object_id);
  impl_->large_objects.push_back({object_id, false});
  impl_->changed = true;
  KeyBuffer key;
  EncodeGarbageObjectKey(object_id, &key);
  impl_->large_batch.Clear();
  impl_->large_batch.Put(impl_->storage.engine.handle(Family::kSys), ToSlice(key.view()),
                         EncodeGarbage({object_id, families, rows}));
  return Status::kOk;
}

Status WriteTxn::WriteLargeRow(RowFamily family, std::string_view row_key, std::string_view value) {
  impl_->large_batch.Put(impl_->storage.engine.handle(family), ToSlice(row_key), ToSlice(value));
  return impl_->large_batch.GetDataSize() >= kLargeBatchBytes ? impl_->FlushLarge() : Status::kOk;
}

Status WriteTxn::EndLargeObject() { return impl_->FlushLarge(); }

Status WriteTxn::Impl::FlushLarge() {
  const Status allowed = storage.writes.WritesAllowed();
  if (allowed != Status::kOk) return allowed;
  const rocksdb::Status written = storage.engine.Write(rocksdb::WriteOptions(), &large_batch);
  large_batch.Clear();
  if (!written.ok()) storage.writes.Failed("write to the log", written);
  if (written.ok()) large_objects.back().on_disk = true;
  return FromRocks(written, "writing rows of a large object");
}

}  // namespace basalt::storage
