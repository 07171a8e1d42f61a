#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> ScriptingCommands() { return {}; }

}  // namespace basalt
