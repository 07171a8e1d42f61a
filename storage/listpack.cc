#include "storage/listpack.h"

#include <charconv>

#include "storage/integer_text.h"

namespace basalt::storage {
namespace {

constexpr size_t kHeaderBytes = 6;
constexpr uint8_t kEnd = 0xff;

// First byte of an element.
//   0xxxxxxx                 0 … 127
//   10xxxxxx                 string of up to 63 bytes
//   110xxxxx x               integer of 13 bits
//   1110xxxx x               string of up to 4,095 bytes
//   f0 [length:4 LE]         string
//   f1, f2, f3, f4           integer of 16, 24, 32, 64 bits, LE
constexpr uint8_t kString32 = 0xf0, kInteger16 = 0xf1, kInteger24 = 0xf2, kInteger32 = 0xf3, kInteger64 = 0xf4;

uint8_t Byte(const char* at) { return static_cast<uint8_t>(*at); }

uint64_t LittleEndian(const char* at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | Byte(at + i);
  return value;
}

int64_t SignExtend(uint64_t value, int bits) { return static_cast<int64_t>(value << (64 - bits)) >> (64 - bits); }

void AppendLittleEndian(uint64_t value, size_t bytes, std::string* out) {
  for (size_t i = 0; i < bytes; ++i, value >>= 8) out->push_back(static_cast<char>(value));
}

size_t BacklenBytes(uint64_t length) {
  if (length <= 127) return 1;
  if (length < 16383) return 2;
  if (length < 2097151) return 3;
  if (length < 268435455) return 4;
  return 5;
}

size_t IntegerBytes(int64_t number) {
  if (number >= 0 && number <= 127) return 1;
  if (number >= -4096 && number <= 4095) return 2;
  if (number >= INT16_MIN && number <= INT16_MAX) return 3;
  if (number >= -8388608 && number <= 8388607) return 4;
  if (number >= INT32_MIN && number <= INT32_MAX) return 5;
  return 9;
}

size_t StringHeaderBytes(size_t size) { return size < 64 ? 1 : size < 4096 ? 2 : 5; }

// The length before an element, seven bits a byte, read towards the front.
uint64_t ReadBacklen(const char* last, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) {
    const uint8_t byte = Byte(last - i);
    value |= static_cast<uint64_t>(byte & 127) << (7 * i);
    if ((byte & 128) == 0) return i + 1 == bytes ? value : UINT64_MAX;
  }
  return UINT64_MAX;
}

}  // namespace

std::string_view ListpackElement::Text(char* buffer) const {
  if (!is_number) return bytes;
  return {buffer, static_cast<size_t>(std::to_chars(buffer, buffer + kIntegerTextMax, number).ptr - buffer)};
}

bool ListpackReader::Open(std::string_view bytes) {
  read_ = 0;
  damaged_ = false;
  at_ = end_ = nullptr;
  if (bytes.size() < kHeaderBytes + 1 || LittleEndian(bytes.data(), 4) != bytes.size() ||
      Byte(bytes.data() + bytes.size() - 1) != kEnd) {
    return Damaged();
  }
  stated_count_ = static_cast<uint16_t>(LittleEndian(bytes.data() + 4, 2));
  at_ = bytes.data() + kHeaderBytes;
  end_ = bytes.data() + bytes.size() - 1;
  return true;
}

bool ListpackReader::Next(ListpackElement* element) {
  if (damaged_ || at_ == end_) return false;
  const auto left = static_cast<uint64_t>(end_ - at_);
  const uint8_t first = Byte(at_);
  size_t header = 1;
  uint64_t size = 0;  // of a string
  int bits = 0;       // of an integer
  if (first < 0x80) {
    element->number = first;
  } else if (first < 0xc0) {
    size = first & 0x3f;
  } else if (first < 0xe0) {
    header = 2;
    bits = 13;
  } else if (first < 0xf0) {
    header = 2;
  } else if (first == kString32) {
    header = 5;
  } else if (first == kInteger16) {
    header = 3;
    bits = 16;
  } else if (first == kInteger24) {
    header = 4;
    bits = 24;
  } else if (first == kInteger32) {
    header = 5;
    bits = 32;
  } else if (first == kInteger64) {
    header = 9;
    bits = 64;
  } else {
    return Damaged();
  }
  if (header > left) return Damaged();
  if (bits == 13) {
    element->number = SignExtend(static_cast<uint64_t>(first & 0x1f) << 8 | Byte(at_ + 1), 13);
  } else if (bits != 0) {
    element->number = SignExtend(LittleEndian(at_ + 1, static_cast<size_t>(bits) / 8), bits);
  } else if (first >= 0xe0 && first < 0xf0) {
    size = static_cast<uint64_t>(first & 0x0f) << 8 | Byte(at_ + 1);
  } else if (first == kString32) {
    size = LittleEndian(at_ + 1, 4);
  }
  element->is_number = first < 0x80 || bits != 0;
  const uint64_t length = header + size;
  const size_t backlen = BacklenBytes(length);
  if (length > left || backlen > left - length) return Damaged();
  element->bytes = {at_ + header, static_cast<size_t>(size)};
  if (ReadBacklen(at_ + length + backlen - 1, backlen) != length) return Damaged();
  at_ += length + backlen;
  ++read_;
  return true;
}

bool ListpackReader::NextInteger(int64_t* number) {
  ListpackElement element;
  if (!Next(&element)) return false;
  *number = element.number;
  if (element.is_number) return true;
  // Redis takes digits kept as a string for a number too.
  return ParseCanonicalInteger(element.bytes, number) || Damaged();
}

void ListpackBuilder::Clear() {
  out_.assign(kHeaderBytes, '\0');
  count_ = 0;
  finished_ = false;
}

size_t ListpackBuilder::ElementBytes(std::string_view element) {
  int64_t number;
  const size_t length = ParseCanonicalInteger(element, &number) ? IntegerBytes(number)
                                                                : StringHeaderBytes(element.size()) + element.size();
  return length + BacklenBytes(length);
}

void ListpackBuilder::AppendBacklen(size_t length) {
  const size_t bytes = BacklenBytes(length);
  for (size_t i = bytes; i-- > 0;) {
    out_.push_back(static_cast<char>(((length >> (7 * i)) & 127) | (i + 1 == bytes ? 0 : 128)));
  }
}

void ListpackBuilder::Append(std::string_view element) {
  int64_t number;
  if (ParseCanonicalInteger(element, &number)) return AppendInteger(number);
  Reopen();
  const size_t size = element.size();
  if (size < 64) {
    out_.push_back(static_cast<char>(0x80 | size));
  } else if (size < 4096) {
    out_.push_back(static_cast<char>(0xe0 | size >> 8));
    out_.push_back(static_cast<char>(size));
  } else {
    out_.push_back(static_cast<char>(kString32));
    AppendLittleEndian(size, 4, &out_);
  }
  out_.append(element);
  AppendBacklen(StringHeaderBytes(size) + size);
  ++count_;
}

void ListpackBuilder::AppendInteger(int64_t number) {
  Reopen();
  const size_t bytes = IntegerBytes(number);
  const auto value = static_cast<uint64_t>(number);
  switch (bytes) {
    case 1:
      out_.push_back(static_cast<char>(number));
      break;
    case 2:
      out_.push_back(static_cast<char>(0xc0 | ((value >> 8) & 0x1f)));
      out_.push_back(static_cast<char>(value));
      break;
    default: {
      const uint8_t kinds[] = {kInteger16, kInteger24, kInteger32};
      out_.push_back(static_cast<char>(bytes == 9 ? kInteger64 : kinds[bytes - 3]));
      AppendLittleEndian(value, bytes - 1, &out_);
    }
  }
  AppendBacklen(bytes);
  ++count_;
}

void ListpackBuilder::AppendAll(const ListpackBuilder& other) {
  Reopen();
  out_.append(other.out_, kHeaderBytes, other.bytes() - 1 - kHeaderBytes);
  count_ += other.count_;
}

std::string_view ListpackBuilder::Finish() {
  if (!finished_) out_.push_back(static_cast<char>(kEnd));
  finished_ = true;
  const uint64_t size = out_.size();
  for (size_t i = 0; i < 4; ++i) out_[i] = static_cast<char>(size >> (8 * i));
  const uint64_t count = count_ < ListpackReader::kUnknown ? count_ : ListpackReader::kUnknown;
  for (size_t i = 0; i < 2; ++i) out_[4 + i] = static_cast<char>(count >> (8 * i));
  return out_;
}

}  // namespace basalt::storage
