#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/command_spec.h"

namespace basalt {

// The commands that took longest to execute, newest first. Any thread; the lock is taken for slow commands only.
class SlowLog {
 public:
  static constexpr size_t kArgsMax = 32;       // further ones become "... (n more arguments)"
  static constexpr size_t kArgBytesMax = 128;  // further ones become "... (n more bytes)"

  struct Entry {
    uint64_t id = 0;
    int64_t unix_s = 0;
    int64_t duration_us = 0;
    int64_t queue_wait_us = 0;  // how long the batch had waited for a pool thread; not part of the duration
    std::vector<std::string> args;
    std::string peer, client_name;
  };

  // What the entry tells of the client.
  struct Caller {
    std::string_view peer, name;
    uint64_t queue_wait_ns = 0;
  };

  // Whether a command that ran so long belongs in the log, with `slowlog-log-slower-than` = threshold_us.
  static bool Wants(int64_t duration_us, int64_t threshold_us) {
    return threshold_us >= 0 && duration_us >= threshold_us;
  }

  // Adds an entry; sensitive arguments are replaced. `entries_max`: slowlog-max-len.
  void Record(const CommandSpec& spec, std::span<const std::string_view> argv, int64_t duration_us,
              const Caller& caller, int64_t unix_s, size_t entries_max);

  std::vector<Entry> Newest(size_t count) const;
  size_t size() const;
  void Reset();
  void Trim(size_t entries_max);  // slowlog-max-len became smaller

 private:
  mutable std::mutex mu_;
  std::deque<Entry> entries_;  // newest at the front; guarded by mu_
  uint64_t next_id_ = 0;       // guarded by mu_
};

}  // namespace basalt
