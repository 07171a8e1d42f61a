#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/scripting/script_host.h"
#include "server/status.h"

namespace basalt {

struct ScriptFlagName {
  ScriptFlag flag;
  std::string_view name;
};
// In the order in which FUNCTION LIST shows them.
std::span<const ScriptFlagName> ScriptFlagNames();

enum class FlagCase : uint8_t { kExact, kIgnored };
// Adds the flag of that name to *flags. False: there is none.
bool ParseScriptFlag(std::string_view name, FlagCase flag_case, uint32_t* flags);

// The first line of a script or a library, when it begins with "#!".
struct Shebang {
  size_t bytes = 0;                // without the line end, which stays so that line numbers are right; 0: there is none
  std::vector<std::string> words;  // empty: its quotes are not closed
};
// False: the line has no end.
bool ReadShebang(std::string_view code, Shebang* shebang);

// The flags that a script of EVAL may have, or Redis' error.
Status ParseScriptFlags(std::string_view body, uint32_t* flags);

}  // namespace basalt
