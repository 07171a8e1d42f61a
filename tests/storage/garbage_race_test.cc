// What comes in between the steps of the garbage collector.

#include "storage/key_codec.h"
#include "tests/storage/fault_fixture.h"

namespace basalt::storage {
namespace {

using GarbageRaceTest = FaultTest;

// ⚑ A pass has looked at what is garbage, and is busy with older objects, when a large object is published that was
// under a garbage record when it looked.
TEST_F(GarbageRaceTest, LargeObjectPublishedDuringAPassStays) {
  storage_->RunGarbageCycle(1000);  // the first one looks for more
  uint64_t length = 0;
  ASSERT_EQ(SetRange("older", 5000, "o", &length), Status::kOk);
  ASSERT_EQ(storage_->Flush(), Status::kOk);  // its rows have to be read from the disk
  ASSERT_EQ(Del("older"), Status::kOk);

  const std::string value(5 << 20, 'v');
  const HashedKey key = Key("large");
  std::optional<WriteTxn> txn(std::in_place, *storage_);
  ASSERT_EQ(txn->LockKeys({&key, 1}), Status::kOk);
  txn->BeginCommand(now_ms_, ReadTier::kDisk);
  RecordPtr record;
  (void)txn->GetRecord(0, key, &record);
  ASSERT_EQ(StringStore::Set(*txn, 0, key, value, kNoExpire), Status::kOk);
  txn->EndCommand();

  bool published = false;
  fs_->BeforeNextRead([&] {
    uint64_t sequence = 0;
    published = txn->Commit(nullptr, false, &sequence) == Status::kOk;
  });
  EXPECT_NE(storage_->RunGarbageCycle(1000), 0u);
  ASSERT_TRUE(published) << "the pass did not come by there";
  EXPECT_TRUE(Get("large") == value);
  while (storage_->RunGarbageCycle(1000) != 0) {
  }
  EXPECT_TRUE(Get("large") == value);
  txn.reset();
  Reopen();
  EXPECT_TRUE(Get("large") == value);
  EXPECT_EQ(Get("older"), std::nullopt);
  EXPECT_EQ(storage_->Stats().garbage_objects, 0u);
}

}  // namespace
}  // namespace basalt::storage
