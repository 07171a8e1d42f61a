#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/command_context.h"
#include "server/config_table.h"
#include "server/key_events.h"
#include "storage/string_store.h"

namespace basalt {

// How command families look keys up, in one place, because every lookup of a reading command counts as a keyspace hit
// or miss; and how they tell of what they did to keys (keyspace notifications).

// What one command may do in the fast lane, where it delays everyone behind it by about a millisecond at most.
inline constexpr uint64_t kFastLaneBytesMax = 256 * 1024;
inline constexpr size_t kFastLaneKeysMax = 512;

// kNeedSlowLane when the command should not do `bytes` (touch `keys`) in the lane it runs in.
Status CheckLaneBytes(const CommandContext& ctx, uint64_t bytes);
Status CheckLaneKeys(const CommandContext& ctx, size_t keys);

// The database that an argument names.
Status ParseDb(const CommandContext& ctx, std::string_view text, storage::DbIndex* db);

// The live record of a key of any type, or of the string it holds. Counted. `view`: ctx.view(), or ctx.txn() in a
// command that writes. kNotFound, kWrongType, kIncomplete, … ; the caller decides what kNotFound means.
storage::Status LookupKey(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                          storage::RecordPtr* record);
storage::Status LookupString(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                             storage::StringStore::Rows rows, storage::StringValue* value);

// … or of the collection of `type` that it holds, ready for its rows to be read (storage::FindCollection).
storage::Status LookupCollection(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                                 storage::ValueType type, storage::RecordPtr* record);

// For lookups of a family's own: counts what was found, and tells of a miss. Answers the status.
storage::Status CountLookup(CommandContext& ctx, const storage::HashedKey& key, storage::Status status);

// As LookupKey, but not a use of the key: its idle time and frequency stay as they are (TTL, TYPE, EXISTS).
storage::Status PeekKey(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                        storage::RecordPtr* record);
// As PeekKey, and a miss is no event (OBJECT).
storage::Status InspectKey(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                           storage::RecordPtr* record);
// As LookupKey, and a use of the key even under CLIENT NO-TOUCH (TOUCH).
storage::Status TouchKey(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                         storage::RecordPtr* record);

// ---- keyspace notifications: as Redis has them, in its order. A config field is all they cost when nobody asked ----

// `key` had the event; in the client's database, or in another one (MOVE, COPY).
void TellKeyEvent(CommandContext& ctx, KeyEventClass event_class, storage::DbIndex db, std::string_view event,
                  std::string_view key);
inline bool WantsKeyEvent(const CommandContext& ctx, uint32_t classes) {
  return WantsKeyEvent(ctx.services.config.current().notify_keyspace_events, classes);
}
inline void NotifyKey(CommandContext& ctx, KeyEventClass event_class, storage::DbIndex db, std::string_view event,
                      std::string_view key) {
  if (WantsKeyEvent(ctx, event_class)) TellKeyEvent(ctx, event_class, db, event, key);
}
inline void NotifyKey(CommandContext& ctx, KeyEventClass event_class, std::string_view event, std::string_view key) {
  if (WantsKeyEvent(ctx, event_class)) TellKeyEvent(ctx, event_class, ctx.db(), event, key);
}
// Something was taken out of `key`; "del" follows if that was the last of it.
void NotifyRemoval(CommandContext& ctx, KeyEventClass event_class, std::string_view event, std::string_view key);
// A result of so many elements became the value of `key`; none: "del" if there was something before.
void NotifyStored(CommandContext& ctx, KeyEventClass event_class, std::string_view event, std::string_view key,
                  uint64_t elements);

// Replies bytes [offset, offset + length) of a string as a bulk. REQUIRES: the range lies inside; found with
// Rows::kNeeded.
Status ReplyStringRange(CommandContext& ctx, storage::ReadView& view, const storage::StringValue& value,
                        uint64_t offset, uint64_t length);
Status ReplyString(CommandContext& ctx, storage::ReadView& view, const storage::StringValue& value);

// The whole string as one view: of its record when inlined, else of *buffer. For values that must be in one piece.
Status WholeString(storage::ReadView& view, const storage::StringValue& value, std::string* buffer,
                   std::string_view* bytes);

// Sets a string with a logical encoding that does not follow from its bytes (BITOP's result is raw, INCRBYFLOAT's never
// an integer).
Status SetStringAs(CommandContext& ctx, const storage::HashedKey& key, std::string_view bytes, int64_t expire_ms,
                   storage::Encoding encoding);

// What one BITPOS, GETRANGE … means by start and end, both inclusive and negative from the end, clamped to [0, size).
// Empty: first > last.
struct ByteRange {
  int64_t first = 0;
  int64_t last = -1;
  bool empty() const { return first > last; }
  uint64_t size() const { return static_cast<uint64_t>(last - first + 1); }
};
ByteRange ClampRange(int64_t start, int64_t end, uint64_t size);

}  // namespace basalt
