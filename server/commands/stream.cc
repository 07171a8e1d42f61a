#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> StreamCommands() { return {}; }

}  // namespace basalt
