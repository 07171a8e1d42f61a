#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/status.h"

namespace basalt::storage {

// The primitives of RDB payloads, read from bytes that anyone may have made up. Every read says false, and reads
// nothing, where there is no such thing. On the caller's stack.
class RdbInput {
 public:
  explicit RdbInput(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  uint64_t left() const { return static_cast<uint64_t>(end_ - at_); }
  bool ReadByte(uint8_t* byte);
  bool ReadBytes(uint64_t count, std::string_view* bytes);
  bool ReadLength(uint64_t* length);
  bool ReadLittleEndian64(uint64_t* value);
  bool ReadBigEndian64(uint64_t* value);
  bool ReadDouble(double* value);      // 8 bytes, LE
  bool ReadTextDouble(double* value);  // as text, up to Redis 3.2
  // A string, whatever it is kept as. A view of the payload, or of *buffer, which it then overwrites.
  bool ReadString(std::string* buffer, std::string_view* string);

 private:
  bool ReadLengthOrEncoding(uint64_t* length, bool* is_encoding);
  bool ReadCompressed(std::string* buffer, std::string_view* string);

  const char* at_;
  const char* end_;
};

// Whether any of many strings comes twice. kBytes each: a 128-bit hash that nobody outside can steer.
class DuplicateFinder {
 public:
  static constexpr size_t kBytes = 16;

  DuplicateFinder();
  void Clear();
  // False: one has come twice, which shows before there are twice as many strings. (Millions of equal ones take few
  // bytes of a payload, and are not to be gathered.)
  bool Add(std::string_view string);
  bool HasDuplicates();  // of all that were added; n log n

 private:
  static constexpr size_t kFirstLook = 4096;

  uint64_t seed_;
  std::vector<std::array<uint64_t, 2>> hashes_;
  size_t next_look_ = kFirstLook;
};

}  // namespace basalt::storage
