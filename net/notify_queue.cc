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

void NotifyQueue::Push(WorkerEvent event) {
  bool was_empty;
  {
    std::lock_guard lock(mu_);
    was_empty = events_.empty();
    events_.push_back(std::move(event));
  }
  if (was_empty) Wake();
}

void NotifyQueue::PushReturned(std::span<BatchPtr> batches, uint32_t worker) {
  bool was_empty = false, any = false;
  {
    std::lock_guard lock(mu_);
    was_empty = events_.empty();
    for (BatchPtr& batch : batches) {
      if (!batch || batch->conn.worker != worker) continue;
      events_.emplace_back(std::in_place_type<BatchDone>, std::move(batch));
      any = true;
    }
  }
  if (was_empty && any) Wake();
}

void NotifyQueue::Drain(std::vector<WorkerEvent>* events) {
  char bytes[64];
  while (read(pipe_[0], bytes, sizeof(bytes)) == sizeof(bytes)) {
  }
  events->clear();
  std::lock_guard lock(mu_);
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
