#include "server/tracking_table.h"

#include <algorithm>
#include <utility>

#include "storage/random.h"

namespace basalt {

void TrackingTable::Add(const storage::HashedKey& key, uint64_t client) {
  Shard& shard = ShardOf(key.hash);
  const std::lock_guard lock(shard.mu);
  auto it = shard.keys.find(View{key.key, key.hash});
  if (it == shard.keys.end()) {
    it = shard.keys.emplace(Key{std::string(key.key), key.hash}, Tracked{{}, shard.order.size()}).first;
    shard.order.push_back(&*it);
    keys_.fetch_add(1, std::memory_order_relaxed);
  }
  ClientIds& clients = it->second.clients;
  const auto at = std::lower_bound(clients.begin(), clients.end(), client);
  if (at != clients.end() && *at == client) return;
  clients.insert(at, client);
  ++shard.items;
  items_.fetch_add(1, std::memory_order_relaxed);
}

TrackingTable::ClientIds TrackingTable::Take(const storage::HashedKey& key) {
  Shard& shard = ShardOf(key.hash);
  const std::lock_guard lock(shard.mu);
  const auto it = shard.keys.find(View{key.key, key.hash});
  return it == shard.keys.end() ? ClientIds() : Remove(shard, it);
}

bool TrackingTable::TakeRandom(std::string* key, ClientIds* clients) {
  const size_t first = storage::RandomBelow(kShards);
  for (size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[(first + i) % kShards];
    const std::lock_guard lock(shard.mu);
    if (shard.order.empty()) continue;
    const Key& drawn = shard.order[storage::RandomBelow(shard.order.size())]->first;
    *key = drawn.key;
    *clients = Remove(shard, shard.keys.find(View(drawn)));
    return true;
  }
  return false;
}

TrackingTable::ClientIds TrackingTable::Remove(Shard& shard, Map::iterator it) {
  const size_t place = it->second.place;
  shard.order[place] = shard.order.back();
  shard.order[place]->second.place = place;
  shard.order.pop_back();
  ClientIds clients = std::move(it->second.clients);
  shard.keys.erase(it);
  keys_.fetch_sub(1, std::memory_order_relaxed);
  shard.items -= clients.size();
  items_.fetch_sub(clients.size(), std::memory_order_relaxed);
  return clients;
}

void TrackingTable::Clear() {
  for (Shard& shard : shards_) {
    Map keys;
    {
      const std::lock_guard lock(shard.mu);
      keys_.fetch_sub(shard.order.size(), std::memory_order_relaxed);
      items_.fetch_sub(std::exchange(shard.items, 0), std::memory_order_relaxed);
      keys.swap(shard.keys);
      shard.order = {};
    }
    if (keys.empty()) continue;
    const std::lock_guard lock(cleared_mu_);
    cleared_.push_back(std::move(keys));
  }
}

void TrackingTable::FreeCleared() {
  Map keys;  // goes after the lock
  const std::lock_guard lock(cleared_mu_);
  if (cleared_.empty()) return;
  keys.swap(cleared_.back());
  cleared_.pop_back();
}

}  // namespace basalt
