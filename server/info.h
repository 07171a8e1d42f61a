#pragma once

#include <span>
#include <string>
#include <string_view>

#include "server/services.h"

namespace basalt {

// INFO's text for the sections that `names` asks for, as Redis 7.2 chooses them: none: the default ones; "all" and
// "everything": all of them; several, any case; unknown names are nothing. `basalt` (or `rocksdb`) is a section of our
// own. Any thread.
std::string InfoText(const Services& services, std::span<const std::string_view> names);

// "1.50G", as INFO's *_human fields say it.
std::string HumanBytes(uint64_t bytes);

}  // namespace basalt
