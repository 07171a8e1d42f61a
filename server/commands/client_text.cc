#include "server/commands/client_text.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>

#include "server/client_tracking.h"
#include "server/command_context.h"
#include "server/session.h"

namespace basalt {

namespace {

std::string Flags(const ClientInfo& client) {
  std::string flags;
  if (client.monitor) flags += 'O';
  if (TypeOf(client) == ClientType::kPubsub) flags += 'P';
  if (client.queued_commands >= 0) flags += 'x';
  if (client.blocked) flags += 'b';
  const uint8_t tracking = client.tracking;
  if ((tracking & kTracking) != 0) flags += 't';
  if ((tracking & kTrackingRedirectBroken) != 0) flags += 'R';
  if ((tracking & kTrackingBroadcast) != 0) flags += 'B';
  if (client.watch_broken()) flags += 'd';
  if (client.close_asap || client.killed) flags += 'A';
  if (client.conn.unix_socket) flags += 'U';
  if (client.no_evict) flags += 'e';
  if (client.no_touch) flags += 'T';
  return flags.empty() ? "N" : flags;
}

int64_t MonotonicSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

std::optional<ClientType> ClientTypeByName(std::string_view name) {
  if (EqualsIgnoreCase(name, "normal")) return ClientType::kNormal;
  if (EqualsIgnoreCase(name, "slave") || EqualsIgnoreCase(name, "replica")) return ClientType::kReplica;
  if (EqualsIgnoreCase(name, "pubsub")) return ClientType::kPubsub;
  if (EqualsIgnoreCase(name, "master")) return ClientType::kMaster;
  return std::nullopt;
}

ClientType TypeOf(const ClientInfo& client) { return client.subscribed() ? ClientType::kPubsub : ClientType::kNormal; }

std::string ClientLine(const ClientInfo& client, int64_t now_unix_ms, uint64_t running_bytes) {
  static const net::ConnCounters kNoCounters;
  const net::ConnCounters& counters = client.conn.counters != nullptr ? *client.conn.counters : kNoCounters;
  const uint64_t query = counters.query_buffer_bytes + running_bytes;
  const uint64_t query_free = counters.query_buffer_free_bytes;
  const uint64_t pending = counters.output_pending_bytes;
  const uint64_t total = sizeof(ClientInfo) + sizeof(Session) + query + query_free + pending + client.queued_bytes +
                         client.subscription_bytes;
  const int64_t last = counters.last_interaction_s;
  const int64_t idle = last == 0 || running_bytes > 0 ? 0 : std::max<int64_t>(0, MonotonicSeconds() - last);
  // While its command runs the socket is out of epoll; a client sees itself as reading.
  const std::string events =
      std::string(counters.readable_armed || running_bytes > 0 ? "r" : "") + (counters.writable_armed ? "w" : "");

  char numbers[640];
  std::snprintf(numbers, sizeof numbers,
                " age=%" PRId64 " idle=%" PRId64 " flags=%s db=%u sub=%u psub=%u ssub=%u multi=%d qbuf=%" PRIu64
                " qbuf-free=%" PRIu64 " argv-mem=%" PRIu64 " multi-mem=%" PRIu64 " rbs=%u rbp=%u obl=0 oll=%" PRIu64
                " omem=%" PRIu64 " tot-mem=%" PRIu64 " events=%s cmd=%s",
                (now_unix_ms - client.created_unix_ms) / 1000, idle, Flags(client).c_str(), client.db.load(),
                client.subscriptions.load(), client.pattern_subscriptions.load(), client.shard_subscriptions.load(),
                client.queued_commands.load(), query, query_free, running_bytes, client.queued_bytes.load(), 0u, 0u,
                counters.output_segments.load(), pending, total, events.c_str(), client.last_command.load());
  return "id=" + std::to_string(client.id) + " addr=" + client.conn.peer + " laddr=" + client.conn.local +
         " fd=" + std::to_string(client.conn.fd) + " name=" + client.name() + numbers + " user=" + client.user() +
         " redir=" + (client.tracking != 0 ? std::to_string(client.tracking_redirect) : "-1") +
         " resp=" + std::to_string(client.resp.load()) + " lib-name=" + client.lib_name() +
         " lib-ver=" + client.lib_version();
}

}  // namespace basalt
