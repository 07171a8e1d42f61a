#pragma once

#include <string>
#include <string_view>

namespace basalt {

inline constexpr size_t kSha1HexBytes = 40;

// FIPS 180-4, as lower-case hex digits.
std::string Sha1Hex(std::string_view bytes);    // 40: the name of a script
std::string Sha256Hex(std::string_view bytes);  // 64: how ACL shows passwords

}  // namespace basalt
