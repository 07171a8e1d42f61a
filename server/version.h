#pragma once

#include <string_view>

namespace basalt {

// The Redis version whose behaviour this server shows, and reports to clients.
inline constexpr std::string_view kRedisVersion = "7.2.4";

}  // namespace basalt
