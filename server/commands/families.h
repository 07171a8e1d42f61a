#pragma once

#include <span>

#include "server/command_spec.h"

namespace basalt {

// The rows of each family, in its own file. CommandTable is built from exactly these.
std::span<const CommandSpec> StringCommands();
std::span<const CommandSpec> BitmapCommands();
std::span<const CommandSpec> HyperloglogCommands();
std::span<const CommandSpec> HashCommands();
std::span<const CommandSpec> ListCommands();
std::span<const CommandSpec> SetCommands();
std::span<const CommandSpec> ZsetCommands();
std::span<const CommandSpec> StreamCommands();
std::span<const CommandSpec> GeoCommands();
std::span<const CommandSpec> SortCommands();
std::span<const CommandSpec> DumpCommands();  // DUMP, RESTORE
std::span<const CommandSpec> KeyspaceCommands();
std::span<const CommandSpec> ExpiryCommands();
std::span<const CommandSpec> ObjectCommands();
std::span<const CommandSpec> TransactionCommands();
std::span<const CommandSpec> ConnectionCommands();
std::span<const CommandSpec> ClientCommands();
std::span<const CommandSpec> ServerCommands();  // server_admin.cc: INFO, SHUTDOWN, MONITOR, BGSAVE, …
std::span<const CommandSpec> ConfigCommands();
std::span<const CommandSpec> CommandCommands();
std::span<const CommandSpec> ObservationCommands();  // SLOWLOG, LATENCY
std::span<const CommandSpec> MemoryCommands();
std::span<const CommandSpec> DebugCommands();
std::span<const CommandSpec> AclCommands();
std::span<const CommandSpec> ReplicationCommands();  // ROLE, WAIT, …, and CLUSTER, READONLY, … as without cluster mode
std::span<const CommandSpec> ScriptingCommands();  // EVAL …, SCRIPT
std::span<const CommandSpec> FunctionCommands();   // FCALL …, FUNCTION
std::span<const CommandSpec> PubsubCommands();

// All of them.
std::span<const std::span<const CommandSpec>> AllFamilies();

}  // namespace basalt
