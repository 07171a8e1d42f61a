#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/key.h"

namespace basalt {

// Which clients may have which keys in their caches: key -> numbers of clients (CLIENT ID), ascending. A client that is
// gone, or does not track any more, is forgotten with the key. In shards, by the hash of the key. Any thread.
//
// Its size is the caller's concern: TakeRandom.
class TrackingTable {
 public:
  using ClientIds = std::vector<uint64_t>;

  void Add(const storage::HashedKey& key, uint64_t client);
  // Takes a key out. Empty: it was not there.
  ClientIds Take(const storage::HashedKey& key);
  // Takes a key out that chance chooses. False: there is none.
  bool TakeRandom(std::string* key, ClientIds* clients);
  // Forgets all keys. Their memory is FreeCleared's to give back, a part in each call.
  void Clear();
  void FreeCleared();

  uint64_t keys() const { return keys_.load(std::memory_order_relaxed); }
  uint64_t items() const { return items_.load(std::memory_order_relaxed); }  // pairs of key and client

 private:
  static constexpr size_t kShards = 256;

  // A key as it is looked up and as it is kept; the database's own hash serves.
  struct View {
    std::string_view key;
    uint64_t hash;
  };
  struct Key {
    std::string key;
    uint64_t hash;
    operator View() const { return {key, hash}; }
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const View& view) const noexcept { return static_cast<size_t>(view.hash); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const View& a, const View& b) const { return a.key == b.key; }
  };
  struct Tracked {
    ClientIds clients;
    size_t place;  // in Shard::order
  };
  using Map = std::unordered_map<Key, Tracked, Hash, Equal>;
  struct alignas(64) Shard {
    std::mutex mu;
    Map keys;                             // guarded by mu
    std::vector<Map::value_type*> order;  // guarded by mu; all of `keys`, for a fair draw
    uint64_t items = 0;                   // guarded by mu
  };

  Shard& ShardOf(uint64_t hash) { return shards_[hash % kShards]; }
  // Takes it out of its shard, which is locked.
  ClientIds Remove(Shard& shard, Map::iterator it);

  std::array<Shard, kShards> shards_;
  std::atomic<uint64_t> keys_{0}, items_{0};
  std::mutex cleared_mu_;
  std::vector<Map> cleared_;  // guarded by cleared_mu_
};

}  // namespace basalt
