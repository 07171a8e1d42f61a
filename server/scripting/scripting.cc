#include "server/scripting/scripting.h"

#include <algorithm>
#include <utility>

#include "net/request_handler.h"

namespace basalt {

Scripting::Scripting(int pool_threads, int slow_threads)
    : running_(std::max(1, slow_threads - 1), net::kStandInThreadsMax), slots_(static_cast<size_t>(pool_threads)) {}

Scripting::InterpreterUse::InterpreterUse(Scripting& scripting, int thread) : scripting_(scripting), thread_(thread) {
  Slot& slot = scripting.slots_[static_cast<size_t>(thread)];
  std::lock_guard lock(slot.mu);
  if (slot.interpreter == nullptr)
    slot.interpreter = std::make_unique<Interpreter>(Interpreter::kMemoryBytesMax, &scripting.budget_);
  slot.in_use = true;
  interpreter_ = slot.interpreter.get();
}

Scripting::InterpreterUse::~InterpreterUse() {
  Slot& slot = scripting_.slots_[static_cast<size_t>(thread_)];
  std::lock_guard lock(slot.mu);
  slot.in_use = false;
  if (std::exchange(slot.outdated, false)) slot.interpreter.reset();
}

void Scripting::Flush() {
  scripts_.Clear();
  for (Slot& slot : slots_) {
    std::lock_guard lock(slot.mu);
    if (slot.in_use) {
      slot.outdated = true;
    } else {
      slot.interpreter.reset();
    }
  }
}

InterpreterMemory Scripting::interpreter_memory() const {
  InterpreterMemory sum;
  for (const Slot& slot : slots_) {
    std::lock_guard lock(slot.mu);
    if (slot.interpreter == nullptr) continue;
    const InterpreterMemory each = slot.interpreter->memory();
    sum.script_bytes += each.script_bytes;
    sum.function_bytes += each.function_bytes;
  }
  return sum;
}

}  // namespace basalt
