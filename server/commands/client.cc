// CLIENT and its subcommands.
#include <algorithm>
#include <limits>

#include "server/acl/user_registry.h"
#include "server/client_handler.h"
#include "server/client_registry.h"
#include "server/command_context.h"
#include "server/commands/client_names.h"
#include "server/commands/client_text.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/tracking.h"
#include "server/parked_registry.h"
#include "server/pubsub.h"
#include "server/server.h"
#include "server/session.h"

namespace basalt {

namespace {

// The size of the running command as it came in, which is what a query buffer holds meanwhile.
uint64_t RespBytes(std::span<const std::string_view> argv) {
  const auto digits = [](size_t n) { return std::to_string(n).size(); };
  uint64_t bytes = 1 + digits(argv.size()) + 2;
  for (const std::string_view arg : argv) bytes += 1 + digits(arg.size()) + 2 + arg.size() + 2;
  return bytes;
}

std::string LineOf(CommandContext& ctx, const ClientInfo& client) {
  const bool self = client.id == ctx.session.id;
  return ClientLine(client, ctx.now_ms(), self ? RespBytes(ctx.argv) : 0) + '\n';
}

Status ParseOnOff(std::string_view word, bool* on) {
  *on = EqualsIgnoreCase(word, "on");
  return *on || EqualsIgnoreCase(word, "off") ? Ok() : Status(ErrorCode::kSyntax);
}

Status UnknownType(std::string_view name) {
  return Status::Message("ERR Unknown client type '" + std::string(name) + "'");
}

Status Id(CommandContext& ctx) {
  ctx.reply.Integer(static_cast<int64_t>(ctx.session.id));
  return Ok();
}

Status Info(CommandContext& ctx) {
  ctx.reply.Verbatim("txt", LineOf(ctx, *ctx.session.info));
  return Ok();
}

Status List(CommandContext& ctx) {
  std::string lines;
  if (ctx.argc() == 4 && EqualsIgnoreCase(ctx.arg(2), "type")) {
    const auto type = ClientTypeByName(ctx.arg(3));
    if (!type) return UnknownType(ctx.arg(3));
    for (const auto& client : ctx.services.clients.All()) {
      if (TypeOf(*client) == *type) lines += LineOf(ctx, *client);
    }
  } else if (ctx.argc() > 3 && EqualsIgnoreCase(ctx.arg(2), "id")) {
    for (size_t i = 3; i < ctx.argc(); ++i) {
      int64_t id = 0;
      if (!ParseInteger(ctx.arg(i), &id)) return Status::Message("ERR Invalid client ID");
      if (const auto client = ctx.services.clients.Find(static_cast<uint64_t>(id))) lines += LineOf(ctx, *client);
    }
  } else if (ctx.argc() == 2) {
    for (const auto& client : ctx.services.clients.All()) lines += LineOf(ctx, *client);
  } else {
    return ErrorCode::kSyntax;
  }
  ctx.reply.Verbatim("txt", lines);
  return Ok();
}

struct KillFilter {
  uint64_t id = 0;  // 0: any
  std::optional<ClientType> type;
  std::optional<std::string_view> address, local_address, user;
  bool skip_me = true;

  bool Matches(const ClientInfo& client) const {
    return (id == 0 || client.id == id) && (!type || TypeOf(client) == *type) &&
           (!address || client.conn.peer == *address) && (!local_address || client.conn.local == *local_address) &&
           (!user || client.user() == *user);
  }
};

Status ParseKillFilter(CommandContext& ctx, KillFilter* filter) {
  for (size_t i = 2; i < ctx.argc(); i += 2) {
    if (i + 1 == ctx.argc()) return ErrorCode::kSyntax;
    const std::string_view option = ctx.arg(i), value = ctx.arg(i + 1);
    if (EqualsIgnoreCase(option, "id")) {
      int64_t id = 0;
      if (!ParseInteger(value, &id) || id < 1) return Status::Message("ERR client-id should be greater than 0");
      filter->id = static_cast<uint64_t>(id);
    } else if (EqualsIgnoreCase(option, "type")) {
      filter->type = ClientTypeByName(value);
      if (!filter->type) return UnknownType(value);
    } else if (EqualsIgnoreCase(option, "addr")) {
      filter->address = value;
    } else if (EqualsIgnoreCase(option, "laddr")) {
      filter->local_address = value;
    } else if (EqualsIgnoreCase(option, "user")) {
      if (ctx.services.users.Find(value) == nullptr)
        return Status::Message("ERR No such user '" + std::string(value) + "'");
      filter->user = value;
    } else if (EqualsIgnoreCase(option, "skipme")) {
      filter->skip_me = EqualsIgnoreCase(value, "yes");
      if (!filter->skip_me && !EqualsIgnoreCase(value, "no")) return ErrorCode::kSyntax;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return Ok();
}

Status Kill(CommandContext& ctx) {
  const bool old_form = ctx.argc() == 3;
  KillFilter filter;
  if (old_form) {
    filter.address = ctx.arg(2);
    filter.skip_me = false;
  } else {
    BASALT_RETURN_IF_ERROR(ParseKillFilter(ctx, &filter));
  }
  int64_t killed = 0;
  for (const auto& client : ctx.services.clients.All()) {
    const bool self = client->id == ctx.session.id;
    if (!filter.Matches(*client) || (self && filter.skip_me)) continue;
    ++killed;
    // One's own connection ends after the reply.
    if (self)
      ctx.session.close_after_reply = true;
    else
      KillClient(ctx.services, *client);
  }
  if (!old_form) {
    ctx.reply.Integer(killed);
  } else if (killed == 0) {
    return Status::Message("ERR No such client");
  } else {
    ctx.reply.Ok();
  }
  return Ok();
}

Status Reply(CommandContext& ctx) {
  if (EqualsIgnoreCase(ctx.arg(2), "on")) {
    ctx.session.reply_mode = ReplyMode::kOn;
    ctx.reply.Ok();
  } else if (EqualsIgnoreCase(ctx.arg(2), "off")) {
    ctx.session.reply_mode = ReplyMode::kOff;
  } else if (EqualsIgnoreCase(ctx.arg(2), "skip")) {
    if (ctx.session.reply_mode != ReplyMode::kOff) ctx.session.reply_mode = ReplyMode::kSkipNext;
  } else {
    return ErrorCode::kSyntax;
  }
  ctx.session.info->reply_off.store(ctx.session.reply_mode == ReplyMode::kOff, std::memory_order_relaxed);
  return Ok();
}

Status NoEvict(CommandContext& ctx) {
  bool on = false;
  BASALT_RETURN_IF_ERROR(ParseOnOff(ctx.arg(2), &on));
  ctx.session.no_evict = on;
  ctx.session.info->no_evict.store(on, std::memory_order_relaxed);
  ctx.reply.Ok();
  return Ok();
}

Status NoTouch(CommandContext& ctx) {
  bool on = false;
  BASALT_RETURN_IF_ERROR(ParseOnOff(ctx.arg(2), &on));
  ctx.session.no_touch = on;
  ctx.session.info->no_touch.store(on, std::memory_order_relaxed);
  ctx.reply.Ok();
  return Ok();
}

Status Unblock(CommandContext& ctx) {
  if (ctx.argc() > 4) return SubcommandSyntaxError(ctx);
  const bool with_error = ctx.argc() == 4 && EqualsIgnoreCase(ctx.arg(3), "error");
  if (ctx.argc() == 4 && !with_error && !EqualsIgnoreCase(ctx.arg(3), "timeout")) {
    return Status::Message("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  int64_t id = 0;
  if (!ParseInteger(ctx.arg(2), &id)) return ErrorCode::kNotInteger;
  ctx.reply.Integer(id > 0 && ctx.services.parked.Unblock(static_cast<uint64_t>(id), with_error) ? 1 : 0);
  return Ok();
}

Status SetName(CommandContext& ctx) {
  if (!IsClientWord(ctx.arg(2))) return Status::Message(std::string(kBadClientName));
  ctx.session.info->SetName(ctx.arg(2));
  ctx.reply.Ok();
  return Ok();
}

Status GetName(CommandContext& ctx) {
  const std::string name = ctx.session.info->name();
  name.empty() ? ctx.reply.Null() : ctx.reply.Bulk(name);
  return Ok();
}

Status SetInfo(CommandContext& ctx) {
  const std::string_view attribute = ctx.arg(2);
  const bool is_name = EqualsIgnoreCase(attribute, "lib-name");
  if (!is_name && !EqualsIgnoreCase(attribute, "lib-ver"))
    return Status::Message("ERR Unrecognized option '" + std::string(attribute) + "'");
  if (!IsClientWord(ctx.arg(3)))
    return Status::Message("ERR " + std::string(attribute) + " cannot contain spaces, newlines or special characters.");
  is_name ? ctx.session.info->SetLibName(ctx.arg(3)) : ctx.session.info->SetLibVersion(ctx.arg(3));
  ctx.reply.Ok();
  return Ok();
}

Status Pause(CommandContext& ctx) {
  if (ctx.argc() > 4) return SubcommandSyntaxError(ctx);
  const bool writes_only = ctx.argc() == 4 && EqualsIgnoreCase(ctx.arg(3), "write");
  if (ctx.argc() == 4 && !writes_only && !EqualsIgnoreCase(ctx.arg(3), "all"))
    return Status::Message("ERR CLIENT PAUSE mode must be WRITE or ALL");
  int64_t timeout = 0;
  if (!ParseInteger(ctx.arg(2), &timeout)) return Status::Message("ERR timeout is not an integer or out of range");
  if (timeout < 0) return Status::Message("ERR timeout is negative");
  if (timeout > std::numeric_limits<int64_t>::max() - ctx.now_ms())
    return Status::Message("ERR timeout is out of range");
  ctx.services.server.Pause(ctx.now_ms() + timeout, !writes_only);
  ctx.reply.Ok();
  return Ok();
}

Status Unpause(CommandContext& ctx) {
  ctx.services.server.Unpause();
  ctx.reply.Ok();
  return Ok();
}

Status Help(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "CACHING (YES|NO)",
      "    Say whether the keys of the next command are tracked.",
      "GETNAME",
      "    The name of this connection.",
      "GETREDIR",
      "    The client that invalidation messages are sent to, -1 when there is none.",
      "ID",
      "    The number of this connection. Numbers only grow.",
      "INFO",
      "    The line of CLIENT LIST about this connection.",
      "KILL <ip:port>",
      "    Close the connection that came from there.",
      "KILL <filter> <value> [<filter> <value> ...]",
      "    Close all connections that meet every filter, and tell how many. Filters:",
      "    ID <id>, ADDR <ip:port>, LADDR <ip:port>, USER <name>,",
      "    TYPE (NORMAL|MASTER|REPLICA|PUBSUB), SKIPME (YES|NO), which is YES unless given.",
      "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <id> ...]",
      "    One line for every connection.",
      "NO-EVICT (ON|OFF)",
      "    Spare this connection when clients take too much memory.",
      "NO-TOUCH (ON|OFF)",
      "    Do not count this connection's commands as use of their keys.",
      "PAUSE <milliseconds> [WRITE|ALL]",
      "    Hold back all commands, or those that write, for a while.",
      "REPLY (ON|OFF|SKIP)",
      "    Send replies, send none, or leave out the next one.",
      "SETINFO (LIB-NAME|LIB-VER) <value>",
      "    Tell which client library this is.",
      "SETNAME <name>",
      "    Name this connection.",
      "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> ...] [OPTIN] [OPTOUT] [NOLOOP]",
      "    Get a message when a key changes that this connection has read (with BCAST: any key, or any that begins "
      "with",
      "    one of the prefixes). REDIRECT sends it to another connection; OPTIN, OPTOUT: see CACHING; NOLOOP leaves "
      "out",
      "    what this connection changes itself.",
      "TRACKINGINFO",
      "    The state of client side caching on this connection.",
      "UNBLOCK <id> [TIMEOUT|ERROR]",
      "    End the blocking command of another connection.",
      "UNPAUSE",
      "    End CLIENT PAUSE.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr CommandHistory kKillHistory[] = {
    {"2.8.12", "Filters, as the second form."},
    {"3.2.0", "`TYPE` knows `master`."},
    {"5.0.0", "`TYPE` says `replica`; `slave` still works."},
    {"6.2.0", "The `LADDR` filter."},
};
constexpr CommandHistory kListHistory[] = {
    {"2.8.12", "The field `id`."},
    {"5.0.0", "The filter `TYPE`."},
    {"6.0.0", "The field `user`."},
    {"6.2.0", "The fields `argv-mem`, `tot-mem`, `laddr` and `redir`; the filter `ID`."},
    {"7.0.0", "The fields `resp`, `multi-mem`, `rbs` and `rbp`."},
    {"7.0.3", "The field `ssub`."},
};
constexpr CommandHistory kPauseHistory[] = {{"6.2.0", "The mode `WRITE`."}};

constexpr uint64_t kPlain = kCmdNoScript | kCmdLoading | kCmdStale | kCmdSentinel;
constexpr uint64_t kAdmin = kPlain | kCmdAdmin;
constexpr CommandGroup kGroup = CommandGroup::kConnection;

constexpr CommandSpec kCommands[] = {
    {.name = "client",
     .arity = -2,
     .flags = kCmdSentinel,
     .group = kGroup,
     .since = "2.4.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about client connections."},
    {.name = "client|caching",
     .arity = 3,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "(YES | NO)",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Says whether the keys of the next command are tracked.",
     .handler = Caching},
    {.name = "client|getname",
     .arity = 2,
     .flags = kPlain,
     .group = kGroup,
     .since = "2.6.9",
     .complexity = "O(1)",
     .summary = "The name of this connection.",
     .handler = GetName},
    {.name = "client|getredir",
     .arity = 2,
     .flags = kPlain,
     .group = kGroup,
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "The client to which invalidation messages are redirected.",
     .handler = GetRedir},
    {.name = "client|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale | kCmdSentinel,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = Help},
    {.name = "client|id",
     .arity = 2,
     .flags = kPlain,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "The number of this connection.",
     .handler = Id},
    {.name = "client|info",
     .arity = 2,
     .flags = kPlain,
     .group = kGroup,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "What CLIENT LIST says about this connection.",
     .handler = Info,
     .tips = {"nondeterministic_output"}},
    {.name = "client|kill",
     .arity = -3,
     .flags = kAdmin,
     .group = kGroup,
     .syntax = "(old-address | [ID client-id:integer | TYPE (NORMAL | MASTER | SLAVE | REPLICA | PUBSUB) | USER "
               "username | ADDR address | LADDR address | "
               "SKIPME (YES | NO)]…)",
     .since = "2.4.0",
     .complexity = "O(N) where N is the number of client connections",
     .summary = "Closes connections.",
     .handler = Kill,
     .history = kKillHistory},
    {.name = "client|list",
     .arity = -2,
     .flags = kAdmin,
     .group = kGroup,
     .syntax = "[TYPE (NORMAL | MASTER | REPLICA | PUBSUB)] [ID client-id:integer…]",
     .since = "2.4.0",
     .complexity = "O(N) where N is the number of client connections",
     .summary = "One line about every connection.",
     .handler = List,
     .tips = {"nondeterministic_output"},
     .history = kListHistory},
    {.name = "client|no-evict",
     .arity = 3,
     .flags = kAdmin,
     .group = kGroup,
     .syntax = "(ON | OFF)",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Spares this connection when clients take too much memory.",
     .handler = NoEvict},
    {.name = "client|no-touch",
     .arity = 3,
     .flags = kCmdNoScript | kCmdLoading | kCmdStale,
     .group = kGroup,
     .syntax = "(ON | OFF)",
     .since = "7.2.0",
     .complexity = "O(1)",
     .summary = "Stops this connection's commands from counting as use of their keys.",
     .handler = NoTouch},
    {.name = "client|pause",
     .arity = -3,
     .flags = kAdmin | kCmdExclusive,
     .group = kGroup,
     .syntax = "timeout:integer [WRITE | ALL]",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Holds back commands for a while.",
     .handler = Pause,
     .history = kPauseHistory},
    {.name = "client|reply",
     .arity = 3,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "(ON | OFF | SKIP)",
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Says whether replies are sent.",
     .handler = Reply},
    {.name = "client|setinfo",
     .arity = 4,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "(LIB-NAME libname | LIB-VER libver)",
     .since = "7.2.0",
     .complexity = "O(1)",
     .summary = "Tells which client library is used.",
     .handler = SetInfo,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
    {.name = "client|setname",
     .arity = 3,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "connection-name",
     .since = "2.6.9",
     .complexity = "O(1)",
     .summary = "Names this connection.",
     .handler = SetName,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
    {.name = "client|tracking",
     .arity = -3,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "(ON | OFF) [REDIRECT client-id:integer] [PREFIX prefix]… [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
     .since = "6.0.0",
     .complexity = "O(1). Some options may introduce additional complexity.",
     .summary = "Has the server tell when a key that this connection has read, or that begins with a prefix, changes.",
     .handler = TrackingCommand},
    {.name = "client|trackinginfo",
     .arity = 2,
     .flags = kPlain,
     .group = kGroup,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "The state of client side caching on this connection.",
     .handler = TrackingInfo},
    {.name = "client|unblock",
     .arity = -3,
     .flags = kAdmin,
     .group = kGroup,
     .syntax = "client-id:integer [TIMEOUT | ERROR]",
     .since = "5.0.0",
     .complexity = "O(log N) where N is the number of client connections",
     .summary = "Ends the blocking command of another connection.",
     .handler = Unblock},
    {.name = "client|unpause",
     .arity = 2,
     .flags = kAdmin,
     .group = kGroup,
     .since = "6.2.0",
     .complexity = "O(N) Where N is the number of paused clients",
     .summary = "Ends CLIENT PAUSE.",
     .handler = Unpause},
};

}  // namespace

std::span<const CommandSpec> ClientCommands() { return kCommands; }

}  // namespace basalt
