#include "net/double_text.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace basalt::net {

char* WriteShortestDouble(char* at, double value) {
  char text[32];
  const auto [text_end, error] =
      std::to_chars(text, text + sizeof(text), std::fabs(value), std::chars_format::scientific);
  assert(error == std::errc());
  (void)error;
  const char* e = std::find(text, text_end, 'e');
  char digits[20];
  int count = 0;
  for (const char* p = text; p != e; ++p) {
    if (*p != '.') digits[count++] = *p;
  }
  int exponent = 0;  // of the first digit
  std::from_chars(e[1] == '+' ? e + 2 : e + 1, text_end, exponent);
  const int scale = exponent - count + 1;  // value = digits * 10^scale
  if (std::signbit(value)) *at++ = '-';

  if (scale >= 0 && exponent < count + 7) {
    at = std::copy_n(digits, count, at);
    return std::fill_n(at, scale, '0');
  }
  if (scale < 0 && (scale > -7 || std::abs(exponent) < 4)) {
    const int whole = count + scale;  // digits before the point
    if (whole <= 0) {
      *at++ = '0';
      *at++ = '.';
      at = std::fill_n(at, -whole, '0');
      return std::copy_n(digits, count, at);
    }
    at = std::copy_n(digits, whole, at);
    *at++ = '.';
    return std::copy_n(digits + whole, count - whole, at);
  }
  *at++ = digits[0];
  if (count > 1) {
    *at++ = '.';
    at = std::copy_n(digits + 1, count - 1, at);
  }
  *at++ = 'e';
  *at++ = exponent < 0 ? '-' : '+';
  return std::to_chars(at, at + 4, std::abs(exponent)).ptr;
}

}  // namespace basalt::net
