#include "server/acl/permission.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/client_registry.h"
#include "server/commands/client_text.h"
#include "server/config_table.h"
#include "server/pubsub.h"
#include "server/stats.h"
#include "storage/storage.h"

namespace basalt {

namespace {

AclLog::Context LogContext(const Session& session, AclContext context) {
  if (context == AclContext::kScript) return AclLog::Context::kScript;
  return context == AclContext::kExec || session.in_multi ? AclLog::Context::kMulti : AclLog::Context::kTopLevel;
}

void Record(const Services& services, const Session& session, AclDenial denial, AclLog::Context context,
            std::string_view object, std::string_view user) {
  services.stats.AclDenied(denial);
  const int64_t now_ms = services.storage.NowMs();
  AclLog::Entry entry;
  entry.reason = denial;
  entry.context = context;
  entry.object = object.substr(0, AclLog::kObjectBytesMax);
  entry.user = user;
  entry.client = ClientLine(*session.info, now_ms, 0);
  services.users.log().Record(std::move(entry), now_ms, static_cast<size_t>(services.config.current().acllog_max_len));
}

std::string_view ReasonInExec(AclDenial denial) {
  switch (denial) {
    case AclDenial::kCommand:
      return "no permission to execute the command or subcommand";
    case AclDenial::kKey:
      return "no permission to touch the specified keys";
    case AclDenial::kChannel:
      return "no permission to access one of the channels used as arguments";
    case AclDenial::kNone:
    case AclDenial::kAuth:
      break;
  }
  return "no permission";
}

Status Denied(const AclVerdict& verdict, const User& user, const Command& command,
              std::span<const std::string_view> argv, AclContext context) {
  if (context == AclContext::kExec) {
    return Status::Message(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command "
        "is "
        "no longer allowed for the following reason: " +
        std::string(ReasonInExec(verdict.denial)));
  }
  const std::string text = DenialText(verdict, user, command, argv, DenialDetail::kWithoutArguments);
  return Status::Message((context == AclContext::kScript ? "ERR ACL failure in script: " : "NOPERM ") + text);
}

}  // namespace

void RefreshUser(const Services& services, Session& session) {
  session.users_version = services.users.version();  // before the look: a change after it is seen the next time
  UserPtr user = services.users.Find(session.user->name());
  if (user != nullptr && user->identity() == session.user->identity()) {
    const UserPtr before = std::exchange(session.user, std::move(user));
    if (session.info->subscribed() && session.user->LosesChannelsOf(*before) &&
        ListensToForbidden(services, *session.info, *session.user)) {
      session.close_after_reply = true;
    }
    return;
  }
  SetUser(session, services.users.default_user(), false);
  session.close_after_reply = true;
}

bool ListensToForbidden(const Services& services, const ClientInfo& client, const User& user) {
  if (!client.subscribed()) return false;
  const std::vector<PubSub::Subscription> subscriptions = services.pubsub.SubscriptionsOf(client.conn.id);
  return std::any_of(subscriptions.begin(), subscriptions.end(), [&](const PubSub::Subscription& subscription) {
    return !user.MayUseChannel(subscription.name, subscription.kind == TopicKind::kPattern);
  });
}

Status CheckPermission(const Services& services, Session& session, const Command& command,
                       std::span<const std::string_view> argv, AclContext context) {
  if (UserIsStale(services, session)) RefreshUser(services, session);
  const User& user = *session.user;
  if (user.unrestricted()) return Ok();
  const AclVerdict verdict = user.Check(command, argv);
  if (verdict.allowed()) return Ok();
  Record(services, session, verdict.denial, LogContext(session, context),
         verdict.denial == AclDenial::kCommand ? command.name() : argv[verdict.index], user.name());
  return Denied(verdict, user, command, argv, context);
}

void SetUser(Session& session, UserPtr user, bool authenticated) {
  session.users_version =
      0;  // of no registry: whether it has changed since it was found is asked before the next command
  session.info->SetUser(user->name());
  session.user = std::move(user);
  session.authenticated = authenticated;
}

Status Authenticate(const Services& services, Session& session, std::string_view command_word, std::string_view name,
                    std::string_view password) {
  UserPtr user = services.users.Authenticate(name, password);
  if (user == nullptr) {
    Record(services, session, AclDenial::kAuth, LogContext(session, AclContext::kCommand), command_word, name);
    return ErrorCode::kWrongPass;
  }
  SetUser(session, std::move(user), true);
  return Ok();
}

void SetDefaultUser(const Services& services, Session& session) {
  UserPtr user = services.users.default_user();
  const bool authenticated = user->nopass() && user->enabled();
  SetUser(session, std::move(user), authenticated);
}

std::string DenialText(const AclVerdict& verdict, const User& user, const Command& command,
                       std::span<const std::string_view> argv, DenialDetail detail) {
  if (verdict.denial == AclDenial::kCommand) {
    return "User " + user.name() + " has no permissions to run the '" + std::string(command.name()) + "' command";
  }
  const std::string kind = verdict.denial == AclDenial::kKey ? "key" : "channel";
  if (detail == DenialDetail::kWithoutArguments) return "No permissions to access a " + kind;
  return "User " + user.name() + " has no permissions to access the '" + std::string(argv[verdict.index]) + "' " + kind;
}

}  // namespace basalt
