#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/reply_builder.h"
#include "server/scripting/lua_budget.h"
#include "server/scripting/script_host.h"
#include "server/status.h"

namespace basalt {

struct FunctionLibrary;

// A script of EVAL or SCRIPT LOAD.
struct Script {
  std::string digest;              // SHA-1 of the body, 40 lower-case hex digits
  std::string body;                // with the shebang line, if there is one
  uint32_t flags = kScriptCompat;  // ScriptFlag
};

// Of Lua's states.
struct InterpreterMemory {
  uint64_t script_bytes = 0, function_bytes = 0;
};

// One Lua 5.1 state, sandboxed as Redis' own, and what it has compiled so far (by digest, or by the library's version),
// within a limit. Owner: one pool thread; that thread only.
class Interpreter {
 public:
  // A script that needs more ends with an error.
  static constexpr size_t kMemoryBytesMax = 256 * 1024 * 1024;

  // `budget`: shared with other interpreters, and outlives this one; may be null.
  explicit Interpreter(size_t memory_bytes_max = kMemoryBytesMax, LuaBudget* budget = nullptr);
  ~Interpreter();

  // The flags of the shebang line, or Redis' error ("ERR Unexpected flag in script shebang: …", …). No Lua involved.
  static Status ParseShebang(std::string_view body, uint32_t* flags);
  // Compiles without keeping anything: SCRIPT LOAD's errors.
  Status Check(const Script& script);

  enum class Outcome : uint8_t {
    kReplied,  // the converted result, or the script's error, is in `reply`
    kUnwound,  // the host asked for it; nothing was written to `reply`
  };
  Outcome Run(const Script& script, std::span<const std::string_view> keys, std::span<const std::string_view> args,
              ScriptHost& host, net::ReplyBuilder& reply);
  // A function of a library, compiled (its code run) here before the first call of this version.
  Outcome RunFunction(const FunctionLibrary& library, std::string_view function, std::span<const std::string_view> keys,
                      std::span<const std::string_view> args, ScriptHost& host, net::ReplyBuilder& reply);
  // Runs a library's code and fills in the functions it registers: FUNCTION LOAD's errors.
  Status LoadLibrary(FunctionLibrary* library);

  // Where the last run stood when it was unwound, for the error of a killed script: "@user_script:3". Empty: unknown.
  std::string_view stopped_at() const;

  InterpreterMemory memory() const;  // INFO used_memory_vm_*; any thread

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace basalt
