#pragma once

#include <string>
#include <string_view>

namespace basalt {

inline constexpr size_t kSha1HexBytes = 40;

// SHA-1 (FIPS 180-4) as 40 lower-case hex digits: the name of a script.
std::string Sha1Hex(std::string_view bytes);

}  // namespace basalt
