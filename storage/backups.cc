#include "storage/backups.h"

#include <glog/logging.h>
#include <rocksdb/utilities/checkpoint.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <vector>

#include "storage/posix_file.h"
#include "storage/storage_impl.h"

namespace basalt::storage {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kFlushAboveBytes = 64ull << 20;  // a longer WAL is not copied, but flushed to tables first
constexpr char kNameFormat[] = "%Y%m%dT%H%M%SZ";
constexpr char kHalfMade[] = ".making-";

std::string NameOf(std::time_t time) {
  std::tm utc{};
  gmtime_r(&time, &utc);
  char name[32];
  std::strftime(name, sizeof(name), kNameFormat, &utc);
  return name;
}

// 0 when the name is not one of ours.
std::time_t TimeOf(const std::string& name) {
  std::tm utc{};
  return strptime(name.c_str(), kNameFormat, &utc) != nullptr ? timegm(&utc) : 0;
}

}  // namespace

bool Backups::Open(std::string* error) {
  const std::string folder = storage_.folder->backups_path();
  std::error_code failed;
  if (!fs::exists(folder, failed)) return true;
  std::vector<fs::path> half_made;
  std::lock_guard lock(mu_);
  fs::directory_iterator entry(folder, failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    const std::string name = entry->path().filename();
    if (name.rfind(kHalfMade, 0) == 0) half_made.push_back(entry->path());
    const std::time_t time = TimeOf(name);
    if (time <= status_.last_success_unix_s) continue;
    status_.last_success_unix_s = time;
    status_.last_path = entry->path();
  }
  for (const fs::path& path : half_made) {
    if (!failed) fs::remove_all(path, failed);
  }
  if (failed) *error = "cannot look through " + folder + ": " + failed.message();
  return !failed;
}

BackupStatus Backups::status() const {
  std::lock_guard lock(mu_);
  return status_;
}

Status Backups::Make(std::string* path, std::string* error) {
  {
    std::lock_guard lock(mu_);
    if (status_.running) {
      *error = "a backup is being made already";
      return Status::kInvalid;
    }
    status_.running = true;
  }
  const auto started = std::chrono::steady_clock::now();
  const std::time_t now = std::time(nullptr);
  const std::string folder = storage_.folder->backups_path();
  *path = folder + "/" + NameOf(now);
  for (int n = 2; FileExists(*path); ++n) *path = folder + "/" + NameOf(now) + "-" + std::to_string(n);
  const Status made = MakeNamed(*path, error);

  std::lock_guard lock(mu_);
  status_.running = false;
  status_.last_ok = made == Status::kOk;
  status_.last_duration_s =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started).count();
  if (made != Status::kOk) {
    status_.last_error = *error;
    LOG(ERROR) << "backup failed: " << *error;
    return made;
  }
  status_.last_success_unix_s = now;
  status_.last_path = *path;
  status_.last_error.clear();
  LOG(INFO) << "backup made: " << *path;
  return made;
}

Status Backups::MakeNamed(const std::string& path, std::string* error) {
  if (const Health health = storage_.writes.health(); health == Health::kReadOnly || health == Health::kFailed) {
    *error = "no backup now: " + storage_.writes.Reason();
    return Status::kReadOnly;
  }
  const std::string folder = storage_.folder->backups_path();
  const std::string half_made = folder + "/" + kHalfMade + path.substr(folder.size() + 1);
  if (const int failed = MakeFolder(folder)) {
    *error = FileError("create", folder, failed);
    return Status::kIoError;
  }
  if (Fill(half_made, error)) {
    if (::rename(half_made.c_str(), path.c_str()) != 0) {
      *error = FileError("rename", half_made, errno);
    } else if (const int failed = SyncFolder(folder)) {
      *error = FileError("sync", folder, failed);
      return Status::kIoError;
    } else {
      return Status::kOk;
    }
  }
  std::error_code ignored;  // what is left is removed by the next start
  fs::remove_all(half_made, ignored);
  return Status::kIoError;
}

bool Backups::Fill(const std::string& path, std::string* error) {
  const EngineUse use(storage_.engine.gate());
  if (!use.ok()) {
    *error = "no backup now: " + storage_.writes.Reason();
    return false;
  }
  if (const int failed = MakeFolder(path)) {
    *error = FileError("create", path, failed);
    return false;
  }
  // Everything up to here will be in the checkpoint.
  const uint64_t sequence = storage_.engine.LatestSequence();
  rocksdb::Checkpoint* created = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(storage_.engine.db(), &created);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(created);
  if (status.ok()) status = checkpoint->CreateCheckpoint(path + "/db", kFlushAboveBytes);
  if (!status.ok()) {
    *error = "checkpoint: " + status.ToString();
    return false;
  }
  // Tables are synced when they are made, but older logs, which are linked, may not have been.
  std::error_code failed;
  fs::directory_iterator entry(path + "/db", failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    if (entry->path().extension() != ".log") continue;
    if (const int unsynced = SyncFile(entry->path())) {
      *error = FileError("sync", entry->path().native(), unsynced);
      return false;
    }
  }
  if (failed) {
    *error = "cannot look through " + path + "/db: " + failed.message();
    return false;
  }
  const std::unique_ptr<SyncedMarker> marker = SyncedMarker::Open(path + "/SYNCED", error);
  if (marker == nullptr) return false;
  if (const int unwritten = marker->Write(sequence)) {
    *error = FileError("write", path + "/SYNCED", unwritten);
    return false;
  }
  // Last, and with it the names of all the others: without this file it is no data folder.
  return DataFolder::Describe(path, storage_.folder->identity(), error);
}

}  // namespace basalt::storage
