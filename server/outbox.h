#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "net/conn_id.h"
#include "storage/key.h"

namespace basalt {

struct Services;

// The classes of `notify-keyspace-events` (https://redis.io/docs/latest/develop/use/keyspace-notifications/).
enum KeyEventClass : uint32_t {
  kEventKeyspace = 1u << 0,  // K: published as __keyspace@<db>__:<key>
  kEventKeyevent = 1u << 1,  // E: published as __keyevent@<db>__:<event>
  kEventGeneric = 1u << 2,   // g
  kEventString = 1u << 3,    // $
  kEventList = 1u << 4,      // l
  kEventSet = 1u << 5,       // s
  kEventHash = 1u << 6,      // h
  kEventZset = 1u << 7,      // z
  kEventExpired = 1u << 8,   // x
  kEventEvicted = 1u << 9,   // e: never happens here
  kEventStream = 1u << 10,   // t
  kEventKeyMiss = 1u << 11,  // m: not in A
  kEventModule = 1u << 12,   // d: never happens here
  kEventNew = 1u << 13,      // n: not in A
};

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
    kInvalidate,    // key
    kInvalidateAll,
  };
  // One entry. The bytes belong to the outbox.
  struct Entry {
    Kind kind;
    KeyEventClass event_class;  // kKeyEvent
    storage::DbIndex db;        // kKeyEvent
    net::ConnId author;         // the client whose command it is
    std::string_view first;     // channel, event, or key to invalidate
    std::string_view second;    // message, or the event's key
  };
  // Bytes for the author itself, which must stand behind the reply of its own command.
  using TellAuthor = std::function<void(net::ConnId author, std::string_view resp)>;

  // ---- for handlers, through CommandContext ----
  void Publish(Kind kind, net::ConnId author, std::string_view channel, std::string_view message) {
    Add(kind, {}, 0, author, channel, message);
  }
  void KeyEvent(KeyEventClass event_class, net::ConnId author, storage::DbIndex db, std::string_view event,
                std::string_view key) {
    Add(Kind::kKeyEvent, event_class, db, author, event, key);
  }
  void Invalidate(net::ConnId author, std::string_view key) { Add(Kind::kInvalidate, {}, 0, author, key, {}); }
  void InvalidateAll(net::ConnId author) { Add(Kind::kInvalidateAll, {}, 0, author, {}, {}); }

  bool empty() const { return slots_.empty(); }
  // Around a command: RollbackTo(Mark()) forgets what came since.
  size_t Mark() const { return slots_.size(); }
  void RollbackTo(size_t mark);

  // Tells everyone, and is empty afterwards. Called with the locks of the changed keys held, so that messages are in
  // the order of commits.
  void Deliver(const Services& services, const TellAuthor& tell_author);

 private:
  struct Slot {
    Kind kind;
    KeyEventClass event_class;
    storage::DbIndex db;
    net::ConnId author;
    size_t at, first_bytes, second_bytes;  // in bytes_
  };
  void Add(Kind kind, KeyEventClass event_class, storage::DbIndex db, net::ConnId author, std::string_view first,
           std::string_view second);

  std::vector<Slot> slots_;
  std::string bytes_;
};

}  // namespace basalt
