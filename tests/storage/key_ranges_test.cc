#include "storage/key_ranges.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

namespace basalt::storage {
namespace {

std::string Text(const KeyRanges& ranges) {
  std::string text;
  for (const auto& [lower, upper] : ranges.ranges()) text += lower + "-" + upper + " ";
  return text;
}

TEST(KeyRangesTest, WhatLiesBetweenTwoIsInNeither) {
  KeyRanges ranges;
  EXPECT_TRUE(ranges.empty());
  ranges.Add("b", "c");
  ranges.Add("x", "y");
  EXPECT_EQ(Text(ranges), "b-c x-y ");
  ranges.Add("c", "d");
  ranges.Add("a", "b");
  EXPECT_EQ(Text(ranges), "a-d x-y ");
  ranges.Add("b", "c");
  EXPECT_EQ(Text(ranges), "a-d x-y ");
  ranges.Add("c", "z");
  EXPECT_EQ(Text(ranges), "a-z ");
}

TEST(KeyRangesTest, HoldWhatASetOfKeysHolds) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    KeyRanges ranges;
    std::set<char> added;
    for (int i = 0; i < 8; ++i) {
      const char lower = static_cast<char>('0' + random() % 60);
      const char upper = static_cast<char>(lower + 1 + random() % 5);
      ranges.Add(std::string(1, lower), std::string(1, upper));
      for (char c = lower; c < upper; ++c) added.insert(c);
    }
    std::set<char> held;
    std::string before;
    for (const auto& [lower, upper] : ranges.ranges()) {
      EXPECT_LT(before, lower) << "they touch";
      for (char c = lower[0]; c < upper[0]; ++c) held.insert(c);
      before = upper;
    }
    EXPECT_EQ(held, added);
  }
}

TEST(KeyRangesTest, AreBounded) {
  KeyRanges ranges;
  for (size_t i = 0; i < 2 * KeyRanges::kMax; ++i) {
    const std::string key = std::to_string(1'000'000 + i);
    ranges.Add(key + "a", key + "b");
  }
  EXPECT_EQ(ranges.ranges().size(), KeyRanges::kMax);
}

}  // namespace
}  // namespace basalt::storage
