#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "net/output_buffer.h"
#include "net/reply_builder.h"

namespace basalt {

// The flags of a script's shebang line ("#!lua flags=no-writes,allow-stale") or of a function.
enum ScriptFlag : uint32_t {
  kScriptNoWrites = 1u << 0,
  kScriptAllowOom = 1u << 1,
  kScriptAllowStale = 1u << 2,
  kScriptNoCluster = 1u << 3,
  kScriptAllowCrossSlotKeys = 1u << 4,
  kScriptCompat = 1u << 5,  // EVAL without a shebang: what it may do is decided command by command
};

// The side of a running script that executes commands: what an Interpreter asks while Lua code runs. Pool thread; lives
// for one run.
class ScriptHost {
 public:
  virtual ~ScriptHost() = default;

  enum class CallResult : uint8_t {
    kReplied,  // the reply, or an error line, is in *reply
    kUnwind,   // no Lua code may run any more: the script is to run again elsewhere, or was killed. Not to be caught by
               // pcall
  };
  // redis.call, redis.pcall: checks (unknown command, arity, flags, ACL, keys …) and executes.
  virtual CallResult Call(std::span<const std::string_view> argv, net::RespVersion resp, net::OutputBuffer* reply) = 0;

  // From Lua's count hook, every kTickInstructions. True: unwind, as above.
  static constexpr int kTickInstructions = 100'000;
  virtual bool MustUnwind() = 0;

  // An error is in the script's result: its own, one it returns, or one it was given by Call and passes on (then
  // `counted`: the statistics have it already, Redis' ignore_error_stats_update). Called as it is written to the reply.
  virtual void OnErrorReply(std::string_view line, bool counted) = 0;

  // redis.acl_check_cmd. False in *known: no such command.
  virtual bool MayRun(std::span<const std::string_view> argv, bool* known) = 0;
};

}  // namespace basalt
