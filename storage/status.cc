#include "storage/status.h"

namespace basalt::storage {

std::string_view StatusName(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kNotFound:
      return "not found";
    case Status::kIncomplete:
      return "incomplete";
    case Status::kLocked:
      return "locked";
    case Status::kNeedLocks:
      return "needs locks";
    case Status::kWrongType:
      return "wrong type";
    case Status::kNotInteger:
      return "not an integer";
    case Status::kNotFloat:
      return "not a float";
    case Status::kOverflow:
      return "overflow";
    case Status::kTooLarge:
      return "too large";
    case Status::kCorruption:
      return "corruption";
    case Status::kIoError:
      return "I/O error";
    case Status::kReadOnly:
      return "read only";
    case Status::kInvalid:
      return "invalid";
  }
  return "unknown";
}

}  // namespace basalt::storage
