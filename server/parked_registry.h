#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "net/request_handler.h"
#include "server/command_context.h"

namespace basalt {

namespace net {
class Transport;
}
class Stats;

// Why a batch is parked.
enum class ParkKind : uint8_t {
  kBlocked,    // a blocking command (WAIT, BLPOP, …): CLIENT UNBLOCK may end it
  kPostponed,  // CLIENT PAUSE holds its next command back
};

// Owns batches that wait long, without a thread. Exactly one of wake, deadline, unblock and the client's end takes a
// batch out again; the others find nothing. Any thread.
class ParkedRegistry {
 public:
  explicit ParkedRegistry(Stats& stats) : stats_(stats) {}

  void SetTransport(net::Transport* transport) { transport_ = transport; }

  // Parks the batch, which runs its next command again in `lane` when woken. `on_parked` is called with the ticket; it
  // may wake at once.
  void Park(net::BatchPtr batch, net::Lane lane, ParkKind kind, ParkRequest request);

  // Runs the command again. False: no longer parked.
  bool WakeUp(ParkTicket ticket, Wake reason);
  void WakeAllPostponed();
  // CLIENT UNBLOCK: as if the deadline had passed, or with the UNBLOCKED error. False: that client is not blocked.
  bool Unblock(uint64_t client_id, bool with_error);

  // From the workers. `sequence`: of the batch as it was parked. A deadline that belongs to an earlier parking of the
  // batch ends nothing.
  void OnDeadline(net::ConnId conn, uint64_t sequence, int64_t deadline_ms);
  void OnHangup(net::ConnId conn, uint64_t sequence);

  uint64_t blocked_clients() const;  // of both kinds, as Redis counts them
  // Before the transport stops: everything parked is given back unexecuted, and nothing is parked any more.
  void DropAll();

 private:
  struct Entry {
    net::BatchPtr batch;  // null while Park is still handing it over
    net::ConnId conn;
    uint64_t sequence;
    uint64_t client_id;
    int64_t deadline_ms;
    net::Lane lane;
    ParkKind kind;
    std::function<void(net::BatchPtr, net::Lane)> resubmit;  // ParkRequest's
    enum class End : uint8_t {
      kNone,
      kReady,
      kTimeout,
      kUnblocked,
      kHangup
    } end = End::kNone;  // decided during hand-over
  };

  // Ends the parking: at once, or by a mark when Park is still handing over. False: no such entry, or it has ended.
  bool Finish(ParkTicket ticket, Entry::End end);
  Entry Take(ParkTicket ticket);  // REQUIRES: mu_
  void Resume(Entry entry, Entry::End end);
  void AnswerUnblocked(net::CommandBatch& batch);
  // 0: none. `deadline_ms`: only with this one.
  ParkTicket FindTicket(net::ConnId conn, uint64_t sequence, std::optional<int64_t> deadline_ms) const;

  Stats& stats_;
  net::Transport* transport_ = nullptr;
  mutable std::mutex mu_;
  // guarded by mu_:
  std::unordered_map<ParkTicket, Entry> entries_;
  std::map<net::ConnId, ParkTicket> by_conn_;
  std::unordered_map<uint64_t, ParkTicket> by_client_;
  ParkTicket next_ticket_ = 1;
  uint64_t blocked_ = 0;
  bool closed_ = false;
};

}  // namespace basalt
