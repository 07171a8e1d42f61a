#pragma once

#include "server/command_context.h"
#include "storage/hash_store.h"

namespace basalt {

// The hash of a key, for reading through ctx.view(). Counted as LookupKey is. Where the command runs under locks,
// fields that are due are removed first, as many as suit the lane; those that are left nobody sees. kNotFound,
// kWrongType, …
storage::Status LookupHash(CommandContext& ctx, const storage::HashedKey& key, storage::HashValue* hash);

// Up to where Redis would keep a hash as a listpack, as configured.
storage::HashLimits HashLimitsOf(const CommandContext& ctx);

}  // namespace basalt
