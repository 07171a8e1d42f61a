#pragma once

#include <span>

#include "server/command_spec.h"

namespace basalt {

// The rows of each family, in its own file. CommandTable is built from exactly these.
std::span<const CommandSpec> StringCommands();
std::span<const CommandSpec> BitmapCommands();
std::span<const CommandSpec> HyperloglogCommands();
std::span<const CommandSpec> KeyspaceCommands();
std::span<const CommandSpec> ExpiryCommands();
std::span<const CommandSpec> ObjectCommands();
std::span<const CommandSpec> TransactionCommands();
std::span<const CommandSpec> ConnectionCommands();
std::span<const CommandSpec> ClientCommands();      // client_admin.cc: CLIENT …
std::span<const CommandSpec> ServerCommands();      // admin.cc: INFO, CONFIG, COMMAND, DEBUG, …
std::span<const CommandSpec> ScriptingCommands();   // so far what answers truly on an empty library

}  // namespace basalt
