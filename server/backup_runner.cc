#include "server/backup_runner.h"

#include <glog/logging.h>

#include "server/stats.h"
#include "storage/storage.h"

namespace basalt {

namespace {

Status AlreadyRunning() { return Status::Message("ERR Background save already in progress"); }

}  // namespace

BackupRunner::~BackupRunner() {
  if (thread_.joinable()) thread_.join();
}

Status BackupRunner::MakeBackup() {
  const uint64_t changes = storage_.Stats().commit_keys;
  std::string path, error;
  if (storage_.Backup(&path, &error) != storage::Status::kOk) {
    LOG(ERROR) << "Backup failed: " << error;
    return Status::Message("ERR Backup failed: " + error);
  }
  stats_.BackupMade(changes);
  LOG(INFO) << "Backup made: " << path;
  return Ok();
}

Status BackupRunner::Run() {
  {
    const std::lock_guard lock(mu_);
    if (running_) return AlreadyRunning();
    running_ = true;
  }
  Status status = MakeBackup();
  const std::lock_guard lock(mu_);
  running_ = false;
  return status;
}

Status BackupRunner::Start() {
  const std::lock_guard lock(mu_);
  if (running_) return AlreadyRunning();
  running_ = true;
  if (thread_.joinable()) thread_.join();  // it has set running_ to false: it ends now
  thread_ = std::thread([this] {
    (void)MakeBackup();  // logged, and in backup_status()
    const std::lock_guard done(mu_);
    running_ = false;
  });
  return Ok();
}

}  // namespace basalt
