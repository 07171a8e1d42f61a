#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> DumpCommands() { return {}; }

}  // namespace basalt
