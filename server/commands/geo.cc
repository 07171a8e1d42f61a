#include "server/commands/families.h"

namespace basalt {

std::span<const CommandSpec> GeoCommands() { return {}; }

}  // namespace basalt
