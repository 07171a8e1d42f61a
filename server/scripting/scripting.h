#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
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
  const FunctionRegistry& functions() const { return functions_; }

  // The interpreter of a pool thread, for a block of its code.
  class InterpreterUse {
   public:
    // REQUIRES: pool thread number `thread`.
    InterpreterUse(Scripting& scripting, int thread);
    ~InterpreterUse();
    InterpreterUse(const InterpreterUse&) = delete;
    InterpreterUse& operator=(const InterpreterUse&) = delete;
    Interpreter* operator->() const { return interpreter_; }
    Interpreter& operator*() const { return *interpreter_; }

   private:
    Scripting& scripting_;
    const int thread_;
    Interpreter* interpreter_;
  };
  // SCRIPT FLUSH: no script is known any more, and the interpreters are new (those that run something, when it is
  // done).
  void Flush();

  InterpreterMemory interpreter_memory() const;  // of all of them

  // DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may run what they may not (tests).
  void AllowAllCommands(bool allow) { allow_all_commands_.store(allow, std::memory_order_relaxed); }
  bool allows_all_commands() const { return allow_all_commands_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Slot {
    mutable std::mutex mu;
    // guarded by mu:
    std::unique_ptr<Interpreter> interpreter;  // what it points to is the thread's while in_use
    bool in_use = false;
    bool outdated = false;
  };

  ScriptCache scripts_;
  FunctionRegistry functions_;
  RunningScripts running_;
  LuaBudget budget_;
  std::vector<Slot> slots_;
  std::atomic<bool> allow_all_commands_{false};
};

}  // namespace basalt
