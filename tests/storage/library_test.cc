// Libraries of functions: rows of no database.
#include <map>

#include "storage/rdb_reader.h"
#include "storage/rdb_writer.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

class LibraryTest : public StorageTest {
 protected:
  std::map<std::string, std::string> Libraries() {
    std::map<std::string, std::string> libraries;
    const Status status =
        storage_->VisitLibraries([&](std::string_view name, std::string_view code) { libraries.emplace(name, code); });
    EXPECT_EQ(status, Status::kOk);
    return libraries;
  }
};

using Codes = std::map<std::string, std::string>;

TEST_F(LibraryTest, StayOverFlushallAndReopening) {
  EXPECT_EQ(Libraries(), Codes{});
  const std::string large(100'000, 'x');
  ASSERT_EQ(WriteExclusive([&](WriteTxn& txn) {
              txn.PutLibrary("a", "1");
              txn.PutLibrary("b", large);
              txn.PutLibrary("a", "2");
            }),
            Status::kOk);
  ASSERT_EQ(FlushAll(), Status::kOk);
  Reopen();
  EXPECT_EQ(Libraries(), (Codes{{"a", "2"}, {"b", large}}));
  ASSERT_EQ(WriteExclusive([](WriteTxn& txn) {
              txn.DeleteLibrary("b");
              txn.DeleteLibrary("a");
              txn.PutLibrary("a", "");
            }),
            Status::kOk);
  Reopen();
  EXPECT_EQ(Libraries(), (Codes{{"a", ""}}));
}

TEST_F(LibraryTest, ARolledBackCommandLeavesThoseBeforeIt) {
  ASSERT_EQ(WriteExclusive([](WriteTxn& txn) {
              txn.PutLibrary("a", "1");
              EXPECT_EQ(txn.RowOperations(), 1u);
              txn.BeginCommand(0, ReadTier::kDisk);
              txn.PutLibrary("a", "2");
              txn.PutLibrary("b", "2");
              txn.RollbackCommand();
              EXPECT_EQ(txn.RowOperations(), 1u);
            }),
            Status::kOk);
  EXPECT_EQ(Libraries(), (Codes{{"a", "1"}}));
}

TEST(LibraryPayloadTest, IsReadBack) {
  RdbWriter writer({});
  const std::vector<std::string> codes = {"12", std::string(1000, 'a'), "#!lua name=x\nreturn"};
  for (const std::string& code : codes) writer.Library(code);
  const std::string payload = writer.TakePayload();
  ASSERT_EQ(VerifyRdbPayload(payload, RdbChecksum::kChecked), Status::kOk);
  std::vector<std::string> read;
  EXPECT_EQ(ReadRdbLibraries(payload, &read), LibrariesOutcome::kRead);
  EXPECT_EQ(read, codes);
}

TEST(LibraryPayloadTest, OtherBytesAreRefused) {
  const auto read = [](std::string body) {
    std::vector<std::string> codes;
    return ReadRdbLibraries(body + std::string(10, '\0'), &codes);
  };
  EXPECT_EQ(read(""), LibrariesOutcome::kRead);
  EXPECT_EQ(read("\xf6"), LibrariesOutcome::kOldFormat);
  EXPECT_EQ(read(std::string("\0\1x", 3)), LibrariesOutcome::kNotLibrary);
  EXPECT_EQ(read("\xf5"), LibrariesOutcome::kCutOff);
  EXPECT_EQ(read("\xf5\5abc"), LibrariesOutcome::kCutOff);
  std::vector<std::string> codes;
  EXPECT_EQ(ReadRdbLibraries("short", &codes), LibrariesOutcome::kCutOff);
}

}  // namespace
}  // namespace basalt::storage
