#include <sys/mount.h>

#include <fstream>

#include "tests/storage/fault_fixture.h"

namespace basalt::storage {
namespace {

namespace fs = std::filesystem;

// A small disk that really fills up: a tmpfs, for those who may mount one.
class FullDiskTest : public FaultTest {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    storage_.reset();
    disk_ = dir_ + "/disk";
    fs::create_directory(disk_);
    if (::mount("none", disk_.c_str(), "tmpfs", 0, "size=128m") != 0) GTEST_SKIP() << "may not mount a tmpfs here";
    mounted_ = true;
    options_.dir = disk_ + "/data";
    options_.background = true;
    options_.memory_bytes = 8 << 20;
    options_.compression = "none";
    options_.ballast_bytes = 24 << 20;
    options_.disk_free_warn_bytes = 0;
    options_.disk_free_stop_bytes = 0;
    std::ofstream(disk_ + "/filler") << std::string(40 << 20, 'f');
    Open();
    guardian().SetRetryMaxMs(200);
  }
  void TearDown() override {
    storage_.reset();
    if (mounted_) ::umount(disk_.c_str());
    FaultTest::TearDown();
  }

  // Sets new keys until one is refused; every acknowledged one is in the model.
  int FillUp() {
    for (int keys = 0; keys < 30'000; ++keys) {
      const std::string value(4000, static_cast<char>('a' + next_ % 26));
      if (!TrySet("key" + std::to_string(next_++), value)) return keys;
    }
    ADD_FAILURE() << "the disk did not fill up";
    return 0;
  }

  std::string disk_;
  bool mounted_ = false;
  int next_ = 0;
};

// ⚑
TEST_F(FullDiskTest, NothingIsLostAndServiceResumesWhenThereIsSpace) {
  EXPECT_GT(FillUp(), 1000);
  EXPECT_NE(Get("key0"), std::nullopt);
  fs::remove(disk_ + "/filler");
  WaitUntilHealthy();
  EXPECT_GE(storage_->Stats().reopens, 1u);
  EXPECT_TRUE(TrySet("resumed", "1"));
  ExpectModel();
  Reopen();
  ExpectModel();
}

TEST_F(FullDiskTest, TheWatermarkKeepsTheLogFromMeetingAFullDisk) {
  options_.disk_free_warn_bytes = 36 << 20;
  options_.disk_free_stop_bytes = 20 << 20;
  options_.ballast_bytes = 1 << 20;
  fs::remove(options_.dir + "/ballast");
  Reopen();
  EXPECT_GT(FillUp(), 1000);
  EXPECT_EQ(storage_->health(), Health::kReadOnly) << storage_->HealthReason();
  EXPECT_EQ(storage_->Stats().reopens, 0u);
  EXPECT_EQ(Set("key0", "x"), Status::kReadOnly);
  fs::remove(disk_ + "/filler");
  WaitUntilHealthy();
  EXPECT_EQ(storage_->Stats().reopens, 0u);
  EXPECT_TRUE(TrySet("resumed", "1"));
  ExpectModel();
}

}  // namespace
}  // namespace basalt::storage
