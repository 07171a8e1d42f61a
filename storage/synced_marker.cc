#include "storage/synced_marker.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>

#include "storage/key_codec.h"
#include "storage/posix_file.h"

namespace basalt::storage {
namespace {

// [magic:8][write count:8][sequence:8][XXH3 of those:8], each slot in a page of its own.
constexpr char kMagic[] = "BSLTSYNC";
constexpr size_t kSlotBytes = 32;
constexpr size_t kSlotDistance = 4096;
constexpr int kSlots = 2;

}  // namespace

std::unique_ptr<SyncedMarker> SyncedMarker::Open(const std::string& path, std::string* error) {
  const bool is_new = !FileExists(path);
  OwnedFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.ok()) {
    *error = FileError("open", path, errno);
    return nullptr;
  }
  std::unique_ptr<SyncedMarker> marker(new SyncedMarker(fd.Release()));
  if (is_new) {
    // Both slots now: later writes change no size, so they cost one block each.
    int failed = marker->Write(0);
    if (failed == 0) failed = marker->Write(0);
    if (failed == 0) failed = SyncFolder(path.substr(0, path.find_last_of('/')));
    if (failed != 0) {
      *error = FileError("write", path, failed);
      return nullptr;
    }
    return marker;
  }
  for (int i = 0; i < kSlots; ++i) {
    char slot[kSlotBytes];
    const ssize_t got = ::pread(marker->fd_, slot, kSlotBytes, static_cast<off_t>(i * kSlotDistance));
    if (got < 0) {
      *error = FileError("read", path, errno);
      return nullptr;
    }
    if (static_cast<size_t>(got) != kSlotBytes || std::memcmp(slot, kMagic, 8) != 0) continue;
    if (GetBig64(slot + 24) != XXH3_64bits(slot, 24)) continue;
    if (GetBig64(slot + 8) < marker->writes_) continue;
    marker->writes_ = GetBig64(slot + 8);
    marker->sequence_ = GetBig64(slot + 16);
  }
  return marker;
}

SyncedMarker::~SyncedMarker() { ::close(fd_); }

int SyncedMarker::Write(uint64_t sequence) {
  char slot[kSlotBytes];
  std::memcpy(slot, kMagic, 8);
  PutBig64(slot + 8, writes_ + 1);
  PutBig64(slot + 16, sequence);
  PutBig64(slot + 24, XXH3_64bits(slot, 24));
  const off_t at = static_cast<off_t>((writes_ + 1) % kSlots * kSlotDistance);
  const ssize_t written = ::pwrite(fd_, slot, kSlotBytes, at);
  if (written < 0) return errno;
  if (static_cast<size_t>(written) != kSlotBytes) return ENOSPC;
  if (::fdatasync(fd_) != 0) return errno;
  ++writes_;
  sequence_ = sequence;
  return 0;
}

}  // namespace basalt::storage
