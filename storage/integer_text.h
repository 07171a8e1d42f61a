#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

namespace basalt::storage {

// Whether `text` is a 64-bit integer in the one form that prints back as it was: no sign but '-', no leading zeros, no
// "-0". What Redis keeps as an integer.
inline bool ParseCanonicalInteger(std::string_view text, int64_t* number) {
  if (text.empty() || text.size() > 20) return false;
  const std::string_view digits = text[0] == '-' ? text.substr(1) : text;
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return false;
  if (digits[0] == '0' && text.size() > 1) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace basalt::storage
