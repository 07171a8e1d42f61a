#include "server/commands/help.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace basalt {

namespace {

std::string Upper(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

}  // namespace

Status WriteHelp(CommandContext& ctx, std::span<const std::string_view> lines) {
  ctx.reply.Array(lines.size() + 3);
  ctx.reply.Simple(Upper(ctx.arg(0)) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string_view line : lines) ctx.reply.Simple(line);
  ctx.reply.Simple("HELP");
  ctx.reply.Simple("    Print this help.");
  return Ok();
}

Status SubcommandSyntaxError(const CommandContext& ctx) {
  return Status::Message("ERR unknown subcommand or wrong number of arguments for '" +
                         std::string(ctx.arg(1).substr(0, 128)) + "'. Try " + Upper(ctx.arg(0)) + " HELP.");
}

}  // namespace basalt
