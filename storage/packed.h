#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace basalt::storage {

// Small collections are one value: a sequence of numbers and byte strings, each string with its length before it
// (FORMAT.md, packed collections). What they mean is the store's business. Pure functions; any thread.

// A collection whose payload would be larger than this gets rows of its own. (At 4 KiB a rewrite costs more than header
// and row; DESIGN §4.)
inline constexpr size_t kPackedBytesMax = 1024;

// Seven bits a byte, the lowest first; the top bit says that more follow.
inline void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}
inline size_t VarintBytes(uint64_t value) {
  size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}
inline void AppendPacked(std::string_view bytes, std::string* out) {
  AppendVarint(bytes.size(), out);
  out->append(bytes);
}
inline size_t PackedBytes(std::string_view bytes) { return VarintBytes(bytes.size()) + bytes.size(); }

// Reads them back. A view: the bytes belong to the record. Every read answers false at the end and on damaged bytes;
// `done()` tells the two apart.
class PackedReader {
 public:
  explicit PackedReader(std::string_view bytes) : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  bool done() const { return at_ == end_; }
  // How many bytes have been read.
  size_t offset() const { return static_cast<size_t>(at_ - begin_); }

  bool ReadVarint(uint64_t* value) {
    *value = 0;
    const char* at = at_;
    for (int shift = 0; at != end_ && shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(*at++);
      *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        at_ = at;
        return true;
      }
    }
    return false;
  }
  // A string with its length before it.
  bool Read(std::string_view* bytes) {
    const char* const start = at_;
    uint64_t size;
    if (ReadVarint(&size) && ReadBytes(size, bytes)) return true;
    at_ = start;
    return false;
  }
  // `size` bytes as they are.
  bool ReadBytes(uint64_t size, std::string_view* bytes) {
    if (size > static_cast<uint64_t>(end_ - at_)) return false;
    *bytes = {at_, static_cast<size_t>(size)};
    at_ += size;
    return true;
  }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
};

}  // namespace basalt::storage
