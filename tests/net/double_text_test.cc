#include "net/double_text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

namespace basalt::net {
namespace {

std::string Text(double value) {
  char text[kDoubleBytesMax];
  return std::string(text, WriteShortestDouble(text, value));
}

TEST(DoubleTextTest, DigitsAreThoseOfRedis) {
  EXPECT_EQ(Text(0.1), "0.1");
  EXPECT_EQ(Text(-3.25), "-3.25");
  EXPECT_EQ(Text(1e17), "1e+17");
  EXPECT_EQ(Text(1.5e-9), "1.5e-9");
  EXPECT_EQ(Text(123456789012345680), "123456789012345680");
  EXPECT_EQ(Text(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
  EXPECT_EQ(Text(std::numeric_limits<double>::denorm_min()), "5e-324");
  // One in a thousand is longer than it need be: 289.1740691586634 would read back as the same number.
  EXPECT_EQ(Text(289.1740691586634), "289.17406915866337");
}

TEST(DoubleTextTest, EveryTextReadsBack) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value) || value == 0) continue;
    const std::string text = Text(value);
    ASSERT_LT(text.size(), kDoubleBytesMax);
    ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
  }
}

}  // namespace
}  // namespace basalt::net
