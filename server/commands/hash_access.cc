#include "server/commands/hash_access.h"

#include <utility>

#include "server/commands/key_access.h"
#include "server/config_table.h"

namespace basalt {

using storage::HashStore;

storage::Status LookupHash(CommandContext& ctx, const storage::HashedKey& key, storage::HashValue* hash) {
  storage::RecordPtr record;
  storage::Status status = LookupCollection(ctx, ctx.view(), key, storage::ValueType::kHash, &record);
  if (status != storage::Status::kOk) return status;
  if (record->FieldsDueAt(ctx.now_ms()) && ctx.can_write() && ctx.services.storage.MayExpire()) {
    status = HashStore::RemoveDue(ctx.txn(), ctx.db(), key);
    return status == storage::Status::kOk ? HashStore::Find(ctx.view(), ctx.db(), key, hash) : status;
  }
  return HashStore::Open(ctx.view(), std::move(record), hash);
}

storage::HashLimits HashLimitsOf(const CommandContext& ctx) {
  const ConfigSnapshot& config = ctx.services.config.current();
  return {.listpack_entries = static_cast<uint64_t>(config.hash_max_listpack_entries),
          .listpack_value = static_cast<uint64_t>(config.hash_max_listpack_value)};
}

}  // namespace basalt
