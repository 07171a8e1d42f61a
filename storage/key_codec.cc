#include "storage/key_codec.h"

#include <array>
#include <bit>

namespace basalt::storage {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr char kFieldExpiryTag = 'T';
constexpr uint64_t kSignBit = 1ull << 63;

constexpr std::array<uint16_t, 256> MakeCrc16Table() {
  std::array<uint16_t, 256> table{};
  for (int byte = 0; byte < 256; ++byte) {
    uint16_t crc = static_cast<uint16_t>(byte << 8);
    for (int bit = 0; bit < 8; ++bit) {
      crc = static_cast<uint16_t>((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<uint16_t, 256> kCrc16Table = MakeCrc16Table();

uint16_t Crc16(std::string_view bytes) {
  uint16_t crc = 0;
  for (char c : bytes) crc = static_cast<uint16_t>((crc << 8) ^ kCrc16Table[(crc >> 8) ^ static_cast<uint8_t>(c)]);
  return crc;
}

void PutBig40(char* out, uint64_t value) {
  out[0] = static_cast<char>(value >> 32);
  PutBig32(out + 1, static_cast<uint32_t>(value));
}

uint64_t GetBig40(const char* in) {
  return static_cast<uint64_t>(static_cast<uint8_t>(in[0])) << 32 | GetBig32(in + 1);
}

void EncodeTagged32(SysTag tag, uint32_t number, KeyBuffer* out) {
  char* bytes = out->Resize(5);
  bytes[0] = static_cast<char>(tag);
  PutBig32(bytes + 1, number);
}

void EncodeTagged64(SysTag tag, uint64_t number, KeyBuffer* out) {
  char* bytes = out->Resize(9);
  bytes[0] = static_cast<char>(tag);
  PutBig64(bytes + 1, number);
}

}  // namespace

void PutBig32(char* out, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(out, &value, sizeof(value));
}

void PutBig64(char* out, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(out, &value, sizeof(value));
}

uint32_t GetBig32(const char* in) {
  uint32_t value;
  std::memcpy(&value, in, sizeof(value));
  return __builtin_bswap32(value);
}

uint64_t GetBig64(const char* in) {
  uint64_t value;
  std::memcpy(&value, in, sizeof(value));
  return __builtin_bswap64(value);
}

uint16_t SlotOf(std::string_view user_key) {
  // The hash tag: what stands between the first '{' and the next '}', unless that is nothing.
  if (const size_t open = user_key.find('{'); open != std::string_view::npos) {
    const size_t close = user_key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) user_key = user_key.substr(open + 1, close - open - 1);
  }
  return Crc16(user_key) & ((1u << kSlotBits) - 1);
}

uint64_t BucketOf(const HashedKey& key) {
  return static_cast<uint64_t>(SlotOf(key.key)) << kBucketHashBits | key.hash >> (64 - kBucketHashBits);
}

void EncodeMetaKey(Namespace ns, const HashedKey& key, KeyBuffer* out) {
  char* bytes = out->Resize(kMetaKeyPrefixBytes + key.key.size());
  PutBig32(bytes, ns);
  PutBig40(bytes + 4, BucketOf(key));
  std::memcpy(bytes + kMetaKeyPrefixBytes, key.key.data(), key.key.size());
}

void EncodeMetaBound(Namespace ns, uint64_t bucket, KeyBuffer* out) {
  assert(bucket <= kBuckets);
  if (bucket == kBuckets) {
    PutBig32(out->Resize(4), ns + 1);
    return;
  }
  char* bytes = out->Resize(kMetaKeyPrefixBytes);
  PutBig32(bytes, ns);
  PutBig40(bytes + 4, bucket);
}

std::optional<MetaKey> ParseMetaKey(std::string_view bytes) {
  if (bytes.size() < kMetaKeyPrefixBytes) return std::nullopt;
  return MetaKey{GetBig32(bytes.data()), GetBig40(bytes.data() + 4), bytes.substr(kMetaKeyPrefixBytes)};
}

void EncodeTtlKey(Namespace ns, int64_t expire_ms, std::string_view user_key, KeyBuffer* out) {
  assert(expire_ms > 0);
  char* bytes = out->Resize(kTtlKeyPrefixBytes + user_key.size());
  PutBig32(bytes, ns);
  PutBig64(bytes + 4, static_cast<uint64_t>(expire_ms));
  std::memcpy(bytes + kTtlKeyPrefixBytes, user_key.data(), user_key.size());
}

void EncodeTtlBound(Namespace ns, int64_t expire_ms, KeyBuffer* out) {
  assert(expire_ms >= 0);
  char* bytes = out->Resize(kTtlKeyPrefixBytes);
  PutBig32(bytes, ns);
  PutBig64(bytes + 4, static_cast<uint64_t>(expire_ms));
}

std::optional<TtlKey> ParseTtlKey(std::string_view bytes) {
  if (bytes.size() < kTtlKeyPrefixBytes) return std::nullopt;
  const uint64_t expire_ms = GetBig64(bytes.data() + 4);
  if (expire_ms == 0 || expire_ms > INT64_MAX) return std::nullopt;
  return TtlKey{GetBig32(bytes.data()), static_cast<int64_t>(expire_ms), bytes.substr(kTtlKeyPrefixBytes)};
}

void EncodeObjectBound(uint64_t object_id, KeyBuffer* out) { PutBig64(out->Resize(8), object_id); }

void EncodeChunkKey(uint64_t object_id, uint32_t chunk, KeyBuffer* out) {
  char* bytes = out->Resize(kChunkKeyBytes);
  PutBig64(bytes, object_id);
  PutBig32(bytes + 8, chunk);
}

std::optional<ChunkKey> ParseChunkKey(std::string_view bytes) {
  if (bytes.size() != kChunkKeyBytes) return std::nullopt;
  return ChunkKey{GetBig64(bytes.data()), GetBig32(bytes.data() + 8)};
}

void EncodeMemberKey(uint64_t object_id, uint32_t hash, std::string_view member, KeyBuffer* out) {
  char* bytes = out->Resize(kMemberKeyPrefixBytes + member.size());
  PutBig64(bytes, object_id);
  PutBig32(bytes + 8, hash);
  if (!member.empty()) std::memcpy(bytes + kMemberKeyPrefixBytes, member.data(), member.size());
}

void EncodeMemberBound(uint64_t object_id, uint64_t hash, KeyBuffer* out) {
  if (hash > UINT32_MAX) return EncodeObjectBound(object_id + 1, out);
  EncodeMemberKey(object_id, static_cast<uint32_t>(hash), {}, out);
}

std::optional<MemberKey> ParseMemberKey(std::string_view bytes) {
  if (bytes.size() < kMemberKeyPrefixBytes) return std::nullopt;
  return MemberKey{GetBig64(bytes.data()), GetBig32(bytes.data() + 8), bytes.substr(kMemberKeyPrefixBytes)};
}

void EncodeListKey(uint64_t object_id, uint64_t position, KeyBuffer* out) {
  char* bytes = out->Resize(kListKeyBytes);
  PutBig64(bytes, object_id);
  PutBig64(bytes + 8, position);
}

std::optional<ListKey> ParseListKey(std::string_view bytes) {
  if (bytes.size() != kListKeyBytes) return std::nullopt;
  return ListKey{GetBig64(bytes.data()), GetBig64(bytes.data() + 8)};
}

namespace {

constexpr size_t kTagBytes = 8 + 1;

void PutStreamId(char* out, StreamId id) {
  PutBig64(out, id.ms);
  PutBig64(out + 8, id.seq);
}
StreamId GetStreamId(const char* in) { return {GetBig64(in), GetBig64(in + 8)}; }

// [id:8][tag:1] and room for `rest` bytes, whose place is the result.
char* BeginTagged(uint64_t object_id, StreamTag tag, size_t rest, KeyBuffer* out) {
  char* bytes = out->Resize(kTagBytes + rest);
  PutBig64(bytes, object_id);
  bytes[8] = static_cast<char>(tag);
  return bytes + kTagBytes;
}

bool HasTag(std::string_view bytes, StreamTag tag, size_t rest_min) {
  return bytes.size() >= kTagBytes + rest_min && bytes[8] == static_cast<char>(tag);
}

}  // namespace

void EncodeStreamEntryKey(uint64_t object_id, StreamId id, KeyBuffer* out) {
  char* bytes = out->Resize(8 + kStreamIdBytes);
  PutBig64(bytes, object_id);
  PutStreamId(bytes + 8, id);
}

void EncodeStreamNodeKey(uint64_t object_id, StreamId first, KeyBuffer* out) {
  PutStreamId(BeginTagged(object_id, StreamTag::kNode, kStreamIdBytes, out), first);
}

void EncodeStreamGroupKey(uint64_t object_id, std::string_view name, KeyBuffer* out) {
  char* rest = BeginTagged(object_id, StreamTag::kGroup, name.size(), out);
  if (!name.empty()) std::memcpy(rest, name.data(), name.size());
}

void EncodeConsumerKey(uint64_t object_id, uint64_t group, std::string_view name, KeyBuffer* out) {
  char* rest = BeginTagged(object_id, StreamTag::kConsumer, 8 + name.size(), out);
  PutBig64(rest, group);
  if (!name.empty()) std::memcpy(rest + 8, name.data(), name.size());
}

void EncodeConsumerNameKey(uint64_t object_id, uint64_t group, uint64_t consumer, KeyBuffer* out) {
  char* rest = BeginTagged(object_id, StreamTag::kConsumerName, 16, out);
  PutBig64(rest, group);
  PutBig64(rest + 8, consumer);
}

void EncodePendingKey(uint64_t object_id, uint64_t group, StreamId id, KeyBuffer* out) {
  char* rest = BeginTagged(object_id, StreamTag::kPending, 8 + kStreamIdBytes, out);
  PutBig64(rest, group);
  PutStreamId(rest + 8, id);
}

void EncodeConsumerPendingKey(uint64_t object_id, uint64_t group, uint64_t consumer, StreamId id, KeyBuffer* out) {
  char* rest = BeginTagged(object_id, StreamTag::kConsumerPending, 16 + kStreamIdBytes, out);
  PutBig64(rest, group);
  PutBig64(rest + 8, consumer);
  PutStreamId(rest + 16, id);
}

void EncodeBoundBehind(KeyBuffer* out) {
  const std::string key(out->view());
  char* bytes = out->Resize(key.size() + 1);
  std::memcpy(bytes, key.data(), key.size());
  bytes[key.size()] = '\0';
}

void EncodeStreamTagBound(uint64_t object_id, StreamTag tag, KeyBuffer* out) { BeginTagged(object_id, tag, 0, out); }

void EncodeStreamTagEnd(uint64_t object_id, StreamTag tag, KeyBuffer* out) {
  BeginTagged(object_id, static_cast<StreamTag>(static_cast<char>(tag) + 1), 0, out);
}

void EncodeStreamGroupBound(uint64_t object_id, StreamTag tag, uint64_t group, KeyBuffer* out) {
  PutBig64(BeginTagged(object_id, tag, 8, out), group);
}

std::optional<StreamId> ParseStreamEntryKey(std::string_view bytes) {
  if (bytes.size() != 8 + kStreamIdBytes) return std::nullopt;
  return GetStreamId(bytes.data() + 8);
}

std::optional<StreamId> ParseStreamNodeKey(std::string_view bytes) {
  if (!HasTag(bytes, StreamTag::kNode, kStreamIdBytes) || bytes.size() != kTagBytes + kStreamIdBytes) {
    return std::nullopt;
  }
  return GetStreamId(bytes.data() + kTagBytes);
}

std::optional<std::string_view> ParseStreamGroupKey(std::string_view bytes) {
  if (!HasTag(bytes, StreamTag::kGroup, 0)) return std::nullopt;
  return bytes.substr(kTagBytes);
}

std::optional<std::string_view> ParseConsumerKey(std::string_view bytes) {
  if (!HasTag(bytes, StreamTag::kConsumer, 8)) return std::nullopt;
  return bytes.substr(kTagBytes + 8);
}

std::optional<StreamId> ParsePendingKey(std::string_view bytes) {
  if (!HasTag(bytes, StreamTag::kPending, 24) || bytes.size() != kTagBytes + 24) return std::nullopt;
  return GetStreamId(bytes.data() + kTagBytes + 8);
}

std::optional<StreamId> ParseConsumerPendingKey(std::string_view bytes) {
  if (!HasTag(bytes, StreamTag::kConsumerPending, 32) || bytes.size() != kTagBytes + 32) return std::nullopt;
  return GetStreamId(bytes.data() + kTagBytes + 16);
}

void EncodeFieldExpiryKey(uint64_t object_id, int64_t expire_ms, std::string_view field, KeyBuffer* out) {
  assert(expire_ms >= 0);
  char* bytes = out->Resize(kFieldExpiryKeyPrefixBytes + field.size());
  PutBig64(bytes, object_id);
  bytes[8] = kFieldExpiryTag;
  PutBig64(bytes + 9, static_cast<uint64_t>(expire_ms));
  if (!field.empty()) std::memcpy(bytes + kFieldExpiryKeyPrefixBytes, field.data(), field.size());
}

void EncodeFieldExpiryBound(uint64_t object_id, int64_t expire_ms, KeyBuffer* out) {
  EncodeFieldExpiryKey(object_id, expire_ms, {}, out);
}

std::optional<FieldExpiryKey> ParseFieldExpiryKey(std::string_view bytes) {
  if (bytes.size() < kFieldExpiryKeyPrefixBytes || bytes[8] != kFieldExpiryTag) return std::nullopt;
  const uint64_t expire_ms = GetBig64(bytes.data() + 9);
  if (expire_ms == 0 || expire_ms > INT64_MAX) return std::nullopt;
  return FieldExpiryKey{GetBig64(bytes.data()), static_cast<int64_t>(expire_ms),
                        bytes.substr(kFieldExpiryKeyPrefixBytes)};
}

uint64_t OrderedScore(double score) {
  const uint64_t bits = std::bit_cast<uint64_t>(score);
  return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}

double ScoreOf(uint64_t ordered) {
  return std::bit_cast<double>((ordered & kSignBit) != 0 ? ordered & ~kSignBit : ~ordered);
}

void EncodePosition(double score, std::string_view member, KeyBuffer* out) {
  char* bytes = out->Resize(kScoreBytes + member.size());
  PutBig64(bytes, OrderedScore(score == 0 ? 0.0 : score));
  if (!member.empty()) std::memcpy(bytes + kScoreBytes, member.data(), member.size());
}

std::optional<Position> ParsePosition(std::string_view bytes) {
  if (bytes.size() < kScoreBytes) return std::nullopt;
  return Position{ScoreOf(GetBig64(bytes.data())), bytes.substr(kScoreBytes)};
}

void EncodeScoreKey(uint64_t object_id, ScoreTag tag, std::string_view position, KeyBuffer* out) {
  char* bytes = out->Resize(kScoreKeyPrefixBytes + position.size());
  PutBig64(bytes, object_id);
  bytes[8] = static_cast<char>(tag);
  if (!position.empty()) std::memcpy(bytes + kScoreKeyPrefixBytes, position.data(), position.size());
}

void EncodeScoreEnd(uint64_t object_id, ScoreTag tag, KeyBuffer* out) {
  char* bytes = out->Resize(kScoreKeyPrefixBytes);
  PutBig64(bytes, object_id);
  bytes[8] = static_cast<char>(static_cast<char>(tag) + 1);
}

void EncodeSysKey(SysTag tag, KeyBuffer* out) { *out->Resize(1) = static_cast<char>(tag); }

void EncodeDatabaseKey(DbIndex db, KeyBuffer* out) {
  char* bytes = out->Resize(3);
  bytes[0] = static_cast<char>(SysTag::kDatabase);
  bytes[1] = static_cast<char>(db >> 8);
  bytes[2] = static_cast<char>(db);
}

void EncodeCountsKey(Namespace ns, KeyBuffer* out) { EncodeTagged32(SysTag::kCounts, ns, out); }
void EncodeGarbageObjectKey(uint64_t id, KeyBuffer* out) { EncodeTagged64(SysTag::kGarbageObject, id, out); }
void EncodeGarbageBelowKey(uint64_t id, KeyBuffer* out) { EncodeTagged64(SysTag::kGarbageBelow, id, out); }
void EncodeDeadNamespaceKey(Namespace ns, KeyBuffer* out) { EncodeTagged32(SysTag::kDeadNamespace, ns, out); }

void EncodeLibraryKey(std::string_view name, KeyBuffer* out) {
  char* bytes = out->Resize(1 + name.size());
  bytes[0] = static_cast<char>(SysTag::kLibrary);
  name.copy(bytes + 1, name.size());
}

std::optional<std::string_view> ParseLibraryKey(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != static_cast<char>(SysTag::kLibrary)) return std::nullopt;
  return bytes.substr(1);
}

std::optional<uint64_t> ParseSysNumber(SysTag tag, std::string_view bytes) {
  if (bytes.empty() || bytes[0] != static_cast<char>(tag)) return std::nullopt;
  bytes.remove_prefix(1);
  switch (bytes.size()) {
    case 2:
      return static_cast<uint64_t>(static_cast<uint8_t>(bytes[0])) << 8 | static_cast<uint8_t>(bytes[1]);
    case 4:
      return GetBig32(bytes.data());
    case 8:
      return GetBig64(bytes.data());
    default:
      return std::nullopt;
  }
}

}  // namespace basalt::storage
