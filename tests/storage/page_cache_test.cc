// Reads that do not wait for the disk: of one file, and of commands in the fast lane.
#include "storage/page_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

constexpr size_t kPage = 4096;

void Evict(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(fsync(fd), 0);
  ASSERT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  close(fd);
}

class PageCacheTest : public StorageTest {
 protected:
  void SetUp() override {
    StorageTest::SetUp();
    path_ = dir_ + "/file";
    for (size_t i = 0; i < 8 * kPage + 100; ++i) text_ += static_cast<char>('a' + i % 23);
    std::ofstream(path_) << text_;
    ASSERT_TRUE(env_->NewRandomAccessFile(path_, &file_, rocksdb::EnvOptions()).ok());
    file_->Hint(rocksdb::RandomAccessFile::RANDOM);  // no reading ahead
    if (Read(0, 10).IsIncomplete()) GTEST_SKIP() << "this file system does not tell whether a read would wait";
    bool emptied = false;
    for (int round = 0; round < 50 && !emptied; ++round) {
      Evict(path_);
      emptied = !Read(0, 10).ok();
    }
    if (!emptied) GTEST_SKIP() << "the page cache of this file system cannot be emptied";
  }

  // Without waiting; what was read is in result_.
  rocksdb::Status Read(uint64_t offset, size_t bytes) {
    const PageCacheOnly page_cache_only;
    return ReadWaiting(offset, bytes);
  }
  rocksdb::Status ReadWaiting(uint64_t offset, size_t bytes) {
    buffer_.resize(bytes);
    return file_->Read(offset, bytes, &result_, buffer_.data());
  }
  // Without waiting, once it has been read: the kernel may take a page back at any time, but not time and again.
  rocksdb::Status ReadOnceCached(uint64_t offset, size_t bytes) {
    rocksdb::Status status = rocksdb::Status::Incomplete();
    for (int round = 0; round < 10 && status.IsIncomplete(); ++round) {
      status = ReadWaiting(offset, bytes);
      if (status.ok()) status = Read(offset, bytes);
    }
    return status;
  }
  void EvictData() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.dir)) {
      if (entry.is_regular_file()) Evict(entry.path());
    }
  }
  Status Find(ReadView& view, std::string_view key) {
    RecordPtr record;
    return view.GetRecord(0, Key(key), &record);
  }

  const std::unique_ptr<rocksdb::Env> env_ = MakePageCacheEnv();
  std::string path_, text_, buffer_;
  std::unique_ptr<rocksdb::RandomAccessFile> file_;
  rocksdb::Slice result_;
};

// A read that does not wait may still ask the disk, and find that it was fast enough.
TEST_F(PageCacheTest, WhatIsReadWithoutWaitingIsAllOfItOrNothing) {
  int incomplete = 0;
  for (size_t round = 0; round < 200; ++round) {
    const size_t offset = round * 997 % (7 * kPage);
    const size_t bytes = 1 + round * 331 % (3 * kPage);
    const std::string expected = text_.substr(offset, bytes);
    Evict(path_);
    if (round % 2 == 0) (void)ReadWaiting(offset, 1);  // a part of it is there
    const rocksdb::Status status = Read(offset, bytes);
    if (status.ok()) {
      EXPECT_EQ(result_.ToString(), expected);
    } else {
      EXPECT_TRUE(status.IsIncomplete()) << status.ToString();
      EXPECT_EQ(result_.size(), 0u);
      ++incomplete;
    }
    ASSERT_TRUE(ReadOnceCached(offset, bytes).ok());
    EXPECT_EQ(result_.ToString(), expected);
  }
  EXPECT_GT(incomplete, 0);
}

TEST_F(PageCacheTest, TheEndOfTheFileIsNoError) {
  ASSERT_TRUE(ReadWaiting(8 * kPage, 1000).ok());
  EXPECT_EQ(result_.ToString(), text_.substr(8 * kPage));
  ASSERT_TRUE(ReadOnceCached(8 * kPage, 1000).ok());
  EXPECT_EQ(result_.ToString(), text_.substr(8 * kPage));
  ASSERT_TRUE(ReadOnceCached(text_.size(), 10).ok());
  EXPECT_EQ(result_.size(), 0u);
}

TEST_F(PageCacheTest, FastLaneReadsRecordsFromThePageCacheButNotFromTheDisk) {
  ASSERT_EQ(Set("k", std::string(1000, 'v')), Status::kOk);
  ASSERT_EQ(storage_->Flush(), Status::kOk);
  Reopen();
  {
    ReadView view(*storage_, now_ms_, ReadTier::kMemory);
    EXPECT_EQ(Find(view, "k"), Status::kOk);
    EXPECT_EQ(Find(view, "nothing"), Status::kNotFound);
  }
  Status status = Status::kOk;
  for (int round = 0; round < 50 && status == Status::kOk; ++round) {
    Reopen();
    EvictData();
    ReadView fast(*storage_, now_ms_, ReadTier::kMemory);
    status = Find(fast, "k");
    ReadView slow(*storage_, now_ms_, ReadTier::kDisk);
    EXPECT_EQ(Find(slow, "k"), Status::kOk);
  }
  EXPECT_EQ(status, Status::kIncomplete);
}

TEST_F(PageCacheTest, ACommandInTheFastLaneFetchesAFewRecordsNotMany) {
  constexpr int kKeys = 200;
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(Set("k" + std::to_string(i), std::string(2000, 'v')), Status::kOk);
  ASSERT_EQ(storage_->Flush(), Status::kOk);
  Reopen();
  ReadView view(*storage_, now_ms_, ReadTier::kMemory);
  int found = 0;
  while (found < kKeys && Find(view, "k" + std::to_string(found)) == Status::kOk) ++found;
  EXPECT_GT(found, 4);
  EXPECT_LT(found, 40);  // some share a block
  // The commands of a group count for themselves.
  int found_by_commands = 0;
  WriteTxn txn(*storage_);
  for (int i = found; i < kKeys; ++i) {
    const HashedKey key = Key("k" + std::to_string(i));
    ASSERT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
    txn.BeginCommand(now_ms_, ReadTier::kMemory);
    if (Find(txn, "k" + std::to_string(i)) == Status::kOk) ++found_by_commands;
    txn.EndCommand();
  }
  EXPECT_GT(found_by_commands, 100);
  txn.Abort();
}

}  // namespace
}  // namespace basalt::storage
