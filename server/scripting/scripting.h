#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/scripting/function_registry.h"
#include "server/scripting/interpreter.h"
#include "server/scripting/running_scripts.h"
#include "server/scripting/script_cache.h"

namespace basalt {

// Scripts and functions: what is known by its digest or name, what runs, and the interpreters that run it (one a pool
// thread, made when that thread first needs it). Any thread, but for what says otherwise.
class Scripting {
 public:
  // `pool_threads`: of all lanes, stand-ins included. `slow_threads`: those of the slow lane, where scripts leave one
  // to others.
  Scripting(int pool_threads, int slow_threads);

  ScriptCache& scripts() { return scripts_; }
  const ScriptCache& scripts() const { return scripts_; }
  RunningScripts& running() { return running_; }
  FunctionRegistry& functions() { return functions_; }

  // REQUIRES: pool thread number `thread`.
  Interpreter& interpreter(int thread);
  // … after each use: shows others how large it is, and lets go of it when it is outdated.
  void Used(int thread);
  // SCRIPT FLUSH: no script is known any more, and every thread begins with a new interpreter.
  void Flush();

  uint64_t interpreter_bytes() const;  // of all of them

  // DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may run what they may not (tests).
  void AllowAllCommands(bool allow) { allow_all_commands_.store(allow, std::memory_order_relaxed); }
  bool allows_all_commands() const { return allow_all_commands_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Slot {
    std::unique_ptr<Interpreter> interpreter;  // that thread only
    uint64_t flushes = 0;                      // … how many there had been when it was made
    std::atomic<uint64_t> bytes{0};
  };

  ScriptCache scripts_;
  FunctionRegistry functions_;
  RunningScripts running_;
  std::vector<Slot> slots_;
  std::atomic<uint64_t> flushes_{0};
  std::atomic<bool> allow_all_commands_{false};
};

}  // namespace basalt
