#include "storage/metadata.h"

#include <cassert>
#include <cstring>
#include <new>

#include "storage/key_codec.h"

namespace basalt::storage {
namespace {

// [format:1][flags:4 | type:4][encoding:1] then, by flag, [expire ms:8][object id:8][earliest field expiry:8], then the
// payload.
constexpr uint8_t kRecordFormat = 1;
constexpr uint8_t kTypeMask = 0x0f;
constexpr uint8_t kHasExpire = 0x10;
constexpr uint8_t kHasObjectId = 0x20;
constexpr uint8_t kHasFieldExpire = 0x40;
constexpr uint8_t kKnownBits = kTypeMask | kHasExpire | kHasObjectId | kHasFieldExpire;
constexpr size_t kFixedBytes = 3;

size_t HeaderBytes(const RecordHeader& header) {
  return kFixedBytes + (header.expire_ms != kNoExpire ? 8 : 0) + (header.object_id != 0 ? 8 : 0) +
         (header.field_expire_ms != kNoExpire ? 8 : 0);
}

char* EncodeHeader(const RecordHeader& header, char* out) {
  assert(header.expire_ms >= 0 && header.field_expire_ms >= 0);
  assert(header.field_expire_ms == kNoExpire || header.type == ValueType::kHash);
  out[0] = static_cast<char>(kRecordFormat);
  uint8_t bits = static_cast<uint8_t>(header.type);
  if (header.expire_ms != kNoExpire) bits |= kHasExpire;
  if (header.object_id != 0) bits |= kHasObjectId;
  if (header.field_expire_ms != kNoExpire) bits |= kHasFieldExpire;
  out[1] = static_cast<char>(bits);
  out[2] = static_cast<char>(header.encoding);
  out += kFixedBytes;
  if (header.expire_ms != kNoExpire) {
    PutBig64(out, static_cast<uint64_t>(header.expire_ms));
    out += 8;
  }
  if (header.object_id != 0) {
    PutBig64(out, header.object_id);
    out += 8;
  }
  if (header.field_expire_ms != kNoExpire) {
    PutBig64(out, static_cast<uint64_t>(header.field_expire_ms));
    out += 8;
  }
  return out;
}

bool DecodeTime(std::string_view stored, size_t offset, int64_t* time_ms) {
  if (stored.size() < offset + 8) return false;
  const uint64_t time = GetBig64(stored.data() + offset);
  *time_ms = static_cast<int64_t>(time);
  return time != 0 && time <= INT64_MAX;
}

// Bytes the header takes; 0 when they are not a header.
size_t DecodeHeader(std::string_view stored, RecordHeader* header) {
  if (stored.size() < kFixedBytes || static_cast<uint8_t>(stored[0]) != kRecordFormat) return 0;
  const uint8_t bits = static_cast<uint8_t>(stored[1]);
  const uint8_t type = bits & kTypeMask;
  const uint8_t encoding = static_cast<uint8_t>(stored[2]);
  if ((bits & ~kKnownBits) != 0 || type < static_cast<uint8_t>(ValueType::kString) ||
      type > static_cast<uint8_t>(ValueType::kStream) || encoding > static_cast<uint8_t>(Encoding::kStream)) {
    return 0;
  }
  header->type = static_cast<ValueType>(type);
  header->encoding = static_cast<Encoding>(encoding);
  size_t offset = kFixedBytes;
  if ((bits & kHasExpire) != 0) {
    if (!DecodeTime(stored, offset, &header->expire_ms)) return 0;
    offset += 8;
  }
  if ((bits & kHasObjectId) != 0) {
    if (stored.size() < offset + 8) return 0;
    header->object_id = GetBig64(stored.data() + offset);
    if (header->object_id == 0) return 0;
    offset += 8;
  }
  if ((bits & kHasFieldExpire) != 0) {
    if (header->type != ValueType::kHash || !DecodeTime(stored, offset, &header->field_expire_ms)) return 0;
    offset += 8;
  }
  return offset;
}

}  // namespace

std::string_view TypeName(ValueType type) {
  switch (type) {
    case ValueType::kString:
      return "string";
    case ValueType::kHash:
      return "hash";
    case ValueType::kList:
      return "list";
    case ValueType::kSet:
      return "set";
    case ValueType::kZset:
      return "zset";
    case ValueType::kStream:
      return "stream";
  }
  return "unknown";
}

std::string_view EncodingName(Encoding encoding) {
  switch (encoding) {
    case Encoding::kRaw:
      return "raw";
    case Encoding::kInt:
      return "int";
    case Encoding::kEmbstr:
      return "embstr";
    case Encoding::kListpack:
      return "listpack";
    case Encoding::kHashtable:
      return "hashtable";
    case Encoding::kQuicklist:
      return "quicklist";
    case Encoding::kIntset:
      return "intset";
    case Encoding::kSkiplist:
      return "skiplist";
    case Encoding::kStream:
      return "stream";
  }
  return "unknown";
}

Record* Record::Allocate(size_t stored_bytes) {
  Record* record = new (::operator new(sizeof(Record) + stored_bytes)) Record();
  record->size_ = static_cast<uint32_t>(stored_bytes);
  return record;
}

RecordPtr Record::Make(const RecordHeader& header, std::string_view payload) {
  const size_t header_bytes = HeaderBytes(header);
  Record* record = Allocate(header_bytes + payload.size());
  record->header_ = header;
  record->payload_offset_ = static_cast<uint32_t>(header_bytes);
  char* out = EncodeHeader(header, record->mutable_bytes());
  if (!payload.empty()) std::memcpy(out, payload.data(), payload.size());
  return RecordPtr(record);
}

RecordPtr Record::FromStored(std::string_view stored) {
  RecordHeader header;
  const size_t header_bytes = DecodeHeader(stored, &header);
  if (header_bytes == 0) return nullptr;
  Record* record = Allocate(stored.size());
  record->header_ = header;
  record->payload_offset_ = static_cast<uint32_t>(header_bytes);
  std::memcpy(record->mutable_bytes(), stored.data(), stored.size());
  return RecordPtr(record);
}

RecordPtr Record::WithHeader(const Record& record, const RecordHeader& header) {
  return Make(header, record.payload());
}

}  // namespace basalt::storage
