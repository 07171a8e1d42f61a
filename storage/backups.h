#pragma once

#include <mutex>
#include <string>

#include "storage/storage.h"

namespace basalt::storage {

// Backups: data folders under <dir>/backups, named by the UTC time they were begun at, whose tables are hard links to those of
// the original. Made under a name with a dot in front and renamed when everything is on the disk, so one that can be seen is
// whole. Owned by Storage::Impl; any thread, one backup at a time.
class Backups {
 public:
  explicit Backups(Storage::Impl& storage) : storage_(storage) {}

  // Notes the newest there is, removes what an interrupted backup left. False, and one line in *error.
  bool Open(std::string* error);

  // Writers go on meanwhile. kInvalid: one is being made already. kReadOnly: there is no space, or RocksDB has failed.
  Status Make(std::string* path, std::string* error);
  BackupStatus status() const;

 private:
  Status MakeNamed(const std::string& path, std::string* error);
  bool Fill(const std::string& path, std::string* error);

  Storage::Impl& storage_;
  mutable std::mutex mu_;
  BackupStatus status_;  // guarded by mu_
};

}  // namespace basalt::storage
