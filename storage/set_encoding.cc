#include "storage/set_encoding.h"

#include <algorithm>

namespace basalt::storage {
namespace {

constexpr uint64_t kIntsetEntriesHardMax = 1u << 30;
constexpr std::string_view kLargestPositive = "9223372036854775807";
constexpr std::string_view kLargestNegative = "9223372036854775808";

bool IsNegative(std::string_view integer) { return integer.front() == '-'; }

}  // namespace

bool IsInteger(std::string_view member) {
  if (member.empty() || member.size() > kIntegerTextMax) return false;
  if (member == "0") return true;
  const bool negative = IsNegative(member);
  const std::string_view digits = member.substr(negative ? 1 : 0);
  if (digits.empty() || digits.front() == '0') return false;
  if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
  const std::string_view largest = negative ? kLargestNegative : kLargestPositive;
  return digits.size() < largest.size() || (digits.size() == largest.size() && digits <= largest);
}

int CompareIntegers(std::string_view a, std::string_view b) {
  const bool negative = IsNegative(a);
  if (negative != IsNegative(b)) return negative ? -1 : 1;
  const int compared = a.size() != b.size() ? (a.size() < b.size() ? -1 : 1) : a.compare(b);
  return negative ? -compared : compared;
}

SetEncoding SetEncoding::ForNew(std::string_view first, uint64_t members, const SetLimits& limits) {
  Encoding encoding = Encoding::kHashtable;
  if (IsInteger(first) && members <= limits.intset_entries) {
    encoding = Encoding::kIntset;
  } else if (members <= limits.listpack_entries) {
    encoding = Encoding::kListpack;
  }
  return SetEncoding(encoding, 0, 0, limits);
}

uint64_t SetEncoding::IntsetEntriesMax() const { return std::min(limits_.intset_entries, kIntsetEntriesHardMax); }

void SetEncoding::Expect(uint64_t members) {
  if ((encoding_ == Encoding::kListpack && members > limits_.listpack_entries) ||
      (encoding_ == Encoding::kIntset && members > limits_.intset_entries)) {
    encoding_ = Encoding::kHashtable;
  }
}

void SetEncoding::Add(std::string_view member) {
  if (encoding_ == Encoding::kIntset && IsInteger(member)) {
    longest_ = std::max(longest_, member.size());
    if (++count_ > IntsetEntriesMax()) encoding_ = Encoding::kHashtable;
    return;
  }
  const bool fits_listpack = count_ < limits_.listpack_entries && member.size() <= limits_.listpack_value;
  if (encoding_ == Encoding::kIntset) {
    encoding_ = fits_listpack && longest_ <= limits_.listpack_value ? Encoding::kListpack : Encoding::kHashtable;
  } else if (encoding_ == Encoding::kListpack && !fits_listpack) {
    encoding_ = Encoding::kHashtable;
  }
  ++count_;
}

void SetEncoding::MakeIntset() {
  if (count_ <= IntsetEntriesMax()) encoding_ = Encoding::kIntset;
}

}  // namespace basalt::storage
