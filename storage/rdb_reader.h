#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/status.h"
#include "storage/value_sink.h"

namespace basalt::storage {

// Payloads of DUMP, as Redis up to 7.2 writes them. They come from clients: whatever the bytes say, reading takes time
// and memory in proportion to them (kRdbExpansionMax), and what is told to the sink is a value that Redis' commands
// could have made, but for its size: at least one element (streams: none), no member twice, no score that is not a
// number, ids that ascend, pending entries that belong to exactly one consumer. Pure functions; any thread.

// What one payload may tell, and what reading it may gather, in bytes, as a multiple of its own: entries of a stream
// share field names, and repeated bytes are compressed. What Redis writes with its default settings stays below.
inline constexpr uint64_t kRdbExpansionMax = 256;
inline constexpr uint64_t kRdbExpansionFreeBytes = 1 << 20;
inline constexpr uint64_t kRdbStringBytesMax = 512ull << 20;

enum class RdbChecksum : uint8_t { kChecked, kIgnored };
// The footer: kInvalid when it is of a later version or the checksum is wrong.
Status VerifyRdbPayload(std::string_view payload, RdbChecksum checksum);

// Tells the value to the sink. kInvalid: not a value; the sink may have been told a part of it by then, but not End
// (nor String). Otherwise what the sink says.
Status ReadRdbPayload(std::string_view payload, ValueSink* sink);

// A payload of FUNCTION DUMP, whose footer was verified: the code of each library.
enum class LibrariesOutcome : uint8_t {
  kRead,
  kOldFormat,   // of a release candidate of Redis 7.0
  kNotLibrary,  // something else stands there
  kCutOff,      // a library's code is not whole
};
LibrariesOutcome ReadRdbLibraries(std::string_view payload, std::vector<std::string>* codes);

}  // namespace basalt::storage
