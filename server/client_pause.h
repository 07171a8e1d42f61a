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

  // Extends or widens what is in force, as Redis does. REQUIRES: the caller has the exclusive gate closed (CLIENT
  // PAUSE's row says so, alone and inside EXEC): the writes that were running are done, and whoever passes the gate
  // afterwards looks here before it writes.
  void Pause(int64_t until_ms, Scope scope);
  void Unpause();
  // Ends a pause whose time has come; called periodically.
  void Tick(int64_t now_ms);

  struct InForce {
    Scope scope = Scope::kNone;
    int64_t until_ms = 0;  // Unix milliseconds; 0 with kNone
  };
  // One load.
  InForce in_force(int64_t now_ms) const {
    const uint64_t state = state_.load(std::memory_order_acquire);
    if (state == 0 || now_ms >= UntilOf(state)) return {};
    return {ScopeOf(state), UntilOf(state)};
  }
  Scope scope(int64_t now_ms) const { return in_force(now_ms).scope; }
  // Nothing is in force, without a look at the clock; false may also mean that the time has come.
  bool none() const { return state_.load(std::memory_order_acquire) == 0; }

 private:
  static uint64_t Pack(int64_t until_ms, Scope scope) {
    return static_cast<uint64_t>(until_ms) << 2 | static_cast<uint64_t>(scope);
  }
  static int64_t UntilOf(uint64_t state) { return static_cast<int64_t>(state >> 2); }
  static Scope ScopeOf(uint64_t state) { return static_cast<Scope>(state & 3); }

  storage::Storage& storage_;
  ParkedRegistry& parked_;
  std::mutex mu_;  // one change at a time
  // Moment and scope in one word, so that nobody sees the one of an old pause with the other of a new one: until_ms <<
  // 2 | scope.
  std::atomic<uint64_t> state_{0};
};

}  // namespace basalt
