#include "net/notify_queue.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>
#include <vector>

namespace basalt::net {
namespace {

bool Readable(int fd, int timeout_ms) {
  pollfd entry = {fd, POLLIN, 0};
  return poll(&entry, 1, timeout_ms) == 1;
}

KillClient Numbered(uint32_t producer, uint64_t n) { return {{0, producer, n}, CloseReason::kAskedFor}; }

TEST(NotifyQueueTest, ABurstCostsOneByte) {
  NotifyQueue queue;
  EXPECT_FALSE(Readable(queue.read_fd(), 0));
  for (uint64_t i = 1; i <= 100; ++i) queue.Push(Numbered(0, i));
  EXPECT_EQ(queue.pipe_writes(), 1u);
  EXPECT_TRUE(Readable(queue.read_fd(), 0));
  std::vector<WorkerEvent> events;
  queue.Drain(&events, true);
  EXPECT_EQ(events.size(), 100u);
  EXPECT_FALSE(Readable(queue.read_fd(), 0));
}

TEST(NotifyQueueTest, AnOwnerThatIsAwakeCostsNoByte) {
  NotifyQueue queue;
  std::vector<WorkerEvent> events;
  EXPECT_TRUE(queue.PrepareSleep());
  queue.Drain(&events, false);
  queue.Push(Numbered(0, 1));
  EXPECT_FALSE(queue.PrepareSleep());  // look into the queue first
  queue.Push(Numbered(0, 2));
  EXPECT_EQ(queue.pipe_writes(), 0u);
  queue.Drain(&events, false);
  EXPECT_EQ(events.size(), 2u);
  EXPECT_TRUE(queue.PrepareSleep());
  queue.Push(Numbered(0, 3));
  EXPECT_EQ(queue.pipe_writes(), 1u);
}

TEST(NotifyQueueTest, WhatMustPrecedeLaterInputIsKnownUntilItIsDrained) {
  NotifyQueue queue;
  std::vector<WorkerEvent> events;
  queue.Push(Numbered(0, 1));
  EXPECT_FALSE(queue.has_ordered());
  queue.Push(Numbered(0, 2), NotifyQueue::Order::kBeforeInput);
  queue.Push(Numbered(0, 3));
  EXPECT_TRUE(queue.has_ordered());
  queue.Drain(&events, false);
  EXPECT_EQ(events.size(), 3u);
  EXPECT_FALSE(queue.has_ordered());
}

TEST(NotifyQueueTest, BatchesGoToTheirWorkerOnly) {
  NotifyQueue queue;
  std::vector<BatchPtr> batches;
  for (uint32_t i = 0; i < 6; ++i) {
    batches.push_back(std::make_unique<CommandBatch>());
    batches.back()->conn = {i % 2, i, 1};
  }
  queue.PushReturned(batches, 1);
  std::vector<WorkerEvent> events;
  queue.Drain(&events, true);
  ASSERT_EQ(events.size(), 3u);
  for (const WorkerEvent& event : events) EXPECT_EQ(std::get<BatchDone>(event).batch->conn.worker, 1u);
  EXPECT_TRUE(batches[0] && !batches[1]);
}

// Whoever waits on the pipe alone sees everything, in each producer's order: no wake-up is lost.
TEST(NotifyQueueTest, NoWakeUpIsLost) {
  constexpr uint32_t kProducers = 4;
  constexpr uint64_t kEach = 20'000;
  NotifyQueue queue;
  std::vector<std::thread> producers;
  for (uint32_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&queue, p] {
      for (uint64_t i = 1; i <= kEach; ++i) {
        queue.Push(Numbered(p, i));
        if (i % 64 == 0) std::this_thread::yield();
      }
    });
  }
  uint64_t last[kProducers] = {};
  uint64_t seen = 0;
  std::vector<WorkerEvent> events;
  while (seen < kProducers * kEach) {
    bool notified = false;
    if (queue.PrepareSleep()) {
      notified = Readable(queue.read_fd(), 10'000);
      ASSERT_TRUE(notified) << "asleep with " << seen << " seen";
    }
    queue.Drain(&events, notified);
    for (const WorkerEvent& event : events) {
      const ConnId& id = std::get<KillClient>(event).conn;
      ASSERT_EQ(id.generation, ++last[id.slot]);
      ++seen;
    }
  }
  for (std::thread& producer : producers) producer.join();
}

}  // namespace
}  // namespace basalt::net
