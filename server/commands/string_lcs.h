#pragma once

#include "server/command_context.h"

namespace basalt {

// The handler of LCS; its row is in string.cc.
Status LcsCommand(CommandContext& ctx);

}  // namespace basalt
