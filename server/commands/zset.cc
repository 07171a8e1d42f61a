#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> ZsetCommands() { return {}; }

}  // namespace basalt
