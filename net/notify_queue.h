#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "net/command_batch.h"
#include "net/conn_id.h"
#include "net/request_handler.h"

namespace basalt::net {

class WorkerThread;

// ---- What other threads tell a worker ----

// DispatchThread: a client was accepted; info.id is given by the worker.
struct NewClient {
  std::unique_ptr<ConnInfo> info;
};

// A batch comes back.
struct BatchDone {
  enum class Rest : uint8_t { kNone, kContinue };  // kContinue: submit it again to `lane` once its replies are out

  explicit BatchDone(BatchPtr done, Rest then = Rest::kNone, Lane where = Lane::kFast)
      : batch(std::move(done)), rest(then), lane(where) {}

  BatchPtr batch;
  Rest rest;
  Lane lane;
};

// A batch is about to wait somewhere else; what belongs to the connection comes back without it.
struct Parked {
  struct Contents {
    ConnId conn;
    uint64_t sequence;
    int64_t deadline_ms;  // CLOCK_REALTIME; 0: none
    PeerEnd peer_end;
    InputBuffer input;
    OutputBuffer replies;
    ConnSettings settings;
  };
  std::unique_ptr<Contents> contents;
};

struct PushBytes {
  ConnId conn;
  std::shared_ptr<const std::string> bytes;
  PushOrder order;
};

struct PushToManyClients {
  std::shared_ptr<const std::vector<ConnId>> conns;
  std::shared_ptr<const std::string> bytes;
  PushOrder order;
};

struct HoldPushesOf {
  ConnId conn;
};

struct KillClient {
  ConnId conn;
  CloseReason reason;
};

struct NewOutputLimit {
  ConnId conn;
  std::unique_ptr<OutputLimit> limit;
};

// The rare rest: tunables, periodic tasks, shutdown.
struct RunTask {
  std::function<void(WorkerThread&)> task;
};

using WorkerEvent = std::variant<BatchDone, NewClient, Parked, PushBytes, PushToManyClients, HoldPushesOf, KillClient,
                                 NewOutputLimit, RunTask>;

// The one door into a worker: anyone pushes, the owner drains. A vector swapped under a mutex, and a pipe that makes
// the owner's epoll return. A byte is written only by the push that finds the owner asleep, so a burst costs one
// wake-up, and an owner that is at work anyway costs none: it looks into the queue each round.
//
// Owner: a WorkerThread.
class NotifyQueue {
 public:
  NotifyQueue();
  ~NotifyQueue();
  NotifyQueue(const NotifyQueue&) = delete;
  NotifyQueue& operator=(const NotifyQueue&) = delete;

  // ---- Any thread ----
  enum class Order : uint8_t {
    kAny,
    kBeforeInput,  // what its client sends after the call finds it there: PushOrder::kBehindReplies
  };
  void Push(WorkerEvent event, Order order = Order::kAny);
  // Takes those batches that belong to `worker`; the others stay in the span.
  void PushReturned(std::span<BatchPtr> batches, uint32_t worker);
  uint64_t pipe_writes() const { return pipe_writes_.load(std::memory_order_relaxed); }

  // ---- Owner ----
  // Becomes readable when there is something to drain.
  int read_fd() const { return pipe_[0]; }
  // Before the owner waits: false if there is something to drain, then it must not sleep. From true on, the next push
  // writes a byte.
  [[nodiscard]] bool PrepareSleep();
  // There is something of kBeforeInput. To be asked after a client was read from, and before what was read is executed:
  // the batch of a request that was sent after the push must not hold it back.
  bool has_ordered() const { return has_ordered_.load(std::memory_order_acquire); }
  // After the owner woke up. `notified`: the pipe is readable. Empties the pipe, then swaps the queue into *events (its
  // old contents are dropped). In the other order the byte of a push between the two would be swallowed.
  void Drain(std::vector<WorkerEvent>* events, bool notified);

 private:
  void Wake();

  int pipe_[2];
  std::atomic<uint64_t> pipe_writes_{0};
  std::atomic<bool> has_ordered_{false};  // written under mu_

  std::mutex mu_;
  std::vector<WorkerEvent> events_;  // guarded by mu_
  bool asleep_ = true;               // guarded by mu_: the owner waits, or is about to
};

}  // namespace basalt::net
