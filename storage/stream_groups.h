#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/stream_store.h"

namespace basalt::storage {

// Consumer groups of a stream. A group, its consumers and what they were given and have not acknowledged ("pending")
// are rows of `score`; FORMAT.md draws them. Every pending entry is there twice: in the group's order, with its owner,
// and in its owner's order.

// Reading. The stream was found with Rows::kNeeded.
class StreamGroups {
 public:
  // kNotFound: no such group, consumer or pending entry.
  static Status Find(ReadView& view, const Stream& stream, std::string_view name, StreamGroup* group);
  static Status FindConsumer(ReadView& view, const Stream& stream, const StreamGroup& group, std::string_view name,
                             StreamConsumer* consumer);
  static Status ConsumerName(ReadView& view, const Stream& stream, const StreamGroup& group, uint64_t consumer,
                             std::string* name);
  static Status FindPending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId id,
                            PendingEntry* pending);

  // All in the order of their names, `visit(std::string_view name, const StreamGroup&)` returns false to stop.
  template <typename Visit>
  static Status ForEach(ReadView& view, const Stream& stream, Visit&& visit);
  template <typename Visit>
  static Status ForEachConsumer(ReadView& view, const Stream& stream, const StreamGroup& group, Visit&& visit);
  // Pending entries with first <= id <= last: of the group, `visit(StreamId, const PendingEntry&)`, or of one consumer,
  // `visit(StreamId)`.
  template <typename Visit>
  static Status ForEachPending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId first,
                               StreamId last, Visit&& visit);
  template <typename Visit>
  static Status ForEachPendingOf(ReadView& view, const Stream& stream, const StreamGroup& group,
                                 const StreamConsumer& consumer, StreamId first, StreamId last, Visit&& visit);
  // The first pending entry, and the last. kNotFound.
  static Status FirstPending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId* id);
  static Status LastPending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId* id);

  // How many entries were ever added up to `id`, as far as that is known; kEntriesReadUnknown.
  static int64_t EntriesUpTo(const StreamHeader& header, StreamId id);
  // Entries that are still to be delivered; nullopt when XDEL has left gaps that nobody can count.
  static std::optional<int64_t> Lag(const StreamHeader& header, const StreamGroup& group);
  // The group has delivered `id`, from now on its last.
  static void Advance(const StreamHeader& header, StreamId id, StreamGroup* group);

 private:
  static Status EdgePending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId guess,
                            ScanOrder order, StreamId* id);
  static bool PendingBounds(const Stream& stream, const StreamGroup& group, std::optional<uint64_t> consumer,
                            StreamId first, StreamId last, KeyBuffer* lower, KeyBuffer* upper);
};

// How XCLAIM and XAUTOCLAIM hand pending entries over.
struct ClaimOptions {
  int64_t idle_min_ms = 0;
  int64_t delivered_ms = 0;            // becomes their delivery time
  std::optional<uint64_t> deliveries;  // becomes their count
  bool counts_as_delivery = true;      // … otherwise
  bool force = false;                  // also what is not pending
};

// What one command changes in one group. Rows are written at once, those of the group itself and of its consumers by
// Finish(). None of it touches the stream's record: as in Redis, reading and acknowledging do not modify the key.
// REQUIRES: the stream was found in this txn. On the caller's stack.
class StreamGroupWriter {
 public:
  // A consumer that was looked up: an index of this writer's.
  using Consumer = size_t;

  StreamGroupWriter(WriteTxn& txn, const Stream& stream) : txn_(txn), stream_(stream) {}
  StreamGroupWriter(const StreamGroupWriter&) = delete;

  // kNotFound.
  Status Open(std::string_view name);
  // A new group; REQUIRES that there is none of this name. Counts in *header, which the caller puts.
  void Create(std::string_view name, StreamId last_id, int64_t entries_read, StreamHeader* header);
  // Removes the group and all that is in it.
  Status Destroy(StreamHeader* header);

  const StreamGroup& group() const { return group_; }
  // To be changed; the counts are the writer's business.
  StreamGroup* MutableGroup() {
    group_changed_ = true;
    return &group_;
  }

  // The consumer of a name; made when it is missing and shall be.
  Status FindConsumer(std::string_view name, StreamStore::IfMissing if_missing, Consumer* consumer);
  const StreamConsumer& consumer(Consumer consumer) const { return consumers_[consumer].row; }
  // This writer has made it.
  bool IsNew(Consumer consumer) const { return consumers_[consumer].created; }
  void SetSeen(Consumer consumer);
  void SetActive(Consumer consumer);
  // *pending: entries that were its own, and go with it.
  Status RemoveConsumer(Consumer consumer, uint64_t* pending);

  // Entries were delivered to a consumer for the first time; those that somebody owns already are taken from him.
  Status Deliver(Consumer consumer, std::span<const StreamId> ids);
  // Entries that the consumer owns were delivered again.
  Status DeliverAgain(std::span<const StreamId> ids);
  // kNotFound: it is not pending.
  Status Acknowledge(StreamId id);

  enum class Claimed : uint8_t {
    kYes,
    kNo,    // not pending, or not idle for long enough
    kGone,  // the entry is no longer in the stream, and so no longer pending
  };
  // *row: the entry, when it was claimed.
  Status Claim(Consumer consumer, StreamId id, const ClaimOptions& options, Claimed* claimed, std::string* row);
  // From `start` on, until `count` entries were claimed or found to be gone, or ten times as many were looked at.
  // `visit(StreamId, Claimed, std::string_view row)` for each; *next: where to go on, 0-0 at the end.
  template <typename Visit>
  Status ClaimFrom(Consumer consumer, StreamId start, uint64_t count, const ClaimOptions& options, StreamId* next,
                   Visit&& visit);

  // Writes the rows of the group and of its consumers.
  Status Finish();

 private:
  struct Loaded {
    std::string name;
    StreamConsumer row;
    bool changed = false;
    bool created = false;
  };
  struct Candidate {
    StreamId id;
    PendingEntry pending;
    Claimed claimed;
  };

  void PutConsumer(const Loaded& consumer);
  Status ConsumerOf(const PendingEntry& pending, Consumer* consumer);
  void PutPending(StreamId id, const PendingEntry& pending);
  void Own(Consumer consumer, StreamId id);
  Status Disown(const PendingEntry& pending, StreamId id);
  void AddPending(Consumer consumer, StreamId id, const PendingEntry& pending);
  Status RemovePending(StreamId id, const PendingEntry& pending);
  Status TakeOver(Consumer consumer, StreamId id, const ClaimOptions& options, const PendingEntry& pending);
  void Removed(uint64_t count);
  Status DeleteAll(StreamTag tag);

  WriteTxn& txn_;
  const Stream& stream_;
  std::string name_;
  StreamGroup group_;
  bool group_changed_ = false;
  bool destroyed_ = false;
  std::vector<Loaded> consumers_;
};

// ---- templates ----

template <typename Visit>
Status StreamGroups::ForEach(ReadView& view, const Stream& stream, Visit&& visit) {
  if (stream.header.groups == 0) return Status::kOk;
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeStreamTagBound(stream.object_id(), StreamTag::kGroup, &lower);
  EncodeStreamTagEnd(stream.object_id(), StreamTag::kGroup, &upper);
  bool damaged = false;
  const Status status =
      ScanRows(view, RowFamily::kScore, lower.view(), upper.view(), [&](std::string_view key, std::string_view value) {
        const std::optional<std::string_view> name = ParseStreamGroupKey(key);
        const std::optional<StreamGroup> group = ParseStreamGroup(value);
        damaged = !name || !group;
        return !damaged && visit(*name, *group);
      });
  return damaged ? Status::kCorruption : status;
}

template <typename Visit>
Status StreamGroups::ForEachConsumer(ReadView& view, const Stream& stream, const StreamGroup& group, Visit&& visit) {
  if (group.consumers == 0) return Status::kOk;
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeStreamGroupBound(stream.object_id(), StreamTag::kConsumer, group.number, &lower);
  EncodeStreamGroupBound(stream.object_id(), StreamTag::kConsumer, group.number + 1, &upper);
  bool damaged = false;
  const Status status =
      ScanRows(view, RowFamily::kScore, lower.view(), upper.view(), [&](std::string_view key, std::string_view value) {
        const std::optional<std::string_view> name = ParseConsumerKey(key);
        const std::optional<StreamConsumer> consumer = ParseStreamConsumer(value);
        damaged = !name || !consumer;
        return !damaged && visit(*name, *consumer);
      });
  return damaged ? Status::kCorruption : status;
}

template <typename Visit>
Status StreamGroups::ForEachPending(ReadView& view, const Stream& stream, const StreamGroup& group, StreamId first,
                                    StreamId last, Visit&& visit) {
  KeyBuffer lower;
  KeyBuffer upper;
  if (!PendingBounds(stream, group, std::nullopt, first, last, &lower, &upper)) return Status::kOk;
  bool damaged = false;
  const Status status =
      ScanRows(view, RowFamily::kScore, lower.view(), upper.view(), [&](std::string_view key, std::string_view value) {
        const std::optional<StreamId> id = ParsePendingKey(key);
        const std::optional<PendingEntry> pending = ParsePendingEntry(value);
        damaged = !id || !pending;
        return !damaged && visit(*id, *pending);
      });
  return damaged ? Status::kCorruption : status;
}

template <typename Visit>
Status StreamGroups::ForEachPendingOf(ReadView& view, const Stream& stream, const StreamGroup& group,
                                      const StreamConsumer& consumer, StreamId first, StreamId last, Visit&& visit) {
  KeyBuffer lower;
  KeyBuffer upper;
  if (consumer.pending == 0) return Status::kOk;
  if (!PendingBounds(stream, group, consumer.number, first, last, &lower, &upper)) return Status::kOk;
  bool damaged = false;
  const Status status =
      ScanRows(view, RowFamily::kScore, lower.view(), upper.view(), [&](std::string_view key, std::string_view) {
        const std::optional<StreamId> id = ParseConsumerPendingKey(key);
        damaged = !id;
        return !damaged && visit(*id);
      });
  return damaged ? Status::kCorruption : status;
}

template <typename Visit>
Status StreamGroupWriter::ClaimFrom(Consumer consumer, StreamId start, uint64_t count, const ClaimOptions& options,
                                    StreamId* next, Visit&& visit) {
  constexpr uint64_t kLooksPerEntry = 10;
  *next = kStreamIdMin;
  uint64_t looks = count * kLooksPerEntry;
  std::vector<Candidate> candidates;
  Status failed = Status::kOk;
  std::string row;
  uint64_t looked_at = 0;
  const auto look = [&](StreamId id, const PendingEntry& pending) {
    if (looks == 0 || count == 0) {
      *next = id;
      return false;
    }
    --looks;
    if (++looked_at > StreamStore::kMemoryRowsMax && txn_.tier() == ReadTier::kMemory) {
      failed = Status::kIncomplete;
      return false;
    }
    const Status found = StreamStore::Get(txn_, stream_, id, &row);
    if (found != Status::kOk && found != Status::kNotFound) {
      failed = found;
      return false;
    }
    Claimed claimed = found == Status::kOk ? Claimed::kYes : Claimed::kGone;
    if (claimed == Claimed::kYes && options.idle_min_ms > 0 &&
        txn_.now_ms() - pending.delivered_ms < options.idle_min_ms) {
      return true;
    }
    candidates.push_back({id, pending, claimed});
    visit(id, claimed, std::string_view(row));
    --count;
    return true;
  };
  Status status = StreamGroups::ForEachPending(txn_, stream_, group_, start, kStreamIdMax, look);
  if (failed != Status::kOk) status = failed;
  for (const Candidate& each : candidates) {
    if (status != Status::kOk) return status;
    status = each.claimed == Claimed::kGone ? RemovePending(each.id, each.pending)
                                            : TakeOver(consumer, each.id, options, each.pending);
  }
  return status;
}

}  // namespace basalt::storage
