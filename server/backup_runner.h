#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "server/status.h"

namespace basalt {

namespace storage {
class Storage;
}
class Stats;

// Makes backups, one at a time: on the caller's thread (SAVE, SHUTDOWN SAVE) or on one of its own (BGSAVE). Any thread.
class BackupRunner {
 public:
  BackupRunner(storage::Storage& storage, Stats& stats) : storage_(storage), stats_(stats) {}
  ~BackupRunner();  // waits for a backup that runs

  // "ERR Background save already in progress" while one runs.
  Status Run();    // blocks; REQUIRES: slow lane
  Status Start();  // returns at once; the outcome is in Storage::backup_status() and the log

 private:
  Status MakeBackup();

  storage::Storage& storage_;
  Stats& stats_;
  std::mutex mu_;
  bool running_ = false;  // guarded by mu_
  std::thread thread_;    // guarded by mu_; the last one started
};

}  // namespace basalt
