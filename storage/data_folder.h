#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace basalt::storage {

// A folder that holds one database, and the right of this process to use it:
//
//   BASALT           what the folder is: format and identity, text; locked while a process has it open
//   SYNCED           how far the log was synced (SyncedMarker)
//   db/              RocksDB
//   backups/<time>/  backups, each a data folder of its own
//   ballast          space that is given up when the disk is full
//   ACCEPT-LOSS      put there by the administrator: start although the log ends too early; once
//
// FORMAT.md draws the files. Owned by Storage::Impl for as long as the database is open; any thread, all const.
class DataFolder {
 public:
  static constexpr int kFormat = 1;

  // Creates what is missing in an empty or missing folder. Null and one clear line in *error when the folder holds
  // something else, has a newer format, or is in use by another process (or another Storage of this one).
  static std::unique_ptr<DataFolder> Open(const std::string& dir, std::string* error);
  // Makes `dir`, which exists and is empty, a data folder of `identity`. False, and one line in *error.
  static bool Describe(const std::string& dir, std::string_view identity, std::string* error);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  const std::string& dir() const { return dir_; }
  const std::string& identity() const { return identity_; }  // 40 hex digits
  std::string db_path() const { return dir_ + "/db"; }
  std::string marker_path() const { return dir_ + "/SYNCED"; }
  std::string backups_path() const { return dir_ + "/backups"; }
  std::string ballast_path() const { return dir_ + "/ballast"; }
  std::string accept_loss_path() const { return dir_ + "/ACCEPT-LOSS"; }

 private:
  DataFolder(std::string dir, std::string identity, int fd)
      : dir_(std::move(dir)), identity_(std::move(identity)), fd_(fd) {}

  const std::string dir_;
  const std::string identity_;
  const int fd_;  // of BASALT, locked
};

}  // namespace basalt::storage
