#include "storage/string_store.h"

#include "storage/string_layout.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

class StringStoreTest : public StorageTest {
 protected:
  static std::string Pattern(uint64_t length, int salt = 0) {
    std::string bytes(length, '\0');
    for (uint64_t i = 0; i < length; ++i) bytes[i] = static_cast<char>('a' + (i * 31 + salt + i / 4096) % 26);
    return bytes;
  }
  RecordPtr RecordOf(std::string_view key) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    RecordPtr record;
    (void)view.GetRecord(0, Key(key), &record);
    return record;
  }
  std::optional<StringLayout> LayoutOf(std::string_view key) {
    const RecordPtr record = RecordOf(key);
    if (record == nullptr || record->header().object_id == 0) return std::nullopt;
    return ParseChunkedString(record->payload())->layout;
  }
};

TEST_F(StringStoreTest, WholeValuesAroundEveryBoundary) {
  for (const uint64_t length : {0ull, 1ull, 4095ull, 4096ull, 4097ull, 65535ull, 65536ull, 65537ull, 131072ull,
                                (1ull << 20) - 1, 1ull << 20, (1ull << 20) + 1, (3ull << 20) + 17}) {
    const std::string bytes = Pattern(length);
    ASSERT_EQ(Set("k", bytes), Status::kOk) << length;
    ASSERT_TRUE(Get("k") == bytes) << length;
    EXPECT_EQ(LayoutOf("k").has_value(), length > 4096) << length;
    Reopen();
    ASSERT_TRUE(Get("k") == bytes) << length;
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    StringValue value;
    ASSERT_EQ(StringStore::Find(view, 0, Key("k"), StringStore::Rows::kNeeded, &value), Status::kOk);
    EXPECT_EQ(value.length, length);
    for (const uint64_t offset : {uint64_t{0}, length / 3, length / 2, length}) {
      for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{70000}, length}) {
        if (size > length - offset) continue;
        std::string part;
        ASSERT_EQ(StringStore::Read(view, value, offset, size, &part), Status::kOk);
        ASSERT_TRUE(part == bytes.substr(offset, size)) << length << " " << offset << " " << size;
      }
    }
    std::string part;
    EXPECT_EQ(StringStore::Read(view, value, length, 1, &part), Status::kInvalid);
  }
}

TEST_F(StringStoreTest, ChangesInPartAroundEveryBoundary) {
  for (const uint64_t length :
       {0ull, 4095ull, 4096ull, 4097ull, 65536ull, (1ull << 20) - 1, 1ull << 20, (1ull << 20) + 1, (2ull << 20) + 5}) {
    for (const uint64_t offset :
         {uint64_t{0}, uint64_t{4094}, uint64_t{4096}, uint64_t{65535}, length, length + 5000}) {
      for (const uint64_t size : {1ull, 3ull, 4096ull, 70000ull, (1ull << 20) + 1}) {
        std::string expected = Pattern(length);
        ASSERT_EQ(Set("k", expected, now_ms_ + 1000000), Status::kOk);
        const std::string change = Pattern(size, 7);
        if (expected.size() < offset + size) expected.resize(offset + size, '\0');
        expected.replace(offset, size, change);
        uint64_t now_long = 0;
        ASSERT_EQ(SetRange("k", offset, change, &now_long), Status::kOk);
        ASSERT_EQ(now_long, expected.size());
        ASSERT_TRUE(Get("k") == expected) << length << " " << offset << " " << size;
        EXPECT_EQ(RecordOf("k")->expire_ms(), now_ms_ + 1000000);  // the expiry stays
      }
      while (storage_->RunGarbageCycle(100000) != 0) {
      }
    }
  }
}

TEST_F(StringStoreTest, LayoutFollowsHowTheStringIsUsed) {
  uint64_t length = 0;
  ASSERT_EQ(Append("k", Pattern(4096), &length), Status::kOk);
  EXPECT_EQ(LayoutOf("k"), std::nullopt);
  ASSERT_EQ(Append("k", "x", &length), Status::kOk);
  EXPECT_EQ(length, 4097u);
  EXPECT_EQ(LayoutOf("k"), StringLayout::kInParts);
  ASSERT_EQ(Set("k", Pattern(1 << 20)), Status::kOk);
  EXPECT_EQ(LayoutOf("k"), StringLayout::kWhole);
  const uint64_t id = RecordOf("k")->header().object_id;
  ASSERT_EQ(SetRange("k", 5, "y", &length), Status::kOk);  // converted once
  EXPECT_EQ(LayoutOf("k"), StringLayout::kInParts);
  const uint64_t converted = RecordOf("k")->header().object_id;
  EXPECT_NE(converted, id);
  ASSERT_EQ(SetRange("k", 5, "z", &length), Status::kOk);
  EXPECT_EQ(RecordOf("k")->header().object_id, converted);
  ASSERT_EQ(Set("k", Pattern((1 << 20) + 1)), Status::kOk);
  const uint64_t large = RecordOf("k")->header().object_id;
  ASSERT_EQ(SetRange("k", 5, "z", &length), Status::kOk);  // too large to convert: one chunk is rewritten
  EXPECT_EQ(LayoutOf("k"), StringLayout::kWhole);
  EXPECT_EQ(RecordOf("k")->header().object_id, large);
}

TEST_F(StringStoreTest, EncodingIsWhatRedisSays) {
  EXPECT_EQ(StringStore::EncodingOf("0"), Encoding::kInt);
  EXPECT_EQ(StringStore::EncodingOf("-1"), Encoding::kInt);
  EXPECT_EQ(StringStore::EncodingOf("9223372036854775807"), Encoding::kInt);
  EXPECT_EQ(StringStore::EncodingOf("-9223372036854775808"), Encoding::kInt);
  for (const char* text : {"", "-", "-0", "01", "+1", " 1", "1 ", "9223372036854775808", "1.0"}) {
    EXPECT_EQ(StringStore::EncodingOf(text), Encoding::kEmbstr) << text;
  }
  EXPECT_EQ(StringStore::EncodingOf(std::string(44, 'a')), Encoding::kEmbstr);
  EXPECT_EQ(StringStore::EncodingOf(std::string(45, 'a')), Encoding::kRaw);
  uint64_t length = 0;
  ASSERT_EQ(Append("n", "12", &length), Status::kOk);
  EXPECT_EQ(RecordOf("n")->header().encoding, Encoding::kInt);
  ASSERT_EQ(Append("n", "3", &length), Status::kOk);
  EXPECT_EQ(RecordOf("n")->header().encoding, Encoding::kRaw);
}

TEST_F(StringStoreTest, OneByteOfHalfAGigabyteCostsOneRow) {
  constexpr uint64_t kLast = (512ull << 20) - 1;
  uint64_t length = 0;
  const uint64_t before = storage_->LastSequence();
  ASSERT_EQ(SetRange("bits", kLast, "\x01", &length), Status::kOk);
  EXPECT_EQ(length, 512ull << 20);
  EXPECT_LT(storage_->LastSequence() - before, 8u);
  EXPECT_EQ(SetRange("bits", kLast + 1, "x", &length), Status::kTooLarge);
  EXPECT_EQ(Append("bits", "x", &length), Status::kTooLarge);
  EXPECT_EQ(SetRange("new", UINT64_MAX, "x", &length), Status::kTooLarge);
  EXPECT_EQ(Get("new"), std::nullopt);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  StringValue value;
  ASSERT_EQ(StringStore::Find(view, 0, Key("bits"), StringStore::Rows::kNeeded, &value), Status::kOk);
  uint64_t seen = 0;
  uint64_t ones = 0;
  size_t longest = 0;
  ASSERT_EQ(StringStore::ForEachPiece(view, value, 0, value.length,
                                      [&](std::string_view piece) {
                                        seen += piece.size();
                                        longest = std::max(longest, piece.size());
                                        if (piece.find('\x01') != std::string_view::npos) ++ones;
                                        return true;
                                      }),
            Status::kOk);
  EXPECT_EQ(seen, 512ull << 20);
  EXPECT_EQ(ones, 1u);
  EXPECT_LE(longest, 64u << 10);
}

TEST_F(StringStoreTest, AppendsGrowWithoutRewriting) {
  std::string expected;
  uint64_t length = 0;
  for (int i = 0; i < 400; ++i) {
    const std::string piece = Pattern(static_cast<uint64_t>(i) * 37 % 3000, i);
    expected += piece;
    ASSERT_EQ(Append("log", piece, &length), Status::kOk);
    ASSERT_EQ(length, expected.size());
  }
  ASSERT_TRUE(Get("log") == expected);
  Reopen();
  ASSERT_TRUE(Get("log") == expected);
  // A large one goes through rows of its own.
  expected += Pattern(3 << 20);
  ASSERT_EQ(Append("log", Pattern(3 << 20), &length), Status::kOk);
  ASSERT_EQ(Append("log", "end", &length), Status::kOk);
  expected += "end";
  ASSERT_TRUE(Get("log") == expected);
}

TEST_F(StringStoreTest, OtherTypesAreRefused) {
  ASSERT_EQ(Write({"h"},
                  [&](WriteTxn& txn) {
                    RecordPtr old;
                    (void)txn.GetRecord(0, Key("h"), &old);
                    txn.Put(0, Key("h"), Record::Make({ValueType::kHash, Encoding::kListpack, 0, 0}, "packed"));
                    return Status::kOk;
                  }),
            Status::kOk);
  uint64_t length = 0;
  EXPECT_EQ(Append("h", "x", &length), Status::kWrongType);
  EXPECT_EQ(SetRange("h", 0, "x", &length), Status::kWrongType);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  StringValue value;
  EXPECT_EQ(StringStore::Find(view, 0, Key("h"), StringStore::Rows::kNeeded, &value), Status::kWrongType);
}

TEST_F(StringStoreTest, FastLaneReadsAllOfAStringThatIsInMemory) {
  ASSERT_EQ(Set("chunked", Pattern(100000)), Status::kOk);
  ASSERT_EQ(storage_->Flush(), Status::kOk);
  Reopen();
  EXPECT_TRUE(Get("chunked") == Pattern(100000));
  ReadView view(*storage_, now_ms_, ReadTier::kMemory);
  StringValue value;
  ASSERT_EQ(StringStore::Find(view, 0, Key("chunked"), StringStore::Rows::kNeeded, &value), Status::kOk);
  std::string bytes;
  EXPECT_EQ(StringStore::Read(view, value, 0, value.length, &bytes), Status::kOk);
}

}  // namespace
}  // namespace basalt::storage
