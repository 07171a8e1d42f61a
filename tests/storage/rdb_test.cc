// DUMP payloads: what real Redis servers wrote is read as they meant it, and written the same; what they refuse is
// refused. rdb_payloads.txt is recorded by record_rdb_payloads.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "storage/crc64.h"
#include "storage/rdb_reader.h"
#include "storage/rdb_writer.h"
#include "tests/storage/value_text.h"

namespace basalt::storage {
namespace {

struct Recorded {
  std::string name, writer, payload;
  std::vector<std::string> lines;  // what it holds, or "refused"
  bool refused() const { return lines == std::vector<std::string>{"refused"}; }
};

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::vector<Recorded> ReadRecorded() {
  std::ifstream file(BASALT_SOURCE_DIR "/tests/storage/data/rdb_payloads.txt");
  std::vector<Recorded> all;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("# ")) {
      const size_t blank = line.find(' ', 2);
      all.push_back({line.substr(2, blank - 2), line.substr(blank + 1), "", {}});
    } else if (line.starts_with("payload ")) {
      all.back().payload = FromHex(line.substr(8));
    } else if (!line.empty()) {
      all.back().lines.push_back(line);
    }
  }
  return all;
}

// Sets, hashes and sorted sets have no order worth comparing. The encoding is not the payload's alone: Redis' settings
// decide, and ValueLoader's tests hold that.
std::vector<std::string> Normalized(std::vector<std::string> lines) {
  const std::string type = lines[0].substr(0, lines[0].find(' '));
  lines[0] = type;
  if (type == "set" || type == "hash" || type == "zset") std::sort(lines.begin() + 1, lines.end());
  return lines;
}

class RdbTest : public testing::TestWithParam<Recorded> {};

TEST_P(RdbTest, HoldsWhatRedisSaysItHolds) {
  const Recorded& recorded = GetParam();
  ASSERT_EQ(VerifyRdbPayload(recorded.payload, RdbChecksum::kChecked), Status::kOk);
  ValueText text;
  const Status status = ReadRdbPayload(recorded.payload, &text);
  if (recorded.refused()) {
    EXPECT_EQ(status, Status::kInvalid);
    EXPECT_FALSE(text.ended());
    return;
  }
  ASSERT_EQ(status, Status::kOk);
  EXPECT_TRUE(text.ended());
  EXPECT_EQ(Normalized(text.lines()), Normalized(recorded.lines));
}

TEST_P(RdbTest, IsWrittenAgainAsItWas) {
  const Recorded& recorded = GetParam();
  if (recorded.refused()) return;
  RdbWriter writer({});
  ASSERT_EQ(ReadRdbPayload(recorded.payload, &writer), Status::kOk);
  const std::string again = writer.TakePayload();
  EXPECT_EQ(VerifyRdbPayload(again, RdbChecksum::kChecked), Status::kOk);
  // The same bytes, but for what is not in the value: entries that a node still has although they were deleted, a
  // setting for tests.
  if (recorded.writer == "7.2.4" && recorded.name != "stream" && recorded.name != "list_plain" &&
      recorded.name != "stream_groups") {
    EXPECT_EQ(again, recorded.payload);
  }
  ValueText text;
  ASSERT_EQ(ReadRdbPayload(again, &text), Status::kOk);
  EXPECT_EQ(Normalized(text.lines()), Normalized(recorded.lines));
}

// Whatever is cut off, changed or added: refused or a value, in time, and nothing outside is read (sanitizers see).
TEST_P(RdbTest, SurvivesDamage) {
  const std::string& payload = GetParam().payload;
  const size_t step = std::max<size_t>(1, payload.size() / 200);
  for (size_t cut = 0; cut < payload.size(); cut += step) {
    ValueText text;
    (void)ReadRdbPayload(payload.substr(0, cut), &text);
  }
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = payload;
    for (int j = 0; j < 1 + i % 3; ++j) damaged[random() % damaged.size()] = static_cast<char>(random());
    RdbWriter writer({});
    if (ReadRdbPayload(damaged, &writer) != Status::kOk) continue;
    ValueText text;
    EXPECT_EQ(ReadRdbPayload(writer.TakePayload(), &text), Status::kOk) << "damaged in a way that cannot be told again";
  }
}

INSTANTIATE_TEST_SUITE_P(Recorded, RdbTest, testing::ValuesIn(ReadRecorded()), [](const auto& info) {
  std::string name = info.param.name + "_" + info.param.writer;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
});

TEST(RdbPayloadTest, FooterIsChecked) {
  RdbWriter writer({});
  ASSERT_EQ(writer.String("x"), Status::kOk);
  const std::string payload = writer.TakePayload();
  EXPECT_EQ(VerifyRdbPayload(payload, RdbChecksum::kChecked), Status::kOk);
  for (size_t i = 0; i < payload.size(); ++i) {
    std::string damaged = payload;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(VerifyRdbPayload(damaged, RdbChecksum::kChecked), Status::kInvalid) << i;
  }
  std::string newer = payload;
  newer[newer.size() - 10] = 12;
  EXPECT_EQ(VerifyRdbPayload(newer, RdbChecksum::kIgnored), Status::kInvalid);
  EXPECT_EQ(VerifyRdbPayload(payload.substr(0, 9), RdbChecksum::kIgnored), Status::kInvalid);
  EXPECT_EQ(Crc64("123456789"), 0xe9c6d914c4b8d9caull);
}

// Few bytes that would become many: a compressed string of zeros is fine, entries that share a huge field name are not.
TEST(RdbPayloadTest, ExpansionIsBounded) {
  RdbWriter writer({.stream_node_max_bytes = 0, .stream_node_max_entries = 0});
  ASSERT_EQ(writer.Begin(ValueType::kStream, Encoding::kStream, 0), Status::kOk);
  const std::string name(100'000, 'n');
  const std::string_view fields[] = {name, "v"};
  ValueSink::StreamFacts facts;
  for (uint64_t i = 1; i <= 20'000; ++i) ASSERT_EQ(writer.Entry({i, 0}, fields), Status::kOk);
  facts.length = facts.entries_added = 20'000;
  facts.first_id = {1, 0};
  facts.last_id = {20'000, 0};
  ASSERT_EQ(writer.Facts(facts), Status::kOk);
  ASSERT_EQ(writer.End(), Status::kOk);
  const std::string payload = writer.TakePayload();
  ASSERT_LT(payload.size(), 1u << 20);
  ValueText text;
  EXPECT_EQ(ReadRdbPayload(payload, &text), Status::kInvalid);
}

// Elements of no length take 2 bytes of a node and, compressed, next to nothing; reading keeps 70 bytes for each.
TEST(RdbPayloadTest, EmptyFieldsAreNotForNothing) {
  RdbWriter writer({.stream_node_max_bytes = 0, .stream_node_max_entries = 0});
  ASSERT_EQ(writer.Begin(ValueType::kStream, Encoding::kStream, 0), Status::kOk);
  ASSERT_EQ(writer.Entry({1, 0}, std::vector<std::string_view>(2'000'000)), Status::kOk);
  ValueSink::StreamFacts facts;
  facts.length = facts.entries_added = 1;
  facts.first_id = facts.last_id = {1, 0};
  ASSERT_EQ(writer.Facts(facts), Status::kOk);
  ASSERT_EQ(writer.End(), Status::kOk);
  const std::string payload = writer.TakePayload();
  ASSERT_LT(payload.size(), 100u << 10);
  ValueText text;
  EXPECT_EQ(ReadRdbPayload(payload, &text), Status::kInvalid);
  EXPECT_LE(text.lines().size(), 1u);
}

// … and members that are all the same are not gathered until the last.
TEST(RdbPayloadTest, EqualMembersAreNoticedEarly) {
  for (const ValueType type : {ValueType::kSet, ValueType::kHash, ValueType::kZset}) {
    RdbWriter writer({});
    ASSERT_EQ(writer.Begin(type, Encoding::kListpack, 0), Status::kOk);
    for (int i = 0; i < 1'000'000; ++i) {
      const Status status = type == ValueType::kSet    ? writer.Element("")
                            : type == ValueType::kHash ? writer.Field("", "")
                                                       : writer.Scored("", 1);
      ASSERT_EQ(status, Status::kOk);
    }
    ASSERT_EQ(writer.End(), Status::kOk);
    ValueText text;
    EXPECT_EQ(ReadRdbPayload(writer.TakePayload(), &text), Status::kInvalid);
    EXPECT_LT(text.lines().size(), 10'000u);
  }
}

// A value that makes a payload nobody could be given is not gathered to its end, whatever its form.
TEST(RdbPayloadTest, WriterStopsAtItsLimit) {
  const std::string text(1000, 't');
  const std::string_view entry[] = {"field", text};
  const auto told = [&](ValueType type, Encoding encoding) {
    RdbWriter writer({.compress = false, .bytes_max = 100'000});
    EXPECT_EQ(writer.Begin(type, encoding, 0), Status::kOk);
    int count = 0;
    Status status = Status::kOk;
    for (; status == Status::kOk && count < 100'000; ++count) {
      const auto number = static_cast<uint64_t>(count) + 1;
      status = type == ValueType::kHash        ? writer.Field(std::to_string(number), text)
               : type == ValueType::kZset      ? writer.Scored(std::to_string(number) + text, 1)
               : type == ValueType::kStream    ? writer.Entry({number, 0}, entry)
               : encoding == Encoding::kIntset ? writer.Element(std::to_string(number))
                                               : writer.Element(text);
    }
    EXPECT_EQ(status, Status::kTooLarge) << TypeName(type);
    return count;
  };
  EXPECT_LE(told(ValueType::kList, Encoding::kQuicklist), 101);
  EXPECT_LE(told(ValueType::kList, Encoding::kListpack), 101);
  EXPECT_LE(told(ValueType::kSet, Encoding::kHashtable), 101);
  EXPECT_LE(told(ValueType::kSet, Encoding::kIntset), 12'501);
  EXPECT_LE(told(ValueType::kHash, Encoding::kHashtable), 101);
  EXPECT_LE(told(ValueType::kHash, Encoding::kListpack), 101);
  EXPECT_LE(told(ValueType::kZset, Encoding::kSkiplist), 101);
  EXPECT_LE(told(ValueType::kStream, Encoding::kStream), 101);
}

// Times of a stream's groups are any 64 bits. What is told can be subtracted from now.
TEST(RdbPayloadTest, TimesAreNotBeforeAllTime) {
  RdbWriter writer({});
  constexpr int64_t kBefore = std::numeric_limits<int64_t>::min();
  const std::string_view entry[] = {"f", "v"};
  ASSERT_EQ(writer.Begin(ValueType::kStream, Encoding::kStream, 0), Status::kOk);
  ASSERT_EQ(writer.Entry({1, 0}, entry), Status::kOk);
  ASSERT_EQ(writer.Facts({.length = 1, .last_id = {1, 0}, .first_id = {1, 0}, .entries_added = 1}), Status::kOk);
  ASSERT_EQ(writer.Group({.name = "g", .last_id = {1, 0}, .entries_read = 1}), Status::kOk);
  ASSERT_EQ(writer.Consumer({.name = "c", .seen_ms = kBefore, .active_ms = -1}), Status::kOk);
  ASSERT_EQ(writer.Pending({1, 0}, kBefore, 1), Status::kOk);
  ASSERT_EQ(writer.End(), Status::kOk);
  class Times : public ValueText {
   public:
    Status Consumer(const ConsumerFacts& facts) override {
      seen_ms = facts.seen_ms;
      active_ms = facts.active_ms;
      return Status::kOk;
    }
    Status Pending(StreamId, int64_t at_ms, uint64_t) override {
      delivered_ms = at_ms;
      return Status::kOk;
    }
    int64_t seen_ms = 0, active_ms = 0, delivered_ms = 0;
  } times;
  ASSERT_EQ(ReadRdbPayload(writer.TakePayload(), &times), Status::kOk);
  EXPECT_LT(times.seen_ms, 0);
  EXPECT_GE(times.seen_ms, kBefore / 2);
  EXPECT_EQ(times.active_ms, -1);
  EXPECT_GE(times.delivered_ms, kBefore / 2);
}

TEST(RdbPayloadTest, ListsAreCutIntoNodesAsTheSettingSays) {
  for (const int64_t setting : {-5, -2, -1, 0, 1, 3, 128}) {
    RdbWriter writer({.list_max_listpack_size = setting});
    ASSERT_EQ(writer.Begin(ValueType::kList, Encoding::kQuicklist, 0), Status::kOk);
    std::vector<std::string> expected{"list quicklist"};
    for (int i = 0; i < 500; ++i) {
      const std::string element(static_cast<size_t>(i), 'e');
      ASSERT_EQ(writer.Element(element), Status::kOk);
      expected.push_back("element " + Quoted(element));
    }
    ASSERT_EQ(writer.End(), Status::kOk);
    ValueText text;
    ASSERT_EQ(ReadRdbPayload(writer.TakePayload(), &text), Status::kOk);
    EXPECT_EQ(text.lines(), expected);
  }
}

}  // namespace
}  // namespace basalt::storage
