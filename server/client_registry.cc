#include "server/client_registry.h"

#include <algorithm>
#include <utility>

#include "server/watch_table.h"

namespace basalt {

ClientInfo::ClientInfo(const net::ConnInfo& conn, uint64_t id, int64_t created_unix_ms)
    : conn(conn), id(id), created_unix_ms(created_unix_ms) {}

bool ClientInfo::subscribed() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return (subscriptions.load(kRelaxed) | pattern_subscriptions.load(kRelaxed) | shard_subscriptions.load(kRelaxed)) !=
         0;
}

void ClientInfo::ShowSubscriptions(uint32_t channels, uint32_t patterns, uint32_t shard_channels, size_t bytes) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  subscriptions.store(channels, kRelaxed);
  pattern_subscriptions.store(patterns, kRelaxed);
  shard_subscriptions.store(shard_channels, kRelaxed);
  subscription_bytes.store(bytes, kRelaxed);
}

void ClientInfo::ShowWatch(std::shared_ptr<const WatchToken> watch) {
  std::lock_guard lock(mu_);
  watch_ = std::move(watch);
}

bool ClientInfo::watch_broken() const {
  std::lock_guard lock(mu_);
  return watch_ != nullptr && watch_->dirty();
}

std::string ClientInfo::name() const {
  std::lock_guard lock(mu_);
  return name_;
}
std::string ClientInfo::user() const {
  std::lock_guard lock(mu_);
  return user_;
}
std::string ClientInfo::lib_name() const {
  std::lock_guard lock(mu_);
  return lib_name_;
}
std::string ClientInfo::lib_version() const {
  std::lock_guard lock(mu_);
  return lib_version_;
}
void ClientInfo::SetName(std::string_view value) {
  std::lock_guard lock(mu_);
  name_ = value;
}
void ClientInfo::SetUser(std::string_view value) {
  std::lock_guard lock(mu_);
  user_ = value;
}
void ClientInfo::SetLibName(std::string_view value) {
  std::lock_guard lock(mu_);
  lib_name_ = value;
}
void ClientInfo::SetLibVersion(std::string_view value) {
  std::lock_guard lock(mu_);
  lib_version_ = value;
}

void ClientRegistry::Add(std::shared_ptr<ClientInfo> client) {
  std::lock_guard lock(mu_);
  clients_.emplace(client->id, std::move(client));
}

void ClientRegistry::Remove(uint64_t id) {
  std::lock_guard lock(mu_);
  clients_.erase(id);
}

std::shared_ptr<ClientInfo> ClientRegistry::Find(uint64_t id) const {
  std::lock_guard lock(mu_);
  auto it = clients_.find(id);
  return it == clients_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<ClientInfo>> ClientRegistry::All() const {
  std::vector<std::shared_ptr<ClientInfo>> all;
  {
    std::lock_guard lock(mu_);
    all.reserve(clients_.size());
    for (const auto& [id, client] : clients_) all.push_back(client);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  return all;
}

ClientRegistry::LargestBuffers ClientRegistry::Largest() const {
  LargestBuffers largest;
  std::lock_guard lock(mu_);
  for (const auto& [id, client] : clients_) {
    if (client->conn.counters == nullptr) continue;
    largest.input = std::max<uint64_t>(largest.input, client->conn.counters->query_buffer_bytes);
    largest.output = std::max<uint64_t>(largest.output, client->conn.counters->output_pending_bytes);
  }
  return largest;
}

size_t ClientRegistry::size() const {
  std::lock_guard lock(mu_);
  return clients_.size();
}

}  // namespace basalt
