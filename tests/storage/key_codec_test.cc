#include "storage/key_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>

#include "storage/counter_merge.h"
#include "storage/garbage_collector.h"
#include "storage/hash_layout.h"
#include "storage/list_layout.h"
#include "storage/metadata.h"
#include "storage/string_layout.h"

namespace basalt::storage {
namespace {

std::string Hex(std::string_view bytes) {
  std::string hex;
  char digits[4];
  for (const char c : bytes) {
    std::snprintf(digits, sizeof(digits), "%02x", static_cast<uint8_t>(c));
    if (!hex.empty()) hex += ' ';
    hex += digits;
  }
  return hex;
}

TEST(KeyCodecTest, SlotsAreThoseOfRedisCluster) {
  EXPECT_EQ(SlotOf("123456789"), 0x31c3);  // the check value of CRC16 XMODEM; 12739
  EXPECT_EQ(SlotOf("foo"), 12182);
  EXPECT_EQ(SlotOf("{user1000}.following"), SlotOf("user1000"));
  EXPECT_EQ(SlotOf("foo{}{bar}"), SlotOf("foo{}{bar}"));
  EXPECT_NE(SlotOf("foo{}{bar}"), SlotOf("bar"));  // an empty tag counts for nothing
  EXPECT_EQ(SlotOf("foo{{bar}}zap"), SlotOf("{bar"));
  EXPECT_EQ(SlotOf("foo{bar}{zap}"), SlotOf("bar"));
  EXPECT_EQ(SlotOf("foo{bar"), SlotOf("foo{bar"));
}

TEST(KeyCodecTest, MetaKeysSortByNamespaceThenBucketAndComeBack) {
  std::mt19937_64 random(1);
  std::vector<std::pair<std::tuple<Namespace, uint64_t, std::string>, std::string>> keys;
  for (int i = 0; i < 2000; ++i) {
    std::string name(random() % 40, '\0');
    for (char& c : name) c = static_cast<char>(random());
    const HashedKey key{name, random()};
    const Namespace ns = random() % 3 == 0 ? 255 : static_cast<Namespace>(random());
    KeyBuffer bytes;
    EncodeMetaKey(ns, key, &bytes);
    const auto parsed = ParseMetaKey(bytes.view());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->ns, ns);
    EXPECT_EQ(parsed->bucket, BucketOf(key));
    EXPECT_LT(parsed->bucket, kBuckets);
    EXPECT_EQ(parsed->user_key, name);
    KeyBuffer lower;
    KeyBuffer upper;
    EncodeMetaBound(ns, parsed->bucket, &lower);
    EncodeMetaBound(ns, parsed->bucket + 1, &upper);
    EXPECT_LE(lower.view(), bytes.view());
    EXPECT_TRUE(ns == UINT32_MAX || bytes.view() < upper.view());
    keys.push_back({{ns, parsed->bucket, name}, std::string(bytes.view())});
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end(), [](auto& a, auto& b) { return a.second < b.second; }));
}

TEST(KeyCodecTest, TtlKeysSortByTime) {
  std::string last;
  for (const int64_t at : {int64_t{1}, int64_t{255}, int64_t{256}, int64_t{1'700'000'000'000}, INT64_MAX}) {
    KeyBuffer bytes;
    EncodeTtlKey(7, at, "key", &bytes);
    EXPECT_LT(last, bytes.view());
    last = bytes.view();
    const auto parsed = ParseTtlKey(last);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->expire_ms, at);
    EXPECT_EQ(parsed->user_key, "key");
  }
  EXPECT_FALSE(ParseTtlKey("short"));
  EXPECT_FALSE(ParseTtlKey(std::string(12, '\0')));
  EXPECT_FALSE(ParseTtlKey(std::string(12, '\xff')));
}

TEST(KeyCodecTest, ListKeysSortByPosition) {
  std::string last;
  for (const uint64_t position :
       {uint64_t{0}, uint64_t{255}, uint64_t{256}, kListMiddle - 1, kListMiddle, UINT64_MAX}) {
    KeyBuffer key;
    EncodeListKey(258, position, &key);
    EXPECT_GT(key.view(), last);
    last = key.view();
    const auto parsed = ParseListKey(last);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->object_id, 258u);
    EXPECT_EQ(parsed->position, position);
    EXPECT_FALSE(ParseListKey(last.substr(1)));
  }
}

TEST(KeyCodecTest, LongKeysDoNotFitTheStackAndStillWork) {
  const std::string name(100000, 'k');
  KeyBuffer bytes;
  EncodeMetaKey(1, {name, 2}, &bytes);
  EXPECT_EQ(ParseMetaKey(bytes.view())->user_key, name);
  EncodeMetaKey(1, {"short", 2}, &bytes);
  EXPECT_EQ(ParseMetaKey(bytes.view())->user_key, "short");
}

TEST(RecordTest, RoundTrip) {
  for (const int64_t expire : {kNoExpire, int64_t{1}, INT64_MAX}) {
    for (const uint64_t id : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
      const RecordPtr made = Record::Make({ValueType::kZset, Encoding::kSkiplist, expire, id}, "payload");
      const RecordPtr read = Record::FromStored(made->stored());
      ASSERT_TRUE(read);
      EXPECT_EQ(read->type(), ValueType::kZset);
      EXPECT_EQ(read->header().encoding, Encoding::kSkiplist);
      EXPECT_EQ(read->expire_ms(), expire);
      EXPECT_EQ(read->header().object_id, id);
      EXPECT_EQ(read->payload(), "payload");
      EXPECT_EQ(read->stored(), made->stored());
    }
  }
}

TEST(RecordTest, HostileBytesAreNoRecord) {
  const RecordPtr whole = Record::Make({ValueType::kHash, Encoding::kListpack, 5, 6, 7}, "");
  for (size_t size = 0; size < whole->stored().size(); ++size) {
    EXPECT_FALSE(Record::FromStored(whole->stored().substr(0, size))) << size;
  }
  std::mt19937_64 random(2);
  for (int i = 0; i < 100000; ++i) {
    std::string bytes(random() % 32, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 4 == 0 ? random() : random() % 64);
    if (!bytes.empty()) bytes[0] = 1;
    const RecordPtr record = Record::FromStored(bytes);
    if (record == nullptr) continue;
    EXPECT_EQ(Record::Make(record->header(), record->payload())->stored(), bytes);  // one form for each meaning
  }
}

// FORMAT.md shows these very bytes.
TEST(FormatTest, ExamplesInFormatMdAreTrue) {
  KeyBuffer key;
  std::vector<std::pair<std::string, std::string>> examples;
  const HashedKey foo{"foo", 0x0123456789abcdef};
  EncodeMetaKey(1, foo, &key);
  examples.emplace_back("meta key", Hex(key.view()));
  examples.emplace_back("string record",
                        Hex(Record::Make({ValueType::kString, Encoding::kEmbstr, 0, 0}, "bar")->stored()));
  examples.emplace_back("expiring record",
                        Hex(Record::Make({ValueType::kString, Encoding::kInt, 1700000000000, 0}, "42")->stored()));
  examples.emplace_back("chunked record", Hex(Record::Make({ValueType::kString, Encoding::kRaw, 0, 258},
                                                           EncodeChunkedString({StringLayout::kInParts, 536870912}))
                                                  ->stored()));
  EncodeChunkKey(258, 131071, &key);
  examples.emplace_back("chunk key", Hex(key.view()));
  std::string payload;
  AppendPackedCount(1, &payload);
  AppendPackedField({"name", "Ada", kNoExpire}, false, &payload);
  examples.emplace_back("packed hash",
                        Hex(Record::Make({ValueType::kHash, Encoding::kListpack, 0, 0}, payload)->stored()));
  payload.clear();
  AppendPackedCount(2, &payload);
  AppendPackedField({"name", "Ada", kNoExpire}, true, &payload);
  AppendPackedField({"lang", "de", 1700000000000}, true, &payload);
  examples.emplace_back(
      "packed hash with a field that expires",
      Hex(Record::Make({ValueType::kHash, Encoding::kListpack, 0, 0, 1700000000000}, payload)->stored()));
  EncodeFieldExpiryKey(258, 1700000000000, "lang", &key);
  examples.emplace_back("field expiry key", Hex(key.view()));
  std::string row;
  EncodeHashRow("de", 1700000000000, &row);
  examples.emplace_back("field row", Hex(row));
  List list;
  list.count = 3;
  list.head = kListMiddle - 1;
  list.listpack = {2100, true};
  examples.emplace_back(
      "list record",
      Hex(Record::Make({ValueType::kList, Encoding::kListpack, 0, 258}, EncodeListRows(list))->stored()));
  EncodeListKey(258, list.head + 2, &key);
  examples.emplace_back("list key", Hex(key.view()));
  EncodeTtlKey(1, 1700000000000, "foo", &key);
  examples.emplace_back("ttl key", Hex(key.view()));
  EncodeDatabaseKey(3, &key);
  examples.emplace_back("database key", Hex(key.view()));
  EncodeCountsKey(1, &key);
  examples.emplace_back("counts key", Hex(key.view()));
  examples.emplace_back("counts value", Hex(EncodeCounts({5, -1})));
  EncodeGarbageObjectKey(258, &key);
  examples.emplace_back("garbage key", Hex(key.view()));
  examples.emplace_back("garbage value", Hex(EncodeGarbage({258, RowFamilyBit(RowFamily::kData), 131072})));
  EncodeGarbageBelowKey(258, &key);
  examples.emplace_back("garbage-below key", Hex(key.view()));
  EncodeDeadNamespaceKey(1, &key);
  examples.emplace_back("dead name space key", Hex(key.view()));

  const std::string path = BASALT_SOURCE_DIR "/storage/FORMAT.md";
  std::FILE* file = std::fopen(path.c_str(), "r");
  ASSERT_NE(file, nullptr) << path;
  std::string text;
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), file)) text.append(buffer, n);
  std::fclose(file);
  for (const auto& [name, bytes] : examples) {
    EXPECT_NE(text.find("`" + bytes + "`"), std::string::npos) << name << ": `" << bytes << "`";
  }
}

}  // namespace
}  // namespace basalt::storage
