#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/request_handler.h"

namespace basalt {

// What other threads may see of a client (CLIENT LIST, the filters of CLIENT KILL). Numbers are relaxed atomics,
// written by the holder of the Session; strings are guarded. Shared by the Session and the ClientRegistry.
class ClientInfo {
 public:
  ClientInfo(const net::ConnInfo& conn, uint64_t id, int64_t created_unix_ms);

  const net::ConnInfo conn;
  const uint64_t id;
  const int64_t created_unix_ms;

  std::atomic<uint32_t> db{0};
  std::atomic<int32_t> queued_commands{-1};  // multi=
  std::atomic<uint32_t> watched_keys{0};     // watch=
  std::atomic<uint64_t> queued_bytes{0};     // multi-mem=
  std::atomic<uint8_t> resp{2};
  std::atomic<bool> no_evict{false}, no_touch{false}, monitor{false}, blocked{false}, close_asap{false},
      reply_off{false};
  std::atomic<uint32_t> subscriptions{0}, pattern_subscriptions{0}, shard_subscriptions{0};
  std::atomic<size_t> subscription_bytes{0};      // part of tot-mem=
  std::atomic<uint8_t> tracking{0};               // TrackingMode
  std::atomic<uint64_t> tracking_redirect{0};     // redir=
  std::atomic<const char*> last_command{"NULL"};  // full lower-case name, static storage
  std::atomic<uint64_t> commands{0};
  // Set by CLIENT KILL; the executor checks it before every command.
  std::atomic<bool> killed{false};

  // To anything. A client of RESP2 then runs only a few commands, and none is cut off for being idle.
  bool subscribed() const;
  void ShowSubscriptions(uint32_t channels, uint32_t patterns, uint32_t shard_channels, size_t bytes);

  std::string name() const;
  std::string user() const;
  std::string lib_name() const;
  std::string lib_version() const;
  void SetName(std::string_view value);
  void SetUser(std::string_view value);
  void SetLibName(std::string_view value);
  void SetLibVersion(std::string_view value);

 private:
  mutable std::mutex mu_;
  std::string name_, user_ = "default", lib_name_, lib_version_;  // guarded by mu_
};

// All connected clients, by id. Any thread.
class ClientRegistry {
 public:
  uint64_t NextId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  void Add(std::shared_ptr<ClientInfo> client);
  void Remove(uint64_t id);
  std::shared_ptr<ClientInfo> Find(uint64_t id) const;
  std::vector<std::shared_ptr<ClientInfo>> All() const;  // by ascending id
  size_t size() const;

 private:
  std::atomic<uint64_t> next_id_{1};
  mutable std::mutex mu_;
  std::unordered_map<uint64_t, std::shared_ptr<ClientInfo>> clients_;  // guarded by mu_
};

}  // namespace basalt
