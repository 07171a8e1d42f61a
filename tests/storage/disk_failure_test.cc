#include <algorithm>
#include <atomic>

#include "storage/hash_store.h"
#include "tests/storage/fault_fixture.h"

namespace basalt::storage {
namespace {

struct Scenario {
  const char* name;
  uint32_t points;
  FaultFs::Error error;
  FaultFs::Lasts lasts;
  SyncPolicy policy;
};

class DiskFailureTest : public FaultTest, public testing::WithParamInterface<Scenario> {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    options_.sync_policy = GetParam().policy;
  }

  // Everything that writes to the disk, once.
  void RunScript() {
    TrySet("plain", "1");
    TrySet("expiring", "2", now_ms_ + 1'000'000);
    TrySetBoth("left", "right", "3");
    TrySet("large", std::string(300'000, 'x'));
    (void)storage_->SyncNow();
    TrySet("plain", "4");
    TryDel("expiring");
    (void)storage_->Flush();
    TrySet("after flush", "5");
    TrySetBoth("left", "right", "6");
    TryDel("large");
    (void)storage_->RunGarbageCycle(100'000);
    TrySet("last", "7", now_ms_ + 2'000'000);
    (void)storage_->SyncNow();
  }

  void StartOver() {
    storage_.reset();
    std::filesystem::remove_all(options_.dir);
    model_.clear();
    pairs_.clear();
    Open();
  }
};

// ⚑ The n-th write, sync, … fails, for every n that the script comes to: nothing acknowledged is lost, nothing
// unacknowledged appears in part, counters are exact, and service resumes without a restart.
TEST_P(DiskFailureTest, EveryPointOfAScript) {
  const Scenario& scenario = GetParam();
  int points = 0;
  for (int n = 1;; ++n) {
    SCOPED_TRACE("failing operation " + std::to_string(n));
    StartOver();
    TrySet("before", "0");
    fs_->Arm(scenario.points, n, scenario.error, scenario.lasts);
    RunScript();
    if (!fs_->hit()) break;
    ++points;
    // Reads go on while nothing can be written.
    for (int i = 0; i < 3; ++i) guardian().Tick();
    EXPECT_EQ(Get("before"), "0");
    fs_->Heal();
    WaitUntilHealthy();
    ExpectModel();
    EXPECT_TRUE(TrySet("resumed", "8"));
    EXPECT_TRUE(TryDel("before"));
    ExpectModel();
    Reopen();
    ExpectModel();
    if (HasFailure()) return;
  }
  fs_->Heal();
  EXPECT_GE(points, 4);
  RecordProperty("points", points);
}

constexpr uint32_t kAll = FaultFs::kAppend | FaultFs::kSync | FaultFs::kCreate | FaultFs::kRename;

INSTANTIATE_TEST_SUITE_P(
    Faults, DiskFailureTest,
    testing::Values(
        Scenario{"AppendOnce", FaultFs::kAppend, FaultFs::Error::kIo, FaultFs::Lasts::kOnce, SyncPolicy::kEverySecond},
        Scenario{"AppendUntilHealed", FaultFs::kAppend, FaultFs::Error::kIo, FaultFs::Lasts::kUntilHealed,
                 SyncPolicy::kAlways},
        Scenario{"SyncOnce", FaultFs::kSync, FaultFs::Error::kIo, FaultFs::Lasts::kOnce, SyncPolicy::kAlways},
        Scenario{"SyncUntilHealed", FaultFs::kSync, FaultFs::Error::kIo, FaultFs::Lasts::kUntilHealed,
                 SyncPolicy::kAlways},
        Scenario{"NoSpace", FaultFs::kAppend | FaultFs::kCreate, FaultFs::Error::kNoSpace, FaultFs::Lasts::kUntilHealed,
                 SyncPolicy::kNo},
        Scenario{"Everything", kAll, FaultFs::Error::kIo, FaultFs::Lasts::kUntilHealed, SyncPolicy::kEverySecond}),
    [](const testing::TestParamInfo<Scenario>& info) { return std::string(info.param.name); });

using FailedDiskTest = FaultTest;

TEST_F(FailedDiskTest, AFailedWriteIsAnErrorAndHealthSaysWhy) {
  ASSERT_EQ(Set("a", "1"), Status::kOk);
  fs_->Arm(FaultFs::kAppend, 1, FaultFs::Error::kIo, FaultFs::Lasts::kUntilHealed);
  EXPECT_EQ(Set("a", "2"), Status::kIoError);
  EXPECT_EQ(storage_->health(), Health::kFailed);
  EXPECT_NE(storage_->HealthReason().find("injected"), std::string::npos) << storage_->HealthReason();
  EXPECT_EQ(storage_->HealthReason().find('\n'), std::string::npos);
  EXPECT_EQ(Set("b", "3"), Status::kReadOnly);
  EXPECT_EQ(Get("a"), "1");
  fs_->Heal();
  WaitUntilHealthy();
  EXPECT_EQ(storage_->HealthReason(), "");
  EXPECT_EQ(storage_->Stats().reopens, 1u);
  EXPECT_EQ(Set("b", "3"), Status::kOk);
}

// RocksDB would resume by itself, from the thread that watches free space, and abort with the next write.
TEST_F(FailedDiskTest, RocksdbDoesNotRecoverByItself) {
  ASSERT_EQ(Set("a", "1"), Status::kOk);
  fs_->Arm(FaultFs::kAppend, 1, FaultFs::Error::kNoSpace, FaultFs::Lasts::kOnce);
  EXPECT_EQ(Set("a", "2"), Status::kIoError);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  rocksdb::WriteBatch batch;
  batch.Put(storage_->impl().engine.handle(Family::kSys), "x", "y");
  EXPECT_FALSE(storage_->impl().engine.db()->Write(rocksdb::WriteOptions(), &batch).ok());
  WaitUntilHealthy();
  EXPECT_EQ(Set("a", "3"), Status::kOk);
}

// ⚑ When RocksDB cannot be opened for writing, reads are answered by one that is open for reading.
TEST_F(FailedDiskTest, ReadsGoOnWhenTheReopenFailsHalfWay) {
  ASSERT_EQ(Set("a", "1"), Status::kOk);
  fs_->Arm(FaultFs::kAppend, 1, FaultFs::Error::kIo, FaultFs::Lasts::kOnce);
  EXPECT_EQ(Set("a", "2"), Status::kIoError);
  // The probe's file and its one append succeed; what the reopen creates does not.
  fs_->Arm(FaultFs::kCreate, 2, FaultFs::Error::kIo, FaultFs::Lasts::kUntilHealed);
  for (int i = 0; i < 20 && !fs_->hit(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    guardian().Tick();
  }
  ASSERT_TRUE(fs_->hit());
  EXPECT_EQ(storage_->health(), Health::kFailed);
  EXPECT_NE(Get("a"), std::nullopt);
  EXPECT_EQ(Set("b", "1"), Status::kReadOnly);
  fs_->Heal();
  WaitUntilHealthy();
  EXPECT_NE(Get("a"), std::nullopt);
  EXPECT_EQ(Set("b", "1"), Status::kOk);
  ExpectCounters();
}

// Writes off, reads on: also of keys whose time has come, under locks as a read behind others has them.
TEST_F(FailedDiskTest, ExpiredKeyIsReadAsAbsentWhileWritesAreOff) {
  ASSERT_EQ(Set("due", "1", now_ms_ + 10), Status::kOk);
  ASSERT_EQ(Set("live", "2"), Status::kOk);
  now_ms_ += 10;
  fs_->Arm(FaultFs::kAppend, 1, FaultFs::Error::kIo, FaultFs::Lasts::kUntilHealed);
  EXPECT_EQ(Set("other", "3"), Status::kIoError);
  ASSERT_EQ(storage_->health(), Health::kFailed);
  EXPECT_EQ(Write({"due", "live"},
                  [&](WriteTxn& txn) {
                    RecordPtr record;
                    EXPECT_EQ(txn.GetRecord(0, Key("due"), &record), Status::kNotFound);
                    EXPECT_EQ(txn.GetRecord(0, Key("live"), &record), Status::kOk);
                    return Status::kOk;
                  }),
            Status::kOk);
  fs_->Heal();
  WaitUntilHealthy();
  EXPECT_EQ(storage_->RunExpireCycle(10), 1u);
  ExpectCounters();
}

TEST_F(FailedDiskTest, WatermarkWarnsThenRefusesThenResumes) {
  options_.disk_free_warn_bytes = 1000 << 20;
  options_.disk_free_stop_bytes = 100 << 20;
  Reopen();
  EXPECT_TRUE(std::filesystem::exists(options_.dir + "/ballast"));
  const auto look = [this](uint64_t megabytes) {
    fs_->SetFreeBytes(megabytes << 20);
    guardian().Tick();
    return storage_->health();
  };
  EXPECT_EQ(look(5000), Health::kOk);
  EXPECT_EQ(look(900), Health::kDiskLow);
  EXPECT_EQ(Set("a", "1"), Status::kOk);
  EXPECT_EQ(look(99), Health::kReadOnly);
  EXPECT_NE(storage_->HealthReason().find("99 MB free"), std::string::npos) << storage_->HealthReason();
  EXPECT_EQ(Set("a", "2"), Status::kReadOnly);
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(look(101), Health::kReadOnly) << "no fluttering around the limit";
  EXPECT_EQ(look(126), Health::kDiskLow);
  EXPECT_EQ(Set("a", "2"), Status::kOk);
  EXPECT_EQ(look(1100), Health::kDiskLow);
  EXPECT_EQ(look(1300), Health::kOk);
  EXPECT_EQ(storage_->Stats().reopens, 0u);
}

// A disk that filled up with data that expires or is deleted must come back by that.
TEST_F(FailedDiskTest, WhatFreesSpaceIsWrittenBelowTheWatermark) {
  options_.disk_free_warn_bytes = 1000 << 20;
  options_.disk_free_stop_bytes = 100 << 20;
  Reopen();
  ASSERT_EQ(Set("kept", "1"), Status::kOk);
  ASSERT_EQ(Set("gone", std::string(10000, 'g')), Status::kOk);
  ASSERT_EQ(Set("flushed", "1", kNoExpire, 1), Status::kOk);
  for (const char* name : {"read", "cycle"}) ASSERT_EQ(Set(name, "1", now_ms_ + 10), Status::kOk);
  for (const int fields : {3, 300}) {  // packed, and in rows
    const std::string key = "hash" + std::to_string(fields);
    ASSERT_EQ(Write({key},
                    [&](WriteTxn& txn) {
                      uint64_t added = 0;
                      Status status = Status::kOk;
                      for (int i = 0; i < fields && status == Status::kOk; ++i) {
                        const std::string name = "field" + std::to_string(i);
                        const std::string_view pair[] = {name, "value"};
                        status = HashStore::Set(txn, 0, Key(key), pair, {128, 64}, &added);
                      }
                      const std::string_view due[] = {"field1"};
                      std::vector<HashStore::ExpireOutcome> outcomes;
                      if (status != Status::kOk) return status;
                      return HashStore::Expire(txn, 0, Key(key), due, now_ms_ + 10, HashStore::ExpireCondition::kAlways,
                                               &outcomes);
                    }),
              Status::kOk);
  }
  now_ms_ += 10;
  const auto look = [this](uint64_t megabytes) {
    fs_->SetFreeBytes(megabytes << 20);
    guardian().Tick();
    ASSERT_EQ(storage_->health(), Health::kReadOnly);
  };
  look(12);
  EXPECT_EQ(Del("gone"), Status::kReadOnly) << "too little is left for any write";
  EXPECT_EQ(storage_->RunExpireCycle(10), 0u);
  look(13);
  EXPECT_EQ(Set("kept", "2"), Status::kReadOnly);
  EXPECT_EQ(Set("new", "2"), Status::kReadOnly);
  EXPECT_EQ(Expire("kept", now_ms_ + 100), Status::kReadOnly);
  EXPECT_EQ(Rename("kept", "moved"), Status::kReadOnly);
  EXPECT_EQ(Del("gone"), Status::kOk);
  EXPECT_NE(storage_->RunGarbageCycle(100), 0u);
  EXPECT_EQ(FlushDb(1), Status::kOk);
  EXPECT_EQ(Write({"read"},
                  [&](WriteTxn& txn) {
                    RecordPtr record;
                    EXPECT_EQ(txn.GetRecord(0, Key("read"), &record), Status::kNotFound);
                    EXPECT_TRUE(txn.HasPendingWrites());
                    return Status::kOk;
                  }),
            Status::kOk);
  EXPECT_EQ(storage_->RunExpireCycle(10), 3u);  // a key, and two fields
  EXPECT_EQ(storage_->RunExpireCycle(10), 0u);
  EXPECT_EQ(Get("kept"), "1");
  EXPECT_EQ(storage_->Counts(0).keys, 3u);
  EXPECT_EQ(storage_->Counts(1).keys, 0u);
  ExpectCounters();
}

TEST_F(FailedDiskTest, BallastIsGivenUpWhenTheDiskIsFullAndMadeAgain) {
  const std::string ballast = options_.dir + "/ballast";
  guardian().Tick();
  ASSERT_TRUE(std::filesystem::exists(ballast));
  fs_->Arm(FaultFs::kAppend, 1, FaultFs::Error::kNoSpace, FaultFs::Lasts::kUntilHealed);
  EXPECT_EQ(Set("a", "1"), Status::kIoError);
  fs_->SetFreeBytes(1);
  guardian().Tick();
  EXPECT_FALSE(std::filesystem::exists(ballast));
  EXPECT_EQ(storage_->health(), Health::kFailed);
  fs_->Heal();
  fs_->SetFreeBytes(100 << 20);  // enough to reopen, too little to write
  for (int i = 0; i < 200 && storage_->health() == Health::kFailed; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    guardian().Tick();
  }
  EXPECT_EQ(storage_->health(), Health::kReadOnly);
  EXPECT_FALSE(std::filesystem::exists(ballast));
  fs_->SetFreeBytes(0);
  WaitUntilHealthy();
  guardian().Tick();
  EXPECT_TRUE(std::filesystem::exists(ballast));
  EXPECT_EQ(Set("a", "1"), Status::kOk);
}

}  // namespace
}  // namespace basalt::storage
