// The rules of DESIGN §5 that concern storage, each by name.

#include <rocksdb/statistics.h>

#include <random>
#include <thread>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/storage_impl.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

class CommitProtocolTest : public StorageTest {
 protected:
  uint64_t RowsIn(Family family) {
    Engine& engine = storage_->impl().engine;
    std::unique_ptr<rocksdb::Iterator> rows(engine.db()->NewIterator(rocksdb::ReadOptions(), engine.handle(family)));
    uint64_t count = 0;
    for (rows->SeekToFirst(); rows->Valid(); rows->Next()) ++count;
    return count;
  }
  void CollectGarbage() {
    while (storage_->RunGarbageCycle(1000) != 0) {
    }
  }
  // Opens what kill -9 would leave at this moment, beside the running one, and swaps them.
  void Crash() {
    const std::string copy = dir_ + "/crashed-" + std::to_string(++crashes_);
    std::filesystem::copy(options_.dir, copy, std::filesystem::copy_options::recursive);
    std::filesystem::remove(copy + "/db/LOCK");
    survivor_ = std::move(storage_);
    survivor_dir_ = options_.dir;
    options_.dir = copy;
    Open();
  }
  void BackToSurvivor() {
    storage_ = std::move(survivor_);
    options_.dir = survivor_dir_;
  }
  void TearDown() override {
    survivor_.reset();
    StorageTest::TearDown();
  }

  int crashes_ = 0;
  std::unique_ptr<Storage> survivor_;
  std::string survivor_dir_;
};

class RecordingObserver : public CommitObserver {
 public:
  void OnCommitted(std::span<const Change> changes) override {
    for (const Change& change : changes) {
      const char kind = change.kind == ChangeKind::kModified  ? (change.created ? '+' : '=')
                        : change.kind == ChangeKind::kDeleted ? '-'
                                                              : 'x';
      seen += kind + std::string(change.key.key) + " ";
    }
  }
  void OnDatabasesReplaced(std::span<const DbIndex> dbs) override {
    for (DbIndex db : dbs) seen += "db" + std::to_string(db) + " ";
  }
  std::string seen;
};

// ⚑ snapshot vs. cached header
TEST_F(CommitProtocolTest, ViewWithASnapshotDoesNotSeeWhatIsCachedLater) {
  ASSERT_EQ(Set("a", "1"), Status::kOk);
  ASSERT_EQ(Set("b", "1"), Status::kOk);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  view.RequireSnapshot();
  std::string value;
  ASSERT_EQ(GetFrom(view, 0, Key("a"), &value), Status::kOk);
  EXPECT_EQ(value, "1");
  ASSERT_EQ(Set("b", "2"), Status::kOk);
  ASSERT_EQ(Del("a"), Status::kOk);
  ASSERT_EQ(Set("c", "new"), Status::kOk);
  ASSERT_EQ(GetFrom(view, 0, Key("b"), &value), Status::kOk);
  EXPECT_EQ(value, "1");
  ASSERT_EQ(GetFrom(view, 0, Key("a"), &value), Status::kOk);
  EXPECT_EQ(GetFrom(view, 0, Key("c"), &value), Status::kNotFound);
  EXPECT_EQ(Get("b"), "2");  // and what the old view read has not filled the cache
  EXPECT_EQ(Get("a"), std::nullopt);
  ASSERT_EQ(FlushDb(), Status::kOk);
  ASSERT_EQ(GetFrom(view, 0, Key("b"), &value), Status::kOk);  // the name spaces are of that moment too
}

// A FLUSHDB that RocksDB stalls: the fast lane does not wait for it, in the slow lane it is waited for.
TEST_F(CommitProtocolTest, SnapshotDuringAStalledFlushdbIsTheSlowLanesWork) {
  ASSERT_EQ(Set("a", "1"), Status::kOk);
  DatabaseTable& databases = storage_->impl().databases;
  databases.BeginRemap();
  std::thread end;
  {
    ReadView fast(*storage_, now_ms_, ReadTier::kMemory);
    fast.RequireSnapshot();
    std::string value;
    EXPECT_EQ(GetFrom(fast, 0, Key("a"), &value), Status::kIncomplete);
    end = std::thread([&databases] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      databases.EndRemap();
    });
    ReadView slow(*storage_, now_ms_, ReadTier::kDisk);
    slow.RequireSnapshot();
    EXPECT_EQ(GetFrom(slow, 0, Key("a"), &value), Status::kOk);
    EXPECT_EQ(value, "1");
  }
  end.join();
}

// ⚑ states that never existed: two keys that always change together, and a large value with its header
TEST_F(CommitProtocolTest, ReadersSeeCommitsWholeOrNotAtAll) {
  ASSERT_EQ(Set("x", "0"), Status::kOk);
  ASSERT_EQ(Set("y", "0"), Status::kOk);
  ASSERT_EQ(Set("large", std::string(200000 + 'a' % 7, 'a')), Status::kOk);
  storage_->impl().cache.SetBudget(8 << 10);  // evictions and fills all the time
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      int64_t last = 0;
      while (!stop.load()) {
        std::string x;
        std::string y;
        {
          ReadView view(*storage_, now_ms_, ReadTier::kDisk);
          view.RequireSnapshot();
          ASSERT_EQ(GetFrom(view, 0, Key("x"), &x), Status::kOk);
          ASSERT_EQ(GetFrom(view, 0, Key("y"), &y), Status::kOk);
        }
        ASSERT_EQ(x, y);
        ASSERT_GE(std::stoll(x), last);
        last = std::stoll(x);
        {
          ReadView view(*storage_, now_ms_, ReadTier::kDisk);
          ASSERT_EQ(GetFrom(view, 0, Key("large"), &x), Status::kOk);
        }
        ASSERT_EQ(x, std::string(x.size(), x[0]));
        ASSERT_EQ(x.size(), 200000u + static_cast<uint8_t>(x[0]) % 7);
        reads.fetch_add(1);
      }
    });
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  for (int i = 1; std::chrono::steady_clock::now() < until; ++i) {
    const std::string value = std::to_string(i);
    ASSERT_EQ(Write({"x", "y"},
                    [&](WriteTxn& txn) {
                      RecordPtr old;
                      for (const char* key : {"x", "y"}) {
                        (void)txn.GetRecord(0, Key(key), &old);
                        (void)StringStore::Set(txn, 0, Key(key), value, kNoExpire);
                      }
                      return Status::kOk;
                    }),
              Status::kOk);
    const char letter = static_cast<char>('a' + i % 26);
    if (i % 8 == 0) {
      ASSERT_EQ(Set("large", std::string(200000 + letter % 7, letter)), Status::kOk);
    }
    if (i % 32 == 0) storage_->RunGarbageCycle(1000);
    if (i % 64 == 0) (void)Set("fill-" + std::to_string(i % 512), value);
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(reads.load(), 10u);  // that it ran at all: 91 under TSan, thousands else
}

// ⚑ the cache under everything at once: what a client has seen of a key never goes back
TEST_F(CommitProtocolTest, ValuesNeverGoBackwards) {
  constexpr int kKeys = 64;
  storage_->impl().cache.SetBudget(16 << 10);
  std::atomic<int64_t> acknowledged[kKeys] = {};
  for (int k = 0; k < kKeys; ++k) ASSERT_EQ(Set("k" + std::to_string(k), "0"), Status::kOk);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {  // writers: each INCRs, by read and write under the lock
      std::mt19937 random(t);
      WriteTxn txn(*storage_);
      while (!stop.load()) {
        const int k = static_cast<int>(random() % kKeys);
        const std::string name = "k" + std::to_string(k);
        const HashedKey key = Key(name);
        if (txn.LockKeys({&key, 1}) != Status::kOk) {
          std::this_thread::yield();
          continue;
        }
        txn.BeginCommand(now_ms_, ReadTier::kDisk);
        RecordPtr record;
        ASSERT_EQ(txn.GetRecord(0, key, &record), Status::kOk);
        const int64_t next = std::stoll(std::string(record->payload())) + 1;
        ASSERT_GT(next, acknowledged[k].load());
        ASSERT_EQ(StringStore::Set(txn, 0, key, std::to_string(next), kNoExpire), Status::kOk);
        txn.EndCommand();
        struct Acknowledge : CommitObserver {
          std::atomic<int64_t>* value;
          int64_t next;
          void OnCommitted(std::span<const Change>) override { value->store(next); }
          void OnDatabasesReplaced(std::span<const DbIndex>) override {}
        } observer;
        observer.value = &acknowledged[k];
        observer.next = next;
        uint64_t sequence = 0;
        ASSERT_EQ(txn.Commit(&observer, false, &sequence), Status::kOk);
      }
    });
    threads.emplace_back([&, t] {  // readers
      std::mt19937 random(100 + t);
      int64_t seen[kKeys] = {};
      while (!stop.load()) {
        const int k = static_cast<int>(random() % kKeys);
        const int64_t floor = acknowledged[k].load();
        ReadView view(*storage_, now_ms_, ReadTier::kDisk);
        if (random() % 3 == 0) view.RequireSnapshot();
        std::string value;
        ASSERT_EQ(GetFrom(view, 0, Key("k" + std::to_string(k)), &value), Status::kOk);
        const int64_t number = std::stoll(value);
        ASSERT_GE(number, floor);
        ASSERT_GE(number, seen[k]);
        seen[k] = number;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  int64_t total = 0;
  for (int k = 0; k < kKeys; ++k) {
    total += acknowledged[k].load();
    EXPECT_EQ(Get("k" + std::to_string(k)), std::to_string(acknowledged[k].load()));
  }
  EXPECT_GT(total, 1000);
}

// ⚑ gate: a write acknowledged into a database that FLUSHDB just replaced is impossible
TEST_F(CommitProtocolTest, NoWriteIsAcknowledgedIntoAReplacedNamespace) {
  std::atomic<uint64_t> epoch{0};  // odd while a FLUSHDB or SWAPDB runs
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> checked{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const std::string name = "writer-" + std::to_string(t);
      for (int i = 0; !stop.load(); ++i) {
        const uint64_t before = epoch.load();
        const std::string value = std::to_string(i);
        const Status status = Set(name, value);
        if (status == Status::kLocked) {
          std::this_thread::yield();
          continue;
        }
        ASSERT_EQ(status, Status::kOk);
        const auto read = Get(name);
        if (before % 2 == 0 && epoch.load() == before) {
          ASSERT_EQ(read, value);
          checked.fetch_add(1);
        }
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    epoch.fetch_add(1);
    if (i % 3 == 0) {
      ASSERT_EQ(WriteExclusive([](WriteTxn& txn) { txn.SwapNamespaces(0, 1); }), Status::kOk);
    } else {
      ASSERT_EQ(FlushDb(), Status::kOk);
    }
    epoch.fetch_add(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(checked.load(), 100u);
  for (DbIndex db = 0; db < 2; ++db) EXPECT_EQ(storage_->Counts(db).keys, ScanAll(db).size());
}

// ⚑ all or nothing
TEST_F(CommitProtocolTest, RolledBackCommandLeavesNothingAndTheGroupGoesOn) {
  ASSERT_EQ(Set("kept", std::string(10000, 'k')), Status::kOk);
  RecordingObserver observer;
  WriteTxn txn(*storage_);
  const HashedKey keys[] = {Key("a"), Key("kept"), Key("c")};
  ASSERT_EQ(txn.LockKeys(keys), Status::kOk);
  RecordPtr record;
  uint64_t length = 0;
  txn.BeginCommand(now_ms_, ReadTier::kDisk);
  (void)txn.GetRecord(0, keys[0], &record);
  ASSERT_EQ(StringStore::Set(txn, 0, keys[0], "1", kNoExpire), Status::kOk);
  txn.EndCommand();
  txn.BeginCommand(now_ms_, ReadTier::kDisk);
  ASSERT_EQ(StringStore::SetRange(txn, 0, keys[1], 5000, "xyz", &length), Status::kOk);
  (void)txn.GetRecord(0, keys[2], &record);
  ASSERT_EQ(StringStore::Set(txn, 0, keys[2], std::string(3 << 20, 'c'), kNoExpire), Status::kOk);
  (void)txn.GetRecord(0, keys[0], &record);
  txn.Erase(0, keys[0]);
  txn.RollbackCommand();
  std::string value;
  ASSERT_EQ(GetFrom(txn, 0, keys[1], &value), Status::kOk);
  EXPECT_EQ(value, std::string(10000, 'k'));
  ASSERT_EQ(GetFrom(txn, 0, keys[0], &value), Status::kOk);
  EXPECT_EQ(GetFrom(txn, 0, keys[2], &value), Status::kNotFound);
  EXPECT_EQ(Get("a"), std::nullopt);  // nothing is visible before the commit
  uint64_t sequence = 0;
  ASSERT_EQ(txn.Commit(&observer, false, &sequence), Status::kOk);
  EXPECT_EQ(observer.seen, "+a ");
  EXPECT_EQ(Get("a"), "1");
  CollectGarbage();
  EXPECT_EQ(RowsIn(Family::kBig), 1u);  // of `kept`
  EXPECT_EQ(RowsIn(Family::kData), 0u);
}

TEST_F(CommitProtocolTest, GroupIsOneCommitAlsoAfterACrash) {
  WriteTxn txn(*storage_);
  const HashedKey keys[] = {Key("a"), Key("b")};
  ASSERT_EQ(txn.LockKeys(keys), Status::kOk);
  txn.BeginCommand(now_ms_, ReadTier::kDisk);
  RecordPtr record;
  for (const HashedKey& key : keys) {
    (void)txn.GetRecord(0, key, &record);
    ASSERT_EQ(StringStore::Set(txn, 0, key, "v", now_ms_ + 5000), Status::kOk);
  }
  txn.EndCommand();
  Crash();
  EXPECT_EQ(ScanAll().size(), 0u);
  BackToSurvivor();
  uint64_t sequence = 0;
  ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  EXPECT_EQ(sequence, storage_->LastSequence());
  Crash();
  EXPECT_EQ(ScanAll().size(), 2u);
  EXPECT_EQ(storage_->Counts(0).keys, 2u);
  EXPECT_EQ(storage_->Counts(0).expires, 2u);
  now_ms_ += 5000;
  EXPECT_EQ(storage_->RunExpireCycle(100), 2u);
  EXPECT_EQ(storage_->Counts(0).keys, 0u);
  EXPECT_EQ(RowsIn(Family::kTtl), 0u);
  BackToSurvivor();
}

// ⚑ large changes: header and rows
TEST_F(CommitProtocolTest, LargeChangeIsAllOrNothingAfterACrash) {
  const std::string value(5 << 20, 'v');
  const HashedKey key = Key("large");
  WriteTxn txn(*storage_);
  ASSERT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
  txn.BeginCommand(now_ms_, ReadTier::kDisk);
  RecordPtr record;
  (void)txn.GetRecord(0, key, &record);
  ASSERT_EQ(StringStore::Set(txn, 0, key, value, kNoExpire), Status::kOk);
  txn.EndCommand();
  EXPECT_EQ(RowsIn(Family::kBig), 80u);  // streamed already
  Crash();
  EXPECT_EQ(Get("large"), std::nullopt);
  EXPECT_EQ(storage_->Stats().garbage_objects, 1u);
  CollectGarbage();
  EXPECT_EQ(RowsIn(Family::kBig), 0u);
  BackToSurvivor();
  CollectGarbage();  // must not touch what is being written
  uint64_t sequence = 0;
  ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  CollectGarbage();
  EXPECT_TRUE(Get("large") == value);
  Crash();
  CollectGarbage();
  EXPECT_TRUE(Get("large") == value);
  EXPECT_EQ(storage_->Stats().garbage_objects, 0u);
  BackToSurvivor();
}

// A string that is no more is removed by the names of its rows; they are not read for it.
TEST_F(CommitProtocolTest, CollectorDoesNotReadTheValuesOfStrings) {
  ASSERT_EQ(Set("s", std::string(4 << 20, 's')), Status::kOk);
  ASSERT_EQ(storage_->Flush(), Status::kOk);
  ASSERT_EQ(Del("s"), Status::kOk);
  const auto bytes_read = [this] {
    return storage_->impl().engine.statistics()->getTickerCount(rocksdb::ITER_BYTES_READ);
  };
  const uint64_t before = bytes_read();
  CollectGarbage();
  EXPECT_LT(bytes_read() - before, 10'000u);
  EXPECT_EQ(RowsIn(Family::kBig), 0u);
}

// A string in `big` with a gap, given up: its last rows have higher numbers than it has rows.
TEST_F(CommitProtocolTest, LargeStringWithAGapIsGivenUpWhole) {
  const HashedKey key = Key("s");
  ASSERT_EQ(Set("s", std::string(2 << 20, 's')), Status::kOk);
  const uint64_t rows = RowsIn(Family::kBig);
  EXPECT_EQ(Write({"s"},
                  [&](WriteTxn& txn) {
                    uint64_t length = 0;
                    EXPECT_EQ(StringStore::SetRange(txn, 0, key, 100 << 20, std::string(9 << 20, 'e'), &length),
                              Status::kOk);
                    return Status::kInvalid;
                  }),
            Status::kInvalid);
  EXPECT_GT(RowsIn(Family::kBig), rows);
  CollectGarbage();
  EXPECT_EQ(RowsIn(Family::kBig), rows);
}

// Members are keys: of few but huge ones the collector does not gather gigabytes.
TEST_F(CommitProtocolTest, CollectorDoesNotGatherHugeKeys) {
  ASSERT_EQ(Write({"k"},
                  [&](WriteTxn& txn) {
                    RecordPtr old;
                    (void)txn.GetRecord(0, Key("k"), &old);
                    const uint64_t id = txn.NewObjectId();
                    KeyBuffer lower;
                    EncodeObjectBound(id, &lower);
                    for (char c = 'a'; c <= 'z'; ++c) {
                      txn.PutRow(RowFamily::kData, std::string(lower.view()) + std::string(100'000, c), "");
                    }
                    std::string payload;
                    AppendRowsCount(26, &payload);
                    txn.Put(0, Key("k"), Record::Make({ValueType::kSet, Encoding::kHashtable, kNoExpire, id}, payload));
                    return Status::kOk;
                  }),
            Status::kOk);
  ASSERT_EQ(Del("k"), Status::kOk);
  CollectGarbage();
  EXPECT_EQ(RowsIn(Family::kData), 0u);
  EXPECT_EQ(storage_->Stats().garbage_rows_removed, 0u) << "row by row, not as a range";
}

TEST_F(CommitProtocolTest, FastLaneDoesNotWriteLargeValues) {
  const HashedKey key = Key("large");
  WriteTxn txn(*storage_);
  ASSERT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
  txn.BeginCommand(now_ms_, ReadTier::kMemory);
  RecordPtr record;
  (void)txn.GetRecord(0, key, &record);
  EXPECT_EQ(StringStore::Set(txn, 0, key, std::string(2 << 20, 'v'), kNoExpire), Status::kIncomplete);
  txn.RollbackCommand();
  EXPECT_FALSE(txn.HasPendingWrites());
}

// ⚑ the collector never removes what a snapshot still needs
TEST_F(CommitProtocolTest, GarbageStaysReadableForOlderSnapshots) {
  for (const uint64_t size : {100000ull, 300ull << 20}) {  // point deletes; a range
    uint64_t length = 0;
    ASSERT_EQ(SetRange("s", 0, "begin", &length), Status::kOk);
    ASSERT_EQ(SetRange("s", size, "end", &length), Status::kOk);
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    StringValue value;
    ASSERT_EQ(StringStore::Find(view, 0, Key("s"), StringStore::Rows::kNeeded, &value), Status::kOk);
    ASSERT_EQ(Del("s"), Status::kOk);
    CollectGarbage();
    storage_->Compact();
    std::string read;
    ASSERT_EQ(StringStore::Read(view, value, size, 3, &read), Status::kOk);
    ASSERT_EQ(StringStore::Read(view, value, 0, 6, &read), Status::kOk);
    EXPECT_EQ(read, std::string("endbegin") + '\0');
    EXPECT_EQ(Get("s"), std::nullopt);
  }
  EXPECT_EQ(RowsIn(Family::kData), 0u);
}

// FLUSHALL of a server that knows fewer databases than there are leaves the others alone, rows included.
TEST_F(CommitProtocolTest, FlushAllKeepsDatabasesThatTheServerDoesNotShow) {
  const std::string value(10000, 'v');
  ASSERT_EQ(Set("hidden", value, kNoExpire, 9), Status::kOk);
  ASSERT_EQ(Set("shown", value, kNoExpire, 3), Status::kOk);
  options_.databases = 8;
  Reopen();
  ASSERT_EQ(FlushAll(), Status::kOk);
  CollectGarbage();
  EXPECT_EQ(RowsIn(Family::kBig), 1u);
  options_.databases = 16;
  Reopen();
  CollectGarbage();
  EXPECT_EQ(Get("hidden", 9), value);
  EXPECT_EQ(Get("shown", 3), std::nullopt);
}

// All databases are replaced by one group, which also writes: what it leaves in them is not garbage, what it does not
// is.
TEST_F(CommitProtocolTest, GroupThatReplacesAllDatabasesKeepsWhatItMovedBetweenThem) {
  storage_.reset();
  options_.databases = 2;
  options_.dir = dir_ + "/two";
  Open();
  const std::string value(10000, 'v');
  ASSERT_EQ(Set("moved", value, kNoExpire, 1), Status::kOk);
  ASSERT_EQ(WriteExclusive([&](WriteTxn& txn) {
              txn.ReplaceNamespace(0);
              EXPECT_EQ(Keyspace::Rename(txn, 1, Key("moved"), 0, Key("moved")), Status::kOk);
              txn.ReplaceNamespace(1);
            }),
            Status::kOk);
  CollectGarbage();
  EXPECT_EQ(Get("moved", 0), value);
  EXPECT_EQ(RowsIn(Family::kBig), 1u);

  ASSERT_EQ(WriteExclusive([&](WriteTxn& txn) {
              for (DbIndex db = 0; db < 2; ++db) txn.ReplaceNamespace(db);
              RecordPtr old;
              EXPECT_EQ(txn.GetRecord(0, Key("between"), &old), Status::kNotFound);
              EXPECT_EQ(StringStore::Set(txn, 0, Key("between"), value, kNoExpire), Status::kOk);
              for (DbIndex db = 0; db < 2; ++db) txn.ReplaceNamespace(db);
            }),
            Status::kOk);
  CollectGarbage();
  EXPECT_EQ(RowsIn(Family::kBig), 0u);
  EXPECT_EQ(RowsIn(Family::kMeta), 0u);
}

// A commit does not flush; whoever looks after it does, when there are too many range tombstones.
TEST_F(CommitProtocolTest, RangeTombstonesAreFlushedBehindTheCommits) {
  Engine& engine = storage_->impl().engine;
  const auto delete_range = [&] {
    return Write({"k"}, [](WriteTxn& txn) {
      txn.DeleteRows(RowFamily::kData, "a", "b");
      return Status::kOk;
    });
  };
  const auto memtable_entries = [&] {
    uint64_t entries = 0;
    engine.db()->GetIntProperty(engine.handle(Family::kData), rocksdb::DB::Properties::kNumEntriesActiveMemTable,
                                &entries);
    return entries;
  };
  for (uint32_t i = 0; i < Engine::kRangeTombstonesMax; ++i) {
    engine.FlushRangeTombstones();
    ASSERT_EQ(delete_range(), Status::kOk);
  }
  EXPECT_EQ(memtable_entries(), Engine::kRangeTombstonesMax);
  engine.FlushRangeTombstones();
  EXPECT_EQ(memtable_entries(), 0u);
}

TEST_F(CommitProtocolTest, ObserverHearsWhatHappenedToEachKey) {
  ASSERT_EQ(Set("old", "1"), Status::kOk);
  ASSERT_EQ(Set("due", "1", now_ms_ + 10), Status::kOk);
  ASSERT_EQ(Set("due2", "1", now_ms_ + 10), Status::kOk);
  now_ms_ += 10;
  RecordingObserver observer;
  ASSERT_EQ(Write(
                {"old", "new", "due", "due2"},
                [&](WriteTxn& txn) {
                  RecordPtr record;
                  EXPECT_EQ(txn.GetRecord(0, Key("old"), &record), Status::kOk);
                  (void)txn.GetRecord(0, Key("new"), &record);
                  EXPECT_EQ(txn.GetRecord(0, Key("due"), &record), Status::kNotFound);
                  EXPECT_EQ(txn.GetRecord(0, Key("due2"), &record), Status::kNotFound);
                  txn.Erase(0, Key("old"));
                  (void)StringStore::Set(txn, 0, Key("new"), "n", kNoExpire);
                  (void)StringStore::Set(txn, 0, Key("due2"), "again", kNoExpire);
                  return Status::kOk;
                },
                &observer),
            Status::kOk);
  EXPECT_EQ(observer.seen, "-old +new xdue xdue2 +due2 ");
  EXPECT_EQ(storage_->Stats().expired_keys, 2u);
  EXPECT_EQ(storage_->Counts(0).keys, 2u);
  EXPECT_EQ(storage_->Counts(0).expires, 0u);
}

// While nothing may expire, a read under locks writes nothing; what is written replaces nothing but what had expired.
TEST_F(CommitProtocolTest, ExpiredKeyStaysInvisibleWhileNothingMayExpire) {
  ASSERT_EQ(Set("due", std::string(10000, 'd'), now_ms_ + 10), Status::kOk);
  now_ms_ += 10;
  storage_->PauseExpire(true);
  RecordingObserver observer;
  EXPECT_EQ(Write(
                {"due"},
                [&](WriteTxn& txn) {
                  RecordPtr record;
                  EXPECT_EQ(txn.GetRecord(0, Key("due"), &record), Status::kNotFound);
                  EXPECT_FALSE(txn.HasPendingWrites());
                  return Status::kOk;
                },
                &observer),
            Status::kOk);
  EXPECT_EQ(observer.seen, "");
  EXPECT_EQ(storage_->Counts(0).expires, 1u);
  EXPECT_EQ(Write(
                {"due"},
                [&](WriteTxn& txn) {
                  RecordPtr record;
                  EXPECT_EQ(txn.GetRecord(0, Key("due"), &record), Status::kNotFound);
                  return StringStore::Set(txn, 0, Key("due"), "new", kNoExpire);
                },
                &observer),
            Status::kOk);
  EXPECT_EQ(observer.seen, "xdue +due ");
  EXPECT_EQ(Get("due"), "new");
  EXPECT_EQ(storage_->Counts(0).keys, 1u);
  EXPECT_EQ(storage_->Counts(0).expires, 0u);
  EXPECT_EQ(RowsIn(Family::kTtl), 0u);
  CollectGarbage();
  EXPECT_EQ(RowsIn(Family::kBig), 0u);
}

// The expire cycle that is told to stop in the middle finds the rest when it may go on.
TEST_F(CommitProtocolTest, ExpireCycleThatIsPausedLeavesNothingOut) {
  class Pauser : public CommitObserver {
   public:
    explicit Pauser(Storage& storage) : storage_(storage) {}
    void OnCommitted(std::span<const Change>) override { storage_.PauseExpire(true); }
    void OnDatabasesReplaced(std::span<const DbIndex>) override {}

   private:
    Storage& storage_;
  } pauser(*storage_);
  constexpr uint64_t kKeys = 3 * TtlIndex::kBatchUnits;
  for (uint64_t i = 0; i < kKeys; ++i) ASSERT_EQ(Set("due-" + std::to_string(i), "v", now_ms_ + 10), Status::kOk);
  now_ms_ += 10;
  storage_->SetExpireObserver(&pauser);
  EXPECT_EQ(storage_->RunExpireCycle(kKeys), TtlIndex::kBatchUnits);
  storage_->SetExpireObserver(nullptr);
  storage_->PauseExpire(false);
  EXPECT_EQ(storage_->RunExpireCycle(kKeys), kKeys - TtlIndex::kBatchUnits);
  EXPECT_EQ(storage_->Counts(0).keys, 0u);
}

}  // namespace
}  // namespace basalt::storage
