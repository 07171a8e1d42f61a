#pragma once

#include <span>

#include "storage/write_txn.h"

namespace basalt {

class WatchTable;

// What a commit sets off beyond the data, told under the locks of the changed keys: WATCH. Any thread that commits.
class CommitEffects final : public storage::CommitObserver {
 public:
  explicit CommitEffects(WatchTable& watches) : watches_(watches) {}

  void OnCommitted(std::span<const storage::Change> changes) override;
  void OnDatabasesReplaced(std::span<const storage::DbIndex> dbs) override;

 private:
  WatchTable& watches_;
};

}  // namespace basalt
