#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/status.h"

namespace basalt {

// Outcome of a command handler. Errors are values with a name; ErrorText() turns a name into Redis 7.2.4's text in one
// place. kMessage carries a text of its own, for errors that quote the client's input.
enum class ErrorCode : uint8_t {
  kOk,
  // ---- not errors: what the executor does next. The handler has written no reply and changed nothing. ----
  kNeedSlowLane,  // run this command again in the slow lane
  kNeedLocks,     // … again under the locks of its keys
  kNeedGate,      // … again with the exclusive gate closed
  kParked,        // the handler called ctx.Park(): the reply comes later
  // ---- errors ----
  kMessage,         // text() is the whole error line, "ERR …"
  kWrongType,       // "WRONGTYPE Operation against a key holding the wrong kind of value"
  kSyntax,          // "ERR syntax error"
  kNotInteger,      // "ERR value is not an integer or out of range"
  kNotFloat,        // "ERR value is not a valid float"
  kOutOfRange,      // "ERR value is out of range"
  kMustBePositive,  // "ERR value is out of range, must be positive"
  kNoSuchKey,       // "ERR no such key"
  kOverflow,        // "ERR increment or decrement would overflow"
  kNanOrInfinity,   // "ERR increment would produce NaN or Infinity"
  kStringTooLong,   // "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
  kOffsetRange,     // "ERR offset is out of range"
  kBitOffset,       // "ERR bit offset is not an integer or out of range"
  kBitValue,        // "ERR bit is not an integer or out of range"
  kInvalidExpire,   // "ERR invalid expire time in '<command>' command"
  kDbIndex,         // "ERR DB index is out of range"
  kInvalidDbIndex,  // "ERR invalid DB index"
  kSameObject,      // "ERR source and destination objects are the same"
  kNoAuth,          // "NOAUTH Authentication required."
  kWrongPass,       // "WRONGPASS invalid username-password pair or user is disabled."
  kExecAbort,       // "EXECABORT Transaction discarded because of previous errors."
  kBusyScript,      // "BUSY … SCRIPT KILL …": what the command needs is held by a script whose time is up
  kBusyFunction,    // "BUSY … FUNCTION KILL …"
  kReadOnly,        // "MISCONF …" with the storage's reason: writes are off
  kIo,              // "ERR …" the write or read failed; details in the log
  kCorruption,      // "ERR …" the stored value is damaged
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(ErrorCode code) : code_(code) {}  // NOLINT: a name is a status
  Status(storage::Status status);          // NOLINT
  // REQUIRES: begins with a code word: "ERR …".
  static Status Message(std::string text) { return Status(ErrorCode::kMessage, std::move(text)); }

  bool ok() const { return code_ == ErrorCode::kOk; }
  ErrorCode code() const { return code_; }
  const std::string& text() const { return text_; }

 private:
  Status(ErrorCode code, std::string text) : code_(code), text_(std::move(text)) {}
  ErrorCode code_ = ErrorCode::kOk;
  std::string text_;
};

inline Status Ok() { return Status(); }

// The error line without '-' and CRLF. `command`: the full name as the client sees it ("set", "config|get"), for the
// errors that quote it.
std::string ErrorText(const Status& status, std::string_view command);

// Leaves the function with the error, if it is one. For both kinds of status.
#define BASALT_RETURN_IF_ERROR(expression)                                      \
  do {                                                                          \
    if (::basalt::Status status_ = (expression); !status_.ok()) return status_; \
  } while (0)

}  // namespace basalt
