#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/client_registry.h"

namespace basalt {

// The kinds of clients that filters name.
enum class ClientType : uint8_t { kNormal, kReplica, kPubsub, kMaster };
std::optional<ClientType> ClientTypeByName(std::string_view name);  // any case; "slave" is "replica"
ClientType TypeOf(const ClientInfo& client);

// One line of CLIENT LIST, without the line's end. `running_bytes`: of the command that the client itself is running.
std::string ClientLine(const ClientInfo& client, int64_t now_unix_ms, uint64_t running_bytes);

}  // namespace basalt
