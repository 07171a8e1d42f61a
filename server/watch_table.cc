#include "server/watch_table.h"

#include <algorithm>

namespace basalt {

std::string WatchTable::MapKey(storage::DbIndex db, std::string_view key) {
  std::string map_key(reinterpret_cast<const char*>(&db), sizeof(db));
  map_key.append(key);
  return map_key;
}

void WatchTable::Watch(const std::shared_ptr<WatchToken>& token, storage::DbIndex db, const storage::HashedKey& key,
                       bool existed) {
  std::lock_guard lock(mu_);
  Watchers& watchers = watchers_[MapKey(db, key.key)];
  if (std::find(watchers.begin(), watchers.end(), token) != watchers.end()) return;
  watchers.push_back(token);
  token->keys_.push_back({db, std::string(key.key), existed});
  watched_.fetch_add(1, std::memory_order_release);
}

void WatchTable::Forget(std::shared_ptr<WatchToken>& token) {
  if (token == nullptr) return;
  std::lock_guard lock(mu_);
  for (const WatchToken::Key& watched : token->keys_) {
    auto it = watchers_.find(MapKey(watched.db, watched.key));
    std::erase(it->second, token);
    if (it->second.empty()) watchers_.erase(it);
  }
  watched_.fetch_sub(token->keys_.size(), std::memory_order_release);
  token->keys_.clear();
  token.reset();
}

void WatchTable::TouchWatched(const storage::Change& change) {
  std::lock_guard lock(mu_);
  auto it = watchers_.find(MapKey(change.db, change.key.key));
  if (it == watchers_.end()) return;
  for (const auto& token : it->second) {
    if (token->dirty()) continue;  // and it may have very many keys to look through
    const auto watched = std::find_if(token->keys_.begin(), token->keys_.end(), [&](const WatchToken::Key& key) {
      return key.db == change.db && key.key == change.key.key;
    });
    if (change.kind != storage::ChangeKind::kExpired || watched->existed)
      token->dirty_.store(true, std::memory_order_release);
  }
}

void WatchTable::TouchDatabases(std::span<const storage::DbIndex> dbs) {
  if (watched_keys() == 0) return;
  std::lock_guard lock(mu_);
  for (const auto& [map_key, tokens] : watchers_) {
    for (const auto& token : tokens) {
      for (const WatchToken::Key& watched : token->keys_) {
        const bool touched = std::find(dbs.begin(), dbs.end(), watched.db) != dbs.end();
        if (touched && watched.existed) token->dirty_.store(true, std::memory_order_release);
      }
    }
  }
}

}  // namespace basalt
