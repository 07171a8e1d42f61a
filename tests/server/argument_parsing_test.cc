#include "server/argument_parsing.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <optional>
#include <random>
#include <vector>

namespace basalt {
namespace {

std::optional<int64_t> Integer(std::string_view text) {
  int64_t value;
  return ParseInteger(text, &value) ? std::optional(value) : std::nullopt;
}
std::optional<uint64_t> Unsigned(std::string_view text) {
  uint64_t value;
  return ParseUnsigned(text, &value) ? std::optional(value) : std::nullopt;
}
std::optional<uint64_t> Cursor(std::string_view text) {
  uint64_t value;
  return ParseScanCursor(text, &value) ? std::optional(value) : std::nullopt;
}
std::optional<long double> LongDouble(std::string_view text) {
  long double value;
  return ParseLongDouble(text, &value) ? std::optional(value) : std::nullopt;
}
std::string Formatted(long double value) {
  char buffer[kLongDoubleTextMax];
  return std::string(FormatLongDouble(value, buffer));
}

TEST(ArgumentParsingTest, IntegersHaveExactlyOneForm) {
  EXPECT_EQ(Integer("0"), 0);
  EXPECT_EQ(Integer("-1"), -1);
  EXPECT_EQ(Integer("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Integer("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  for (const std::string_view refused :
       {"", "-", "+1", " 1", "1 ", "01", "-0", "-01", "00", "1.0", "0x1", "1e3", "9223372036854775808",
        "-9223372036854775809", "18446744073709551615", "184467440737095516160", "a", "-a"}) {
    EXPECT_EQ(Integer(refused), std::nullopt) << refused;
  }
  EXPECT_EQ(Integer(std::string_view("1\0", 2)), std::nullopt);
}

TEST(ArgumentParsingTest, UnsignedIntegersAreAsLenientAsStrtoull) {
  EXPECT_EQ(Unsigned("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(Unsigned("007"), 7u);
  EXPECT_EQ(Unsigned("+5"), 5u);
  EXPECT_EQ(Unsigned(" 5"), 5u);
  EXPECT_EQ(Unsigned("-01"), UINT64_MAX);
  for (const std::string_view refused : {"", "-1", "5 ", "18446744073709551616", "+", "x"}) {
    EXPECT_EQ(Unsigned(refused), std::nullopt) << refused;
  }
}

TEST(ArgumentParsingTest, CursorsAreAsLenientAsStrtoul) {
  EXPECT_EQ(Cursor("0"), 0u);
  EXPECT_EQ(Cursor(""), 0u);
  EXPECT_EQ(Cursor("+12"), 12u);
  EXPECT_EQ(Cursor("18446744073709551615"), UINT64_MAX);
  for (const std::string_view refused : {" 1", "1 ", "x", "1x", "18446744073709551616"}) {
    EXPECT_EQ(Cursor(refused), std::nullopt) << refused;
  }
}

TEST(ArgumentParsingTest, FloatsAreWholeTextsWithoutNan) {
  double value = 0;
  EXPECT_TRUE(ParseDouble("3.5", &value));
  EXPECT_EQ(value, 3.5);
  EXPECT_TRUE(ParseDouble("-inf", &value));
  EXPECT_EQ(value, -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(ParseDouble("0x10", &value));
  EXPECT_EQ(value, 16);
  EXPECT_TRUE(ParseDouble("4.9e-324", &value));
  for (const std::string_view refused : {"", " 1", "1 ", "nan", "-nan", "1e999", "1e-999", "1.5x", "."}) {
    EXPECT_FALSE(ParseDouble(refused, &value)) << refused;
  }
  EXPECT_EQ(LongDouble("1e4000"), 1e4000L);
  EXPECT_EQ(LongDouble("1e5000"), std::nullopt);
  EXPECT_EQ(LongDouble(std::string(kLongDoubleTextMax - 1, '0')), 0);
  EXPECT_EQ(LongDouble(std::string(kLongDoubleTextMax, '0')), std::nullopt);
}

TEST(ArgumentParsingTest, LongDoublesPrintAsIncrByFloatAnswers) {
  EXPECT_EQ(Formatted(3.0L), "3");
  EXPECT_EQ(Formatted(0.1L), "0.1");
  EXPECT_EQ(Formatted(-0.0L), "0");
  EXPECT_EQ(Formatted(100.0L), "100");
  EXPECT_EQ(Formatted(5e3L), "5000");
  EXPECT_EQ(Formatted(1e-20L), "0");
  EXPECT_EQ(Formatted(10.50L), "10.5");
  EXPECT_EQ(Formatted(std::numeric_limits<long double>::max()).size(), 4933u);
}

TEST(ArgumentParsingTest, CaseIsThatOfAscii) {
  EXPECT_TRUE(EqualsIgnoreCase("KeepTTL", "KEEPTTL"));
  EXPECT_FALSE(EqualsIgnoreCase("KEEPTT", "KEEPTTL"));
  EXPECT_FALSE(EqualsIgnoreCase("[", "{"));
  EXPECT_EQ(ToLower("AZ[\xc4"), "az[\xc4");
  EXPECT_EQ(ToUpper("az{\xe4"), "AZ{\xe4");
}

TEST(GlobTest, MatchesAsRedisDoes) {
  struct Case {
    std::string_view pattern, text;
    bool matches;
  };
  for (const Case& c : {
           Case{"*", "anything", true},
           {"h?llo", "hello", true},
           {"h?llo", "hllo", false},
           {"h*llo", "heeeello", true},
           {"h[ae]llo", "hallo", true},
           {"h[ae]llo", "hillo", false},
           {"h[^e]llo", "hallo", true},
           {"h[^e]llo", "hello", false},
           {"h[a-c]llo", "hbllo", true},
           {"h[c-a]llo", "hbllo", true},
           {"h\\*llo", "h*llo", true},
           {"h\\*llo", "hello", false},
           {"[\\]]", "]", true},
           {"[]", "]", false},
           {"[a", "a", true},  // an unclosed class ends with the pattern
           {"[^", "a", true},
           {"[", "[", false},
           {"\\", "\\", true},  // a last backslash means itself
           {"a*", "a", true},
           {"a**", "a", true},
           {"", "", true},
           {"", "a", false},
           {"*", "", false},  // only the empty pattern matches an empty text
           {"**", "", false},
           {"*a*b*c", "xaybzc", true},
           {"*a*b*c", "xaybzcd", false},
           {"[\xe0-\xff]", "\xf0", true},
           {"[a-\xf0]", "b", false},  // bytes compare as signed
       }) {
    EXPECT_EQ(GlobMatch(c.pattern, c.text), c.matches) << c.pattern << " on " << c.text;
  }
  EXPECT_TRUE(GlobMatch("H[A-C]LLO*", "hbllo!", true));
  EXPECT_FALSE(GlobMatch("H[A-C]LLO*", "hbllo!"));
}

// Every star tried with every length.
bool NaiveGlob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return NaiveGlob(pattern.substr(1), text) || (!text.empty() && NaiveGlob(pattern, text.substr(1)));
  if (text.empty()) return false;
  return (pattern[0] == '?' || pattern[0] == text[0]) && NaiveGlob(pattern.substr(1), text.substr(1));
}

TEST(GlobTest, StarsAgreeWithTryingEverything) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string pattern, text;
    for (size_t n = random() % 8; n > 0; --n) pattern += "ab?*"[random() % 4];
    for (size_t n = 1 + random() % 8; n > 0; --n) text += "ab"[random() % 2];
    EXPECT_EQ(GlobMatch(pattern, text), NaiveGlob(pattern, text)) << pattern << " on " << text;
  }
}

TEST(GlobTest, AHostilePatternCostsNoMoreThanPatternTimesText) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  pattern += "*b";
  const std::string text(5000, 'a');
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(GlobMatch(pattern, text));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
}  // namespace basalt
