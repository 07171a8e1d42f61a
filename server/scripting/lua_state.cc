#include "server/scripting/lua_state.h"

#include <glog/logging.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>

#include "net/clock.h"
#include "server/scripting/lua_redis_api.h"
#include "server/scripting/lua_values.h"

namespace basalt {

// Everything here that Lua calls may leave by longjmp: see the header.

namespace {

// The globals of a script. What else the libraries bring (print, dofile, loadfile, newproxy, …) is taken away.
constexpr std::string_view kGlobals[] = {
    "_G",         "_VERSION", "assert",   "bit",     "cjson",        "cmsgpack",     "collectgarbage",
    "coroutine",  "error",    "gcinfo",   "getfenv", "ipairs",       "getmetatable", "load",
    "loadstring", "math",     "next",     "pairs",   "pcall",        "rawequal",     "rawget",
    "rawset",     "redis",    "select",   "setfenv", "setmetatable", "string",       "struct",
    "table",      "tonumber", "tostring", "type",    "unpack",       "xpcall",       "__redis__err__handler",
};

// ---- what replaces functions of the libraries ----

// pcall. Of an error that is a table, scripts see the text in it, as before Redis 7.
int Pcall(lua_State* L) {
  const int arguments = lua_gettop(L);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  const int status = lua_pcall(L, arguments - 1, LUA_MULTRET, 0);
  LuaState& state = LuaState::Of(L);
  if (state.run().unwinding) state.Unwind(L);
  if (status == 0) return lua_gettop(L);
  lua_remove(L, 1);
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "err");
    if (lua_isstring(L, -1)) lua_replace(L, -2);
  }
  lua_pushboolean(L, 0);
  lua_insert(L, 1);
  return lua_gettop(L);
}

// The handler of an xpcall, which is the upvalue. Not for an unwinding: it would run inside the hook, out of its reach.
int XpcallHandler(lua_State* L) {
  if (LuaState::Of(L).run().unwinding) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int Xpcall(lua_State* L) {
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  lua_pushcclosure(L, XpcallHandler, 1);
  lua_insert(L, 1);
  const int status = lua_pcall(L, 0, LUA_MULTRET, 1);
  LuaState& state = LuaState::Of(L);
  if (state.run().unwinding) state.Unwind(L);
  lua_pushboolean(L, status == 0);
  lua_replace(L, 1);
  return lua_gettop(L);
}

// coroutine.resume, with what it replaces as upvalue.
int Resume(lua_State* L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  LuaState& state = LuaState::Of(L);
  if (state.run().unwinding) state.Unwind(L);
  return lua_gettop(L);
}

constexpr int kDefaultGcPercent = 200;  // Lua's own setpause and setstepmul

// string.rep, in one step: what is too large is refused at once instead of after seconds without a hook.
int Repeat(lua_State* L) {
  size_t bytes;
  const char* const text = luaL_checklstring(L, 1, &bytes);
  const int count = luaL_checkint(L, 2);
  if (count <= 0 || bytes == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  const size_t total = bytes * static_cast<size_t>(count);
  if (total / bytes != static_cast<size_t>(count) || total > LuaState::Of(L).memory_bytes_max()) {
    return luaL_error(L, "not enough memory");
  }
  char small[LUAL_BUFFERSIZE];
  char* const result = total <= sizeof(small) ? small : static_cast<char*>(lua_newuserdata(L, total));
  std::memcpy(result, text, bytes);
  for (size_t done = bytes; done < total;) {
    const size_t more = std::min(done, total - done);
    std::memcpy(result + done, result, more);
    done += more;
  }
  lua_pushlstring(L, result, total);
  return 1;
}

// collectgarbage. What would last beyond the script (stop, setpause, …) is accepted and does nothing.
int CollectGarbage(lua_State* L) {
  static const char* const kOptions[] = {"collect", "count",    "step",       "stop",
                                         "restart", "setpause", "setstepmul", nullptr};
  switch (luaL_checkoption(L, 1, "collect", kOptions)) {
    case 0:
      lua_pushinteger(L, lua_gc(L, LUA_GCCOLLECT, 0));
      return 1;
    case 1:
      lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT, 0) + lua_gc(L, LUA_GCCOUNTB, 0) / 1024.0);
      return 1;
    case 2:
      lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, luaL_optint(L, 2, 0)));
      return 1;
    case 3:
    case 4:
      lua_pushinteger(L, 0);
      return 1;
    default:
      lua_pushinteger(L, kDefaultGcPercent);
      return 1;
  }
}

// math.random with the generator of POSIX' lrand48, whose sequence is the same everywhere.
constexpr uint64_t kRandomSeedLow = 0x330E;
constexpr uint64_t kRandomMask = (uint64_t{1} << 48) - 1;

int Random(lua_State* L) {
  LuaState& state = LuaState::Of(L);
  state.random = (state.random * 0x5DEECE66D + 0xB) & kRandomMask;
  const uint64_t bits = state.random >> 17;  // 31 of them
  const double fraction = static_cast<double>(bits % INT32_MAX) / INT32_MAX;
  switch (lua_gettop(L)) {
    case 0:
      lua_pushnumber(L, fraction);
      return 1;
    case 1: {
      const int high = luaL_checkint(L, 1);
      luaL_argcheck(L, 1 <= high, 1, "interval is empty");
      lua_pushnumber(L, std::floor(fraction * high) + 1);
      return 1;
    }
    case 2: {
      const int low = luaL_checkint(L, 1), high = luaL_checkint(L, 2);
      luaL_argcheck(L, low <= high, 2, "interval is empty");
      lua_pushnumber(L, std::floor(fraction * (static_cast<double>(high) - low + 1)) + low);
      return 1;
    }
    default:
      return luaL_error(L, "wrong number of arguments");
  }
}

int RandomSeed(lua_State* L) {
  LuaState::Of(L).random = uint64_t{static_cast<uint32_t>(luaL_checkint(L, 1))} << 16 | kRandomSeedLow;
  return 0;
}

// ---- protection ----

int NoSuchGlobal(lua_State* L) {
  if (lua_gettop(L) != 2) return luaL_error(L, "Wrong number of arguments to luaProtectedTableError");
  if (!lua_isstring(L, 2)) return luaL_error(L, "Second argument to luaProtectedTableError must be a string or number");
  return luaL_error(L, "Script attempted to access nonexistent global variable '%s'", lua_tostring(L, 2));
}

// The table on top tells who reads what it does not have.
void RefuseMissingFields(lua_State* L) {
  lua_newtable(L);
  lua_pushcfunction(L, NoSuchGlobal);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

// The table on top, all tables in it and their metatables become read-only.
void Freeze(lua_State* L) {
  if (lua_isreadonlytable(L, -1)) return;
  lua_enablereadonlytable(L, -1, 1);
  luaL_checkstack(L, 4, "tables within tables");
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    if (lua_istable(L, -1)) Freeze(L);
    lua_pop(L, 1);
  }
  if (lua_getmetatable(L, -1)) {
    Freeze(L);
    lua_pop(L, 1);
  }
}

// ---- errors ----

// As tostring does, without metamethods.
void PushAsText(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
      lua_pushvalue(L, index);
      break;
    case LUA_TNIL:
      lua_pushliteral(L, "nil");
      break;
    case LUA_TBOOLEAN:
      lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
      break;
    default:
      lua_pushfstring(L, "%s: %p", luaL_typename(L, index), lua_topointer(L, index));
  }
}

// Makes a table of an error and adds where it happened: in the function that raised it, or in its caller if that is C.
int ErrorHandler(lua_State* L) {
  lua_settop(L, 1);
  if (LuaState::Of(L).run().unwinding) return 1;
  lua_Debug at;
  bool known = lua_getstack(L, 1, &at) != 0 && lua_getinfo(L, "Sl", &at) != 0;
  if (known && std::string_view(at.what) == "C") known = lua_getstack(L, 2, &at) != 0 && lua_getinfo(L, "Sl", &at) != 0;
  if (!lua_istable(L, 1)) {
    lua_createtable(L, 0, 3);
    lua_pushliteral(L, "ERR ");
    PushAsText(L, 1);
    lua_concat(L, 2);
    lua_setfield(L, -2, "err");
    lua_replace(L, 1);
  }
  if (!known) return 1;
  lua_pushstring(L, at.source);
  lua_setfield(L, 1, "source");
  lua_pushinteger(L, at.currentline);
  lua_setfield(L, 1, "line");
  return 1;
}

void OpenLibrary(lua_State* L, lua_CFunction open, const char* name) {
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

// library[name] = wrapper, with what it replaces as upvalue; of the table on top.
void Wrap(lua_State* L, const char* name, lua_CFunction wrapper) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, wrapper, 1);
  lua_setfield(L, -2, name);
}

void RemoveOtherGlobals(lua_State* L) {
  lua_pushnil(L);
  while (lua_next(L, LUA_GLOBALSINDEX) != 0) {
    lua_pop(L, 1);
    size_t bytes;
    const char* const name = lua_tolstring(L, -1, &bytes);
    if (std::find(std::begin(kGlobals), std::end(kGlobals), std::string_view(name, bytes)) != std::end(kGlobals)) {
      continue;
    }
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, LUA_GLOBALSINDEX);
  }
}

}  // namespace

LuaState::LuaState(Kind kind, size_t memory_bytes_max, LuaBudget* budget)
    : kind_(kind), memory_bytes_max_(memory_bytes_max), budget_(budget) {
  lua_ = lua_newstate(Allocate, this);
  CHECK(lua_ != nullptr) << "no memory for a Lua state";
  CHECK(lua_cpcall(lua_, Open, this) == 0) << "a Lua state cannot be opened: " << lua_tostring(lua_, -1);
}

LuaState::~LuaState() {
  lua_close(lua_);
  if (budget_ != nullptr) budget_->GiveBack(budgeted_bytes_);
}

bool LuaState::MayHave(size_t bytes) {
  if (bytes > memory_bytes_max_ + (in_run_ ? 0 : kHeadroomBytes)) return false;
  if (budget_ == nullptr || bytes <= budgeted_bytes_) return true;
  const size_t more = (bytes - budgeted_bytes_ + kBudgetChunkBytes - 1) / kBudgetChunkBytes * kBudgetChunkBytes;
  if (!in_run_) {
    budget_->Take(more);  // what opens a state, or follows a run, does not fail
  } else if (!budget_->TryTake(more)) {
    return false;
  }
  budgeted_bytes_ += more;
  return true;
}

void* LuaState::Allocate(void* self, void* block, size_t old_bytes, size_t new_bytes) {
  LuaState& state = *static_cast<LuaState*>(self);
  if (new_bytes == 0) {
    free(block);
    state.memory_bytes_ -= old_bytes;
    return nullptr;
  }
  if (new_bytes > old_bytes && !state.MayHave(state.memory_bytes_ - old_bytes + new_bytes)) {
    state.hit_limit_ = true;
    return nullptr;
  }
  void* const moved = realloc(block, new_bytes);
  if (moved == nullptr) {
    state.hit_limit_ = true;
    return nullptr;
  }
  state.memory_bytes_ += new_bytes - old_bytes;
  if (new_bytes > old_bytes) state.NoteAllocated(new_bytes - old_bytes);
  return moved;
}

// Instructions that make large strings take long: so the hook comes with the bytes, too.
void LuaState::NoteAllocated(size_t bytes) {
  allocated_since_tick_ += bytes;
  if (allocated_since_tick_ < kBytesPerTick) return;
  allocated_since_tick_ = 0;
  if (in_run_ && !run_.unwinding) lua_sethook(lua_, Hook, LUA_MASKCOUNT, 1);
}

int LuaState::Open(lua_State* L) {
  LuaState& state = Of(L);
  state.OpenLibraries(L);
  lua_pushcfunction(L, ErrorHandler);
  lua_pushvalue(L, -1);
  state.error_handler_ = luaL_ref(L, LUA_REGISTRYINDEX);
  if (state.kind_ == Kind::kScripts) {
    lua_setglobal(L, "__redis__err__handler");
  } else {
    lua_pop(L, 1);
  }
  RemoveOtherGlobals(L);

  lua_pushliteral(L, "");  // what all strings share
  CHECK(lua_getmetatable(L, -1));
  Freeze(L);
  lua_pop(L, 2);
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  RefuseMissingFields(L);
  Freeze(L);
  state.globals_ = luaL_ref(L, LUA_REGISTRYINDEX);
  if (state.kind_ == Kind::kFunctions) state.OpenFunctionGlobals(L);
  return 0;
}

void LuaState::OpenLibraries(lua_State* L) {
  OpenLibrary(L, luaopen_base, "");
  OpenLibrary(L, luaopen_table, LUA_TABLIBNAME);
  OpenLibrary(L, luaopen_string, LUA_STRLIBNAME);
  OpenLibrary(L, luaopen_math, LUA_MATHLIBNAME);
  OpenLibrary(L, luaopen_cjson, "cjson");
  OpenLibrary(L, luaopen_struct, "struct");
  OpenLibrary(L, luaopen_cmsgpack, "cmsgpack");
  OpenLibrary(L, luaopen_bit, "bit");

  lua_pushcfunction(L, Pcall);
  lua_setglobal(L, "pcall");
  lua_pushcfunction(L, CollectGarbage);
  lua_setglobal(L, "collectgarbage");
  lua_pushcfunction(L, Xpcall);
  lua_setglobal(L, "xpcall");
  lua_getglobal(L, LUA_COLIBNAME);
  Wrap(L, "resume", Resume);
  lua_getglobal(L, LUA_STRLIBNAME);
  lua_pushcfunction(L, Repeat);
  lua_setfield(L, -2, "rep");
  lua_getglobal(L, LUA_MATHLIBNAME);
  lua_pushcfunction(L, Random);
  lua_setfield(L, -2, "random");
  lua_pushcfunction(L, RandomSeed);
  lua_setfield(L, -2, "randomseed");
  lua_pop(L, 3);
  random = std::random_device{}() | uint64_t{std::random_device{}() & 0xFFFF} << 32;  // each state its own sequence

  PushRedisTable(L, kind_);
  lua_setglobal(L, "redis");
}

// Functions see an empty table whose metatable leads to the globals; while a library loads, to another table.
void LuaState::OpenFunctionGlobals(lua_State* L) {
  lua_newtable(L);
  PushLoadTable(L);
  RefuseMissingFields(L);
  lua_setfield(L, -2, "redis");
  RefuseMissingFields(L);
  Freeze(L);
  load_globals_ = luaL_ref(L, LUA_REGISTRYINDEX);

  lua_newtable(L);
  lua_newtable(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, globals_);
  lua_setfield(L, -2, "__index");
  lua_enablereadonlytable(L, -1, 1);
  lua_setmetatable(L, -2);
  lua_enablereadonlytable(L, -1, 1);
  call_globals_ = luaL_ref(L, LUA_REGISTRYINDEX);
}

void LuaState::UseLoadGlobals(bool loading) {
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, call_globals_);
  CHECK(lua_getmetatable(lua_, -1));
  lua_enablereadonlytable(lua_, -1, 0);
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, loading ? load_globals_ : globals_);
  lua_setfield(lua_, -2, "__index");
  lua_enablereadonlytable(lua_, -1, 1);
  lua_pop(lua_, 2);
}

void LuaState::ResetEnvironment() {
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, kind_ == Kind::kScripts ? globals_ : call_globals_);
  lua_replace(lua_, LUA_GLOBALSINDEX);
}

void LuaState::SetGlobal(const char* name) {
  lua_enablereadonlytable(lua_, LUA_GLOBALSINDEX, 0);
  lua_setglobal(lua_, name);
  lua_enablereadonlytable(lua_, LUA_GLOBALSINDEX, 1);
}

int LuaState::ProtectedCall(int args, int results) {
  const int handler = lua_gettop(lua_) - args;
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, error_handler_);
  lua_insert(lua_, handler);
  const int status = lua_pcall(lua_, args, results, handler);
  lua_remove(lua_, handler);
  return status;
}

void LuaState::Begin(const Run& run) {
  run_ = run;
  in_run_ = true;
  stopped_at_.clear();
  lua_sethook(lua_, Hook, LUA_MASKCOUNT, ScriptHost::kTickInstructions);
}

void LuaState::Collect() {
  lua_gc(lua_, LUA_GCCOLLECT, 0);
  live_bytes_ = memory_bytes_;
}

void LuaState::End() {
  lua_sethook(lua_, nullptr, 0, 0);
  run_ = {};
  in_run_ = false;
  const size_t kept = memory_bytes_ + kBudgetChunkBytes;
  if (budget_ == nullptr || budgeted_bytes_ <= kept + kBudgetChunkBytes) return;
  budget_->GiveBack(budgeted_bytes_ - kept);
  budgeted_bytes_ = kept;
}

bool LuaState::MustUnwind() const {
  if (run_.load_deadline_ns != 0 && net::MonotonicNs() > run_.load_deadline_ns) return true;
  return run_.host != nullptr && run_.host->MustUnwind();
}

void LuaState::Hook(lua_State* L, lua_Debug*) {
  LuaState& state = Of(L);
  if (state.run_.unwinding || state.MustUnwind()) state.Unwind(L);
  // It came with the bytes, or this is a coroutine that was unwound in an earlier run.
  if (lua_gethookcount(L) != ScriptHost::kTickInstructions) {
    lua_sethook(L, Hook, LUA_MASKCOUNT, ScriptHost::kTickInstructions);
  }
}

void LuaState::Tick(lua_State* L) {
  if (run_.unwinding || (in_run_ && MustUnwind())) Unwind(L);
}

void LuaState::CheckOutsideBytes(lua_State* L, size_t bytes) {
  constexpr size_t kKeptBytesMax = 1024 * 1024;
  if (bytes <= kKeptBytesMax) return;
  hit_limit_ = true;
  if (bytes > memory_bytes_max_) luaL_error(L, "not enough memory");
}

void LuaState::Unwind(lua_State* L) {
  if (!run_.unwinding) {
    run_.unwinding = true;
    lua_Debug at;
    for (int level = 0; stopped_at_.empty() && lua_getstack(L, level, &at) != 0; ++level) {
      lua_getinfo(L, "Sl", &at);
      if (at.currentline >= 0) stopped_at_ = std::string(at.source) + ':' + std::to_string(at.currentline);
    }
  }
  // From now on each instruction raises again, whoever catches.
  lua_sethook(L, Hook, LUA_MASKCOUNT, 1);
  lua_sethook(lua_, Hook, LUA_MASKCOUNT, 1);
  lua_pushnil(L);
  lua_error(L);
  abort();  // lua_error does not return
}

}  // namespace basalt

// ---- what the libraries call: tools/lua.patch ----

extern "C" void basalt_lua_tick(lua_State* L) { basalt::LuaState::Of(L).Tick(L); }
extern "C" void basalt_lua_may_hold(void* lua_state, size_t bytes) {
  lua_State* const L = static_cast<lua_State*>(lua_state);
  basalt::LuaState::Of(L).CheckOutsideBytes(L, bytes);
}
