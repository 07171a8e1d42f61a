#include "net/poller.h"

#include <glog/logging.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

namespace basalt::net {

namespace {

bool Control(int epoll_fd, int operation, int fd, uint32_t events, uint64_t token) {
  epoll_event event;
  event.events = events;
  event.data.u64 = token;
  return epoll_ctl(epoll_fd, operation, fd, &event) == 0;
}

}  // namespace

Poller::Poller() : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) { PCHECK(epoll_fd_ >= 0) << "epoll_create1"; }

Poller::~Poller() { close(epoll_fd_); }

void Poller::Watch(int fd, uint32_t events, uint64_t token) {
  PCHECK(Control(epoll_fd_, EPOLL_CTL_ADD, fd, events, token)) << "epoll_ctl";
}

bool Poller::WatchOnce(int fd, uint32_t events, uint64_t token) {
  return Control(epoll_fd_, EPOLL_CTL_ADD, fd, events | EPOLLONESHOT, token);
}

bool Poller::Rearm(int fd, uint32_t events, uint64_t token) {
  return Control(epoll_fd_, EPOLL_CTL_MOD, fd, events | EPOLLONESHOT, token);
}

void Poller::Remove(int fd) { PCHECK(Control(epoll_fd_, EPOLL_CTL_DEL, fd, 0, 0)) << "epoll_ctl"; }

int Poller::WaitRaw(std::optional<uint64_t> timeout_ns) {
  // Nanoseconds, because a deadline rounded down to a millisecond spins and one rounded up is late.
  if (has_pwait2_) {
    timespec timeout;
    if (timeout_ns) {
      timeout.tv_sec = static_cast<time_t>(*timeout_ns / 1'000'000'000);
      timeout.tv_nsec = static_cast<long>(*timeout_ns % 1'000'000'000);
    }
    const int n = epoll_pwait2(epoll_fd_, raw_, kEventsMax, timeout_ns ? &timeout : nullptr, nullptr);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return n;
    // A kernel before 5.11, or a sandbox that does not know the call: late, then.
    has_pwait2_ = false;
  }
  constexpr uint64_t kNsPerMs = 1'000'000;
  int timeout_ms = -1;
  if (timeout_ns) {
    const uint64_t rounded_up = *timeout_ns / kNsPerMs + (*timeout_ns % kNsPerMs != 0 ? 1 : 0);
    timeout_ms = static_cast<int>(std::min<uint64_t>(rounded_up, INT_MAX));
  }
  return epoll_wait(epoll_fd_, raw_, kEventsMax, timeout_ms);
}

std::span<const Poller::Event> Poller::Wait(std::optional<uint64_t> timeout_ns) {
  const int n = WaitRaw(timeout_ns);
  if (n < 0) {
    PCHECK(errno == EINTR) << "epoll_wait";
    return {};
  }
  for (int i = 0; i < n; ++i) events_[i] = {raw_[i].events, raw_[i].data.u64};
  return {events_, static_cast<size_t>(n)};
}

}  // namespace basalt::net
