#include <fstream>

#include "storage/storage_impl.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

namespace fs = std::filesystem;

// What a machine that lost power may find: a log whose end is missing or damaged. The folder is copied while it is open,
// as the disk would be.
class LogLossTest : public StorageTest {
 protected:
  static constexpr int kKeys = 100;

  // Keys 0 … kKeys - 1 in order, synced up to `synced`; then the machine stops.
  void WriteAndStop(int synced) {
    for (int i = 0; i < kKeys; ++i) {
      ASSERT_EQ(Set("key" + std::to_string(i), std::string(100, 'x'), i % 2 == 0 ? now_ms_ + 1'000'000 : kNoExpire),
                Status::kOk);
      if (i + 1 == synced) {
        ASSERT_EQ(storage_->SyncNow(), Status::kOk);
        storage_->impl().guardian.WriteMarker();
      }
    }
    const std::string stopped = dir_ + "/stopped";
    fs::copy(options_.dir, stopped, fs::copy_options::recursive);
    storage_.reset();
    options_.dir = stopped;
    log_ = NewestLog();
    size_ = fs::file_size(log_);
  }
  fs::path NewestLog() const {
    fs::path newest;
    for (const auto& entry : fs::directory_iterator(options_.dir + "/db")) {
      if (entry.path().extension() == ".log" && entry.path() > newest) newest = entry.path();
    }
    return newest;
  }
  void Damage(uint64_t offset) const {
    std::fstream file(log_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write("????", 4);
  }
  std::string Refused() {
    std::string error;
    storage_ = Storage::Open(options_, &error);
    EXPECT_EQ(storage_, nullptr);
    return error;
  }
  // The keys that are there are the first so many.
  int ExpectPrefix() {
    int keys = 0;
    while (keys < kKeys && Get("key" + std::to_string(keys))) ++keys;
    for (int i = keys; i < kKeys; ++i) EXPECT_EQ(Get("key" + std::to_string(i)), std::nullopt) << i;
    EXPECT_EQ(storage_->Counts(0).keys, static_cast<uint64_t>(keys));
    EXPECT_EQ(storage_->Counts(0).expires, static_cast<uint64_t>((keys + 1) / 2));
    return keys;
  }

  fs::path log_;
  uint64_t size_ = 0;
};

// ⚑
TEST_F(LogLossTest, ATornEndIsCutOff) {
  WriteAndStop(10);
  fs::resize_file(log_, size_ - 20);
  Open();
  EXPECT_EQ(ExpectPrefix(), kKeys - 1);
  ASSERT_EQ(Set("more", "1"), Status::kOk);
  Reopen();
  EXPECT_EQ(Get("more"), "1");
}

TEST_F(LogLossTest, ADamagedRecordEndsTheLog) {
  WriteAndStop(10);
  Damage(size_ / 2);
  Open();
  const int keys = ExpectPrefix();
  EXPECT_GE(keys, 10);
  EXPECT_LT(keys, kKeys);
}

// ⚑
TEST_F(LogLossTest, ALogThatEndsBeforeWhatWasSyncedIsRefusedAndNotTouched) {
  WriteAndStop(90);
  const std::string copy = dir_ + "/kept";
  fs::copy_file(log_, copy);
  fs::resize_file(log_, size_ / 2);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::string error = Refused();
    EXPECT_NE(error.find(options_.dir + "/ACCEPT-LOSS"), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
  }
  EXPECT_EQ(fs::file_size(log_), size_ / 2);
  // So that what was lost can be brought back …
  fs::copy_file(copy, log_, fs::copy_options::overwrite_existing);
  Open();
  EXPECT_EQ(ExpectPrefix(), kKeys);
}

TEST_F(LogLossTest, DamageBeforeWhatWasSyncedIsRefusedToo) {
  WriteAndStop(90);
  Damage(size_ / 2);
  EXPECT_NE(Refused().find("ACCEPT-LOSS"), std::string::npos);
}

TEST_F(LogLossTest, AMissingDatabaseIsRefused) {
  WriteAndStop(90);
  fs::remove_all(options_.dir + "/db");
  EXPECT_NE(Refused().find("ACCEPT-LOSS"), std::string::npos);
}

// … and when it cannot be, the way out works once.
TEST_F(LogLossTest, TheWayOutStartsWithWhatIsThere) {
  WriteAndStop(90);
  fs::resize_file(log_, size_ / 2);
  std::ofstream(options_.dir + "/ACCEPT-LOSS").close();
  Open();
  const int keys = ExpectPrefix();
  EXPECT_GT(keys, 10);
  EXPECT_LT(keys, 90);
  EXPECT_FALSE(fs::exists(options_.dir + "/ACCEPT-LOSS"));
  Reopen();
  EXPECT_EQ(ExpectPrefix(), keys);
}

TEST_F(LogLossTest, ATornMarkerLeavesTheOtherSlot) {
  WriteAndStop(90);
  std::string error;
  const std::string path = options_.dir + "/SYNCED";
  uint64_t last = 0;
  {
    const std::unique_ptr<SyncedMarker> marker = SyncedMarker::Open(path, &error);
    ASSERT_NE(marker, nullptr) << error;
    last = marker->sequence();
    ASSERT_GT(last, 0u);
    ASSERT_EQ(marker->Write(last + 1), 0);
    ASSERT_EQ(marker->Write(last + 2), 0);
  }
  for (const uint64_t page : {0, 4096}) {
    const std::string copy = dir_ + "/marker" + std::to_string(page);
    fs::copy_file(path, copy);
    std::fstream(copy, std::ios::in | std::ios::out | std::ios::binary).seekp(static_cast<std::streamoff>(page + 20)).write("?", 1);
    const std::unique_ptr<SyncedMarker> marker = SyncedMarker::Open(copy, &error);
    ASSERT_NE(marker, nullptr) << error;
    EXPECT_GE(marker->sequence(), last + 1);
    EXPECT_LE(marker->sequence(), last + 2);
  }
}

TEST_F(LogLossTest, TheMarkersBytesAreAsInFormatMd) {
  const std::string path = dir_ + "/marker";
  std::string error;
  {
    const std::unique_ptr<SyncedMarker> marker = SyncedMarker::Open(path, &error);  // writes 0 twice
    ASSERT_NE(marker, nullptr) << error;
    ASSERT_EQ(marker->Write(258), 0);
  }
  std::ifstream file(path, std::ios::binary);
  file.seekg(4096);
  char slot[32];
  file.read(slot, sizeof(slot));
  std::string hex;
  for (const char byte : slot) {
    char digits[4];
    std::snprintf(digits, sizeof(digits), "%s%02x", hex.empty() ? "" : " ", static_cast<unsigned char>(byte));
    hex += digits;
  }
  EXPECT_EQ(hex, "42 53 4c 54 53 59 4e 43 00 00 00 00 00 00 00 03 00 00 00 00 00 00 01 02 4a 9c d2 9e ab 73 67 18");
  EXPECT_EQ(SyncedMarker::Open(path, &error)->sequence(), 258u);
}

}  // namespace
}  // namespace basalt::storage
