#include "storage/compact_forms.h"

namespace basalt::storage {
namespace {

constexpr uint8_t kEnd = 0xff;
constexpr uint8_t kLong = 0xfe;
constexpr size_t kZiplistHeaderBytes = 10;
constexpr uint16_t kUnknownCount = 65535;

uint8_t At(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

uint64_t LittleEndian(std::string_view bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = width; i-- > 0;) value = value << 8 | At(bytes, at + i);
  return value;
}

int64_t SignedLittleEndian(std::string_view bytes, size_t at, size_t width) {
  const auto shift = static_cast<int>(64 - 8 * width);
  return static_cast<int64_t>(LittleEndian(bytes, at, width) << shift) >> shift;
}

}  // namespace

// ---- ziplist ----

bool ZiplistReader::Open(std::string_view bytes) {
  *this = ZiplistReader();
  bytes_ = bytes;
  damaged_ = bytes.size() < kZiplistHeaderBytes + 1 || LittleEndian(bytes, 0, 4) != bytes.size() ||
             At(bytes, bytes.size() - 1) != kEnd;
  if (damaged_) return false;
  tail_ = static_cast<uint32_t>(LittleEndian(bytes, 4, 4));
  stated_count_ = static_cast<uint16_t>(LittleEndian(bytes, 8, 2));
  at_ = kZiplistHeaderBytes;
  damaged_ = tail_ > bytes.size() - 1;
  return !damaged_;
}

bool ZiplistReader::Next(ListpackElement* element) {
  const size_t end = bytes_.size() - 1;  // the ff
  if (damaged_ || at_ >= end) return false;
  damaged_ = true;  // until it turns out to be well

  const size_t begin = at_;
  size_t at = at_;
  uint64_t before = At(bytes_, at++);
  if (before == kEnd) return false;
  if (before == kLong) {
    if (end - at < 4) return false;
    before = LittleEndian(bytes_, at, 4);
    at += 4;
  }
  if (before != before_ || at >= end) return false;

  const uint8_t encoding = At(bytes_, at++);
  const size_t left = end - at;
  size_t header = 0;
  uint64_t size = 0;
  size_t width = 0;  // of an integer
  switch (encoding >> 6) {
    case 0:
      size = encoding & 0x3f;
      break;
    case 1:
      header = 1;
      if (left < header) return false;
      size = static_cast<uint64_t>(encoding & 0x3f) << 8 | At(bytes_, at);
      break;
    case 2:
      header = 4;
      if (left < header) return false;
      for (size_t i = 0; i < 4; ++i) size = size << 8 | At(bytes_, at + i);
      break;
    default:
      if (encoding == 0xc0) {
        width = 2;
      } else if (encoding == 0xd0) {
        width = 4;
      } else if (encoding == 0xe0) {
        width = 8;
      } else if (encoding == 0xf0) {
        width = 3;
      } else if (encoding == kLong) {
        width = 1;
      } else if (encoding < 0xf1 || encoding > 0xfd) {
        return false;
      }
  }
  element->is_number = encoding >> 6 == 3;
  if (element->is_number) {
    if (left < width) return false;
    // 0 … 12 are in the encoding itself.
    element->number = width == 0 ? (encoding & 0x0f) - 1 : SignedLittleEndian(bytes_, at, width);
    at += width;
  } else {
    if (size > left - header) return false;
    element->bytes = bytes_.substr(at + header, size);
    at += header + size;
  }
  before_ = at - begin;
  last_ = begin;
  at_ = at;
  ++read_;
  damaged_ = false;
  return true;
}

bool ZiplistReader::ok() const {
  if (damaged_ || at_ != bytes_.size() - 1) return false;
  if (read_ > 0 && last_ != tail_) return false;
  return stated_count_ == kUnknownCount || stated_count_ == read_;
}

// ---- zipmap ----

bool ZipmapReader::Open(std::string_view bytes) {
  *this = ZipmapReader();
  bytes_ = bytes;
  damaged_ = bytes.size() < 2 || At(bytes, bytes.size() - 1) != kEnd;
  at_ = 1;
  return !damaged_;
}

bool ZipmapReader::ReadLength(uint64_t* length) {
  const size_t left = bytes_.size() - 1 - at_;
  if (left < 1) return false;
  *length = At(bytes_, at_++);
  if (*length == kEnd) return false;
  if (*length != kLong) return true;
  if (left < 5) return false;
  *length = LittleEndian(bytes_, at_, 4);
  at_ += 4;
  return true;
}

bool ZipmapReader::Next(std::string_view* field, std::string_view* value) {
  const size_t end = bytes_.size() - 1;
  if (damaged_ || at_ >= end) return false;
  damaged_ = true;  // until it turns out to be well
  uint64_t length;
  if (!ReadLength(&length) || length > end - at_) return false;
  *field = bytes_.substr(at_, length);
  at_ += length;
  if (!ReadLength(&length) || at_ >= end) return false;
  const uint64_t unused = At(bytes_, at_++);
  if (length + unused > end - at_) return false;
  *value = bytes_.substr(at_, length);
  at_ += length + unused;
  ++read_;
  damaged_ = false;
  return true;
}

bool ZipmapReader::ok() const {
  return !damaged_ && at_ == bytes_.size() - 1 && (At(bytes_, 0) >= kLong || At(bytes_, 0) == read_);
}

// ---- intset ----

bool IntsetReader::Open(std::string_view bytes) {
  *this = IntsetReader();
  damaged_ = true;
  if (bytes.size() < 8) return false;
  bytes_ = bytes;
  width_ = static_cast<uint32_t>(LittleEndian(bytes, 0, 4));
  count_ = static_cast<uint32_t>(LittleEndian(bytes, 4, 4));
  if (width_ != 2 && width_ != 4 && width_ != 8) return false;
  damaged_ = 8 + static_cast<uint64_t>(count_) * width_ != bytes.size();
  return !damaged_;
}

bool IntsetReader::Next(int64_t* number) {
  if (damaged_ || read_ == count_) return false;
  *number = SignedLittleEndian(bytes_, 8 + static_cast<size_t>(read_) * width_, width_);
  if (read_ > 0 && *number <= before_) {
    damaged_ = true;
    return false;
  }
  before_ = *number;
  ++read_;
  return true;
}

}  // namespace basalt::storage
