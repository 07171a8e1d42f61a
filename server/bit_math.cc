#include "server/bit_math.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace basalt {
namespace {

using Wide = __int128;
using UnsignedWide = unsigned __int128;

uint64_t LoadWord(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// The number of ones in each byte of the word, in that byte.
uint64_t OnesPerByte(uint64_t x) {
  x -= (x >> 1) & 0x5555555555555555;
  x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
  return (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
}

uint64_t SumOfBytes(uint64_t x) {
  constexpr uint64_t kEvenBytes = 0x00ff00ff00ff00ff;
  return (((x & kEvenBytes) + ((x >> 8) & kEvenBytes)) * 0x0001000100010001) >> 48;
}

struct Limits {
  Wide min, max;
};

Limits LimitsOf(FieldType type) {
  if (!type.is_signed) return {0, (Wide{1} << type.bits) - 1};
  return {-(Wide{1} << (type.bits - 1)), (Wide{1} << (type.bits - 1)) - 1};
}

// The value's lowest bits, read as the type reads them.
int64_t Wrapped(FieldType type, Wide value) {
  const UnsignedWide low = static_cast<UnsignedWide>(value) & ((UnsignedWide{1} << type.bits) - 1);
  const Limits limits = LimitsOf(type);
  const Wide wrapped = static_cast<Wide>(low);
  return static_cast<int64_t>(wrapped > limits.max ? wrapped - (Wide{1} << type.bits) : wrapped);
}

std::optional<int64_t> Fit(FieldType type, FieldOverflow overflow, Wide value) {
  const Limits limits = LimitsOf(type);
  if (value >= limits.min && value <= limits.max) return static_cast<int64_t>(value);
  switch (overflow) {
    case FieldOverflow::kWrap:
      return Wrapped(type, value);
    case FieldOverflow::kSaturate:
      return static_cast<int64_t>(value > limits.max ? limits.max : limits.min);
    case FieldOverflow::kFail:
      break;
  }
  return std::nullopt;
}

}  // namespace

uint64_t PopCount(std::string_view bytes) {
  constexpr size_t kWordsPerSum = 31;  // 31 * 8 ones still fit a byte
  uint64_t count = 0;
  const char* p = bytes.data();
  size_t words = bytes.size() / sizeof(uint64_t);
  while (words > 0) {
    const size_t n = std::min(words, kWordsPerSum);
    uint64_t sums = 0;
    for (size_t i = 0; i < n; ++i) sums += OnesPerByte(LoadWord(p + i * sizeof(uint64_t)));
    count += SumOfBytes(sums);
    p += n * sizeof(uint64_t);
    words -= n;
  }
  for (const char* end = bytes.data() + bytes.size(); p != end; ++p) {
    count += static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(*p)));
  }
  return count;
}

// A byte that is zero, and each byte equal to the one before it.
bool IsAllZero(std::string_view bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

bool BitFinder::Feed(uint64_t offset, std::string_view piece) {
  const char dull = bit_ ? '\x00' : '\xff';  // no bit of interest in such a byte
  const uint64_t dull_word = bit_ ? 0 : ~uint64_t{0};
  size_t i = 0;
  while (i < piece.size()) {
    while (i + sizeof(uint64_t) <= piece.size() && LoadWord(piece.data() + i) == dull_word) i += sizeof(uint64_t);
    while (i < piece.size() && piece[i] == dull) ++i;
    if (i == piece.size()) return false;
    uint8_t candidates = static_cast<uint8_t>(bit_ ? piece[i] : ~piece[i]);
    const uint64_t byte = offset + i;
    if (byte == first_bit_ / 8) candidates &= static_cast<uint8_t>(0xff >> (first_bit_ % 8));
    if (byte == last_bit_ / 8) candidates &= static_cast<uint8_t>(0xff << (7 - last_bit_ % 8));
    if (candidates != 0) {
      position_ = byte * 8 + static_cast<uint64_t>(std::countl_zero(candidates));
      return true;
    }
    ++i;
  }
  return false;
}

namespace {

template <typename Combine>
void CombineWords(char* target, std::string_view source, Combine combine) {
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= source.size(); i += sizeof(uint64_t)) {
    const uint64_t word = combine(LoadWord(target + i), LoadWord(source.data() + i));
    std::memcpy(target + i, &word, sizeof(word));
  }
  for (; i < source.size(); ++i) {
    target[i] = static_cast<char>(combine(static_cast<uint8_t>(target[i]), static_cast<uint8_t>(source[i])));
  }
}

}  // namespace

void CombineBits(BitOp op, char* target, std::string_view source) {
  switch (op) {
    case BitOp::kAnd:
      return CombineWords(target, source, [](uint64_t a, uint64_t b) { return a & b; });
    case BitOp::kOr:
      return CombineWords(target, source, [](uint64_t a, uint64_t b) { return a | b; });
    case BitOp::kXor:
      return CombineWords(target, source, [](uint64_t a, uint64_t b) { return a ^ b; });
    case BitOp::kNot:
      return CombineWords(target, source, [](uint64_t, uint64_t b) { return ~b; });
  }
}

int64_t GetField(const FieldWindow& window, unsigned shift, FieldType type) {
  UnsignedWide all = 0;
  for (const uint8_t byte : window) all = all << 8 | byte;
  return Wrapped(type, static_cast<Wide>(all >> (kFieldBytesMax * 8 - shift - type.bits)));
}

void SetField(FieldWindow* window, unsigned shift, FieldType type, int64_t value) {
  const unsigned below = static_cast<unsigned>(kFieldBytesMax) * 8 - shift - type.bits;
  const UnsignedWide mask = (UnsignedWide{1} << type.bits) - 1;
  UnsignedWide all = 0;
  for (const uint8_t byte : *window) all = all << 8 | byte;
  all = (all & ~(mask << below)) | ((static_cast<UnsignedWide>(value) & mask) << below);
  for (size_t i = kFieldBytesMax; i-- > 0; all >>= 8) (*window)[i] = static_cast<uint8_t>(all);
}

std::optional<int64_t> AssignField(FieldType type, FieldOverflow overflow, int64_t value) {
  return Fit(type, overflow, type.is_signed ? Wide{value} : static_cast<Wide>(static_cast<uint64_t>(value)));
}

std::optional<int64_t> AddToField(FieldType type, FieldOverflow overflow, int64_t old, int64_t increment) {
  return Fit(type, overflow, Wide{old} + Wide{increment});
}

}  // namespace basalt
