#pragma once

#include <span>
#include <string_view>

#include "server/command_context.h"

namespace basalt {

// The reply of a container's HELP: a heading with the container's name, `lines` (subcommand, then indented what it
// does), HELP itself.
void ReplyHelp(CommandContext& ctx, std::span<const std::string_view> lines);

}  // namespace basalt
