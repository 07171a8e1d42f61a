#pragma once

#include "server/command_context.h"

namespace basalt {

// Handlers of CLIENT about client-side caching; their rows are in client.cc.
Status TrackingCommand(CommandContext& ctx);
Status TrackingInfo(CommandContext& ctx);
Status Caching(CommandContext& ctx);
Status GetRedir(CommandContext& ctx);

}  // namespace basalt
