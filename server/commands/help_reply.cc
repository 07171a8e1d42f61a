#include "server/commands/help_reply.h"

#include <string>

namespace basalt {

void ReplyHelp(CommandContext& ctx, std::span<const std::string_view> lines) {
  const std::string_view container = ctx.spec.name.substr(0, ctx.spec.name.find('|'));
  ctx.reply.Array(lines.size() + 3);
  ctx.reply.Simple(ToUpper(container) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string_view line : lines) ctx.reply.Simple(line);
  ctx.reply.Simple("HELP");
  ctx.reply.Simple("    Shows this text.");
}

}  // namespace basalt
