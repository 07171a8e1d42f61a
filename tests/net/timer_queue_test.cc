#include "net/timer_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace basalt::net {
namespace {

TEST(TimerQueueTest, FiresInOrderAndOnce) {
  TimerQueue timers;
  std::string fired;
  timers.Add(30, [&] { fired += 'c'; });
  timers.Add(10, [&] { fired += 'a'; });
  timers.Add(30, [&] { fired += 'd'; });
  timers.Add(20, [&] { fired += 'b'; });
  EXPECT_EQ(timers.Next(), 10u);
  timers.RunDue(9);
  EXPECT_EQ(fired, "");
  timers.RunDue(20);
  EXPECT_EQ(fired, "ab");
  timers.RunDue(100);
  EXPECT_EQ(fired, "abcd");
  EXPECT_EQ(timers.Next(), std::nullopt);
}

TEST(TimerQueueTest, ACancelledTimerIsGoneAndItsIdHarmless) {
  TimerQueue timers;
  int fired = 0;
  const TimerQueue::Id id = timers.Add(10, [&] { ++fired; });
  timers.Cancel(id);
  EXPECT_EQ(timers.size(), 0u);
  timers.Add(10, [&] { ++fired; });  // takes the same place
  timers.Cancel(id);
  timers.Cancel(0);
  timers.RunDue(10);
  EXPECT_EQ(fired, 1);
}

TEST(TimerQueueTest, ATaskThatAddsItselfDoesNotStarveTheLoop) {
  TimerQueue timers;
  int fired = 0;
  std::function<void()> again = [&] {
    ++fired;
    timers.Add(5, again);
  };
  timers.Add(5, again);
  timers.RunDue(10);
  EXPECT_EQ(fired, 1);
  timers.RunDue(10);
  EXPECT_EQ(fired, 2);
}

TEST(TimerQueueTest, AgreesWithAMultimap) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  TimerQueue timers;
  std::multimap<uint64_t, int> model;
  std::vector<std::pair<TimerQueue::Id, std::multimap<uint64_t, int>::iterator>> known;
  std::vector<int> fired, expected;
  uint64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    switch (random() % 4) {
      case 0:
      case 1: {
        const uint64_t deadline = now + random() % 1000;
        known.emplace_back(timers.Add(deadline, [&fired, step] { fired.push_back(step); }),
                           model.emplace(deadline, step));
        break;
      }
      case 2: {
        if (known.empty()) break;
        const size_t i = random() % known.size();
        timers.Cancel(known[i].first);
        model.erase(known[i].second);
        known.erase(known.begin() + static_cast<ptrdiff_t>(i));
        break;
      }
      case 3: {
        now += random() % 40;
        timers.RunDue(now);
        while (!model.empty() && model.begin()->first <= now) {
          expected.push_back(model.begin()->second);
          std::erase_if(known, [&](const auto& entry) { return entry.second == model.begin(); });
          model.erase(model.begin());
        }
        ASSERT_EQ(fired, expected);
        break;
      }
    }
    ASSERT_EQ(timers.size(), model.size());
    ASSERT_EQ(timers.Next(), model.empty() ? std::nullopt : std::optional<uint64_t>(model.begin()->first));
  }
}

}  // namespace
}  // namespace basalt::net
