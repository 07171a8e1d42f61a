#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace basalt {

// Arithmetic on strings of bits as Redis counts them: bit 0 is the most significant bit of byte 0. Pure functions,
// without storage.

uint64_t PopCount(std::string_view bytes);
bool IsAllZero(std::string_view bytes);

// Finds the first bit of value `bit` in the bits [first_bit, last_bit] of a string that arrives in pieces, in order.
class BitFinder {
 public:
  BitFinder(bool bit, uint64_t first_bit, uint64_t last_bit) : bit_(bit), first_bit_(first_bit), last_bit_(last_bit) {}

  // `piece` starts at byte `offset` of the string. True once found: position() tells where.
  bool Feed(uint64_t offset, std::string_view piece);
  uint64_t position() const { return position_; }

 private:
  bool bit_;
  uint64_t first_bit_, last_bit_;
  uint64_t position_ = 0;
};

enum class BitOp : uint8_t { kAnd, kOr, kXor, kNot };

// target[i] = target[i] op source[i]; kNot ignores the target. REQUIRES: both of the same size.
void CombineBits(BitOp op, char* target, std::string_view source);

// The integer types of BITFIELD.
struct FieldType {
  bool is_signed = false;
  uint8_t bits = 0;  // 1..64, unsigned up to 63
};

enum class FieldOverflow : uint8_t { kWrap, kSaturate, kFail };

// A field of up to 64 bits at any bit offset lies in 9 bytes.
inline constexpr size_t kFieldBytesMax = 9;
using FieldWindow = std::array<uint8_t, kFieldBytesMax>;

// `shift`: the field's first bit within the window, 0..7. Signed fields are extended; unsigned ones fit an int64_t.
int64_t GetField(const FieldWindow& window, unsigned shift, FieldType type);
void SetField(FieldWindow* window, unsigned shift, FieldType type, int64_t value);
// Bytes of the window that the field touches.
constexpr size_t FieldBytes(unsigned shift, FieldType type) { return (shift + type.bits + 7) / 8; }

// What is stored when `value` is assigned to, or `increment` added to a field; nothing when it does not fit and
// `overflow` is kFail. A negative value assigned to an unsigned field counts as the large number with the same bits.
std::optional<int64_t> AssignField(FieldType type, FieldOverflow overflow, int64_t value);
std::optional<int64_t> AddToField(FieldType type, FieldOverflow overflow, int64_t old, int64_t increment);

}  // namespace basalt
