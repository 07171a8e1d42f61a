#include "net/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "net/clock.h"

namespace basalt::net {
namespace {

class NoState : public ClientState {};

class CountingHandler : public RequestHandler {
 public:
  std::function<void(size_t batches, Lane lane, int thread)> on_execute;
  std::atomic<int> executed{0};

  Admission OnConnect(const ConnInfo&) override { return {}; }
  void OnDisconnect(std::unique_ptr<ClientState>, CloseReason) override {}
  void Execute(std::vector<BatchPtr> batches, Lane lane, int thread) override {
    if (on_execute) on_execute(batches.size(), lane, thread);
    executed += static_cast<int>(batches.size());
    for (BatchPtr& batch : batches) batch->client.reset();
  }
  void OnParkedDeadline(ConnId, uint64_t, int64_t) override {}
  void OnParkedHangup(ConnId, uint64_t) override {}
};

BatchPtr Work() {
  auto batch = std::make_unique<CommandBatch>();
  batch->client = std::make_unique<NoState>();
  batch->args = {"PING"};
  batch->commands = {{0, 1}};
  return batch;
}

std::vector<BatchPtr> Work(int n) {
  std::vector<BatchPtr> batches;
  for (int i = 0; i < n; ++i) batches.push_back(Work());
  return batches;
}

bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// Holds pool threads until it is opened.
class Gate {
 public:
  void Wait() {
    std::unique_lock lock(mu_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void AwaitWaiting(int n) {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this, n] { return waiting_ >= n; });
  }
  void Open() {
    std::lock_guard lock(mu_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

TEST(ThreadPoolTest, AThreadTakesItsShareAtMostSixteen) {
  CountingHandler handler;
  std::mutex mu;
  std::vector<size_t> grabs;
  Gate gate;
  handler.on_execute = [&](size_t n, Lane, int) {
    {
      std::lock_guard lock(mu);
      grabs.push_back(n);
      if (grabs.size() > 1) return;
    }
    gate.Wait();
  };
  ThreadPool pool(1, 1, &handler);
  pool.Start();
  pool.Submit(Work(), Lane::kFast);
  gate.AwaitWaiting(1);
  auto batches = Work(40);
  pool.Submit(&batches, Lane::kFast);
  EXPECT_TRUE(batches.empty());
  EXPECT_EQ(pool.Stats(Lane::kFast).queued, 40u);
  gate.Open();
  ASSERT_TRUE(Eventually([&] { return handler.executed == 41; }));
  EXPECT_EQ(grabs, (std::vector<size_t>{1, 16, 16, 8}));
  EXPECT_EQ(pool.Stats(Lane::kFast).batches, 41u);
  EXPECT_GT(pool.Stats(Lane::kFast).queue_wait_ns_max, 0u);
}

TEST(ThreadPoolTest, NothingIsTakenBehindWhatMayBeLong) {
  CountingHandler handler;
  Gate gate;
  std::atomic<int> begun{0};
  handler.on_execute = [&](size_t n, Lane, int) {
    EXPECT_EQ(n, 1u);
    if (begun++ == 0) gate.Wait();
  };
  ThreadPool pool(1, 2, &handler);
  pool.Start();
  auto batches = Work(10);
  pool.Submit(&batches, Lane::kSlow);
  gate.AwaitWaiting(1);
  EXPECT_TRUE(Eventually([&] { return handler.executed == 9; })) << "one slow thread is held, the other is not";
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return handler.executed == 10; }));
}

TEST(ThreadPoolTest, ABatchMayGoToAnotherLaneWithoutACommandLeft) {
  CountingHandler handler;
  std::atomic<int> slow{0};
  handler.on_execute = [&](size_t n, Lane lane, int) {
    if (lane == Lane::kSlow) slow += static_cast<int>(n);
  };
  ThreadPool pool(1, 1, &handler);
  pool.Start();
  BatchPtr batch = Work();
  batch->next = static_cast<uint32_t>(batch->commands.size());
  ASSERT_TRUE(batch->finished());
  pool.Submit(std::move(batch), Lane::kSlow);
  EXPECT_TRUE(Eventually([&] { return slow == 1; }));
}

TEST(ThreadPoolTest, OneSubmitWakesOneThreadWhichWakesTheNext) {
  CountingHandler handler;
  Gate gate;
  handler.on_execute = [&](size_t, Lane, int) { gate.Wait(); };
  ThreadPool pool(3, 1, &handler);
  pool.Start();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // all asleep
  auto batches = Work(9);
  pool.Submit(&batches, Lane::kFast);  // 3, then ceil(6/3) = 2, then 2 stay for whoever is done first
  gate.AwaitWaiting(3);
  EXPECT_EQ(pool.futex_wakes(), 3u);
  EXPECT_EQ(pool.Stats(Lane::kFast).queued, 2u);
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return handler.executed == 9; }));
}

TEST(ThreadPoolTest, LanesDoNotWaitForEachOther) {
  CountingHandler handler;
  Gate gate;
  std::atomic<int> fast{0};
  handler.on_execute = [&](size_t, Lane lane, int thread) {
    EXPECT_EQ(lane == Lane::kFast, thread < 1) << "threads are numbered over the lanes";
    if (lane == Lane::kSlow) {
      gate.Wait();
    } else {
      ++fast;
    }
  };
  ThreadPool pool(1, 2, &handler);
  pool.Start();
  pool.Submit(Work(), Lane::kSlow);
  pool.Submit(Work(), Lane::kSlow);
  gate.AwaitWaiting(2);
  pool.Submit(Work(), Lane::kFast);
  EXPECT_TRUE(Eventually([&] { return fast == 1; }));
  gate.Open();
}

TEST(ThreadPoolTest, StopExecutesWhatIsQueued) {
  CountingHandler handler;
  {
    ThreadPool pool(2, 1, &handler);
    auto batches = Work(100);
    pool.Submit(&batches, Lane::kFast);
    pool.Submit(Work(), Lane::kSlow);
    pool.Start();
    pool.Stop();
  }
  EXPECT_EQ(handler.executed, 101);
}

TEST(ThreadPoolTest, StaleWorkIsNoticed) {
  CountingHandler handler;
  Gate gate;
  handler.on_execute = [&](size_t, Lane, int) { gate.Wait(); };
  ThreadPool pool(2, 1, &handler);
  pool.Start();
  pool.Submit(Work(), Lane::kFast);
  gate.AwaitWaiting(1);
  pool.Submit(Work(), Lane::kFast);
  pool.WakeIfStale(MonotonicNs() + ThreadPool::kStaleNs + 1);
  gate.AwaitWaiting(2);
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return handler.executed == 2; }));
}

TEST(ThreadPoolTest, NothingIsLostUnderManySubmitters) {
  CountingHandler handler;
  ThreadPool pool(2, 2, &handler);
  pool.Start();
  std::vector<std::thread> submitters;
  for (int s = 0; s < 4; ++s) {
    submitters.emplace_back([&pool, s] {
      for (int i = 0; i < 2000; ++i) {
        auto batches = Work(1 + i % 5);
        pool.Submit(&batches, s % 2 ? Lane::kFast : Lane::kSlow);
        pool.WakeIfStale(MonotonicNs());
        if (i % 16 == 0) std::this_thread::yield();
      }
    });
  }
  for (std::thread& submitter : submitters) submitter.join();
  EXPECT_TRUE(Eventually([&] { return handler.executed == 4 * 400 * (1 + 2 + 3 + 4 + 5); }));
}

TEST(ThreadPoolTest, AStandInServesTheLaneWhileItsThreadIsHeldAndEndsWhenDismissed) {
  CountingHandler handler;
  Gate gate;
  std::atomic<int> stand_in{-1};
  handler.on_execute = [&](size_t, Lane lane, int thread) {
    if (lane == Lane::kFast && thread == 0) gate.Wait();
    if (thread >= 2) stand_in = thread;
  };
  ThreadPool pool(1, 1, &handler);
  EXPECT_FALSE(pool.AddStandIn(Lane::kFast)) << "before the start";
  pool.Start();
  pool.Submit(Work(), Lane::kFast);
  gate.AwaitWaiting(1);
  pool.Submit(Work(), Lane::kFast);
  ASSERT_TRUE(pool.AddStandIn(Lane::kFast));
  EXPECT_TRUE(Eventually([&] { return handler.executed == 1; })) << "nobody executed what came behind the held thread";
  EXPECT_EQ(stand_in, 2) << "a thread number of its own";
  pool.DismissStandIn(Lane::kFast);
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return handler.executed == 2; }));
  // The number is free again, however often.
  for (int i = 0; i < 3 * ThreadPool::kStandInsMax; ++i) {
    EXPECT_TRUE(Eventually([&] { return pool.AddStandIn(Lane::kSlow); }));
    pool.DismissStandIn(Lane::kSlow);
  }
  for (int i = 0; i < 100; ++i) pool.Submit(Work(), i % 2 == 0 ? Lane::kFast : Lane::kSlow);
  EXPECT_TRUE(Eventually([&] { return handler.executed == 102; }));
  pool.Stop();
}

TEST(ThreadPoolTest, ThereIsALimitToStandIns) {
  CountingHandler handler;
  ThreadPool pool(1, 1, &handler);
  pool.Start();
  for (int i = 0; i < ThreadPool::kStandInsMax; ++i) EXPECT_TRUE(pool.AddStandIn(Lane::kSlow));
  EXPECT_FALSE(pool.AddStandIn(Lane::kSlow));
  pool.Stop();
  EXPECT_FALSE(pool.AddStandIn(Lane::kSlow)) << "after the end";
}

TEST(ThreadPoolTest, ThereMayBeNoThreadForAStandIn) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    CountingHandler handler;
    ThreadPool pool(1, 1, &handler);
    pool.Start();
    const rlimit none{1, 1};  // processes and threads of nobody, this one included
    if (setrlimit(RLIMIT_NPROC, &none) != 0 || setresuid(65534, 65534, 65534) != 0) _exit(2);
    _exit(pool.AddStandIn(Lane::kSlow) ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "only root can become nobody";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace basalt::net
