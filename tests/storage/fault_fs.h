#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace basalt::storage {

// A file system for RocksDB that fails on demand: the n-th write, sync, creation or renaming counted from Arm. Any
// thread.
class FaultFs : public rocksdb::FileSystemWrapper {
 public:
  enum Point : uint32_t { kAppend = 1, kSync = 2, kCreate = 4, kRename = 8 };
  enum class Error { kIo, kNoSpace };
  enum class Lasts { kOnce, kUntilHealed };

  FaultFs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultFs"; }

  // The n-th (from 1) operation that is one of `points` fails; an append leaves half of its bytes behind.
  void Arm(uint32_t points, int n, Error error, Lasts lasts) {
    std::lock_guard lock(mu_);
    points_ = points;
    left_ = n;
    error_ = error;
    lasts_ = lasts;
    broken_ = false;
    hit_ = false;
  }
  void Heal() {
    std::lock_guard lock(mu_);
    points_ = 0;
    broken_ = false;
  }
  // Whether the fault has come.
  bool hit() const { return hit_; }

  // What GetFreeSpace says; 0: the truth.
  void SetFreeBytes(uint64_t bytes) { free_bytes_ = bytes; }
  // What a sync takes longer.
  void SetSyncDelayMs(int ms) { sync_delay_ms_ = ms; }
  int syncs() const { return syncs_; }
  // Runs `run` before the next read of a table by the calling thread, once: something that comes in between.
  void BeforeNextRead(std::function<void()> run) {
    std::lock_guard lock(mu_);
    before_read_ = std::move(run);
    reader_ = std::this_thread::get_id();
  }

  rocksdb::IOStatus Check(Point point) {
    std::lock_guard lock(mu_);
    if ((points_ & point) == 0) return rocksdb::IOStatus::OK();
    if (!broken_ && --left_ > 0) return rocksdb::IOStatus::OK();
    hit_ = true;
    broken_ = true;
    if (lasts_ == Lasts::kOnce) points_ = 0;
    return error_ == Error::kIo ? rocksdb::IOStatus::IOError("injected") : rocksdb::IOStatus::NoSpace("injected");
  }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = Check(kRename);
    return status.ok() ? FileSystemWrapper::RenameFile(from, to, options, debug) : status;
  }
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options, uint64_t* bytes,
                                 rocksdb::IODebugContext* debug) override {
    if (free_bytes_ == 0) return FileSystemWrapper::GetFreeSpace(path, options, bytes, debug);
    *bytes = free_bytes_;
    return rocksdb::IOStatus::OK();
  }

 private:
  class File;
  class Table;
  class Folder;
  rocksdb::IOStatus BeforeSync();
  void BeforeRead();

  std::mutex mu_;
  uint32_t points_ = 0;
  int left_ = 0;
  Error error_ = Error::kIo;
  Lasts lasts_ = Lasts::kOnce;
  bool broken_ = false;
  std::function<void()> before_read_;
  std::thread::id reader_;
  std::atomic<bool> hit_{false};
  std::atomic<uint64_t> free_bytes_{0};
  std::atomic<int> sync_delay_ms_{0};
  std::atomic<int> syncs_{0};
};

class FaultFs::File : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(FaultFs& fs, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), fs_(fs) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = fs_.Check(kAppend);
    if (status.ok()) return target()->Append(data, options, debug);
    const rocksdb::IOStatus half = target()->Append({data.data(), data.size() / 2}, options, debug);
    return half.ok() ? status : half;
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = fs_.BeforeSync();
    return status.ok() ? target()->Sync(options, debug) : status;
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = fs_.BeforeSync();
    return status.ok() ? target()->Fsync(options, debug) : status;
  }

 private:
  FaultFs& fs_;
};

class FaultFs::Table : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  Table(FaultFs& fs, std::unique_ptr<rocksdb::FSRandomAccessFile> file)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), fs_(fs) {}
  rocksdb::IOStatus Read(uint64_t offset, size_t bytes, const rocksdb::IOOptions& options, rocksdb::Slice* result,
                         char* scratch, rocksdb::IODebugContext* debug) const override {
    fs_.BeforeRead();
    return FSRandomAccessFileOwnerWrapper::Read(offset, bytes, options, result, scratch, debug);
  }

 private:
  FaultFs& fs_;
};

class FaultFs::Folder : public rocksdb::FSDirectoryWrapper {
 public:
  Folder(FaultFs& fs, std::unique_ptr<rocksdb::FSDirectory> folder) : FSDirectoryWrapper(std::move(folder)), fs_(fs) {}
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = fs_.Check(kSync);
    return status.ok() ? FSDirectoryWrapper::Fsync(options, debug) : status;
  }
  rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                                        const rocksdb::DirFsyncOptions& which) override {
    const rocksdb::IOStatus status = fs_.Check(kSync);
    return status.ok() ? FSDirectoryWrapper::FsyncWithDirOptions(options, debug, which) : status;
  }

 private:
  FaultFs& fs_;
};

inline rocksdb::IOStatus FaultFs::BeforeSync() {
  ++syncs_;
  if (sync_delay_ms_ != 0) rocksdb::Env::Default()->SleepForMicroseconds(sync_delay_ms_ * 1000);
  return Check(kSync);
}

inline void FaultFs::BeforeRead() {
  std::function<void()> run;
  {
    std::lock_guard lock(mu_);
    if (before_read_ == nullptr || reader_ != std::this_thread::get_id()) return;
    run = std::exchange(before_read_, nullptr);
  }
  run();
}

inline rocksdb::IOStatus FaultFs::NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                                                      std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                                      rocksdb::IODebugContext* debug) {
  const rocksdb::IOStatus status = FileSystemWrapper::NewRandomAccessFile(name, options, file, debug);
  if (status.ok()) *file = std::make_unique<Table>(*this, std::move(*file));
  return status;
}

inline rocksdb::IOStatus FaultFs::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                                  std::unique_ptr<rocksdb::FSWritableFile>* file,
                                                  rocksdb::IODebugContext* debug) {
  rocksdb::IOStatus status = Check(kCreate);
  if (status.ok()) status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
  if (status.ok()) *file = std::make_unique<File>(*this, std::move(*file));
  return status;
}

inline rocksdb::IOStatus FaultFs::NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                               std::unique_ptr<rocksdb::FSDirectory>* folder,
                                               rocksdb::IODebugContext* debug) {
  const rocksdb::IOStatus status = FileSystemWrapper::NewDirectory(name, options, folder, debug);
  if (status.ok()) *folder = std::make_unique<Folder>(*this, std::move(*folder));
  return status;
}

}  // namespace basalt::storage
