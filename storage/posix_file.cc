#include "storage/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace basalt::storage {
namespace {

int WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

int WriteFile(const std::string& path, std::string_view contents) {
  const OwnedFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.ok()) return errno;
  if (const int failed = WriteAll(fd.get(), contents)) return failed;
  return ::fsync(fd.get()) == 0 ? 0 : errno;
}

int SyncPath(const std::string& path, int flags) {
  const OwnedFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd.ok() || ::fsync(fd.get()) != 0) return errno;
  return 0;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) ::close(fd_);
}

std::string FileError(std::string_view doing, std::string_view path, int error_number) {
  return "cannot " + std::string(doing) + " " + std::string(path) + ": " + std::strerror(error_number);
}

bool FileExists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

int ReadSmallFile(const std::string& path, std::string* contents) {
  const OwnedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return errno;
  contents->clear();
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    contents->append(buffer, static_cast<size_t>(got));
  }
}

int CreateWholeFile(const std::string& path, std::string_view contents) {
  const std::string beside = path + ".new." + std::to_string(::getpid());
  int failed = WriteFile(beside, contents);
  // A link, as it does not replace what another process just made; not every file system has them.
  if (failed == 0 && ::link(beside.c_str(), path.c_str()) != 0) failed = errno;
  if (failed == EPERM || failed == EOPNOTSUPP) failed = ::rename(beside.c_str(), path.c_str()) == 0 ? 0 : errno;
  if (const int left = RemoveFile(beside); left != 0 && failed == 0) failed = left;
  return failed != 0 ? failed : SyncFolder(FolderOf(path));
}

int SyncFile(const std::string& path) { return SyncPath(path, O_RDONLY); }
int SyncFolder(const std::string& path) { return SyncPath(path, O_RDONLY | O_DIRECTORY); }

int MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return SyncFolder(FolderOf(path));
  if (errno != EEXIST) return errno;
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return errno;
  return S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
}

int RemoveFile(const std::string& path) { return ::unlink(path.c_str()) == 0 || errno == ENOENT ? 0 : errno; }

int MakeFullFile(const std::string& path, uint64_t bytes) {
  const OwnedFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.ok()) return errno;
  // Where the file system cannot allocate, the C library writes to every block.
  int failed = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes));
  if (failed == 0 && ::fsync(fd.get()) != 0) failed = errno;
  if (failed != 0) ::unlink(path.c_str());
  return failed;
}

}  // namespace basalt::storage
