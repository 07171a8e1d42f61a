#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <optional>
#include <span>

namespace basalt::net {

// What a poller reports, and what it is asked to report. Errors and hang-ups are always reported.
enum PollEvents : uint32_t {
  kPollNone = 0,
  kPollRead = EPOLLIN,
  kPollWrite = EPOLLOUT,
  kPollPeerEnd = EPOLLRDHUP,  // the peer will send no more; what it sent may still be unread
  kPollError = EPOLLERR | EPOLLHUP,
};

// The only place that knows epoll.
//
// Owner: one event loop; Wait() in its thread only, the rest is as thread-safe as epoll_ctl.
class Poller {
 public:
  struct Event {
    uint32_t events;
    uint64_t token;
  };

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Reports `events` of fd again and again while they hold.
  void Watch(int fd, uint32_t events, uint64_t token);
  // Reports once, then nothing, not even an error, until Rearm(). False: fd is no longer usable, or memory is short.
  [[nodiscard]] bool WatchOnce(int fd, uint32_t events, uint64_t token);
  [[nodiscard]] bool Rearm(int fd, uint32_t events, uint64_t token);
  void Remove(int fd);

  // Waits until something is ready or `timeout_ns` has passed (nullopt: forever). The span lives until the next call.
  std::span<const Event> Wait(std::optional<uint64_t> timeout_ns);

 private:
  static constexpr int kEventsMax = 256;  // per round; more wait for the next one

  int WaitRaw(std::optional<uint64_t> timeout_ns);

  const int epoll_fd_;
  epoll_event raw_[kEventsMax];
  Event events_[kEventsMax];
  bool has_pwait2_ = true;  // until the kernel says otherwise
};

}  // namespace basalt::net
