#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/keyspace.h"
#include "storage/storage.h"
#include "storage/string_store.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// A Storage in a folder of its own, with a clock that stands until it is told otherwise and no background threads
// unless wanted.
class StorageTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TMPDIR");
    std::string pattern = std::string(base != nullptr ? base : "/tmp") + "/basalt-storage-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    options_.dir = dir_ + "/data";
    options_.memory_bytes = memory_bytes_;
    options_.background = false;
    options_.sync_policy = SyncPolicy::kNo;
    options_.now_ms = [this] { return now_ms_.load(); };
    Open();
  }
  void TearDown() override {
    storage_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Open() {
    std::string error;
    storage_ = Storage::Open(options_, &error);
    ASSERT_NE(storage_, nullptr) << error;
  }
  void Reopen() {
    storage_.reset();
    Open();
  }

  HashedKey Key(std::string_view key) const { return storage_->Hash(key); }

  // One command in a group of its own: lock, run, commit.
  template <typename Run>
  Status Write(std::initializer_list<std::string_view> keys, Run&& run, CommitObserver* observer = nullptr) {
    WriteTxn txn(*storage_);
    std::vector<HashedKey> hashed;
    for (const std::string_view key : keys) hashed.push_back(Key(key));
    Status status = txn.LockKeys(hashed);
    if (status != Status::kOk) return status;
    txn.BeginCommand(now_ms_, ReadTier::kDisk);
    status = run(txn);
    if (status == Status::kOk) {
      txn.EndCommand();
    } else {
      txn.RollbackCommand();
    }
    uint64_t sequence = 0;
    const Status committed = txn.Commit(observer, false, &sequence);
    return status != Status::kOk ? status : committed;
  }

  Status Set(std::string_view key, std::string_view value, int64_t expire_ms = kNoExpire, DbIndex db = 0) {
    return Write({key}, [&](WriteTxn& txn) {
      RecordPtr old;
      (void)txn.GetRecord(db, Key(key), &old);
      return StringStore::Set(txn, db, Key(key), value, expire_ms);
    });
  }
  Status Del(std::string_view key, DbIndex db = 0) {
    return Write({key}, [&](WriteTxn& txn) {
      RecordPtr old;
      const Status status = txn.GetRecord(db, Key(key), &old);
      if (status == Status::kOk) txn.Erase(db, Key(key));
      return status;
    });
  }
  Status Append(std::string_view key, std::string_view value, uint64_t* length, DbIndex db = 0) {
    return Write({key}, [&](WriteTxn& txn) { return StringStore::Append(txn, db, Key(key), value, length); });
  }
  Status SetRange(std::string_view key, uint64_t offset, std::string_view value, uint64_t* length, DbIndex db = 0) {
    return Write({key}, [&](WriteTxn& txn) { return StringStore::SetRange(txn, db, Key(key), offset, value, length); });
  }
  Status Expire(std::string_view key, int64_t expire_ms, DbIndex db = 0) {
    return Write({key}, [&](WriteTxn& txn) { return Keyspace::SetExpire(txn, db, Key(key), expire_ms); });
  }
  Status Rename(std::string_view from, std::string_view to, DbIndex from_db = 0, DbIndex to_db = 0) {
    return Write({from, to}, [&](WriteTxn& txn) { return Keyspace::Rename(txn, from_db, Key(from), to_db, Key(to)); });
  }
  Status Copy(std::string_view from, std::string_view to, DbIndex from_db = 0, DbIndex to_db = 0) {
    return Write({from, to}, [&](WriteTxn& txn) { return Keyspace::Copy(txn, from_db, Key(from), to_db, Key(to)); });
  }
  // FLUSHDB, SWAPDB: `run` gets a group that is the only writer.
  template <typename Run>
  Status WriteExclusive(Run&& run) {
    ExclusiveGate::Closed closed(storage_->gate());
    WriteTxn txn(*storage_);
    txn.RunExclusive();
    txn.BeginCommand(now_ms_, ReadTier::kDisk);
    run(txn);
    txn.EndCommand();
    uint64_t sequence = 0;
    return txn.Commit(nullptr, false, &sequence);
  }
  Status FlushDb(DbIndex db = 0) {
    return WriteExclusive([db](WriteTxn& txn) { txn.ReplaceNamespace(db); });
  }
  Status FlushAll() {
    return WriteExclusive([this](WriteTxn& txn) {
      for (int db = 0; db < storage_->databases(); ++db) txn.ReplaceNamespace(static_cast<DbIndex>(db));
    });
  }

  static Status GetFrom(ReadView& view, DbIndex db, const HashedKey& key, std::string* value) {
    StringValue found;
    Status status = StringStore::Find(view, db, key, StringStore::Rows::kNeeded, &found);
    if (status != Status::kOk) return status;
    value->clear();
    return StringStore::Read(view, found, 0, found.length, value);
  }
  std::optional<std::string> Get(std::string_view key, DbIndex db = 0) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    std::string value;
    const Status status = GetFrom(view, db, Key(key), &value);
    if (status == Status::kNotFound) return std::nullopt;
    EXPECT_EQ(status, Status::kOk) << StatusName(status);
    return value;
  }

  std::vector<std::string> ScanAll(DbIndex db = 0, uint64_t count = 10) {
    std::vector<std::string> keys;
    std::vector<std::string> expired;
    uint64_t cursor = 0;
    do {
      ReadView view(*storage_, now_ms_, ReadTier::kDisk);
      const Status status = Keyspace::Scan(
          view, db, cursor, count, [&](std::string_view key, const RecordPtr&) { keys.emplace_back(key); }, &expired,
          &cursor);
      EXPECT_EQ(status, Status::kOk);
    } while (cursor != 0);
    return keys;
  }

  uint64_t memory_bytes_ = 64 << 20;
  std::string dir_;
  StorageOptions options_;
  std::atomic<int64_t> now_ms_{1'700'000'000'000};
  std::unique_ptr<Storage> storage_;
};

}  // namespace basalt::storage
