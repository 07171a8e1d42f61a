#include "server/logging.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <mutex>

#include "server/config_table.h"
#include "server/process_info.h"
#include "server/services.h"
#include "storage/storage.h"

namespace basalt {

namespace {

constexpr int kOldLogFiles = 5;  // <logfile>.1 … .5

void WriteAll(int fd, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n <= 0) {
      if (n < 0 && errno == EINTR) continue;
      return;  // nowhere to complain to
    }
    done += static_cast<size_t>(n);
  }
}

// The only destination of log lines. Any thread; glog calls it without its own locks.
class LogFile final : public google::LogSink {
 public:
  ~LogFile() override {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }

  bool Open(const std::string& path, uint64_t bytes_max) {
    path_ = path;
    bytes_max_ = bytes_max;
    return Reopen();
  }

  void send(google::LogSeverity severity, const char*, const char* base_filename, int line,
            const google::LogMessageTime& when, const char* message, size_t message_size) override {
    constexpr const char* kNames[] = {"NOTICE", "WARNING", "ERROR", "FATAL"};
    const std::tm& time = when.tm();
    char head[96];
    std::snprintf(head, sizeof head, "%04d-%02d-%02d %02d:%02d:%02d.%06d %s ", time.tm_year + 1900, time.tm_mon + 1,
                  time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec, static_cast<int>(when.usec()),
                  kNames[severity]);
    std::string text = head;
    text.append(message, message_size);
    if (severity >= google::GLOG_WARNING) text += std::string(" (") + base_filename + ':' + std::to_string(line) + ')';
    text += '\n';
    const std::lock_guard lock(mu_);
    if (!path_.empty() && bytes_ > 0 && bytes_ + text.size() > bytes_max_) Rotate();
    WriteAll(fd_, text);
    bytes_ += text.size();
  }
  using google::LogSink::send;

 private:
  bool Reopen() {
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return false;
    if (fd_ > STDERR_FILENO) ::close(fd_);
    fd_ = fd;
    struct stat status = {};
    bytes_ = ::fstat(fd_, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
    return true;
  }

  // REQUIRES: mu_ held.
  void Rotate() {
    for (int i = kOldLogFiles; i > 0; --i) {
      const std::string from = i == 1 ? path_ : path_ + '.' + std::to_string(i - 1);
      (void)::rename(from.c_str(), (path_ + '.' + std::to_string(i)).c_str());
    }
    if (!Reopen()) bytes_ = 0;  // goes on in the renamed file
  }

  std::mutex mu_;
  std::string path_;  // empty: standard error
  uint64_t bytes_max_ = 0;
  int fd_ = STDERR_FILENO;  // guarded by mu_
  uint64_t bytes_ = 0;      // guarded by mu_
};

std::string Mebibytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

std::string Addresses(const ConfigSnapshot& config) {
  std::string text;
  if (config.port != 0) {
    for (const std::string& address : config.bind)
      text += (text.empty() ? "" : ", ") + address + " port " + std::to_string(config.port);
  }
  if (!config.unixsocket.empty()) text += (text.empty() ? "" : ", ") + config.unixsocket;
  return text;
}

std::string_view Durability(const ConfigSnapshot& config) {
  switch (config.appendfsync) {
    case AppendFsync::kAlways:
      return "always (the disk has a write before its reply leaves)";
    case AppendFsync::kEverySecond:
      return "everysec (a crash of the machine may lose the last second)";
    case AppendFsync::kNo:
      return "no (the kernel decides when writes reach the disk)";
  }
  return "";
}

}  // namespace

std::string_view RocksdbBuild() { return BASALT_ROCKSDB_BUILD; }
std::string_view BasaltVersion() { return BASALT_VERSION; }

std::string RocksdbDescription() {
  return "RocksDB " + storage::Storage::RocksdbVersion() + " (" + std::string(RocksdbBuild()) + ")";
}

bool StartLogging(const char* program, const ConfigSnapshot& config, std::string* error) {
  static LogFile* file = nullptr;  // lives as long as the process: threads log until the end
  if (file != nullptr) return true;
  file = new LogFile;
  google::InitGoogleLogging(program);
  for (int severity = 0; severity < google::NUM_SEVERITIES; ++severity) google::SetLogDestination(severity, "");
  google::SetStderrLogging(google::NUM_SEVERITIES);
  google::AddLogSink(file);
  google::InstallFailureSignalHandler();
  SetLogLevel(config.loglevel);
  if (config.logfile.empty() || file->Open(config.logfile, static_cast<uint64_t>(config.logfile_max_size))) return true;
  if (error != nullptr) *error = "logfile " + config.logfile + ": " + std::strerror(errno);
  return false;
}

void SetLogLevel(LogLevel level) {
  FLAGS_v = level == LogLevel::kDebug ? 2 : level == LogLevel::kVerbose ? 1 : 0;
  FLAGS_minloglevel = level == LogLevel::kNothing   ? google::GLOG_FATAL
                      : level == LogLevel::kWarning ? google::GLOG_WARNING
                                                    : google::GLOG_INFO;
}

void LogStartup(const Services& services) {
  const ConfigSnapshot& config = services.config.current();
  const ThreadCounts threads = ThreadsOf(config);
  const storage::StorageStats stats = services.storage.Stats();
  uint64_t keys = 0;
  for (int db = 0; db < services.storage.databases(); ++db)
    keys += services.storage.Counts(static_cast<storage::DbIndex>(db)).keys;
  std::error_code ignored;
  const uint64_t disk_free = std::filesystem::space(services.storage.dir(), ignored).available;
  LOG(INFO) << "Basalt " << BasaltVersion() << ", " << RocksdbDescription() << ", process " << ::getpid();
  LOG(INFO) << "Data: " << services.storage.dir() << ", " << keys << " keys, " << Mebibytes(stats.disk_used_bytes)
            << " on disk, " << Mebibytes(disk_free) << " free";
  LOG(INFO) << "Threads: " << threads.workers << " for sockets, " << threads.fast << " fast lane, " << threads.slow
            << " slow lane";
  LOG(INFO) << "Memory: " << Mebibytes(static_cast<uint64_t>(config.memory)) << " of " << Mebibytes(TotalSystemMemory())
            << "; record cache " << Mebibytes(stats.cache_budget_bytes) << ", block cache and write buffers "
            << Mebibytes(stats.block_cache_budget_bytes);
  LOG(INFO) << "Durability: appendfsync " << Durability(config);
  LOG(INFO) << "Configuration: "
            << (services.config.file().empty() ? "defaults and command line" : services.config.file());
  LOG(INFO) << "Ready on " << Addresses(config);
}

}  // namespace basalt
