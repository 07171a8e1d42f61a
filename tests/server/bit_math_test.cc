#include "server/bit_math.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

namespace basalt {
namespace {

bool BitAt(std::string_view bytes, uint64_t bit) {
  return (static_cast<uint8_t>(bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0;
}

class BitMathTest : public ::testing::Test {
 protected:
  // Runs of equal bytes and random ones, so that words of zeros and ones occur.
  std::string RandomBytes(size_t size) {
    std::string bytes;
    while (bytes.size() < size) {
      switch (random_() % 3) {
        case 0:
          bytes.append(1 + random_() % 20, '\0');
          break;
        case 1:
          bytes.append(1 + random_() % 20, '\xff');
          break;
        default:
          bytes.push_back(static_cast<char>(random_()));
      }
    }
    bytes.resize(size);
    return bytes;
  }
  std::mt19937_64 random_{42};
};

TEST_F(BitMathTest, PopCountAgreesWithCountingBits) {
  for (size_t size = 0; size < 700; size += 1 + size / 10) {
    const std::string bytes = RandomBytes(size);
    uint64_t expected = 0;
    for (uint64_t bit = 0; bit < size * 8; ++bit) expected += BitAt(bytes, bit);
    EXPECT_EQ(PopCount(bytes), expected) << size;
  }
  EXPECT_EQ(PopCount(std::string(100'000, '\xff')), 800'000u);
}

TEST_F(BitMathTest, AFoundBitIsTheFirstOneHoweverTheStringIsCutUp) {
  for (int round = 0; round < 3000; ++round) {
    const std::string bytes = RandomBytes(1 + random_() % 60);
    const bool bit = random_() % 2 != 0;
    uint64_t first = random_() % (bytes.size() * 8), last = random_() % (bytes.size() * 8);
    if (first > last) std::swap(first, last);
    uint64_t expected = first;
    while (expected <= last && BitAt(bytes, expected) != bit) ++expected;

    BitFinder finder(bit, first, last);
    bool found = false;
    uint64_t at = first / 8;
    while (!found && at <= last / 8) {
      const size_t piece = std::min<size_t>(1 + random_() % 20, last / 8 - at + 1);
      found = finder.Feed(at, std::string_view(bytes).substr(at, piece));
      at += piece;
    }
    EXPECT_EQ(found, expected <= last);
    if (found) {
      EXPECT_EQ(finder.position(), expected);
    }
  }
}

TEST_F(BitMathTest, CombiningWordsAgreesWithCombiningBytes) {
  for (size_t size : {1, 7, 8, 9, 31, 64}) {
    for (const BitOp op : {BitOp::kAnd, BitOp::kOr, BitOp::kXor, BitOp::kNot}) {
      const std::string a = RandomBytes(size), b = RandomBytes(size);
      std::string result = a;
      CombineBits(op, result.data(), b);
      for (size_t i = 0; i < size; ++i) {
        const int x = a[i], y = b[i];
        const int expected = op == BitOp::kAnd ? x & y : op == BitOp::kOr ? x | y : op == BitOp::kXor ? x ^ y : ~y;
        EXPECT_EQ(result[i], static_cast<char>(expected));
      }
    }
  }
  EXPECT_TRUE(IsAllZero(std::string(100, '\0')));
  EXPECT_TRUE(IsAllZero(""));
  EXPECT_FALSE(IsAllZero(std::string(99, '\0') + "x"));
}

TEST_F(BitMathTest, AFieldComesBackAsItWasSetAndItsNeighboursStay) {
  for (int round = 0; round < 5000; ++round) {
    const bool is_signed = random_() % 2 != 0;
    const FieldType type{is_signed, static_cast<uint8_t>(1 + random_() % (is_signed ? 64 : 63))};
    const unsigned shift = static_cast<unsigned>(random_() % 8);
    FieldWindow window;
    for (uint8_t& byte : window) byte = static_cast<uint8_t>(random_());
    const FieldWindow before = window;
    const int64_t value = *AssignField(type, FieldOverflow::kWrap, static_cast<int64_t>(random_()));
    SetField(&window, shift, type, value);
    EXPECT_EQ(GetField(window, shift, type), value);
    const std::string_view now(reinterpret_cast<const char*>(window.data()), window.size());
    const std::string_view old(reinterpret_cast<const char*>(before.data()), before.size());
    for (uint64_t bit = 0; bit < window.size() * 8; ++bit) {
      if (bit < shift || bit >= shift + type.bits) {
        EXPECT_EQ(BitAt(now, bit), BitAt(old, bit)) << bit;
      }
    }
  }
}

TEST_F(BitMathTest, OverflowWrapsSaturatesOrFails) {
  constexpr FieldType u8{false, 8}, i8{true, 8}, i64{true, 64}, u63{false, 63};
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(AddToField(u8, FieldOverflow::kWrap, 250, 10), 4);
  EXPECT_EQ(AddToField(u8, FieldOverflow::kWrap, 5, -10), 251);
  EXPECT_EQ(AddToField(u8, FieldOverflow::kSaturate, 250, 10), 255);
  EXPECT_EQ(AddToField(u8, FieldOverflow::kSaturate, 5, -10), 0);
  EXPECT_EQ(AddToField(u8, FieldOverflow::kFail, 250, 10), std::nullopt);
  EXPECT_EQ(AddToField(i8, FieldOverflow::kWrap, 127, 1), -128);
  EXPECT_EQ(AddToField(i8, FieldOverflow::kSaturate, -100, -100), -128);
  EXPECT_EQ(AddToField(i64, FieldOverflow::kWrap, kMax, 1), kMin);
  EXPECT_EQ(AddToField(i64, FieldOverflow::kSaturate, kMax, kMax), kMax);
  EXPECT_EQ(AddToField(i64, FieldOverflow::kFail, kMin, -1), std::nullopt);
  EXPECT_EQ(AddToField(u63, FieldOverflow::kSaturate, kMax, 1), kMax);
  EXPECT_EQ(AssignField(u8, FieldOverflow::kWrap, 257), 1);
  EXPECT_EQ(AssignField(u8, FieldOverflow::kSaturate, -1), 255);  // a large number
  EXPECT_EQ(AssignField(i8, FieldOverflow::kSaturate, -1000), -128);
  EXPECT_EQ(AssignField(i8, FieldOverflow::kFail, 128), std::nullopt);
}

}  // namespace
}  // namespace basalt
