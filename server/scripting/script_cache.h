#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "server/scripting/interpreter.h"
#include "server/scripting/script_pace.h"

namespace basalt {

// A script and what its runs have taught.
struct KnownScript {
  Script script;
  mutable ScriptPace pace;

 private:
  friend class ScriptCache;
  mutable std::atomic<uint64_t> last_use{0};
  std::atomic<bool> loaded{false};  // by SCRIPT LOAD: stays until SCRIPT FLUSH
};

using KnownScriptPtr = std::shared_ptr<const KnownScript>;

// The scripts that EVALSHA finds: those of SCRIPT LOAD until SCRIPT FLUSH, and of those that only EVAL has brought the
// ones used last. Any thread; lookups do not wait for each other.
class ScriptCache {
 public:
  // Of scripts that only EVAL has brought.
  static constexpr size_t kEvalScriptsMax = 500;
  static constexpr size_t kEvalBytesMax = 16 * 1024 * 1024;

  // Null: not known.
  KnownScriptPtr Find(std::string_view digest) const;  // any case
  KnownScriptPtr FindBody(std::string_view body) const;
  enum class Origin : uint8_t { kEval, kLoad };
  // REQUIRES: it compiles. What is known already stays, but counts as loaded from kLoad on.
  KnownScriptPtr Add(std::string_view body, uint32_t flags, Origin origin);
  void Clear();

  // For INFO. Any thread.
  size_t size() const { return count_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  KnownScriptPtr Use(const KnownScriptPtr& script) const;
  void Evict();  // REQUIRES: mu_ exclusively

  mutable std::atomic<uint64_t> clock_{0};
  std::atomic<uint64_t> count_{0}, bytes_{0};

  mutable std::shared_mutex mu_;
  // guarded by mu_; the views are of the script's own strings:
  std::unordered_map<std::string_view, std::shared_ptr<KnownScript>> by_digest_;
  std::unordered_map<std::string_view, KnownScript*> by_body_;
  size_t eval_scripts_ = 0, eval_bytes_ = 0;
};

}  // namespace basalt
