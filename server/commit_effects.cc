#include "server/commit_effects.h"

#include "server/blocked_keys.h"
#include "server/client_tracking.h"
#include "server/watch_table.h"

namespace basalt {

void CommitEffects::OnCommitted(std::span<const storage::Change> changes) {
  for (const storage::Change& change : changes) {
    watches_.Touch(change);
    blocked_keys_.OnChange(change);
  }
  tracking_.OnCommitted(changes);
}

void CommitEffects::OnDatabasesReplaced(std::span<const storage::DbIndex> dbs) {
  watches_.TouchDatabases(dbs);
  blocked_keys_.OnDatabasesReplaced(dbs);
}

}  // namespace basalt
