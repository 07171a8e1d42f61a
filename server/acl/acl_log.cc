#include "server/acl/acl_log.h"

#include <algorithm>
#include <cstdlib>

namespace basalt {

namespace {

bool Alike(const AclLog::Entry& a, const AclLog::Entry& b) {
  return a.reason == b.reason && a.context == b.context && a.object == b.object && a.user == b.user;
}

}  // namespace

void AclLog::Record(Entry entry, int64_t now_ms, size_t entries_max) {
  if (entry.object.size() > kObjectBytesMax) entry.object.resize(kObjectBytesMax);
  const std::lock_guard lock(mu_);
  const auto compared_end = entries_.begin() + static_cast<ptrdiff_t>(std::min(kCompared, entries_.size()));
  const auto known = std::find_if(entries_.begin(), compared_end, [&](const Entry& other) {
    return Alike(entry, other) && std::abs(now_ms - other.updated_ms) <= kGroupMs;
  });
  if (known != compared_end) {
    known->client = std::move(entry.client);
    known->updated_ms = now_ms;
    ++known->count;
    std::rotate(entries_.begin(), known, known + 1);
    return;
  }
  entry.id = next_id_++;
  entry.count = 1;
  entry.created_ms = entry.updated_ms = now_ms;
  entries_.push_front(std::move(entry));
  if (entries_.size() > entries_max) entries_.resize(entries_max);
}

std::vector<AclLog::Entry> AclLog::Newest(size_t count) const {
  const std::lock_guard lock(mu_);
  return {entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(std::min(count, entries_.size()))};
}

void AclLog::Reset() {
  const std::lock_guard lock(mu_);
  entries_.clear();
}

}  // namespace basalt
