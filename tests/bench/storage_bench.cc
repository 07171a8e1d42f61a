// Not a test: what one operation costs. Run with
//   cmake --build --preset release --target storage_bench && build/release/tests/storage_bench
// and under `perf stat -e instructions:u,instructions:k` for instructions per operation.

#include <cstdio>
#include <ctime>

#include "storage/storage_impl.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

class StorageBench : public StorageTest {
 protected:
  static constexpr int kKeys = 10000;

  void SetUp() override {
    const char* mib = std::getenv("BENCH_MEMORY_MIB");
    memory_bytes_ = (mib != nullptr ? std::strtoull(mib, nullptr, 10) : 512) << 20;
    StorageTest::SetUp();
    for (int i = 0; i < kKeys; ++i) names_.push_back("memtier-" + std::to_string(1000000 + i));
    for (const std::string& name : names_) ASSERT_EQ(Set(name, value_), Status::kOk);
  }

  template <typename Run>
  void Measure(const char* what, int operations, Run&& run) {
    const char* scale = std::getenv("BENCH_SCALE");
    if (scale != nullptr) operations *= std::atoi(scale);
    const double wall = Seconds(CLOCK_MONOTONIC);
    const double thread = Seconds(CLOCK_THREAD_CPUTIME_ID);
    const double process = Seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < operations; ++i) run(i);
    const double us = 1e6 / operations;
    std::printf("%-28s %8.3f us/op CPU of the thread, %8.3f of the process, %8.3f wall\n", what,
                (Seconds(CLOCK_THREAD_CPUTIME_ID) - thread) * us, (Seconds(CLOCK_PROCESS_CPUTIME_ID) - process) * us,
                (Seconds(CLOCK_MONOTONIC) - wall) * us);
  }

  static double Seconds(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  }

  const std::string& Name(int i) const { return names_[static_cast<uint32_t>(i) * 7919u % kKeys]; }

  // SETs in groups of `group`, as a pool thread commits them.
  void MeasureSets(const char* what, int group, int operations, int64_t expire_ms = kNoExpire) {
    WriteTxn txn(*storage_);
    Measure(what, operations, [&](int i) {
      const HashedKey key = storage_->Hash(Name(i));
      ASSERT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
      txn.BeginCommand(now_ms_, ReadTier::kMemory);
      RecordPtr old;
      (void)txn.GetRecord(0, key, &old);
      ASSERT_EQ(StringStore::Set(txn, 0, key, value_, expire_ms), Status::kOk);
      txn.EndCommand();
      uint64_t sequence = 0;
      if ((i + 1) % group == 0) {
        ASSERT_EQ(txn.Commit(nullptr, true, &sequence), Status::kOk);
      }
    });
    uint64_t sequence = 0;
    ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  }

  std::string value_ = std::string(100, 'v');
  std::vector<std::string> names_;
};

TEST_F(StorageBench, GetCached) {
  uint64_t bytes = 0;
  Measure("GET cached", 2000000, [&](int i) {
    ReadView view(*storage_, now_ms_, ReadTier::kMemory);
    StringValue value;
    if (StringStore::Find(view, 0, storage_->Hash(Name(i)), StringStore::Rows::kNeeded, &value) == Status::kOk) {
      bytes += value.view().size();
    }
  });
  EXPECT_GT(bytes, 0u);
}

TEST_F(StorageBench, GetFromBlockCache) {
  ASSERT_EQ(storage_->Flush(), Status::kOk);
  uint64_t found = 0;
  Measure("GET block cache", 200000, [&](int i) {
    if (i % 1000 == 0) storage_->impl().cache.Clear();
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    RecordPtr record;
    found += view.GetRecord(0, storage_->Hash(Name(i)), &record) == Status::kOk;
  });
  EXPECT_GT(found, 0u);
}

TEST_F(StorageBench, GetMissing) {
  ASSERT_EQ(storage_->Flush(), Status::kOk);
  Measure("GET missing", 200000, [&](int i) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    RecordPtr record;
    char name[32];
    const int size = std::snprintf(name, sizeof(name), "missing-%d", i);
    ASSERT_EQ(view.GetRecord(0, storage_->Hash({name, static_cast<size_t>(size)}), &record), Status::kNotFound);
  });
}

TEST_F(StorageBench, SetGroup1) { MeasureSets("SET cached, group 1", 1, 300000); }
TEST_F(StorageBench, SetGroup16) { MeasureSets("SET cached, group 16", 16, 600000); }
TEST_F(StorageBench, SetExpireGroup1) { MeasureSets("SET EX cached, group 1", 1, 200000, now_ms_ + 1000000); }
TEST_F(StorageBench, Set4KGroup1) {
  value_ = std::string(4096, 'v');
  MeasureSets("SET 4 KiB, group 1", 1, 50000);
}
TEST_F(StorageBench, SetNewKeys) {
  WriteTxn txn(*storage_);
  Measure("SET new key, group 1", 200000, [&](int i) {
    const std::string name = "new-" + std::to_string(i);
    const HashedKey key = storage_->Hash(name);
    ASSERT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
    txn.BeginCommand(now_ms_, ReadTier::kDisk);
    RecordPtr old;
    (void)txn.GetRecord(0, key, &old);
    ASSERT_EQ(StringStore::Set(txn, 0, key, value_, kNoExpire), Status::kOk);
    txn.EndCommand();
    uint64_t sequence = 0;
    ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  });
}

TEST_F(StorageBench, SetBitFarOut) {
  uint64_t length = 0;
  ASSERT_EQ(SetRange("bits", (1u << 29) - 1, "x", &length), Status::kOk);
  Measure("SETRANGE 1 byte of 512 MiB", 50000, [&](int i) {
    ASSERT_EQ(SetRange("bits", static_cast<uint64_t>(i) * 10007 % (1u << 29), "y", &length), Status::kOk);
  });
}

TEST_F(StorageBench, LargeGroup) {
  WriteTxn txn(*storage_);
  Measure("SET, one group of 300000", 300000, [&](int i) {
    const std::string name = "g-" + std::to_string(i);
    const HashedKey key = storage_->Hash(name);
    ASSERT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
    txn.BeginCommand(now_ms_, ReadTier::kDisk);
    RecordPtr old;
    (void)txn.GetRecord(0, key, &old);
    ASSERT_EQ(StringStore::Set(txn, 0, key, value_, kNoExpire), Status::kOk);
    txn.EndCommand();
  });
  uint64_t sequence = 0;
  ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
}

}  // namespace
}  // namespace basalt::storage
