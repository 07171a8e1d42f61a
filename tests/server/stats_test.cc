#include "server/stats.h"

#include <gtest/gtest.h>

#include <thread>

namespace basalt {
namespace {

TEST(Stats, CountsByCommandAndOutcome) {
  Stats stats(3);
  stats.RecordCall(1, 2000, CallOutcome::kOk, true);
  stats.RecordCall(1, 4000, CallOutcome::kFailed, true);
  stats.RecordCall(1, 0, CallOutcome::kRejected, true);
  const auto commands = stats.Commands();
  EXPECT_EQ(commands[1].calls, 2u);
  EXPECT_EQ(commands[1].ns, 6000u);
  EXPECT_EQ(commands[1].failed, 1u);
  EXPECT_EQ(commands[1].rejected, 1u);
  EXPECT_EQ(commands[0].calls, 0u);
  EXPECT_EQ(stats.Read().commands, 2u);
  EXPECT_EQ(stats.Histogram(1).total, 2u);
  EXPECT_FALSE(stats.HasHistogram(0));
}

TEST(Stats, AThreadThatEndsLeavesItsShardToTheNext) {
  Stats stats(1);
  const auto count = [&] {
    stats.RecordCall(0, 100, CallOutcome::kOk, true);
    stats.RecordQueueWait(true, 100);
  };
  for (int i = 0; i < 100; ++i) std::thread(count).join();
  EXPECT_EQ(stats.shards(), 1u);
  EXPECT_EQ(stats.Read().commands, 100u);
  EXPECT_EQ(stats.Histogram(0).total, 100u);
  { Stats(1).KeyspaceHit(); }
  count();  // this thread's shard of the one that is gone goes back
  EXPECT_EQ(stats.Read().commands, 101u);
}

TEST(Stats, AddsUpAllThreadsAlsoThoseThatAreGone) {
  Stats stats(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) {
        stats.RecordCall(0, 100, CallOutcome::kOk, true);
        stats.KeyspaceHit();
        stats.RecordError("ERR x");
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(stats.Read().commands, 40000u);
  EXPECT_EQ(stats.Read().hits, 40000u);
  EXPECT_EQ(stats.Read().error_replies, 40000u);
  EXPECT_EQ(stats.Errors().at("ERR"), 40000u);
  EXPECT_EQ(stats.Histogram(0).total, 40000u);
}

TEST(Stats, ErrorsCountByTheirFirstWord) {
  Stats stats(1);
  stats.RecordError("-WRONGTYPE Operation against");
  stats.RecordError("WRONGTYPE x");
  stats.RecordError("ERR unknown");
  const auto errors = stats.Errors();
  EXPECT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors.at("WRONGTYPE"), 2u);
}

TEST(Stats, ResetBeginsAnew) {
  Stats stats(2);
  stats.RecordCall(0, 100, CallOutcome::kFailed, true);
  stats.RecordError("ERR x");
  stats.KeyspaceMiss(3);
  stats.RecordQueueWait(true, 5000);
  stats.Reset();
  EXPECT_EQ(stats.Read().commands, 0u);
  EXPECT_EQ(stats.Read().misses, 0u);
  EXPECT_EQ(stats.Read().slow.batches, 0u);
  EXPECT_TRUE(stats.Errors().empty());
  EXPECT_EQ(stats.Commands()[0].calls, 0u);
  EXPECT_EQ(stats.Histogram(0).total, 0u);
  EXPECT_EQ(stats.QueueWait(true).total, 0u);
  stats.RecordCall(0, 100, CallOutcome::kOk, true);
  EXPECT_EQ(stats.Commands()[0].calls, 1u);
  EXPECT_EQ(stats.Histogram(0).total, 1u);
}

TEST(Stats, RatesAreAveragesOfSamples) {
  Stats stats(1);
  constexpr int64_t kPeriodNs = 100'000'000;
  int64_t now = 1'000'000'000;
  uint64_t bytes = 0;
  stats.Sample(now, bytes, 0);
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 50; ++j) stats.RecordCall(0, 1, CallOutcome::kOk, false);
    stats.Sample(now += kPeriodNs, bytes += 1000, 0);
  }
  EXPECT_NEAR(stats.Read().ops_per_second, 500, 1);
  EXPECT_NEAR(stats.Read().input_bytes_per_second, 10000, 1);
  EXPECT_EQ(stats.Read().output_bytes_per_second, 0);
}

TEST(LatencyBuckets, EveryValueFallsIntoABucketThatIsWithinThreePercent) {
  for (uint64_t ns = 0; ns < 100000; ++ns) {
    const size_t bucket = LatencyBuckets::BucketOf(ns);
    ASSERT_LT(bucket, LatencyBuckets::kBuckets);
    ASSERT_GE(LatencyBuckets::HighestOf(bucket), ns);
    ASSERT_LE(LatencyBuckets::HighestOf(bucket), ns + ns / 31 + 1);
  }
  EXPECT_EQ(LatencyBuckets::BucketOf(UINT64_MAX), LatencyBuckets::kBuckets - 1);
}

TEST(LatencyHistogram, Percentiles) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.Percentile(50), 0u);
  for (uint64_t ns = 1; ns <= 1000; ++ns) {
    ++histogram.counts[LatencyBuckets::BucketOf(ns * 1000)];
    ++histogram.total;
  }
  EXPECT_NEAR(static_cast<double>(histogram.Percentile(50)), 500'000, 17'000);
  EXPECT_NEAR(static_cast<double>(histogram.Percentile(99)), 990'000, 33'000);
  EXPECT_NEAR(static_cast<double>(histogram.Percentile(100)), 1'000'000, 33'000);
}

}  // namespace
}  // namespace basalt
