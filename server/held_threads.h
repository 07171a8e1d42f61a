#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "net/command_batch.h"
#include "net/request_handler.h"
#include "server/services.h"

namespace basalt {

// Pool threads that run something without a known end (scripts). Nobody waits behind one: batches that it has taken and
// not begun go back to the queue, and while it is held for longer than kHeldNs a stand-in serves its lane.
//
// Pool threads hold; a periodic task watches.
class HeldThreads {
 public:
  static constexpr uint64_t kHeldNs = 100'000'000;

  HeldThreads(const Services& services, int pool_threads);
  ~HeldThreads();

  // The calling thread is held, from construction to destruction.
  class Hold {
   public:
    // `rest`: what the thread is to run afterwards, the next at its end. Comes back, but for what others have taken
    // over.
    Hold(HeldThreads& owner, int thread, net::Lane lane, std::vector<net::BatchPtr>* rest, uint64_t now_ns);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    HeldThreads& owner_;
    const int thread_;
    std::vector<net::BatchPtr>* const rest_;
  };

  // To be called once per kHeldNs, by one thread: a stand-in comes after one to two of them.
  void Watch(uint64_t now_ns);

 private:
  struct alignas(64) Slot {
    std::mutex mu;
    // guarded by mu:
    uint64_t since_ns = 0;  // 0: not held
    net::Lane lane = net::Lane::kFast;
    bool stand_in = false;
    std::vector<net::BatchPtr> rest;
  };

  void Resubmit(std::vector<net::BatchPtr> rest, net::Lane lane) const;

  const Services& services_;
  std::vector<Slot> slots_;
};

}  // namespace basalt
