#include "net/notify_queue.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace basalt::net {

NotifyQueue::NotifyQueue() { PCHECK(pipe2(pipe_, O_NONBLOCK | O_CLOEXEC) == 0) << "pipe2"; }

NotifyQueue::~NotifyQueue() {
  close(pipe_[0]);
  close(pipe_[1]);
}

void NotifyQueue::Push(WorkerEvent event, Order order) {
  bool wake;
  {
    std::lock_guard lock(mu_);
    events_.push_back(std::move(event));
    if (order == Order::kBeforeInput) has_ordered_.store(true, std::memory_order_release);
    wake = std::exchange(asleep_, false);
  }
  if (wake) Wake();
}

void NotifyQueue::PushReturned(std::span<BatchPtr> batches, uint32_t worker) {
  bool wake = false;
  {
    std::lock_guard lock(mu_);
    const size_t before = events_.size();
    for (BatchPtr& batch : batches) {
      if (!batch || batch->conn.worker != worker) continue;
      events_.emplace_back(std::in_place_type<BatchDone>, std::move(batch));
    }
    if (events_.size() > before) wake = std::exchange(asleep_, false);
  }
  if (wake) Wake();
}

bool NotifyQueue::PrepareSleep() {
  std::lock_guard lock(mu_);
  asleep_ = events_.empty();
  return asleep_;
}

void NotifyQueue::Drain(std::vector<WorkerEvent>* events, bool notified) {
  if (notified) {
    char bytes[64];
    while (read(pipe_[0], bytes, sizeof(bytes)) == sizeof(bytes)) {
    }
  }
  events->clear();
  std::lock_guard lock(mu_);
  asleep_ = false;
  has_ordered_.store(false, std::memory_order_relaxed);
  events->swap(events_);
}

void NotifyQueue::Wake() {
  pipe_writes_.fetch_add(1, std::memory_order_relaxed);
  const char byte = 1;
  // A full pipe is as good as a byte: the owner will wake up.
  while (write(pipe_[1], &byte, 1) < 0) {
    if (errno == EAGAIN) return;
    PCHECK(errno == EINTR) << "write to notify pipe";
  }
}

}  // namespace basalt::net
