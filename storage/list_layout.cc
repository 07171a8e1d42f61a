#include "storage/list_layout.h"

#include <algorithm>
#include <charconv>

#include "storage/collection.h"
#include "storage/key_codec.h"

namespace basalt::storage {
namespace {

constexpr size_t kRowsPayloadBytes = 8 + 8;  // behind the count: head and listpack size
constexpr uint64_t kExactBit = 1ull << 63;

// Whatever the number of elements allowed, a listpack has no more bytes than that (Redis' SIZE_SAFETY_LIMIT).
constexpr uint64_t kSafeBytesMax = 8192;
constexpr uint64_t kLimitBytes[] = {4096, 8192, 16384, 32768, 65536};  // -1 … -5

// Whether a listpack stores the bytes as a number.
bool IsListpackInteger(std::string_view bytes, int64_t* number) {
  if (bytes.empty() || bytes.size() > 20) return false;
  const bool negative = bytes[0] == '-';
  const char first = bytes.size() > (negative ? 1u : 0u) ? bytes[negative ? 1 : 0] : '\0';
  if (bytes.size() == 1 && first == '0') {
    *number = 0;
    return true;
  }
  if (first < '1' || first > '9') return false;
  const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), *number);
  return error == std::errc() && end == bytes.data() + bytes.size();
}

uint64_t IntegerBytes(int64_t number) {
  if (number >= 0 && number <= 127) return 1;
  if (number >= -4096 && number <= 4095) return 2;
  if (number >= INT16_MIN && number <= INT16_MAX) return 3;
  if (number >= -(1 << 23) && number < 1 << 23) return 4;
  if (number >= INT32_MIN && number <= INT32_MAX) return 5;
  return 9;
}

// Behind an entry its length is written again, to be read backwards.
uint64_t BackLengthBytes(uint64_t entry_bytes) {
  if (entry_bytes <= 127) return 1;
  if (entry_bytes < 16383) return 2;
  if (entry_bytes < 2097151) return 3;
  return entry_bytes < 268435455 ? 4 : 5;
}

}  // namespace

bool ParseList(RecordPtr record, List* list) {
  const RecordHeader& header = record->header();
  list->encoding = header.encoding;
  list->expire_ms = header.expire_ms;
  list->object_id = header.object_id;
  list->count = ElementCount(*record);
  const std::string_view rest = PayloadBehindCount(*record);
  list->record = std::move(record);
  if (list->count == 0) return false;
  if (list->packed()) {
    list->elements = rest;
    return true;
  }
  list->elements = {};
  if (rest.size() != kRowsPayloadBytes) return false;
  list->head = GetBig64(rest.data());
  const uint64_t size = GetBig64(rest.data() + 8);
  list->listpack = {size & ~kExactBit, (size & kExactBit) != 0};
  return true;
}

std::string EncodeListRows(const List& list) {
  std::string payload;
  payload.reserve(8 + kRowsPayloadBytes);
  AppendRowsCount(list.count, &payload);
  char bytes[kRowsPayloadBytes];
  PutBig64(bytes, list.head);
  PutBig64(bytes + 8, list.listpack.bytes | (list.listpack.exact ? kExactBit : 0));
  payload.append(bytes, sizeof(bytes));
  return payload;
}

uint64_t ListpackEntryBytes(std::string_view element) {
  int64_t number = 0;
  uint64_t bytes = element.size();
  if (IsListpackInteger(element, &number)) {
    bytes = IntegerBytes(number);
  } else {
    bytes += bytes < 64 ? 1 : bytes < 4096 ? 2 : 5;
  }
  return bytes + BackLengthBytes(bytes);
}

ListLimits::ListLimits(int64_t option) : by_bytes(option < 0), bytes(kSafeBytesMax), elements(0) {
  if (by_bytes) {
    bytes = kLimitBytes[std::min<int64_t>(-std::max<int64_t>(option, -5), 5) - 1];
  } else {
    elements = static_cast<uint64_t>(std::max<int64_t>(option, 1));
  }
}

}  // namespace basalt::storage
