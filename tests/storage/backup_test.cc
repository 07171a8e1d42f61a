#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "tests/storage/fault_fixture.h"

namespace basalt::storage {
namespace {

namespace fs = std::filesystem;

class BackupTest : public FaultTest {
 protected:
  std::string Backup() {
    std::string path;
    std::string error;
    EXPECT_EQ(storage_->Backup(&path, &error), Status::kOk) << error;
    return path;
  }
  std::unique_ptr<Storage> OpenAt(const std::string& path) {
    StorageOptions options = options_;
    options.dir = path;
    std::string error;
    std::unique_ptr<Storage> storage = Storage::Open(options, &error);
    EXPECT_NE(storage, nullptr) << error;
    return storage;
  }
  std::optional<std::string> GetOf(Storage& storage, std::string_view key) {
    ReadView view(storage, now_ms_, ReadTier::kDisk);
    std::string value;
    if (GetFrom(view, 0, storage.Hash(key), &value) != Status::kOk) return std::nullopt;
    return value;
  }
};

TEST_F(BackupTest, OpensBesideTheOriginalAndHoldsWhatWasThere) {
  ASSERT_EQ(Set("a", "1", now_ms_ + 1000'000), Status::kOk);
  ASSERT_EQ(Set("large", std::string(200'000, 'x')), Status::kOk);
  ASSERT_EQ(storage_->Flush(), Status::kOk);
  ASSERT_EQ(Set("b", "2"), Status::kOk);
  const std::string path = Backup();
  EXPECT_EQ(path.rfind(options_.dir + "/backups/20", 0), 0u) << path;
  ASSERT_EQ(Set("a", "3"), Status::kOk);
  ASSERT_EQ(Set("c", "4"), Status::kOk);

  std::unique_ptr<Storage> copy = OpenAt(path);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(copy->identity(), storage_->identity());
  EXPECT_EQ(GetOf(*copy, "a"), "1");
  EXPECT_EQ(GetOf(*copy, "b"), "2");
  EXPECT_EQ(GetOf(*copy, "c"), std::nullopt);
  EXPECT_EQ(GetOf(*copy, "large"), std::string(200'000, 'x'));
  EXPECT_EQ(copy->Counts(0).keys, 3u);
  EXPECT_EQ(copy->Counts(0).expires, 1u);
  copy->Compact();
  copy.reset();
  EXPECT_EQ(Get("a"), "3");
  EXPECT_EQ(Get("large"), std::string(200'000, 'x'));
}

TEST_F(BackupTest, LinksTablesInsteadOfCopyingThem) {
  ASSERT_EQ(Set("large", std::string(200'000, 'x')), Status::kOk);
  ASSERT_EQ(storage_->Flush(), Status::kOk);
  const std::string path = Backup();
  int linked = 0;
  for (const auto& entry : fs::directory_iterator(path + "/db")) {
    if (entry.path().extension() == ".sst") linked += fs::hard_link_count(entry.path()) == 2;
  }
  EXPECT_GT(linked, 0);
}

// ⚑ A backup is a moment: of pairs written together, and of a counter, it has a prefix.
TEST_F(BackupTest, IsConsistentWhileWritersGoOn) {
  std::atomic<bool> stop{false};
  std::atomic<int> written{0};
  std::thread writer([&] {
    for (int i = 1; !stop; ++i) {
      const std::string value = std::to_string(i);
      const Status status = Write({"left", "right"}, [&](WriteTxn& txn) {
        for (const std::string_view key : {"left", "right"}) {
          RecordPtr old;
          (void)txn.GetRecord(0, Key(key), &old);
          if (StringStore::Set(txn, 0, Key(key), value, kNoExpire) != Status::kOk) return Status::kInvalid;
        }
        return Status::kOk;
      });
      ASSERT_EQ(status, Status::kOk);
      written = i;
      if (i % 500 != 0) continue;
      ASSERT_EQ(storage_->Flush(), Status::kOk);
    }
  });
  while (written < 100) std::this_thread::yield();
  for (int i = 0; i < 5; ++i) {
    const int before = written;
    const std::string path = Backup();
    const std::unique_ptr<Storage> copy = OpenAt(path);
    ASSERT_NE(copy, nullptr);
    const std::optional<std::string> left = GetOf(*copy, "left");
    ASSERT_TRUE(left);
    EXPECT_EQ(left, GetOf(*copy, "right"));
    EXPECT_GE(std::stoi(*left), before);
    EXPECT_EQ(copy->Counts(0).keys, 2u);
  }
  stop = true;
  writer.join();
}

TEST_F(BackupTest, StatusTells) {
  EXPECT_EQ(storage_->backup_status().last_success_unix_s, 0);
  const std::string path = Backup();
  const std::string second = Backup();
  EXPECT_NE(path, second);
  const BackupStatus status = storage_->backup_status();
  EXPECT_FALSE(status.running);
  EXPECT_TRUE(status.last_ok);
  EXPECT_EQ(status.last_path, second);
  EXPECT_NEAR(static_cast<double>(status.last_success_unix_s), static_cast<double>(std::time(nullptr)), 60);
  Reopen();
  EXPECT_EQ(storage_->backup_status().last_success_unix_s, status.last_success_unix_s) << "also after a restart";
}

TEST_F(BackupTest, FailureLeavesNothingThatLooksLikeABackup) {
  ASSERT_EQ(Set("a", "1"), Status::kOk);
  fs_->Arm(FaultFs::kCreate, 1, FaultFs::Error::kNoSpace, FaultFs::Lasts::kUntilHealed);
  std::string path;
  std::string error;
  EXPECT_EQ(storage_->Backup(&path, &error), Status::kIoError);
  EXPECT_TRUE(fs_->hit());
  EXPECT_FALSE(storage_->backup_status().last_ok);
  EXPECT_EQ(storage_->backup_status().last_error, error);
  EXPECT_TRUE(fs::is_empty(options_.dir + "/backups"));
  fs_->Heal();
  fs::create_directory(options_.dir + "/backups/.making-20260101T000000Z");
  Reopen();
  EXPECT_TRUE(fs::is_empty(options_.dir + "/backups"));
}

TEST_F(BackupTest, RefusedWhenTheDiskIsNearlyFull) {
  fs_->SetFreeBytes(1 << 20);
  guardian().Tick();
  std::string path;
  std::string error;
  EXPECT_EQ(storage_->Backup(&path, &error), Status::kReadOnly);
  EXPECT_NE(error.find("disk nearly full"), std::string::npos) << error;
}

}  // namespace
}  // namespace basalt::storage
