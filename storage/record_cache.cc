#include "storage/record_cache.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

namespace basalt::storage {

struct RecordCache::Entry {
  Entry* next;  // in its table bucket
  uint64_t hash;
  uint64_t sequence;
  RecordPtr record;
  uint32_t ring_index;
  uint32_t charge;  // bytes
  Namespace ns;
  uint32_t access_s;  // Unix time, modulo 2^32
  uint32_t key_bytes;
  uint16_t decay_minute;
  uint8_t frequency;  // logarithmic, as Redis' LFU counter
  bool pending : 1;
  bool referenced : 1;

  std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
  bool Is(Namespace of, const HashedKey& other) const { return hash == other.hash && ns == of && key() == other.key; }
};

namespace {

using Entry = RecordCache::Entry;

constexpr uint8_t kFrequencyInitial = 5;  // Redis' LFU_INIT_VAL: a new key is not the next victim
constexpr uint32_t kFrequencyLogFactor = 10;
constexpr size_t kBucketsInitial = 64;
// Besides its own bytes an entry costs a table slot, a ring slot and the allocator's rounding, twice.
constexpr size_t kEntryOverheadBytes = 48;

uint16_t MinuteOf(int64_t now_ms) { return static_cast<uint16_t>(now_ms / 60000); }

uint8_t DecayedFrequency(const Entry& entry, uint16_t minute) {
  const uint16_t periods = static_cast<uint16_t>(minute - entry.decay_minute);
  return periods >= entry.frequency ? 0 : static_cast<uint8_t>(entry.frequency - periods);
}

uint32_t ChargeOf(size_t key_bytes, const Record& record) {
  return static_cast<uint32_t>(sizeof(Entry) + key_bytes + record.memory_bytes() + kEntryOverheadBytes);
}

}  // namespace

struct alignas(64) RecordCache::Shard {
  mutable std::mutex mu;
  // all guarded by mu
  std::vector<Entry*> table = std::vector<Entry*>(kBucketsInitial, nullptr);
  std::vector<Entry*> ring;  // all entries; the clock's hand goes around
  size_t hand = 0;
  uint64_t bytes = 0;
  uint64_t budget = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint32_t random = 0x9e3779b9;

  ~Shard() {
    for (Entry* entry : ring) Destroy(entry);
  }

  static Entry* Create(Namespace ns, const HashedKey& key) {
    Entry* entry = new (::operator new(sizeof(Entry) + key.key.size())) Entry();
    entry->hash = key.hash;
    entry->ns = ns;
    entry->key_bytes = static_cast<uint32_t>(key.key.size());
    entry->frequency = kFrequencyInitial;
    std::memcpy(reinterpret_cast<char*>(entry + 1), key.key.data(), key.key.size());
    return entry;
  }
  static void Destroy(Entry* entry) {
    entry->~Entry();
    ::operator delete(entry);
  }

  Entry** Bucket(uint64_t hash) { return &table[(hash >> 20) & (table.size() - 1)]; }

  Entry* Find(Namespace ns, const HashedKey& key) const {
    Entry* entry = table[(key.hash >> 20) & (table.size() - 1)];
    while (entry != nullptr && !entry->Is(ns, key)) entry = entry->next;
    return entry;
  }

  void Insert(Entry* entry) {
    if (ring.size() >= table.size()) {
      std::vector<Entry*> old(table.size() * 2, nullptr);
      old.swap(table);
      for (Entry* each : ring) {
        Entry** bucket = Bucket(each->hash);
        each->next = *bucket;
        *bucket = each;
      }
    }
    Entry** bucket = Bucket(entry->hash);
    entry->next = *bucket;
    *bucket = entry;
    entry->ring_index = static_cast<uint32_t>(ring.size());
    ring.push_back(entry);
  }

  void SetRecord(Entry* entry, RecordPtr record, uint64_t sequence) {
    const uint32_t charge = ChargeOf(entry->key_bytes, *record);
    bytes += charge;
    bytes -= entry->charge;
    entry->charge = charge;
    entry->record = std::move(record);
    entry->sequence = sequence;
  }

  void Remove(Entry* entry) {
    Entry** link = Bucket(entry->hash);
    while (*link != entry) link = &(*link)->next;
    *link = entry->next;
    ring[entry->ring_index] = ring.back();
    ring[entry->ring_index]->ring_index = entry->ring_index;
    ring.pop_back();
    bytes -= entry->charge;
    Destroy(entry);
  }

  // Gives entries a second chance when they were used since the hand's last visit. Pending ones stay.
  void Evict() {
    size_t visits = ring.size() * 2;
    while (bytes > budget && !ring.empty() && visits-- > 0) {
      if (hand >= ring.size()) hand = 0;
      Entry* entry = ring[hand];
      if (entry->pending) {
        ++hand;
      } else if (entry->referenced) {
        entry->referenced = false;
        ++hand;
      } else {
        Remove(entry);
      }
    }
  }

  void Touch(Entry* entry, int64_t now_ms) {
    entry->referenced = true;
    entry->access_s = static_cast<uint32_t>(now_ms / 1000);
    const uint16_t minute = MinuteOf(now_ms);
    if (minute != entry->decay_minute) {
      entry->frequency = DecayedFrequency(*entry, minute);
      entry->decay_minute = minute;
    }
    if (entry->frequency == UINT8_MAX) return;
    // The counter grows with probability 1 / ((counter - initial) * factor + 1), as Redis' LFU counter does.
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    const uint32_t above = entry->frequency > kFrequencyInitial ? entry->frequency - kFrequencyInitial : 0u;
    if (static_cast<uint64_t>(random) * (above * kFrequencyLogFactor + 1) < (1ull << 32)) ++entry->frequency;
  }
};

RecordCache::RecordCache(KeyLocks& locks, uint64_t budget_bytes)
    : locks_(locks), shards_(std::make_unique<Shard[]>(kShards)) {
  for (int i = 0; i < kShards; ++i) shards_[i].budget = budget_bytes / kShards;
}

RecordCache::~RecordCache() = default;

RecordCache::Shard& RecordCache::ShardOf(uint64_t hash) const { return shards_[(hash >> 14) & (kShards - 1)]; }

bool RecordCache::Lookup(Namespace ns, const HashedKey& key, int64_t now_ms, uint64_t sequence_max, Use use,
                         RecordPtr* record) {
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mu);
  Entry* entry = shard.Find(ns, key);
  if (entry == nullptr || entry->pending || entry->sequence > sequence_max) {
    ++shard.misses;
    return false;
  }
  ++shard.hits;
  if (use == Use::kCounts) shard.Touch(entry, now_ms);
  *record = entry->record;
  return true;
}

void RecordCache::Fill(Namespace ns, const HashedKey& key, RecordPtr record, uint64_t version, uint64_t sequence,
                       int64_t now_ms) {
  if ((version & 1) != 0) return;
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mu);
  // Read under the shard's mutex: a commit moves the version before it comes here to mark the entry pending, so either
  // it finds this entry, or this check sees it.
  if (locks_.Version(KeyLocks::StripeOf(key.hash)) != version) return;
  Entry* entry = shard.Find(ns, key);
  if (entry != nullptr) {
    // Filled by another reader meanwhile: the same record, as the version tells. Keep the lower bound of both.
    assert(!entry->pending);
    entry->sequence = std::min(entry->sequence, sequence);
    shard.Touch(entry, now_ms);
    return;
  }
  entry = Shard::Create(ns, key);
  shard.Insert(entry);
  shard.SetRecord(entry, std::move(record), sequence);
  entry->decay_minute = MinuteOf(now_ms);
  entry->access_s = static_cast<uint32_t>(now_ms / 1000);
  shard.Evict();
}

RecordCache::Entry* RecordCache::MarkPending(Namespace ns, const HashedKey& key) {
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mu);
  Entry* entry = shard.Find(ns, key);
  if (entry != nullptr) {
    assert(!entry->pending);
    entry->pending = true;
  }
  return entry;
}

void RecordCache::Install(Namespace ns, const HashedKey& key, Entry* entry, RecordPtr record, uint64_t sequence,
                          int64_t now_ms) {
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mu);
  if (entry == nullptr) {
    assert(shard.Find(ns, key) == nullptr);  // nobody fills while the stripe's version is odd
    entry = Shard::Create(ns, key);
    shard.Insert(entry);
    entry->decay_minute = MinuteOf(now_ms);
  } else {
    assert(entry->pending && entry->Is(ns, key));
  }
  entry->pending = false;
  entry->access_s = static_cast<uint32_t>(now_ms / 1000);
  shard.SetRecord(entry, std::move(record), sequence);
  shard.Evict();
}

void RecordCache::Erase(const HashedKey& key, Entry* entry) {
  if (entry == nullptr) return;
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mu);
  assert(entry->pending);
  shard.Remove(entry);
}

void RecordCache::Restore(const HashedKey& key, Entry* entry) {
  if (entry == nullptr) return;
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mu);
  assert(entry->pending);
  entry->pending = false;
}

bool RecordCache::AccessInfo(Namespace ns, const HashedKey& key, int64_t now_ms, uint64_t* idle_seconds,
                             uint8_t* frequency) const {
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mu);
  const Entry* entry = shard.Find(ns, key);
  if (entry == nullptr) return false;
  const uint32_t idle = static_cast<uint32_t>(now_ms / 1000) - entry->access_s;
  *idle_seconds = idle > INT32_MAX ? 0 : idle;  // the clock went back
  *frequency = DecayedFrequency(*entry, MinuteOf(now_ms));
  return true;
}

void RecordCache::SetAccess(Namespace ns, const HashedKey& key, int64_t now_ms, std::optional<uint64_t> idle_seconds,
                            std::optional<uint8_t> frequency) {
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mu);
  Entry* entry = shard.Find(ns, key);
  if (entry == nullptr) return;
  if (idle_seconds) {
    const uint64_t now_s = static_cast<uint64_t>(now_ms / 1000);
    entry->access_s = static_cast<uint32_t>(now_s - std::min<uint64_t>({*idle_seconds, INT32_MAX, now_s}));
  }
  if (frequency) {
    entry->frequency = *frequency;
    entry->decay_minute = MinuteOf(now_ms);
  }
}

void RecordCache::SetBudget(uint64_t bytes) {
  for (int i = 0; i < kShards; ++i) {
    std::lock_guard lock(shards_[i].mu);
    shards_[i].budget = bytes / kShards;
    shards_[i].Evict();
  }
}

void RecordCache::Clear() {
  for (int i = 0; i < kShards; ++i) {
    std::lock_guard lock(shards_[i].mu);
    while (!shards_[i].ring.empty()) {
      assert(!shards_[i].ring.back()->pending);
      shards_[i].Remove(shards_[i].ring.back());
    }
  }
}

void RecordCache::EraseNamespace(Namespace ns) {
  for (int i = 0; i < kShards; ++i) {
    std::lock_guard lock(shards_[i].mu);
    std::vector<Entry*>& ring = shards_[i].ring;
    for (size_t at = ring.size(); at-- > 0;) {
      if (ring[at]->ns == ns && !ring[at]->pending) shards_[i].Remove(ring[at]);
    }
  }
}

RecordCache::Stats RecordCache::GetStats() const {
  Stats stats;
  for (int i = 0; i < kShards; ++i) {
    std::lock_guard lock(shards_[i].mu);
    stats.hits += shards_[i].hits;
    stats.misses += shards_[i].misses;
    stats.entries += shards_[i].ring.size();
    stats.bytes += shards_[i].bytes;
    stats.budget_bytes += shards_[i].budget;
  }
  return stats;
}

void RecordCache::ResetStats() {
  for (int i = 0; i < kShards; ++i) {
    std::lock_guard lock(shards_[i].mu);
    shards_[i].hits = shards_[i].misses = 0;
  }
}

}  // namespace basalt::storage
