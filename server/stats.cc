#include "server/stats.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace basalt {

namespace {

// Written by one thread, read by any: no locked instruction needed.
class OwnedCounter {
 public:
  void Add(uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct OwnedHistogram {
  std::array<OwnedCounter, LatencyBuckets::kBuckets> counts;
};

constexpr size_t kErrorNamesMax = 128;  // distinct first words that are counted; scripts can make up any

std::atomic<uint64_t> next_stats_id{1};

}  // namespace

uint64_t LatencyHistogram::Percentile(double percentile) const {
  if (total == 0) return 0;
  const auto wanted =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(percentile / 100 * static_cast<double>(total) - 1e-9)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts.size(); ++bucket) {
    seen += counts[bucket];
    if (seen >= wanted) return LatencyBuckets::HighestOf(bucket);
  }
  return LatencyBuckets::kMaxNs;
}

struct alignas(64) Stats::Shard {
  struct PerCommand {
    OwnedCounter calls, ns, rejected, failed;
    std::atomic<OwnedHistogram*> histogram{nullptr};  // made at the first tracked call
  };

  explicit Shard(size_t commands) : per_command(commands) {}
  ~Shard() {
    for (PerCommand& command : per_command) delete command.histogram.load();
  }

  std::array<OwnedCounter, kCounters> counters;
  std::vector<PerCommand> per_command;
  OwnedHistogram queue_wait[2];
  std::mutex errors_mu;
  std::unordered_map<std::string, uint64_t> errors;  // guarded by errors_mu, which only readers ever contend for
};

struct Stats::Sums {
  std::array<uint64_t, kCounters> counters = {};
  std::vector<CommandCounts> commands;
  std::unordered_map<uint32_t, std::vector<uint64_t>> histograms;
  std::vector<uint64_t> queue_wait[2];
  std::map<std::string, uint64_t> errors;
};

struct Stats::ShardPool {
  mutable std::mutex mu;
  // guarded by mu:
  std::vector<std::unique_ptr<Shard>> all;
  std::vector<Shard*> free;  // their threads have ended

  Shard* Take(size_t commands) {
    const std::lock_guard lock(mu);
    if (free.empty()) return all.emplace_back(std::make_unique<Shard>(commands)).get();
    Shard* const shard = free.back();
    free.pop_back();
    return shard;
  }
  void PutBack(Shard* shard) {
    const std::lock_guard lock(mu);
    free.push_back(shard);
  }
};

// A thread's hold on its shard.
class Stats::Lease {
 public:
  Lease() = default;
  ~Lease() { Release(); }
  Shard* Renew(std::shared_ptr<ShardPool> pool, size_t commands) {
    Release();
    pool_ = std::move(pool);
    return shard_ = pool_->Take(commands);
  }

 private:
  void Release() {
    if (pool_ != nullptr) pool_->PutBack(shard_);
  }
  std::shared_ptr<ShardPool> pool_;
  Shard* shard_ = nullptr;
};

Stats::Stats(size_t commands)
    : commands_(commands), id_(next_stats_id.fetch_add(1)), shards_(std::make_shared<ShardPool>()) {}
Stats::~Stats() = default;

Stats::Shard& Stats::MyShard() {
  // One server runs in a process, so one remembered pair is enough; a test with several changes shards each time it
  // changes between them.
  thread_local uint64_t owner = 0;
  thread_local Shard* shard = nullptr;
  if (owner != id_) [[unlikely]] {
    thread_local Lease lease;
    shard = lease.Renew(shards_, commands_);
    owner = id_;
  }
  return *shard;
}

size_t Stats::shards() const {
  const std::lock_guard lock(shards_->mu);
  return shards_->all.size();
}

void Stats::Add(Counter counter, uint64_t n) { MyShard().counters[counter].Add(n); }

void Stats::RecordCall(uint32_t command, uint64_t duration_ns, CallOutcome outcome, bool tracked) {
  Shard& shard = MyShard();
  Shard::PerCommand& mine = shard.per_command[command];
  if (outcome == CallOutcome::kRejected) return mine.rejected.Add(1);
  shard.counters[kCalls].Add(1);
  mine.calls.Add(1);
  mine.ns.Add(duration_ns);
  if (outcome == CallOutcome::kFailed) mine.failed.Add(1);
  if (!tracked) return;
  OwnedHistogram* histogram = mine.histogram.load(std::memory_order_relaxed);
  if (histogram == nullptr) [[unlikely]] {
    histogram = new OwnedHistogram;
    mine.histogram.store(histogram, std::memory_order_release);
  }
  histogram->counts[LatencyBuckets::BucketOf(duration_ns)].Add(1);
}

void Stats::RecordError(std::string_view error_line) {
  if (error_line.starts_with('-')) error_line.remove_prefix(1);
  const size_t word = error_line.find_first_of(" \r\n");
  std::string name(word != std::string_view::npos ? error_line.substr(0, word) : "ERR");  // one word is no code
  Shard& shard = MyShard();
  shard.counters[kErrors].Add(1);
  const std::lock_guard lock(shard.errors_mu);
  if (shard.errors.size() < kErrorNamesMax || shard.errors.contains(name)) ++shard.errors[std::move(name)];
}

void Stats::RecordQueueWait(bool slow_lane, uint64_t wait_ns) {
  Shard& shard = MyShard();
  shard.counters[slow_lane ? kSlowBatches : kFastBatches].Add(1);
  shard.counters[slow_lane ? kSlowWaitNs : kFastWaitNs].Add(wait_ns);
  shard.queue_wait[slow_lane].counts[LatencyBuckets::BucketOf(wait_ns)].Add(1);
}

template <typename Visit>
void Stats::ForEachShard(Visit visit) const {
  const std::lock_guard lock(shards_->mu);
  for (const auto& shard : shards_->all) visit(*shard);
}

// REQUIRES: mu_ held.
Stats::Sums Stats::AddUp() const {
  Sums sums;
  sums.commands.resize(commands_);
  for (auto& waits : sums.queue_wait) waits.resize(LatencyBuckets::kBuckets);
  ForEachShard([&](Shard& shard) {
    for (size_t i = 0; i < kCounters; ++i) sums.counters[i] += shard.counters[i].Get();
    for (size_t lane = 0; lane < 2; ++lane) {
      for (size_t i = 0; i < LatencyBuckets::kBuckets; ++i)
        sums.queue_wait[lane][i] += shard.queue_wait[lane].counts[i].Get();
    }
    for (size_t i = 0; i < commands_; ++i) {
      const Shard::PerCommand& from = shard.per_command[i];
      CommandCounts& to = sums.commands[i];
      to.calls += from.calls.Get(), to.ns += from.ns.Get(), to.rejected += from.rejected.Get(),
          to.failed += from.failed.Get();
      const OwnedHistogram* histogram = from.histogram.load(std::memory_order_acquire);
      if (histogram == nullptr) continue;
      auto& counts = sums.histograms[static_cast<uint32_t>(i)];
      counts.resize(LatencyBuckets::kBuckets);
      for (size_t bucket = 0; bucket < counts.size(); ++bucket) counts[bucket] += histogram->counts[bucket].Get();
    }
    const std::lock_guard lock(shard.errors_mu);
    for (const auto& [name, count] : shard.errors) sums.errors[name] += count;
  });
  return sums;
}

std::vector<Stats::CommandCounts> Stats::Commands() const {
  const std::lock_guard lock(mu_);
  std::vector<CommandCounts> sums(commands_);
  ForEachShard([&](const Shard& shard) {
    for (size_t i = 0; i < commands_; ++i) {
      const Shard::PerCommand& from = shard.per_command[i];
      sums[i].calls += from.calls.Get(), sums[i].ns += from.ns.Get(), sums[i].rejected += from.rejected.Get(),
          sums[i].failed += from.failed.Get();
    }
  });
  if (base_ == nullptr) return sums;
  for (size_t i = 0; i < commands_; ++i) {
    const CommandCounts& base = base_->commands[i];
    sums[i].calls -= base.calls, sums[i].ns -= base.ns, sums[i].rejected -= base.rejected,
        sums[i].failed -= base.failed;
  }
  return sums;
}

namespace {

void Subtract(const std::vector<uint64_t>& base, LatencyHistogram* histogram) {
  for (size_t i = 0; i < base.size(); ++i) histogram->counts[i] -= base[i];
}

void CountTotal(LatencyHistogram* histogram) {
  histogram->total = 0;
  for (const uint64_t count : histogram->counts) histogram->total += count;
}

}  // namespace

LatencyHistogram Stats::Histogram(uint32_t command) const {
  const std::lock_guard lock(mu_);
  LatencyHistogram sum;
  ForEachShard([&](const Shard& shard) {
    const OwnedHistogram* histogram = shard.per_command[command].histogram.load(std::memory_order_acquire);
    if (histogram == nullptr) return;
    for (size_t i = 0; i < sum.counts.size(); ++i) sum.counts[i] += histogram->counts[i].Get();
  });
  if (base_ != nullptr) {
    if (const auto it = base_->histograms.find(command); it != base_->histograms.end()) Subtract(it->second, &sum);
  }
  CountTotal(&sum);
  return sum;
}

bool Stats::HasHistogram(uint32_t command) const {
  bool has = false;
  ForEachShard([&](const Shard& shard) {
    has = has || shard.per_command[command].histogram.load(std::memory_order_relaxed) != nullptr;
  });
  return has;
}

LatencyHistogram Stats::QueueWait(bool slow_lane) const {
  const std::lock_guard lock(mu_);
  LatencyHistogram sum;
  ForEachShard([&](const Shard& shard) {
    for (size_t i = 0; i < sum.counts.size(); ++i) sum.counts[i] += shard.queue_wait[slow_lane].counts[i].Get();
  });
  if (base_ != nullptr) Subtract(base_->queue_wait[slow_lane], &sum);
  CountTotal(&sum);
  return sum;
}

std::map<std::string, uint64_t> Stats::Errors() const {
  const std::lock_guard lock(mu_);
  std::map<std::string, uint64_t> errors;
  ForEachShard([&](Shard& shard) {
    const std::lock_guard shard_lock(shard.errors_mu);
    for (const auto& [name, count] : shard.errors) errors[name] += count;
  });
  if (base_ != nullptr) {
    for (const auto& [name, count] : base_->errors) {
      if ((errors[name] -= count) == 0) errors.erase(name);
    }
  }
  return errors;
}

Stats::Totals Stats::Read() const {
  const std::lock_guard lock(mu_);
  std::array<uint64_t, kCounters> sums = {};
  ForEachShard([&](const Shard& shard) {
    for (size_t i = 0; i < kCounters; ++i) sums[i] += shard.counters[i].Get();
  });
  if (base_ != nullptr) {
    for (size_t i = 0; i < kCounters; ++i) sums[i] -= base_->counters[i];
  }
  const auto average = [](const Rate& rate) {
    double sum = 0;
    for (const double value : rate.per_second) sum += value;
    return sum / kSamples;
  };
  return {
      .commands = sums[kCalls],
      .hits = sums[kHits],
      .misses = sums[kMisses],
      .error_replies = sums[kErrors],
      .unexpected_errors = sums[kUnexpectedErrors],
      .rejected_connections = sums[kRejectedConnections],
      .acl_denied_auth = sums[kAclDeniedAuth],
      .acl_denied_command = sums[kAclDeniedCommand],
      .acl_denied_key = sums[kAclDeniedKey],
      .acl_denied_channel = sums[kAclDeniedChannel],
      .fast = {sums[kFastBatches], sums[kFastWaitNs]},
      .slow = {sums[kSlowBatches], sums[kSlowWaitNs]},
      .ops_per_second = average(rates_[kOps]),
      .input_bytes_per_second = average(rates_[kInput]),
      .output_bytes_per_second = average(rates_[kOutput]),
  };
}

void Stats::AclDenied(AclDenial denial) {
  switch (denial) {
    case AclDenial::kNone:
      break;
    case AclDenial::kCommand:
      return Add(kAclDeniedCommand, 1);
    case AclDenial::kKey:
      return Add(kAclDeniedKey, 1);
    case AclDenial::kAuth:
      return Add(kAclDeniedAuth, 1);
    case AclDenial::kChannel:
      return Add(kAclDeniedChannel, 1);
  }
}

void Stats::Sample(int64_t now_monotonic_ns, uint64_t bytes_in, uint64_t bytes_out) {
  const std::lock_guard lock(mu_);
  uint64_t calls = 0;
  ForEachShard([&](const Shard& shard) { calls += shard.counters[kCalls].Get(); });
  const std::array<uint64_t, kRates> now = {calls, bytes_in, bytes_out};
  const double seconds = static_cast<double>(now_monotonic_ns - sampled_at_ns_) / 1e9;
  for (size_t i = 0; i < kRates; ++i) {
    // The first sample has nothing to compare with; a counter that went back was reset.
    if (sampled_at_ns_ != 0 && seconds > 0 && now[i] >= rates_[i].last)
      rates_[i].per_second[next_sample_] = static_cast<double>(now[i] - rates_[i].last) / seconds;
    rates_[i].last = now[i];
  }
  if (sampled_at_ns_ != 0) next_sample_ = (next_sample_ + 1) % kSamples;
  sampled_at_ns_ = now_monotonic_ns;
}

void Stats::Reset() {
  const std::lock_guard lock(mu_);
  base_ = std::make_unique<Sums>(AddUp());
  for (Rate& rate : rates_) rate.per_second = {};
}

}  // namespace basalt
