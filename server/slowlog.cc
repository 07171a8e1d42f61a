#include "server/slowlog.h"

#include <algorithm>

#include "server/command_table.h"

namespace basalt {

void SlowLog::Record(const CommandSpec& spec, std::span<const std::string_view> argv, int64_t duration_us,
                     const Caller& caller, int64_t unix_s, size_t entries_max) {
  Entry entry;
  entry.unix_s = unix_s;
  entry.duration_us = duration_us;
  entry.queue_wait_us = static_cast<int64_t>(caller.queue_wait_ns / 1000);
  entry.peer = caller.peer;
  entry.client_name = caller.name;
  const size_t shown = std::min(argv.size(), kArgsMax);
  for (size_t i = 0; i < shown; ++i) {
    if (argv.size() > kArgsMax && i == kArgsMax - 1) {
      entry.args.push_back("... (" + std::to_string(argv.size() - kArgsMax + 1) + " more arguments)");
    } else if (IsRedacted(spec, argv, i)) {
      entry.args.emplace_back(kRedacted);
    } else if (argv[i].size() > kArgBytesMax) {
      entry.args.push_back(std::string(argv[i].substr(0, kArgBytesMax)) + "... (" +
                           std::to_string(argv[i].size() - kArgBytesMax) + " more bytes)");
    } else {
      entry.args.emplace_back(argv[i]);
    }
  }
  const std::lock_guard lock(mu_);
  entry.id = next_id_++;
  entries_.push_front(std::move(entry));
  if (entries_.size() > entries_max) entries_.resize(entries_max);
}

std::vector<SlowLog::Entry> SlowLog::Newest(size_t count) const {
  const std::lock_guard lock(mu_);
  return {entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(std::min(count, entries_.size()))};
}

size_t SlowLog::size() const {
  const std::lock_guard lock(mu_);
  return entries_.size();
}

void SlowLog::Reset() { Trim(0); }

void SlowLog::Trim(size_t entries_max) {
  const std::lock_guard lock(mu_);
  if (entries_.size() > entries_max) entries_.resize(entries_max);
}

}  // namespace basalt
