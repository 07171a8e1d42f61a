#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/key.h"
#include "storage/write_txn.h"

namespace basalt {

// What one client watches. Shared by its Session and the table, so that a commit never touches another client's
// Session.
class WatchToken {
 public:
  struct Key {
    storage::DbIndex db;
    std::string key;
    bool existed;  // when WATCH saw it. EXEC compares: a key that has expired, or came with SWAPDB, counts as changed
  };
  bool dirty() const { return dirty_.load(std::memory_order_acquire); }
  const std::vector<Key>& keys() const { return keys_; }

 private:
  friend class WatchTable;
  std::atomic<bool> dirty_{false};
  std::vector<Key> keys_;  // written by the Session's holder, under the table's lock
};

// Who watches which key. Watch() and Touch() are called under the key's lock, which is what makes WATCH exact: no
// commit can fall between a client's look at a key and its registration. Any thread.
class WatchTable {
 public:
  // Registers `token` for a key; twice is once.
  void Watch(const std::shared_ptr<WatchToken>& token, storage::DbIndex db, const storage::HashedKey& key,
             bool existed);
  // Forgets all keys of the token and lets it go. Null is fine.
  void Forget(std::shared_ptr<WatchToken>& token);

  // A commit changed the key; nearly free when nobody watches anything. That an expired key was removed is no change to
  // those who had found it expired.
  void Touch(const storage::Change& change) {
    if (watched_.load(std::memory_order_acquire) != 0) TouchWatched(change);
  }
  // A commit replaced the contents of whole databases (FLUSHDB, SWAPDB).
  void TouchDatabases(std::span<const storage::DbIndex> dbs);

  uint64_t watched_keys() const { return watched_.load(std::memory_order_relaxed); }

 private:
  using Watchers = std::vector<std::shared_ptr<WatchToken>>;
  void TouchWatched(const storage::Change& change);
  static std::string MapKey(storage::DbIndex db, std::string_view key);

  std::atomic<uint64_t> watched_{0};  // pairs of token and key
  std::mutex mu_;
  std::unordered_map<std::string, Watchers> watchers_;  // guarded by mu_; by database and key
};

}  // namespace basalt
