#pragma once

#include <memory>
#include <vector>

#include "net/request_handler.h"
#include "server/services.h"

namespace basalt {

struct ConfigSnapshot;
class ClientInfo;
class Session;

// What the transport tells upwards: clients come and go, batches are to be executed, parked ones end. Sorts each to who
// knows.
class ClientHandler final : public net::RequestHandler {
 public:
  explicit ClientHandler(const Services& services) : services_(services) {}

  // Refuses with Redis' errors for `maxclients` and `protected-mode`.
  Admission OnConnect(const net::ConnInfo& info) override;
  void OnDisconnect(std::unique_ptr<net::ClientState> client, net::CloseReason reason) override;
  void Execute(std::vector<net::BatchPtr> batches, net::Lane lane, int thread) override;
  void OnParkedDeadline(net::ConnId conn, uint64_t sequence, int64_t deadline_ms) override;
  void OnParkedHangup(net::ConnId conn, uint64_t sequence) override;

 private:
  const Services& services_;
};

// The class of `client-output-buffer-limit` that a client is in.
net::OutputLimit OutputLimitOf(const ConfigSnapshot& config, const ClientInfo& client);

// The connection settings that follow from the configuration, the users and the client's state.
net::ConnSettings SettingsOf(const Services& services, const Session& session);

// The client is gone at once for everybody: its next command and its commits see the flag, CLIENT LIST and counts do
// not see it. Then the connection is ended. Any thread. Not for the client whose command runs: its reply would not be
// sent.
void KillClient(const Services& services, ClientInfo& client);

// For the holder of a batch, before its replies go to the connection: settings go with them, and release held pushes.
void AboutToSend(const Services& services, net::CommandBatch& batch);

}  // namespace basalt
