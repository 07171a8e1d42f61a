#include "net/thread_pool.h"

#include <glog/logging.h>
#include <pthread.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "net/clock.h"

namespace basalt::net {

void ThreadPool::Ring::Push(BatchPtr batch) {
  if (size_ == slots_.size()) {
    std::vector<BatchPtr> larger(std::max<size_t>(64, 2 * slots_.size()));
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move(slots_[(head_ + i) & (slots_.size() - 1)]);
    slots_.swap(larger);
    head_ = 0;
  }
  slots_[(head_ + size_++) & (slots_.size() - 1)] = std::move(batch);
}

BatchPtr ThreadPool::Ring::Pop() {
  BatchPtr batch = std::move(slots_[head_]);
  head_ = (head_ + 1) & (slots_.size() - 1);
  --size_;
  return batch;
}

ThreadPool::ThreadPool(int fast_threads, int slow_threads, RequestHandler* handler)
    : handler_(handler), thread_count_{fast_threads, slow_threads} {
  CHECK_GE(fast_threads, 1);
  CHECK_GE(slow_threads, 1);
}

ThreadPool::~ThreadPool() { Stop(); }

void ThreadPool::Start() {
  CHECK(!running_);
  running_ = true;
  int thread = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < thread_count_[lane]; ++i, ++thread) {
      lanes_[lane].threads.emplace_back([this, lane, thread] { Run(static_cast<Lane>(lane), thread); });
      const std::string name = (lane == 0 ? "fast-" : "slow-") + std::to_string(i);
      pthread_setname_np(lanes_[lane].threads.back().native_handle(), name.c_str());
    }
  }
  std::lock_guard lock(stand_ins_mu_);
  for (StandIn& each : stand_ins_) each.ended = true;
  no_more_stand_ins_ = false;
}

void ThreadPool::Stop() {
  if (!running_) return;
  running_ = false;
  for (LaneState& lane : lanes_) {
    {
      std::lock_guard lock(lane.mu);
      lane.stopping = true;
    }
    lane.work.notify_all();
  }
  for (LaneState& lane : lanes_) {
    for (std::thread& thread : lane.threads) thread.join();
    lane.threads.clear();
  }
  std::vector<StandIn> stand_ins(kStandInsMax);
  {
    std::lock_guard lock(stand_ins_mu_);
    no_more_stand_ins_ = true;
    for (int i = 0; i < kStandInsMax; ++i) stand_ins[i].thread.swap(stand_ins_[i].thread);
  }
  for (StandIn& each : stand_ins) {
    if (each.thread.joinable()) each.thread.join();
  }
}

bool ThreadPool::AddStandIn(Lane lane) {
  std::lock_guard lock(stand_ins_mu_);
  if (no_more_stand_ins_) return false;
  const auto free = std::find_if(stand_ins_.begin(), stand_ins_.end(), [](const StandIn& each) { return each.ended; });
  if (free == stand_ins_.end()) return false;
  if (free->thread.joinable()) free->thread.join();  // it has nothing left to do but to return
  const int index = static_cast<int>(free - stand_ins_.begin());
  const int thread = thread_count_[0] + thread_count_[1] + index;
  try {
    free->thread = std::thread([this, lane, thread, index] {
      Run(lane, thread);
      std::lock_guard lock(stand_ins_mu_);
      stand_ins_[static_cast<size_t>(index)].ended = true;
    });
  } catch (const std::system_error& error) {
    LOG(WARNING) << "cannot start a thread in place of one that a script holds: " << error.what();
    return false;
  }
  free->ended = false;
  pthread_setname_np(free->thread.native_handle(), ("extra-" + std::to_string(index)).c_str());
  return true;
}

void ThreadPool::DismissStandIn(Lane lane_name) {
  LaneState& lane = lanes_[static_cast<int>(lane_name)];
  {
    std::lock_guard lock(lane.mu);
    ++lane.dismissed;
  }
  lane.work.notify_all();
}

void ThreadPool::Submit(std::vector<BatchPtr>* batches, Lane lane_name) {
  if (batches->empty()) return;
  LaneState& lane = lanes_[static_cast<int>(lane_name)];
  const uint64_t now = MonotonicNs();
  bool wake;
  {
    std::lock_guard lock(lane.mu);
    for (BatchPtr& batch : *batches) {
      CHECK(batch && batch->client && !batch->finished()) << "a batch without work";
      batch->enqueued_ns = now;
      lane.queue.Push(std::move(batch));
    }
    NoteOldest(lane);
    wake = ShouldWake(lane);
  }
  if (wake) lane.work.notify_one();
  batches->clear();
}

void ThreadPool::Submit(BatchPtr batch, Lane lane_name) {
  LaneState& lane = lanes_[static_cast<int>(lane_name)];
  CHECK(batch && batch->client);
  batch->enqueued_ns = MonotonicNs();
  bool wake;
  {
    std::lock_guard lock(lane.mu);
    lane.queue.Push(std::move(batch));
    NoteOldest(lane);
    wake = ShouldWake(lane);
  }
  if (wake) lane.work.notify_one();
}

void ThreadPool::WakeIfStale(uint64_t now_ns) {
  for (LaneState& lane : lanes_) {
    const uint64_t oldest = lane.oldest_ns.load(std::memory_order_relaxed);
    if (oldest == 0 || now_ns < oldest + kStaleNs || lane.sleeping.load(std::memory_order_relaxed) == 0) continue;
    bool wake;
    {
      std::lock_guard lock(lane.mu);
      wake = !lane.queue.empty() && ShouldWake(lane);
    }
    if (wake) lane.work.notify_one();
  }
}

bool ThreadPool::ShouldWake(LaneState& lane) {
  if (lane.sleeping.load(std::memory_order_relaxed) <= lane.wakes_pending) return false;
  ++lane.wakes_pending;
  ++lane.wakes;
  return true;
}

void ThreadPool::NoteOldest(LaneState& lane) {
  lane.oldest_ns.store(lane.queue.empty() ? 0 : lane.queue.front().enqueued_ns, std::memory_order_relaxed);
}

void ThreadPool::Run(Lane lane_name, int thread) {
  LaneState& lane = lanes_[static_cast<int>(lane_name)];
  for (;;) {
    std::vector<BatchPtr> batches = Grab(lane, IsStandIn(thread));
    if (batches.empty()) return;
    handler_->Execute(std::move(batches), lane_name, thread);
  }
}

std::vector<BatchPtr> ThreadPool::Grab(LaneState& lane, bool stand_in) {
  const size_t threads = static_cast<size_t>(thread_count_[&lane - lanes_]);
  const size_t grab_max = kGrabMax[&lane - lanes_];
  std::vector<BatchPtr> batches;
  bool wake = false;
  {
    std::unique_lock lock(lane.mu);
    while (lane.queue.empty() || (stand_in && lane.dismissed > 0)) {
      if (stand_in && lane.dismissed > 0) {
        --lane.dismissed;
        return batches;
      }
      if (lane.stopping) return batches;
      lane.sleeping.fetch_add(1, std::memory_order_relaxed);
      lane.work.wait(lock);
      lane.sleeping.fetch_sub(1, std::memory_order_relaxed);
      if (lane.wakes_pending > 0) --lane.wakes_pending;
    }
    const size_t take = std::min((lane.queue.size() + threads - 1) / threads, grab_max);
    batches.reserve(take);
    const uint64_t now = MonotonicNs();
    for (size_t i = 0; i < take; ++i) {
      BatchPtr batch = lane.queue.Pop();
      batch->queue_wait_ns = now > batch->enqueued_ns ? now - batch->enqueued_ns : 0;
      lane.wait_ns_sum += batch->queue_wait_ns;
      lane.wait_ns_max = std::max(lane.wait_ns_max, batch->queue_wait_ns);
      batches.push_back(std::move(batch));
    }
    lane.batches += take;
    NoteOldest(lane);
    wake = !lane.queue.empty() && ShouldWake(lane);
  }
  if (wake) lane.work.notify_one();
  return batches;
}

TransportStats::LaneStats ThreadPool::Stats(Lane lane_name) const {
  const LaneState& lane = lanes_[static_cast<int>(lane_name)];
  std::lock_guard lock(lane.mu);
  TransportStats::LaneStats stats;
  stats.batches = lane.batches;
  stats.queue_wait_ns_sum = lane.wait_ns_sum;
  stats.queue_wait_ns_max = lane.wait_ns_max;
  stats.queued = lane.queue.size();
  return stats;
}

uint64_t ThreadPool::futex_wakes() const {
  uint64_t wakes = 0;
  for (const LaneState& lane : lanes_) {
    std::lock_guard lock(lane.mu);
    wakes += lane.wakes;
  }
  return wakes;
}

void ThreadPool::ResetStats() {
  for (LaneState& lane : lanes_) {
    std::lock_guard lock(lane.mu);
    lane.batches = lane.wait_ns_sum = lane.wait_ns_max = lane.wakes = 0;
  }
}

}  // namespace basalt::net
