#include "storage/rdb_input.h"

#include <lzf.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include "storage/rdb_format.h"
#include "storage/rdb_reader.h"

namespace basalt::storage {
namespace {

// LZF repeats at most 264 bytes with 3.
constexpr uint64_t kLzfExpansionMax = 88;

uint64_t BigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

uint64_t LittleEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

bool RdbInput::ReadByte(uint8_t* byte) {
  if (at_ == end_) return false;
  *byte = static_cast<uint8_t>(*at_++);
  return true;
}

bool RdbInput::ReadBytes(uint64_t count, std::string_view* bytes) {
  if (count > left()) return false;
  *bytes = {at_, static_cast<size_t>(count)};
  at_ += count;
  return true;
}

bool RdbInput::ReadLittleEndian64(uint64_t* value) {
  std::string_view bytes;
  if (!ReadBytes(8, &bytes)) return false;
  *value = LittleEndian(bytes);
  return true;
}

bool RdbInput::ReadBigEndian64(uint64_t* value) {
  std::string_view bytes;
  if (!ReadBytes(8, &bytes)) return false;
  *value = BigEndian(bytes);
  return true;
}

bool RdbInput::ReadDouble(double* value) {
  uint64_t bits;
  if (!ReadLittleEndian64(&bits)) return false;
  *value = std::bit_cast<double>(bits);
  return true;
}

bool RdbInput::ReadTextDouble(double* value) {
  uint8_t size;
  if (!ReadByte(&size)) return false;
  switch (size) {
    case 255:
      *value = -std::numeric_limits<double>::infinity();
      return true;
    case 254:
      *value = std::numeric_limits<double>::infinity();
      return true;
    case 253:
      *value = std::numeric_limits<double>::quiet_NaN();
      return true;
    default: {
      std::string_view text;
      if (!ReadBytes(size, &text)) return false;
      const std::string copy(text);
      char* end;
      *value = std::strtod(copy.c_str(), &end);
      return end != copy.c_str();
    }
  }
}

bool RdbInput::ReadLengthOrEncoding(uint64_t* length, bool* is_encoding) {
  uint8_t first;
  std::string_view bytes;
  if (!ReadByte(&first)) return false;
  *is_encoding = first >> 6 == 3;
  switch (first >> 6) {
    case 0:
    case 3:
      *length = first & 0x3f;
      return true;
    case 1:
      if (!ReadBytes(1, &bytes)) return false;
      *length = static_cast<uint64_t>(first & 0x3f) << 8 | static_cast<uint8_t>(bytes[0]);
      return true;
    default:
      if (first != kRdbLength32 && first != kRdbLength64) return false;
      if (!ReadBytes(first == kRdbLength32 ? 4 : 8, &bytes)) return false;
      *length = BigEndian(bytes);
      return true;
  }
}

bool RdbInput::ReadLength(uint64_t* length) {
  bool is_encoding;
  return ReadLengthOrEncoding(length, &is_encoding) && !is_encoding;
}

bool RdbInput::ReadCompressed(std::string* buffer, std::string_view* string) {
  uint64_t compressed_size, size;
  std::string_view compressed;
  if (!ReadLength(&compressed_size) || !ReadLength(&size) || !ReadBytes(compressed_size, &compressed)) return false;
  if (size == 0 || size > kRdbStringBytesMax || size > compressed_size * kLzfExpansionMax) return false;
  buffer->resize(size);
  if (lzf_decompress(compressed.data(), static_cast<unsigned>(compressed_size), buffer->data(),
                     static_cast<unsigned>(size)) != size) {
    return false;
  }
  *string = *buffer;
  return true;
}

bool RdbInput::ReadString(std::string* buffer, std::string_view* string) {
  uint64_t length;
  bool is_encoding;
  if (!ReadLengthOrEncoding(&length, &is_encoding)) return false;
  if (!is_encoding) return ReadBytes(length, string);
  if (length == kRdbLzf) return ReadCompressed(buffer, string);
  if (length > kRdbInt32) return false;
  std::string_view bytes;
  const size_t width = size_t{1} << length;
  if (!ReadBytes(width, &bytes)) return false;
  const auto shift = static_cast<int>(64 - 8 * width);
  const int64_t number = static_cast<int64_t>(LittleEndian(bytes) << shift) >> shift;
  buffer->resize(24);
  buffer->resize(static_cast<size_t>(std::to_chars(buffer->data(), buffer->data() + 24, number).ptr - buffer->data()));
  *string = *buffer;
  return true;
}

DuplicateFinder::DuplicateFinder() {
  static const uint64_t seed = [] {
    std::random_device random;
    return static_cast<uint64_t>(random()) << 32 | random();
  }();
  seed_ = seed;
}

void DuplicateFinder::Clear() {
  hashes_.clear();
  next_look_ = kFirstLook;
}

bool DuplicateFinder::Add(std::string_view string) {
  static_assert(sizeof(hashes_[0]) == kBytes);
  const XXH128_hash_t hash = XXH3_128bits_withSeed(string.data(), string.size(), seed_);
  hashes_.push_back({hash.high64, hash.low64});
  if (hashes_.size() < next_look_) return true;
  next_look_ *= 2;
  return !HasDuplicates();
}

bool DuplicateFinder::HasDuplicates() {
  std::sort(hashes_.begin(), hashes_.end());
  return std::adjacent_find(hashes_.begin(), hashes_.end()) != hashes_.end();
}

}  // namespace basalt::storage
