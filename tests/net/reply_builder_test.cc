#include "net/reply_builder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>

namespace basalt::net {
namespace {

std::string Reply(RespVersion version, const std::function<void(ReplyBuilder&)>& write) {
  OutputBuffer buffer;
  ReplyBuilder reply(&buffer, version);
  write(reply);
  return buffer.ToString();
}
std::string Resp2(const std::function<void(ReplyBuilder&)>& write) { return Reply(RespVersion::kResp2, write); }
std::string Resp3(const std::function<void(ReplyBuilder&)>& write) { return Reply(RespVersion::kResp3, write); }

TEST(ReplyBuilderTest, TypesOfBothVersions) {
  const struct {
    const char* what;
    std::function<void(ReplyBuilder&)> write;
    const char* resp2;
    const char* resp3;
  } kRows[] = {
      {"simple", [](auto& r) { r.Ok(); }, "+OK\r\n", "+OK\r\n"},
      {"integer", [](auto& r) { r.Integer(INT64_MIN); }, ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
      {"bulk",
       [](auto& r) {
         r.Bulk({"a\r\0", 3});
       },
       "$3\r\na\r", "$3\r\na\r"},  // up to the NUL
      {"empty bulk", [](auto& r) { r.Bulk(""); }, "$0\r\n\r\n", "$0\r\n\r\n"},
      {"bulk integer", [](auto& r) { r.BulkInteger(-12); }, "$3\r\n-12\r\n", "$3\r\n-12\r\n"},
      {"bulk header", [](auto& r) { r.BulkHeader(5000000000); }, "$5000000000\r\n", "$5000000000\r\n"},
      {"null", [](auto& r) { r.Null(); }, "$-1\r\n", "_\r\n"},
      {"null array", [](auto& r) { r.NullArray(); }, "*-1\r\n", "_\r\n"},
      {"true", [](auto& r) { r.Bool(true); }, ":1\r\n", "#t\r\n"},
      {"false", [](auto& r) { r.Bool(false); }, ":0\r\n", "#f\r\n"},
      {"double", [](auto& r) { r.Double(3.5); }, "$3\r\n3.5\r\n", ",3.5\r\n"},
      {"big number", [](auto& r) { r.BigNumber("12345678901234567890"); }, "$20\r\n12345678901234567890\r\n",
       "(12345678901234567890\r\n"},
      {"verbatim", [](auto& r) { r.Verbatim("txt", "hi"); }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
      {"array", [](auto& r) { r.Array(3); }, "*3\r\n", "*3\r\n"},
      {"map", [](auto& r) { r.Map(3); }, "*6\r\n", "%3\r\n"},
      {"set", [](auto& r) { r.Set(3); }, "*3\r\n", "~3\r\n"},
      {"push", [](auto& r) { r.Push(3); }, "*3\r\n", ">3\r\n"},
  };
  for (const auto& row : kRows) {
    EXPECT_STREQ(Resp2(row.write).c_str(), row.resp2) << row.what;
    EXPECT_STREQ(Resp3(row.write).c_str(), row.resp3) << row.what;
  }
  EXPECT_EQ(Resp3([](auto& r) { r.Attribute(2); }), "|2\r\n");
}

TEST(ReplyBuilderTest, ErrorsStayOnOneLine) {
  EXPECT_EQ(Resp2([](auto& r) { r.Error("ERR a\r\nb\nc\r\n"); }), "-ERR a  b c\r\n");
  EXPECT_EQ(Resp2([](auto& r) { r.Error("WRONGTYPE x"); }), "-WRONGTYPE x\r\n");
}

TEST(ReplyBuilderTest, DoublesReadBackAndLookLikeRedis) {
  const auto text = [](double value) {
    const std::string reply = Resp3([value](auto& r) { r.Double(value); });
    return reply.substr(1, reply.size() - 3);
  };
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const struct {
    double value;
    const char* text;
  } kRows[] = {
      {0, "0"},
      {-0.0, "-0"},
      {1, "1"},
      {-1.5, "-1.5"},
      {0.1, "0.1"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1e15, "1000000000000000"},
      {123456789012345680.0, "123456789012345680"},
      {1e18, "1000000000000000000"},
      {1e19, "1e+19"},
      {1e20, "1e+20"},
      {1.5e21, "1.5e+21"},
      {1e100, "1e+100"},
      {5e-324, "5e-324"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
      {0.000001, "0.000001"},
      {1e-7, "1e-7"},
      {1.5e-7, "1.5e-7"},
      {0.001234, "0.001234"},
      {3.14159, "3.14159"},
      {kInf, "inf"},
      {-kInf, "-inf"},
      {std::nan(""), "nan"},
      {-std::nan(""), "nan"},
  };
  for (const auto& row : kRows) EXPECT_EQ(text(row.value), row.text);
  uint64_t bits = 88172645463325252ull;
  for (int i = 0; i < 20'000; ++i) {
    bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
    double value;
    static_assert(sizeof(value) == sizeof(bits));
    std::memcpy(&value, &bits, sizeof(value));
    if (std::isnan(value)) continue;
    ASSERT_EQ(std::strtod(text(value).c_str(), nullptr), value) << text(value);
  }
}

TEST(ReplyBuilderTest, LengthsKnownLate) {
  const auto write = [](ReplyBuilder& r) {
    r.Ok();
    const auto outer = r.Mark();
    r.Bulk("a");
    const auto inner = r.Mark();
    r.Integer(1);
    r.Integer(2);
    r.InsertSet(inner, 2);
    r.InsertMap(outer, 1);
    const auto last = r.Mark();
    r.InsertArray(last, 0);
  };
  EXPECT_EQ(Resp2(write), "+OK\r\n*2\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n*0\r\n");
  EXPECT_EQ(Resp3(write), "+OK\r\n%1\r\n$1\r\na\r\n~2\r\n:1\r\n:2\r\n*0\r\n");
}

TEST(ReplyBuilderTest, LargeValuesArePinnedSmallOnesAreNot) {
  auto large = std::make_shared<const std::string>(OutputBuffer::kPinBytesMin, 'x');
  auto small = std::make_shared<const std::string>(100, 'y');
  OutputBuffer buffer;
  ReplyBuilder reply(&buffer, RespVersion::kResp2);
  reply.BulkPinned(*large, large);
  reply.BulkPinned(*small, small);
  EXPECT_EQ(large.use_count(), 2);
  EXPECT_EQ(small.use_count(), 1);
  EXPECT_EQ(buffer.ToString(), "$32768\r\n" + *large + "\r\n$100\r\n" + *small + "\r\n");
}

}  // namespace
}  // namespace basalt::net
