#include "server/commands/key_access.h"

#include <algorithm>
#include <limits>

#include "server/session.h"
#include "storage/collection.h"

namespace basalt {

using storage::StringStore;

Status CheckLaneBytes(const CommandContext& ctx, uint64_t bytes) {
  return bytes > kFastLaneBytesMax && !ctx.in_slow_lane() ? ErrorCode::kNeedSlowLane : ErrorCode::kOk;
}

Status CheckLaneKeys(const CommandContext& ctx, size_t keys) {
  return keys > kFastLaneKeysMax && !ctx.in_slow_lane() ? ErrorCode::kNeedSlowLane : ErrorCode::kOk;
}

Status ParseDb(const CommandContext& ctx, std::string_view text, storage::DbIndex* db) {
  using Int = std::numeric_limits<int32_t>;
  int64_t number = 0;
  if (!ParseInteger(text, &number)) return ErrorCode::kNotInteger;
  if (number < Int::min() || number > Int::max()) {
    return Status::Message("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (number < 0 || number >= ctx.services.storage.databases()) return ErrorCode::kDbIndex;
  *db = static_cast<storage::DbIndex>(number);
  return Ok();
}

namespace {

// Whether the command took the key away.
bool Removed(const CommandContext& ctx, const storage::WriteTxn& txn, std::string_view key) {
  bool removed = false;
  storage::VisitCommandChanges(txn, [&](const storage::CommandChange& change) {
    if (change.db == ctx.db() && change.key.key == key) removed = change.existed && !change.exists;
  });
  return removed;
}

// Whether the reads of one lookup are uses of the key.
class UseScope {
 public:
  UseScope(storage::ReadView& view, bool counts) : view_(view) { view_.CountAsUse(counts); }
  ~UseScope() { view_.CountAsUse(true); }
  UseScope(const UseScope&) = delete;

 private:
  storage::ReadView& view_;
};

}  // namespace

// A key of another type was found all the same.
storage::Status CountLookup(CommandContext& ctx, const storage::HashedKey& key, storage::Status status) {
  if (status == storage::Status::kOk || status == storage::Status::kWrongType) {
    ++ctx.keyspace_hits;
  } else if (status == storage::Status::kNotFound) {
    ++ctx.keyspace_misses;
    if (ctx.wake() != Wake::kTimeout) NotifyKey(ctx, kEventKeyMiss, "keymiss", key.key);  // else told before it waited
  }
  return status;
}

storage::Status LookupKey(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                          storage::RecordPtr* record) {
  const UseScope scope(view, !ctx.session.no_touch);
  return CountLookup(ctx, key, view.GetRecord(ctx.db(), key, record));
}

storage::Status LookupString(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                             StringStore::Rows rows, storage::StringValue* value) {
  const UseScope scope(view, !ctx.session.no_touch);
  return CountLookup(ctx, key, StringStore::Find(view, ctx.db(), key, rows, value));
}

storage::Status LookupCollection(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                                 storage::ValueType type, storage::RecordPtr* record) {
  const UseScope scope(view, !ctx.session.no_touch);
  return CountLookup(ctx, key, storage::FindCollection(view, ctx.db(), key, type, record));
}

storage::Status PeekKey(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                        storage::RecordPtr* record) {
  const UseScope scope(view, false);
  return CountLookup(ctx, key, view.GetRecord(ctx.db(), key, record));
}

storage::Status InspectKey(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                           storage::RecordPtr* record) {
  const UseScope scope(view, false);
  const storage::Status status = view.GetRecord(ctx.db(), key, record);
  ctx.keyspace_hits += status == storage::Status::kOk;
  ctx.keyspace_misses += status == storage::Status::kNotFound;
  return status;
}

storage::Status TouchKey(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                         storage::RecordPtr* record) {
  return CountLookup(ctx, key, view.GetRecord(ctx.db(), key, record));
}

void TellKeyEvent(CommandContext& ctx, KeyEventClass event_class, storage::DbIndex db, std::string_view event,
                  std::string_view key) {
  const uint32_t configured = ctx.services.config.current().notify_keyspace_events;
  ctx.outbox.KeyEvent(configured, event_class, ctx.session.conn.id, db, event, key);
}

void NotifyRemoval(CommandContext& ctx, KeyEventClass event_class, std::string_view event, std::string_view key) {
  if (!WantsKeyEvent(ctx, event_class | kEventGeneric)) return;
  NotifyKey(ctx, event_class, event, key);
  if (Removed(ctx, ctx.txn(), key)) NotifyKey(ctx, kEventGeneric, "del", key);
}

void NotifyStored(CommandContext& ctx, KeyEventClass event_class, std::string_view event, std::string_view key,
                  uint64_t elements) {
  if (elements > 0) return NotifyKey(ctx, event_class, event, key);
  if (WantsKeyEvent(ctx, kEventGeneric) && Removed(ctx, ctx.txn(), key)) NotifyKey(ctx, kEventGeneric, "del", key);
}

Status ReplyStringRange(CommandContext& ctx, storage::ReadView& view, const storage::StringValue& value,
                        uint64_t offset, uint64_t length) {
  if (value.inlined) {
    ctx.reply.Bulk(value.view().substr(offset, length));
    return Ok();
  }
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, length));
  ctx.reply.BulkHeader(length);
  net::ReplyBuilder& reply = ctx.reply;
  BASALT_RETURN_IF_ERROR(StringStore::ForEachPiece(view, value, offset, length, [&reply](std::string_view piece) {
    reply.Raw(piece);
    return true;
  }));
  reply.Raw("\r\n");
  return Ok();
}

Status ReplyString(CommandContext& ctx, storage::ReadView& view, const storage::StringValue& value) {
  return ReplyStringRange(ctx, view, value, 0, value.length);
}

Status WholeString(storage::ReadView& view, const storage::StringValue& value, std::string* buffer,
                   std::string_view* bytes) {
  if (value.inlined) {
    *bytes = value.view();
    return Ok();
  }
  buffer->clear();
  buffer->reserve(value.length);
  BASALT_RETURN_IF_ERROR(StringStore::Read(view, value, 0, value.length, buffer));
  *bytes = *buffer;
  return Ok();
}

Status SetStringAs(CommandContext& ctx, const storage::HashedKey& key, std::string_view bytes, int64_t expire_ms,
                   storage::Encoding encoding) {
  storage::RecordPtr old;
  const storage::Status found = ctx.txn().GetRecord(ctx.db(), key, &old);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  if (bytes.size() > storage::kInlineStringBytesMax || StringStore::EncodingOf(bytes) == encoding) {
    return StringStore::Set(ctx.txn(), ctx.db(), key, bytes, expire_ms);
  }
  const storage::RecordHeader header{
      .type = storage::ValueType::kString, .encoding = encoding, .expire_ms = expire_ms, .object_id = 0};
  ctx.txn().Put(ctx.db(), key, storage::Record::Make(header, bytes));
  return Ok();
}

ByteRange ClampRange(int64_t start, int64_t end, uint64_t size) {
  const int64_t length = static_cast<int64_t>(size);
  if (start < 0) start = std::max<int64_t>(length + start, 0);
  if (end < 0) end = std::max<int64_t>(length + end, 0);
  return {start, std::min(end, length - 1)};
}

}  // namespace basalt
