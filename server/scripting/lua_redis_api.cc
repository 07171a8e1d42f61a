#include "server/scripting/lua_redis_api.h"

#include <glog/logging.h>

#include <algorithm>
#include <string_view>

#include "server/argument_parsing.h"
#include "server/digest.h"
#include "server/scripting/function_library.h"
#include "server/scripting/lua_values.h"
#include "server/scripting/script_flags.h"
#include "server/version.h"

namespace basalt {
namespace {

// Everything here is called by Lua and may leave by longjmp: see LuaState.

std::string_view TextAt(lua_State* L, int index) {
  size_t bytes;
  const char* const text = lua_tolstring(L, index, &bytes);
  return {text, bytes};
}

// ---- call, pcall, acl_check_cmd ----

// All arguments into state.argv. False: an error is on the stack.
bool ReadArguments(lua_State* L, LuaState& state) {
  const int count = lua_gettop(L);
  if (count == 0) {
    PushError(L, "Please specify at least one argument for this redis lib call");
    return false;
  }
  state.argv.clear();
  state.numbers.resize(std::max(state.numbers.size(), static_cast<size_t>(count)));
  for (int i = 1; i <= count; ++i) {
    if (lua_type(L, i) == LUA_TNUMBER) {
      char* const text = state.numbers[static_cast<size_t>(i - 1)].data();
      state.argv.emplace_back(text, static_cast<size_t>(WriteNumber(text, lua_tonumber(L, i)) - text));
    } else if (lua_type(L, i) == LUA_TSTRING) {
      state.argv.push_back(TextAt(L, i));
    } else {
      PushError(L, "Lua redis lib command arguments must be strings or integers");
      return false;
    }
  }
  return true;
}

// The bytes of a reply in one piece.
std::string_view Flatten(LuaState& state) {
  iovec piece[2];
  if (state.call_reply.FillIov(piece, 2) == 1) return {static_cast<const char*>(piece[0].iov_base), piece[0].iov_len};
  state.flat_reply = state.call_reply.ToString();
  return state.flat_reply;
}

enum class OnError : uint8_t { kRaise, kReturn };

int Call(lua_State* L, OnError on_error) {
  LuaState& state = LuaState::Of(L);
  if (state.run().unwinding) state.Unwind(L);
  if (!ReadArguments(L, state)) return on_error == OnError::kRaise ? lua_error(L) : 1;
  if (state.run().host == nullptr) {
    PushError(L, "redis.call can only be called inside a script invocation");
    return lua_error(L);
  }
  state.call_reply.Clear();
  if (state.run().host->Call(state.argv, state.run().resp, &state.call_reply) == ScriptHost::CallResult::kUnwind) {
    state.Unwind(L);
  }
  lua_settop(L, 0);  // up to 8000 arguments, which is all a C function's stack may hold
  const std::string_view reply = Flatten(state);
  const bool is_error = reply.starts_with('-');
  if (!PushReply(L, reply)) RaiseError(L, "the reply of a command cannot be converted");
  return is_error && on_error == OnError::kRaise ? lua_error(L) : 1;
}

int RedisCall(lua_State* L) { return Call(L, OnError::kRaise); }
int RedisPcall(lua_State* L) { return Call(L, OnError::kReturn); }

int RedisAclCheckCmd(lua_State* L) {
  LuaState& state = LuaState::Of(L);
  if (!ReadArguments(L, state)) return lua_error(L);
  if (state.run().host == nullptr) RaiseError(L, "redis.acl_check_cmd can only be called inside a script invocation");
  bool known = false;
  const bool may = state.run().host->MayRun(state.argv, &known);
  if (!known) RaiseError(L, "Invalid command passed to redis.acl_check_cmd()");
  lua_pushboolean(L, may);
  return 1;
}

// ---- replies ----

bool IsOneString(lua_State* L) { return lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TSTRING; }

int RedisErrorReply(lua_State* L) {
  if (!IsOneString(L)) {
    PushError(L, "wrong number or type of arguments");
    return 1;
  }
  if (!TextAt(L, 1).starts_with('-')) {
    lua_pushliteral(L, "-");
    lua_insert(L, 1);
    lua_concat(L, 2);
  }
  PushError(L, TextAt(L, 1));
  return 1;
}

int RedisStatusReply(lua_State* L) {
  if (!IsOneString(L)) {
    PushError(L, "wrong number or type of arguments");
    return 1;
  }
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "ok");
  lua_pushvalue(L, 1);
  lua_rawset(L, -3);
  return 1;
}

int RedisSha1Hex(lua_State* L) {
  if (lua_gettop(L) != 1) RaiseError(L, "wrong number of arguments");
  char digest[kSha1HexBytes];
  Sha1Hex(lua_isstring(L, 1) ? TextAt(L, 1) : std::string_view()).copy(digest, kSha1HexBytes);
  lua_pushlstring(L, digest, kSha1HexBytes);
  return 1;
}

// ---- settings of the run ----

int RedisSetResp(lua_State* L) {
  if (lua_gettop(L) != 1) RaiseError(L, "redis.setresp() requires one argument.");
  const int version = static_cast<int>(lua_tonumber(L, 1));
  if (version != 2 && version != 3) RaiseError(L, "RESP version must be 2 or 3.");
  LuaState::Of(L).run().resp = static_cast<net::RespVersion>(version);
  return 0;
}

enum Replication : int { kReplNone = 0, kReplAof = 1, kReplReplica = 2, kReplAll = 3 };

// Scripts are replicated by what they change, all of it or nothing: there is nothing to choose. The argument is
// checked.
int RedisSetRepl(lua_State* L) {
  if (lua_gettop(L) != 1) RaiseError(L, "redis.set_repl() requires one argument.");
  if ((static_cast<int>(lua_tonumber(L, 1)) & ~kReplAll) != 0) {
    RaiseError(L, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  return 0;
}

int RedisReplicateCommands(lua_State* L) {
  lua_pushboolean(L, 1);
  return 1;
}

// There is no debugger.
int RedisBreakpoint(lua_State* L) {
  lua_pushboolean(L, 0);
  return 1;
}
int RedisDebug(lua_State*) { return 0; }

// ---- log ----

enum Level : int { kLogDebug = 0, kLogVerbose = 1, kLogNotice = 2, kLogWarning = 3 };

int RedisLog(lua_State* L) {
  const int count = lua_gettop(L);
  if (count < 2) RaiseError(L, "redis.log() requires two arguments or more.");
  if (!lua_isnumber(L, 1)) RaiseError(L, "First argument must be a number (log level).");
  const int level = static_cast<int>(lua_tonumber(L, 1));
  if (level < kLogDebug || level > kLogWarning) RaiseError(L, "Invalid debug level.");
  if (level == kLogDebug ? !VLOG_IS_ON(2) : level == kLogVerbose && !VLOG_IS_ON(1)) return 0;

  int pieces = 0;
  luaL_Buffer line;
  luaL_buffinit(L, &line);
  for (int i = 2; i <= count; ++i) {
    if (!lua_isstring(L, i)) continue;
    if (pieces++ > 0) luaL_addchar(&line, ' ');
    lua_pushvalue(L, i);
    luaL_addvalue(&line);
  }
  luaL_pushresult(&line);
  const std::string_view text = TextAt(L, -1);
  switch (level) {
    case kLogDebug:
      VLOG(2) << text;
      break;
    case kLogVerbose:
      VLOG(1) << text;
      break;
    case kLogNotice:
      LOG(INFO) << text;
      break;
    default:
      LOG(WARNING) << text;
  }
  return 0;
}

// ---- register_function ----

// The function that is being registered is state.registering: strings, as what Lua makes of numbers may be collected.

// Of the table on top.
bool ReadFlags(lua_State* L, uint32_t* flags) {
  *flags = 0;
  for (int i = 1;; ++i) {
    lua_rawgeti(L, -1, i);
    if (lua_isnil(L, -1)) break;
    const bool known = lua_isstring(L, -1) && ParseScriptFlag(TextAt(L, -1), FlagCase::kIgnored, flags);
    lua_pop(L, 1);
    if (!known) return false;
  }
  lua_pop(L, 1);
  return true;
}

// A reference to the function on top.
void SetCallback(lua_State* L, int* callback) {
  lua_pushvalue(L, -1);
  *callback = luaL_ref(L, LUA_REGISTRYINDEX);
}

// The readers return an error's text, or null.

// One key and its value, on top of the stack.
const char* ReadNamed(lua_State* L, LibraryFunction* function, int* callback) {
  if (!lua_isstring(L, -2)) return "named argument key given to redis.register_function is not a string";
  const std::string_view key = lua_type(L, -2) == LUA_TSTRING ? TextAt(L, -2) : std::string_view();
  if (EqualsIgnoreCase(key, "function_name")) {
    if (!lua_isstring(L, -1)) return "function_name argument given to redis.register_function must be a string";
    function->name = TextAt(L, -1);
  } else if (EqualsIgnoreCase(key, "description")) {
    if (!lua_isstring(L, -1)) return "description argument given to redis.register_function must be a string";
    function->description = TextAt(L, -1);
  } else if (EqualsIgnoreCase(key, "callback")) {
    if (!lua_isfunction(L, -1)) return "callback argument given to redis.register_function must be a function";
    luaL_unref(L, LUA_REGISTRYINDEX, *callback);
    SetCallback(L, callback);
  } else if (EqualsIgnoreCase(key, "flags")) {
    if (!lua_istable(L, -1)) {
      return "flags argument to redis.register_function must be a table representing function flags";
    }
    if (!ReadFlags(L, &function->flags)) return "unknown flag given";
  } else {
    return "unknown argument given to redis.register_function";
  }
  return nullptr;
}

const char* ReadNamedArguments(lua_State* L, LibraryFunction* function, int* callback) {
  if (!lua_istable(L, 1)) {
    return "calling redis.register_function with a single argument is only applicable to Lua table (representing named "
           "arguments).";
  }
  bool named = false;
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) {
    if (const char* const error = ReadNamed(L, function, callback); error != nullptr) return error;
    named |= lua_type(L, -2) == LUA_TSTRING && EqualsIgnoreCase(TextAt(L, -2), "function_name");
    lua_pop(L, 1);
  }
  if (!named) return "redis.register_function must get a function name argument";
  if (*callback == LUA_NOREF) return "redis.register_function must get a callback argument";
  return nullptr;
}

const char* ReadRegistration(lua_State* L, LibraryFunction* function, int* callback) {
  const int count = lua_gettop(L);
  if (count < 1 || count > 2) return "wrong number of arguments to redis.register_function";
  if (count == 1) return ReadNamedArguments(L, function, callback);
  if (!lua_isstring(L, 1)) return "first argument to redis.register_function must be a string";
  if (!lua_isfunction(L, 2)) return "second argument to redis.register_function must be a function";
  function->name = TextAt(L, 1);
  SetCallback(L, callback);
  return nullptr;
}

const char* AddFunction(const LibraryFunction& function, int callback, LuaState::Run& run) {
  if (!IsFunctionName(function.name)) return kBadFunctionName;
  for (const LibraryFunction& other : run.load->functions) {
    if (other.name == function.name) return "Function already exists in the library";
  }
  if (run.load->functions.size() >= kLibraryFunctionsMax) return "too many functions in one library";
  run.load->functions.push_back(function);
  run.callbacks->push_back(callback);
  return nullptr;
}

int RedisRegisterFunction(lua_State* L) {
  LuaState::Run& run = LuaState::Of(L).run();
  if (run.load == nullptr) RaiseError(L, "redis.register_function can only be called on FUNCTION LOAD command");
  LibraryFunction& function = LuaState::Of(L).registering;
  function.Clear();
  int callback = LUA_NOREF;
  const char* error = ReadRegistration(L, &function, &callback);
  if (error == nullptr) error = AddFunction(function, callback, run);
  if (error == nullptr) return 0;
  luaL_unref(L, LUA_REGISTRYINDEX, callback);
  RaiseError(L, error);
}

// ---- the tables ----

// On the table on top of the stack.
void SetFunction(lua_State* L, const char* name, lua_CFunction function) {
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, name);
}
void SetNumber(lua_State* L, const char* name, int value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

// 7.2.4 as 0x00070204.
int VersionNumber() {
  int number = 0, part = 0;
  for (const char c : kRedisVersion) {
    if (c == '.') {
      number = (number << 8) | part;
      part = 0;
    } else {
      part = part * 10 + (c - '0');
    }
  }
  return (number << 8) | part;
}

void SetLogAndVersion(lua_State* L) {
  SetFunction(L, "log", RedisLog);
  SetNumber(L, "LOG_DEBUG", kLogDebug);
  SetNumber(L, "LOG_VERBOSE", kLogVerbose);
  SetNumber(L, "LOG_NOTICE", kLogNotice);
  SetNumber(L, "LOG_WARNING", kLogWarning);
  SetNumber(L, "REDIS_VERSION_NUM", VersionNumber());
  lua_pushlstring(L, kRedisVersion.data(), kRedisVersion.size());
  lua_setfield(L, -2, "REDIS_VERSION");
}

}  // namespace

void PushRedisTable(lua_State* L, LuaState::Kind kind) {
  lua_newtable(L);
  SetFunction(L, "call", RedisCall);
  SetFunction(L, "pcall", RedisPcall);
  SetFunction(L, "error_reply", RedisErrorReply);
  SetFunction(L, "status_reply", RedisStatusReply);
  SetFunction(L, "sha1hex", RedisSha1Hex);
  SetFunction(L, "setresp", RedisSetResp);
  SetFunction(L, "set_repl", RedisSetRepl);
  SetFunction(L, "acl_check_cmd", RedisAclCheckCmd);
  SetNumber(L, "REPL_NONE", kReplNone);
  SetNumber(L, "REPL_AOF", kReplAof);
  SetNumber(L, "REPL_SLAVE", kReplReplica);
  SetNumber(L, "REPL_REPLICA", kReplReplica);
  SetNumber(L, "REPL_ALL", kReplAll);
  SetLogAndVersion(L);
  if (kind == LuaState::Kind::kFunctions) return;
  SetFunction(L, "breakpoint", RedisBreakpoint);
  SetFunction(L, "debug", RedisDebug);
  SetFunction(L, "replicate_commands", RedisReplicateCommands);
}

void PushLoadTable(lua_State* L) {
  lua_newtable(L);
  SetFunction(L, "register_function", RedisRegisterFunction);
  SetLogAndVersion(L);
}

}  // namespace basalt
