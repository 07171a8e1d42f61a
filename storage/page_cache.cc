#include "storage/page_cache.h"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace basalt::storage {

namespace {

thread_local bool page_cache_only = false;

rocksdb::IOStatus ErrorOf(const std::string& doing, int error) {
  if (error == ENOENT) return rocksdb::IOStatus::PathNotFound(doing, strerror(error));
  return rocksdb::IOStatus::IOError(doing, strerror(error));
}

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  RandomAccessFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~RandomAccessFile() override { close(fd_); }

  rocksdb::IOStatus Read(uint64_t offset, size_t bytes, const rocksdb::IOOptions&, rocksdb::Slice* result,
                         char* scratch, rocksdb::IODebugContext*) const override {
    const int flags = page_cache_only ? RWF_NOWAIT : 0;
    size_t done = 0;
    *result = rocksdb::Slice(scratch, 0);
    while (done < bytes) {
      const iovec part{scratch + done, bytes - done};
      const ssize_t n = preadv2(fd_, &part, 1, static_cast<off_t>(offset + done), flags);
      if (n == 0) break;  // the end of the file
      if (n > 0) {
        done += static_cast<size_t>(n);
      } else if (errno == EAGAIN || (errno == EOPNOTSUPP && flags != 0)) {
        return rocksdb::status_to_io_status(rocksdb::Status::Incomplete("not in the page cache"));
      } else if (errno != EINTR) {
        return ErrorOf("reading " + path_, errno);
      }
    }
    *result = rocksdb::Slice(scratch, done);
    return rocksdb::IOStatus::OK();
  }

  rocksdb::IOStatus Prefetch(uint64_t offset, size_t bytes, const rocksdb::IOOptions&,
                             rocksdb::IODebugContext*) override {
    if (readahead(fd_, static_cast<off64_t>(offset), bytes) != 0) return ErrorOf("reading ahead " + path_, errno);
    return rocksdb::IOStatus::OK();
  }

  void Hint(AccessPattern pattern) override { Advise(0, 0, AdviceOf(pattern)); }
  rocksdb::IOStatus InvalidateCache(size_t offset, size_t bytes) override {
    const int error = Advise(offset, bytes, POSIX_FADV_DONTNEED);
    return error == 0 ? rocksdb::IOStatus::OK() : ErrorOf("letting go of " + path_, error);
  }

 private:
  static int AdviceOf(AccessPattern pattern) {
    switch (pattern) {
      case kRandom:
        return POSIX_FADV_RANDOM;
      case kSequential:
        return POSIX_FADV_SEQUENTIAL;
      case kWillNeed:
        return POSIX_FADV_WILLNEED;
      case kWontNeed:
        return POSIX_FADV_DONTNEED;
      case kNormal:
        break;
    }
    return POSIX_FADV_NORMAL;
  }
  int Advise(size_t offset, size_t bytes, int advice) const {
    return posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes), advice);
  }

  const std::string path_;
  const int fd_;
};

class FileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using rocksdb::FileSystemWrapper::FileSystemWrapper;

  const char* Name() const override { return "PageCacheFileSystem"; }

  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext*) override {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ErrorOf("opening " + path, errno);
    *result = std::make_unique<RandomAccessFile>(path, fd);
    return rocksdb::IOStatus::OK();
  }
};

}  // namespace

PageCacheOnly::PageCacheOnly() { page_cache_only = true; }
PageCacheOnly::~PageCacheOnly() { page_cache_only = false; }

std::unique_ptr<rocksdb::Env> MakePageCacheEnv() {
  return rocksdb::NewCompositeEnv(std::make_shared<FileSystem>(rocksdb::FileSystem::Default()));
}

}  // namespace basalt::storage
