#pragma once

#include <cstdint>
#include <string>

namespace basalt::storage {

// A file that only takes up space. It is given up when the disk is full, so that RocksDB can be reopened and compacted, and
// made again when there is plenty. Owned by Guardian; one thread.
class Ballast {
 public:
  Ballast(std::string path, uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}

  // Makes the file when it is missing and `free_bytes` leave room for it beside `keep_free_bytes`.
  void Restore(uint64_t free_bytes, uint64_t keep_free_bytes);
  void GiveUp();
  bool present() const { return present_; }

 private:
  const std::string path_;
  const uint64_t bytes_;
  bool present_ = false;
};

}  // namespace basalt::storage
