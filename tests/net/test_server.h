#pragma once

#include <arpa/inet.h>
#include <glog/logging.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/reply_builder.h"
#include "net/transport.h"

namespace basalt::net {

inline bool Eventually(const std::function<bool()>& condition, int timeout_ms = 10'000) {
  for (int i = 0; i < timeout_ms; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// The layer above, as small as it can be while it uses every verb of the transport:
//   PING   ECHO text   BIG bytes   SLEEP ms   QUIT
//   PARK ms [WAIT]     parks for at most ms (0: for ever); the reply is "*-1", or +UNPARKED
//   UNPARK             ends every PARK; the reply is their number
//   SLOW               is executed in the slow lane; what follows it continues in the fast lane
//   PUSH text n        pushes "+text" n times to its own connection
class TestHandler : public RequestHandler {
 public:
  struct Client : ClientState {
    explicit Client(ConnId conn) : id(conn) {}
    const ConnId id;
  };

  Transport* transport = nullptr;
  ConnSettings settings;                 // of new clients
  std::string refusal;                   // not empty: refuses everyone
  std::atomic<int> connect_delay_ms{0};  // holds the worker up
  std::atomic<int> connected{0}, disconnected{0}, hangups{0};
  std::atomic<uint64_t> executed{0}, slow_executed{0};
  std::atomic<CloseReason> last_reason{CloseReason::kShutdown};
  std::mutex mu;
  ConnInfo last_info;                 // guarded by mu
  std::map<ConnId, BatchPtr> parked;  // guarded by mu

  Admission OnConnect(const ConnInfo& info) override {
    if (!refusal.empty()) return {nullptr, refusal, {}};
    if (connect_delay_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(connect_delay_ms));
    ++connected;
    std::lock_guard lock(mu);
    last_info = info;
    return {std::make_unique<Client>(info.id), "", settings};
  }

  void OnDisconnect(std::unique_ptr<ClientState> client, CloseReason reason) override {
    CHECK(client);
    last_reason = reason;
    ++disconnected;
  }

  void Execute(std::vector<BatchPtr> batches, Lane lane, int) override {
    std::vector<BatchPtr> done;
    for (BatchPtr& batch : batches) {
      CHECK(static_cast<Client&>(*batch->client).id == batch->conn) << "a batch with a foreign client";
      if (BatchPtr finished = Run(std::move(batch), lane)) done.push_back(std::move(finished));
    }
    transport->Return(std::move(done));
  }

  void OnParkedDeadline(ConnId conn, uint64_t sequence, int64_t) override { EndPark(conn, sequence, "*-1\r\n"); }
  void OnParkedHangup(ConnId conn, uint64_t sequence) override {
    ++hangups;
    EndPark(conn, sequence, "");
  }

 private:
  // Null: the batch went elsewhere.
  BatchPtr Run(BatchPtr batch, Lane lane) {
    ReplyBuilder reply(&batch->replies, RespVersion::kResp2);
    while (!batch->finished()) {
      const auto argv = batch->Argv(batch->commands[batch->next]);
      const std::string_view name = argv[0];
      if (name == "SLOW" && lane == Lane::kFast) {
        transport->Resubmit(std::move(batch), Lane::kSlow);
        return nullptr;
      }
      ++executed;
      ++batch->next;
      if (name == "ECHO") {
        reply.Bulk(argv[1]);
      } else if (name == "BIG") {
        auto value = std::make_shared<const std::string>(Number(argv[1]), 'x');
        reply.BulkPinned(*value, value);
      } else if (name == "SLEEP") {
        std::this_thread::sleep_for(std::chrono::milliseconds(Number(argv[1])));
        reply.Ok();
      } else if (name == "QUIT") {
        reply.Ok();
        batch->settings.close_after_reply = true;
        return batch;
      } else if (name == "AUTH") {
        batch->settings.parser.authenticated = true;
        reply.Ok();
      } else if (name == "SLOW") {
        ++slow_executed;
        reply.Simple("SLOW");
        if (batch->finished()) return batch;
        transport->Continue(std::move(batch), Lane::kFast);
        return nullptr;
      } else if (name == "PARK") {
        Park(std::move(batch), argv);
        return nullptr;
      } else if (name == "UNPARK") {
        reply.Integer(UnparkAll());
      } else if (name == "PUSH") {
        auto bytes = std::make_shared<const std::string>("+" + std::string(argv[1]) + "\r\n");
        for (uint64_t n = Number(argv[2]); n > 0; --n) transport->Push(batch->conn, bytes);
        reply.Ok();
      } else {
        reply.Simple("PONG");
      }
      // As the layer above does: a batch ends at 1 MiB of replies.
      if (batch->replies.size() >= 1024 * 1024 && !batch->finished()) {
        transport->Continue(std::move(batch), lane);
        return nullptr;
      }
    }
    return batch;
  }

  static uint64_t Number(std::string_view text) { return std::strtoull(std::string(text).c_str(), nullptr, 10); }

  void Park(BatchPtr batch, std::span<const std::string_view> argv) {
    const uint64_t ms = Number(argv[1]);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const int64_t deadline =
        ms ? std::chrono::duration_cast<std::chrono::milliseconds>(now).count() + static_cast<int64_t>(ms) : 0;
    const PeerEnd peer_end = argv.size() > 2 ? PeerEnd::kIsIgnored : PeerEnd::kClosesClient;
    std::lock_guard lock(mu);  // over the call: nobody may take the batch while Park works on it
    CommandBatch& ref = *batch;
    parked[ref.conn] = std::move(batch);
    transport->Park(ref, deadline, peer_end);
  }

  void EndPark(ConnId conn, uint64_t sequence, std::string_view text) {
    BatchPtr batch;
    {
      std::lock_guard lock(mu);
      auto it = parked.find(conn);
      if (it == parked.end() || it->second->sequence != sequence) return;
      batch = std::move(it->second);
      parked.erase(it);
    }
    Resume(std::move(batch), text);
  }

  void Resume(BatchPtr batch, std::string_view text) {
    batch->replies.Append(text);
    if (batch->finished()) {
      transport->Return(std::move(batch));
    } else {
      transport->Resubmit(std::move(batch), Lane::kFast);
    }
  }

  int64_t UnparkAll() {
    std::map<ConnId, BatchPtr> all;
    {
      std::lock_guard lock(mu);
      all.swap(parked);
    }
    for (auto& [conn, batch] : all) Resume(std::move(batch), "+UNPARKED\r\n");
    return static_cast<int64_t>(all.size());
  }
};

// A client with blocking calls that fail the test after ten seconds instead of hanging.
class TestClient {
 public:
  explicit TestClient(uint16_t port, int receive_buffer = 0) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    Connect(reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  explicit TestClient(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    Connect(reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  TestClient(TestClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  TestClient& operator=(TestClient&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    connected_ = other.connected_;
    return *this;
  }
  ~TestClient() { Close(); }

  bool connected() const { return connected_; }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // What can be sent without waiting.
  size_t TrySend(std::string_view bytes) {
    const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n > 0 ? static_cast<size_t>(n) : 0;
  }

  // Exactly `bytes`, or what came before the end or ten seconds.
  std::string Receive(size_t bytes) {
    std::string all(bytes, '\0');
    size_t have = 0;
    while (have < bytes) {
      const ssize_t n = recv(fd_, all.data() + have, bytes - have, 0);
      if (n <= 0) break;
      have += static_cast<size_t>(n);
    }
    all.resize(have);
    return all;
  }
  // Everything until the server ends the connection; "<timeout>" at the end if it does not.
  std::string ReceiveAll() {
    std::string all;
    char piece[64 * 1024];
    for (;;) {
      const ssize_t n = recv(fd_, piece, sizeof(piece), 0);
      if (n < 0 && errno == EAGAIN) return all + "<timeout>";
      if (n <= 0) return all;
      all.append(piece, static_cast<size_t>(n));
    }
  }
  std::string Ask(std::string_view request, size_t reply_bytes) {
    return Send(request) ? Receive(reply_bytes) : "<closed>";
  }
  bool Closed() { return Receive(1).empty() && errno != EAGAIN; }

  void EndWriting() { shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  void Reset() {
    const linger now = {1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    Close();
  }

 private:
  void Connect(const sockaddr* address, socklen_t length) {
    const timeval patience = {10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    connected_ = connect(fd_, address, length) == 0;
  }

  int fd_;
  bool connected_ = false;
};

// A port that was free a moment ago.
inline uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  CHECK_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  close(fd);
  return ntohs(address.sin_port);
}

// A transport with a TestHandler on a port of its own and a unix socket.
struct TestServer {
  explicit TestServer(TransportOptions wanted = {}, TransportTunables tunables = {}) : options(std::move(wanted)) {
    options.bind = {"127.0.0.1"};
    options.port = FreePort();
    options.unix_socket = "/tmp/basalt_net_test." + std::to_string(getpid()) + "." + std::to_string(options.port);
    std::string error;
    transport = Transport::Open(options, tunables, &handler, &error);
    CHECK(transport) << error;
    handler.transport = transport.get();
  }
  ~TestServer() { transport->Stop(std::chrono::milliseconds(2000)); }

  void Start() { transport->Start(); }
  TestClient Client() { return TestClient(options.port); }
  ConnId LastConn() {
    std::lock_guard lock(handler.mu);
    return handler.last_info.id;
  }

  TransportOptions options;
  TestHandler handler;
  std::unique_ptr<Transport> transport;
};

inline std::string Repeat(std::string_view text, size_t n) {
  std::string all;
  all.reserve(text.size() * n);
  for (size_t i = 0; i < n; ++i) all += text;
  return all;
}

}  // namespace basalt::net
