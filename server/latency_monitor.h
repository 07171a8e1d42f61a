#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace basalt {

// Spikes of latency by kind of event, for LATENCY: "command", "fast-command", "fsync", "expire-cycle", … Each keeps its
// last samples, the worst of each second. Any thread; the lock is taken only for events above the threshold.
class LatencyMonitor {
 public:
  static constexpr size_t kSamplesMax = 160;

  struct Sample {
    int64_t unix_s = 0;
    uint32_t ms = 0;
  };
  struct Latest {
    std::string event;
    Sample last;
    uint32_t max_ms = 0;  // of all times
  };
  // What a series of samples says, for the doctor.
  struct Analysis {
    uint32_t all_time_high = 0, average = 0, min = 0, max = 0, mean_deviation = 0;
    double period_s = 0;  // average time between spikes
    size_t samples = 0;
  };

  static bool Wants(int64_t ms, int64_t threshold_ms) { return threshold_ms > 0 && ms >= threshold_ms; }
  void Record(std::string_view event, int64_t ms, int64_t unix_s);

  std::vector<Latest> AllLatest() const;                      // by event name
  std::vector<Sample> History(std::string_view event) const;  // oldest first; empty: no such event
  std::optional<Latest> Find(std::string_view event) const;
  // Forgets one event, or all when empty. Returns how many were forgotten.
  size_t Reset(std::string_view event);
  // LATENCY GRAPH: a bar chart in text. Nothing: no such event.
  std::optional<std::string> Graph(std::string_view event, int64_t now_unix_s) const;
  // LATENCY DOCTOR's report.
  std::string Report(int64_t threshold_ms, int64_t now_unix_s) const;

 private:
  struct Series {
    std::array<Sample, kSamplesMax> samples;  // a ring
    size_t next = 0;
    uint32_t max_ms = 0;
  };
  static std::vector<Sample> InOrder(const Series& series);
  static Analysis Analyse(const Series& series, int64_t now_unix_s);

  mutable std::mutex mu_;
  std::map<std::string, Series, std::less<>> events_;  // guarded by mu_
};

// Columns of text that show values from 0 to their maximum, `rows` lines high, with a label under each column.
std::string Sparkline(const std::vector<uint32_t>& values, const std::vector<std::string>& labels, size_t rows);

}  // namespace basalt
