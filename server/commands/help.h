#pragma once

#include <span>
#include <string_view>

#include "server/command_context.h"

namespace basalt {

// What the HELP subcommand of a container answers: `lines`, between Redis' header and the lines about HELP itself.
Status WriteHelp(CommandContext& ctx, std::span<const std::string_view> lines);

// "ERR unknown subcommand or wrong number of arguments for 'x'. Try CLIENT HELP."
Status SubcommandSyntaxError(const CommandContext& ctx);

}  // namespace basalt
