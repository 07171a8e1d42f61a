#pragma once

#include <cassert>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "storage/key.h"
#include "storage/stream_id.h"

namespace basalt::storage {

// The one place where keys on disk are built and taken apart; FORMAT.md draws every byte. Numbers are big-endian, so
// that bytes sort as numbers do. Pure functions; any thread.

inline constexpr int kSlotBits = 14;        // a Redis Cluster slot: hash tags honoured
inline constexpr int kBucketHashBits = 26;  // … then bits of the seeded hash
inline constexpr int kBucketBits = kSlotBits + kBucketHashBits;
inline constexpr uint64_t kBuckets = 1ull << kBucketBits;

inline constexpr size_t kMetaKeyPrefixBytes = 4 + 5;
inline constexpr size_t kTtlKeyPrefixBytes = 4 + 8;
inline constexpr size_t kChunkKeyBytes = 8 + 4;
inline constexpr size_t kMemberKeyPrefixBytes = 8 + 4;
inline constexpr size_t kListKeyBytes = 8 + 8;
inline constexpr size_t kStreamIdBytes = 8 + 8;
inline constexpr size_t kFieldExpiryKeyPrefixBytes = 8 + 1 + 8;
inline constexpr size_t kScoreBytes = 8;
inline constexpr size_t kScoreKeyPrefixBytes = 8 + 1;

// Bytes of one key: on the stack when short, as nearly all are.
class KeyBuffer {
 public:
  KeyBuffer() = default;
  KeyBuffer(const KeyBuffer&) = delete;
  KeyBuffer& operator=(const KeyBuffer&) = delete;

  std::string_view view() const { return {data_, size_}; }
  char* Resize(size_t size) {
    if (size > sizeof(inline_)) {
      heap_.resize(size);
      data_ = heap_.data();
    } else {
      data_ = inline_;
    }
    size_ = size;
    return data_;
  }

 private:
  char inline_[136];
  char* data_ = inline_;
  size_t size_ = 0;
  std::string heap_;
};

// Fixed-width integers of keys.
void PutBig32(char* out, uint32_t value);
void PutBig64(char* out, uint64_t value);
uint32_t GetBig32(const char* in);
uint64_t GetBig64(const char* in);

// CRC16 (XMODEM) of the key's hash tag, or of the whole key, modulo 16384: as Redis Cluster has it.
uint16_t SlotOf(std::string_view user_key);
uint64_t BucketOf(const HashedKey& key);

// `meta`: [ns:4][bucket:5][user key]
struct MetaKey {
  Namespace ns = 0;
  uint64_t bucket = 0;
  std::string_view user_key;  // lives as long as the bytes parsed
};
void EncodeMetaKey(Namespace ns, const HashedKey& key, KeyBuffer* out);
// The smallest key of a bucket. `bucket` may be kBuckets: the end of the name space.
void EncodeMetaBound(Namespace ns, uint64_t bucket, KeyBuffer* out);
std::optional<MetaKey> ParseMetaKey(std::string_view bytes);

// `ttl`: [ns:4][expire ms:8][user key]
struct TtlKey {
  Namespace ns = 0;
  int64_t expire_ms = 0;
  std::string_view user_key;
};
void EncodeTtlKey(Namespace ns, int64_t expire_ms, std::string_view user_key, KeyBuffer* out);
// The smallest key that expires at `expire_ms`.
void EncodeTtlBound(Namespace ns, int64_t expire_ms, KeyBuffer* out);
std::optional<TtlKey> ParseTtlKey(std::string_view bytes);

// `big`, `data`, `score`: everything of an object begins with its id.
void EncodeObjectBound(uint64_t object_id, KeyBuffer* out);
// Chunks of strings: [id:8][chunk:4]
void EncodeChunkKey(uint64_t object_id, uint32_t chunk, KeyBuffer* out);
struct ChunkKey {
  uint64_t object_id = 0;
  uint32_t chunk = 0;
};
std::optional<ChunkKey> ParseChunkKey(std::string_view bytes);

// Members of hashes, sets and sorted sets: [id:8][hash:4][member]
struct MemberKey {
  uint64_t object_id = 0;
  uint32_t hash = 0;
  std::string_view member;  // lives as long as the bytes parsed
};
void EncodeMemberKey(uint64_t object_id, uint32_t hash, std::string_view member, KeyBuffer* out);
// The smallest key of a hash. `hash` may be 2^32: the end of the object's rows.
void EncodeMemberBound(uint64_t object_id, uint64_t hash, KeyBuffer* out);
std::optional<MemberKey> ParseMemberKey(std::string_view bytes);

// Elements of lists: [id:8][position:8]
void EncodeListKey(uint64_t object_id, uint64_t position, KeyBuffer* out);
struct ListKey {
  uint64_t object_id = 0;
  uint64_t position = 0;
};
std::optional<ListKey> ParseListKey(std::string_view bytes);
// Streams. `data`: the entries, [id:8][ms:8][seq:8]. `score`: by tag, [id:8][tag:1]…
enum class StreamTag : char {
  kConsumer = 'C',         // [group:8][name] -> its number, times, entries pending
  kGroup = 'G',            // [name] -> its number, how far it has read
  kConsumerName = 'M',     // [group:8][consumer:8] -> the name
  kNode = 'N',             // [ms:8][seq:8] -> what Redis' node of so many entries holds
  kPending = 'P',          // [group:8][ms:8][seq:8] -> consumer, delivery time, deliveries
  kConsumerPending = 'Q',  // [group:8][consumer:8][ms:8][seq:8] -> nothing
};
void EncodeStreamEntryKey(uint64_t object_id, StreamId id, KeyBuffer* out);
void EncodeStreamNodeKey(uint64_t object_id, StreamId first, KeyBuffer* out);
void EncodeStreamGroupKey(uint64_t object_id, std::string_view name, KeyBuffer* out);
void EncodeConsumerKey(uint64_t object_id, uint64_t group, std::string_view name, KeyBuffer* out);
void EncodeConsumerNameKey(uint64_t object_id, uint64_t group, uint64_t consumer, KeyBuffer* out);
void EncodePendingKey(uint64_t object_id, uint64_t group, StreamId id, KeyBuffer* out);
void EncodeConsumerPendingKey(uint64_t object_id, uint64_t group, uint64_t consumer, StreamId id, KeyBuffer* out);
// The smallest key that is greater than the one in *out.
void EncodeBoundBehind(KeyBuffer* out);
// The smallest key of a tag, or of a group's part of one. `group` may be the last and one more.
void EncodeStreamTagBound(uint64_t object_id, StreamTag tag, KeyBuffer* out);
void EncodeStreamTagEnd(uint64_t object_id, StreamTag tag, KeyBuffer* out);
void EncodeStreamGroupBound(uint64_t object_id, StreamTag tag, uint64_t group, KeyBuffer* out);
// What is in the keys above. Of the pending rows: the id of the entry.
std::optional<StreamId> ParseStreamEntryKey(std::string_view bytes);
std::optional<StreamId> ParseStreamNodeKey(std::string_view bytes);
std::optional<std::string_view> ParseStreamGroupKey(std::string_view bytes);
std::optional<std::string_view> ParseConsumerKey(std::string_view bytes);
std::optional<StreamId> ParsePendingKey(std::string_view bytes);
std::optional<StreamId> ParseConsumerPendingKey(std::string_view bytes);

// Fields of a hash that expire, in the order of their times: [id:8]['T'][expire ms:8][field]
struct FieldExpiryKey {
  uint64_t object_id = 0;
  int64_t expire_ms = 0;
  std::string_view field;  // lives as long as the bytes parsed
};
void EncodeFieldExpiryKey(uint64_t object_id, int64_t expire_ms, std::string_view field, KeyBuffer* out);
// The smallest key of a field that expires at `expire_ms`; INT64_MAX: behind all of them.
void EncodeFieldExpiryBound(uint64_t object_id, int64_t expire_ms, KeyBuffer* out);
std::optional<FieldExpiryKey> ParseFieldExpiryKey(std::string_view bytes);

// Scores of sorted sets, as eight bytes that sort as the numbers do. -0 is its own number here (just below 0), so that
// it comes back as it went in. REQUIRES: not NaN.
uint64_t OrderedScore(double score);
double ScoreOf(uint64_t ordered);
// Where a member stands in its sorted set: [score:8][member], with -0 as 0: the two are equal there.
void EncodePosition(double score, std::string_view member, KeyBuffer* out);
// … from its bytes, nullopt when they are no position.
struct Position {
  double score = 0;
  std::string_view member;  // lives as long as the bytes parsed
};
std::optional<Position> ParsePosition(std::string_view bytes);

// Rows of sorted sets in `score`: [id:8][tag:1][position]. A bucket's position may be the beginning of one.
enum class ScoreTag : char {
  kBucket = 'R',  // -> members from here to the next bucket
  kMember = 'S',  // -> nothing, or the sign of a score that is -0
};
void EncodeScoreKey(uint64_t object_id, ScoreTag tag, std::string_view position, KeyBuffer* out);
// The end of the rows with a tag.
void EncodeScoreEnd(uint64_t object_id, ScoreTag tag, KeyBuffer* out);

// `sys`: one tag byte, then what it is about.
enum class SysTag : char {
  kIdentity = 'I',       // -> format, identity, hash seed
  kNextObjectId = 'O',   // -> ids below are handed out, or may be
  kNextNamespace = 'N',  // -> likewise
  kDatabase = 'D',       // [db:2] -> its name space
  kCounts = 'C',         // [ns:4] -> keys, expires (merged)
  kGarbageObject = 'G',  // [id:8] -> families, rows
  kGarbageBelow = 'B',   // [id:8] -> nothing: every id below is garbage
  kDeadNamespace = 'X',  // [ns:4] -> where the collector got to
  kLibrary = 'F',        // [name] -> the code of a library of functions
};
void EncodeSysKey(SysTag tag, KeyBuffer* out);
void EncodeDatabaseKey(DbIndex db, KeyBuffer* out);
void EncodeCountsKey(Namespace ns, KeyBuffer* out);
void EncodeGarbageObjectKey(uint64_t object_id, KeyBuffer* out);
void EncodeGarbageBelowKey(uint64_t object_id, KeyBuffer* out);
void EncodeDeadNamespaceKey(Namespace ns, KeyBuffer* out);
void EncodeLibraryKey(std::string_view name, KeyBuffer* out);
std::optional<std::string_view> ParseLibraryKey(std::string_view bytes);  // the name
// The number after the tag; nullopt when the key is of another tag or length.
std::optional<uint64_t> ParseSysNumber(SysTag tag, std::string_view bytes);

}  // namespace basalt::storage
