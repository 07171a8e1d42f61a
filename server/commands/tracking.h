#pragma once

#include "server/command_context.h"

namespace basalt {

// Handlers of CLIENT about client-side caching; their rows are in client.cc.
Status TrackingCommand(CommandContext& ctx);
Status TrackingInfo(CommandContext& ctx);
Status Caching(CommandContext& ctx);
Status GetRedir(CommandContext& ctx);

// The first client that tracks begins while no write is pending: what was written unheeded is committed by then.
void PrepareTracking(const PrepareInput& input, Preparation* preparation);

}  // namespace basalt
