#include "server/client_handler.h"

#include "net/transport.h"
#include "server/acl/permission.h"
#include "server/client_registry.h"
#include "server/client_tracking.h"
#include "server/command_executor.h"
#include "server/config_table.h"
#include "server/monitor_hub.h"
#include "server/parked_registry.h"
#include "server/pubsub.h"
#include "server/session.h"
#include "server/stats.h"
#include "server/watch_table.h"

namespace basalt {

namespace {

constexpr char kProtectedModeRefusal[] =
    "-DENIED Basalt is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. In this mode connections are only accepted from the loopback interface. To connect from other "
    "hosts, set a password with the 'requirepass' option, or, if the network is trusted, turn protected mode off with "
    "'CONFIG SET protected-mode no' from the server's own host or in the configuration file.\r\n";

}  // namespace

net::OutputLimit OutputLimitOf(const ConfigSnapshot& config, const ClientInfo& client) {
  ClientClass client_class = ClientClass::kNormal;
  if (client.monitor.load(std::memory_order_relaxed)) {
    client_class = ClientClass::kReplica;
  } else if (client.subscribed()) {
    client_class = ClientClass::kPubsub;
  }
  const ClientOutputLimit& limit = config.output_limit(client_class);
  return {limit.hard_bytes, limit.soft_bytes, limit.soft_seconds};
}

net::ConnSettings SettingsOf(const Services& services, const Session& session) {
  const ConfigSnapshot& config = services.config.current();
  net::ConnSettings settings;
  settings.close_after_reply = session.close_after_reply;
  settings.idle_timeout_exempt = session.monitor || session.info->subscribed();
  settings.parser.bulk_bytes_max = static_cast<uint64_t>(config.proto_max_bulk_len);
  settings.parser.authenticated = session.authenticated || !services.users.NewClientsMustAuthenticate();
  settings.output = OutputLimitOf(config, *session.info);
  return settings;
}

void AboutToSend(const Services& services, net::CommandBatch& batch) {
  Session& session = SessionOf(batch);
  batch.settings = SettingsOf(services, session);
  session.pushes_held = false;
}

void KillClient(const Services& services, ClientInfo& client) {
  client.killed.store(true);
  services.clients.Remove(client.id);
  services.pubsub.Drop(client.conn.id);
  if (services.transport != nullptr) services.transport->Kill(client.conn.id, net::CloseReason::kAskedFor);
}

net::RequestHandler::Admission ClientHandler::OnConnect(const net::ConnInfo& info) {
  const ConfigSnapshot& config = services_.config.current();
  if (services_.clients.size() >= static_cast<size_t>(config.maxclients)) {
    services_.stats.RejectedConnection();
    return {.client = nullptr, .refusal = "-ERR max number of clients reached\r\n", .settings = {}};
  }
  if (config.protected_mode && services_.users.default_user()->nopass() && !info.loopback) {
    services_.stats.RejectedConnection();
    return {.client = nullptr, .refusal = kProtectedModeRefusal, .settings = {}};
  }
  auto session = std::make_unique<Session>(info, services_.clients.NextId());
  SetDefaultUser(services_, *session);
  services_.clients.Add(session->info);
  net::ConnSettings settings = SettingsOf(services_, *session);
  return {.client = std::move(session), .refusal = {}, .settings = settings};
}

void ClientHandler::OnDisconnect(std::unique_ptr<net::ClientState> client, net::CloseReason) {
  auto& session = static_cast<Session&>(*client);
  services_.watches.Forget(session.watch);
  services_.tracking.Disable(session);
  if (session.monitor) services_.monitors.Remove(session.conn.id);
  if (session.info->subscribed()) services_.pubsub.Drop(session.conn.id);
  services_.clients.Remove(session.id);
}

void ClientHandler::Execute(std::vector<net::BatchPtr> batches, net::Lane lane, int thread) {
  services_.executor.Execute(std::move(batches), lane, thread);
}

void ClientHandler::OnParkedDeadline(net::ConnId conn, uint64_t sequence, int64_t deadline_ms) {
  services_.parked.OnDeadline(conn, sequence, deadline_ms);
}

void ClientHandler::OnParkedHangup(net::ConnId conn, uint64_t sequence) { services_.parked.OnHangup(conn, sequence); }

}  // namespace basalt
