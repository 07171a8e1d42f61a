#include <atomic>
#include <condition_variable>
#include <mutex>

#include "tests/storage/fault_fixture.h"

namespace basalt::storage {
namespace {

using std::chrono::milliseconds;

// The answer of WhenReplyMayLeave, wherever it comes from.
class Reply {
 public:
  void Wait(Storage& storage, uint64_t sequence) {
    storage.WhenReplyMayLeave(sequence, [this](Status status) {
      std::lock_guard lock(mu_);
      status_ = status;
      changed_.notify_all();
    });
  }
  // kLocked: none yet.
  Status Get(milliseconds at_most) {
    std::unique_lock lock(mu_);
    changed_.wait_for(lock, at_most, [this] { return status_ != Status::kLocked; });
    return status_;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  Status status_ = Status::kLocked;
};

class SyncPolicyTest : public FaultTest {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    options_.background = true;
    Reopen();
  }
  uint64_t WriteOne(const std::string& value) {
    EXPECT_EQ(Set("key", value), Status::kOk);
    return storage_->LastSequence();
  }
};

TEST_F(SyncPolicyTest, NoNeverWaits) {
  storage_->SetSyncPolicy(SyncPolicy::kNo);
  fs_->Arm(FaultFs::kSync, 1, FaultFs::Error::kIo, FaultFs::Lasts::kUntilHealed);
  EXPECT_TRUE(storage_->ReplyMayLeave(WriteOne("1")));
  EXPECT_FALSE(fs_->hit());
  fs_->Heal();
}

TEST_F(SyncPolicyTest, AlwaysWaitsForASyncThatCoversTheWrite) {
  storage_->SetSyncPolicy(SyncPolicy::kAlways);
  const uint64_t sequence = WriteOne("1");
  EXPECT_FALSE(storage_->ReplyMayLeave(sequence));
  Reply reply;
  reply.Wait(*storage_, sequence);
  EXPECT_EQ(reply.Get(milliseconds(5000)), Status::kOk);
  EXPECT_TRUE(storage_->ReplyMayLeave(sequence));
  EXPECT_GE(storage_->LastSyncedSequence(), sequence);
}

// ⚑ Those who come during a sync share the next one.
TEST_F(SyncPolicyTest, AlwaysSyncsGroups) {
  storage_->SetSyncPolicy(SyncPolicy::kAlways);
  fs_->SetSyncDelayMs(50);
  constexpr int kWrites = 40;
  std::vector<Reply> replies(kWrites);
  const int syncs_before = fs_->syncs();
  for (int i = 0; i < kWrites; ++i) {
    replies[i].Wait(*storage_, WriteOne(std::to_string(i)));
  }
  for (Reply& reply : replies) EXPECT_EQ(reply.Get(milliseconds(20000)), Status::kOk);
  fs_->SetSyncDelayMs(0);
  EXPECT_LT(fs_->syncs() - syncs_before, kWrites / 2);
}

// ⚑ A failed sync is an error for everyone who waits, and for everyone who comes, until RocksDB was reopened; what was
// written is on the disk then.
TEST_F(SyncPolicyTest, AFailedSyncIsAnErrorReply) {
  storage_->SetSyncPolicy(SyncPolicy::kAlways);
  Reply first;
  first.Wait(*storage_, WriteOne("1"));
  ASSERT_EQ(first.Get(milliseconds(5000)), Status::kOk);
  const uint64_t sequence = WriteOne("2");
  fs_->Arm(FaultFs::kSync | FaultFs::kCreate, 1, FaultFs::Error::kIo, FaultFs::Lasts::kUntilHealed);
  Reply failed;
  failed.Wait(*storage_, sequence);
  EXPECT_EQ(failed.Get(milliseconds(5000)), Status::kIoError);
  EXPECT_EQ(storage_->health(), Health::kFailed);
  EXPECT_EQ(Set("key", "3"), Status::kReadOnly);
  Reply late;
  late.Wait(*storage_, sequence);
  EXPECT_EQ(late.Get(milliseconds(5000)), Status::kIoError);
  EXPECT_LT(storage_->LastSyncedSequence(), sequence);
  fs_->Heal();
  WaitUntilHealthy();
  EXPECT_EQ(Get("key"), "2");
  EXPECT_GE(storage_->LastSyncedSequence(), sequence);
  Reply resumed;
  resumed.Wait(*storage_, WriteOne("4"));
  EXPECT_EQ(resumed.Get(milliseconds(5000)), Status::kOk);
}

TEST_F(SyncPolicyTest, EverySecondSyncsByItself) {
  storage_->SetSyncPolicy(SyncPolicy::kEverySecond);
  const uint64_t sequence = WriteOne("1");
  EXPECT_TRUE(storage_->ReplyMayLeave(sequence));
  for (int i = 0; i < 500 && storage_->LastSyncedSequence() < sequence; ++i)
    std::this_thread::sleep_for(milliseconds(10));
  EXPECT_GE(storage_->LastSyncedSequence(), sequence);
}

// ⚑ With a disk that takes longer than two seconds, replies wait for it.
TEST_F(SyncPolicyTest, EverySecondWaitsWhenTheLastSyncIsTooOld) {
  storage_->SetSyncPolicy(SyncPolicy::kEverySecond);
  fs_->SetSyncDelayMs(4500);
  const uint64_t sequence = WriteOne("1");  // with Debian's RocksDB a later one would wait for the sync
  bool waited = false;
  for (int i = 0; i < 60 && !waited; ++i) {
    std::this_thread::sleep_for(milliseconds(100));
    waited = !storage_->ReplyMayLeave(sequence);
  }
  ASSERT_TRUE(waited);
  Reply reply;
  reply.Wait(*storage_, sequence);
  EXPECT_EQ(reply.Get(milliseconds(50)), Status::kLocked);
  fs_->SetSyncDelayMs(0);
  EXPECT_EQ(reply.Get(milliseconds(10000)), Status::kOk);
}

TEST_F(SyncPolicyTest, SwitchingToNoLetsGoWhoeverWaits) {
  storage_->SetSyncPolicy(SyncPolicy::kAlways);
  const uint64_t sequence = WriteOne("1");
  storage_->SetSyncPolicy(SyncPolicy::kNo);
  EXPECT_TRUE(storage_->ReplyMayLeave(sequence));
  storage_->SetSyncPolicy(SyncPolicy::kAlways);
  Reply reply;
  reply.Wait(*storage_, WriteOne("2"));
  EXPECT_EQ(reply.Get(milliseconds(5000)), Status::kOk);
}

TEST_F(SyncPolicyTest, ClosingDecidesAboutWhoeverWaits) {
  storage_->SetSyncPolicy(SyncPolicy::kAlways);
  fs_->SetSyncDelayMs(100);
  Reply first;
  Reply second;
  first.Wait(*storage_, WriteOne("1"));
  std::this_thread::sleep_for(milliseconds(20));
  second.Wait(*storage_, WriteOne("2"));
  storage_.reset();
  EXPECT_EQ(first.Get(milliseconds(0)), Status::kOk);
  EXPECT_EQ(second.Get(milliseconds(0)), Status::kOk);
  fs_->SetSyncDelayMs(0);
  Open();
}

}  // namespace
}  // namespace basalt::storage
