#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace basalt {

// HyperLogLog in the bytes of Redis, so that values can be moved between the two servers (DUMP, GET and SET included).
//
//   header, 16 bytes:  "HYLL" | encoding 0 dense, 1 sparse | 3 zero bytes | cardinality: 8 bytes, little endian, bit 63
//   = not known dense:   16384 registers of 6 bits, register n in bits [6n, 6n+6), least significant bits first: 12288
//   bytes sparse:  runs that together cover 16384 registers:
//     00nnnnnn            ZERO    n+1 registers (1..64) are 0
//     01nnnnnn nnnnnnnn   XZERO   n+1 registers (1..16384) are 0
//     1vvvvvnn            VAL     n+1 registers (1..4) are v+1 (1..32)
//
// Estimator: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284.

inline constexpr int kHllBitsOfIndex = 14;
inline constexpr size_t kHllRegisters = size_t{1} << kHllBitsOfIndex;
inline constexpr size_t kHllHeaderBytes = 16;
inline constexpr size_t kHllDenseBytes = kHllHeaderBytes + kHllRegisters * 6 / 8;

// One byte per register, for unions.
using HllRegisters = std::array<uint8_t, kHllRegisters>;

uint64_t MurmurHash64A(std::string_view bytes, uint64_t seed);

// Where an element counts, and how high.
struct HllPoint {
  uint32_t index;
  uint8_t rank;  // 1..51
};
HllPoint HllPointOf(std::string_view element);

uint64_t HllEstimate(const HllRegisters& registers);

enum class HllResult : uint8_t {
  kUnchanged,
  kChanged,
  kCorrupt,  // not a valid sparse representation
};

// A HyperLogLog value being read or changed. Owns its bytes. Not thread-safe.
class HyperLogLog {
 public:
  // An empty one, sparse.
  HyperLogLog();
  // Whether `bytes` have a header, a known encoding and the size that goes with it. The runs are checked only when they
  // are read.
  static bool LooksValid(std::string_view bytes);
  // REQUIRES: LooksValid(bytes).
  explicit HyperLogLog(std::string bytes) : bytes_(std::move(bytes)) {}

  const std::string& bytes() const { return bytes_; }
  bool sparse() const { return bytes_[4] == 1; }

  // Raises a register. Turns dense when the rank or `sparse_bytes_max` asks for it. Forgets the cardinality when
  // something changed.
  HllResult Raise(HllPoint point, size_t sparse_bytes_max);
  HllResult Add(std::string_view element, size_t sparse_bytes_max) {
    return Raise(HllPointOf(element), sparse_bytes_max);
  }
  // kUnchanged when it was dense.
  HllResult ToDense();

  bool cardinality_known() const { return (static_cast<uint8_t>(bytes_[15]) & 0x80) == 0; }
  uint64_t known_cardinality() const;
  void RememberCardinality(uint64_t cardinality);
  void ForgetCardinality() { bytes_[15] = static_cast<char>(static_cast<uint8_t>(bytes_[15]) | 0x80); }

  // The three below: false when the value is corrupt.
  bool Estimate(uint64_t* cardinality) const;
  // registers[i] = max(registers[i], own register i).
  bool MergeInto(HllRegisters* registers) const;
  // "Z:120 v:3,1 z:4 …", as PFDEBUG DECODE answers. REQUIRES: sparse().
  std::string Decode() const;

 private:
  HllResult RaiseSparse(HllPoint point, size_t sparse_bytes_max);
  HllResult RaiseDense(HllPoint point);
  HllResult PromoteAndRaise(HllPoint point);
  std::string_view runs() const { return std::string_view(bytes_).substr(kHllHeaderBytes); }

  std::string bytes_;
};

// Registers of a dense value, packed. `dense` points behind the header.
uint8_t HllDenseRegister(const char* dense, size_t index);
void HllSetDenseRegister(char* dense, size_t index, uint8_t rank);

}  // namespace basalt
