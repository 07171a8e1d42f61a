#pragma once

#include <glog/logging.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cassert>
#include <map>
#include <optional>
#include <vector>

#include "storage/arena.h"
#include "storage/key_codec.h"
#include "storage/storage_impl.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// What a WriteTxn keeps. For write_txn.cc (a command's reads and writes) and write_txn_commit.cc (the batch, and what
// follows it).
class WriteTxn::Impl {
 public:
  static constexpr uint32_t kNoOp = UINT32_MAX;

  explicit Impl(Storage& owner) : storage(owner.impl()), slot(storage.gate.AcquireSlot()) {}
  ~Impl() { storage.gate.ReleaseSlot(slot); }

  // A key that was read or written in this group.
  struct Entry {
    Namespace ns;
    DbIndex db;
    uint32_t next;         // in its hash chain
    std::string_view key;  // in the arena
    uint64_t hash;
    RecordPtr original;  // on disk, expired or not
    RecordPtr current;
    bool changed = false;         // observers are to know
    bool expired = false;         // its time had come at some point of this group
    bool fields_expired = false;  // the same of fields of the hash that it holds, or held
    bool hash_expired = false;    // … of the last of them: what it holds now is another hash, if any

    HashedKey hashed() const { return {key, hash}; }
    bool written() const { return original.get() != current.get(); }
  };

  struct RowOp {
    enum Kind : uint8_t { kPut, kDelete, kDeleteRange };
    Kind kind;
    Family family;
    std::string_view key;    // in the arena; of a range, the lower bound
    std::string_view value;  // … or the upper bound
    uint32_t previous;       // operation of this group on the same key before, or kNoOp
  };

  struct Undo {
    uint32_t entry;
    RecordPtr current;
    bool changed;
    bool expired;
    bool fields_expired;
    bool hash_expired;
  };

  struct Remap {
    bool swap;
    DbIndex a;
    DbIndex b;         // swap
    Namespace old_ns;  // replace
    Namespace new_ns;
    uint64_t next_object_id;  // when it was replaced
  };

  // How far everything had come when the command began.
  struct Mark {
    size_t undo = 0, rows = 0, garbage = 0, remaps = 0, large = 0, record_bytes = 0;
    bool changed = false;
  };

  Storage::Impl& storage;
  const int slot;

  ExpiryListener* expiry_listener = nullptr;

  // locks
  KeyLocks::Grant grant;
  bool inside_gate = false;
  bool exclusive = false;
  bool blocked_by_gate = false;

  // the overlay
  Arena arena;
  std::vector<Entry> entries;
  std::vector<uint32_t> chains = std::vector<uint32_t>(64, kNoOp);  // a power of two of them
  std::vector<RowOp> rows;
  std::map<std::string_view, uint32_t> row_index[kFamilies];  // key -> last operation
  std::vector<uint32_t> row_ranges;                           // the kDeleteRange ones
  std::vector<Garbage> garbage;
  std::vector<Remap> remaps;
  struct LargeObject {
    uint64_t id;
    bool on_disk;  // its garbage record is, and rows are
  };
  std::vector<LargeObject> large_objects;  // under a protected garbage record, the one being written at the end
  std::optional<NamespaceMap> namespaces;  // when there are remaps
  std::vector<Undo> undo;
  std::vector<Mark> marks;  // of the commands begun, the outermost first
  bool changed = false;     // anything to commit
  size_t record_bytes = 0;  // of the records that Commit would write, roughly
  size_t held_bytes = 0;    // of all records that entries and undo keep, or kept
  Status failed = Status::kOk;

  // the large object being written
  rocksdb::WriteBatch large_batch;
  Status FlushLarge();

  std::vector<std::shared_ptr<CommitParticipant>> participants;
  void DropParticipants();

  // commit, reused
  rocksdb::WriteBatch batch;
  std::vector<Change> changes;
  std::vector<RecordCache::Entry*> cached;
  struct NamespaceDelta {
    Namespace ns;
    DbIndex db;
    CountsDelta delta;
    int64_t expire_min = INT64_MAX;
  };
  std::vector<NamespaceDelta> deltas;

  Entry* Find(Namespace ns, const HashedKey& key) {
    uint32_t at = chains[(key.hash >> 14) & (chains.size() - 1)];
    while (at != kNoOp) {
      Entry& entry = entries[at];
      if (entry.hash == key.hash && entry.ns == ns && entry.key == key.key) return &entry;
      at = entry.next;
    }
    return nullptr;
  }

  Entry* Add(Namespace ns, DbIndex db, const HashedKey& key, RecordPtr original) {
    if (entries.size() >= chains.size()) {
      chains.assign(chains.size() * 2, kNoOp);
      for (uint32_t i = 0; i < entries.size(); ++i) Link(i);
    }
    Entry& entry = entries.emplace_back();
    entry.ns = ns;
    entry.db = db;
    entry.key = arena.Copy(key.key);
    entry.hash = key.hash;
    if (original != nullptr) held_bytes += original->stored().size();
    entry.current = original;
    entry.original = std::move(original);
    Link(static_cast<uint32_t>(entries.size() - 1));
    return &entry;
  }

  void Link(uint32_t at) {
    uint32_t& head = chains[(entries[at].hash >> 14) & (chains.size() - 1)];
    entries[at].next = head;
    head = at;
  }

  void Remember(Entry* entry) {
    undo.push_back({static_cast<uint32_t>(entry - entries.data()), entry->current, entry->changed, entry->expired,
                    entry->fields_expired, entry->hash_expired});
    changed = true;
  }

  void AddGarbageOf(const RecordPtr& record) {
    if (record == nullptr) return;
    if (const std::optional<Garbage> left = Garbage::Of(*record)) garbage.push_back(*left);
  }

  void Expire(Entry* entry) {
    AddGarbageOf(entry->current);
    SetCurrent(entry, nullptr);
    entry->expired = true;
    if (expiry_listener != nullptr) expiry_listener->OnExpiryMet(entry->db, entry->key, ExpiredPart::kKey);
  }

  Entry* FindForWrite(Namespace ns, const HashedKey& key, int64_t now_ms) {
    Entry* entry = Find(ns, key);
    CHECK(entry != nullptr) << "a key is read in its group before it is written";
    assert(exclusive || (inside_gate && grant.Holds(KeyLocks::StripeOf(key.hash))));
    // Left there when it was read, since nothing was to expire by itself: now it does.
    if (entry->current != nullptr && entry->current->ExpiredAt(now_ms)) Expire(entry);
    return entry;
  }

  // Everything that changes a record comes through here.
  void SetCurrent(Entry* entry, RecordPtr record) {
    Remember(entry);
    if (record != nullptr) {
      record_bytes += record->stored().size() + kMetaKeyPrefixBytes;
      held_bytes += record->stored().size();
    }
    if (entry->current != nullptr && entry->written()) {
      record_bytes -= std::min(record_bytes, entry->current->stored().size() + kMetaKeyPrefixBytes);
    }
    entry->current = std::move(record);
    entry->changed = true;
  }

  void AddRow(RowOp::Kind kind, Family family, std::string_view key, std::string_view value) {
    RowOp op{kind, family, arena.Copy(key), arena.Copy(value), kNoOp};
    const uint32_t at = static_cast<uint32_t>(rows.size());
    if (kind == RowOp::kDeleteRange) {
      row_ranges.push_back(at);
    } else {
      auto [place, inserted] = row_index[static_cast<int>(family)].try_emplace(op.key, at);
      if (!inserted) {
        op.previous = place->second;
        place->second = at;
      }
    }
    rows.push_back(op);
    changed = true;
  }

  // Whether a range deleted after operation `since` (kNoOp: at all) covers the key.
  bool DeletedByRange(Family family, std::string_view key, uint32_t since) const {
    for (size_t i = row_ranges.size(); i-- > 0;) {
      if (since != kNoOp && row_ranges[i] < since) return false;
      const RowOp& range = rows[row_ranges[i]];
      if (range.family == family && key >= range.key && key < range.value) return true;
    }
    return false;
  }

  void TruncateRows(size_t count) {
    while (rows.size() > count) {
      const RowOp& op = rows.back();
      if (op.kind == RowOp::kDeleteRange) {
        row_ranges.pop_back();
      } else if (op.previous == kNoOp) {
        row_index[static_cast<int>(op.family)].erase(op.key);
      } else {
        // The key in the index may be of this operation or of an earlier one: both stay in the arena.
        row_index[static_cast<int>(op.family)].find(op.key)->second = op.previous;
      }
      rows.pop_back();
    }
  }

  void RebuildNamespaces() {
    namespaces.reset();
    if (remaps.empty()) return;
    namespaces.emplace();
    const DatabaseTable& table = storage.databases;
    for (int db = 0; db < table.size(); ++db) {
      namespaces->Set(static_cast<DbIndex>(db), table.NamespaceOf(static_cast<DbIndex>(db)));
    }
    for (const Remap& remap : remaps) {
      if (remap.swap) {
        const Namespace a = (*namespaces)[remap.a];
        namespaces->Set(remap.a, (*namespaces)[remap.b]);
        namespaces->Set(remap.b, a);
      } else {
        namespaces->Set(remap.a, remap.new_ns);
      }
    }
  }

  // Smallest id that may be in use after all databases that there are were replaced; nullopt when one was not (or is
  // not to be seen by this server), or when a record that this group writes owns an object: of those some may stay
  // (moved into a database that had been replaced), some may not (put before it was replaced again), and the objects
  // have to be told one by one.
  std::optional<uint64_t> GarbageBelow() const {
    const bool owners = std::any_of(entries.begin(), entries.end(), [](const Entry& entry) {
      return entry.written() && entry.current != nullptr && entry.current->header().object_id != 0;
    });
    if (owners || storage.databases.has_hidden_keys()) return std::nullopt;
    uint64_t below = UINT64_MAX;
    for (int db = 0; db < storage.databases.size(); ++db) {
      if (!IsReplaced(storage.databases.NamespaceOf(static_cast<DbIndex>(db)))) return std::nullopt;
    }
    for (const Remap& remap : remaps) {
      if (!remap.swap) below = std::min(below, remap.next_object_id);
    }
    return below;
  }

  bool IsReplaced(Namespace ns) const {
    return std::any_of(remaps.begin(), remaps.end(), [ns](const Remap& r) { return !r.swap && r.old_ns == ns; });
  }

  // Whether the commit does nothing but remove: keys, rows, fields whose time has come, what databases hold.
  bool OnlyRemoves() const {
    const auto removes = [](const Entry& entry) {
      if (!entry.written() || entry.current == nullptr) return true;
      if (entry.original == nullptr || !entry.fields_expired) return false;
      return entry.current->stored().size() <= entry.original->stored().size();
    };
    return large_objects.empty() && std::all_of(entries.begin(), entries.end(), removes) &&
           std::none_of(rows.begin(), rows.end(), [](const RowOp& op) { return op.kind == RowOp::kPut; }) &&
           std::none_of(remaps.begin(), remaps.end(), [](const Remap& remap) { return remap.swap; });
  }

  NamespaceDelta& DeltaOf(const Entry& entry) {
    for (NamespaceDelta& each : deltas) {
      if (each.ns == entry.ns) return each;
    }
    deltas.push_back({entry.ns, entry.db, {}});
    return deltas.back();
  }

  void BuildRecord(const Entry& entry);
  void BuildRows();
  void BuildRemaps();
  [[gnu::noinline]] void BuildBatch();  // tests/storage/tsan.supp knows it by name
  void MarkPending();
  void Publish(uint64_t sequence, int64_t now_ms, CommitObserver* observer);
  void AddChanges(const Entry& entry);
  std::vector<DbIndex> RemappedDatabases() const;
  void Unmark(bool erase);
  void DropLarge(size_t keep);
  void Clear();
  void Unlock();
};

}  // namespace basalt::storage
