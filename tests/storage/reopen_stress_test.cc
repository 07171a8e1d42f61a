#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "tests/storage/fault_fixture.h"

namespace basalt::storage {
namespace {

constexpr int kWriters = 2;
constexpr int kReaders = 3;
constexpr int kSeconds = 4;

class ReopenStressTest : public FaultTest {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    options_.background = true;
    options_.memory_bytes = 8 << 20;
    options_.sync_policy = SyncPolicy::kAlways;
    Reopen();
    guardian().SetRetryMaxMs(20);
  }
  static std::string NameOf(int writer, int key) { return "w" + std::to_string(writer) + ":" + std::to_string(key); }

  static constexpr int kKeys = 50;
  std::atomic<bool> stop_{false};
  // What was acknowledged last, by writer and key.
  std::array<std::array<std::atomic<int>, kKeys>, kWriters> acknowledged_{};
  std::atomic<int> writes_{0};
  std::atomic<int> reads_{0};
};

// ⚑ RocksDB is closed and opened again, many times, under readers and writers that never stop: nobody touches what is
// gone (run it under the sanitizers), nobody reads less than was acknowledged before, and nobody hangs.
TEST_F(ReopenStressTest, ReadersAndWritersOutliveReopens) {
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([this, writer] {
      WriteTxn txn(*storage_);
      std::mt19937 random(static_cast<unsigned>(writer));
      for (int value = 1; !stop_; ++value) {
        const int at = static_cast<int>(random() % kKeys);
        const std::string name = NameOf(writer, at);
        const HashedKey key = Key(name);
        if (txn.LockKeys({&key, 1}) != Status::kOk) {
          std::this_thread::yield();
          continue;
        }
        txn.BeginCommand(now_ms_, ReadTier::kDisk);
        RecordPtr old;
        Status status = txn.GetRecord(0, key, &old);
        if (status == Status::kOk || status == Status::kNotFound) {
          status = StringStore::Set(txn, 0, key, std::to_string(value) + std::string(value % 7 == 0 ? 20'000 : 100, ' '),
                                    kNoExpire);
        }
        txn.EndCommand();
        uint64_t sequence = 0;
        if (status != Status::kOk || txn.Commit(nullptr, false, &sequence) != Status::kOk) {
          txn.Abort();
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          continue;
        }
        std::atomic<int> answer{-1};
        storage_->WhenReplyMayLeave(sequence, [&answer](Status left) { answer = left == Status::kOk; });
        while (answer < 0) std::this_thread::yield();
        if (answer == 1) acknowledged_[writer][at] = value;
        ++writes_;
      }
    });
  }
  for (int reader = 0; reader < kReaders; ++reader) {
    threads.emplace_back([this, reader] {
      std::mt19937 random(static_cast<unsigned>(100 + reader));
      while (!stop_) {
        const int writer = static_cast<int>(random() % kWriters);
        const int at = static_cast<int>(random() % kKeys);
        const int least = acknowledged_[writer][at];
        const std::string name = NameOf(writer, at);
        const ReadTier tier = random() % 4 == 0 ? ReadTier::kMemory : ReadTier::kDisk;
        ReadView view(*storage_, now_ms_, tier);
        if (random() % 2 == 0) view.RequireSnapshot();
        if (random() % 16 == 0) {
          int keys = 0;
          const Status status = Keyspace::ForEach(view, 0, [&keys](std::string_view, const RecordPtr&) {
            ++keys;
            return true;
          });
          ASSERT_TRUE(status == Status::kOk || tier == ReadTier::kMemory) << StatusName(status);
          ++reads_;
          continue;
        }
        std::string value;
        const Status status = GetFrom(view, 0, Key(name), &value);
        if (status == Status::kIncomplete) {
          ASSERT_EQ(tier, ReadTier::kMemory);
          continue;
        }
        ASSERT_TRUE(status == Status::kOk || (status == Status::kNotFound && least == 0)) << StatusName(status);
        ASSERT_GE(std::atoi(value.c_str()), least);
        ++reads_;
      }
    });
  }
  threads.emplace_back([this] {
    while (!stop_) {
      (void)storage_->Stats();
      (void)storage_->LastSequence();
      (void)storage_->RunExpireCycle(100);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  std::mt19937 random(7);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kSeconds);
  while (std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    fs_->Arm(random() % 2 == 0 ? FaultFs::kAppend : FaultFs::kSync, 1 + static_cast<int>(random() % 5),
             random() % 3 == 0 ? FaultFs::Error::kNoSpace : FaultFs::Error::kIo, FaultFs::Lasts::kOnce);
    for (int i = 0; i < 200 && !(fs_->hit() && storage_->health() == Health::kOk); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  fs_->Heal();
  WaitUntilHealthy();
  stop_ = true;
  for (std::thread& thread : threads) thread.join();
  const StorageStats stats = storage_->Stats();
  EXPECT_GT(stats.reopens, 3u);
  EXPECT_GT(writes_, 100);
  EXPECT_GT(reads_, 100);
  std::printf("%llu reopens, %d writes, %d reads\n", static_cast<unsigned long long>(stats.reopens), writes_.load(),
              reads_.load());
  ExpectCounters();
  Reopen();
  ExpectCounters();
  for (int writer = 0; writer < kWriters; ++writer) {
    for (int at = 0; at < kKeys; ++at) {
      const std::optional<std::string> value = Get(NameOf(writer, at));
      EXPECT_GE(value ? std::atoi(value->c_str()) : 0, acknowledged_[writer][at]);
    }
  }
}

}  // namespace
}  // namespace basalt::storage
