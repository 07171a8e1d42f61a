#pragma once

#include <span>

#include "storage/write_txn.h"

namespace basalt {

struct Services;

// What a commit of the expire cycle sets off: what every commit does, and the events of what has expired, which no
// command tells. Any thread that expires.
class ExpiryEffects final : public storage::CommitObserver {
 public:
  ExpiryEffects(const Services& services, storage::CommitObserver& effects) : services_(services), effects_(effects) {}

  void OnCommitted(std::span<const storage::Change> changes) override;
  void OnDatabasesReplaced(std::span<const storage::DbIndex> dbs) override { effects_.OnDatabasesReplaced(dbs); }

 private:
  const Services& services_;
  storage::CommitObserver& effects_;
};

}  // namespace basalt
