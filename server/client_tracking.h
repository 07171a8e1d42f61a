#pragma once

#include <atomic>

#include "server/outbox.h"
#include "storage/write_txn.h"

namespace basalt {

// CLIENT TRACKING: which clients may have which keys in their caches, and whom an invalidation goes to. While nobody
// tracks, a command costs one relaxed load. Any thread.
class ClientTracking {
 public:
  // Whether any client tracks.
  bool active() const { return clients_.load(std::memory_order_relaxed) != 0; }
  // Invalidations of commands.
  void Deliver(const Outbox::Entry& entry, const Outbox::TellAuthor& tell_author);
  // A key has expired, by nobody's command. Under its lock.
  void OnExpired(const storage::Change& change);

 private:
  std::atomic<uint32_t> clients_{0};
};

}  // namespace basalt
