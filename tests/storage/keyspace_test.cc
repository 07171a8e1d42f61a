#include <map>
#include <random>
#include <set>
#include <thread>

#include "storage/key_codec.h"
#include "storage/storage_impl.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

class KeyspaceTest : public StorageTest {
 protected:
  // Many SETs in one group.
  void Fill(int count, const std::string& prefix, int64_t expire_ms = kNoExpire, size_t bytes = 3) {
    WriteTxn txn(*storage_);
    uint64_t sequence = 0;
    for (int i = 0; i < count; ++i) {
      const std::string name = prefix + std::to_string(i);
      const HashedKey key = Key(name);
      ASSERT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
      txn.BeginCommand(now_ms_, ReadTier::kDisk);
      RecordPtr old;
      (void)txn.GetRecord(0, key, &old);
      ASSERT_EQ(StringStore::Set(txn, 0, key, std::string(bytes, 'v'), expire_ms), Status::kOk);
      txn.EndCommand();
      if (i % 1000 == 999) {
        ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
      }
    }
    ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  }
  uint64_t RowsIn(Family family) {
    Engine& engine = storage_->impl().engine;
    std::unique_ptr<rocksdb::Iterator> rows(engine.db()->NewIterator(rocksdb::ReadOptions(), engine.handle(family)));
    uint64_t count = 0;
    for (rows->SeekToFirst(); rows->Valid(); rows->Next()) ++count;
    return count;
  }
};

TEST_F(KeyspaceTest, ScanReturnsEveryKeyThatStaysExactlyOnce) {
  Fill(3000, "stays-");
  Fill(1000, "{tag}same-slot-");
  std::mt19937 random(3);
  std::map<std::string, int> seen;
  uint64_t cursor = 0;
  int pages = 0;
  std::vector<std::string> expired;
  do {
    uint64_t in_page = 0;
    {
      ReadView view(*storage_, now_ms_, ReadTier::kDisk);
      ASSERT_EQ(Keyspace::Scan(
                    view, 0, cursor, 50,
                    [&](std::string_view key, const RecordPtr&) {
                      ++seen[std::string(key)];
                      ++in_page;
                    },
                    &expired, &cursor),
                Status::kOk);
    }
    EXPECT_LE(in_page, 60u);
    EXPECT_LT(cursor, kBuckets);
    ++pages;
    for (int i = 0; i < 5; ++i) {  // others come and go, values change, the server restarts
      (void)Set("comes-" + std::to_string(random() % 500), "x");
      (void)Del("comes-" + std::to_string(random() % 500));
      (void)Set("stays-" + std::to_string(random() % 3000), "changed");
    }
    if (pages % 40 == 0) Reopen();
    if (pages % 25 == 0) {
      ASSERT_EQ(storage_->Flush(), Status::kOk);
    }
    ASSERT_LT(pages, 5000);
  } while (cursor != 0);
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(seen["stays-" + std::to_string(i)], 1) << i;
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(seen["{tag}same-slot-" + std::to_string(i)], 1) << i;
  for (const auto& [key, times] : seen) ASSERT_EQ(times, 1) << key;
}

TEST_F(KeyspaceTest, ScanOfAnEmptyDatabaseEnds) {
  EXPECT_EQ(ScanAll().size(), 0u);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  uint64_t next = 1;
  std::vector<std::string> expired;
  EXPECT_EQ(Keyspace::Scan(
                view, 0, UINT64_MAX, 10, [](std::string_view, const RecordPtr&) {}, &expired, &next),
            Status::kOk);
  EXPECT_EQ(next, 0u);
}

TEST_F(KeyspaceTest, RandomKeyIsFair) {
  for (const int count : {10, 500}) {
    ASSERT_EQ(FlushDb(), Status::kOk);
    Fill(count, "k");
    std::map<std::string, int> drawn;
    const int draws = count * 100;
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    for (int i = 0; i < draws; ++i) {
      std::string key;
      ASSERT_EQ(Keyspace::Random(view, 0, &key), Status::kOk);
      ++drawn[key];
    }
    ASSERT_EQ(drawn.size(), static_cast<size_t>(count));
    double chi2 = 0;
    for (const auto& [key, times] : drawn) chi2 += (times - 100.0) * (times - 100.0) / 100.0;
    EXPECT_LT(chi2, count + 6 * std::sqrt(2.0 * count)) << count;  // six standard deviations
  }
}

TEST_F(KeyspaceTest, RandomKeyOfOneHashTagReachesAll) {
  Fill(300, "{same}");
  std::set<std::string> drawn;
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  for (int i = 0; i < 5000; ++i) {
    std::string key;
    ASSERT_EQ(Keyspace::Random(view, 0, &key), Status::kOk);
    drawn.insert(key);
  }
  EXPECT_GT(drawn.size(), 290u);
}

TEST_F(KeyspaceTest, RandomKeyOfOnlyExpiredKeysEnds) {
  Fill(200, "k", now_ms_ + 10);
  now_ms_ += 10;
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  std::string key;
  EXPECT_EQ(Keyspace::Random(view, 0, &key), Status::kNotFound);
}

TEST_F(KeyspaceTest, HundredThousandKeysDueAtOnceAreGoneAndCountedExactly) {
  constexpr int kDue = 100000;
  Fill(kDue, "due-", now_ms_ + 1000);
  Fill(1000, "later-", now_ms_ + 500000);
  Fill(1000, "never-");
  EXPECT_EQ(storage_->Counts(0).expires, static_cast<uint64_t>(kDue + 1000));
  EXPECT_EQ(storage_->RunExpireCycle(1000), 0u);
  EXPECT_EQ(storage_->Stats().expire_overdue_ms, 0u);
  now_ms_ += 1250;
  // One key is locked by someone: it is skipped, and removed next time.
  KeyLocks::Grant grant;
  const HashedKey busy = Key("due-77");
  ASSERT_TRUE(storage_->locks().TryLock({&busy, 1}, &grant));
  const auto started = std::chrono::steady_clock::now();
  uint64_t removed = 0;
  while (const uint64_t n = storage_->RunExpireCycle(1024)) removed += n;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  RecordProperty("expired_per_second", static_cast<int>(static_cast<double>(removed) / seconds));
  std::printf("expired %d keys/s\n", static_cast<int>(static_cast<double>(removed) / seconds));
  EXPECT_LT(removed, static_cast<uint64_t>(kDue));
  EXPECT_EQ(storage_->Stats().expire_overdue_ms, 250u);
  EXPECT_GT(removed, static_cast<uint64_t>(kDue - 100));  // those that share its stripe wait with it
  grant.Release();
  while (const uint64_t n = storage_->RunExpireCycle(1024)) removed += n;
  EXPECT_EQ(removed, static_cast<uint64_t>(kDue));
  EXPECT_EQ(storage_->Stats().expire_overdue_ms, 0u);
  EXPECT_EQ(storage_->Stats().expired_keys, static_cast<uint64_t>(kDue));
  EXPECT_EQ(storage_->Counts(0).keys, 2000u);
  EXPECT_EQ(storage_->Counts(0).expires, 1000u);
  EXPECT_EQ(RowsIn(Family::kTtl), 1000u);
  EXPECT_EQ(RowsIn(Family::kMeta), 2000u);
  // A key that is due earlier than anything the cycle has seen since is found too.
  ASSERT_EQ(Set("early", "v", now_ms_ - 500), Status::kOk);
  EXPECT_EQ(storage_->RunExpireCycle(10), 1u);
  Reopen();
  EXPECT_EQ(storage_->Counts(0).keys, 2000u);
  EXPECT_EQ(storage_->Counts(0).expires, 1000u);
}

TEST_F(KeyspaceTest, ScanTakesAnyCount) {
  Fill(1000, "k");
  for (const uint64_t count : {uint64_t{1} << 62, UINT64_MAX / 4 + 1, UINT64_MAX}) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    std::vector<std::string> expired;
    uint64_t keys = 0;
    uint64_t next = 1;
    const auto visit = [&](std::string_view, const RecordPtr&) { ++keys; };
    ASSERT_EQ(Keyspace::Scan(view, 0, 0, count, visit, &expired, &next), Status::kOk);
    EXPECT_EQ(next, 0u) << count;
    EXPECT_EQ(keys, 1000u) << count;
  }
}

// A script may keep the gate closed for long.
TEST_F(KeyspaceTest, ExpireCycleDoesNotWalkAllKeysBehindAClosedGate) {
  Fill(5000, "due-", now_ms_ + 10);
  now_ms_ += 10;
  const auto seeks = [this] { return storage_->impl().engine.statistics()->getTickerCount(rocksdb::NUMBER_DB_NEXT); };
  {
    const ExclusiveGate::Closed closed(storage_->gate());
    const uint64_t before = seeks();
    EXPECT_EQ(storage_->RunExpireCycle(10'000), 0u);
    EXPECT_LT(seeks() - before, 100u);
  }
  EXPECT_EQ(storage_->RunExpireCycle(10'000), 5000u);
}

TEST_F(KeyspaceTest, OneDatabaseDoesNotKeepTheOthersFromExpiring) {
  ASSERT_EQ(Set("k", "v", now_ms_ + 10, 3), Status::kOk);
  now_ms_ += 10;
  for (int run = 0; run < 2; ++run) {  // database 0 always has as much as one run takes
    Fill(10, "due-" + std::to_string(run), now_ms_ - 1);
    EXPECT_EQ(storage_->RunExpireCycle(10), 10u);
  }
  EXPECT_EQ(storage_->Counts(3).keys, 0u);
}

TEST_F(KeyspaceTest, BackgroundThreadExpiresWithinASecondUnlessPaused) {
  storage_.reset();
  options_.background = true;
  options_.now_ms = nullptr;
  Open();
  now_ms_ = storage_->NowMs();
  storage_->PauseExpire(true);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Set("k" + std::to_string(i), "v", now_ms_ + 50), Status::kOk);
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  EXPECT_EQ(storage_->Counts(0).keys, 100u);
  storage_->PauseExpire(false);
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  EXPECT_EQ(storage_->Counts(0).keys, 0u);
  EXPECT_EQ(storage_->Stats().expired_keys, 100u);
}

TEST_F(KeyspaceTest, SpaceOfFlushedAndDeletedDataComesBack) {
  storage_.reset();
  options_.compression = "none";
  Open();
  std::mt19937_64 random(9);
  std::string noise(300000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Set("large-" + std::to_string(i), noise), Status::kOk);
  uint64_t length = 0;
  ASSERT_EQ(SetRange("parts", 200 << 20, "x", &length), Status::kOk);
  Fill(20000, "small-", kNoExpire, 500);
  ASSERT_EQ(storage_->Flush(), Status::kOk);
  const uint64_t full = storage_->Stats().live_sst_bytes;
  EXPECT_GT(full, 35u << 20);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(Del("large-" + std::to_string(i)), Status::kOk);
  while (storage_->RunGarbageCycle(10000) != 0) {
  }
  ASSERT_EQ(FlushDb(), Status::kOk);
  while (storage_->RunGarbageCycle(10000) != 0) {
  }
  for (const Family family : {Family::kMeta, Family::kTtl, Family::kBig, Family::kData}) EXPECT_EQ(RowsIn(family), 0u);
  storage_->Compact();
  EXPECT_LT(storage_->Stats().live_sst_bytes, full / 20);
  EXPECT_EQ(storage_->Stats().garbage_objects, 0u);
}

TEST_F(KeyspaceTest, FlushAllMakesEverythingGarbageAtOnce) {
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(Set("k" + std::to_string(i), std::string(10000, 'x'), kNoExpire, i % 3), Status::kOk);
  ASSERT_EQ(Del("k0"), Status::kOk);
  ASSERT_EQ(FlushAll(), Status::kOk);
  ASSERT_EQ(Set("after", std::string(10000, 'y')), Status::kOk);
  Reopen();
  while (storage_->RunGarbageCycle(100) != 0) {
  }
  EXPECT_EQ(RowsIn(Family::kBig), 1u);
  EXPECT_EQ(RowsIn(Family::kMeta), 1u);
  EXPECT_EQ(Get("after"), std::string(10000, 'y'));
  Reopen();
  while (storage_->RunGarbageCycle(100) != 0) {
  }
  EXPECT_EQ(Get("after"), std::string(10000, 'y'));
}

TEST_F(KeyspaceTest, CopiesLiveOnTheirOwn) {
  const std::string large(5 << 20, 'l');
  ASSERT_EQ(Set("large", large, now_ms_ + 5000), Status::kOk);
  ASSERT_EQ(Copy("large", "copy"), Status::kOk);
  uint64_t length = 0;
  ASSERT_EQ(SetRange("copy", 100, "XX", &length), Status::kOk);
  EXPECT_TRUE(Get("large") == large);
  ASSERT_EQ(Del("large"), Status::kOk);
  while (storage_->RunGarbageCycle(1000) != 0) {
  }
  std::string expected = large;
  expected.replace(100, 2, "XX");
  EXPECT_TRUE(Get("copy") == expected);
  EXPECT_EQ(storage_->Counts(0).expires, 1u);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  uint64_t bytes = 0;
  ASSERT_EQ(Keyspace::Usage(view, 0, Key("copy"), 5, &bytes), Status::kOk);
  EXPECT_GT(bytes, 5u << 20);
  EXPECT_LT(bytes, 6u << 20);
}

}  // namespace
}  // namespace basalt::storage
