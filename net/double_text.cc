#include "net/double_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace basalt::net {
namespace {

// Digits by Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers", 2010), as
// Redis makes them: they always read back as the same number, and are the shortest that do for all but one in a
// thousand. Where they are not, std::to_chars would answer otherwise than Redis.

// significand * 2^exponent
struct Binary {
  uint64_t significand = 0;
  int exponent = 0;
};

// ---- powers of ten, every eighth, rounded to 64 bits ----

constexpr int kFirstPower = -348, kPowerStep = 8, kPowers = 87;

// A large whole number, the lowest word first.
using Words = std::vector<uint32_t>;

void MultiplyByTen(Words* words) {
  uint64_t carry = 0;
  for (uint32_t& word : *words) {
    carry += uint64_t{word} * 10;
    word = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
  if (carry != 0) words->push_back(static_cast<uint32_t>(carry));
}

int BitLength(const Words& words) { return static_cast<int>(words.size() * 32) - std::countl_zero(words.back()); }

// 10^power
Binary Round(const Words& ten_to_power) {
  const int bits = BitLength(ten_to_power);
  const auto bit = [&](int i) { return i < 0 ? 0 : ten_to_power[static_cast<size_t>(i) / 32] >> (i % 32) & 1; };
  uint64_t significand = 0;
  for (int i = 1; i <= 64; ++i) significand = significand << 1 | bit(bits - i);
  return {significand + bit(bits - 65), bits - 64};
}

// 1 / divisor, by long division
Binary RoundInverse(const Words& divisor) {
  const int bits = BitLength(divisor);
  Words rest(divisor.size() + 1, 0);
  rest[static_cast<size_t>(bits - 1) / 32] = 1u << ((bits - 1) % 32);
  const auto next_bit = [&] {
    for (size_t i = rest.size(); i-- > 1;) rest[i] = rest[i] << 1 | rest[i - 1] >> 31;
    rest[0] <<= 1;
    const auto word = [&](size_t i) { return i < divisor.size() ? divisor[i] : 0; };
    for (size_t i = rest.size(); i-- > 0;) {
      if (rest[i] < word(i)) return uint64_t{0};
      if (rest[i] > word(i)) break;
    }
    int64_t borrow = 0;
    for (size_t i = 0; i < rest.size(); ++i) {
      const int64_t difference = int64_t{rest[i]} - word(i) + borrow;
      rest[i] = static_cast<uint32_t>(difference);
      borrow = difference >> 32;
    }
    return uint64_t{1};
  };
  uint64_t significand = 0;
  for (int i = 0; i < 64; ++i) significand = significand << 1 | next_bit();
  return {significand + next_bit(), -(bits + 63)};
}

std::array<Binary, kPowers> MakePowers() {
  std::array<Binary, kPowers> powers;
  Words ten_to_power{1};
  for (int power = 0; power <= -kFirstPower; ++power) {
    const int up = power - kFirstPower, down = -power - kFirstPower;
    if (up % kPowerStep == 0 && up / kPowerStep < kPowers)
      powers[static_cast<size_t>(up / kPowerStep)] = Round(ten_to_power);
    if (down % kPowerStep == 0 && power != 0)
      powers[static_cast<size_t>(down / kPowerStep)] = RoundInverse(ten_to_power);
    MultiplyByTen(&ten_to_power);
  }
  return powers;
}

// The power that brings a number of this exponent to one between -60 and -32. Several may; this is the one Redis takes.
Binary PowerFor(int exponent, int* power) {
  static const std::array<Binary, kPowers> powers = MakePowers();
  constexpr double kLog10Of2 = 0.30102999566398114;
  const int estimate = static_cast<int>(-(exponent + kPowers) * kLog10Of2);
  int index = (estimate - kFirstPower) / kPowerStep;
  for (;;) {
    const int sum = exponent + powers[static_cast<size_t>(index)].exponent + 64;
    if (sum >= -60 && sum <= -32) break;
    index += sum < -60 ? 1 : -1;
  }
  *power = kFirstPower + index * kPowerStep;
  return powers[static_cast<size_t>(index)];
}

// ---- digits ----

Binary Normalize(Binary number) {
  const int shift = std::countl_zero(number.significand);
  return {number.significand << shift, number.exponent - shift};
}

Binary Multiply(Binary a, Binary b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a.significand) * b.significand + (Wide{1} << 63);
  return {static_cast<uint64_t>(product >> 64), a.exponent + b.exponent + 64};
}

// Moves the last digit towards the number itself, as long as that stays within the bounds.
void RoundLast(char* last, uint64_t delta, uint64_t rest, uint64_t unit, uint64_t distance) {
  while (rest < distance && delta - rest >= unit &&
         (rest + unit < distance || distance - rest > rest + unit - distance)) {
    --*last;
    rest += unit;
  }
}

// Writes the digits of a finite number > 0: digits * 10^*scale. At most 18 of them.
int Digits(double value, char* digits, int* scale) {
  const auto bits = std::bit_cast<uint64_t>(value);
  constexpr uint64_t kHidden = 1ull << 52;
  const auto biased = static_cast<int>(bits >> 52 & 0x7ff);
  const Binary exact =
      biased != 0 ? Binary{(bits & (kHidden - 1)) | kHidden, biased - 1075} : Binary{bits & (kHidden - 1), -1074};
  // Halfway to the neighbours on both sides; the one below a power of two is nearer.
  Binary upper = Normalize({(exact.significand << 1) + 1, exact.exponent - 1});
  const int lower_shift = exact.significand == kHidden ? 2 : 1;
  Binary lower{(exact.significand << lower_shift) - 1, exact.exponent - lower_shift};
  lower = {lower.significand << (lower.exponent - upper.exponent), upper.exponent};

  int power;
  const Binary ten = PowerFor(upper.exponent, &power);
  const Binary number = Multiply(Normalize(exact), ten);
  upper = Multiply(upper, ten);
  lower = Multiply(lower, ten);
  --upper.significand;  // the products may be off by one
  ++lower.significand;
  *scale = -power;

  const uint64_t distance = upper.significand - number.significand;
  uint64_t delta = upper.significand - lower.significand;
  const int point = -upper.exponent;
  const uint64_t fraction_mask = (1ull << point) - 1;
  uint64_t whole = upper.significand >> point;
  uint64_t fraction = upper.significand & fraction_mask;
  int count = 0;
  int left = 10;
  for (uint64_t unit = 1'000'000'000; left > 0; unit /= 10) {
    const uint64_t digit = whole / unit;
    if (digit != 0 || count != 0) digits[count++] = static_cast<char>('0' + digit);
    whole -= digit * unit;
    --left;
    const uint64_t rest = (whole << point) + fraction;
    if (rest <= delta) {
      *scale += left;
      RoundLast(digits + count - 1, delta, rest, unit << point, distance);
      return count;
    }
  }
  for (uint64_t unit = 10;; unit *= 10) {
    fraction *= 10;
    delta *= 10;
    --left;
    const uint64_t digit = fraction >> point;
    if (digit != 0 || count != 0) digits[count++] = static_cast<char>('0' + digit);
    fraction &= fraction_mask;
    if (fraction < delta) {
      *scale += left;
      RoundLast(digits + count - 1, delta, fraction, fraction_mask + 1, distance * unit);
      return count;
    }
  }
}

}  // namespace

char* WriteShortestDouble(char* at, double value) {
  char digits[24];
  int scale;  // value = digits * 10^scale
  const int count = Digits(std::fabs(value), digits, &scale);
  const int exponent = scale + count - 1;  // of the first digit
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
