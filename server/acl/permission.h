#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "server/acl/denial.h"
#include "server/acl/user.h"
#include "server/acl/user_registry.h"
#include "server/services.h"
#include "server/session.h"
#include "server/status.h"

namespace basalt {

// Who is about to run a command.
enum class AclContext : uint8_t {
  kCommand,  // the client itself, at once or to be queued by MULTI
  kExec,     // EXEC, what was queued
  kScript,   // a script or a function
};

// Brings the session's user up to date. If it was deleted since (or replaced, by ACL LOAD), the connection may do
// nothing any more, and ends after the running command; so does one that listens to a channel which its user lost.
void RefreshUser(const Services& services, Session& session);
// Whether RefreshUser() has something to do: asked before every command.
inline bool UserIsStale(const Services& services, const Session& session) {
  return session.users_version != services.users.version();
}

// Whether the client is subscribed to something that `user` may not have.
bool ListensToForbidden(const Services& services, const ClientInfo& client, const User& user);

// Whether the session's user may run this call: kOk, or the error reply. A denial goes into ACL LOG and the statistics.
Status CheckPermission(const Services& services, Session& session, const Command& command,
                       std::span<const std::string_view> argv, AclContext context);

// Makes `user` that of the session, as AUTH, HELLO and RESET do.
void SetUser(Session& session, UserPtr user, bool authenticated);
// AUTH and HELLO. `command_word`: as the client wrote it, for ACL LOG.
Status Authenticate(const Services& services, Session& session, std::string_view command_word, std::string_view name,
                    std::string_view password);
// A new connection, or RESET.
void SetDefaultUser(const Services& services, Session& session);

// "User alice has no permissions to run the 'get' command"; a key or channel is quoted only in the detailed form.
enum class DenialDetail : uint8_t { kWithoutArguments, kFull };
std::string DenialText(const AclVerdict& verdict, const User& user, const Command& command,
                       std::span<const std::string_view> argv, DenialDetail detail);

}  // namespace basalt
