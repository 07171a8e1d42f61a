#pragma once

#include <array>
#include <cstdint>
#include <lua.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "net/double_text.h"
#include "net/output_buffer.h"
#include "net/reply_builder.h"
#include "server/scripting/function_library.h"
#include "server/scripting/lua_budget.h"
#include "server/scripting/script_host.h"

namespace basalt {

// A Lua 5.1 state in Redis' sandbox: the libraries string, table, math, coroutine, cjson, cmsgpack, struct and bit, the
// table `redis`, globals that nobody can change, a limit on memory, and a way to end what runs that pcall cannot catch.
// Stricter than Redis 7.2 where a script could harm others: no newproxy (its finalizers would run inside later
// scripts, out of reach of SCRIPT KILL), no changing of what all strings share; and see tools/lua.patch.
//
// Every C function that Lua calls may leave by longjmp: nothing that has a destructor may live across a Lua call. What
// they need is in here.
//
// Owner: an Interpreter. Its thread only.
class LuaState {
 public:
  enum class Kind : uint8_t {
    kScripts,    // EVAL: KEYS and ARGV are globals
    kFunctions,  // FCALL: keys and arguments are passed; another table `redis` while a library loads
  };
  // Beyond the limit, for what follows a run that reached it: there is no protected mode then.
  static constexpr size_t kHeadroomBytes = 4 * 1024 * 1024;

  // `budget`: shared with other states, may be null.
  LuaState(Kind kind, size_t memory_bytes_max, LuaBudget* budget);
  ~LuaState();
  LuaState(const LuaState&) = delete;
  LuaState& operator=(const LuaState&) = delete;

  lua_State* lua() const { return lua_; }
  static LuaState& Of(lua_State* L) {
    void* self;
    lua_getallocf(L, &self);
    return *static_cast<LuaState*>(self);
  }

  // What runs now; reset by Begin.
  struct Run {
    ScriptHost* host = nullptr;             // null while a library loads
    FunctionLibrary* load = nullptr;        // to which redis.register_function adds
    std::vector<int>* callbacks = nullptr;  // their registry references, in the order of load->functions
    uint64_t load_deadline_ns = 0;          // of net::MonotonicNs, 0: none
    net::RespVersion resp = net::RespVersion::kResp2;
    bool unwinding = false;  // no Lua code may run any more
  };
  Run& run() { return run_; }
  // Around everything that runs a script's code.
  void Begin(const Run& run);
  void End();

  // For C code that runs long: ends what runs, if it must end.
  void Tick(lua_State* L);
  // For C code that has a buffer outside of Lua's memory: an error, if that is too large.
  void CheckOutsideBytes(lua_State* L, size_t bytes);
  // Raises what nothing catches: pcall, xpcall and coroutine.resume raise it again.
  [[noreturn]] void Unwind(lua_State* L);
  // "@user_script:3" where the last Unwind happened.
  const std::string& stopped_at() const { return stopped_at_; }

  // Calls what is on the stack as lua_pcall does, with the handler that notes where an error happened.
  int ProtectedCall(int args, int results);
  // Opens the globals for one assignment: what is on top becomes the global `name`.
  void SetGlobal(const char* name);
  // The environment that every chunk and function starts with; another script may have changed it (setfenv).
  void ResetEnvironment();
  // kFunctions: what a library sees while it loads is not what its functions see.
  void UseLoadGlobals(bool loading);

  size_t memory_bytes() const { return memory_bytes_; }
  // Collects all garbage, and remembers what was left.
  void Collect();
  size_t live_bytes() const { return live_bytes_; }
  size_t memory_bytes_max() const { return memory_bytes_max_; }
  // An allocation was refused, or a large buffer is kept outside: better to begin with a new state.
  bool hit_limit() const { return hit_limit_; }

  // ---- for the functions of `redis` ----
  std::vector<std::string_view> argv;                           // of the call that is being made; Lua's bytes
  std::vector<std::array<char, net::kDoubleBytesMax>> numbers;  // texts of arguments that are numbers
  net::OutputBuffer call_reply;
  std::string flat_reply;       // … in one piece, when it is in several
  LibraryFunction registering;  // by redis.register_function
  uint64_t random = 0;          // math.random's state, 48 bits

 private:
  static constexpr size_t kBytesPerTick = 1024 * 1024;
  static constexpr size_t kBudgetChunkBytes = 1024 * 1024;

  static void* Allocate(void* self, void* block, size_t old_bytes, size_t new_bytes);
  static void Hook(lua_State* L, lua_Debug*);
  static int Open(lua_State* L);
  void OpenLibraries(lua_State* L);
  void OpenFunctionGlobals(lua_State* L);
  void NoteAllocated(size_t bytes);
  // Whether it may grow to so many bytes.
  bool MayHave(size_t bytes);
  bool MustUnwind() const;

  const Kind kind_;
  const size_t memory_bytes_max_;
  LuaBudget* const budget_;
  size_t budgeted_bytes_ = 0;  // taken from it, in chunks
  lua_State* lua_ = nullptr;
  int globals_ = LUA_NOREF, load_globals_ = LUA_NOREF, call_globals_ = LUA_NOREF, error_handler_ = LUA_NOREF;
  Run run_;
  std::string stopped_at_;
  size_t memory_bytes_ = 0;
  size_t live_bytes_ = 0;  // after the last Collect
  size_t allocated_since_tick_ = 0;
  bool in_run_ = false;
  bool hit_limit_ = false;
};

}  // namespace basalt
