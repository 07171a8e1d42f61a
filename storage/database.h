#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/counter_merge.h"
#include "storage/key.h"
#include "storage/status.h"

namespace basalt::storage {

class Engine;

// What a database is at the moment: its name space and its exact counters.
struct Database {
  std::atomic<Namespace> ns{0};
  std::atomic<int64_t> keys{0};
  std::atomic<int64_t> expires{0};
  std::atomic<int64_t> average_ttl_ms{0};
  // Smallest expiry written since the expire cycle looked last; lowered by commits after they are visible.
  std::atomic<int64_t> ttl_low_water{0};
};

// The name spaces of all databases as of one moment.
class NamespaceMap {
 public:
  Namespace operator[](DbIndex db) const { return db < kInline ? inline_[db] : rest_[db - kInline]; }
  void Set(DbIndex db, Namespace ns);

 private:
  static constexpr size_t kInline = 16;
  std::array<Namespace, kInline> inline_{};
  std::vector<Namespace> rest_;
};

// All databases and what is counted up for all of them: object ids, name spaces. Owned by Storage::Impl. Any thread;
// the mapping changes only under the exclusive gate.
class DatabaseTable {
 public:
  explicit DatabaseTable(int databases);

  // Reads everything from `sys`; gives databases that have none a name space.
  Status Load(Engine& engine);

  int size() const { return size_; }
  // Whether there are keys in further ones: of a server that was started with more of them, and may be again.
  bool has_hidden_keys() const { return has_hidden_keys_; }
  Database& operator[](DbIndex db) { return databases_[db]; }
  const Database& operator[](DbIndex db) const { return databases_[db]; }
  Namespace NamespaceOf(DbIndex db) const { return databases_[db].ns.load(std::memory_order_acquire); }

  enum class Patience : uint8_t { kNone, kWaits };

  // Runs `take` such that no database is replaced or swapped meanwhile (again, if one was), and copies the mapping.
  // False, without patience: the write that does it is stalled. `undo` was run then.
  template <typename Take, typename Undo>
  bool CopyAtOneMoment(NamespaceMap* map, Patience patience, Take take, Undo undo) const {
    for (int round = 0;; ++round) {
      const uint64_t before = version_.load(std::memory_order_acquire);
      take();
      for (int db = 0; db < size_; ++db) map->Set(static_cast<DbIndex>(db), NamespaceOf(static_cast<DbIndex>(db)));
      // Whoever saw a new name space sees the version that came before it: both are released, both acquired.
      if ((before & 1) == 0 && version_.load(std::memory_order_acquire) == before) return true;
      undo();
      // A FLUSHDB is being written: in microseconds, unless RocksDB stalls it.
      if (round < kYieldsMax) {
        std::this_thread::yield();
      } else if (patience == Patience::kNone) {
        return false;
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }

  // REQUIRES: the exclusive gate is closed by the caller. Around a commit that changes the mapping; between the two, no
  // snapshot can be taken.
  void BeginRemap();
  void Replace(DbIndex db, Namespace ns);
  void Swap(DbIndex a, DbIndex b);
  void EndRemap();

  // Adds to the counters of the database that has `ns`, first trying `hint`; nothing when it is gone. `expire_min`: the
  // smallest expiry that was written, INT64_MAX for none. REQUIRES: the commit is visible.
  void Count(Namespace ns, DbIndex hint, const CountsDelta& delta, int64_t expire_min);

  // 0 when the lease could not be extended on disk.
  uint64_t NewObjectId(Engine& engine);
  uint64_t NextObjectId() const { return next_object_id_.load(std::memory_order_relaxed); }
  Namespace NewNamespace() { return next_namespace_.fetch_add(1, std::memory_order_relaxed); }
  Namespace NextNamespace() const { return next_namespace_.load(std::memory_order_relaxed); }

 private:
  static constexpr int kYieldsMax = 100;

  const int size_;
  bool has_hidden_keys_ = false;  // written by Load only
  std::unique_ptr<Database[]> databases_;
  std::atomic<uint64_t> version_{0};  // odd while the mapping changes
  std::atomic<uint64_t> next_object_id_{1};
  std::atomic<uint64_t> leased_object_ids_{1};  // ids below may be handed out
  std::mutex lease_mu_;
  std::atomic<Namespace> next_namespace_{1};
};

}  // namespace basalt::storage
