#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> ClientCommands() { return {}; }

}  // namespace basalt
