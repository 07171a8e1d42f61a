#include "server/held_threads.h"

#include <utility>

#include "net/transport.h"

namespace basalt {

HeldThreads::HeldThreads(const Services& services, int pool_threads)
    : services_(services), slots_(static_cast<size_t>(pool_threads)) {}

HeldThreads::~HeldThreads() = default;

void HeldThreads::Resubmit(std::vector<net::BatchPtr> rest, net::Lane lane) const {
  for (auto batch = rest.rbegin(); batch != rest.rend(); ++batch) {
    services_.transport->Resubmit(std::move(*batch), lane);
  }
}

HeldThreads::Hold::Hold(HeldThreads& owner, int thread, net::Lane lane, std::vector<net::BatchPtr>* rest,
                        uint64_t now_ns)
    : owner_(owner), thread_(thread), rest_(rest) {
  // In the slow lane it probably takes long. In the fast one hardly ever, and the rest stays unless Watch finds it.
  if (lane == net::Lane::kSlow) owner.Resubmit(std::exchange(*rest, {}), lane);
  Slot& slot = owner.slots_[static_cast<size_t>(thread)];
  std::lock_guard lock(slot.mu);
  slot.since_ns = now_ns;
  slot.lane = lane;
  slot.rest.swap(*rest);
}

HeldThreads::Hold::~Hold() {
  Slot& slot = owner_.slots_[static_cast<size_t>(thread_)];
  bool stand_in;
  net::Lane lane;
  {
    std::lock_guard lock(slot.mu);
    slot.since_ns = 0;
    stand_in = std::exchange(slot.stand_in, false);
    lane = slot.lane;
    slot.rest.swap(*rest_);
  }
  if (stand_in) owner_.services_.transport->DismissStandIn(lane);
}

void HeldThreads::Watch(uint64_t now_ns) {
  for (Slot& slot : slots_) {
    std::vector<net::BatchPtr> rest;
    net::Lane lane;  // of this hold: the next may be in another
    {
      std::lock_guard lock(slot.mu);
      if (slot.since_ns == 0 || now_ns < slot.since_ns + kHeldNs) continue;
      lane = slot.lane;
      rest.swap(slot.rest);
      if (!slot.stand_in) slot.stand_in = services_.transport->AddStandIn(lane);
    }
    Resubmit(std::move(rest), lane);
  }
}

}  // namespace basalt
