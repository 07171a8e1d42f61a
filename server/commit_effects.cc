#include "server/commit_effects.h"

#include "server/blocked_keys.h"
#include "server/client_tracking.h"
#include "server/pubsub.h"
#include "server/watch_table.h"

namespace basalt {

void CommitEffects::OnCommitted(std::span<const storage::Change> changes) {
  for (const storage::Change& change : changes) {
    watches_.Touch(change);
    blocked_keys_.OnChange(change);
    if (change.kind == storage::ChangeKind::kExpired) {
      pubsub_.OnExpired(change);
      tracking_.OnExpired(change);
    }
  }
}

void CommitEffects::OnDatabasesReplaced(std::span<const storage::DbIndex> dbs) {
  watches_.TouchDatabases(dbs);
  blocked_keys_.OnDatabasesReplaced(dbs);
}

}  // namespace basalt
