#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> HashCommands() { return {}; }

}  // namespace basalt
