#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/poller.h"
#include "net/socket.h"
#include "net/worker_thread.h"

namespace basalt::net {

// The first tier: accepts clients on every listening socket and sends each to the worker that has the fewest.
//
// Owner: the Transport.
class DispatchThread {
 public:
  // `workers` outlive it.
  DispatchThread(const std::vector<std::unique_ptr<WorkerThread>>& workers, int backlog);
  ~DispatchThread();

  // ---- Before Start() ----
  bool Open(const TransportOptions& options, std::string* error);

  void Start();
  // Joins and closes the listening sockets. Idempotent.
  void Stop();

  // Replaces the TCP sockets; false and *error when an address cannot be bound, then the old ones stay. An address that
  // stays keeps its socket and the clients in its backlog. Any thread but this one. REQUIRES: started.
  bool Rebind(const std::vector<std::string>& bind, uint16_t port, std::string* error);

 private:
  static constexpr uint64_t kBackoffNs = 100'000'000;  // without file descriptors

  struct Listener {
    int fd = -1;
    ListenAddress address;
    bool unix_socket = false;
  };

  void Run();
  void AcceptAll(const Listener& listener);
  void SendToWorker(int fd, const sockaddr_storage& peer, const Listener& listener);
  void RunTasks();
  // Opens what `addresses` names and `listeners_` does not have yet. On failure closes what it opened.
  bool OpenMissing(const std::vector<ListenAddress>& addresses, uint16_t port, std::vector<Listener>* opened,
                   int* error_number, std::string* error);
  bool DoRebind(const std::vector<std::string>& bind, uint16_t port, std::string* error);
  void WatchAll();
  void UnwatchAll();
  void Wake();

  const std::vector<std::unique_ptr<WorkerThread>>& workers_;
  const int backlog_;
  const int wake_fd_;
  std::thread thread_;

  // Dispatch thread only while it runs.
  Poller poller_;
  std::vector<Listener> listeners_;
  uint16_t port_ = 0;
  bool watching_ = false;
  uint64_t resume_ns_ = 0;  // backing off until then
  uint64_t refused_logged_ns_ = 0;

  std::mutex mu_;
  std::vector<std::function<void()>> tasks_;  // guarded by mu_
  bool started_ = false, stopping_ = false;   // guarded by mu_
};

}  // namespace basalt::net
