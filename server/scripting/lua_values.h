#pragma once

#include <cstddef>
#include <cstdint>
#include <lua.hpp>
#include <string_view>

#include "net/reply_builder.h"
#include "server/scripting/script_host.h"

namespace basalt {

// How values cross between Lua and RESP (https://redis.io/docs/latest/develop/interact/programmability/lua-api/,
// "Data type conversion"). Everything that takes a lua_State may raise a Lua error (out of memory) and leaves by
// longjmp then: the caller runs in protected mode and has nothing to destroy.

// ---- errors: tables {err="CODE text"}, as redis.pcall returns them ----

// "-CODE text" keeps its code; any other text gets "ERR " in front. Cut at a NUL, line ends trimmed.
void PushError(lua_State* L, std::string_view text);
[[noreturn]] void RaiseError(lua_State* L, std::string_view text);
// Of an error reply of a command, which the statistics have seen already.
void PushCountedError(lua_State* L, std::string_view line);

// ---- RESP to Lua ----

// Pushes the value of one reply. False: `bytes` is not one whole RESP2 or RESP3 reply (never, as long as they come from
// a ReplyBuilder); what has been pushed is to be dropped.
bool PushReply(lua_State* L, std::string_view bytes);

// ---- Lua to RESP ----

// A reply of a script is cut off with an error beyond this: a table that holds another one twice, and so on, would
// else become any size.
inline constexpr size_t kScriptReplyBytesMax = 256 * 1024 * 1024;

enum class WriteOutcome : uint8_t { kWritten, kTooLarge, kUnwind };
struct ReplyTarget {
  net::ReplyBuilder& reply;
  net::RespVersion script_resp;  // redis.setresp: in 2, false is null
  ScriptHost& host;              // is asked now and then
};
// Writes the value on top of the stack, and pops it.
WriteOutcome WriteValue(lua_State* L, ReplyTarget* target);

// A number as an argument of a command: the shortest digits that read back, as Redis writes doubles. `at` has room for
// net::kDoubleBytesMax; returns the end.
char* WriteNumber(char* at, double value);

}  // namespace basalt
