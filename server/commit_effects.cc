#include "server/commit_effects.h"

#include "server/watch_table.h"

namespace basalt {

void CommitEffects::OnCommitted(std::span<const storage::Change> changes) {
  for (const storage::Change& change : changes) watches_.Touch(change);
}

void CommitEffects::OnDatabasesReplaced(std::span<const storage::DbIndex> dbs) { watches_.TouchDatabases(dbs); }

}  // namespace basalt
