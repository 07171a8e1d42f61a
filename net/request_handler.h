#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/command_batch.h"
#include "net/conn_id.h"

namespace basalt::net {

// The fast lane never waits: no disk, no fsync, no lock, no write stall. What might wait runs in the slow lane.
enum class Lane : uint8_t { kFast, kSlow };
inline constexpr int kLanes = 2;
// Threads that a pool may have beyond those it was made with, in place of threads that are held
// (Transport::AddStandIn).
inline constexpr int kStandInThreadsMax = 32;

// Whether a parked client whose peer ends its stream is given up (it waits for something that may never come) or is
// still owed its replies (it waits for a lock or the disk).
enum class PeerEnd : uint8_t { kClosesClient, kIsIgnored };

// Where pushed bytes go when a batch of their client is out.
enum class PushOrder : uint8_t {
  kAtOnce,         // in front of its replies
  kBehindReplies,  // behind them: what is pushed concerns what they say (an invalidation of a value that was just read)
};

// Counters of one connection that other threads may read (CLIENT LIST); written with relaxed stores by its worker.
struct ConnCounters {
  std::atomic<uint64_t> query_buffer_bytes{0};       // qbuf
  std::atomic<uint64_t> query_buffer_free_bytes{0};  // qbuf-free
  std::atomic<uint64_t> output_pending_bytes{0};     // omem
  std::atomic<uint64_t> output_segments{0};          // oll
  std::atomic<uint64_t> bytes_in{0};
  std::atomic<uint64_t> bytes_out{0};
  std::atomic<int64_t> last_interaction_s{0};  // CLOCK_MONOTONIC seconds
  std::atomic<bool> readable_armed{false};     // events=r
  std::atomic<bool> writable_armed{false};     // events=w
};

struct ConnInfo {
  ConnId id;
  int fd = -1;        // only for display (CLIENT LIST fd=)
  std::string peer;   // "127.0.0.1:1234", "[::1]:1234", "/path/of.sock:0"
  std::string local;  // "127.0.0.1:6379", …
  bool unix_socket = false;
  bool loopback = false;  // peer is 127.0.0.0/8, ::1 or a unix socket
  std::shared_ptr<ConnCounters> counters;
};

// Why the transport ended a connection; for logs and counters.
enum class CloseReason : uint8_t {
  kPeerClosed,
  kError,
  kProtocolError,
  kAskedFor /* close_after_reply, Kill */,
  kIdle,
  kOutputLimit,
  kQueryBufferLimit,
  kOutputBudget /* all clients' pending output exceeded the total */,
  kShutdown,
};

// The one interface from `net` upwards.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;

  struct Admission {
    std::unique_ptr<ClientState> client;  // null: refused
    std::string refusal;                  // whole RESP bytes sent before a refused connection is closed
    ConnSettings settings;                // the first settings of an admitted one
  };
  // Worker thread, once per accepted connection (maxclients and protected-mode are decided here).
  virtual Admission OnConnect(const ConnInfo& info) = 0;

  // Worker thread, once per admitted connection, after its last batch came back.
  virtual void OnDisconnect(std::unique_ptr<ClientState> client, CloseReason reason) = 0;

  // Pool thread. Takes over the batches; each comes back exactly once through Transport::Return, Continue, Resubmit or
  // Park, from this call or any later one on any thread. `thread` counts pool threads of all lanes from 0.
  virtual void Execute(std::vector<BatchPtr> batches, Lane lane, int thread) = 0;

  // Worker thread: the deadline given to Park passed / the peer of a parked client went away. The batch that was parked
  // as `sequence` may meanwhile have come back, or be parked again with another deadline: losing that race is normal
  // and must be harmless.
  virtual void OnParkedDeadline(ConnId conn, uint64_t sequence, int64_t deadline_ms) = 0;
  virtual void OnParkedHangup(ConnId conn, uint64_t sequence) = 0;
};

}  // namespace basalt::net
