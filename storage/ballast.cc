#include "storage/ballast.h"

#include <glog/logging.h>
#include <sys/stat.h>

#include "storage/posix_file.h"

namespace basalt::storage {

void Ballast::Restore(uint64_t free_bytes, uint64_t keep_free_bytes) {
  if (present_ || bytes_ == 0) return;
  struct stat info;
  if (::stat(path_.c_str(), &info) == 0 && static_cast<uint64_t>(info.st_size) == bytes_) {
    present_ = true;
    return;
  }
  if (free_bytes < bytes_ || free_bytes - bytes_ < keep_free_bytes) return;
  const int failed = MakeFullFile(path_, bytes_);
  present_ = failed == 0;
  if (failed != 0) {
    LOG_EVERY_N(WARNING, 600) << FileError("make", path_, failed);
  }
}

void Ballast::GiveUp() {
  const int failed = RemoveFile(path_);
  if (failed != 0) {
    LOG(ERROR) << FileError("remove", path_, failed);
    return;
  }
  if (present_) LOG(WARNING) << "the disk is full: " << path_ << " was removed to make room";
  present_ = false;
}

}  // namespace basalt::storage
