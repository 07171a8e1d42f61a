#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/acl/denial.h"
#include "server/latency_histogram.h"

namespace basalt {

enum class CallOutcome : uint8_t {
  kOk,
  kFailed,    // ran and answered with an error
  kRejected,  // refused before it ran (arity, auth, memory, …)
};

// Counters of the running server. Every thread that counts has a shard of its own, which only it writes, with plain
// relaxed stores: a command costs a few nanoseconds and no shared cache line. Readers add the shards up; CONFIG
// RESETSTAT moves a base line instead of writing into the shards. A thread that ends leaves its shard, as it is, to the
// next new one.
class Stats {
 public:
  // `commands`: the number of dense command indexes (CommandTable::size()).
  explicit Stats(size_t commands);
  ~Stats();
  Stats(const Stats&) = delete;

  // ---- any thread, for each command ----
  // One call of the command with this index, that ran for duration_ns. `tracked`: `latency-tracking` is on. kRejected
  // counts no call.
  void RecordCall(uint32_t command, uint64_t duration_ns, CallOutcome outcome, bool tracked);
  // One error reply: counted by its first word ("ERR" of "ERR syntax error"), with or without a leading '-'.
  void RecordError(std::string_view error_line);
  void KeyspaceHit(uint64_t n = 1) { Add(kHits, n); }
  void KeyspaceMiss(uint64_t n = 1) { Add(kMisses, n); }
  // Rare events, by name.
  void UnexpectedError() { Add(kUnexpectedErrors, 1); }
  void RejectedConnection() { Add(kRejectedConnections, 1); }
  void AclDenied(AclDenial denial);
  // Time a batch waited for a pool thread.
  void RecordQueueWait(bool slow_lane, uint64_t wait_ns);

  // ---- sampling ----
  // Called every kSamplePeriodMs by one thread, with the totals of the transport.
  static constexpr int kSamplePeriodMs = 100;
  void Sample(int64_t now_monotonic_ns, uint64_t bytes_in, uint64_t bytes_out);

  // ---- reading; any thread ----
  struct CommandCounts {
    uint64_t calls = 0, ns = 0, rejected = 0, failed = 0;
  };
  std::vector<CommandCounts> Commands() const;  // by index
  LatencyHistogram Histogram(uint32_t command) const;
  bool HasHistogram(uint32_t command) const;
  std::map<std::string, uint64_t> Errors() const;

  struct Totals {
    uint64_t commands = 0;  // calls of all commands
    uint64_t hits = 0, misses = 0, error_replies = 0, unexpected_errors = 0, rejected_connections = 0,
             acl_denied_auth = 0, acl_denied_command = 0, acl_denied_key = 0, acl_denied_channel = 0;
    struct Lane {
      uint64_t batches = 0, wait_ns = 0;
    } fast, slow;
    double ops_per_second = 0, input_bytes_per_second = 0, output_bytes_per_second = 0;
  };
  Totals Read() const;
  LatencyHistogram QueueWait(bool slow_lane) const;

  // Storage's count of changed keys when the last backup began, for rdb_changes_since_last_save.
  uint64_t changes_at_backup() const { return changes_at_backup_.load(std::memory_order_relaxed); }
  void SetChangesAtBackup(uint64_t changes) { changes_at_backup_.store(changes, std::memory_order_relaxed); }

  // CONFIG RESETSTAT. LATENCY HISTOGRAM's data go too.
  void Reset();

  // Made so far: as many as there were threads that counted at one time.
  size_t shards() const;

 private:
  enum Counter : uint8_t {
    kCalls,
    kHits,
    kMisses,
    kErrors,
    kUnexpectedErrors,
    kRejectedConnections,
    kAclDeniedAuth,
    kAclDeniedCommand,
    kAclDeniedKey,
    kAclDeniedChannel,
    kFastBatches,
    kFastWaitNs,
    kSlowBatches,
    kSlowWaitNs,
    kCounters,
  };
  struct Shard;
  struct ShardPool;
  class Lease;
  struct Sums;

  Shard& MyShard();
  void Add(Counter counter, uint64_t n);
  template <typename Visit>
  void ForEachShard(Visit visit) const;
  Sums AddUp() const;

  std::atomic<uint64_t> changes_at_backup_{0};
  const size_t commands_;
  const uint64_t id_;  // tells this object from others a thread may have counted for

  const std::shared_ptr<ShardPool> shards_;  // shared with the threads that count: they may outlive this object

  mutable std::mutex mu_;
  std::unique_ptr<Sums> base_;  // guarded by mu_; what Reset subtracts

  // Rates over the last 16 samples.
  static constexpr size_t kSamples = 16;
  struct Rate {
    uint64_t last = 0;
    std::array<double, kSamples> per_second = {};
  };
  enum RateKind : uint8_t { kOps, kInput, kOutput, kRates };
  std::array<Rate, kRates> rates_;  // guarded by mu_
  int64_t sampled_at_ns_ = 0;       // guarded by mu_
  size_t next_sample_ = 0;          // guarded by mu_
};

}  // namespace basalt
