#include "server/latency_monitor.h"

#include <gtest/gtest.h>

namespace basalt {
namespace {

TEST(LatencyMonitor, KeepsTheWorstOfEachSecond) {
  LatencyMonitor monitor;
  monitor.Record("command", 5, 100);
  monitor.Record("command", 9, 100);
  monitor.Record("command", 7, 100);
  monitor.Record("command", 3, 101);
  const auto history = monitor.History("command");
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].unix_s, 100);
  EXPECT_EQ(history[0].ms, 9u);
  EXPECT_EQ(history[1].ms, 3u);
  const auto latest = monitor.AllLatest();
  ASSERT_EQ(latest.size(), 1u);
  EXPECT_EQ(latest[0].last.ms, 3u);
  EXPECT_EQ(latest[0].max_ms, 9u);
  EXPECT_TRUE(monitor.History("other").empty());
}

TEST(LatencyMonitor, TheOldestSamplesMakeRoom) {
  LatencyMonitor monitor;
  for (int i = 1; i <= 200; ++i) monitor.Record("fsync", i, i);
  const auto history = monitor.History("fsync");
  ASSERT_EQ(history.size(), LatencyMonitor::kSamplesMax);
  EXPECT_EQ(history.front().unix_s, 41);
  EXPECT_EQ(history.back().unix_s, 200);
}

TEST(LatencyMonitor, ResetsOneOrAll) {
  LatencyMonitor monitor;
  monitor.Record("command", 5, 100);
  monitor.Record("fsync", 5, 100);
  EXPECT_EQ(monitor.Reset("COMMAND"), 1u);
  EXPECT_EQ(monitor.Reset("command"), 0u);
  EXPECT_EQ(monitor.Reset(""), 1u);
  EXPECT_TRUE(monitor.AllLatest().empty());
}

TEST(LatencyMonitor, ZeroThresholdIsOff) {
  EXPECT_FALSE(LatencyMonitor::Wants(1000, 0));
  EXPECT_TRUE(LatencyMonitor::Wants(10, 10));
  EXPECT_FALSE(LatencyMonitor::Wants(9, 10));
}

TEST(LatencyMonitor, GraphAndReportNameTheEvent) {
  LatencyMonitor monitor;
  EXPECT_FALSE(monitor.Graph("command", 200).has_value());
  monitor.Record("command", 500, 190);
  monitor.Record("command", 300, 195);
  const std::string graph = monitor.Graph("command", 200).value();
  EXPECT_EQ(graph.substr(0, graph.find('\n')), "command - high 500 ms, low 300 ms (all time high 500 ms)");
  EXPECT_NE(monitor.Report(100, 200).find("command: 2 latency spikes (average 400ms"), std::string::npos);
  EXPECT_NE(LatencyMonitor().Report(0, 0).find("CONFIG SET latency-monitor-threshold"), std::string::npos);
}

TEST(Sparkline, HighValuesAreTallAndLabelsReadDownwards) {
  EXPECT_EQ(Sparkline({0, 100}, {"1s", "20s"}, 2),
            " #\n"
            "_|\n"
            "\n"
            "12\n"
            "s0\n"
            " s\n");
}

}  // namespace
}  // namespace basalt
