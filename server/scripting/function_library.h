#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/scripting/script_pace.h"

namespace basalt {

// A function of a library, as redis.register_function describes it.
struct LibraryFunction {
  std::string name;
  std::optional<std::string> description;
  uint32_t flags = 0;  // ScriptFlag
  mutable ScriptPace pace;

  void Clear() {
    name.clear();
    description.reset();
    flags = 0;
  }
};
inline constexpr size_t kLibraryFunctionsMax = 10'000;

// What FUNCTION LOAD made of a piece of code. Immutable once it is in a FunctionRegistry.
struct FunctionLibrary {
  std::string name;  // of the shebang line: "#!lua name=…"
  std::string code;  // with the shebang line
  std::vector<LibraryFunction> functions;
  // Of all libraries that were ever loaded here, no two have the same: interpreters compile a library once per version.
  uint64_t version = 0;
};

// Letters, digits and '_': of functions and of libraries.
bool IsFunctionName(std::string_view name);
inline constexpr char kBadFunctionName[] =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

}  // namespace basalt
