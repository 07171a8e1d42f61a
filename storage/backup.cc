#include <rocksdb/utilities/checkpoint.h>

#include <chrono>
#include <ctime>

#include "storage/storage_impl.h"

namespace basalt::storage {
namespace {

constexpr uint64_t kBackupFlushAboveBytes = 64ull << 20;  // a longer WAL is not copied, but flushed

}  // namespace

// A checkpoint of the RocksDB: hard links to its tables and a copy of the WAL's tail. Laid out as a data folder, so
// that `dir` can point at it.
Status Storage::Backup(std::string* path, std::string* error) {
  Impl& impl = *impl_;
  {
    std::lock_guard lock(impl.backup_mu);
    if (impl.backup.running) {
      *error = "a backup is being made already";
      return Status::kInvalid;
    }
    impl.backup.running = true;
  }
  const auto started = std::chrono::steady_clock::now();
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char name[32];
  std::strftime(name, sizeof(name), "%Y%m%dT%H%M%SZ", &utc);
  rocksdb::Env* env = impl.engine.db()->GetEnv();
  const std::string folder = impl.options.dir + "/backups";
  *path = folder + "/" + name;
  for (int n = 2; env->FileExists(*path).ok(); ++n) *path = folder + "/" + name + "-" + std::to_string(n);

  rocksdb::Status made = env->CreateDirIfMissing(folder);
  if (made.ok()) made = env->CreateDir(*path);
  rocksdb::Checkpoint* checkpoint = nullptr;
  if (made.ok()) made = rocksdb::Checkpoint::Create(impl.engine.db(), &checkpoint);
  const std::unique_ptr<rocksdb::Checkpoint> owned(checkpoint);
  if (made.ok()) made = checkpoint->CreateCheckpoint(*path + "/db", kBackupFlushAboveBytes);

  std::lock_guard lock(impl.backup_mu);
  BackupStatus& status = impl.backup;
  status.running = false;
  status.last_ok = made.ok();
  status.last_duration_s =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started).count();
  if (!made.ok()) {
    *error = status.last_error = made.ToString();
    return Status::kIoError;
  }
  status.last_success_unix_s = now;
  status.last_path = *path;
  status.last_error.clear();
  return Status::kOk;
}

BackupStatus Storage::backup_status() const {
  std::lock_guard lock(impl_->backup_mu);
  return impl_->backup;
}

}  // namespace basalt::storage
