#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace basalt {

// The longest common subsequence of two strings, by dynamic programming, and how Redis walks back through the table: of
// several subsequences of the same length it is always the same one that is found, in the same ranges. Time |a| * |b|;
// memory one bit per pair of bytes (none for the length alone) and four bytes per byte of `b`.

// A run that is the same in both strings; both ends inclusive.
struct LcsMatch {
  uint32_t a_first, a_last;
  uint32_t b_first, b_last;
  uint32_t length() const { return a_last - a_first + 1; }
};

struct Lcs {
  std::string text;
  std::vector<LcsMatch> matches;  // from the end of the strings to their beginning
};

// REQUIRES for all: both shorter than 2^32 - 2.
uint32_t LcsLength(std::string_view a, std::string_view b);
Lcs ComputeLcs(std::string_view a, std::string_view b);

}  // namespace basalt
