#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/command_context.h"
#include "server/command_spec.h"
#include "storage/stream_groups.h"
#include "storage/stream_store.h"

namespace basalt {

// What the commands on streams have in common: ids as arguments, lookups, entries as replies.

// "ms" or "ms-seq"; without a sequence number it is `missing_seq`. kNamed also knows "-" and "+".
enum class StreamIdForm : uint8_t { kStrict, kNamed };
Status ParseStreamId(std::string_view text, StreamIdForm form, uint64_t missing_seq, storage::StreamId* id);
// The new entry's id as XADD takes it: "*", "ms-*" and the above.
Status ParseNewStreamId(std::string_view text, storage::StreamIdRequest* request);
// Both ends, each of which "(" excludes.
Status ParseStreamStart(std::string_view text, storage::StreamId* first);
Status ParseStreamEnd(std::string_view text, storage::StreamId* last);
// All of `texts`.
Status ParseStreamIds(std::span<const std::string_view> texts, std::vector<storage::StreamId>* ids);

// As StreamStore::Find, counted as a lookup.
storage::Status LookupStream(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                             storage::StreamStore::Rows rows, storage::Stream* stream);

// An argument inside an error message: Redis ends it at the first zero byte.
std::string Quoted(std::string_view argument);
// "NOGROUP No such key '…' or consumer group '…'<rest>"
Status NoGroup(std::string_view key, std::string_view group, std::string_view rest = {});
// "NOGROUP No such consumer group '…' for key name '…'"
Status NoGroupOfKey(std::string_view group, std::string_view key);

void ReplyStreamId(net::ReplyBuilder& reply, storage::StreamId id);
// [id, [field, value, …]]. False: damaged.
bool ReplyEntry(net::ReplyBuilder& reply, storage::StreamId id, const storage::StreamEntry& entry);

// A consumer of the group of stream `key` that the writer has open, for a command that makes it when it is missing.
storage::Status FindOrMakeConsumer(CommandContext& ctx, std::string_view key, std::string_view name,
                                   storage::StreamGroupWriter* writer, storage::StreamGroupWriter::Consumer* consumer);

// How many entries a command may look at, and how many bytes it may reply, in the lane it runs in.
class EntryBudget {
 public:
  static constexpr uint64_t kFastLaneEntriesMax = 1000;
  static constexpr uint64_t kFastLaneDeliveriesMax = 250;  // each of which writes two rows

  explicit EntryBudget(const CommandContext& ctx, uint64_t entries_max = kFastLaneEntriesMax)
      : limited_(!ctx.in_slow_lane()), entries_max_(entries_max) {}
  // False: no more; the command is to run in the slow lane.
  bool Take(uint64_t bytes);
  Status status() const { return spent_ ? ErrorCode::kNeedSlowLane : ErrorCode::kOk; }

 private:
  const bool limited_;
  const uint64_t entries_max_;
  bool spent_ = false;
  uint64_t entries_ = 0;
  uint64_t bytes_ = 0;
};

// Replies the array of the entries with first <= id <= last, `count` of them at most (0: any number).
Status ReplyEntries(CommandContext& ctx, const storage::Stream& stream, storage::StreamId first, storage::StreamId last,
                    storage::ScanOrder order, uint64_t count, EntryBudget* budget);

// The rows of the files that make up the family; StreamCommands() has them all.
std::span<const CommandSpec> StreamReadRows();
std::span<const CommandSpec> StreamGroupRows();
std::span<const CommandSpec> StreamInfoRows();

}  // namespace basalt
