#include "server/lcs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace basalt {
namespace {

TEST(LcsTest, TheExampleOfTheDocumentation) {
  const Lcs lcs = ComputeLcs("ohmytext", "mynewtext");
  EXPECT_EQ(lcs.text, "mytext");
  ASSERT_EQ(lcs.matches.size(), 2u);
  EXPECT_EQ(lcs.matches[0].a_first, 4u);
  EXPECT_EQ(lcs.matches[0].a_last, 7u);
  EXPECT_EQ(lcs.matches[0].b_first, 5u);
  EXPECT_EQ(lcs.matches[0].b_last, 8u);
  EXPECT_EQ(lcs.matches[1].a_first, 2u);
  EXPECT_EQ(lcs.matches[1].b_first, 0u);
  EXPECT_EQ(lcs.matches[1].length(), 2u);
}

TEST(LcsTest, NothingInCommon) {
  EXPECT_EQ(LcsLength("", ""), 0u);
  EXPECT_EQ(LcsLength("abc", ""), 0u);
  EXPECT_EQ(ComputeLcs("abc", "xyz").text, "");
  EXPECT_TRUE(ComputeLcs("", "xyz").matches.empty());
}

// Length by the definition.
uint32_t NaiveLength(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return 0;
  if (a.back() == b.back()) return NaiveLength(a.substr(0, a.size() - 1), b.substr(0, b.size() - 1)) + 1;
  return std::max(NaiveLength(a.substr(0, a.size() - 1), b), NaiveLength(a, b.substr(0, b.size() - 1)));
}

TEST(LcsTest, LengthTextAndMatchesAgree) {
  std::mt19937 random(3);
  const auto text = [&random] {
    std::string result;
    for (size_t n = random() % 9; n > 0; --n) result += "abc"[random() % 3];
    return result;
  };
  for (int round = 0; round < 2000; ++round) {
    const std::string a = text(), b = text();
    const Lcs lcs = ComputeLcs(a, b);
    EXPECT_EQ(lcs.text.size(), NaiveLength(a, b)) << a << " " << b;
    EXPECT_EQ(LcsLength(a, b), lcs.text.size());
    std::string from_a, from_b;
    for (size_t i = lcs.matches.size(); i-- > 0;) {
      const LcsMatch& match = lcs.matches[i];
      from_a += a.substr(match.a_first, match.length());
      from_b += b.substr(match.b_first, match.length());
    }
    EXPECT_EQ(from_a, lcs.text);
    EXPECT_EQ(from_b, lcs.text);
  }
}

}  // namespace
}  // namespace basalt
