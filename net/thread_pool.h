#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "net/request_handler.h"
#include "net/transport.h"

namespace basalt::net {

// The third tier: threads that execute batches, in two lanes with a queue each. A queue never holds more batches than
// there are connections, so submitting never blocks.
//
// Waking: a submit wakes one sleeping thread, however many batches it brings; a thread that leaves work behind wakes
// the next; so does a worker that sees a batch older than kStaleNs. Waking a thread per batch would leave each of them
// with one batch and one futex call.
//
// A thread that is held by one batch for long can have a stand-in: an extra thread of its lane, until it is free again.
//
// Owner: the Transport.
class ThreadPool {
 public:
  // Batches a thread takes at once. In the slow lane what is taken may run for seconds, and nothing waits behind it
  // that another thread could run: neither batches nor, as a taken share ends before the next, replies and commits.
  static constexpr size_t kGrabMax[kLanes] = {16, 1};
  static constexpr uint64_t kStaleNs = 50'000;
  static constexpr int kStandInsMax = kStandInThreadsMax;

  // `handler` outlives the pool.
  ThreadPool(int fast_threads, int slow_threads, RequestHandler* handler);
  ~ThreadPool();

  void Start();
  // Executes what is queued, then joins. Idempotent.
  void Stop();

  // ---- Any thread ----
  // Takes all of *batches and leaves it empty. REQUIRES: each has commands left.
  void Submit(std::vector<BatchPtr>* batches, Lane lane);
  // Also for a batch that has no command left, but for which the handler has.
  void Submit(BatchPtr batch, Lane lane);
  // Wakes one more thread when the oldest batch of a lane waits too long already.
  void WakeIfStale(uint64_t now_ns);

  // One more thread for the lane, numbered from fast_threads + slow_threads on. False: there are kStandInsMax, the
  // system gives no thread, or the pool stops.
  bool AddStandIn(Lane lane);
  // One stand-in of the lane is not needed any more: the next that has nothing to do ends.
  void DismissStandIn(Lane lane);

  TransportStats::LaneStats Stats(Lane lane) const;
  uint64_t futex_wakes() const;
  void ResetStats();

 private:
  // Batches in order of arrival: a ring, because a deque allocates as it moves.
  class Ring {
   public:
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    const CommandBatch& front() const { return *slots_[head_]; }
    void Push(BatchPtr batch);
    BatchPtr Pop();

   private:
    std::vector<BatchPtr> slots_;  // a power of two
    size_t head_ = 0, size_ = 0;
  };

  struct alignas(64) LaneState {
    std::vector<std::thread> threads;  // constant between Start and Stop

    // Read without the lock by WakeIfStale: when the oldest batch was submitted, 0 when there is none.
    std::atomic<uint64_t> oldest_ns{0};
    std::atomic<int> sleeping{0};  // written under mu

    mutable std::mutex mu;
    std::condition_variable work;
    // Guarded by mu.
    Ring queue;
    int wakes_pending = 0;  // woken and not yet running: they need no second call
    int dismissed = 0;      // stand-ins that are to end
    bool stopping = false;
    uint64_t batches = 0, wait_ns_sum = 0, wait_ns_max = 0, wakes = 0;
  };

  struct StandIn {
    std::thread thread;
    bool ended = false;  // or not begun; guarded by stand_ins_mu_
  };

  void Run(Lane lane, int thread);
  bool IsStandIn(int thread) const { return thread >= thread_count_[0] + thread_count_[1]; }
  // Waits for work and takes a fair share of it; empty: the thread ends.
  std::vector<BatchPtr> Grab(LaneState& lane, bool stand_in);
  // Whether the caller, after unlocking, shall call notify_one. REQUIRES: lane.mu held.
  static bool ShouldWake(LaneState& lane);
  static void NoteOldest(LaneState& lane);

  RequestHandler* const handler_;
  const int thread_count_[kLanes];
  LaneState lanes_[kLanes];
  bool running_ = false;

  std::mutex stand_ins_mu_;
  // guarded by stand_ins_mu_:
  std::vector<StandIn> stand_ins_{kStandInsMax};
  bool no_more_stand_ins_ = true;
};

}  // namespace basalt::net
