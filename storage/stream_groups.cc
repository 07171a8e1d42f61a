#include "storage/stream_groups.h"

#include <algorithm>
#include <utility>

#include "storage/storage.h"

namespace basalt::storage {
namespace {

// After so many acknowledgements the first pending entry is looked for again: so no scan passes more removed rows.
constexpr uint32_t kAcksPerScan = 128;

// Whether an entry that XDEL removed may be behind `id`.
bool HasGapFrom(const StreamHeader& header, StreamId id) {
  if (header.length == 0 || header.max_deleted_id.zero()) return false;
  if (header.first_entry > header.max_deleted_id) return false;
  return id <= header.max_deleted_id;
}

template <typename Parsed>
Status Parse(Status status, std::optional<Parsed> parsed, Parsed* out) {
  if (status != Status::kOk) return status;
  if (!parsed) return Status::kCorruption;
  *out = *parsed;
  return Status::kOk;
}

}  // namespace

// ---- reading ----

Status StreamGroups::Find(ReadView& view, const Stream& stream, std::string_view name, StreamGroup* group) {
  if (stream.header.groups == 0) return Status::kNotFound;
  KeyBuffer key;
  std::string value;
  EncodeStreamGroupKey(stream.object_id(), name, &key);
  const Status status = view.GetRow(RowFamily::kScore, key.view(), &value);
  return Parse(status, ParseStreamGroup(value), group);
}

Status StreamGroups::FindConsumer(ReadView& view, const Stream& stream, const StreamGroup& group, std::string_view name,
                                  StreamConsumer* consumer) {
  if (group.consumers == 0) return Status::kNotFound;
  KeyBuffer key;
  std::string value;
  EncodeConsumerKey(stream.object_id(), group.number, name, &key);
  const Status status = view.GetRow(RowFamily::kScore, key.view(), &value);
  return Parse(status, ParseStreamConsumer(value), consumer);
}

Status StreamGroups::ConsumerName(ReadView& view, const Stream& stream, const StreamGroup& group, uint64_t consumer,
                                  std::string* name) {
  KeyBuffer key;
  EncodeConsumerNameKey(stream.object_id(), group.number, consumer, &key);
  const Status status = view.GetRow(RowFamily::kScore, key.view(), name);
  return status == Status::kNotFound ? Status::kCorruption : status;
}

Status StreamGroups::FindPending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId id,
                                 PendingEntry* pending) {
  if (group.pending == 0 || id < group.pending_first || id > group.pending_last) return Status::kNotFound;
  KeyBuffer key;
  std::string value;
  EncodePendingKey(stream.object_id(), group.number, id, &key);
  const Status status = view.GetRow(RowFamily::kScore, key.view(), &value);
  return Parse(status, ParsePendingEntry(value), pending);
}

bool StreamGroups::PendingBounds(const Stream& stream, const StreamGroup& group, std::optional<uint64_t> consumer,
                                 StreamId first, StreamId last, KeyBuffer* lower, KeyBuffer* upper) {
  if (group.pending == 0) return false;
  first = std::max(first, group.pending_first);
  last = std::min(last, group.pending_last);
  if (first > last) return false;
  if (consumer) {
    EncodeConsumerPendingKey(stream.object_id(), group.number, *consumer, first, lower);
    EncodeConsumerPendingKey(stream.object_id(), group.number, *consumer, last, upper);
  } else {
    EncodePendingKey(stream.object_id(), group.number, first, lower);
    EncodePendingKey(stream.object_id(), group.number, last, upper);
  }
  EncodeBoundBehind(upper);
  return true;
}

Status StreamGroups::FirstPending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId* id) {
  return EdgePending(view, stream, group, group.pending_first, ScanOrder::kForward, id);
}

Status StreamGroups::LastPending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId* id) {
  return EdgePending(view, stream, group, group.pending_last, ScanOrder::kBackward, id);
}

// `guess`: nothing is beyond it, and most often it is there itself: a read of one row costs less than a scan.
Status StreamGroups::EdgePending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId guess,
                                 ScanOrder order, StreamId* id) {
  PendingEntry pending;
  *id = guess;
  if (const Status found = FindPending(view, stream, group, guess, &pending); found != Status::kNotFound) return found;
  KeyBuffer lower;
  KeyBuffer upper;
  if (!PendingBounds(stream, group, std::nullopt, kStreamIdMin, kStreamIdMax, &lower, &upper)) return Status::kNotFound;
  std::optional<StreamId> edge;
  const Status status =
      ScanRows(view, RowFamily::kScore, lower.view(), upper.view(), order, [&](std::string_view key, std::string_view) {
        edge = ParsePendingKey(key);
        return false;
      });
  if (status != Status::kOk) return status;
  if (!edge) return Status::kCorruption;
  *id = *edge;
  return Status::kOk;
}

int64_t StreamGroups::EntriesUpTo(const StreamHeader& header, StreamId id) {
  const auto added = static_cast<int64_t>(header.entries_added);
  const auto length = static_cast<int64_t>(header.length);
  if (added == 0) return 0;
  if (header.length == 0 && id <= header.last_id) return added;
  if (id == header.last_id) return added;
  if (id > header.last_id) return kEntriesReadUnknown;
  const bool gapless = header.max_deleted_id.zero() || header.max_deleted_id < header.first_entry;
  if (gapless && id < header.first_entry) return added - length;
  if (gapless && id == header.first_entry) return added - length + 1;
  return kEntriesReadUnknown;
}

std::optional<int64_t> StreamGroups::Lag(const StreamHeader& header, const StreamGroup& group) {
  if (header.entries_added == 0) return 0;
  const auto added = static_cast<int64_t>(header.entries_added);
  if (group.entries_read != kEntriesReadUnknown && !HasGapFrom(header, group.last_id)) {
    return added - group.entries_read;
  }
  const int64_t read = EntriesUpTo(header, group.last_id);
  if (read == kEntriesReadUnknown) return std::nullopt;
  return added - read;
}

void StreamGroups::Advance(const StreamHeader& header, StreamId id, StreamGroup* group) {
  if (id <= group->last_id) return;
  if (group->entries_read != kEntriesReadUnknown && !HasGapFrom(header, id)) {
    ++group->entries_read;
  } else if (header.entries_added != 0) {
    group->entries_read = EntriesUpTo(header, id);
  }
  group->last_id = id;
}

// ---- writing: the group ----

Status StreamGroupWriter::Open(std::string_view name) {
  name_ = name;
  consumers_.clear();
  group_changed_ = false;
  return StreamGroups::Find(txn_, stream_, name, &group_);
}

void StreamGroupWriter::Create(std::string_view name, StreamId last_id, int64_t entries_read, StreamHeader* header) {
  name_ = name;
  group_ = {};
  group_.number = header->next_group++;
  group_.last_id = last_id;
  group_.entries_read = entries_read;
  ++header->groups;
  group_changed_ = true;
}

// All rows of the group under one tag.
Status StreamGroupWriter::DeleteAll(StreamTag tag) {
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeStreamGroupBound(stream_.object_id(), tag, group_.number, &lower);
  EncodeStreamGroupBound(stream_.object_id(), tag, group_.number + 1, &upper);
  if (group_.pending + group_.consumers > StreamStore::kPointDeletesMax) {
    txn_.DeleteRows(RowFamily::kScore, lower.view(), upper.view());
    return Status::kOk;
  }
  std::vector<std::string> keys;
  const Status status =
      ScanRows(txn_, RowFamily::kScore, lower.view(), upper.view(), [&](std::string_view key, std::string_view) {
        keys.emplace_back(key);
        return true;
      });
  for (const std::string& key : keys) txn_.DeleteRow(RowFamily::kScore, key);
  return status;
}

Status StreamGroupWriter::Destroy(StreamHeader* header) {
  std::vector<StreamTag> tags;
  if (group_.consumers != 0) tags = {StreamTag::kConsumer, StreamTag::kConsumerName};
  if (group_.pending != 0) tags.insert(tags.end(), {StreamTag::kPending, StreamTag::kConsumerPending});
  for (const StreamTag tag : tags) {
    const Status status = DeleteAll(tag);
    if (status != Status::kOk) return status;
  }
  KeyBuffer key;
  EncodeStreamGroupKey(stream_.object_id(), name_, &key);
  txn_.DeleteRow(RowFamily::kScore, key.view());
  --header->groups;
  destroyed_ = true;
  return Status::kOk;
}

Status StreamGroupWriter::Finish() {
  if (destroyed_) return Status::kOk;
  for (Loaded& each : consumers_) {
    if (each.changed) PutConsumer(each);
    each.changed = false;
  }
  if (!group_changed_) return Status::kOk;
  if (group_.pending != 0 && group_.acks_since_scan >= kAcksPerScan) {
    group_.acks_since_scan = 0;
    const Status status =
        StreamGroups::ForEachPending(txn_, stream_, group_, kStreamIdMin, kStreamIdMax, [&](StreamId id, const auto&) {
          group_.pending_first = id;
          return false;
        });
    if (status != Status::kOk) return status;
  }
  KeyBuffer key;
  EncodeStreamGroupKey(stream_.object_id(), name_, &key);
  txn_.PutRow(RowFamily::kScore, key.view(), EncodeStreamGroup(group_));
  group_changed_ = false;
  return Status::kOk;
}

// ---- consumers ----

void StreamGroupWriter::PutConsumer(const Loaded& consumer) {
  KeyBuffer key;
  EncodeConsumerKey(stream_.object_id(), group_.number, consumer.name, &key);
  txn_.PutRow(RowFamily::kScore, key.view(), EncodeStreamConsumer(consumer.row));
}

Status StreamGroupWriter::FindConsumer(std::string_view name, StreamStore::IfMissing if_missing, Consumer* consumer) {
  for (*consumer = 0; *consumer < consumers_.size(); ++*consumer) {
    if (consumers_[*consumer].name == name) return Status::kOk;
  }
  Loaded loaded{.name = std::string(name), .row = {}};
  const Status status = StreamGroups::FindConsumer(txn_, stream_, group_, name, &loaded.row);
  if (status == Status::kNotFound && if_missing == StreamStore::IfMissing::kCreate) {
    loaded.row = {.number = group_.next_consumer++, .seen_ms = txn_.now_ms()};
    loaded.changed = loaded.created = true;
    ++group_.consumers;
    group_changed_ = true;
    KeyBuffer key;
    EncodeConsumerNameKey(stream_.object_id(), group_.number, loaded.row.number, &key);
    txn_.PutRow(RowFamily::kScore, key.view(), name);
  } else if (status != Status::kOk) {
    return status;
  }
  consumers_.push_back(std::move(loaded));
  return Status::kOk;
}

Status StreamGroupWriter::ConsumerOf(const PendingEntry& pending, Consumer* consumer) {
  for (*consumer = 0; *consumer < consumers_.size(); ++*consumer) {
    if (consumers_[*consumer].row.number == pending.consumer) return Status::kOk;
  }
  std::string name;
  Status status = StreamGroups::ConsumerName(txn_, stream_, group_, pending.consumer, &name);
  if (status == Status::kOk) status = FindConsumer(name, StreamStore::IfMissing::kRefuse, consumer);
  return status == Status::kNotFound ? Status::kCorruption : status;
}

void StreamGroupWriter::SetSeen(Consumer consumer) {
  consumers_[consumer].row.seen_ms = txn_.now_ms();
  consumers_[consumer].changed = true;
}

void StreamGroupWriter::SetActive(Consumer consumer) {
  consumers_[consumer].row.active_ms = txn_.now_ms();
  consumers_[consumer].changed = true;
}

Status StreamGroupWriter::RemoveConsumer(Consumer consumer, uint64_t* pending) {
  const Loaded gone = consumers_[consumer];
  *pending = gone.row.pending;
  if (*pending > StreamStore::kMemoryRowsMax && txn_.tier() == ReadTier::kMemory) return Status::kIncomplete;
  std::vector<StreamId> ids;
  ids.reserve(*pending);
  const Status status =
      StreamGroups::ForEachPendingOf(txn_, stream_, group_, gone.row, kStreamIdMin, kStreamIdMax, [&](StreamId id) {
        ids.push_back(id);
        return true;
      });
  if (status != Status::kOk) return status;
  if (ids.size() != *pending) return Status::kCorruption;
  KeyBuffer key;
  for (const StreamId id : ids) {
    EncodePendingKey(stream_.object_id(), group_.number, id, &key);
    txn_.DeleteRow(RowFamily::kScore, key.view());
  }
  if (ids.size() > StreamStore::kPointDeletesMax) {
    KeyBuffer upper;
    EncodeConsumerPendingKey(stream_.object_id(), group_.number, gone.row.number, ids.front(), &key);
    EncodeConsumerPendingKey(stream_.object_id(), group_.number, gone.row.number, ids.back(), &upper);
    EncodeBoundBehind(&upper);
    txn_.DeleteRows(RowFamily::kScore, key.view(), upper.view());
  } else {
    for (const StreamId id : ids) {
      EncodeConsumerPendingKey(stream_.object_id(), group_.number, gone.row.number, id, &key);
      txn_.DeleteRow(RowFamily::kScore, key.view());
    }
  }
  EncodeConsumerKey(stream_.object_id(), group_.number, gone.name, &key);
  txn_.DeleteRow(RowFamily::kScore, key.view());
  EncodeConsumerNameKey(stream_.object_id(), group_.number, gone.row.number, &key);
  txn_.DeleteRow(RowFamily::kScore, key.view());
  consumers_[consumer].changed = false;
  --group_.consumers;
  Removed(ids.size());
  return Status::kOk;
}

// ---- pending entries ----

void StreamGroupWriter::PutPending(StreamId id, const PendingEntry& pending) {
  KeyBuffer key;
  EncodePendingKey(stream_.object_id(), group_.number, id, &key);
  txn_.PutRow(RowFamily::kScore, key.view(), EncodePendingEntry(pending));
}

void StreamGroupWriter::Own(Consumer consumer, StreamId id) {
  Loaded& loaded = consumers_[consumer];
  KeyBuffer key;
  EncodeConsumerPendingKey(stream_.object_id(), group_.number, loaded.row.number, id, &key);
  txn_.PutRow(RowFamily::kScore, key.view(), {});
  ++loaded.row.pending;
  loaded.changed = true;
}

Status StreamGroupWriter::Disown(const PendingEntry& pending, StreamId id) {
  Consumer owner;
  const Status status = ConsumerOf(pending, &owner);
  if (status != Status::kOk) return status;
  Loaded& loaded = consumers_[owner];
  if (loaded.row.pending == 0) return Status::kCorruption;
  KeyBuffer key;
  EncodeConsumerPendingKey(stream_.object_id(), group_.number, loaded.row.number, id, &key);
  txn_.DeleteRow(RowFamily::kScore, key.view());
  --loaded.row.pending;
  loaded.changed = true;
  return Status::kOk;
}

void StreamGroupWriter::AddPending(Consumer consumer, StreamId id, const PendingEntry& pending) {
  PutPending(id, pending);
  Own(consumer, id);
  group_.pending_first = group_.pending == 0 ? id : std::min(group_.pending_first, id);
  group_.pending_last = group_.pending == 0 ? id : std::max(group_.pending_last, id);
  ++group_.pending;
  group_changed_ = true;
}

Status StreamGroupWriter::RemovePending(StreamId id, const PendingEntry& pending) {
  const Status status = Disown(pending, id);
  if (status != Status::kOk) return status;
  KeyBuffer key;
  EncodePendingKey(stream_.object_id(), group_.number, id, &key);
  txn_.DeleteRow(RowFamily::kScore, key.view());
  if (id == group_.pending_first) group_.pending_first.Increment();
  Removed(1);
  return Status::kOk;
}

void StreamGroupWriter::Removed(uint64_t count) {
  group_changed_ = true;
  group_.pending -= std::min(group_.pending, count);
  group_.acks_since_scan = static_cast<uint32_t>(std::min<uint64_t>(group_.acks_since_scan + count, kAcksPerScan));
  if (group_.pending != 0) return;
  group_.pending_first = group_.pending_last = kStreamIdMin;
  group_.acks_since_scan = 0;
}

Status StreamGroupWriter::Deliver(Consumer consumer, std::span<const StreamId> ids) {
  const PendingEntry fresh{.consumer = consumers_[consumer].row.number, .delivered_ms = txn_.now_ms(), .deliveries = 1};
  for (const StreamId id : ids) {
    PendingEntry old;
    const Status status = StreamGroups::FindPending(txn_, stream_, group_, id, &old);
    if (status == Status::kNotFound) {
      AddPending(consumer, id, fresh);
      continue;
    }
    if (status != Status::kOk) return status;
    const Status disowned = Disown(old, id);
    if (disowned != Status::kOk) return disowned;
    PutPending(id, fresh);
    Own(consumer, id);
  }
  if (!ids.empty()) SetActive(consumer);
  return Status::kOk;
}

Status StreamGroupWriter::DeliverAgain(std::span<const StreamId> ids) {
  for (const StreamId id : ids) {
    PendingEntry pending;
    const Status status = StreamGroups::FindPending(txn_, stream_, group_, id, &pending);
    if (status != Status::kOk) return status == Status::kNotFound ? Status::kCorruption : status;
    pending.delivered_ms = txn_.now_ms();
    ++pending.deliveries;
    PutPending(id, pending);
  }
  return Status::kOk;
}

Status StreamGroupWriter::Acknowledge(StreamId id) {
  PendingEntry pending;
  const Status status = StreamGroups::FindPending(txn_, stream_, group_, id, &pending);
  return status != Status::kOk ? status : RemovePending(id, pending);
}

Status StreamGroupWriter::TakeOver(Consumer consumer, StreamId id, const ClaimOptions& options,
                                   const PendingEntry& pending) {
  PendingEntry changed = pending;
  changed.delivered_ms = options.delivered_ms;
  if (options.deliveries) {
    changed.deliveries = *options.deliveries;
  } else if (options.counts_as_delivery) {
    ++changed.deliveries;
  }
  SetActive(consumer);
  if (consumers_[consumer].row.number != pending.consumer) {
    const Status status = Disown(pending, id);
    if (status != Status::kOk) return status;
    Own(consumer, id);
    changed.consumer = consumers_[consumer].row.number;
  }
  PutPending(id, changed);
  return Status::kOk;
}

Status StreamGroupWriter::Claim(Consumer consumer, StreamId id, const ClaimOptions& options, Claimed* claimed,
                                std::string* row) {
  PendingEntry pending;
  const Status found = StreamGroups::FindPending(txn_, stream_, group_, id, &pending);
  if (found != Status::kOk && found != Status::kNotFound) return found;
  const bool is_pending = found == Status::kOk;
  *claimed = Claimed::kNo;
  const Status exists = StreamStore::Get(txn_, stream_, id, row);
  if (exists == Status::kNotFound) {
    *claimed = Claimed::kGone;
    return is_pending ? RemovePending(id, pending) : Status::kOk;
  }
  if (exists != Status::kOk) return exists;
  if (!is_pending && !options.force) return Status::kOk;
  *claimed = Claimed::kYes;
  if (!is_pending) {
    // As if it had been delivered just now, to nobody.
    pending = {.consumer = consumers_[consumer].row.number, .delivered_ms = txn_.now_ms(), .deliveries = 1};
    AddPending(consumer, id, pending);
  } else if (options.idle_min_ms > 0 && txn_.now_ms() - pending.delivered_ms < options.idle_min_ms) {
    *claimed = Claimed::kNo;
    return Status::kOk;
  }
  return TakeOver(consumer, id, options, pending);
}

}  // namespace basalt::storage
