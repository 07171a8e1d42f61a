#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "net/conn_id.h"
#include "server/key_events.h"
#include "storage/write_txn.h"

namespace basalt {

struct Services;

// What the commands of a commit group tell others (messages of PUBLISH, keyspace events, invalidations of tracked
// keys), in the order of execution. Nothing of it is heard before the commit, and nothing at all if that fails or the
// command is rolled back. Commands that only read have one that is delivered as soon as they are done.
//
// Owner: a CommitGroup, or a pool thread (for reads). One holder at a time.
class Outbox {
 public:
  enum class Kind : uint8_t {
    kMessage,       // channel, message
    kShardMessage,  // …
    kKeyEvent,      // event, key
    kTrack,         // key that the client has read behind what came before
    kInvalidate,    // key
    kInvalidateAll,
  };
  // One entry. The bytes belong to the outbox.
  struct Entry {
    Kind kind;
    uint32_t event_class;     // kKeyEvent: its class (kEventExpired too when something expired), and the channels
    storage::DbIndex db;      // kKeyEvent
    net::ConnId author;       // the client whose command it is; none: nobody's
    std::string_view first;   // channel, event, or key to invalidate
    std::string_view second;  // message, or the event's key
    uint64_t client;          // kTrack: CLIENT ID
  };
  // Bytes for the author itself, which must stand behind the reply of its own command. What is pushed to the author
  // from then on is held until its replies are sent (Session::pushes_held).
  using TellAuthor = std::function<void(net::ConnId author, std::string_view resp)>;

  // ---- for handlers, through CommandContext ----
  void Publish(Kind kind, net::ConnId author, std::string_view channel, std::string_view message) {
    Add(kind, {}, 0, author, channel, message);
  }
  // Nothing, unless `configured` (the value of `notify-keyspace-events`) asks for it. (NotifyKey calls this.)
  void KeyEvent(uint32_t configured, KeyEventClass event_class, net::ConnId author, storage::DbIndex db,
                std::string_view event, std::string_view key) {
    if (!WantsKeyEvent(configured, event_class)) return;
    Add(Kind::kKeyEvent, event_class | (configured & kEventChannels), db, author, event, key);
  }
  void Track(uint64_t client, std::string_view key) { Add(Kind::kTrack, {}, 0, {}, key, {}, client); }
  void Invalidate(net::ConnId author, std::string_view key) { Add(Kind::kInvalidate, {}, 0, author, key, {}); }
  void InvalidateAll(net::ConnId author) { Add(Kind::kInvalidateAll, {}, 0, author, {}, {}); }

  // ---- for those who run handlers, or the expire cycle ----
  // What has expired: "expired", or of a hash "hexpired", and "del" when that was all of it.
  void Expired(uint32_t configured, net::ConnId author, storage::DbIndex db, std::string_view key,
               storage::ExpiredPart part);
  // For each key that the last command of `txn` has made: "new", in front of what the command tells of it since `mark`.
  // Not if the handler told so itself.
  void AnnounceNewKeys(uint32_t configured, net::ConnId author, const storage::WriteTxn& txn, size_t mark);

  bool empty() const { return slots_.empty(); }
  size_t bytes() const { return bytes_.size() + slots_.size() * sizeof(Slot); }
  // Around a command: RollbackTo(Mark()) forgets what came since.
  size_t Mark() const { return slots_.size(); }
  void RollbackTo(size_t mark);
  // The same of a command that was answered, or waits: what it did not find it told for good.
  void RollbackChangesTo(size_t mark);

  // Tells everyone, and is empty afterwards. Called with the locks of the changed keys held, so that messages are in
  // the order of commits.
  void Deliver(const Services& services, const TellAuthor& tell_author);

 private:
  struct Slot {
    Kind kind;
    uint32_t event_class;
    storage::DbIndex db;
    net::ConnId author;
    uint64_t client;
    size_t at, first_bytes, second_bytes;  // in bytes_
  };
  void Add(Kind kind, uint32_t event_class, storage::DbIndex db, net::ConnId author, std::string_view first,
           std::string_view second, uint64_t client = 0);
  std::string_view Second(const Slot& slot) const {
    return std::string_view(bytes_).substr(slot.at + slot.first_bytes, slot.second_bytes);
  }
  Entry EntryOf(const Slot& slot) const;
  void Broadcast(const Services& services) const;

  std::vector<Slot> slots_;
  std::string bytes_;
};

}  // namespace basalt
