#pragma once

#include <memory>
#include <vector>

#include "net/request_handler.h"
#include "server/services.h"

namespace basalt {

struct ConfigSnapshot;
class Session;

// What the transport tells upwards: clients come and go, batches are to be executed, parked ones end. Sorts each to who knows.
class ClientHandler final : public net::RequestHandler {
 public:
  explicit ClientHandler(const Services& services) : services_(services) {}

  // Refuses with Redis' errors for `maxclients` and `protected-mode`.
  Admission OnConnect(const net::ConnInfo& info) override;
  void OnDisconnect(std::unique_ptr<net::ClientState> client, net::CloseReason reason) override;
  void Execute(std::vector<net::BatchPtr> batches, net::Lane lane, int thread) override;
  void OnParkedDeadline(net::ConnId conn, uint64_t sequence) override;
  void OnParkedHangup(net::ConnId conn, uint64_t sequence) override;

 private:
  const Services& services_;
};

// The connection settings that follow from the configuration and the client's state.
// `must_authenticate`: UserRegistry::NewClientsMustAuthenticate().
net::ConnSettings SettingsOf(const ConfigSnapshot& config, bool must_authenticate, const Session& session);

}  // namespace basalt
