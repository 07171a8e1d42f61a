#include "server/scripting/scripting.h"

#include <algorithm>

#include "net/request_handler.h"

namespace basalt {

Scripting::Scripting(int pool_threads, int slow_threads)
    : running_(std::max(1, slow_threads - 1), net::kStandInThreadsMax), slots_(static_cast<size_t>(pool_threads)) {}

Interpreter& Scripting::interpreter(int thread) {
  Slot& slot = slots_[static_cast<size_t>(thread)];
  const uint64_t flushes = flushes_.load(std::memory_order_relaxed);
  if (slot.interpreter == nullptr || slot.flushes != flushes) {
    slot.interpreter = std::make_unique<Interpreter>();
    slot.flushes = flushes;
  }
  return *slot.interpreter;
}

void Scripting::Used(int thread) {
  Slot& slot = slots_[static_cast<size_t>(thread)];
  if (slot.interpreter == nullptr) return;
  if (slot.flushes != flushes_.load(std::memory_order_relaxed)) slot.interpreter.reset();
  slot.bytes.store(slot.interpreter != nullptr ? slot.interpreter->memory_bytes() : 0, std::memory_order_relaxed);
}

void Scripting::Flush() {
  scripts_.Clear();
  flushes_.fetch_add(1, std::memory_order_relaxed);
}

uint64_t Scripting::interpreter_bytes() const {
  uint64_t bytes = 0;
  for (const Slot& slot : slots_) bytes += slot.bytes.load(std::memory_order_relaxed);
  return bytes;
}

}  // namespace basalt
