#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/conn_id.h"
#include "server/outbox.h"
#include "server/tracking_table.h"
#include "storage/storage.h"
#include "storage/write_txn.h"

namespace basalt {

class ClientInfo;
class ClientRegistry;
struct CommandSpec;
class Session;

// How a client tracks (CLIENT TRACKING); bits of Session::tracking and ClientInfo::tracking.
enum TrackingMode : uint8_t {
  kTracking = 1 << 0,
  kTrackingBroadcast = 1 << 1,  // BCAST: every changed key with one of its prefixes
  kTrackingOptIn = 1 << 2,      // only what is read right after CLIENT CACHING YES
  kTrackingOptOut = 1 << 3,     // … not after CLIENT CACHING NO
  kTrackingNoLoop = 1 << 4,     // not what the client itself has changed
  kTrackingRedirectBroken = 1 << 5,
};

struct TrackingOptions {
  uint8_t mode = kTracking;
  uint64_t redirect = 0;                   // CLIENT ID; 0: none
  std::vector<std::string_view> prefixes;  // of kTrackingBroadcast; none: every key
};

// Client-side caching (https://redis.io/docs/latest/develop/reference/client-side-caching/): which clients may have
// which keys in their caches, and the message to them when a key changes. While nobody tracks, a command costs one
// load.
//
// That no client keeps a value that is no longer the server's:
//
// A reader is registered before it reads; a writer looks for readers once its commit is visible. So a reader that saw
// the old value was registered when the writer looked.
//
// Who looks takes the registration out and sends a message, which stands behind the reply with the value: a message to
// a client whose batch is out waits for the batch (PushOrder::kBehindReplies), and the reader's batch was out when it
// registered. So does a message to the client that made the change.
//
// A reader that holds the key's lock, perhaps behind a pending write of its own, is registered at the commit, in the
// order of the group's commands (Outbox::Track): nobody else can change the key before.
//
// The first client that tracks begins while no write is pending (`exclusive`), so every write that it could miss is in
// the outbox of its group.
//
// Any thread.
class ClientTracking {
 public:
  // Where messages go: Transport::PushToEach, behind replies.
  using Sink = std::function<void(std::span<const net::ConnId>, const std::shared_ptr<const std::string>&)>;

  // `clients` outlives it.
  explicit ClientTracking(const ClientRegistry& clients) : registry_(clients) {}
  void SetSink(Sink sink) { sink_ = std::move(sink); }  // set-up only
  // tracking-table-max-keys; 0: no limit.
  void SetMaxKeys(uint64_t keys);

  // ---- For the holder of the session ----
  // Begins, or begins anew with other options; prefixes are added to earlier ones. `exclusive`: the exclusive gate is
  // closed, so that no write is pending anywhere. False: nothing has happened, it must be.
  [[nodiscard]] bool Enable(Session& session, const TrackingOptions& options, bool exclusive);
  void Disable(Session& session);                                   // harmless when it does not track
  std::vector<std::string> Prefixes(const Session& session) const;  // ascending
  // Before a command runs, for clients that track: registers the keys it reads. `under_locks`: the outbox of its commit
  // group, if it runs under the locks of its keys.
  void BeforeCommand(const storage::Storage& storage, Session& session, const CommandSpec& spec,
                     std::span<const std::string_view> argv, Outbox* under_locks);
  // After a command of a client that said CLIENT CACHING: that was about this one, unless it was CLIENT itself.
  static void AfterCommand(Session& session, std::span<const std::string_view> argv);

  // ---- What others did to keys ----
  // Whether any client tracks.
  bool active() const { return clients_count_.load(std::memory_order_relaxed) != 0; }
  // An entry of kind kTrack, kInvalidate or kInvalidateAll.
  void Deliver(const storage::Storage& storage, const Outbox::Entry& entry);
  // Whether Broadcast has anything to do.
  bool broadcasts() const { return prefixes_count_.load(std::memory_order_relaxed) != 0; }
  // All keys that one commit's commands changed: entries of kind kInvalidate.
  void Broadcast(std::span<const Outbox::Entry> entries);
  // A commit's changes: of them those keys that have expired, by nobody's command.
  void OnCommitted(std::span<const storage::Change> changes);

  // A commit failed. Once the disk works again its writes may be there after all.
  void OnCommitFailed() { commit_failed_.store(true, std::memory_order_relaxed); }

  // Periodically, by one thread: keys beyond the limit, memory of cleared tables, and what a failure of the disk left
  // unsure.
  void Tick(bool disk_works);

  struct Counts {
    uint64_t clients, keys, items, prefixes;
  };
  Counts GetCounts() const;

 private:
  struct Client {
    std::shared_ptr<ClientInfo> info;
    std::set<std::string> prefixes;
  };
  class Message;

  struct Changed {
    std::string_view key;
    net::ConnId author;  // none: its time had come
  };

  void Invalidate(const storage::HashedKey& key, net::ConnId author);
  void InvalidateAll();
  void Tell(const TrackingTable::ClientIds& readers, std::string_view key, net::ConnId author);
  // REQUIRES: mu_ held.
  void TellPrefix(const std::set<uint64_t>& readers, std::span<const Changed> changed) const;
  // Takes up to `keys_max` keys out that are too many, and tells.
  void Evict(size_t keys_max);

  const ClientRegistry& registry_;
  Sink sink_;
  std::atomic<uint64_t> max_keys_{0};
  std::atomic<bool> commit_failed_{false};
  std::atomic<uint32_t> clients_count_{0}, prefixes_count_{0};
  TrackingTable table_;

  mutable std::shared_mutex mu_;
  std::unordered_map<uint64_t, Client> clients_;                     // guarded by mu_
  std::map<std::string, std::set<uint64_t>, std::less<>> prefixes_;  // guarded by mu_; who wants their keys
  std::map<size_t, size_t> prefix_lengths_;                          // guarded by mu_; length -> prefixes of it
};

}  // namespace basalt
