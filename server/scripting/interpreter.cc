#include "server/scripting/interpreter.h"

#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/clock.h"
#include "server/scripting/lua_state.h"
#include "server/scripting/lua_values.h"
#include "server/scripting/script_flags.h"

namespace basalt {

namespace {

// Compiled scripts of one state; beyond, the longest unused one goes.
constexpr size_t kCompiledScriptsMax = 500;
constexpr size_t kCompiledBytesMax = 8 * 1024 * 1024;  // of source text
// Garbage of so many bytes does not stay until a later run happens to collect it.
constexpr size_t kGarbageBytesMax = 8 * 1024 * 1024;
// A state that holds more between two runs begins anew.
constexpr size_t kIdleBytesMax = 32 * 1024 * 1024;
// Redis' rhythm: a small step of garbage collection every so many runs.
constexpr int kRunsPerGcStep = 50;

struct CompiledScript {
  std::string digest;
  size_t source_bytes;
  int function;  // registry reference
};

struct CompiledLibrary {
  uint64_t version = 0;
  std::vector<std::pair<std::string, int>> functions;  // name, registry reference
};

// One run, for what happens in protected mode. Nothing in it is destroyed there.
struct Invocation {
  LuaState& state;
  int function;  // registry reference
  std::string_view name;
  std::span<const std::string_view> keys, args;
  ScriptHost& host;
  net::ReplyBuilder& reply;
  bool in_globals;  // keys and arguments are KEYS and ARGV
  WriteOutcome written = WriteOutcome::kWritten;
};

void PushStrings(lua_State* L, std::span<const std::string_view> strings) {
  lua_createtable(L, static_cast<int>(strings.size()), 0);
  int i = 0;
  for (const std::string_view string : strings) {
    lua_pushlstring(L, string.data(), string.size());
    lua_rawseti(L, -2, ++i);
  }
}

// The field of the error on top, or null; pushes it.
const char* ErrorField(lua_State* L, const char* name) {
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  return lua_isstring(L, -1) ? lua_tostring(L, -1) : nullptr;
}

// Of the error on top. Everything it needs is made by Lua: this runs in protected mode.
void WriteError(lua_State* L, Invocation& run) {
  bool counted = false;
  if (!lua_istable(L, -1)) {
    constexpr size_t kShownBytesMax = 100;
    const std::string_view text = lua_isstring(L, -1) ? lua_tostring(L, -1) : "execution failure";
    lua_pushliteral(L, "ERR Error running script ");
    lua_pushlstring(L, run.name.data(), run.name.size());
    lua_pushliteral(L, ", ");
    lua_pushlstring(L, text.data(), std::min(text.size(), kShownBytesMax));
    lua_concat(L, 4);
  } else {
    const int error = lua_gettop(L);
    const char* text = ErrorField(L, "err");
    if (text == nullptr) text = "ERR unknown error";
    lua_pushvalue(L, error);
    const char* const source = ErrorField(L, "source");
    lua_pushvalue(L, error);
    const char* const line = ErrorField(L, "line");
    lua_pushvalue(L, error);
    lua_pushliteral(L, "ignore_error_stats_update");
    lua_rawget(L, -2);
    counted = lua_isboolean(L, -1) && lua_toboolean(L, -1);
    lua_pushlstring(L, run.name.data(), run.name.size());
    const char* const name = lua_tostring(L, -1);
    if (source != nullptr && line != nullptr) {
      lua_pushfstring(L, "%s script: %s, on %s:%s.", text, name, source, line);
    } else {
      lua_pushstring(L, text);
    }
  }
  const std::string_view line = lua_tostring(L, -1);
  run.reply.Error(line);
  run.host.OnErrorReply(line, counted);
}

void ReplyWithError(std::string line, ScriptHost& host, net::ReplyBuilder& reply) {
  reply.Error(line);
  host.OnErrorReply(line, false);
}

// In protected mode: the caller drops whatever this leaves on the stack.
int Execute(lua_State* L) {
  Invocation& run = *static_cast<Invocation*>(lua_touserdata(L, 1));
  lua_rawgeti(L, LUA_REGISTRYINDEX, run.function);
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  lua_setfenv(L, -2);
  PushStrings(L, run.keys);
  if (run.in_globals) run.state.SetGlobal("KEYS");
  PushStrings(L, run.args);
  if (run.in_globals) run.state.SetGlobal("ARGV");
  const int status = run.state.ProtectedCall(run.in_globals ? 0 : 2, 1);
  if (run.state.run().unwinding) return 0;
  if (status != 0) {
    WriteError(L, run);
    return 0;
  }
  ReplyTarget target{.reply = run.reply, .script_resp = run.state.run().resp, .host = run.host};
  run.written = WriteValue(L, &target);
  return 0;
}

}  // namespace

class Interpreter::Impl {
 public:
  Impl(size_t memory_bytes_max, LuaBudget* budget) : memory_bytes_max_(memory_bytes_max), budget_(budget) {}

  Status Compile(const Script& script, int* function);
  Outcome Run(const Script& script, std::span<const std::string_view> keys, std::span<const std::string_view> args,
              ScriptHost& host, net::ReplyBuilder& reply);
  Outcome RunFunction(const FunctionLibrary& library, std::string_view function, std::span<const std::string_view> keys,
                      std::span<const std::string_view> args, ScriptHost& host, net::ReplyBuilder& reply);
  Status Load(FunctionLibrary* library, std::vector<int>* callbacks, ScriptHost* host, uint64_t timeout_ns);
  void ReleaseCallbacks(const std::vector<int>& callbacks) {
    for (const int callback : callbacks) luaL_unref(functions().lua(), LUA_REGISTRYINDEX, callback);
  }
  void TidyUp();
  LuaState& scripts() {
    if (scripts_ == nullptr)
      scripts_ = std::make_unique<LuaState>(LuaState::Kind::kScripts, memory_bytes_max_, budget_);
    return *scripts_;
  }
  LuaState& functions() {
    if (functions_ == nullptr)
      functions_ = std::make_unique<LuaState>(LuaState::Kind::kFunctions, memory_bytes_max_, budget_);
    return *functions_;
  }

  std::string stopped_at;

  InterpreterMemory memory() const {
    return {script_bytes_.load(std::memory_order_relaxed), function_bytes_.load(std::memory_order_relaxed)};
  }

 private:
  // Runs what the invocation says between Begin and End of its state.
  Outcome Invoke(Invocation* run);
  int FindOrCompile(const Script& script, Status* error);
  int FindOrLoad(const FunctionLibrary& library, std::string_view function, ScriptHost& host, Status* error);
  void ForgetOldest();
  void ForgetScripts() {
    by_digest_.clear();
    by_use_.clear();
    source_bytes_ = 0;
  }

  const size_t memory_bytes_max_;
  LuaBudget* const budget_;
  std::unique_ptr<LuaState> scripts_, functions_;

  // The most recently used first; the keys of by_digest_ are views of its digests.
  std::list<CompiledScript> by_use_;
  std::unordered_map<std::string_view, std::list<CompiledScript>::iterator> by_digest_;
  size_t source_bytes_ = 0;
  std::unordered_map<std::string, CompiledLibrary> libraries_;  // by name
  int runs_until_gc_step_ = kRunsPerGcStep;
  std::atomic<uint64_t> script_bytes_{0}, function_bytes_{0};
};

// ---- running ----

Interpreter::Outcome Interpreter::Impl::Invoke(Invocation* run) {
  LuaState& state = run->state;
  lua_State* const L = state.lua();
  const auto start = run->reply.buffer().End();
  state.ResetEnvironment();
  state.Begin({.host = &run->host});
  const int status = lua_cpcall(L, Execute, run);
  const bool unwound = state.run().unwinding || run->written == WriteOutcome::kUnwind;
  if (unwound) {
    stopped_at = state.stopped_at();
    run->reply.buffer().Truncate(start);
  } else if (status != 0) {
    run->reply.buffer().Truncate(start);
    ReplyWithError("ERR Error running script " + std::string(run->name) + ", not enough memory", run->host, run->reply);
  } else if (run->written == WriteOutcome::kTooLarge) {
    run->reply.buffer().Truncate(start);
    ReplyWithError("ERR Error running script " + std::string(run->name) + ", its reply is too large", run->host,
                   run->reply);
  }
  state.End();
  lua_settop(L, 0);
  TidyUp();
  return unwound ? Outcome::kUnwound : Outcome::kReplied;
}

// Collects what the run left; a state that had too little memory, or keeps too much, begins anew.
void Interpreter::Impl::TidyUp() {
  if (--runs_until_gc_step_ == 0) {
    runs_until_gc_step_ = kRunsPerGcStep;
    for (LuaState* const state : {scripts_.get(), functions_.get()}) {
      if (state != nullptr) lua_gc(state->lua(), LUA_GCSTEP, kRunsPerGcStep);
    }
  }
  for (std::unique_ptr<LuaState>* const state : {&scripts_, &functions_}) {
    std::atomic<uint64_t>& bytes = state == &scripts_ ? script_bytes_ : function_bytes_;
    bytes.store(0, std::memory_order_relaxed);
    if (*state == nullptr) continue;
    const size_t worth_collecting = std::min(kGarbageBytesMax + 2 * (*state)->live_bytes(), kIdleBytesMax);
    if ((*state)->memory_bytes() > worth_collecting) (*state)->Collect();
    if ((*state)->hit_limit() || (*state)->memory_bytes() > kIdleBytesMax) {
      state == &scripts_ ? ForgetScripts() : libraries_.clear();
      state->reset();
      continue;
    }
    bytes.store((*state)->memory_bytes(), std::memory_order_relaxed);
  }
}

// ---- scripts ----

Status Interpreter::Impl::Compile(const Script& script, int* function) {
  Shebang shebang;
  if (!ReadShebang(script.body, &shebang)) return Status::Message("ERR Invalid script shebang");
  LuaState& state = scripts();
  lua_State* const L = state.lua();
  state.ResetEnvironment();
  const std::string_view code = std::string_view(script.body).substr(shebang.bytes);
  if (luaL_loadbuffer(L, code.data(), code.size(), "@user_script") != 0) {
    const char* const text = lua_tostring(L, -1);
    Status error = Status::Message(std::string("ERR Error compiling script (new function): ") + (text ? text : ""));
    lua_settop(L, 0);
    return error;
  }
  if (function != nullptr) *function = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_settop(L, 0);
  return Ok();
}

int Interpreter::Impl::FindOrCompile(const Script& script, Status* error) {
  if (const auto known = by_digest_.find(script.digest); known != by_digest_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, known->second);
    return known->second->function;
  }
  int function = LUA_NOREF;
  *error = Compile(script, &function);
  if (!error->ok()) return LUA_NOREF;
  by_use_.push_front({script.digest, script.body.size(), function});
  by_digest_.emplace(by_use_.front().digest, by_use_.begin());
  source_bytes_ += script.body.size();
  while (by_use_.size() > 1 && (by_use_.size() > kCompiledScriptsMax || source_bytes_ > kCompiledBytesMax)) {
    ForgetOldest();
  }
  return function;
}

void Interpreter::Impl::ForgetOldest() {
  const CompiledScript& oldest = by_use_.back();
  luaL_unref(scripts_->lua(), LUA_REGISTRYINDEX, oldest.function);
  source_bytes_ -= oldest.source_bytes;
  by_digest_.erase(oldest.digest);
  by_use_.pop_back();
}

Interpreter::Outcome Interpreter::Impl::Run(const Script& script, std::span<const std::string_view> keys,
                                            std::span<const std::string_view> args, ScriptHost& host,
                                            net::ReplyBuilder& reply) {
  Status error;
  const int function = FindOrCompile(script, &error);
  if (!error.ok()) {
    ReplyWithError(ErrorText(error, {}), host, reply);
    TidyUp();
    return Outcome::kReplied;
  }
  Invocation run{.state = scripts(),
                 .function = function,
                 .name = script.digest,
                 .keys = keys,
                 .args = args,
                 .host = host,
                 .reply = reply,
                 .in_globals = true};
  return Invoke(&run);
}

// ---- functions ----

Status Interpreter::Impl::Load(FunctionLibrary* library, std::vector<int>* callbacks, ScriptHost* host,
                               uint64_t timeout_ns) {
  Shebang shebang;
  if (!ReadShebang(library->code, &shebang)) return Status::Message("ERR Invalid library metadata");
  LuaState& state = functions();
  lua_State* const L = state.lua();
  state.ResetEnvironment();
  const std::string_view code = std::string_view(library->code).substr(shebang.bytes);
  if (luaL_loadbuffer(L, code.data(), code.size(), "@user_function") != 0) {
    const char* const text = lua_tostring(L, -1);
    Status error = Status::Message(std::string("ERR Error compiling function: ") + (text ? text : ""));
    lua_settop(L, 0);
    return error;
  }
  state.UseLoadGlobals(true);
  state.Begin({.host = host,
               .load = library,
               .callbacks = callbacks,
               .load_deadline_ns = timeout_ns == 0 ? 0 : net::MonotonicNs() + timeout_ns});
  const int status = lua_pcall(L, 0, 0, 0);
  const bool unwound = state.run().unwinding;
  state.End();
  state.UseLoadGlobals(false);
  Status result;
  if (unwound) {
    result = Status::Message("ERR Error registering functions: ERR FUNCTION LOAD timeout");
  } else if (status != 0) {
    std::string text;
    if (lua_istable(L, -1)) {
      const char* const field = ErrorField(L, "err");
      text = field != nullptr ? field : "";
    } else if (const char* const message = lua_tostring(L, -1); message != nullptr) {
      text = std::string("ERR ") + message;
    }
    result = Status::Message("ERR Error registering functions: " + text);
  }
  lua_settop(L, 0);
  return result;
}

int Interpreter::Impl::FindOrLoad(const FunctionLibrary& library, std::string_view function, ScriptHost& host,
                                  Status* error) {
  CompiledLibrary& compiled = libraries_[library.name];
  if (compiled.version != library.version) {
    lua_State* const L = functions().lua();
    for (const auto& [name, callback] : compiled.functions) luaL_unref(L, LUA_REGISTRYINDEX, callback);
    compiled = {};
    FunctionLibrary copy{.name = library.name, .code = library.code};
    std::vector<int> callbacks;
    *error = Load(&copy, &callbacks, &host, 0);
    for (size_t i = 0; i < callbacks.size(); ++i) {
      compiled.functions.emplace_back(std::move(copy.functions[i].name), callbacks[i]);
    }
    if (!error->ok()) return LUA_NOREF;
    compiled.version = library.version;
  }
  for (const auto& [name, callback] : compiled.functions) {
    if (name == function) return callback;
  }
  *error = Status::Message("ERR Function not found");  // its library's code registers another set each time
  return LUA_NOREF;
}

Interpreter::Outcome Interpreter::Impl::RunFunction(const FunctionLibrary& library, std::string_view function,
                                                    std::span<const std::string_view> keys,
                                                    std::span<const std::string_view> args, ScriptHost& host,
                                                    net::ReplyBuilder& reply) {
  Status error;
  const int callback = FindOrLoad(library, function, host, &error);
  if (!error.ok()) {
    TidyUp();
    if (host.MustUnwind()) return Outcome::kUnwound;
    ReplyWithError(ErrorText(error, {}), host, reply);
    return Outcome::kReplied;
  }
  Invocation run{.state = functions(),
                 .function = callback,
                 .name = function,
                 .keys = keys,
                 .args = args,
                 .host = host,
                 .reply = reply,
                 .in_globals = false};
  return Invoke(&run);
}

// ---- Interpreter ----

Interpreter::Interpreter(size_t memory_bytes_max, LuaBudget* budget)
    : impl_(std::make_unique<Impl>(memory_bytes_max, budget)) {}
Interpreter::~Interpreter() = default;

Status Interpreter::ParseShebang(std::string_view body, uint32_t* flags) { return ParseScriptFlags(body, flags); }

Status Interpreter::Check(const Script& script) {
  Status status = impl_->Compile(script, nullptr);
  impl_->TidyUp();
  return status;
}

Interpreter::Outcome Interpreter::Run(const Script& script, std::span<const std::string_view> keys,
                                      std::span<const std::string_view> args, ScriptHost& host,
                                      net::ReplyBuilder& reply) {
  return impl_->Run(script, keys, args, host, reply);
}

Interpreter::Outcome Interpreter::RunFunction(const FunctionLibrary& library, std::string_view function,
                                              std::span<const std::string_view> keys,
                                              std::span<const std::string_view> args, ScriptHost& host,
                                              net::ReplyBuilder& reply) {
  return impl_->RunFunction(library, function, keys, args, host, reply);
}

Status Interpreter::LoadLibrary(FunctionLibrary* library) {
  constexpr uint64_t kTimeoutNs = 500'000'000;
  std::vector<int> callbacks;
  Status status = impl_->Load(library, &callbacks, nullptr, kTimeoutNs);
  impl_->ReleaseCallbacks(callbacks);
  impl_->TidyUp();
  return status;
}

std::string_view Interpreter::stopped_at() const { return impl_->stopped_at; }
InterpreterMemory Interpreter::memory() const { return impl_->memory(); }

}  // namespace basalt
