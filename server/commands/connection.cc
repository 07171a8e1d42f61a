// HELLO AUTH PING ECHO SELECT QUIT RESET.
#include "net/transport.h"
#include "server/acl/permission.h"
#include "server/client_registry.h"
#include "server/client_tracking.h"
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/client_names.h"
#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/monitor_hub.h"
#include "server/pubsub.h"
#include "server/session.h"
#include "server/version.h"
#include "server/watch_table.h"

namespace basalt {

namespace {

// A longer password is hashed in the slow lane.
constexpr size_t kFastPasswordBytesMax = 64 * 1024;

Status LogIn(CommandContext& ctx, std::string_view name, std::string_view password) {
  if (password.size() > kFastPasswordBytesMax && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
  return Authenticate(ctx.services, ctx.session, ctx.arg(0), name, password);
}

Status Auth(CommandContext& ctx) {
  if (ctx.argc() > 3) return ErrorCode::kSyntax;
  if (ctx.argc() == 2 && ctx.services.users.default_user()->nopass()) {
    return Status::Message(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  }
  const std::string_view name = ctx.argc() == 2 ? kDefaultUserName : ctx.arg(1);
  BASALT_RETURN_IF_ERROR(LogIn(ctx, name, ctx.argv.back()));
  ctx.reply.Ok();
  return Ok();
}

void WriteHello(CommandContext& ctx) {
  net::ReplyBuilder& reply = ctx.reply;
  reply.Map(7);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(static_cast<int64_t>(ctx.session.resp));
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(ctx.session.id));
  reply.Bulk("mode");
  reply.Bulk("standalone");
  reply.Bulk("role");
  reply.Bulk("master");
  reply.Bulk("modules");
  reply.Array(0);
}

Status Hello(CommandContext& ctx) {
  int64_t version = 0;
  if (ctx.argc() >= 2) {
    if (!ParseInteger(ctx.arg(1), &version))
      return Status::Message("ERR Protocol version is not an integer or out of range");
    if (version < 2 || version > 3) return Status::Message("NOPROTO unsupported protocol version");
  }
  std::string_view user, password, name;
  bool has_auth = false, has_name = false;
  for (size_t i = 2; i < ctx.argc(); ++i) {
    const size_t more = ctx.argc() - 1 - i;
    if (EqualsIgnoreCase(ctx.arg(i), "AUTH") && more >= 2) {
      user = ctx.arg(i + 1), password = ctx.arg(i + 2), has_auth = true;
      i += 2;
    } else if (EqualsIgnoreCase(ctx.arg(i), "SETNAME") && more >= 1) {
      name = ctx.arg(i + 1), has_name = true;
      if (!IsClientWord(name)) return Status::Message(std::string(kBadClientName));
      ++i;
    } else {
      return Status::Message("ERR Syntax error in HELLO option '" + std::string(ctx.arg(i)) + "'");
    }
  }
  if (has_auth) BASALT_RETURN_IF_ERROR(LogIn(ctx, user, password));
  if (!ctx.session.authenticated) {
    return Status::Message(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
        "<pass> option can be used to "
        "authenticate the client and select the RESP protocol version at the same time");
  }
  if (has_name) ctx.session.info->SetName(name);
  if (version != 0) SetRespVersion(ctx, version == 3 ? net::RespVersion::kResp3 : net::RespVersion::kResp2);
  WriteHello(ctx);
  return Ok();
}

Status Ping(CommandContext& ctx) {
  if (ctx.argc() > 2) return Status::Message("ERR wrong number of arguments for 'ping' command");
  // Who asks whether the server is well is told that it takes no writes.
  if (ctx.services.storage.health() >= storage::Health::kReadOnly)
    return Status::Message("MISCONF " + ctx.services.storage.HealthReason());
  // A subscriber on RESP2 gets the answer in the form of a message.
  if (ctx.session.info->subscribed() && ctx.session.resp == net::RespVersion::kResp2) {
    ctx.reply.Array(2);
    ctx.reply.Bulk("pong");
    ctx.reply.Bulk(ctx.argc() == 2 ? ctx.arg(1) : "");
  } else if (ctx.argc() == 2) {
    ctx.reply.Bulk(ctx.arg(1));
  } else {
    ctx.reply.Simple("PONG");
  }
  return Ok();
}

Status Echo(CommandContext& ctx) {
  ctx.reply.Bulk(ctx.arg(1));
  return Ok();
}

Status Select(CommandContext& ctx) {
  storage::DbIndex index = 0;
  BASALT_RETURN_IF_ERROR(ParseDb(ctx, ctx.arg(1), &index));
  ctx.session.db = index;
  ctx.session.info->db.store(index, std::memory_order_relaxed);
  ctx.reply.Ok();
  return Ok();
}

Status Quit(CommandContext& ctx) {
  ctx.session.close_after_reply = true;
  ctx.reply.Ok();
  return Ok();
}

Status Reset(CommandContext& ctx) {
  Session& session = ctx.session;
  ClientInfo& info = *session.info;
  session.DiscardTransaction();
  ctx.services.watches.Forget(session.watch);
  ctx.services.pubsub.Forget(session);
  info.ShowWatch(nullptr);
  session.db = 0;
  session.reply_mode = ReplyMode::kOn;
  session.no_evict = session.no_touch = false;
  ctx.services.tracking.Disable(session);
  if (session.monitor) {
    session.monitor = false;
    ctx.services.monitors.Remove(session.conn.id);
  }
  SetDefaultUser(ctx.services, session);
  info.db = 0;
  info.no_evict = info.no_touch = info.monitor = info.reply_off = false;
  info.SetName("");
  SetRespVersion(ctx, net::RespVersion::kResp2);
  ctx.reply.Simple("RESET");
  return Ok();
}

constexpr CommandHistory kAuthHistory[] = {{"6.0.0", "AUTH takes a user name before the password."}};
constexpr CommandHistory kHelloHistory[] = {{"6.2.0", "`protover` may be left out; the protocol then stays as it is."}};
constexpr CommandHistory kQuitHistory[] = {{"7.2.0", "Deprecated: clients close the connection."}};

constexpr CommandSpec kCommands[] = {
    {.name = "auth",
     .arity = -2,
     .flags = kCmdNoScript | kCmdLoading | kCmdStale | kCmdFast | kCmdNoAuth | kCmdSentinel | kCmdAllowBusy,
     .group = CommandGroup::kConnection,
     .syntax = "[username] password",
     .since = "1.0.0",
     .complexity = "O(N) where N is the number of passwords defined for the user",
     .summary = "Proves who the client is.",
     .handler = Auth,
     .history = kAuthHistory},
    {.name = "echo",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale | kCmdFast,
     .group = CommandGroup::kConnection,
     .syntax = "message",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers with its argument.",
     .handler = Echo},
    {.name = "hello",
     .arity = -1,
     .flags = kCmdNoScript | kCmdLoading | kCmdStale | kCmdFast | kCmdNoAuth | kCmdSentinel | kCmdAllowBusy |
              kCmdAfterPushes,
     .group = CommandGroup::kConnection,
     .syntax = "[protover:integer [AUTH (username password)] [SETNAME clientname]]",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Agrees on the protocol version, and says what the server is.",
     .handler = Hello,
     .history = kHelloHistory},
    {.name = "ping",
     .arity = -1,
     .flags = kCmdFast | kCmdSentinel | kCmdForSubscribers,
     .group = CommandGroup::kConnection,
     .syntax = "[message]",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Tells that the server lives.",
     .handler = Ping,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "quit",
     .arity = -1,
     .flags = kCmdAllowBusy | kCmdNoScript | kCmdLoading | kCmdStale | kCmdFast | kCmdNoAuth | kCmdImmediate |
              kCmdForSubscribers,
     .group = CommandGroup::kConnection,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Closes the connection once replies are sent.",
     .handler = Quit,
     .history = kQuitHistory,
     .doc_flags = "deprecated",
     .deprecated_since = "7.2.0",
     .replaced_by = "just closing the connection"},
    {.name = "reset",
     .arity = 1,
     .flags = kCmdNoScript | kCmdLoading | kCmdStale | kCmdFast | kCmdNoAuth | kCmdAllowBusy | kCmdImmediate |
              kCmdForSubscribers | kCmdAfterPushes,
     .group = CommandGroup::kConnection,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Puts the connection into the state of a new one.",
     .handler = Reset},
    {.name = "select",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale | kCmdFast,
     .group = CommandGroup::kConnection,
     .syntax = "index:integer",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Chooses the database of this connection.",
     .handler = Select},
};

}  // namespace

void SetRespVersion(CommandContext& ctx, net::RespVersion version) {
  ctx.session.resp = version;
  ctx.session.info->resp.store(static_cast<uint8_t>(version), std::memory_order_relaxed);
  ctx.services.pubsub.OnRespVersion(ctx.session);
  ctx.reply = net::ReplyBuilder(&ctx.reply.buffer(), version);
}

bool IsClientWord(std::string_view text) {
  for (const char c : text) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

std::span<const CommandSpec> ConnectionCommands() { return kCommands; }

}  // namespace basalt
