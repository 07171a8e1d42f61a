#include "storage/write_txn_impl.h"

namespace basalt::storage {

namespace {

constexpr size_t kKeptBatchBytes = 1 << 20;  // the memory of a larger batch is given back
constexpr size_t kKeptItems = 65536;         // … of a longer list

}  // namespace

// ---- building ----

void WriteTxn::Impl::BuildRecord(const Entry& entry) {
  KeyBuffer key;
  EncodeMetaKey(entry.ns, entry.hashed(), &key);
  rocksdb::ColumnFamilyHandle* meta = storage.engine.handle(Family::kMeta);
  if (entry.current != nullptr) {
    batch.Put(meta, ToSlice(key.view()), ToSlice(entry.current->stored()));
  } else {
    batch.Delete(meta, ToSlice(key.view()));
  }
  const auto expires = [](const RecordPtr& record) { return record != nullptr && record->expire_ms() != kNoExpire; };
  NamespaceDelta& ns = DeltaOf(entry);
  ns.delta.keys += (entry.current != nullptr) - (entry.original != nullptr);
  ns.delta.expires += expires(entry.current) - expires(entry.original);
  const int64_t before = entry.original == nullptr ? kNoExpire : entry.original->due_ms();
  const int64_t after = entry.current == nullptr ? kNoExpire : entry.current->due_ms();
  if (before == after) return;
  rocksdb::ColumnFamilyHandle* ttl = storage.engine.handle(Family::kTtl);
  if (before != kNoExpire) {
    EncodeTtlKey(entry.ns, before, entry.key, &key);
    batch.Delete(ttl, ToSlice(key.view()));
  }
  if (after != kNoExpire) {
    EncodeTtlKey(entry.ns, after, entry.key, &key);
    batch.Put(ttl, ToSlice(key.view()), rocksdb::Slice());
    ns.expire_min = std::min(ns.expire_min, after);
  }
}

void WriteTxn::Impl::BuildRows() {
  for (uint32_t i = 0; i < rows.size(); ++i) {
    const RowOp& op = rows[i];
    rocksdb::ColumnFamilyHandle* family = storage.engine.handle(op.family);
    if (op.kind == RowOp::kDeleteRange) {
      batch.DeleteRange(family, ToSlice(op.key), ToSlice(op.value));
      continue;
    }
    if (row_index[static_cast<int>(op.family)].find(op.key)->second != i) continue;  // written again later
    if (op.kind == RowOp::kPut) {
      batch.Put(family, ToSlice(op.key), ToSlice(op.value));
    } else {
      batch.Delete(family, ToSlice(op.key));
    }
  }
}

void WriteTxn::Impl::BuildRemaps() {
  rocksdb::ColumnFamilyHandle* sys = storage.engine.handle(Family::kSys);
  const DatabaseTable& table = storage.databases;
  KeyBuffer key;
  char number[8];
  const std::optional<uint64_t> below = GarbageBelow();
  if (below) {
    EncodeGarbageBelowKey(*below, &key);
    batch.Put(sys, ToSlice(key.view()), rocksdb::Slice());
  }
  for (const Remap& remap : remaps) {
    if (remap.swap) continue;
    EncodeDeadNamespaceKey(remap.old_ns, &key);
    batch.Put(sys, ToSlice(key.view()), EncodeDeadNamespace({.objects_left = !below, .next_key = {}}));
    EncodeCountsKey(remap.old_ns, &key);
    batch.Delete(sys, ToSlice(key.view()));
  }
  for (int db = 0; db < table.size(); ++db) {
    const Namespace ns = (*namespaces)[static_cast<DbIndex>(db)];
    if (ns == table.NamespaceOf(static_cast<DbIndex>(db))) continue;
    EncodeDatabaseKey(static_cast<DbIndex>(db), &key);
    PutBig32(number, ns);
    batch.Put(sys, ToSlice(key.view()), rocksdb::Slice(number, 4));
  }
  EncodeSysKey(SysTag::kNextNamespace, &key);
  PutBig32(number, table.NextNamespace());
  batch.Put(sys, ToSlice(key.view()), rocksdb::Slice(number, 4));
}

void WriteTxn::Impl::BuildBatch() {
  batch.Clear();
  deltas.clear();
  for (const Entry& entry : entries) {
    if (entry.written()) BuildRecord(entry);
  }
  BuildRows();
  if (!remaps.empty()) BuildRemaps();

  rocksdb::ColumnFamilyHandle* sys = storage.engine.handle(Family::kSys);
  KeyBuffer key;
  for (const LargeObject& large : large_objects) {
    EncodeGarbageObjectKey(large.id, &key);
    batch.Delete(sys, ToSlice(key.view()));
  }
  for (const Garbage& each : garbage) {
    EncodeGarbageObjectKey(each.object_id, &key);
    batch.Put(sys, ToSlice(key.view()), EncodeGarbage(each));
  }
  for (const NamespaceDelta& each : deltas) {
    if (each.delta == CountsDelta{} || IsReplaced(each.ns)) continue;
    EncodeCountsKey(each.ns, &key);
    batch.Merge(sys, ToSlice(key.view()), EncodeCounts(each.delta));
  }
}

// ---- around the write ----

void WriteTxn::Impl::MarkPending() {
  if (!remaps.empty()) storage.databases.BeginRemap();
  cached.clear();
  for (const Entry& entry : entries) {
    if (!entry.written()) continue;
    storage.locks.BeginWrite(KeyLocks::StripeOf(entry.hash));
    cached.push_back(storage.cache.MarkPending(entry.ns, entry.hashed()));
  }
}

void WriteTxn::Impl::Publish(uint64_t sequence, int64_t now_ms, CommitObserver* observer) {
  DatabaseTable& table = storage.databases;
  for (const Remap& remap : remaps) {
    if (remap.swap) {
      table.Swap(remap.a, remap.b);
    } else {
      table.Replace(remap.a, remap.new_ns);
    }
  }
  if (!remaps.empty()) table.EndRemap();

  changes.clear();
  size_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.written()) {
      if (entry.current != nullptr) {
        storage.cache.Install(entry.ns, entry.hashed(), cached[at], entry.current, sequence, now_ms);
      } else {
        storage.cache.Erase(entry.hashed(), cached[at]);
      }
      ++at;
    }
    if (entry.changed) AddChanges(entry);
  }
  // Only now: keys of one commit may share a stripe, and an even version lets readers fill.
  for (const Entry& entry : entries) {
    if (entry.written()) storage.locks.EndWrite(KeyLocks::StripeOf(entry.hash), sequence);
  }
  for (const std::shared_ptr<CommitParticipant>& each : participants) each->OnCommitted(sequence);
  participants.clear();
  for (const NamespaceDelta& each : deltas) table.Count(each.ns, each.db, each.delta, each.expire_min);
  for (const LargeObject& large : large_objects) storage.garbage.Unprotect(large.id, false);
  large_objects.clear();
  for (const Garbage& each : garbage) storage.garbage.Added(each);
  if (!remaps.empty()) storage.garbage.AddedWhole();
  for (const RowOp& op : rows) {
    if (op.kind == RowOp::kDeleteRange) storage.engine.NoteRangeTombstones(op.family, 1);
  }
  storage.commits.fetch_add(1, std::memory_order_relaxed);
  storage.commit_keys.fetch_add(changes.size(), std::memory_order_relaxed);
  if (observer == nullptr) return;
  if (!remaps.empty()) observer->OnDatabasesReplaced(RemappedDatabases());
  observer->OnCommitted(changes);
}

std::vector<DbIndex> WriteTxn::Impl::RemappedDatabases() const {
  std::vector<DbIndex> dbs;
  for (const Remap& remap : remaps) {
    dbs.push_back(remap.a);
    if (remap.swap) dbs.push_back(remap.b);
  }
  return dbs;
}

void WriteTxn::Impl::AddChanges(const Entry& entry) {
  const HashedKey key = entry.hashed();
  if (entry.expired) {
    changes.push_back({entry.db, ChangeKind::kExpired, false, {}, key});
    storage.expired_keys.fetch_add(1, std::memory_order_relaxed);
  }
  if (entry.current != nullptr) {
    const bool created = entry.original == nullptr || entry.expired;
    changes.push_back({entry.db, ChangeKind::kModified, created, entry.current->type(), key, entry.fields_expired});
  } else if (!entry.expired) {
    changes.push_back({entry.db, ChangeKind::kDeleted, false, {}, key, entry.fields_expired});
  }
}

// The write did not happen. `erase`: and nobody can be sure of it.
void WriteTxn::Impl::Unmark(bool erase) {
  const uint64_t sequence = erase ? storage.engine.LatestSequence() : 0;
  size_t at = 0;
  for (const Entry& entry : entries) {
    if (!entry.written()) continue;
    if (erase) {
      storage.cache.Erase(entry.hashed(), cached[at++]);
    } else {
      storage.cache.Restore(entry.hashed(), cached[at++]);
    }
  }
  for (const Entry& entry : entries) {
    if (entry.written()) storage.locks.EndWrite(KeyLocks::StripeOf(entry.hash), sequence);
  }
  if (!remaps.empty()) storage.databases.EndRemap();
}

void WriteTxn::Impl::DropLarge(size_t keep) {
  while (large_objects.size() > keep) {
    storage.garbage.Unprotect(large_objects.back().id, large_objects.back().on_disk);
    large_objects.pop_back();
  }
}

void WriteTxn::Impl::DropParticipants() {
  for (const std::shared_ptr<CommitParticipant>& each : participants) each->OnDropped();
  participants.clear();
}

void WriteTxn::Impl::Clear() {
  DropLarge(0);
  DropParticipants();
  if (chains.size() <= 4096) {
    for (const Entry& entry : entries) chains[(entry.hash >> 14) & (chains.size() - 1)] = Impl::kNoOp;
  } else {
    chains.assign(64, Impl::kNoOp);
  }
  const auto clear = [](auto& items) {
    items.clear();
    if (items.capacity() > kKeptItems) items.shrink_to_fit();
  };
  clear(entries);
  for (auto& index : row_index) index.clear();
  clear(rows);
  row_ranges.clear();
  clear(garbage);
  remaps.clear();
  namespaces.reset();
  clear(undo);
  arena.Reset();
  if (batch.GetDataSize() > kKeptBatchBytes) batch = rocksdb::WriteBatch();
  marks.clear();
  record_bytes = held_bytes = 0;
  changed = false;
  failed = Status::kOk;
}

void WriteTxn::Impl::Unlock() {
  grant.Release();
  if (inside_gate) storage.gate.Leave(slot);
  inside_gate = false;
  exclusive = false;
}

// ---- commit ----

Status WriteTxn::Commit(CommitObserver* observer, bool no_slowdown, uint64_t* sequence) {
  Impl& impl = *impl_;
  Storage::Impl& storage = impl.storage;
  *sequence = 0;
  if (!impl.changed) {
    impl.Clear();
    impl.Unlock();
    LeaveEngine();
    return Status::kOk;
  }
  Status status = impl.failed != Status::kOk ? impl.failed : storage.writes.WritesAllowed();
  if (status == Status::kReadOnly && impl.OnlyRemoves()) status = storage.writes.FreeingAllowed();
  if (status == Status::kOk) {
    impl.BuildBatch();
    impl.MarkPending();
    if (impl.batch.Count() != 0) {
      rocksdb::WriteOptions options;
      options.no_slowdown = no_slowdown;
      const rocksdb::Status written = storage.engine.Write(options, &impl.batch);
      status = FromRocks(written, "committing");
      if (status != Status::kOk) {
        impl.Unmark(status != Status::kIncomplete);
        if (status == Status::kIncomplete) return status;
        storage.writes.Failed("write to the log", written);
        status = Status::kIoError;
      }
    }
    if (status == Status::kOk) {
      // At least the sequence of this commit; taken with the locks still held, so no later commit of its keys is
      // covered.
      *sequence = storage.engine.LatestSequence();
      impl.Publish(*sequence, now_ms_, observer);
    }
  }
  if (status != Status::kOk) storage.commit_failures.fetch_add(1, std::memory_order_relaxed);
  impl.Clear();
  impl.Unlock();
  LeaveEngine();
  return status;
}

void WriteTxn::Abort() {
  impl_->Clear();
  impl_->Unlock();
  LeaveEngine();
}

}  // namespace basalt::storage
