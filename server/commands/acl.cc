// ACL: users, what they may do, and what was denied to them.
#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <random>

#include "server/acl/permission.h"
#include "server/acl/user_registry.h"
#include "server/client_handler.h"
#include "server/client_registry.h"
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/config_table.h"
#include "server/session.h"

namespace basalt {

namespace {

// ---- users ----

Status WhoAmI(CommandContext& ctx) {
  ctx.reply.Bulk(ctx.session.user->name());
  return Ok();
}

Status Users(CommandContext& ctx) {
  const UserRegistry::UsersPtr users = ctx.services.users.All();
  ctx.reply.Array(users->size());
  for (const auto& [name, user] : *users) ctx.reply.Bulk(name);
  return Ok();
}

Status List(CommandContext& ctx) {
  const UserRegistry::UsersPtr users = ctx.services.users.All();
  ctx.reply.Array(users->size());
  for (const auto& [name, user] : *users) ctx.reply.Bulk("user " + name + ' ' + user->Text());
  return Ok();
}

constexpr size_t kSelectorFields = 3;
void WriteSelector(net::ReplyBuilder& reply, const Selector& selector) {
  reply.Bulk("commands");
  reply.Bulk(selector.CommandsText());
  reply.Bulk("keys");
  reply.Bulk(selector.KeysText());
  reply.Bulk("channels");
  reply.Bulk(selector.ChannelsText());
}

Status GetUser(CommandContext& ctx) {
  const UserPtr user = ctx.services.users.Find(ctx.arg(2));
  if (user == nullptr) {
    ctx.reply.Null();
    return Ok();
  }
  net::ReplyBuilder& reply = ctx.reply;
  reply.Map(3 + kSelectorFields);
  reply.Bulk("flags");
  const std::vector<std::string_view> flags = user->Flags();
  reply.Set(flags.size());
  for (const std::string_view flag : flags) reply.Bulk(flag);
  reply.Bulk("passwords");
  reply.Array(user->passwords().size());
  for (const std::string& hash : user->passwords()) reply.Bulk(hash);
  WriteSelector(reply, user->root());
  reply.Bulk("selectors");
  reply.Array(user->more_selectors().size());
  for (const Selector& selector : user->more_selectors()) {
    reply.Map(kSelectorFields);
    WriteSelector(reply, selector);
  }
  return Ok();
}

// Ends the connections of a user that is no more. One's own ends after the reply: RefreshUser().
void EndClients(CommandContext& ctx, std::string_view user) {
  for (const auto& client : ctx.services.clients.All()) {
    if (client->id != ctx.session.id && client->user() == user) KillClient(ctx.services, *client);
  }
}

// Ends the connections that listen to what their user may not hear any more.
void EndSubscribers(CommandContext& ctx, const User& user) {
  for (const auto& client : ctx.services.clients.All()) {
    if (client->id != ctx.session.id && client->user() == user.name() &&
        ListensToForbidden(ctx.services, *client, user)) {
      KillClient(ctx.services, *client);
    }
  }
}

Status SetUserCommand(CommandContext& ctx) {
  const std::string_view name = ctx.arg(2);
  if (HasBlanks(name)) return Status::Message("ERR Usernames can't contain spaces or null characters");
  UserRegistry::Change change;
  std::string error;
  if (!ctx.services.users.Set(name, ctx.argv.subspan(3), &change, &error)) return Status::Message("ERR " + error);
  if (change.before != nullptr && change.after->LosesChannelsOf(*change.before)) EndSubscribers(ctx, *change.after);
  RefreshUser(ctx.services, ctx.session);
  ctx.reply.Ok();
  return Ok();
}

Status DelUser(CommandContext& ctx) {
  const std::span<const std::string_view> names = ctx.argv.subspan(2);
  for (const std::string_view name : names) {
    if (name == kDefaultUserName) return Status::Message("ERR The 'default' user cannot be removed");
  }
  int64_t deleted = 0;
  for (const std::string_view name : names) {
    if (!ctx.services.users.Delete(name)) continue;
    ++deleted;
    EndClients(ctx, name);
  }
  RefreshUser(ctx.services, ctx.session);
  ctx.reply.Integer(deleted);
  return Ok();
}

Status DryRun(CommandContext& ctx) {
  const UserPtr user = ctx.services.users.Find(ctx.arg(2));
  if (user == nullptr) return Status::Message("ERR User '" + std::string(ctx.arg(2)) + "' not found");
  const std::span<const std::string_view> argv = ctx.argv.subspan(3);
  Status unknown;
  const Command* command = ctx.services.commands.Resolve(argv, &unknown);
  if (command == nullptr) return Status::Message("ERR Command '" + std::string(argv[0]) + "' not found");
  BASALT_RETURN_IF_ERROR(CommandTable::CheckArity(*command->spec, argv.size()));
  const AclVerdict verdict = user->Check(*command, argv);
  if (verdict.allowed()) {
    ctx.reply.Ok();
  } else {
    ctx.reply.Bulk(DenialText(verdict, *user, *command, argv, DenialDetail::kFull));
  }
  return Ok();
}

// ---- the file ----

Status RequireAclFile(const CommandContext& ctx) {
  if (!ctx.services.config.current().aclfile.empty()) return Ok();
  return Status::Message(
      "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
      "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
      "users "
      "in the Redis configuration.");
}

Status Load(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(RequireAclFile(ctx));
  const UserRegistry::UsersPtr before = ctx.services.users.All();
  std::string error;
  if (!ctx.services.users.Load(&error)) return Status::Message("ERR " + error);
  for (const auto& [name, user] : *before) {
    if (name != kDefaultUserName) EndClients(ctx, name);
  }
  RefreshUser(ctx.services, ctx.session);
  ctx.reply.Ok();
  return Ok();
}

Status Save(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(RequireAclFile(ctx));
  std::string error;
  if (!ctx.services.users.Save(&error)) {
    LOG(ERROR) << "ACL SAVE to '" << ctx.services.config.current().aclfile << "': " << error;
    return Status::Message(
        "ERR There was an error trying to save the ACLs. Please check the server logs for more information");
  }
  ctx.reply.Ok();
  return Ok();
}

// ---- what was denied ----

std::string_view ReasonName(AclDenial reason) {
  switch (reason) {
    case AclDenial::kCommand:
      return "command";
    case AclDenial::kKey:
      return "key";
    case AclDenial::kChannel:
      return "channel";
    case AclDenial::kAuth:
      return "auth";
    case AclDenial::kNone:
      break;
  }
  return "unknown";
}

std::string_view ContextName(AclLog::Context context) {
  switch (context) {
    case AclLog::Context::kTopLevel:
      return "toplevel";
    case AclLog::Context::kMulti:
      return "multi";
    case AclLog::Context::kScript:
      return "lua";
  }
  return "unknown";
}

void WriteEntry(net::ReplyBuilder& reply, const AclLog::Entry& entry, int64_t now_ms) {
  reply.Map(10);
  reply.Bulk("count");
  reply.Integer(static_cast<int64_t>(entry.count));
  reply.Bulk("reason");
  reply.Bulk(ReasonName(entry.reason));
  reply.Bulk("context");
  reply.Bulk(ContextName(entry.context));
  reply.Bulk("object");
  reply.Bulk(entry.object);
  reply.Bulk("username");
  reply.Bulk(entry.user);
  reply.Bulk("age-seconds");
  reply.Double(static_cast<double>(now_ms - entry.updated_ms) / 1000);
  reply.Bulk("client-info");
  reply.Bulk(entry.client);
  reply.Bulk("entry-id");
  reply.Integer(static_cast<int64_t>(entry.id));
  reply.Bulk("timestamp-created");
  reply.Integer(entry.created_ms);
  reply.Bulk("timestamp-last-updated");
  reply.Integer(entry.updated_ms);
}

Status Log(CommandContext& ctx) {
  if (ctx.argc() > 3) return SubcommandSyntaxError(ctx);
  int64_t count = 10;
  if (ctx.argc() == 3) {
    if (EqualsIgnoreCase(ctx.arg(2), "reset")) {
      ctx.services.users.log().Reset();
      ctx.reply.Ok();
      return Ok();
    }
    if (!ParseInteger(ctx.arg(2), &count)) return ErrorCode::kNotInteger;
  }
  const std::vector<AclLog::Entry> entries =
      ctx.services.users.log().Newest(static_cast<size_t>(std::max<int64_t>(0, count)));
  ctx.reply.Array(entries.size());
  for (const AclLog::Entry& entry : entries) WriteEntry(ctx.reply, entry, ctx.now_ms());
  return Ok();
}

// ---- categories, passwords, help ----

Status Cat(CommandContext& ctx) {
  if (ctx.argc() > 3) return SubcommandSyntaxError(ctx);
  if (ctx.argc() == 2) {
    ctx.reply.Array(AclCategories().size());
    for (const AclCategoryName& category : AclCategories()) ctx.reply.Bulk(category.name);
    return Ok();
  }
  const uint32_t bit = AclCategoryByName(ctx.arg(2));
  if (bit == 0) return Status::Message("ERR Unknown category '" + std::string(ctx.arg(2).substr(0, 128)) + "'");
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
  if (ctx.argc() == 3 && !ParseInteger(ctx.arg(2), &bits)) return ErrorCode::kNotInteger;
  if (bits <= 0 || bits > 4096) {
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
      "DELUSER <username> [<username> ...]",
      "    Remove users, and end their connections.",
      "DRYRUN <username> <command> [<arg> ...]",
      "    Whether a user may run a command, which is not run.",
      "GENPASS [<bits>]",
      "    A random password.",
      "GETUSER <username>",
      "    What a user may do.",
      "LIST",
      "    The users with their rules.",
      "LOAD",
      "    Replace the users by those of the aclfile.",
      "LOG [<count> | RESET]",
      "    What was denied lately; or forget that.",
      "SAVE",
      "    Write the users into the aclfile.",
      "SETUSER <username> [<rule> ...]",
      "    Make a user, or change what one may do.",
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
constexpr std::array<std::string_view, 4> kAllNodes = {"request_policy:all_nodes", "response_policy:all_succeeded"};
constexpr CommandHistory kGetUserHistory[] = {{"6.2.0", "Channel patterns."},
                                              {"7.0.0", "Selectors; key and channel patterns in one text each."}};
constexpr CommandHistory kLogHistory[] = {
    {"7.2.0", "Entries have an id and the times of their first and last denial."}};
constexpr CommandHistory kSetUserHistory[] = {{"6.2.0", "Channel patterns."},
                                              {"7.0.0", "Selectors, and key patterns for reading or writing only."}};

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
    {.name = "acl|deluser",
     .arity = -3,
     .flags = kAdmin | kCmdSlowLane,
     .group = kGroup,
     .syntax = "username…",
     .since = "6.0.0",
     .complexity = "O(1) amortized time considering the typical user.",
     .summary = "Removes users, and ends their connections.",
     .handler = DelUser,
     .tips = kAllNodes},
    {.name = "acl|dryrun",
     .arity = -4,
     .flags = kAdmin,
     .group = kGroup,
     .syntax = "username command [arg…]",
     .since = "7.0.0",
     .complexity = "O(1).",
     .summary = "Tells whether a user may run a command, without running it.",
     .handler = DryRun},
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
     .flags = kAdmin | kCmdSlowLane,
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
     .flags = kAdmin | kCmdSlowLane,
     .group = kGroup,
     .since = "6.0.0",
     .complexity = "O(N). Where N is the number of configured users.",
     .summary = "The users with their rules.",
     .handler = List},
    {.name = "acl|load",
     .arity = 2,
     .flags = kAdmin | kCmdSlowLane,
     .group = kGroup,
     .since = "6.0.0",
     .complexity = "O(N). Where N is the number of configured users.",
     .summary = "Replaces the users by those of the aclfile.",
     .handler = Load},
    {.name = "acl|log",
     .arity = -2,
     .flags = kAdmin,
     .group = kGroup,
     .syntax = "[count:integer | RESET]",
     .since = "6.0.0",
     .complexity = "O(N) with N being the number of entries shown.",
     .summary = "What was denied lately.",
     .handler = Log,
     .history = kLogHistory},
    {.name = "acl|save",
     .arity = 2,
     .flags = kAdmin | kCmdSlowLane,
     .group = kGroup,
     .since = "6.0.0",
     .complexity = "O(N). Where N is the number of configured users.",
     .summary = "Writes the users into the aclfile.",
     .handler = Save,
     .tips = kAllNodes},
    {.name = "acl|setuser",
     .arity = -3,
     .flags = kAdmin | kCmdSlowLane,
     .group = kGroup,
     .syntax = "username [rule…]",
     .since = "6.0.0",
     .complexity = "O(N). Where N is the number of rules provided.",
     .summary = "Makes a user, or changes what one may do.",
     .handler = SetUserCommand,
     .tips = kAllNodes,
     .history = kSetUserHistory},
    {.name = "acl|users",
     .arity = 2,
     .flags = kAdmin | kCmdSlowLane,
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
