#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

TEST_F(StorageTest, SetGetDelExpireScanFlushSurviveReopen) {
  EXPECT_EQ(Set("a", "1"), Status::kOk);
  EXPECT_EQ(Set("b", std::string(100000, 'x')), Status::kOk);
  EXPECT_EQ(Set("c", "3", now_ms_ + 1000), Status::kOk);
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), std::string(100000, 'x'));
  EXPECT_EQ(Get("missing"), std::nullopt);
  EXPECT_EQ(storage_->Counts(0).keys, 3u);
  EXPECT_EQ(storage_->Counts(0).expires, 1u);
  EXPECT_EQ(ScanAll().size(), 3u);
  Reopen();
  EXPECT_EQ(storage_->Counts(0).keys, 3u);
  EXPECT_EQ(storage_->Counts(0).expires, 1u);
  EXPECT_EQ(Get("b"), std::string(100000, 'x'));
  now_ms_ += 1000;
  EXPECT_EQ(Get("c"), std::nullopt);
  EXPECT_EQ(storage_->RunExpireCycle(100), 1u);
  EXPECT_EQ(storage_->Counts(0).keys, 2u);
  EXPECT_EQ(storage_->Counts(0).expires, 0u);
  EXPECT_EQ(Rename("a", "d"), Status::kOk);
  EXPECT_EQ(Get("a"), std::nullopt);
  EXPECT_EQ(Get("d"), "1");
  EXPECT_EQ(Del("d"), Status::kOk);
  EXPECT_EQ(Del("d"), Status::kNotFound);
  EXPECT_EQ(FlushDb(), Status::kOk);
  EXPECT_EQ(Get("b"), std::nullopt);
  EXPECT_EQ(storage_->Counts(0).keys, 0u);
  while (storage_->RunGarbageCycle(1000) != 0) {
  }
  Reopen();
  EXPECT_EQ(Get("b"), std::nullopt);
  EXPECT_EQ(storage_->Stats().garbage_objects, 0u);
}

}  // namespace
}  // namespace basalt::storage
