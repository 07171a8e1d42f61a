#pragma once

#include "server/command_context.h"

namespace basalt {

// Expiry of single fields, as Redis 7.4 has it. Their rows are in hash.cc.
Status HExpire(CommandContext& ctx);
Status HPExpire(CommandContext& ctx);
Status HExpireAt(CommandContext& ctx);
Status HPExpireAt(CommandContext& ctx);
Status HTtl(CommandContext& ctx);
Status HPTtl(CommandContext& ctx);
Status HExpireTime(CommandContext& ctx);
Status HPExpireTime(CommandContext& ctx);
Status HPersist(CommandContext& ctx);

}  // namespace basalt
