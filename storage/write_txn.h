#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "storage/key_locks.h"
#include "storage/metadata.h"
#include "storage/read_view.h"

namespace basalt::storage {

// Something in memory that mirrors rows of keys and is changed ahead of the commit, under the locks of those keys.
class CommitParticipant {
 public:
  virtual ~CommitParticipant() = default;
  // The rows are visible as of `sequence`. The keys are still locked.
  virtual void OnCommitted(uint64_t sequence) = 0;
  // Some or all of the changes were taken back, or nobody knows: what is in memory is to be forgotten.
  virtual void OnDropped() = 0;
  // A command was rolled back: of the changes, those are taken back that were made when WriteTxn::RowOperations() had
  // reached `row_operations`. Whether it still takes part; if it cannot tell its changes apart, it forgets everything.
  virtual bool OnRolledBack(size_t row_operations) {
    (void)row_operations;
    OnDropped();
    return false;
  }
};

enum class ChangeKind : uint8_t {
  kModified,  // the key exists afterwards
  kDeleted,   // … does not
  kExpired,   // deleted because its time had come
};

// One key that a commit changed, as told to the CommitObserver.
struct Change {
  DbIndex db;
  ChangeKind kind;
  bool created;                 // kModified, and the key did not exist before
  ValueType type;               // of what the key holds now; kModified only
  HashedKey key;                // bytes valid during the call
  bool fields_expired = false;  // fields of the hash that it holds, or held until the last of them expired (kDeleted)
};

// One key that a command changed, before anything is committed.
struct CommandChange {
  DbIndex db;
  HashedKey key;
  bool existed;  // before the command; not if it was found to have expired, or the last field of its hash
  bool exists;   // after it
  bool expired;  // its time had come when the command met it
};

enum class ExpiredPart : uint8_t {
  kKey,
  kFields,     // of a hash, which has others
  kAllFields,  // … and with them the hash
};

// Told when a command meets what has expired and removes it: at once, so that it is in order with what the command
// does. It is rolled back with the command, and not committed yet.
class ExpiryListener {
 public:
  virtual ~ExpiryListener() = default;
  virtual void OnExpiryMet(DbIndex db, std::string_view key, ExpiredPart part) = 0;
};

// Called by Commit after the write is in the WAL and visible, with the locks of all changed keys still held. Short work
// only: it is where WATCH, tracking, keyspace events and blocked clients hook in.
class CommitObserver {
 public:
  virtual ~CommitObserver() = default;
  // The contents of whole databases were replaced (FLUSHDB, SWAPDB), with the exclusive gate closed. Before
  // OnCommitted.
  virtual void OnDatabasesReplaced(std::span<const DbIndex> dbs) = 0;
  // Once for each commit; `changes` may be empty.
  virtual void OnCommitted(std::span<const Change> changes) = 0;
};

// A commit group: the writes of one or several commands, of one or several clients, that reach RocksDB as one
// WriteBatch, and the locks they need until then. All or nothing: for readers, after a crash, and on failure.
//
//   txn.LockKeys(…) -> kLocked?  commit what there is, then park the batch with KeyLocks::Wait
//   txn.BeginCommand(now); … GetRecord / Put / Erase / PutRow …; txn.EndCommand() or txn.RollbackCommand()
//   … more commands …
//   status = txn.Commit(observer)   // writes, updates cache and counters, tells the observer, unlocks
//
// Reads inside see the group's own pending writes. An overlay holds the last record of each touched key, so repeated
// writes of one key cost one row in the WriteBatch; index entries (TTL), counters and garbage records are derived at
// commit from the first and the last record. `original` records that have expired are removed, and reported as
// kExpired, when they are met; while nothing may expire (Storage::MayExpire) they are only invisible, so that whoever
// reads writes nothing.
//
// One holder at a time: a pool thread, or the queue of stalled commits. Reused after Commit.
class WriteTxn : public ReadView {
 public:
  explicit WriteTxn(Storage& storage);
  ~WriteTxn() override;  // pending writes are dropped, locks released

  // Null, as at first: nobody. Stays for all commits.
  void SetExpiryListener(ExpiryListener* listener);

  // ---- locks ----
  // Takes the stripes of all keys, all or none, and shares the exclusive gate; keys this group holds already count as
  // free. kLocked: someone else holds or waits; nothing was taken by this call.
  Status LockKeys(std::span<const HashedKey> keys);
  // After kLocked: whether it is the gate that is closed (ExclusiveGate::WhenOpen) and not a key that is held.
  bool BlockedByGate() const;
  // Whether the key is locked by this group (or everything is).
  bool Holds(const HashedKey& key) const;
  // Those who wait for what this group holds and may be refused wait no longer. For a command that takes long.
  void RefuseWaiters();
  // Takes over locks that a parked batch was handed (KeyLocks::Wait).
  void AdoptLocks(KeyLocks::Grant grant);
  // The group is the only writer until it commits: REQUIRES an ExclusiveGate::Closed held by the caller. LockKeys then
  // does nothing.
  void RunExclusive();
  // Whether it does. Then nothing changes meanwhile, and keys may be read that are not locked.
  bool exclusive() const;

  // ---- one command; a command that runs others (EXEC) has theirs nested inside its own ----
  void BeginCommand(int64_t now_ms, ReadTier tier);
  void EndCommand();
  // The keys that the command begun last (with those nested in it) has changed so far, each once, in the order of their
  // first change.
  void VisitCommandChanges(void (*visit)(void* context, const CommandChange& change), void* context) const;
  void RollbackCommand();  // as if the command had not run; its new locks stay until the commit
  // Whether any command since the last commit has changed something.
  bool HasPendingWrites() const;
  // Approximate bytes that Commit would write.
  size_t PendingBytes() const;
  // Approximate memory that the group takes: what is pending, what was read, and what a rollback needs.
  size_t MemoryBytes() const;

  // ---- reads: of the overlay first ----
  void RequireSnapshot() override {}
  WriteTxn* AsWriteTxn() override { return this; }
  Status GetRecord(DbIndex db, const HashedKey& key, RecordPtr* record) override;
  using ReadView::GetRecord;
  Status GetRow(RowFamily family, std::string_view row_key, std::string* value) override;
  // Here a visitor may put rows that are not of the range: of another object.
  Status ScanRows(RowFamily family, std::string_view lower, std::string_view upper, ScanOrder order, RowVisitor visit,
                  void* context) override;
  Status ScanRecords(DbIndex db, uint64_t first_bucket, uint64_t last_bucket, RecordVisitor visit,
                     void* context) override;
  uint64_t KeyCount(DbIndex db) const override;

  // ---- writes. REQUIRES: the key is locked by this group, and was read by GetRecord in this group ----
  // Sets the record. The rows of a replaced object (another object id) become garbage.
  void Put(DbIndex db, const HashedKey& key, RecordPtr record);
  // Removes the key; the rows of its object become garbage.
  void Erase(DbIndex db, const HashedKey& key);
  // Removes the key but not its rows: RENAME and MOVE put the same object id elsewhere.
  void Detach(DbIndex db, const HashedKey& key);
  // Marks a key as changed for observers although its record stays the same.
  void Touch(DbIndex db, const HashedKey& key);
  // Fields of the hash have expired, all of them or some; the caller removes them, and the hash with the last.
  void NoteFieldsExpired(DbIndex db, const HashedKey& key, ExpiredPart part);
  void PutRow(RowFamily family, std::string_view row_key, std::string_view value);
  void DeleteRow(RowFamily family, std::string_view row_key);
  void DeleteRows(RowFamily family, std::string_view lower, std::string_view upper);
  // Replaces the whole contents of a database (FLUSHDB), exchanges two (SWAPDB). REQUIRES: RunExclusive().
  void ReplaceNamespace(DbIndex db);
  void SwapNamespaces(DbIndex a, DbIndex b);

  // The code of a library of functions: of no database, kept as it is given (Storage::VisitLibraries). Counts as a row
  // operation. REQUIRES: RunExclusive().
  void PutLibrary(std::string_view name, std::string_view code);
  void DeleteLibrary(std::string_view name);

  // A fresh object id, never handed out before, also not before a crash.
  uint64_t NewObjectId();

  // ---- objects too large for one batch (DESIGN §4, large changes) ----
  // Rows of a new object that are written at once, in small batches, outside of this group: a garbage record that is on
  // disk before them takes them away unless the group commits. Blocks on the disk. REQUIRES: tier() == kDisk.
  // One at a time; `families`: bits of RowFamily. NewObject is the way to use them.
  Status BeginLargeObject(uint64_t object_id, uint8_t families, uint64_t rows);
  Status WriteLargeRow(RowFamily family, std::string_view row_key, std::string_view value);
  Status EndLargeObject();

  // Writes and deletions of rows so far; goes back when a command is rolled back.
  size_t RowOperations() const;
  // Takes part in this group's commit, until it ends either way. Again: no effect.
  void Enlist(std::shared_ptr<CommitParticipant> participant);

  // Writes everything as one WriteBatch. kOk: visible and in the kernel. kIncomplete: `no_slowdown` and RocksDB would
  // stall; the group is unchanged and Commit may be called again (from the slow lane). kReadOnly: writes are off; while
  // only space is low, a group that does nothing but remove is committed all the same. Any other: nothing was written
  // (kIoError: nothing can be seen; once RocksDB was reopened, it is there as a whole or not at all), cache and
  // counters are as before. Always releases the locks but for kIncomplete. *sequence: what Durability must cover before
  // an `appendfsync always` reply may leave.
  Status Commit(CommitObserver* observer, bool no_slowdown, uint64_t* sequence);
  // Drops everything pending and unlocks.
  void Abort();

 protected:
  Namespace NamespaceOf(DbIndex db) const override;
  bool HoldsEngine() const override;  // while it shares the exclusive gate, or has it alone

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// VisitCommandChanges for a lambda.
template <typename Visit>
void VisitCommandChanges(const WriteTxn& txn, Visit&& visit) {
  txn.VisitCommandChanges(
      [](void* context, const CommandChange& change) {
        (*static_cast<std::remove_reference_t<Visit>*>(context))(change);
      },
      const_cast<void*>(static_cast<const void*>(&visit)));
}

}  // namespace basalt::storage
