#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace basalt {

namespace storage {
class Storage;
}
class ParkedRegistry;

// CLIENT PAUSE: holds clients' commands back until a moment, all of them or those that may write. Any thread.
class ClientPause {
 public:
  enum class Scope : uint8_t { kNone, kWrites, kAll };

  ClientPause(storage::Storage& storage, ParkedRegistry& parked) : storage_(storage), parked_(parked) {}

  // Extends or widens what is in force, as Redis does. REQUIRES: the caller has the exclusive gate closed (CLIENT PAUSE's row says so, alone
  // and inside EXEC): the writes that were running are done, and those that wait for the gate look here again.
  void Pause(int64_t until_ms, Scope scope);
  void Unpause();
  // Ends a pause whose time has come; called periodically.
  void Tick(int64_t now_ms);

  // One relaxed load when nothing is paused.
  Scope scope(int64_t now_ms) const {
    const Scope scope = scope_.load(std::memory_order_acquire);
    if (scope == Scope::kNone || now_ms >= until_ms_.load(std::memory_order_relaxed)) return Scope::kNone;
    return scope;
  }
  int64_t until_ms() const { return until_ms_.load(std::memory_order_relaxed); }

 private:
  storage::Storage& storage_;
  ParkedRegistry& parked_;
  std::mutex mu_;  // one change at a time
  std::atomic<Scope> scope_{Scope::kNone};
  std::atomic<int64_t> until_ms_{0};
};

}  // namespace basalt
