// XREAD and XREADGROUP: several streams at a time, and waiting for more.

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "server/commands/blocking.h"
#include "server/commands/key_access.h"
#include "server/commands/stream_arguments.h"
#include "storage/stream_groups.h"

namespace basalt {
namespace {

using storage::kStreamIdMax;
using storage::Stream;
using storage::StreamEntry;
using storage::StreamGroups;
using storage::StreamGroupWriter;
using storage::StreamId;
using storage::StreamStore;

// ---- arguments ----

enum class Reader : uint8_t { kXRead, kXReadGroup };

struct ReadOptions {
  std::optional<int64_t> block_ms;
  uint64_t count = 0;  // 0: any number
  bool no_ack = false;
  bool has_group = false;
  std::string_view group = {}, consumer = {};
  size_t keys_at = 0, streams = 0;  // keys, then as many ids
};

Status OnlyXReadGroup(std::string_view option) {
  return Status::Message("ERR The " + std::string(option) +
                         " option is only supported by XREADGROUP. You called XREAD instead.");
}

Status ParseReadOptions(const CommandContext& ctx, Reader reader, ReadOptions* options) {
  const bool group = reader == Reader::kXReadGroup;
  for (size_t i = 1; i < ctx.argc() && options->keys_at == 0; ++i) {
    const std::string_view word = ctx.arg(i);
    const size_t more = ctx.argc() - i - 1;
    if (more >= 1 && EqualsIgnoreCase(word, "BLOCK")) {
      if (ctx.in_script()) {
        return Status::Message("ERR " + std::string(ctx.arg(0)) +
                               " command is not allowed with BLOCK option from scripts");
      }
      BASALT_RETURN_IF_ERROR(ParseBlockMilliseconds(ctx, ctx.arg(++i), &options->block_ms.emplace()));
    } else if (more >= 1 && EqualsIgnoreCase(word, "COUNT")) {
      int64_t count;
      if (!ParseInteger(ctx.arg(++i), &count)) return ErrorCode::kNotInteger;
      options->count = count < 0 ? 0 : static_cast<uint64_t>(count);
    } else if (more >= 1 && EqualsIgnoreCase(word, "STREAMS")) {
      options->keys_at = i + 1;
      if (more % 2 != 0) {
        return Status::Message("ERR Unbalanced '" + std::string(ctx.spec.name) +
                               "' list of streams: for each stream key an ID or '" + (group ? ">" : "$") +
                               "' must be specified.");
      }
      options->streams = more / 2;
    } else if (more >= 2 && EqualsIgnoreCase(word, "GROUP")) {
      if (!group) return OnlyXReadGroup("GROUP");
      options->has_group = true;
      options->group = ctx.arg(i + 1);
      options->consumer = ctx.arg(i + 2);
      i += 2;
    } else if (EqualsIgnoreCase(word, "NOACK")) {
      if (!group) return OnlyXReadGroup("NOACK");
      options->no_ack = true;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  if (options->keys_at == 0) return ErrorCode::kSyntax;
  if (group && !options->has_group) return Status::Message("ERR Missing GROUP option for XREADGROUP");
  return Ok();
}

// XREAD locks its keys only when it may have to wait for them.
void PrepareXRead(const PrepareInput& input, Preparation* preparation) {
  const bool uses_txn = preparation->uses_txn;  // EXEC has its own reasons
  PrepareFromRow(input, preparation);
  for (const std::string_view word : input.argv.subspan(1)) {
    if (EqualsIgnoreCase(word, "BLOCK")) return;
    if (EqualsIgnoreCase(word, "STREAMS")) break;
  }
  preparation->uses_txn = uses_txn;
}

// ---- replies ----

// A map of keys and their entries; in RESP2 an array of pairs.
class StreamsReply {
 public:
  explicit StreamsReply(net::ReplyBuilder& reply) : reply_(reply), at_(reply.Mark()) {}

  void Key(std::string_view key) {
    ++streams_;
    if (reply_.version() == net::RespVersion::kResp2) reply_.Array(2);
    reply_.Bulk(key);
  }
  bool empty() const { return streams_ == 0; }
  void Finish() {
    reply_.version() == net::RespVersion::kResp2 ? reply_.InsertArray(at_, streams_) : reply_.InsertMap(at_, streams_);
  }

 private:
  net::ReplyBuilder& reply_;
  const net::OutputBuffer::Position at_;
  uint64_t streams_ = 0;
};

// Nothing was there. `wake_on`: see BlockOnKeys.
Status WaitForMore(CommandContext& ctx, const ReadOptions& options, WakeOn wake_on) {
  if (!options.block_ms || !MayBlock(ctx)) {
    ctx.reply.NullArray();
    return Ok();
  }
  return BlockOnKeys(ctx, ctx.argv.subspan(options.keys_at, options.streams), storage::ValueType::kStream,
                     *options.block_ms, wake_on);
}

// ---- XREAD ----

std::string IdText(StreamId id) { return std::to_string(id.ms) + "-" + std::to_string(id.seq); }

Status XRead(CommandContext& ctx) {
  ReadOptions options;
  BASALT_RETURN_IF_ERROR(ParseReadOptions(ctx, Reader::kXRead, &options));
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, options.streams));
  ctx.view().RequireSnapshot();
  // "$" is what was the last id when the command arrived.
  std::vector<std::string>& kept = KeptArguments(ctx);
  std::vector<Stream> streams(options.streams);
  std::vector<StreamId> behind(options.streams);
  for (size_t i = 0; i < options.streams; ++i) {
    const storage::Status found =
        LookupStream(ctx, ctx.view(), ctx.key(options.keys_at + i), StreamStore::Rows::kNeeded, &streams[i]);
    if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
    const std::string_view id = ctx.arg(options.keys_at + options.streams + i);
    if (id == "$" && kept.empty()) {
      behind[i] = streams[i].header.last_id;
    } else if (id == ">") {
      return Status::Message(
          "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.");
    } else {
      BASALT_RETURN_IF_ERROR(
          ParseStreamId(id == "$" ? std::string_view(kept[i]) : id, StreamIdForm::kStrict, 0, &behind[i]));
    }
  }
  EntryBudget budget(ctx);
  StreamsReply reply(ctx.reply);
  for (size_t i = 0; i < options.streams; ++i) {
    const Stream& stream = streams[i];
    // Redis looks again.
    (void)CountLookup(ctx, ctx.key(options.keys_at + i),
                      stream.record != nullptr ? storage::Status::kOk : storage::Status::kNotFound);
    if (stream.header.length == 0 || stream.header.last_entry <= behind[i]) continue;
    reply.Key(ctx.arg(options.keys_at + i));
    StreamId first = behind[i];
    first.Increment();
    BASALT_RETURN_IF_ERROR(
        ReplyEntries(ctx, stream, first, kStreamIdMax, storage::ScanOrder::kForward, options.count, &budget));
  }
  if (!reply.empty()) {
    reply.Finish();
    return Ok();
  }
  if (kept.empty() && options.block_ms && MayBlock(ctx)) {
    for (const StreamId id : behind) kept.push_back(IdText(id));
  }
  return WaitForMore(ctx, options, WakeOn::kValue);
}

// ---- XREADGROUP ----

// One of the streams that XREADGROUP names.
struct GroupRead {
  GroupRead(storage::WriteTxn& txn) : writer(txn, stream) {}

  Stream stream;
  StreamGroupWriter writer;
  StreamId behind;
  bool history = false;  // of the consumer, instead of what is new
};

// What the consumer was given before and has not acknowledged.
Status ReplyHistory(CommandContext& ctx, GroupRead* read, StreamGroupWriter::Consumer consumer, uint64_t count,
                    EntryBudget* budget) {
  const auto at = ctx.reply.Mark();
  StreamId first = read->behind;
  first.Increment();
  std::vector<StreamId> again;
  uint64_t entries = 0;
  storage::Status failed = storage::Status::kOk;
  std::string row;
  BASALT_RETURN_IF_ERROR(StreamGroups::ForEachPendingOf(
      ctx.txn(), read->stream, read->writer.group(), read->writer.consumer(consumer), first, kStreamIdMax,
      [&](StreamId id) {
        const storage::Status found = StreamStore::Get(ctx.txn(), read->stream, id, &row);
        StreamEntry entry;
        if (!budget->Take(row.size())) return false;
        if (found == storage::Status::kNotFound) {  // removed meanwhile: the id, and nothing
          ctx.reply.Array(2);
          ReplyStreamId(ctx.reply, id);
          ctx.reply.NullArray();
        } else if (found != storage::Status::kOk) {
          failed = found;
        } else if (!StreamEntry::Parse(row, &entry) || !ReplyEntry(ctx.reply, id, entry)) {
          failed = storage::Status::kCorruption;
        } else {
          again.push_back(id);
        }
        ++entries;
        return failed == storage::Status::kOk && entries != count;
      }));
  BASALT_RETURN_IF_ERROR(failed);
  BASALT_RETURN_IF_ERROR(budget->status());
  ctx.reply.InsertArray(at, entries);
  return read->writer.DeliverAgain(again);
}

// What the group has not delivered yet.
Status ReplyNew(CommandContext& ctx, GroupRead* read, StreamGroupWriter::Consumer consumer, const ReadOptions& options,
                EntryBudget* budget) {
  const auto at = ctx.reply.Mark();
  StreamId first = read->behind;
  first.Increment();
  std::vector<StreamId> delivered;
  uint64_t entries = 0;
  bool damaged = false;
  storage::StreamGroup* group = read->writer.MutableGroup();
  BASALT_RETURN_IF_ERROR(StreamStore::ForEach(ctx.txn(), read->stream, first, kStreamIdMax,
                                              storage::ScanOrder::kForward, [&](StreamId id, const StreamEntry& entry) {
                                                if (!budget->Take(entry.bytes())) return false;
                                                StreamGroups::Advance(read->stream.header, id, group);
                                                damaged = !ReplyEntry(ctx.reply, id, entry);
                                                if (!options.no_ack) delivered.push_back(id);
                                                ++entries;
                                                return !damaged && entries != options.count;
                                              }));
  if (damaged) return ErrorCode::kCorruption;
  BASALT_RETURN_IF_ERROR(budget->status());
  ctx.reply.InsertArray(at, entries);
  return read->writer.Deliver(consumer, delivered);
}

Status FindGroupReads(CommandContext& ctx, const ReadOptions& options, std::deque<GroupRead>* reads) {
  for (size_t i = 0; i < options.streams; ++i) {
    GroupRead& read = reads->emplace_back(ctx.txn());
    const std::string_view key = ctx.arg(options.keys_at + i);
    const storage::Status found =
        LookupStream(ctx, ctx.txn(), ctx.key(options.keys_at + i), StreamStore::Rows::kNeeded, &read.stream);
    if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
    const storage::Status opened = found == storage::Status::kOk ? read.writer.Open(options.group) : found;
    if (opened == storage::Status::kNotFound) {
      return NoGroup(key, options.group, " in XREADGROUP with GROUP option");
    }
    BASALT_RETURN_IF_ERROR(opened);
    const std::string_view id = ctx.arg(options.keys_at + options.streams + i);
    if (id == "$") {
      return Status::Message(
          "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
          "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result "
          "set.");
    }
    read.behind = kStreamIdMax;
    if (id != ">") BASALT_RETURN_IF_ERROR(ParseStreamId(id, StreamIdForm::kStrict, 0, &read.behind));
    read.history = read.behind != kStreamIdMax;
  }
  return Ok();
}

Status XReadGroup(CommandContext& ctx) {
  ReadOptions options;
  BASALT_RETURN_IF_ERROR(ParseReadOptions(ctx, Reader::kXReadGroup, &options));
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, options.streams));
  std::deque<GroupRead> reads;
  BASALT_RETURN_IF_ERROR(FindGroupReads(ctx, options, &reads));

  EntryBudget budget(ctx, EntryBudget::kFastLaneDeliveriesMax);
  StreamsReply reply(ctx.reply);
  for (size_t i = 0; i < options.streams; ++i) {
    GroupRead& read = reads[i];
    (void)CountLookup(ctx, ctx.key(options.keys_at + i), storage::Status::kOk);  // Redis looks again
    // Named before: the group has moved on.
    for (size_t j = 0; j < i; ++j) {
      if (ctx.arg(options.keys_at + j) == ctx.arg(options.keys_at + i)) {
        BASALT_RETURN_IF_ERROR(read.writer.Open(options.group));
        break;
      }
    }
    StreamGroupWriter::Consumer consumer;
    BASALT_RETURN_IF_ERROR(
        FindOrMakeConsumer(ctx, ctx.arg(options.keys_at + i), options.consumer, &read.writer, &consumer));
    read.writer.SetSeen(consumer);
    const StreamId delivered = read.writer.group().last_id;
    if (read.history) {
      reply.Key(ctx.arg(options.keys_at + i));
      BASALT_RETURN_IF_ERROR(ReplyHistory(ctx, &read, consumer, options.count, &budget));
    } else if (read.stream.header.length != 0 && read.stream.header.last_entry > delivered) {
      read.behind = delivered;
      reply.Key(ctx.arg(options.keys_at + i));
      BASALT_RETURN_IF_ERROR(ReplyNew(ctx, &read, consumer, options, &budget));
    }
    BASALT_RETURN_IF_ERROR(read.writer.Finish());
  }
  ctx.keep_changes_when_parked = true;  // the consumer is there, and was seen, also while it waits
  if (reply.empty()) return WaitForMore(ctx, options, WakeOn::kAnyChange);
  reply.Finish();
  return Ok();
}

// ---- rows ----

constexpr KeySpec Streams(int16_t from) {
  return {.flags = kKeyRO | kKeyAccess,
          .begin = KeySpec::Begin::kKeyword,
          .index = from,
          .keyword = "STREAMS",
          .find = KeySpec::Find::kRange,
          .last_key = -1,
          .step = 1,
          .limit = 2};
}

constexpr CommandSpec kRows[] = {
    {.name = "xread",
     .arity = -4,
     .flags = kCmdReadonly | kCmdBlocking | kCmdLockKeys,
     .group = CommandGroup::kStream,
     .keys = {Streams(1)},
     .syntax = "[COUNT count:integer] [BLOCK milliseconds:integer] STREAMS (key… id…)",
     .since = "5.0.0",
     .summary = "Answers the entries of several streams behind given ids, and may wait for some.",
     .handler = XRead,
     .prepare = PrepareXRead},
    {.name = "xreadgroup",
     .arity = -7,
     .flags = kCmdWrite | kCmdBlocking,
     .group = CommandGroup::kStream,
     .keys = {Streams(4)},
     .syntax = "GROUP (group consumer) [COUNT count:integer] [BLOCK milliseconds:integer] [NOACK] STREAMS (key… id…)",
     .since = "5.0.0",
     .complexity = "O(M) for each stream, M being the entries answered",
     .summary = "Gives a consumer of a group entries that nobody else in it gets, and may wait for some.",
     .handler = XReadGroup},
};

}  // namespace

std::span<const CommandSpec> StreamReadRows() { return kRows; }

}  // namespace basalt
