#pragma once

#include <span>

#include "storage/write_txn.h"

namespace basalt {

class BlockedKeys;
class WatchTable;

// What a commit sets off beyond the data, told under the locks of the changed keys: WATCH, and the turn of those who
// wait for a key. Any thread that commits.
class CommitEffects final : public storage::CommitObserver {
 public:
  CommitEffects(WatchTable& watches, BlockedKeys& blocked_keys) : watches_(watches), blocked_keys_(blocked_keys) {}

  void OnCommitted(std::span<const storage::Change> changes) override;
  void OnDatabasesReplaced(std::span<const storage::DbIndex> dbs) override;

 private:
  WatchTable& watches_;
  BlockedKeys& blocked_keys_;
};

}  // namespace basalt
