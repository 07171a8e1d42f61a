#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/key.h"

namespace basalt {

// Keyspace notifications (https://redis.io/docs/latest/develop/use/keyspace-notifications/): the classes of events that
// `notify-keyspace-events` chooses from, and the messages that an event becomes. Who notifies: NotifyKey in
// server/commands/key_access.h. How it is heard: Outbox, PubSub.

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

inline constexpr uint32_t kEventAll = kEventGeneric | kEventString | kEventList | kEventSet | kEventHash | kEventZset |
                                      kEventExpired | kEventEvicted | kEventStream | kEventModule;  // A
inline constexpr uint32_t kEventChannels = kEventKeyspace | kEventKeyevent;

// The letters of classes in Redis' order; "" for none.
std::string KeyEventClassesText(uint32_t classes);
// False on a letter that is no class.
bool ParseKeyEventClasses(std::string_view text, uint32_t* classes);

// Whether an event of (one of) `classes` is published under the value of `notify-keyspace-events`.
constexpr bool WantsKeyEvent(uint32_t configured, uint32_t classes) {
  return (configured & classes) != 0 && (configured & kEventChannels) != 0;
}

std::string KeyspaceChannel(storage::DbIndex db, std::string_view key);
std::string KeyeventChannel(storage::DbIndex db, std::string_view event);

// Calls `publish(channel, message)` for each message that an event becomes. `channels`: which of kEventChannels.
template <typename Publish>
void PublishKeyEvent(uint32_t channels, storage::DbIndex db, std::string_view event, std::string_view key,
                     Publish&& publish) {
  if ((channels & kEventKeyspace) != 0) publish(std::string_view(KeyspaceChannel(db, key)), event);
  if ((channels & kEventKeyevent) != 0) publish(std::string_view(KeyeventChannel(db, event)), key);
}

}  // namespace basalt
