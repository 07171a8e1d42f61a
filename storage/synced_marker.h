#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace basalt::storage {

// How far the WAL is known to be on the disk, in a file of its own: a log that ends before this has lost what had been
// promised. The file may lag behind the truth, by a second or so, and never is ahead of it: it is written after a sync, off
// the path of every reply. Two slots are written in turn, so a torn write leaves the other. FORMAT.md draws them.
// Owned by Guardian; one thread.
class SyncedMarker {
 public:
  // Opens the file, or makes one that says 0. Null, and one line in *error.
  static std::unique_ptr<SyncedMarker> Open(const std::string& path, std::string* error);
  ~SyncedMarker();
  SyncedMarker(const SyncedMarker&) = delete;
  SyncedMarker& operator=(const SyncedMarker&) = delete;

  // What the file says; 0 when neither slot can be read.
  uint64_t sequence() const { return sequence_; }
  // 0, or an errno. Durable when it returns. A lower sequence than before only after ACCEPT-LOSS.
  int Write(uint64_t sequence);

 private:
  explicit SyncedMarker(int fd) : fd_(fd) {}

  const int fd_;
  uint64_t sequence_ = 0;
  uint64_t writes_ = 0;  // counted on across restarts: the slot with the higher count is the newer
};

}  // namespace basalt::storage
