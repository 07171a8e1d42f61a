// ACL, as far as it is true with the one user, default.
#include <array>
#include <cstdio>
#include <random>

#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/config_table.h"
#include "server/session.h"
#include "server/sha256.h"

namespace basalt {

namespace {

std::string PasswordHash(CommandContext& ctx) {
  const std::string& password = ctx.services.config.current().requirepass;
  return password.empty() ? "" : Sha256Hex(password);
}

Status WhoAmI(CommandContext& ctx) {
  ctx.reply.Bulk(ctx.session.user);
  return Ok();
}

Status Users(CommandContext& ctx) {
  ctx.reply.Array(1);
  ctx.reply.Bulk("default");
  return Ok();
}

Status List(CommandContext& ctx) {
  const std::string hash = PasswordHash(ctx);
  ctx.reply.Array(1);
  ctx.reply.Bulk("user default on " + (hash.empty() ? std::string("nopass") : '#' + hash) +
                 " sanitize-payload ~* &* +@all");
  return Ok();
}

Status GetUser(CommandContext& ctx) {
  if (ctx.arg(2) != "default") {
    ctx.reply.Null();
    return Ok();
  }
  const std::string hash = PasswordHash(ctx);
  ctx.reply.Map(6);
  ctx.reply.Bulk("flags");
  ctx.reply.Set(hash.empty() ? 3 : 2);
  ctx.reply.Bulk("on");
  if (hash.empty()) ctx.reply.Bulk("nopass");
  ctx.reply.Bulk("sanitize-payload");
  ctx.reply.Bulk("passwords");
  ctx.reply.Array(hash.empty() ? 0 : 1);
  if (!hash.empty()) ctx.reply.Bulk(hash);
  ctx.reply.Bulk("commands");
  ctx.reply.Bulk("+@all");
  ctx.reply.Bulk("keys");
  ctx.reply.Bulk("~*");
  ctx.reply.Bulk("channels");
  ctx.reply.Bulk("&*");
  ctx.reply.Bulk("selectors");
  ctx.reply.Array(0);
  return Ok();
}

Status Cat(CommandContext& ctx) {
  if (ctx.argc() > 3) return SubcommandSyntaxError(ctx);
  if (ctx.argc() == 2) {
    ctx.reply.Array(AclCategories().size());
    for (const AclCategoryName& category : AclCategories()) ctx.reply.Bulk(category.name);
    return Ok();
  }
  const uint32_t bit = AclCategoryByName(ctx.arg(2));
  if (bit == 0) return Status::Message("ERR Unknown category '" + std::string(ctx.arg(2)) + "'");
  const auto at = ctx.reply.Mark();
  uint64_t n = 0;
  for (const Command& command : ctx.services.commands.all()) {
    if ((command.acl_categories & bit) == 0) continue;
    ctx.reply.Bulk(command.name());
    ++n;
  }
  ctx.reply.InsertArray(at, n);
  return Ok();
}

Status GenPass(CommandContext& ctx) {
  int64_t bits = 256;
  if (ctx.argc() > 3) return SubcommandSyntaxError(ctx);
  if (ctx.argc() == 3 && (!ParseInteger(ctx.arg(2), &bits) || bits <= 0 || bits > 4096)) {
    if (!ParseInteger(ctx.arg(2), &bits)) return ErrorCode::kNotInteger;
    return Status::Message(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096");
  }
  std::random_device random;
  std::string text;
  for (int64_t i = 0; i < (bits + 3) / 4; ++i) text += "0123456789abcdef"[random() % 16];
  ctx.reply.Bulk(text);
  return Ok();
}

Status Help(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "CAT [<category>]",
      "    The categories, or the commands of one.",
      "GENPASS [<bits>]",
      "    A random password.",
      "GETUSER <username>",
      "    What a user may do.",
      "LIST",
      "    The users with their rules. There is one, default; its password is the option requirepass.",
      "USERS",
      "    The names of the users.",
      "WHOAMI",
      "    The user of this connection.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr CommandGroup kGroup = CommandGroup::kServer;
constexpr uint64_t kPlain = kCmdNoScript | kCmdLoading | kCmdStale | kCmdSentinel;
constexpr uint64_t kAdmin = kPlain | kCmdAdmin;
constexpr CommandHistory kGetUserHistory[] = {{"6.2.0", "Channel patterns."},
                                              {"7.0.0", "Selectors; key and channel patterns in one text each."}};

constexpr CommandSpec kCommands[] = {
    {.name = "acl",
     .arity = -2,
     .flags = kCmdSentinel,
     .group = kGroup,
     .since = "6.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about users."},
    {.name = "acl|cat",
     .arity = -2,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "[category]",
     .since = "6.0.0",
     .complexity = "O(1) since the categories and commands are a fixed set.",
     .summary = "The categories of commands, or the commands of one.",
     .handler = Cat},
    {.name = "acl|genpass",
     .arity = -2,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "[bits:integer]",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "A random password.",
     .handler = GenPass},
    {.name = "acl|getuser",
     .arity = 3,
     .flags = kAdmin,
     .group = kGroup,
     .syntax = "username",
     .since = "6.0.0",
     .complexity = "O(N). Where N is the number of password, command and pattern rules that the user has.",
     .summary = "What a user may do.",
     .handler = GetUser,
     .history = kGetUserHistory},
    {.name = "acl|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale | kCmdSentinel,
     .group = kGroup,
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = Help},
    {.name = "acl|list",
     .arity = 2,
     .flags = kAdmin,
     .group = kGroup,
     .since = "6.0.0",
     .complexity = "O(N). Where N is the number of configured users.",
     .summary = "The users with their rules.",
     .handler = List},
    {.name = "acl|users",
     .arity = 2,
     .flags = kAdmin,
     .group = kGroup,
     .since = "6.0.0",
     .complexity = "O(N). Where N is the number of configured users.",
     .summary = "The names of the users.",
     .handler = Users},
    {.name = "acl|whoami",
     .arity = 2,
     .flags = kPlain,
     .group = kGroup,
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "The user of this connection.",
     .handler = WhoAmI},
};

}  // namespace

std::span<const CommandSpec> AclCommands() { return kCommands; }

}  // namespace basalt
