#include "net/transport.h"

#include <glog/logging.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <mutex>
#include <utility>

#include "net/clock.h"
#include "net/dispatch_thread.h"
#include "net/notify_queue.h"
#include "net/thread_pool.h"
#include "net/worker_thread.h"

namespace basalt::net {

class Transport::Impl {
 public:
  Impl(const TransportOptions& options, const TransportTunables& tunables, RequestHandler* handler)
      : pool(options.fast_threads, options.slow_threads, handler), dispatch(workers, options.backlog) {
    CHECK_GE(options.workers, 1);
    for (int i = 0; i < options.workers; ++i) {
      workers.push_back(
          std::make_unique<WorkerThread>(static_cast<uint32_t>(i), tunables, handler, &pool, &budget, &workers));
    }
  }

  WorkerThread& WorkerOf(const ConnId& conn) {
    CHECK_LT(conn.worker, workers.size());
    return *workers[conn.worker];
  }
  // Whether an id that a caller kept names a worker of ours at all.
  bool Knows(const ConnId& conn) const { return conn && conn.worker < workers.size(); }

  TransportStats StatsSinceStart() const {
    TransportStats stats;
    for (const auto& worker : workers) worker->AddStats(&stats);
    stats.futex_wakes = pool.futex_wakes();
    for (int lane = 0; lane < kLanes; ++lane) stats.lanes[lane] = pool.Stats(static_cast<Lane>(lane));
    return stats;
  }

  OutputBudget budget;
  ThreadPool pool;
  std::vector<std::unique_ptr<WorkerThread>> workers;
  DispatchThread dispatch;

  std::mutex mu;
  bool started = false, stopped = false;  // guarded by mu
  TransportStats base;                    // what was there at the last ResetStats; guarded by mu
};

namespace {

// Applies `f` to every counter (not to what is a state of now) of two stats.
template <typename F>
void ForEachCounter(TransportStats& a, const TransportStats& b, F f) {
  f(a.connections_accepted, b.connections_accepted);
  f(a.bytes_in, b.bytes_in);
  f(a.bytes_out, b.bytes_out);
  f(a.read_calls, b.read_calls);
  f(a.write_calls, b.write_calls);
  f(a.epoll_wait_calls, b.epoll_wait_calls);
  f(a.epoll_ctl_calls, b.epoll_ctl_calls);
  f(a.pipe_calls, b.pipe_calls);
  f(a.futex_wakes, b.futex_wakes);
  f(a.batches, b.batches);
  f(a.commands, b.commands);
  f(a.closed_output_limit, b.closed_output_limit);
  f(a.closed_query_buffer_limit, b.closed_query_buffer_limit);
  f(a.closed_idle, b.closed_idle);
  f(a.closed_output_budget, b.closed_output_budget);
}

NotifyQueue::Order InQueue(PushOrder order) {
  return order == PushOrder::kAtOnce ? NotifyQueue::Order::kAny : NotifyQueue::Order::kBeforeInput;
}

}  // namespace

std::unique_ptr<Transport> Transport::Open(const TransportOptions& options, const TransportTunables& tunables,
                                           RequestHandler* handler, std::string* error) {
  auto impl = std::make_unique<Impl>(options, tunables, handler);
  if (!impl->dispatch.Open(options, error)) return nullptr;
  return std::unique_ptr<Transport>(new Transport(std::move(impl)));
}

Transport::Transport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Transport::~Transport() { Stop(std::chrono::milliseconds(0)); }

void Transport::Start() {
  std::lock_guard lock(impl_->mu);
  CHECK(!impl_->started);
  impl_->started = true;
  signal(SIGPIPE, SIG_IGN);  // sends say MSG_NOSIGNAL; pipes cannot
  impl_->pool.Start();
  for (auto& worker : impl_->workers) worker->Start();
  impl_->dispatch.Start();
}

void Transport::Stop(std::chrono::milliseconds grace) {
  {
    std::lock_guard lock(impl_->mu);
    if (std::exchange(impl_->stopped, true)) return;
    if (!impl_->started) return impl_->dispatch.Stop();
  }
  impl_->dispatch.Stop();
  const uint64_t grace_ns = static_cast<uint64_t>(std::max<int64_t>(0, grace.count())) * 1'000'000;
  const uint64_t deadline_ns = MonotonicNs() + grace_ns;
  for (auto& worker : impl_->workers) {
    worker->queue().Push(RunTask{[deadline_ns](WorkerThread& w) { w.BeginStop(deadline_ns); }});
  }
  for (auto& worker : impl_->workers) worker->Join();
  impl_->pool.Stop();
  for (auto& worker : impl_->workers) worker->DrainAfterStop();
}

void Transport::Return(BatchPtr batch) {
  NotifyQueue& queue = impl_->WorkerOf(batch->conn).queue();
  queue.Push(BatchDone(std::move(batch)));
}

void Transport::Return(std::vector<BatchPtr> batches) {
  for (uint32_t worker = 0; worker < impl_->workers.size(); ++worker) {
    const bool any = std::any_of(batches.begin(), batches.end(),
                                 [worker](const BatchPtr& batch) { return batch && batch->conn.worker == worker; });
    if (any) impl_->workers[worker]->queue().PushReturned(batches, worker);
  }
}

void Transport::Continue(BatchPtr batch, Lane lane) {
  NotifyQueue& queue = impl_->WorkerOf(batch->conn).queue();
  queue.Push(BatchDone(std::move(batch), BatchDone::Rest::kContinue, lane));
}

void Transport::Resubmit(BatchPtr batch, Lane lane) { impl_->pool.Submit(std::move(batch), lane); }

bool Transport::AddStandIn(Lane lane) { return impl_->pool.AddStandIn(lane); }

void Transport::DismissStandIn(Lane lane) { impl_->pool.DismissStandIn(lane); }

void Transport::Park(CommandBatch& batch, int64_t deadline_ms, PeerEnd peer_end) {
  CHECK(batch.conn);
  auto parked = std::make_unique<Parked::Contents>();
  parked->conn = batch.conn;
  parked->sequence = batch.sequence;
  parked->deadline_ms = deadline_ms;
  parked->peer_end = peer_end;
  parked->input = batch.Detach();
  parked->replies.Swap(batch.replies);
  parked->settings = batch.settings;
  impl_->WorkerOf(batch.conn).queue().Push(Parked{std::move(parked)});
}

void Transport::Push(ConnId conn, std::shared_ptr<const std::string> bytes, PushOrder order) {
  if (bytes->empty() || !impl_->Knows(conn)) return;
  impl_->WorkerOf(conn).queue().Push(PushBytes{conn, std::move(bytes), order}, InQueue(order));
}

void Transport::PushToMany(std::shared_ptr<const std::vector<ConnId>> conns, std::shared_ptr<const std::string> bytes,
                           PushOrder order) {
  const ConnId first = conns->front();
  if (bytes->empty() || !impl_->Knows(first)) return;
  impl_->WorkerOf(first).queue().Push(PushToManyClients{std::move(conns), std::move(bytes), order}, InQueue(order));
}

void Transport::PushToEach(std::span<const ConnId> conns, const std::shared_ptr<const std::string>& bytes,
                           PushOrder order) {
  if (conns.size() == 1) return Push(conns.front(), bytes, order);
  for (uint32_t worker = 0; worker < impl_->workers.size(); ++worker) {
    auto of_worker = std::make_shared<std::vector<ConnId>>();
    std::copy_if(conns.begin(), conns.end(), std::back_inserter(*of_worker),
                 [worker](const ConnId& conn) { return conn.worker == worker; });
    if (!of_worker->empty()) PushToMany(std::move(of_worker), bytes, order);
  }
}

void Transport::HoldPushes(ConnId conn) {
  if (impl_->Knows(conn)) impl_->WorkerOf(conn).queue().Push(HoldPushesOf{conn});
}

void Transport::Kill(ConnId conn, CloseReason reason) {
  if (impl_->Knows(conn)) impl_->WorkerOf(conn).queue().Push(KillClient{conn, reason});
}

void Transport::SetOutputLimit(ConnId conn, const OutputLimit& limit) {
  if (!impl_->Knows(conn)) return;
  impl_->WorkerOf(conn).queue().Push(NewOutputLimit{conn, std::make_unique<OutputLimit>(limit)});
}

void Transport::AddPeriodic(std::chrono::milliseconds period, std::function<void()> task) {
  CHECK_GT(period.count(), 0);
  const uint64_t period_ns = static_cast<uint64_t>(period.count()) * 1'000'000;
  impl_->workers[0]->queue().Push(RunTask{[period_ns, task = std::move(task)](WorkerThread& worker) mutable {
    worker.AddPeriodic(period_ns, std::move(task));
  }});
}

void Transport::SetTunables(const TransportTunables& tunables) {
  for (auto& worker : impl_->workers) {
    worker->queue().Push(RunTask{[tunables](WorkerThread& w) { w.SetTunables(tunables); }});
  }
}

bool Transport::Rebind(const std::vector<std::string>& bind, uint16_t port, std::string* error) {
  return impl_->dispatch.Rebind(bind, port, error);
}

TransportStats Transport::Stats() const {
  std::lock_guard lock(impl_->mu);
  TransportStats stats = impl_->StatsSinceStart();
  ForEachCounter(stats, impl_->base, [](uint64_t& now, uint64_t base) { now -= base; });
  return stats;
}

void Transport::ResetStats() {
  std::lock_guard lock(impl_->mu);
  const TransportStats now = impl_->StatsSinceStart();
  ForEachCounter(impl_->base, now, [](uint64_t& base, uint64_t all) { base = all; });
  impl_->pool.ResetStats();
  impl_->base.futex_wakes = 0;  // the pool starts from 0 again itself
}

}  // namespace basalt::net
