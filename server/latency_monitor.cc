#include "server/latency_monitor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "server/command_context.h"

namespace basalt {

namespace {

constexpr size_t kGraphColumns = 80;
constexpr size_t kGraphRows = 4;

std::string Ago(int64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 24 * 3600) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / (24 * 3600)) + "d";
}

// What to do about an event, for the doctor.
struct Advice {
  std::string_view event, text;
};
constexpr Advice kAdvice[] = {
    {"command",
     "Slow commands. SLOWLOG GET shows which; with QUEUEWAIT it also shows how long they had waited for a thread. "
     "Large ranges, KEYS and "
     "reads from disk are the usual causes; a larger `memory` helps the last."},
    {"fast-command",
     "Commands that should take microseconds took milliseconds. The machine is short of processors, swaps, or is a "
     "busy virtual one; "
     "check `redis-cli --intrinsic-latency 100` on this host."},
    {"fsync",
     "The disk is slow to confirm. `appendfsync everysec` keeps this out of replies as long as the disk keeps up on "
     "average."},
    {"write-stall",
     "RocksDB held writes back because flushes or compactions did not keep up. More background-jobs, a faster disk, or "
     "less writing help."},
    {"expire-cycle",
     "Very many keys expired together. Spread their times, or raise active-expire-effort so that fewer pile up."},
};

}  // namespace

void LatencyMonitor::Record(std::string_view event, int64_t ms, int64_t unix_s) {
  const auto value = static_cast<uint32_t>(std::min<int64_t>(ms, UINT32_MAX));
  const std::lock_guard lock(mu_);
  auto it = events_.find(event);
  if (it == events_.end()) it = events_.emplace(std::string(event), Series{}).first;
  Series& series = it->second;
  series.max_ms = std::max(series.max_ms, value);
  Sample& previous = series.samples[(series.next + kSamplesMax - 1) % kSamplesMax];
  if (previous.unix_s == unix_s) {
    previous.ms = std::max(previous.ms, value);
    return;
  }
  series.samples[series.next] = {unix_s, value};
  series.next = (series.next + 1) % kSamplesMax;
}

std::vector<LatencyMonitor::Sample> LatencyMonitor::InOrder(const Series& series) {
  std::vector<Sample> samples;
  for (size_t i = 0; i < kSamplesMax; ++i) {
    const Sample& sample = series.samples[(series.next + i) % kSamplesMax];
    if (sample.unix_s != 0) samples.push_back(sample);
  }
  return samples;
}

std::vector<LatencyMonitor::Latest> LatencyMonitor::AllLatest() const {
  const std::lock_guard lock(mu_);
  std::vector<Latest> all;
  for (const auto& [event, series] : events_)
    all.push_back({event, series.samples[(series.next + kSamplesMax - 1) % kSamplesMax], series.max_ms});
  return all;
}

std::vector<LatencyMonitor::Sample> LatencyMonitor::History(std::string_view event) const {
  const std::lock_guard lock(mu_);
  const auto it = events_.find(event);
  return it == events_.end() ? std::vector<Sample>{} : InOrder(it->second);
}

std::optional<LatencyMonitor::Latest> LatencyMonitor::Find(std::string_view event) const {
  const std::lock_guard lock(mu_);
  const auto it = events_.find(event);
  if (it == events_.end()) return std::nullopt;
  const Series& series = it->second;
  return Latest{it->first, series.samples[(series.next + kSamplesMax - 1) % kSamplesMax], series.max_ms};
}

size_t LatencyMonitor::Reset(std::string_view event) {
  const std::lock_guard lock(mu_);
  if (event.empty()) {
    const size_t all = events_.size();
    events_.clear();
    return all;
  }
  return std::erase_if(events_, [&](const auto& entry) { return EqualsIgnoreCase(entry.first, event); });
}

std::optional<std::string> LatencyMonitor::Graph(std::string_view event, int64_t now_unix_s) const {
  const std::lock_guard lock(mu_);
  const auto it = events_.find(event);
  if (it == events_.end()) return std::nullopt;
  const std::vector<Sample> samples = InOrder(it->second);
  std::vector<uint32_t> values;
  std::vector<std::string> labels;
  for (const Sample& sample : samples) {
    values.push_back(sample.ms);
    labels.push_back(Ago(now_unix_s - sample.unix_s));
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  std::string graph = it->first + " - high " + std::to_string(*high) + " ms, low " + std::to_string(*low) +
                      " ms (all time high " + std::to_string(it->second.max_ms) + " ms)\n";
  graph += std::string(kGraphColumns, '-') + '\n';
  for (size_t from = 0; from < values.size(); from += kGraphColumns) {
    const size_t to = std::min(values.size(), from + kGraphColumns);
    if (from > 0) graph += '\n';
    graph += Sparkline({values.begin() + static_cast<ptrdiff_t>(from), values.begin() + static_cast<ptrdiff_t>(to)},
                       {labels.begin() + static_cast<ptrdiff_t>(from), labels.begin() + static_cast<ptrdiff_t>(to)},
                       kGraphRows);
  }
  return graph;
}

LatencyMonitor::Analysis LatencyMonitor::Analyse(const Series& series, int64_t now_unix_s) {
  const std::vector<Sample> samples = InOrder(series);
  Analysis analysis;
  analysis.all_time_high = series.max_ms;
  analysis.samples = samples.size();
  if (samples.empty()) return analysis;
  uint64_t sum = 0;
  analysis.min = samples[0].ms;
  for (const Sample& sample : samples) {
    sum += sample.ms;
    analysis.min = std::min(analysis.min, sample.ms);
    analysis.max = std::max(analysis.max, sample.ms);
  }
  analysis.average = static_cast<uint32_t>(sum / samples.size());
  uint64_t deviation = 0;
  for (const Sample& sample : samples)
    deviation += static_cast<uint64_t>(std::llabs(static_cast<int64_t>(sample.ms) - analysis.average));
  analysis.mean_deviation = static_cast<uint32_t>(deviation / samples.size());
  analysis.period_s =
      static_cast<double>(std::max<int64_t>(1, now_unix_s - samples[0].unix_s)) / static_cast<double>(samples.size());
  return analysis;
}

std::string LatencyMonitor::Report(int64_t threshold_ms, int64_t now_unix_s) const {
  if (threshold_ms == 0) {
    return "Latency is not being monitored: latency-monitor-threshold is 0. CONFIG SET latency-monitor-threshold "
           "<milliseconds> switches it on; "
           "a tenth of what your clients can bear is a good value.\n";
  }
  const std::lock_guard lock(mu_);
  if (events_.empty()) {
    return "Nothing took longer than latency-monitor-threshold (" + std::to_string(threshold_ms) +
           " ms) since monitoring began. There is nothing to treat.\n";
  }
  std::string report = "Spikes of latency, by event:\n\n";
  std::string advice;
  size_t number = 0;
  for (const auto& [event, series] : events_) {
    const Analysis a = Analyse(series, now_unix_s);
    char line[512];
    std::snprintf(line, sizeof line,
                  "%zu. %s: %zu latency spikes (average %ums, mean deviation %ums, period %.2f sec). Worst all time "
                  "event %ums.\n",
                  ++number, event.c_str(), a.samples, a.average, a.mean_deviation, a.period_s, a.all_time_high);
    report += line;
    for (const Advice& entry : kAdvice) {
      if (entry.event == event) advice += "- " + event + ": " + std::string(entry.text) + '\n';
    }
  }
  if (!advice.empty()) report += "\nWhat may help:\n\n" + advice;
  return report;
}

std::string Sparkline(const std::vector<uint32_t>& values, const std::vector<std::string>& labels, size_t rows) {
  // Three heights a row: low, middle, high; whole cells below the top are bars.
  constexpr std::string_view kFill = "_o#";
  if (values.empty()) return "";
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double range = std::max<double>(1, *high - *low);
  const size_t steps = kFill.size() * rows;
  std::string out;
  for (size_t row = 0; row < rows; ++row) {
    const size_t floor = (rows - row - 1) * kFill.size();
    for (const uint32_t value : values) {
      const size_t step = std::min(steps - 1, static_cast<size_t>((value - *low) * static_cast<double>(steps) / range));
      out += step < floor ? ' ' : step - floor < kFill.size() ? kFill[step - floor] : '|';
    }
    out += '\n';
  }
  size_t longest = 0;
  for (const std::string& label : labels) longest = std::max(longest, label.size());
  if (longest > 0) out += '\n';
  for (size_t i = 0; i < longest; ++i) {
    for (const std::string& label : labels) out += i < label.size() ? label[i] : ' ';
    out += '\n';
  }
  return out;
}

}  // namespace basalt
