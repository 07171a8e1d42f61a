#include "net/worker_thread.h"

#include <glog/logging.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "net/clock.h"
#include "net/socket.h"

namespace basalt::net {

namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr int kIovMax = 64;
constexpr size_t kWriteBytesPerTurn = 4 * 1024 * 1024;  // then other clients have their turn
constexpr size_t kDirtyPerRound = 128;                  // clients that were pushed to
constexpr uint64_t kDirtyBytesMax = 4 * 1024 * 1024;
constexpr int64_t kParkTimerMaxMs = int64_t{24} * 3600 * 1000;
constexpr uint64_t kStragglersNs = 200'000'000;  // batches of closed clients are awaited this long at the end

// One writer, so a plain load and store are enough.
void Add(std::atomic<uint64_t>& counter, uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

}  // namespace

WorkerThread::WorkerThread(uint32_t index, const TransportTunables& tunables, RequestHandler* handler, ThreadPool* pool,
                           OutputBudget* budget, const std::vector<std::unique_ptr<WorkerThread>>* peers)
    : index_(index), handler_(handler), pool_(pool), budget_(budget), peers_(peers), tunables_(tunables) {
  poller_.Watch(queue_.read_fd(), kPollRead, kNotifyToken);
}

WorkerThread::~WorkerThread() {
  Join();
  for (Slot& slot : slots_) {
    if (!slot.conn) continue;
    LOG(WARNING) << "a batch of a closed client never came back";
    slot.conn->Abandon();
    if (slot.fd >= 0) close(slot.fd);
  }
}

void WorkerThread::Start() {
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), ("worker-" + std::to_string(index_)).c_str());
}

void WorkerThread::Join() {
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::Run() {
  now_ns_ = MonotonicNs();
  while (!Finished()) Round();
}

void WorkerThread::Round() {
  std::optional<uint64_t> timeout_ns;
  if (const std::optional<uint64_t> next = timers_.Next()) {
    const uint64_t now = MonotonicNs();
    timeout_ns = *next > now ? *next - now : 0;
  }
  if (!dirty_.empty() || !queue_.PrepareSleep()) timeout_ns = 0;
  const std::span<const Poller::Event> events = poller_.Wait(timeout_ns);
  Add(counters_.waits, 1);
  now_ns_ = MonotonicNs();

  bool notified = false;
  for (const Poller::Event& event : events) {
    if (event.token == kNotifyToken) {
      notified = true;
    } else {
      OnSocket(event);
    }
  }
  SubmitAll();
  OnNotified(notified);
  timers_.RunDue(now_ns_);
  if (over_budget_) EnforceBudget();
  SubmitAll();
  pool_->WakeIfStale(now_ns_);
}

bool WorkerThread::Finished() const {
  if (stop_deadline_ns_ == 0) return false;
  return in_use_ == 0 || now_ns_ >= stop_deadline_ns_ + kStragglersNs;
}

void WorkerThread::SubmitAll() {
  for (int lane = 0; lane < kLanes; ++lane) {
    if (to_submit_[lane].empty()) continue;
    Add(counters_.batches, to_submit_[lane].size());
    pool_->Submit(&to_submit_[lane], static_cast<Lane>(lane));
  }
}

WorkerThread::Slot* WorkerThread::Find(Token token) {
  const uint32_t index = static_cast<uint32_t>(token);
  if (index >= slots_.size() || !slots_[index].conn || TokenOf(slots_[index].conn->id()) != token) return nullptr;
  return &slots_[index];
}

WorkerThread::Slot* WorkerThread::Find(const ConnId& id) {
  DCHECK_EQ(id.worker, index_);
  if (id.slot >= slots_.size() || !slots_[id.slot].conn || slots_[id.slot].conn->id() != id) return nullptr;
  return &slots_[id.slot];
}

// ---- Sockets ----

void WorkerThread::OnSocket(const Poller::Event& event) {
  Slot* slot = Find(event.token);
  if (!slot || slot->fd < 0) return;  // closed earlier in this round
  slot->armed = kPollNone;
  Connection& conn = *slot->conn;
  if (event.events & (kPollWrite | kPollError)) slot->write_blocked = false;
  if (conn.peer_end_closes() && (event.events & (kPollPeerEnd | kPollError))) {
    conn.OnPeerEnd();
  } else if ((event.events & (kPollRead | kPollError)) && (conn.Wants(tunables_.query_buffer_bytes_max) & kPollRead)) {
    if (!ReadOnce(*slot)) return;
    if (queue_.has_ordered()) {  // pushes that may be older than what was read
      OnNotified(false);
      slot = Find(event.token);
      if (!slot || slot->fd < 0) return;
    }
  }
  Update(*slot);
}

// False: the client is gone.
bool WorkerThread::ReadOnce(Slot& slot) {
  const std::span<char> span = slot.conn->ReadSpan(blocks_);
  if (span.empty()) {
    Close(slot, CloseReason::kQueryBufferLimit);
    return false;
  }
  const ssize_t n = read(slot.fd, span.data(), span.size());
  Add(counters_.reads, 1);
  if (n > 0) {
    Add(counters_.bytes_in, static_cast<uint64_t>(n));
    slot.conn->OnBytes(static_cast<size_t>(n), now_ns_);
  } else if (n == 0) {
    slot.conn->OnPeerEnd();
  } else if (errno != EAGAIN && errno != EINTR) {
    Close(slot, CloseReason::kError);
    return false;
  }
  return true;
}

// Offers the pending output to the socket. False: the client is gone.
bool WorkerThread::WriteOut(Slot& slot) {
  Connection& conn = *slot.conn;
  size_t turn = 0;
  while (!conn.output().empty() && !slot.write_blocked) {
    iovec iov[kIovMax];
    msghdr message = {};
    message.msg_iov = iov;
    message.msg_iovlen = static_cast<size_t>(conn.output().FillIov(iov, kIovMax));
    size_t offered = 0;
    for (size_t i = 0; i < message.msg_iovlen; ++i) offered += iov[i].iov_len;
    const ssize_t n = message.msg_iovlen == 1 ? send(slot.fd, iov[0].iov_base, offered, MSG_NOSIGNAL)
                                              : sendmsg(slot.fd, &message, MSG_NOSIGNAL);
    Add(counters_.writes, 1);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) {
        Close(slot, CloseReason::kError);
        return false;
      }
      slot.write_blocked = true;
      return true;
    }
    Add(counters_.bytes_out, static_cast<uint64_t>(n));
    conn.OnWritten(static_cast<size_t>(n), now_ns_);
    slot.write_blocked = static_cast<size_t>(n) < offered;
    turn += static_cast<size_t>(n);
    if (turn >= kWriteBytesPerTurn) slot.write_blocked = true;
  }
  return true;
}

// After every event of a client: write, submit, close or wait, whatever it has come to.
void WorkerThread::Update(Slot& slot) {
  Connection& conn = *slot.conn;
  if (conn.over_hard_limit()) return Close(slot, CloseReason::kOutputLimit);
  // Who has read a reply may send the next request here and another one, of another client, behind it: they are to be
  // found in this order. So the socket is watched before the reply can be read.
  const bool watch_first =
      (slot.armed & kPollRead) == 0 && !conn.output().empty() && conn.awaits_request(tunables_.query_buffer_bytes_max);
  if (watch_first && !ArmFor(slot, kPollRead)) return;
  if (!WriteOut(slot)) return;
  conn.Recycle(batches_);

  const bool stopping = stop_deadline_ns_ != 0;
  if (!stopping || conn.continued()) {
    Connection::Submission next = conn.NextBatch(batches_, blocks_, tunables_.query_buffer_bytes_max);
    if (next) {
      if (next.fresh) Add(counters_.commands, next.batch->commands.size());
      to_submit_[static_cast<int>(next.lane)].push_back(std::move(next.batch));
    } else if (!conn.output().empty() && !slot.write_blocked) {  // a protocol error just now
      if (!WriteOut(slot)) return;
    } else if (conn.has_part_of_request()) {
      AcknowledgeNow(slot.fd);
    }
  }
  if (const std::optional<CloseReason> reason = conn.Verdict(now_ns_)) return Close(slot, *reason);
  if (stopping && !conn.batch_out() && !conn.continued() && conn.output().empty()) {
    return Close(slot, CloseReason::kShutdown);
  }
  Account(slot);
  ArmLimitTimers(slot);
  if (Arm(slot)) conn.PublishCounters(slot.armed);
}

// False: the client is gone.
bool WorkerThread::Arm(Slot& slot) { return ArmFor(slot, slot.conn->Wants(tunables_.query_buffer_bytes_max)); }

bool WorkerThread::ArmFor(Slot& slot, uint32_t wants) {
  // What is armed for nothing reports once and is ignored; that is cheaper than taking it back.
  if (wants == slot.armed || wants == kPollNone) return true;
  Add(counters_.controls, 1);
  if (!poller_.Rearm(slot.fd, wants, TokenOf(slot.conn->id()))) {
    Close(slot, CloseReason::kError);
    return false;
  }
  slot.armed = wants;
  return true;
}

void WorkerThread::Account(Slot& slot) {
  const uint64_t output = slot.fd >= 0 ? slot.conn->output_bytes() : 0;
  const uint64_t query = slot.fd >= 0 ? slot.conn->query_bytes() : 0;
  if (output != slot.counted_output) {
    const uint64_t change = output - slot.counted_output;  // modulo 2^64: a decrease wraps around, and back in the sum
    slot.counted_output = output;
    Add(counters_.output_bytes, change);
    const uint64_t total = budget_->total_bytes.fetch_add(change, std::memory_order_relaxed) + change;
    if (total > tunables_.output_bytes_total_max) over_budget_ = true;
    if (output > counters_.largest_output.load(std::memory_order_relaxed)) {
      counters_.largest_output.store(output, std::memory_order_relaxed);
    }
  }
  if (query != slot.counted_query) {
    Add(counters_.query_bytes, query - slot.counted_query);
    slot.counted_query = query;
  }
}

// Cuts off whoever owes the most to his own slowness, until the total fits. When that client is another worker's, the
// other worker is told.
void WorkerThread::EnforceBudget() {
  over_budget_ = false;
  while (budget_->total_bytes.load(std::memory_order_relaxed) > tunables_.output_bytes_total_max) {
    Slot* largest = nullptr;
    for (Slot& slot : slots_) {
      if (slot.conn && slot.counted_output > (largest ? largest->counted_output : 0)) largest = &slot;
    }
    const uint64_t mine = largest ? largest->counted_output : 0;
    counters_.largest_output.store(mine, std::memory_order_relaxed);
    for (const auto& peer : *peers_) {
      if (peer.get() != this && peer->counters_.largest_output.load(std::memory_order_relaxed) > mine) {
        peer->queue_.Push(RunTask{[](WorkerThread& worker) { worker.EnforceBudget(); }});
        return;
      }
    }
    if (!largest) return;
    Close(*largest, CloseReason::kOutputBudget);
  }
}

// ---- Notifications ----

void WorkerThread::OnNotified(bool pipe_readable) {
  if (pipe_readable) Add(counters_.drains, 1);
  queue_.Drain(&events_, pipe_readable);
  for (WorkerEvent& event : events_) {
    std::visit([this](auto& e) { On(e); }, event);
  }
  events_.clear();
  UpdateSomeDirty();
}

// A message to ten thousand subscribers is as many system calls: others have their turn in between. But when messages
// come faster than that, their authors have to wait.
void WorkerThread::UpdateSomeDirty() {
  for (size_t done = 0; !dirty_.empty() && (done < kDirtyPerRound || dirty_bytes_ > kDirtyBytesMax); ++done) {
    dirty_bytes_ -= dirty_bytes_ / dirty_.size();
    Slot* slot = Find(dirty_.front());
    dirty_.pop_front();
    if (!slot || slot->fd < 0) continue;
    slot->dirty = false;
    Update(*slot);
  }
}

void WorkerThread::On(NewClient& event) {
  ConnInfo& info = *event.info;
  const int fd = info.fd;
  uint32_t index;
  if (stop_deadline_ns_ != 0) {
    close(fd);
    load_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  if (free_slots_.empty()) {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  Slot& slot = slots_[index];
  info.id = {index_, index, ++generation_};
  info.counters = std::make_shared<ConnCounters>();
  ConfigureSocket(fd, info.unix_socket, tunables_.tcp_keepalive_s);
  Add(counters_.accepted, 1);

  RequestHandler::Admission admission = handler_->OnConnect(info);
  if (!admission.client || !poller_.WatchOnce(fd, kPollRead, TokenOf(info.id))) {
    Refuse(fd, admission.refusal);
    free_slots_.push_back(index);
    load_.fetch_sub(1, std::memory_order_relaxed);
    if (admission.client) handler_->OnDisconnect(std::move(admission.client), CloseReason::kError);
    return;
  }
  Add(counters_.controls, 1);
  slot = Slot();
  slot.fd = fd;
  slot.armed = kPollRead;
  slot.conn =
      std::make_unique<Connection>(info.id, std::move(admission.client), admission.settings, info.counters, now_ns_);
  slot.conn->PublishCounters(slot.armed);
  ++in_use_;
  Add(counters_.open, 1);
  if (tunables_.idle_timeout_s > 0) ArmIdleTimer(slot, now_ns_ + tunables_.idle_timeout_s * kNsPerSecond);
}

void WorkerThread::On(BatchDone& event) {
  Slot* slot = Find(event.batch->conn);
  CHECK(slot) << "a batch outlived its connection";
  timers_.Cancel(std::exchange(slot->park_timer, 0));
  if (event.rest == BatchDone::Rest::kContinue) {
    slot->conn->OnContinued(std::move(event.batch), event.lane);
  } else {
    slot->conn->OnReturned(std::move(event.batch), blocks_);
  }
  if (slot->conn->closed()) return Finish(*slot);
  Update(*slot);
}

void WorkerThread::On(Parked& event) {
  Parked::Contents& parked = *event.contents;
  Slot* slot = Find(parked.conn);
  CHECK(slot) << "a parked batch outlived its connection";
  Connection& conn = *slot->conn;
  if (!conn.OnParked(parked.sequence, std::move(parked.input), std::move(parked.replies), parked.settings,
                     parked.peer_end, blocks_)) {
    handler_->OnParkedHangup(parked.conn, parked.sequence);
    return;
  }
  timers_.Cancel(std::exchange(slot->park_timer, 0));
  if (parked.deadline_ms != 0) ArmParkTimer(*slot, parked.deadline_ms);
  Update(*slot);
}

// A deadline may be further away than the nanoseconds of a timer reach.
void WorkerThread::ArmParkTimer(Slot& slot, int64_t deadline_ms) {
  const int64_t left_ms = std::clamp<int64_t>(deadline_ms - RealtimeMs(), 0, kParkTimerMaxMs);
  const Token token = TokenOf(slot.conn->id());
  slot.park_timer =
      timers_.Add(now_ns_ + static_cast<uint64_t>(left_ms) * 1'000'000, [this, token, deadline_ms, left_ms] {
        Slot* slot = Find(token);
        if (!slot || !slot->conn->parked()) return;
        slot->park_timer = 0;
        if (left_ms == kParkTimerMaxMs) return ArmParkTimer(*slot, deadline_ms);
        handler_->OnParkedDeadline(slot->conn->id(), slot->conn->sequence(), deadline_ms);
      });
}

void WorkerThread::PushTo(const ConnId& id, const std::shared_ptr<const std::string>& bytes, PushOrder order) {
  Slot* slot = Find(id);
  if (!slot || slot->fd < 0) return;
  slot->conn->OnPush(bytes, order);
  dirty_bytes_ += bytes->size();
  if (!std::exchange(slot->dirty, true)) dirty_.push_back(TokenOf(id));
}

void WorkerThread::On(PushBytes& event) { PushTo(event.conn, event.bytes, event.order); }

void WorkerThread::On(PushToManyClients& event) {
  for (const ConnId& id : *event.conns) PushTo(id, event.bytes, event.order);
}

void WorkerThread::On(HoldPushesOf& event) {
  Slot* slot = Find(event.conn);
  if (slot && slot->fd >= 0) slot->conn->OnHoldPushes();
}

void WorkerThread::On(KillClient& event) {
  Slot* slot = Find(event.conn);
  if (slot && slot->fd >= 0) Close(*slot, event.reason);
}

void WorkerThread::On(NewOutputLimit& event) {
  Slot* slot = Find(event.conn);
  if (!slot || slot->fd < 0) return;
  slot->conn->SetOutputLimit(*event.limit);
  Update(*slot);
}

void WorkerThread::On(RunTask& event) { event.task(*this); }

// ---- Timers ----

void WorkerThread::ArmIdleTimer(Slot& slot, uint64_t deadline_ns) {
  timers_.Cancel(slot.idle_timer);
  const Token token = TokenOf(slot.conn->id());
  slot.idle_timer = timers_.Add(deadline_ns, [this, token] { OnIdleTimer(token); });
}

// Looks at the last interaction only now and then, so that requests do not touch timers.
void WorkerThread::OnIdleTimer(Token token) {
  Slot* slot = Find(token);
  if (!slot || slot->fd < 0) return;
  slot->idle_timer = 0;
  const uint64_t timeout_ns = tunables_.idle_timeout_s * kNsPerSecond;
  if (timeout_ns == 0) return;
  const bool exempt = slot->conn->batch_out() || slot->conn->settings().idle_timeout_exempt;
  const uint64_t deadline_ns = (exempt ? now_ns_ : slot->conn->last_interaction_ns()) + timeout_ns;
  if (now_ns_ >= deadline_ns) return Close(*slot, CloseReason::kIdle);
  ArmIdleTimer(*slot, deadline_ns);
}

void WorkerThread::ArmLimitTimers(Slot& slot) {
  const Token token = TokenOf(slot.conn->id());
  if (slot.conn->holding() && slot.hold_timer == 0) {
    slot.hold_timer = timers_.Add(now_ns_ + Connection::kHoldStallNs, [this, token] { OnHoldTimer(token); });
  }
  const std::optional<uint64_t> deadline_ns = slot.conn->soft_limit_deadline_ns();
  if (deadline_ns && slot.soft_limit_timer == 0) {
    slot.soft_limit_timer = timers_.Add(*deadline_ns, [this, token] {
      Slot* slot = Find(token);
      if (!slot || slot->fd < 0) return;
      slot->soft_limit_timer = 0;
      Update(*slot);
    });
  }
}

void WorkerThread::OnHoldTimer(Token token) {
  Slot* slot = Find(token);
  if (!slot || slot->fd < 0) return;
  slot->hold_timer = 0;
  if (const std::optional<uint64_t> again_ns = slot->conn->OnHoldTimer(now_ns_)) {
    slot->hold_timer = timers_.Add(*again_ns, [this, token] { OnHoldTimer(token); });
  } else {
    Update(*slot);
  }
}

void WorkerThread::AddPeriodic(uint64_t period_ns, std::function<void()> task) {
  periodic_.push_back({period_ns, std::move(task)});
  const size_t index = periodic_.size() - 1;
  timers_.Add(now_ns_ + period_ns, [this, index] { RunPeriodic(index); });
}

void WorkerThread::RunPeriodic(size_t index) {
  if (stop_deadline_ns_ != 0) return;
  periodic_[index].task();
  timers_.Add(now_ns_ + periodic_[index].period_ns, [this, index] { RunPeriodic(index); });
}

void WorkerThread::SetTunables(const TransportTunables& tunables) {
  const bool new_timeout = tunables.idle_timeout_s != tunables_.idle_timeout_s;
  tunables_ = tunables;
  over_budget_ = true;  // if it is, by the new figure
  if (!new_timeout) return;
  for (Slot& slot : slots_) {
    if (!slot.conn || slot.fd < 0) continue;
    timers_.Cancel(std::exchange(slot.idle_timer, 0));
    if (tunables_.idle_timeout_s > 0) {
      ArmIdleTimer(slot, slot.conn->last_interaction_ns() + tunables_.idle_timeout_s * kNsPerSecond);
    }
  }
}

// ---- The end of clients, and of the worker ----

void WorkerThread::Refuse(int fd, const std::string& refusal) {
  if (!refusal.empty() && send(fd, refusal.data(), refusal.size(), MSG_NOSIGNAL) < 0) {
    VLOG(1) << "a refused client did not take its refusal";
  }
  CloseGently(fd);
}

void WorkerThread::Close(Slot& slot, CloseReason reason) {
  Connection& conn = *slot.conn;
  conn.Close(reason);
  switch (reason) {
    case CloseReason::kOutputLimit:
      Add(counters_.closed_output_limit, 1);
      break;
    case CloseReason::kQueryBufferLimit:
      Add(counters_.closed_query_limit, 1);
      break;
    case CloseReason::kIdle:
      Add(counters_.closed_idle, 1);
      break;
    case CloseReason::kOutputBudget:
      Add(counters_.closed_budget, 1);
      break;
    default:
      break;
  }
  if (reason == CloseReason::kAskedFor || reason == CloseReason::kProtocolError) {
    CloseGently(slot.fd);
  } else {
    close(slot.fd);
  }
  slot.fd = -1;
  slot.armed = kPollNone;
  Account(slot);
  Add(counters_.open, UINT64_MAX);  // minus one
  for (TimerQueue::Id* timer : {&slot.idle_timer, &slot.park_timer, &slot.hold_timer, &slot.soft_limit_timer}) {
    timers_.Cancel(std::exchange(*timer, 0));
  }
  if (conn.parked()) handler_->OnParkedHangup(conn.id(), conn.sequence());
  if (!conn.batch_out()) Finish(slot);
}

void WorkerThread::Finish(Slot& slot) {
  const uint32_t index = slot.conn->id().slot;
  const CloseReason reason = slot.conn->close_reason();
  std::unique_ptr<ClientState> client = slot.conn->TakeClient();
  slot.conn.reset();
  free_slots_.push_back(index);
  --in_use_;
  load_.fetch_sub(1, std::memory_order_relaxed);
  handler_->OnDisconnect(std::move(client), reason);
}

void WorkerThread::BeginStop(uint64_t deadline_ns) {
  stop_deadline_ns_ = std::max<uint64_t>(deadline_ns, 1);
  timers_.Add(stop_deadline_ns_, [this] {
    for (Slot& slot : slots_) {
      if (slot.conn && slot.fd >= 0) Close(slot, CloseReason::kShutdown);
    }
    timers_.Add(stop_deadline_ns_ + kStragglersNs, [] {});  // the loop looks up then
  });
  for (Slot& slot : slots_) {
    if (!slot.conn || slot.fd < 0) continue;
    if (slot.conn->peer_end_closes()) {
      Close(slot, CloseReason::kShutdown);  // waits for something that may never come
    } else {
      Update(slot);
    }
  }
}

void WorkerThread::DrainAfterStop() {
  now_ns_ = MonotonicNs();
  queue_.Drain(&events_, true);
  for (WorkerEvent& event : events_) {
    if (auto* done = std::get_if<BatchDone>(&event)) {
      On(*done);
    } else if (auto* client = std::get_if<NewClient>(&event)) {
      close(client->info->fd);
    }
  }
  events_.clear();
}

void WorkerThread::AddStats(TransportStats* stats) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  stats->connections_accepted += counters_.accepted.load(kRelaxed);
  stats->connections_open += counters_.open.load(kRelaxed);
  stats->bytes_in += counters_.bytes_in.load(kRelaxed);
  stats->bytes_out += counters_.bytes_out.load(kRelaxed);
  stats->read_calls += counters_.reads.load(kRelaxed);
  stats->write_calls += counters_.writes.load(kRelaxed);
  stats->epoll_wait_calls += counters_.waits.load(kRelaxed);
  stats->epoll_ctl_calls += counters_.controls.load(kRelaxed);
  stats->pipe_calls += counters_.drains.load(kRelaxed) + queue_.pipe_writes();
  stats->batches += counters_.batches.load(kRelaxed);
  stats->commands += counters_.commands.load(kRelaxed);
  stats->output_pending_bytes += counters_.output_bytes.load(kRelaxed);
  stats->query_buffer_bytes += counters_.query_bytes.load(kRelaxed);
  stats->closed_output_limit += counters_.closed_output_limit.load(kRelaxed);
  stats->closed_query_buffer_limit += counters_.closed_query_limit.load(kRelaxed);
  stats->closed_idle += counters_.closed_idle.load(kRelaxed);
  stats->closed_output_budget += counters_.closed_budget.load(kRelaxed);
}

}  // namespace basalt::net
