#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> ServerCommands() { return {}; }

}  // namespace basalt
