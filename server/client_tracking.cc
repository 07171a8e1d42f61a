#include "server/client_tracking.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "net/output_buffer.h"
#include "net/reply_builder.h"
#include "server/argument_parsing.h"
#include "server/client_registry.h"
#include "server/command_spec.h"
#include "server/command_table.h"
#include "server/session.h"

namespace basalt {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
// Keys beyond the limit that go at once: when it is lowered, in one tick, and by a command that reads besides its own.
constexpr size_t kEvictedWhenLowered = 10'000;
constexpr size_t kEvictedPerTick = 1000;
constexpr size_t kEvictedPerRead = 4;

std::string BulkArray(std::span<const std::string_view> keys) {
  net::OutputBuffer out;
  net::ReplyBuilder reply(&out, net::RespVersion::kResp2);
  reply.Array(keys.size());
  for (const std::string_view key : keys) reply.Bulk(key);
  return out.ToString();
}

}  // namespace

// One message on its way: encoded once per form, for all who get it.
class ClientTracking::Message {
 public:
  // `what`: the encoded keys, or null.
  Message(const ClientTracking& tracking, std::string what) : tracking_(tracking), what_(std::move(what)) {}

  // To the client, or where it wants to have them sent.
  void AddReader(ClientInfo& client) {
    const uint64_t redirect = client.tracking_redirect.load(kRelaxed);
    if (redirect == 0) {
      if (client.resp.load(kRelaxed) > 2) pushed_.push_back(client.conn.id);
      return;
    }
    const std::shared_ptr<ClientInfo> target = tracking_.registry_.Find(redirect);
    if (target == nullptr) return TellBroken(client, redirect);
    if (target->resp.load(kRelaxed) > 2) {
      pushed_.push_back(target->conn.id);
    } else if (target->subscriptions + target->pattern_subscriptions + target->shard_subscriptions > 0) {
      published_.push_back(target->conn.id);
    }
  }
  void Send() const {
    Send(pushed_, ">2\r\n$10\r\ninvalidate\r\n");
    Send(published_, "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n");
  }

 private:
  void Send(std::span<const net::ConnId> conns, std::string_view head) const {
    if (!conns.empty()) tracking_.sink_(conns, std::make_shared<const std::string>(std::string(head) + what_));
  }
  void TellBroken(ClientInfo& client, uint64_t redirect) const {
    client.tracking.fetch_or(kTrackingRedirectBroken, kRelaxed);
    if (client.resp.load(kRelaxed) < 3) return;
    const std::string bytes = ">2\r\n$21\r\ntracking-redir-broken\r\n:" + std::to_string(redirect) + "\r\n";
    tracking_.sink_({&client.conn.id, 1}, std::make_shared<const std::string>(bytes));
  }

  const ClientTracking& tracking_;
  const std::string what_;
  std::vector<net::ConnId> pushed_;     // as a push of RESP3
  std::vector<net::ConnId> published_;  // as a message of a channel, for subscribers on RESP2
};

// ---- For the holder of the session ----

bool ClientTracking::Enable(Session& session, const TrackingOptions& options, bool exclusive) {
  const std::lock_guard lock(mu_);
  if (clients_.empty() && !exclusive) return false;
  Client& client = clients_[session.id];
  client.info = session.info;
  if ((options.mode & kTrackingBroadcast) != 0) {
    std::vector<std::string_view> prefixes = options.prefixes;
    if (prefixes.empty()) prefixes.push_back("");
    for (const std::string_view prefix : prefixes) {
      client.prefixes.emplace(prefix);
      const auto [it, added] = prefixes_.try_emplace(std::string(prefix));
      it->second.insert(session.id);
      if (added) ++prefix_lengths_[prefix.size()];
    }
  }
  session.tracking = options.mode;
  session.info->tracking_redirect.store(options.redirect, kRelaxed);
  session.info->tracking.store(options.mode, kRelaxed);
  prefixes_count_.store(static_cast<uint32_t>(prefixes_.size()), kRelaxed);
  clients_count_.store(static_cast<uint32_t>(clients_.size()), kRelaxed);
  return true;
}

void ClientTracking::Disable(Session& session) {
  if (session.tracking == 0) return;
  const std::lock_guard lock(mu_);
  const auto it = clients_.find(session.id);
  for (const std::string& prefix : it->second.prefixes) {
    const auto at = prefixes_.find(prefix);
    at->second.erase(session.id);
    if (!at->second.empty()) continue;
    if (--prefix_lengths_[prefix.size()] == 0) prefix_lengths_.erase(prefix.size());
    prefixes_.erase(at);
  }
  clients_.erase(it);
  if (clients_.empty()) table_.Clear();  // nobody's commit looks into it now
  session.tracking = 0;
  session.caching_said = false;
  session.info->tracking.store(0, kRelaxed);
  prefixes_count_.store(static_cast<uint32_t>(prefixes_.size()), kRelaxed);
  clients_count_.store(static_cast<uint32_t>(clients_.size()), kRelaxed);
}

std::vector<std::string> ClientTracking::Prefixes(const Session& session) const {
  const std::shared_lock lock(mu_);
  const auto it = clients_.find(session.id);
  if (it == clients_.end()) return {};
  return {it->second.prefixes.begin(), it->second.prefixes.end()};
}

void ClientTracking::BeforeCommand(const storage::Storage& storage, Session& session, const CommandSpec& spec,
                                   std::span<const std::string_view> argv, Outbox* under_locks) {
  if (!spec.Has(kCmdReadonly) || (session.tracking & kTrackingBroadcast) != 0) return;
  if (spec.group == CommandGroup::kScripting) return;  // what the script reads counts, not what it declares
  if ((session.tracking & kTrackingOptIn) != 0 && !session.caching_said) return;
  if ((session.tracking & kTrackingOptOut) != 0 && session.caching_said) return;
  KeyPositions positions;
  CommandTable::Keys(spec, argv, &positions);
  size_t tracked = 0;
  for (const KeyPosition& position : positions) {
    if (under_locks != nullptr) {
      under_locks->Track(session.id, argv[position.index]);
    } else {
      table_.Add(storage.Hash(argv[position.index]), session.id);
      ++tracked;
    }
  }
  if (tracked != 0) Evict(tracked + kEvictedPerRead);
}

void ClientTracking::AfterCommand(Session& session, std::span<const std::string_view> argv) {
  if (!session.in_multi && !EqualsIgnoreCase(argv[0], "client")) session.caching_said = false;
}

// ---- What others did to keys ----

void ClientTracking::Deliver(const storage::Storage& storage, const Outbox::Entry& entry) {
  switch (entry.kind) {
    case Outbox::Kind::kTrack:
      if (!active()) return;  // it has just stopped
      table_.Add(storage.Hash(entry.first), entry.client);
      return Evict(1 + kEvictedPerRead);
    case Outbox::Kind::kInvalidate:
      return Invalidate(storage.Hash(entry.first), entry.author);
    case Outbox::Kind::kInvalidateAll:
      return InvalidateAll();
    default:
      return;
  }
}

void ClientTracking::OnCommitted(std::span<const storage::Change> changes) {
  if (!active()) return;
  std::vector<Outbox::Entry> expired;
  for (size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].kind != storage::ChangeKind::kExpired) continue;
    // What was written anew is told by the command that did.
    const storage::HashedKey& key = changes[i].key;
    if (i + 1 < changes.size() && changes[i + 1].key.key == key.key && changes[i + 1].db == changes[i].db) continue;
    Invalidate(key, {});
    if (broadcasts()) expired.push_back({.kind = Outbox::Kind::kInvalidate, .first = key.key});
  }
  if (!expired.empty()) Broadcast(expired);
}

void ClientTracking::Invalidate(const storage::HashedKey& key, net::ConnId author) {
  const TrackingTable::ClientIds readers = table_.Take(key);
  if (!readers.empty()) Tell(readers, key.key, author);
}

void ClientTracking::Tell(const TrackingTable::ClientIds& readers, std::string_view key, net::ConnId author) {
  Message message(*this, BulkArray({&key, 1}));
  {
    const std::shared_lock lock(mu_);
    for (const uint64_t id : readers) {
      const auto it = clients_.find(id);
      if (it == clients_.end()) continue;
      ClientInfo& info = *it->second.info;
      const uint8_t mode = info.tracking.load(kRelaxed);
      if ((mode & kTrackingBroadcast) != 0) continue;  // since it read the key
      if ((mode & kTrackingNoLoop) != 0 && info.conn.id == author) continue;
      message.AddReader(info);
    }
  }
  message.Send();
}

void ClientTracking::InvalidateAll() {
  table_.Clear();
  // Null, as the client that tracks writes it, also where it is sent elsewhere.
  Message resp2(*this, "$-1\r\n"), resp3(*this, "_\r\n");
  {
    const std::shared_lock lock(mu_);
    for (const auto& [id, client] : clients_) {
      (client.info->resp.load(kRelaxed) > 2 ? resp3 : resp2).AddReader(*client.info);
    }
  }
  resp2.Send();
  resp3.Send();
}

void ClientTracking::Broadcast(std::span<const Outbox::Entry> entries) {
  std::map<std::string_view, net::ConnId> keys;  // and who changed each last
  for (const Outbox::Entry& entry : entries) keys[entry.first] = entry.author;
  std::map<std::string_view, std::vector<Changed>> by_prefix;
  const std::shared_lock lock(mu_);
  for (const auto& [key, author] : keys) {
    for (const auto& [length, count] : prefix_lengths_) {
      if (length > key.size()) break;
      const auto prefix = prefixes_.find(key.substr(0, length));
      if (prefix != prefixes_.end()) by_prefix[prefix->first].push_back({key, author});
    }
  }
  for (const auto& [prefix, changed] : by_prefix) TellPrefix(prefixes_.find(prefix)->second, changed);
}

void ClientTracking::TellPrefix(const std::set<uint64_t>& readers, std::span<const Changed> changed) const {
  // The keys without those that one client has changed itself.
  const auto message_for = [&](net::ConnId reader) -> std::optional<Message> {
    std::vector<std::string_view> keys;
    for (const Changed& each : changed) {
      if (!reader || each.author != reader) keys.push_back(each.key);
    }
    if (keys.empty()) return std::nullopt;
    return std::optional<Message>(std::in_place, *this, BulkArray(keys));
  };
  std::optional<Message> whole = message_for({});
  for (const uint64_t id : readers) {
    ClientInfo& info = *clients_.at(id).info;
    if ((info.tracking.load(kRelaxed) & kTrackingNoLoop) == 0) {
      whole->AddReader(info);
    } else if (std::optional<Message> own = message_for(info.conn.id)) {
      own->AddReader(info);
      own->Send();
    }
  }
  whole->Send();
}

// ---- The limit ----

void ClientTracking::SetMaxKeys(uint64_t keys) {
  max_keys_.store(keys, kRelaxed);
  Evict(kEvictedWhenLowered);
}

void ClientTracking::Evict(size_t keys_max) {
  const uint64_t limit = max_keys_.load(kRelaxed);
  std::string key;
  TrackingTable::ClientIds clients;
  while (limit != 0 && keys_max-- > 0 && table_.keys() > limit && table_.TakeRandom(&key, &clients)) {
    Tell(clients, key, {});
  }
}

void ClientTracking::Tick(bool disk_works) {
  if (disk_works && commit_failed_.exchange(false, kRelaxed)) InvalidateAll();
  Evict(kEvictedPerTick);
  table_.FreeCleared();
}

ClientTracking::Counts ClientTracking::GetCounts() const {
  return {.clients = clients_count_.load(kRelaxed),
          .keys = table_.keys(),
          .items = table_.items(),
          .prefixes = prefixes_count_.load(kRelaxed)};
}

}  // namespace basalt
