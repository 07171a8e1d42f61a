#include "server/client_pause.h"

#include <algorithm>

#include "server/parked_registry.h"
#include "storage/storage.h"

namespace basalt {

void ClientPause::Pause(int64_t until_ms, Scope scope) {
  std::lock_guard lock(mu_);
  const bool active = scope_.load(std::memory_order_relaxed) != Scope::kNone;
  until_ms_.store(active ? std::max(until_ms, until_ms_.load(std::memory_order_relaxed)) : until_ms, std::memory_order_relaxed);
  scope_.store(std::max(scope, scope_.load(std::memory_order_relaxed)), std::memory_order_release);
  storage_.PauseExpire(true);
}

void ClientPause::Unpause() {
  {
    std::lock_guard lock(mu_);
    scope_.store(Scope::kNone, std::memory_order_release);
    storage_.PauseExpire(false);
  }
  parked_.WakeAllPostponed();
}

void ClientPause::Tick(int64_t now_ms) {
  if (scope_.load(std::memory_order_acquire) != Scope::kNone && scope(now_ms) == Scope::kNone) Unpause();
}

}  // namespace basalt
