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
#include "storage/stream_layout.h"
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

TEST(KeyCodecTest, StreamKeysSortByIdAndComeBack) {
  const StreamId ids[] = {{0, 0}, {0, 1}, {0, UINT64_MAX}, {1, 0}, {255, 256}, {UINT64_MAX, 0}, kStreamIdMax};
  std::string previous[4];
  for (const StreamId id : ids) {
    KeyBuffer keys[4];
    EncodeStreamEntryKey(7, id, &keys[0]);
    EncodeStreamNodeKey(7, id, &keys[1]);
    EncodePendingKey(7, 3, id, &keys[2]);
    EncodeConsumerPendingKey(7, 3, 4, id, &keys[3]);
    EXPECT_EQ(ParseStreamEntryKey(keys[0].view()), id);
    EXPECT_EQ(ParseStreamNodeKey(keys[1].view()), id);
    EXPECT_EQ(ParsePendingKey(keys[2].view()), id);
    EXPECT_EQ(ParseConsumerPendingKey(keys[3].view()), id);
    for (int i = 0; i < 4; ++i) {
      EXPECT_LT(previous[i], keys[i].view());
      previous[i] = keys[i].view();
      EncodeBoundBehind(&keys[i]);
      EXPECT_LT(previous[i], keys[i].view());
      EXPECT_FALSE(ParseStreamEntryKey(keys[i].view()) || ParseStreamNodeKey(keys[i].view()) ||
                   ParsePendingKey(keys[i].view()) || ParseConsumerPendingKey(keys[i].view()));
    }
  }
  // Everything of a group lies within its bounds, also what its number's neighbours have not.
  KeyBuffer lower;
  KeyBuffer upper;
  KeyBuffer key;
  EncodeStreamGroupBound(7, StreamTag::kPending, 3, &lower);
  EncodeStreamGroupBound(7, StreamTag::kPending, 4, &upper);
  EncodePendingKey(7, 3, kStreamIdMax, &key);
  EXPECT_TRUE(lower.view() < key.view() && key.view() < upper.view());
  EncodePendingKey(7, 4, {}, &key);
  EXPECT_GE(key.view(), upper.view());
  EncodeStreamTagBound(7, StreamTag::kGroup, &lower);
  EncodeStreamTagEnd(7, StreamTag::kGroup, &upper);
  for (const std::string& name : {std::string(), std::string(300, '\xff')}) {
    EncodeStreamGroupKey(7, name, &key);
    EXPECT_TRUE(lower.view() <= key.view() && key.view() < upper.view());
    EXPECT_EQ(ParseStreamGroupKey(key.view()), name);
    EncodeConsumerKey(7, 3, name, &key);
    EXPECT_EQ(ParseConsumerKey(key.view()), name);
  }
}

// Whatever is not exactly as it was written is no stream.
TEST(KeyCodecTest, StreamValuesComeBackAndNothingElseDoes) {
  StreamHeader header;
  header.length = 3;
  header.last_id = {9, 1};
  header.first_entry = {2, 0};
  header.last_entry = {8, 8};
  header.max_deleted_id = {5, 0};
  header.entries_added = 10;
  header.groups = 2;
  header.next_group = 6;
  for (uint64_t nodes = 0; nodes < 4; ++nodes) {
    header.nodes = nodes;
    header.tail.first = {7, 7};
    header.tail.entries = 12;
    header.head.last = {6, 6};
    header.head.fields_hash = 99;
    const std::string payload = EncodeStreamHeader(header);
    const std::optional<StreamHeader> parsed = ParseStreamHeader(payload);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(EncodeStreamHeader(*parsed), payload);
    for (size_t size = 0; size < payload.size(); ++size) {
      EXPECT_FALSE(ParseStreamHeader(std::string_view(payload).substr(0, size))) << size;
    }
    EXPECT_FALSE(ParseStreamHeader(payload + "x"));
  }
  const std::string group = EncodeStreamGroup({.number = 4, .last_id = {1, 2}, .entries_read = -1, .pending = 7});
  EXPECT_EQ(EncodeStreamGroup(*ParseStreamGroup(group)), group);
  EXPECT_FALSE(ParseStreamGroup(group + "x"));
  const std::string consumer = EncodeStreamConsumer({.number = 4, .seen_ms = 5, .pending = 7});
  EXPECT_EQ(ParseStreamConsumer(consumer)->active_ms, kNeverActive);
  EXPECT_FALSE(ParseStreamConsumer(consumer.substr(1)));
  EXPECT_FALSE(ParsePendingEntry("1234567"));
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
  EncodeLibraryKey("lib", &key);
  examples.emplace_back("library key", Hex(key.view()));
  EXPECT_EQ(ParseLibraryKey(key.view()), "lib");
  EXPECT_FALSE(ParseLibraryKey("X1234"));

  EncodeStreamEntryKey(258, {5, 7}, &key);
  examples.emplace_back("stream entry key", Hex(key.view()));
  EncodeStreamNodeKey(258, {5, 7}, &key);
  examples.emplace_back("stream node key", Hex(key.view()));
  EncodeStreamGroupKey(258, "g", &key);
  examples.emplace_back("stream group key", Hex(key.view()));
  EncodeConsumerKey(258, 1, "ab", &key);
  examples.emplace_back("consumer key", Hex(key.view()));
  EncodeConsumerNameKey(258, 1, 3, &key);
  examples.emplace_back("consumer name key", Hex(key.view()));
  EncodePendingKey(258, 1, {5, 7}, &key);
  examples.emplace_back("pending key", Hex(key.view()));
  examples.emplace_back("pending value", Hex(EncodePendingEntry({3, 1700000000000, 1})));
  EncodeConsumerPendingKey(258, 1, 3, {5, 7}, &key);
  examples.emplace_back("consumer's pending key", Hex(key.view()));
  StreamHeader empty_stream;
  empty_stream.last_id = {5, 7};
  empty_stream.entries_added = 1;
  examples.emplace_back(
      "stream record",
      Hex(Record::Make({ValueType::kStream, Encoding::kStream, 0, 258}, EncodeStreamHeader(empty_stream))->stored()));

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
