// Publish and subscribe.
#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> PubsubCommands() { return {}; }

}  // namespace basalt
