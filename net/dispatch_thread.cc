#include "net/dispatch_thread.h"

#include <glog/logging.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <utility>

#include "net/clock.h"

namespace basalt::net {

namespace {

constexpr uint64_t kWakeToken = UINT64_MAX;
constexpr uint64_t kLogIntervalNs = 10'000'000'000;

bool Contains(const std::vector<ListenAddress>& addresses, const ListenAddress& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

}  // namespace

DispatchThread::DispatchThread(const std::vector<std::unique_ptr<WorkerThread>>& workers, int backlog)
    : workers_(workers), backlog_(backlog), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  PCHECK(wake_fd_ >= 0) << "eventfd";
  poller_.Watch(wake_fd_, kPollRead, kWakeToken);
}

DispatchThread::~DispatchThread() {
  Stop();
  close(wake_fd_);
}

bool DispatchThread::Open(const TransportOptions& options, std::string* error) {
  if (!DoRebind(options.bind, options.port, error)) return false;
  if (!options.unix_socket.empty()) {
    Listener listener;
    listener.unix_socket = true;
    if (!UnixAddress(options.unix_socket, &listener.address, error)) return false;
    listener.fd = ListenUnix(listener.address, options.unix_socket_mode, backlog_, error);
    if (listener.fd < 0) return false;
    listeners_.push_back(std::move(listener));
  }
  if (listeners_.empty()) {
    *error = "no address to listen on";
    return false;
  }
  return true;
}

void DispatchThread::Start() {
  {
    std::lock_guard lock(mu_);
    started_ = true;
  }
  WatchAll();
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "dispatch");
}

void DispatchThread::Stop() {
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
  for (const Listener& listener : listeners_) {
    close(listener.fd);
    if (listener.unix_socket) unlink(listener.address.text.c_str());
  }
  listeners_.clear();
}

void DispatchThread::Run() {
  for (;;) {
    std::optional<uint64_t> timeout_ns;
    if (resume_ns_ != 0) {
      const uint64_t now = MonotonicNs();
      timeout_ns = resume_ns_ > now ? resume_ns_ - now : 0;
    }
    const std::span<const Poller::Event> events = poller_.Wait(timeout_ns);
    if (resume_ns_ != 0 && MonotonicNs() >= resume_ns_) {
      resume_ns_ = 0;
      WatchAll();
    }
    bool woken = false;
    for (const Poller::Event& event : events) {
      if (event.token == kWakeToken) {
        woken = true;
        continue;
      }
      for (const Listener& listener : listeners_) {
        if (static_cast<uint64_t>(listener.fd) == event.token) AcceptAll(listener);
      }
    }
    if (woken) {
      RunTasks();
      std::lock_guard lock(mu_);
      if (stopping_ && tasks_.empty()) return;  // who came in time is answered
    }
  }
}

void DispatchThread::AcceptAll(const Listener& listener) {
  while (resume_ns_ == 0) {
    sockaddr_storage peer = {};
    socklen_t length = sizeof(peer);
    const int fd = accept4(listener.fd, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      SendToWorker(fd, peer, listener);
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM: {
        // The client stays in the backlog and the socket readable: look away for a while instead of spinning.
        const uint64_t now = MonotonicNs();
        if (refused_logged_ns_ == 0 || now > refused_logged_ns_ + kLogIntervalNs) {
          PLOG(WARNING) << "cannot accept clients";
          refused_logged_ns_ = now;
        }
        resume_ns_ = now + kBackoffNs;
        UnwatchAll();
        return;
      }
      default:
        break;  // the client went away while it waited, or a signal: take the next one
    }
  }
}

void DispatchThread::SendToWorker(int fd, const sockaddr_storage& peer, const Listener& listener) {
  WorkerThread* least = workers_[0].get();
  for (const auto& worker : workers_) {
    if (worker->load() < least->load()) least = worker.get();
  }
  auto info = std::make_unique<ConnInfo>();
  info->fd = fd;
  info->unix_socket = listener.unix_socket;
  if (listener.unix_socket) {
    info->peer = info->local = listener.address.text + ":0";
    info->loopback = true;
  } else {
    sockaddr_storage local = {};
    socklen_t length = sizeof(local);
    getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
    info->peer = FormatAddress(peer);
    info->local = FormatAddress(local);
    info->loopback = IsLoopback(peer);
  }
  least->NoteClientSent();
  least->queue().Push(NewClient{std::move(info)});
}

bool DispatchThread::Rebind(const std::vector<std::string>& bind, uint16_t port, std::string* error) {
  std::promise<bool> done;
  {
    std::lock_guard lock(mu_);
    CHECK(started_) << "nobody would run the task";
    if (stopping_) {
      *error = "the server is shutting down";
      return false;
    }
    tasks_.push_back([&] { done.set_value(DoRebind(bind, port, error)); });
  }
  Wake();
  return done.get_future().get();
}

void DispatchThread::RunTasks() {
  uint64_t count;
  if (read(wake_fd_, &count, sizeof(count)) < 0) PCHECK(errno == EAGAIN) << "read from eventfd";
  std::vector<std::function<void()>> tasks;
  {
    std::lock_guard lock(mu_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

bool DispatchThread::DoRebind(const std::vector<std::string>& bind, uint16_t port, std::string* error) {
  std::vector<ListenAddress> wanted;
  if (port != 0 && !ResolveBind(bind, port, &wanted, error)) return false;
  const bool was_watching = watching_;
  UnwatchAll();

  const auto split = std::stable_partition(listeners_.begin(), listeners_.end(), [&](const Listener& listener) {
    return listener.unix_socket || Contains(wanted, listener.address);
  });
  std::vector<Listener> dropped(std::make_move_iterator(split), std::make_move_iterator(listeners_.end()));
  listeners_.erase(split, listeners_.end());

  int error_number = 0;
  std::vector<Listener> opened;
  bool ok = OpenMissing(wanted, port, &opened, &error_number, error);
  bool reopen = false;
  if (!ok && error_number == EADDRINUSE && !dropped.empty()) {
    // "127.0.0.1" has to go before "*" of the same port can come: try once more without the old sockets.
    for (const Listener& listener : dropped) close(listener.fd);
    reopen = true;
    ok = OpenMissing(wanted, port, &opened, &error_number, error);
  }
  if (ok) {
    for (const Listener& listener : dropped) {
      if (!reopen) close(listener.fd);
    }
    port_ = port;
  } else {
    opened = std::move(dropped);
    for (Listener& listener : opened) {
      std::string ignored;
      if (reopen) listener.fd = Listen(listener.address, port_, backlog_, &ignored);
      LOG_IF(ERROR, listener.fd < 0) << "lost a listening socket while binding to new addresses: " << ignored;
    }
    std::erase_if(opened, [](const Listener& listener) { return listener.fd < 0; });
  }
  std::move(opened.begin(), opened.end(), std::back_inserter(listeners_));
  if (was_watching) WatchAll();
  return ok;
}

bool DispatchThread::OpenMissing(const std::vector<ListenAddress>& addresses, uint16_t port,
                                 std::vector<Listener>* opened, int* error_number, std::string* error) {
  opened->clear();
  for (const ListenAddress& address : addresses) {
    const bool have = std::any_of(listeners_.begin(), listeners_.end(),
                                  [&](const Listener& listener) { return listener.address == address; });
    if (have) continue;
    const int fd = Listen(address, port, backlog_, error);
    if (fd >= 0) {
      opened->push_back({fd, address, false});
      continue;
    }
    *error_number = errno;
    if (address.optional && IsUnavailable(*error_number)) continue;
    for (const Listener& listener : *opened) close(listener.fd);
    opened->clear();
    return false;
  }
  if (!addresses.empty() && opened->empty() &&
      std::none_of(listeners_.begin(), listeners_.end(), [](const Listener& l) { return !l.unix_socket; })) {
    *error = "none of the bind addresses is available";
    return false;
  }
  return true;
}

void DispatchThread::WatchAll() {
  if (watching_) return;
  watching_ = true;
  for (const Listener& listener : listeners_) {
    poller_.Watch(listener.fd, kPollRead, static_cast<uint64_t>(listener.fd));
  }
}

void DispatchThread::UnwatchAll() {
  if (!watching_) return;
  watching_ = false;
  for (const Listener& listener : listeners_) poller_.Remove(listener.fd);
}

void DispatchThread::Wake() {
  const uint64_t one = 1;
  if (write(wake_fd_, &one, sizeof(one)) < 0) PCHECK(errno == EAGAIN) << "write to eventfd";
}

}  // namespace basalt::net
