#pragma once

#include <cstdint>
#include <string_view>

namespace basalt::storage {

// Outcome of a storage call. Errors are values with a name; the server turns a name into Redis' text in one place.
enum class [[nodiscard]] Status : uint8_t{
    kOk,
    kNotFound,    // no such key (or it has expired), no such row
    kIncomplete,  // the answer needs the disk (or a stalled write) and the caller asked not to wait: run it in the slow
                  // lane
    kLocked,      // a key lock or the exclusive gate is not free: the batch must be parked
    kNeedLocks,   // the answer is known under the key's lock only: read it again in a WriteTxn that holds it
    kWrongType,   // the key holds another type
    kNotInteger,  // a value or argument is not a 64-bit integer
    kNotFloat,    // … not a finite long double
    kOverflow,    // the result does not fit
    kTooLarge,    // a string would exceed proto-max-bulk-len / 512 MB
    kCorruption,  // bytes on disk are not what they must be
    kIoError,     // the disk failed; details are in the log and in Storage::health()
    kReadOnly,    // writes are off: see Storage::health()
    kInvalid,     // the caller's argument makes no sense
};

std::string_view StatusName(Status status);

}  // namespace basalt::storage
