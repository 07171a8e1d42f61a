#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> SetCommands() { return {}; }

}  // namespace basalt
