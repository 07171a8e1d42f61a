#include "server/blocked_keys.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace basalt {

struct BlockedKeys::Waiter {
  uint64_t arrival;
  Request request;
  struct Place {
    Queue* queue;
    uint64_t seen;  // changes of the key that it has looked at
  };
  std::vector<Place> places;  // one for each different key
  ParkTicket ticket = 0;      // 0: not parked at the moment
  bool running = false;       // it is woken, or will be as soon as it is parked

  bool WaitsFor(const Queue& queue) const;
  bool AwaitsOthersTurn() const;
  Place& PlaceIn(const Queue& queue) {
    return *std::find_if(places.begin(), places.end(), [&](const Place& each) { return each.queue == &queue; });
  }
};

// Those who wait for one key.
struct BlockedKeys::Queue {
  std::string map_key;
  std::map<uint64_t, Waiter*> waiters;  // by arrival
  uint64_t changes = 0;
  bool known = true;                        // what the key holds: false after SWAPDB
  std::optional<storage::ValueType> holds;  // nullopt: nothing
  Waiter* turn = nullptr;                   // of those who take, one at a time
  bool stalled = false;                     // in stalled_
};

bool BlockedKeys::Waiter::WaitsFor(const Queue& queue) const {
  return !queue.known || queue.holds == request.type || request.wake_on == WakeOn::kAnyChange;
}

bool BlockedKeys::Waiter::AwaitsOthersTurn() const {
  return std::any_of(places.begin(), places.end(), [](const Place& each) { return each.queue->turn != nullptr; });
}

BlockedKeys::BlockedKeys(std::function<void(ParkTicket)> wake) : wake_(std::move(wake)) {}
BlockedKeys::~BlockedKeys() { CHECK(waiters_.empty()) << "registrations end before their registry"; }

std::string BlockedKeys::MapKey(storage::DbIndex db, std::string_view name) {
  std::string key{static_cast<char>(db >> 8), static_cast<char>(db)};
  return key.append(name);
}

BlockedKeys::Registration BlockedKeys::Register(Request request) {
  auto waiter = std::make_unique<Waiter>();
  std::lock_guard lock(mu_);
  waiter->arrival = next_arrival_++;
  for (const Key& key : request.keys) {
    std::string map_key = MapKey(key.db, key.name);
    std::unique_ptr<Queue>& queue = queues_[map_key];
    if (queue == nullptr) {
      queue = std::make_unique<Queue>();
      queue->map_key = std::move(map_key);
    }
    if (!queue->waiters.emplace(waiter->arrival, waiter.get()).second) continue;  // a key that is named twice
    waiter->places.push_back({queue.get(), queue->changes});
  }
  for (const Key& key : request.keys) waiting_[key.hash % kSlots].fetch_add(1, std::memory_order_relaxed);
  waiter->request = std::move(request);
  Registration registration;
  registration.owner_ = this;
  registration.arrival_ = waiter->arrival;
  waiters_.emplace(waiter->arrival, std::move(waiter));
  return registration;
}

void BlockedKeys::WaitOn(uint64_t arrival) {
  std::vector<ParkTicket> wake;
  {
    std::lock_guard lock(mu_);
    Waiter& waiter = *waiters_.at(arrival);
    for (Waiter::Place& place : waiter.places) place.seen = place.queue->changes;
    waiter.ticket = 0;
    EndTurn(waiter, &wake);
  }
  WakeAll(wake);
}

void BlockedKeys::OnParked(uint64_t arrival, ParkTicket ticket) {
  {
    std::lock_guard lock(mu_);
    const auto found = waiters_.find(arrival);
    if (found == waiters_.end()) return;
    found->second->ticket = ticket;
    if (!found->second->running) return;
  }
  wake_(ticket);
}

void BlockedKeys::OnAwaitedChange(const storage::Change& change) {
  std::vector<ParkTicket> wake;
  {
    std::lock_guard lock(mu_);
    const auto found = queues_.find(MapKey(change.db, change.key.key));
    if (found == queues_.end()) return;
    Queue& queue = *found->second;
    ++queue.changes;
    queue.known = true;
    queue.holds.reset();
    if (change.kind == storage::ChangeKind::kModified) queue.holds = change.type;
    Advance(queue, &wake);
  }
  WakeAll(wake);
}

void BlockedKeys::OnDatabasesReplaced(std::span<const storage::DbIndex> dbs) {
  std::vector<ParkTicket> wake;
  {
    std::lock_guard lock(mu_);
    for (const auto& [map_key, queue] : queues_) {
      const auto in_db = [&](storage::DbIndex db) { return map_key.starts_with(MapKey(db, {})); };
      if (std::none_of(dbs.begin(), dbs.end(), in_db)) continue;
      ++queue->changes;
      queue->known = false;
      Advance(*queue, &wake);
    }
  }
  WakeAll(wake);
}

void BlockedKeys::Advance(Queue& queue, std::vector<ParkTicket>* wake) {
  for (const auto& [arrival, waiter] : queue.waiters) {
    if (queue.turn != nullptr) return;
    Waiter::Place& place = waiter->PlaceIn(queue);
    if (place.seen == queue.changes || !waiter->WaitsFor(queue)) continue;
    if (waiter->request.takes && (waiter->running || waiter->AwaitsOthersTurn())) {
      // Who else has the turn of one of its keys may leave it something there; only then is it known who is next here.
      if (!std::exchange(queue.stalled, true)) stalled_.push_back(&queue);
      return;
    }
    if (waiter->running) continue;
    place.seen = queue.changes;
    waiter->running = true;
    if (waiter->request.takes) queue.turn = waiter;
    if (waiter->ticket != 0) wake->push_back(waiter->ticket);
  }
}

void BlockedKeys::EndTurn(Waiter& waiter, std::vector<ParkTicket>* wake) {
  if (!std::exchange(waiter.running, false)) return;
  for (const Waiter::Place& place : waiter.places) {
    if (place.queue->turn != &waiter) continue;
    place.queue->turn = nullptr;
    Advance(*place.queue, wake);
  }
  for (Queue* const queue : std::exchange(stalled_, {})) {
    queue->stalled = false;
    Advance(*queue, wake);
  }
}

void BlockedKeys::Remove(uint64_t arrival) {
  std::vector<ParkTicket> wake;
  {
    std::lock_guard lock(mu_);
    const auto found = waiters_.find(arrival);
    CHECK(found != waiters_.end());
    const std::unique_ptr<Waiter> waiter = std::move(found->second);
    waiters_.erase(found);
    for (const Key& key : waiter->request.keys) waiting_[key.hash % kSlots].fetch_sub(1, std::memory_order_relaxed);
    for (const Waiter::Place& place : waiter->places) place.queue->waiters.erase(arrival);
    EndTurn(*waiter, &wake);
    for (const Waiter::Place& place : waiter->places) {
      if (!place.queue->waiters.empty()) continue;
      std::erase(stalled_, place.queue);
      queues_.erase(place.queue->map_key);
    }
  }
  WakeAll(wake);
}

void BlockedKeys::WakeAll(const std::vector<ParkTicket>& tickets) const {
  for (const ParkTicket ticket : tickets) wake_(ticket);
}

BlockedKeys::Counts BlockedKeys::GetCounts() const {
  std::lock_guard lock(mu_);
  Counts counts{.keys = queues_.size(), .keys_any_change = 0};
  for (const auto& [map_key, queue] : queues_) {
    counts.keys_any_change += std::any_of(queue->waiters.begin(), queue->waiters.end(), [](const auto& each) {
      return each.second->request.wake_on == WakeOn::kAnyChange;
    });
  }
  return counts;
}

}  // namespace basalt
