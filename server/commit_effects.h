#pragma once

#include <span>

#include "storage/write_txn.h"

namespace basalt {

class BlockedKeys;
class ClientTracking;
class WatchTable;

// What a commit sets off beyond the data, told under the locks of the changed keys: WATCH, the turn of those who wait
// for a key, and that keys have expired. (What commands tell of themselves is in their Outbox.) Any thread that
// commits.
class CommitEffects final : public storage::CommitObserver {
 public:
  CommitEffects(WatchTable& watches, BlockedKeys& blocked_keys, ClientTracking& tracking)
      : watches_(watches), blocked_keys_(blocked_keys), tracking_(tracking) {}

  void OnCommitted(std::span<const storage::Change> changes) override;
  void OnDatabasesReplaced(std::span<const storage::DbIndex> dbs) override;

 private:
  WatchTable& watches_;
  BlockedKeys& blocked_keys_;
  ClientTracking& tracking_;
};

}  // namespace basalt
