#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> SortCommands() { return {}; }

}  // namespace basalt
