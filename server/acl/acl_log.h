#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "server/acl/denial.h"

namespace basalt {

// What was denied lately, newest first: ACL LOG. Any thread; the lock is taken for denials only.
class AclLog {
 public:
  enum class Context : uint8_t { kTopLevel, kMulti, kScript };

  struct Entry {
    uint64_t id = 0;
    uint64_t count = 0;  // of denials alike
    AclDenial reason = AclDenial::kNone;
    Context context = Context::kTopLevel;
    std::string object;  // the command's name, the key, or the channel
    std::string user;
    std::string client;                      // its line of CLIENT LIST, of the last time
    int64_t created_ms = 0, updated_ms = 0;  // Unix time
  };

  // Keys and channels are kept to this length.
  static constexpr size_t kObjectBytesMax = 4096;
  // A denial like one of the newest kCompared, within kGroupMs, only counts there.
  static constexpr size_t kCompared = 10;
  static constexpr int64_t kGroupMs = 60'000;

  // Takes reason, context, object, user and client from `entry`. `entries_max`: acllog-max-len.
  void Record(Entry entry, int64_t now_ms, size_t entries_max);
  std::vector<Entry> Newest(size_t count) const;
  void Reset();

 private:
  mutable std::mutex mu_;
  std::deque<Entry> entries_;  // newest at the front; guarded by mu_
  uint64_t next_id_ = 0;       // guarded by mu_
};

}  // namespace basalt
