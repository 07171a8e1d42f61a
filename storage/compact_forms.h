#pragma once

#include <cstdint>
#include <string_view>

#include "storage/listpack.h"

namespace basalt::storage {

// Compact forms other than the listpack that RDB payloads may hold: the ziplist and the zipmap of older Redis versions,
// and the intset. Read only (the intset is written by RdbWriter). Bytes that anyone may have made up: nothing outside
// of them is touched, whatever they say. Pure; any thread.
//
// Each reader: Open, then Next until it says false, then ok() tells the end from damage.

// [bytes in all:4 LE][offset of the last element:4 LE][elements:2 LE, 65535: not known]
//   { [length of the element before:1 or fe + 4 LE][encoding, data] }… [ff]
class ZiplistReader {
 public:
  bool Open(std::string_view bytes);
  bool Next(ListpackElement* element);
  bool ok() const;
  uint16_t stated_count() const { return stated_count_; }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
  size_t before_ = 0;  // bytes of the element before
  size_t last_ = 0;    // where it began
  uint32_t tail_ = 0;
  uint16_t stated_count_ = 0;
  uint64_t read_ = 0;
  bool damaged_ = false;
};

// [pairs:1, 254 or more: not known] { [length][field][length][unused:1][value][that many unused bytes] }… [ff]
// A length is one byte, or fe and 4 LE.
class ZipmapReader {
 public:
  bool Open(std::string_view bytes);
  bool Next(std::string_view* field, std::string_view* value);
  bool ok() const;

 private:
  bool ReadLength(uint64_t* length);

  std::string_view bytes_;
  size_t at_ = 0;
  uint64_t read_ = 0;
  bool damaged_ = false;
};

// [bytes of an integer: 4 LE, 2, 4 or 8][count:4 LE] { integer, LE }… in ascending order.
class IntsetReader {
 public:
  bool Open(std::string_view bytes);
  bool Next(int64_t* number);
  bool ok() const { return !damaged_ && read_ == count_; }
  uint32_t count() const { return count_; }

 private:
  std::string_view bytes_;
  uint32_t width_ = 0;
  uint32_t count_ = 0;
  uint32_t read_ = 0;
  int64_t before_ = 0;
  bool damaged_ = false;
};

}  // namespace basalt::storage
