#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

namespace basalt::storage {

// The few files that are ours and not RocksDB's. Every function but FileExists returns 0 or an errno. Any thread.

// Text for a person: "cannot <doing> <path>: <what errno says>".
std::string FileError(std::string_view doing, std::string_view path, int error_number);

bool FileExists(const std::string& path);
int ReadSmallFile(const std::string& path, std::string* contents);
// Makes a file that is there as a whole or not at all, durably. EEXIST when there is one.
int CreateWholeFile(const std::string& path, std::string_view contents);
int SyncFile(const std::string& path);
int SyncFolder(const std::string& path);
int MakeFolder(const std::string& path);  // 0 also when it is there
int RemoveFile(const std::string& path);  // 0 also when it is not there
// A file with so many bytes that are really on the disk, or none at all.
int MakeFullFile(const std::string& path, uint64_t bytes);

// An open file descriptor.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd();
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;

  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

}  // namespace basalt::storage
