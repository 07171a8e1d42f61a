#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> ListCommands() { return {}; }

}  // namespace basalt
