#pragma once

#include <cstddef>
#include <cstdint>

namespace basalt::storage {

// How Redis writes one value into an RDB file, and into the payload of DUMP: [type:1][value], and there a footer
// [RDB version:2 LE][CRC-64 of all before:8 LE] (https://rdb.fnordig.de/file_format.html, and rdb.h of Redis 7.2).
inline constexpr uint16_t kRdbVersion = 11;  // Redis 7.2's
inline constexpr size_t kRdbFooterBytes = 10;

enum class RdbType : uint8_t {
  kString = 0,
  kList = 1,  // up to Redis 3.0, as are the other plain sequences of strings where there is a compact form
  kSet = 2,
  kZset = 3,  // scores as text
  kHash = 4,
  kZset2 = 5,
  kHashZipmap = 9,
  kListZiplist = 10,
  kSetIntset = 11,
  kZsetZiplist = 12,
  kHashZiplist = 13,
  kListQuicklist = 14,     // nodes are ziplists
  kStreamListpacks = 15,   // Redis 5
  kHashListpack = 16,      // Redis 7.0
  kZsetListpack = 17,      // Redis 7.0
  kListQuicklist2 = 18,    // Redis 7.0: nodes are listpacks, or one plain string
  kStreamListpacks2 = 19,  // Redis 7.0: first id, deleted ids, counters of groups
  kSetListpack = 20,       // Redis 7.2
  kStreamListpacks3 = 21,  // Redis 7.2: when a consumer was last active
};

// FUNCTION DUMP has a sequence of these instead of a value: [opcode:1][code as a string].
inline constexpr uint8_t kRdbLibrary = 245;
inline constexpr uint8_t kRdbOldLibrary = 246;  // of release candidates of Redis 7.0; no one reads it any more

// A length: 00xxxxxx; 01xxxxxx x; 80 and 4 bytes; 81 and 8 bytes, all big-endian. 11xxxxxx: no length, but a string
// that is kept as one of these.
inline constexpr uint8_t kRdbLength32 = 0x80, kRdbLength64 = 0x81;
inline constexpr uint8_t kRdbInt8 = 0, kRdbInt16 = 1, kRdbInt32 = 2, kRdbLzf = 3;

inline constexpr uint64_t kRdbPlainNode = 1, kRdbPackedNode = 2;
// Flags of a stream's entry.
inline constexpr int64_t kRdbEntryDeleted = 1, kRdbEntrySameFields = 2;

}  // namespace basalt::storage
