#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/request_handler.h"

namespace basalt::net {

struct TransportOptions {
  std::vector<std::string> bind = {"127.0.0.1", "-::1"};  // a leading '-' : not available is not an error; "*": all
  uint16_t port = 6379;                                   // 0: no TCP
  std::string unix_socket;                                // empty: none
  uint32_t unix_socket_mode = 0;                          // 0: as umask gives
  int backlog = 511;
  int workers = 1;
  int fast_threads = 1;
  int slow_threads = 4;
};

// May change at run time, from any thread (SetTunables).
struct TransportTunables {
  int tcp_keepalive_s = 300;                                // 0: off
  int idle_timeout_s = 0;                                   // `timeout`; 0: never
  uint64_t query_buffer_bytes_max = 1024ull * 1024 * 1024;  // client-query-buffer-limit
  uint64_t output_bytes_total_max = 256ull * 1024 * 1024;   // pending output of all clients together
};

struct TransportStats {
  uint64_t connections_accepted = 0;
  uint64_t connections_open = 0;
  uint64_t bytes_in = 0, bytes_out = 0;
  uint64_t read_calls = 0, write_calls = 0, epoll_wait_calls = 0, epoll_ctl_calls = 0, pipe_calls = 0, futex_wakes = 0;
  uint64_t batches = 0, commands = 0;
  uint64_t output_pending_bytes = 0, query_buffer_bytes = 0;
  uint64_t closed_output_limit = 0, closed_query_buffer_limit = 0, closed_idle = 0, closed_output_budget = 0;
  struct LaneStats {
    uint64_t batches = 0, queue_wait_ns_sum = 0, queue_wait_ns_max = 0 /* since ResetStats */;
    uint64_t queued = 0;  // now
  } lanes[kLanes];
};

// The three tiers, wired: DispatchThread -> WorkerThreads -> ThreadPool and back. Owns all threads and connections.
class Transport {
 public:
  // Binds every address. Null and one clear line in *error when it cannot ("port 6379 is already in use on 127.0.0.1").
  // `handler` outlives the transport.
  static std::unique_ptr<Transport> Open(const TransportOptions& options, const TransportTunables& tunables,
                                         RequestHandler* handler, std::string* error);
  ~Transport();

  // Starts the threads. REQUIRES: signals blocked by the caller.
  void Start();
  // Stops accepting; running batches finish and their replies are written, at most until `grace` has passed; then all
  // connections are closed and all threads joined. Idempotent. Not from one of the transport's own threads.
  void Stop(std::chrono::milliseconds grace);

  // ---- For the holder of a batch; any thread. The batch is the transport's afterwards. ----
  // Everything in it is executed: write the replies, parse on.
  void Return(BatchPtr batch);
  void Return(std::vector<BatchPtr> batches);  // one wake-up per worker
  // Not finished: write the replies so far, and run the rest in `lane`, behind what waits there. Held back while the
  // client has more output pending than it reads.
  void Continue(BatchPtr batch, Lane lane);
  // Run the rest in `lane` with the replies so far kept in the batch. No command need be left: the handler may have
  // other work to do for it there, as for a commit that RocksDB would stall.
  void Resubmit(BatchPtr batch, Lane lane);
  // The batch is about to wait long (a blocking command, CLIENT PAUSE, WAIT): detaches its arguments, has the worker
  // send the replies so far, watch for the peer's end and read ahead. The caller keeps the batch and must be ready for
  // OnParkedDeadline / OnParkedHangup before this call. deadline_ms: CLOCK_REALTIME milliseconds; 0 = none.
  // A wait that will end by itself (a lock, an fsync) says kIsIgnored, so that a client that half-closes is still
  // answered.
  void Park(CommandBatch& batch, int64_t deadline_ms, PeerEnd peer_end = PeerEnd::kClosesClient);

  // ---- Any thread. A connection that is gone is not an error. ----
  // Bytes that go out between replies (pub/sub, MONITOR, tracking): shared, not copied per client.
  void Push(ConnId conn, std::shared_ptr<const std::string> bytes, PushOrder order = PushOrder::kAtOnce);
  // As Push, to many connections of one worker, as one event. REQUIRES: not empty, all of the same worker.
  void PushToMany(std::shared_ptr<const std::vector<ConnId>> conns, std::shared_ptr<const std::string> bytes,
                  PushOrder order = PushOrder::kAtOnce);
  // … of any workers.
  void PushToEach(std::span<const ConnId> conns, const std::shared_ptr<const std::string>& bytes, PushOrder order);
  // What is pushed to the connection after this call goes out behind the replies of the batch that is out, instead of
  // in front of them: something among these replies must be read first. For the holder of that batch.
  void HoldPushes(ConnId conn);
  // Ends the connection; a batch that is out comes back first, its replies are dropped.
  void Kill(ConnId conn, CloseReason reason);
  // Changes the limit at once, not only when a batch comes back with its settings.
  void SetOutputLimit(ConnId conn, const OutputLimit& limit);

  // One more pool thread for a lane whose thread is held by what it executes, until DismissStandIn. False: there are
  // kStandInThreadsMax already, or the system gives no thread. Handler's Execute sees it as a thread number of its own.
  bool AddStandIn(Lane lane);
  void DismissStandIn(Lane lane);

  // Runs `task` on a worker's loop every `period` until Stop. Short work only.
  void AddPeriodic(std::chrono::milliseconds period, std::function<void()> task);

  void SetTunables(const TransportTunables& tunables);
  // Replaces the listening sockets. False and *error when an address cannot be bound; then the old ones stay.
  bool Rebind(const std::vector<std::string>& bind, uint16_t port, std::string* error);
  TransportStats Stats() const;
  void ResetStats();

 private:
  class Impl;
  explicit Transport(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace basalt::net
