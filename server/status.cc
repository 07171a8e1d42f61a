#include "server/status.h"

namespace basalt {

Status::Status(storage::Status status) {
  using S = storage::Status;
  switch (status) {
    case S::kOk:
      code_ = ErrorCode::kOk;
      break;
    case S::kNotFound:
      code_ = ErrorCode::kNoSuchKey;
      break;
    case S::kIncomplete:
      code_ = ErrorCode::kNeedSlowLane;
      break;
    // The executor locks what the key specs name before a handler runs: what is still not locked was not declared.
    case S::kLocked:
      code_ = ErrorCode::kNeedGate;
      break;
    case S::kNeedLocks:
      code_ = ErrorCode::kNeedLocks;
      break;
    case S::kWrongType:
      code_ = ErrorCode::kWrongType;
      break;
    case S::kNotInteger:
      code_ = ErrorCode::kNotInteger;
      break;
    case S::kNotFloat:
      code_ = ErrorCode::kNotFloat;
      break;
    case S::kOverflow:
      code_ = ErrorCode::kOverflow;
      break;
    case S::kTooLarge:
      code_ = ErrorCode::kStringTooLong;
      break;
    case S::kCorruption:
      code_ = ErrorCode::kCorruption;
      break;
    case S::kIoError:
      code_ = ErrorCode::kIo;
      break;
    case S::kReadOnly:
      code_ = ErrorCode::kReadOnly;
      break;
    case S::kInvalid:
      code_ = ErrorCode::kOutOfRange;
      break;
  }
}

namespace {

std::string_view FixedText(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOk:
    case ErrorCode::kNeedSlowLane:
    case ErrorCode::kNeedLocks:
    case ErrorCode::kNeedGate:
    case ErrorCode::kParked:
    case ErrorCode::kMessage:
    case ErrorCode::kInvalidExpire:
      break;  // not fixed, or never seen by a client
    case ErrorCode::kWrongType:
      return "WRONGTYPE Operation against a key holding the wrong kind of value";
    case ErrorCode::kSyntax:
      return "ERR syntax error";
    case ErrorCode::kNotInteger:
      return "ERR value is not an integer or out of range";
    case ErrorCode::kNotFloat:
      return "ERR value is not a valid float";
    case ErrorCode::kOutOfRange:
      return "ERR value is out of range";
    case ErrorCode::kMustBePositive:
      return "ERR value is out of range, must be positive";
    case ErrorCode::kNoSuchKey:
      return "ERR no such key";
    case ErrorCode::kOverflow:
      return "ERR increment or decrement would overflow";
    case ErrorCode::kNanOrInfinity:
      return "ERR increment would produce NaN or Infinity";
    case ErrorCode::kStringTooLong:
      return "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    case ErrorCode::kOffsetRange:
      return "ERR offset is out of range";
    case ErrorCode::kBitOffset:
      return "ERR bit offset is not an integer or out of range";
    case ErrorCode::kBitValue:
      return "ERR bit is not an integer or out of range";
    case ErrorCode::kDbIndex:
      return "ERR DB index is out of range";
    case ErrorCode::kInvalidDbIndex:
      return "ERR invalid DB index";
    case ErrorCode::kSameObject:
      return "ERR source and destination objects are the same";
    case ErrorCode::kNoAuth:
      return "NOAUTH Authentication required.";
    case ErrorCode::kWrongPass:
      return "WRONGPASS invalid username-password pair or user is disabled.";
    case ErrorCode::kExecAbort:
      return "EXECABORT Transaction discarded because of previous errors.";
    case ErrorCode::kBusyScript:
      return "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    case ErrorCode::kBusyFunction:
      return "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
    case ErrorCode::kReadOnly:
      return "MISCONF Writes are off until the disk is healthy and has space again: see INFO and the log";
    case ErrorCode::kIo:
      return "ERR the storage failed to read or write: details are in the log";
    case ErrorCode::kCorruption:
      return "ERR the stored value is damaged: details are in the log";
  }
  return "ERR internal error: a control code was taken for a reply";
}

}  // namespace

std::string ErrorText(const Status& status, std::string_view command) {
  if (!status.text().empty()) return status.text();
  if (status.code() == ErrorCode::kInvalidExpire) {
    std::string text = "ERR invalid expire time in '";
    text.append(command).append("' command");
    return text;
  }
  return std::string(FixedText(status.code()));
}

}  // namespace basalt
