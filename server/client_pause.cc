#include "server/client_pause.h"

#include <algorithm>

#include "server/parked_registry.h"
#include "storage/storage.h"

namespace basalt {

namespace {

constexpr int64_t kUntilMax = int64_t{1} << 60;  // leaves room for the scope

}  // namespace

void ClientPause::Pause(int64_t until_ms, Scope scope) {
  std::lock_guard lock(mu_);
  until_ms = std::min(until_ms, kUntilMax);
  // One whose time has come is over, whether or not Tick has seen it yet: it must not widen or lengthen this one.
  const InForce active = in_force(storage_.NowMs());
  state_.store(Pack(std::max(until_ms, active.until_ms), std::max(scope, active.scope)), std::memory_order_release);
  storage_.PauseExpire(true);
}

void ClientPause::Unpause() {
  {
    std::lock_guard lock(mu_);
    state_.store(0, std::memory_order_release);
    storage_.PauseExpire(false);
  }
  parked_.WakeAllPostponed();
}

void ClientPause::Tick(int64_t now_ms) {
  if (state_.load(std::memory_order_acquire) != 0 && scope(now_ms) == Scope::kNone) Unpause();
}

}  // namespace basalt
