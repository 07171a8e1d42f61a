#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "net/connection.h"
#include "net/notify_queue.h"
#include "net/poller.h"
#include "net/thread_pool.h"
#include "net/timer_queue.h"
#include "net/transport.h"

namespace basalt::net {

// Pending output of all clients of all workers. Any thread.
struct OutputBudget {
  std::atomic<uint64_t> total_bytes{0};
};

// The second tier: an event loop that owns its clients. All reading, parsing and writing of their sockets happens here.
//
//   one round:  epoll_wait ─▶ sockets: one read each, parse ─▶ one bulk submit
//                          ─▶ notify queue: batches come back, write, parse on, re-arm ─▶ submit ─▶ timers
//
// Owner: the Transport.
class WorkerThread {
 public:
  // `handler`, `pool`, `budget` and *peers (all workers, this one too) outlive the worker.
  WorkerThread(uint32_t index, const TransportTunables& tunables, RequestHandler* handler, ThreadPool* pool,
               OutputBudget* budget, const std::vector<std::unique_ptr<WorkerThread>>* peers);
  ~WorkerThread();

  void Start();
  void Join();

  // ---- Any thread ----
  NotifyQueue& queue() { return queue_; }
  // Clients here or on their way: what DispatchThread balances.
  uint32_t load() const { return load_.load(std::memory_order_relaxed); }
  void NoteClientSent() { load_.fetch_add(1, std::memory_order_relaxed); }
  void AddStats(TransportStats* stats) const;

  // ---- The worker's thread, through RunTask ----
  void SetTunables(const TransportTunables& tunables);
  void AddPeriodic(uint64_t period_ns, std::function<void()> task);
  void BeginStop(uint64_t deadline_ns);
  void EnforceBudget();

  // ---- After Join() and after the pool has stopped ----
  // Takes the last batches back, so that every client is seen off.
  void DrainAfterStop();

 private:
  struct Slot {
    std::unique_ptr<Connection> conn;                // null: free
    int fd = -1;                                     // -1 once closed, while a batch is still out
    uint32_t armed = 0;                              // PollEvents that epoll will report
    bool write_blocked = false;                      // the socket took less than it was offered
    bool dirty = false;                              // in dirty_
    uint64_t counted_output = 0, counted_query = 0;  // what this client adds to the totals
    TimerQueue::Id idle_timer = 0, park_timer = 0, hold_timer = 0, soft_limit_timer = 0;
  };

  // Written by this thread, read by anyone.
  struct alignas(64) Counters {
    std::atomic<uint64_t> accepted{0}, open{0}, bytes_in{0}, bytes_out{0};
    std::atomic<uint64_t> reads{0}, writes{0}, waits{0}, controls{0}, drains{0};
    std::atomic<uint64_t> batches{0}, commands{0}, output_bytes{0}, query_bytes{0}, largest_output{0};
    std::atomic<uint64_t> closed_output_limit{0}, closed_query_limit{0}, closed_idle{0}, closed_budget{0};
  };

  // A slot and the low bits of its generation: names a client in epoll and in timers.
  using Token = uint64_t;
  static Token TokenOf(const ConnId& id) { return id.generation << 32 | id.slot; }
  static constexpr Token kNotifyToken = UINT64_MAX;

  void Run();
  void Round();
  bool Finished() const;
  void SubmitAll();
  Slot* Find(Token token);
  Slot* Find(const ConnId& id);

  void OnSocket(const Poller::Event& event);
  bool ReadOnce(Slot& slot);
  bool WriteOut(Slot& slot);
  void Update(Slot& slot);
  [[nodiscard]] bool Arm(Slot& slot);
  [[nodiscard]] bool ArmFor(Slot& slot, uint32_t wants);
  void Account(Slot& slot);
  void ArmLimitTimers(Slot& slot);

  void OnNotified(bool pipe_readable);
  void PushTo(const ConnId& id, const std::shared_ptr<const std::string>& bytes, PushOrder order);
  void UpdateSomeDirty();
  void On(NewClient& event);
  void On(BatchDone& event);
  void On(Parked& event);
  void On(PushBytes& event);
  void On(PushToManyClients& event);
  void On(HoldPushesOf& event);
  void On(KillClient& event);
  void On(NewOutputLimit& event);
  void On(RunTask& event);

  void ArmParkTimer(Slot& slot, int64_t deadline_ms);
  void ArmIdleTimer(Slot& slot, uint64_t deadline_ns);
  void OnIdleTimer(Token token);
  void OnHoldTimer(Token token);
  void RunPeriodic(size_t index);

  void Refuse(int fd, const std::string& refusal);
  void Close(Slot& slot, CloseReason reason);
  void Finish(Slot& slot);

  // Constant after construction.
  const uint32_t index_;
  RequestHandler* const handler_;
  ThreadPool* const pool_;
  OutputBudget* const budget_;
  const std::vector<std::unique_ptr<WorkerThread>>* const peers_;
  std::thread thread_;

  // Any thread.
  NotifyQueue queue_;
  Counters counters_;
  std::atomic<uint32_t> load_{0};

  // Worker thread only.
  struct Periodic {
    uint64_t period_ns;
    std::function<void()> task;
  };
  TransportTunables tunables_;
  Poller poller_;
  TimerQueue timers_;
  BlockPool blocks_;
  BatchPool batches_;
  std::deque<Slot> slots_;  // a deque, because slots stay where they are while it grows
  std::vector<uint32_t> free_slots_;
  uint64_t generation_ = 0;
  std::vector<BatchPtr> to_submit_[kLanes];
  std::vector<WorkerEvent> events_;
  std::deque<Token> dirty_;   // clients that were pushed to, and not updated since
  uint64_t dirty_bytes_ = 0;  // what they were pushed, about
  std::vector<Periodic> periodic_;
  uint64_t now_ns_ = 0;            // of this round
  uint64_t stop_deadline_ns_ = 0;  // 0: not stopping
  uint32_t in_use_ = 0;            // slots
  bool over_budget_ = false;
};

}  // namespace basalt::net
