// XINFO.

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/commands/help.h"
#include "server/commands/stream_arguments.h"
#include "storage/stream_groups.h"

namespace basalt {
namespace {

using storage::kStreamIdMax;
using storage::kStreamIdMin;
using storage::PendingEntry;
using storage::Stream;
using storage::StreamConsumer;
using storage::StreamEntry;
using storage::StreamGroup;
using storage::StreamGroups;
using storage::StreamHeader;
using storage::StreamId;
using storage::StreamStore;
using Rows = storage::StreamStore::Rows;

void Field(net::ReplyBuilder& reply, std::string_view name, uint64_t value) {
  reply.Bulk(name);
  reply.Integer(static_cast<int64_t>(value));
}

void Field(net::ReplyBuilder& reply, std::string_view name, StreamId id) {
  reply.Bulk(name);
  ReplyStreamId(reply, id);
}

Status FindStream(CommandContext& ctx, Stream* stream) {
  const storage::Status found = LookupStream(ctx, ctx.view(), ctx.key(2), Rows::kNeeded, stream);
  return found == storage::Status::kNotFound ? Status(ErrorCode::kNoSuchKey) : Status(found);
}

void ReplyProgress(net::ReplyBuilder& reply, const StreamHeader& header, const StreamGroup& group) {
  reply.Bulk("entries-read");
  group.entries_read == storage::kEntriesReadUnknown ? reply.Null() : reply.Integer(group.entries_read);
  reply.Bulk("lag");
  const std::optional<int64_t> lag = StreamGroups::Lag(header, group);
  lag ? reply.Integer(*lag) : reply.Null();
}

// ---- XINFO STREAM ----

void ReplyHeader(net::ReplyBuilder& reply, const StreamHeader& header) {
  Field(reply, "length", header.length);
  Field(reply, "radix-tree-keys", header.nodes);
  // Of Redis' tree we know the keys only: one node each, and the root.
  Field(reply, "radix-tree-nodes", header.nodes + 1);
  Field(reply, "last-generated-id", header.last_id);
  Field(reply, "max-deleted-entry-id", header.max_deleted_id);
  Field(reply, "entries-added", header.entries_added);
  Field(reply, "recorded-first-entry-id", header.first_entry);
}

// The entry at one end of the stream.
Status ReplyEdge(CommandContext& ctx, const Stream& stream, storage::ScanOrder order) {
  if (stream.header.length == 0) {
    ctx.reply.Null();
    return Ok();
  }
  const StreamId id = order == storage::ScanOrder::kForward ? stream.header.first_entry : stream.header.last_entry;
  std::string row;
  BASALT_RETURN_IF_ERROR(StreamStore::Get(ctx.view(), stream, id, &row));
  StreamEntry entry;
  return StreamEntry::Parse(row, &entry) && ReplyEntry(ctx.reply, id, entry) ? Ok() : Status(ErrorCode::kCorruption);
}

// What all parts of one XINFO STREAM … FULL need.
struct FullReply {
  CommandContext& ctx;
  const Stream& stream;
  uint64_t count;  // of each list at most; 0: any number
  EntryBudget budget;
  storage::Status failed = storage::Status::kOk;  // inside a scan
};

void ReplyPendingEntry(net::ReplyBuilder& reply, StreamId id, const std::string* consumer,
                       const PendingEntry& pending) {
  reply.Array(consumer != nullptr ? 4 : 3);
  ReplyStreamId(reply, id);
  if (consumer != nullptr) reply.Bulk(*consumer);
  reply.Integer(pending.delivered_ms);
  reply.Integer(static_cast<int64_t>(pending.deliveries));
}

Status ReplyConsumer(FullReply& full, const StreamGroup& group, std::string_view name, const StreamConsumer& consumer) {
  net::ReplyBuilder& reply = full.ctx.reply;
  storage::ReadView& view = full.ctx.view();
  reply.Map(5);
  reply.Bulk("name");
  reply.Bulk(name);
  reply.Bulk("seen-time");
  reply.Integer(consumer.seen_ms);
  reply.Bulk("active-time");
  reply.Integer(consumer.active_ms);
  Field(reply, "pel-count", consumer.pending);
  reply.Bulk("pending");
  const auto at = reply.Mark();
  uint64_t entries = 0;
  storage::Status failed = storage::Status::kOk;
  BASALT_RETURN_IF_ERROR(
      StreamGroups::ForEachPendingOf(view, full.stream, group, consumer, kStreamIdMin, kStreamIdMax, [&](StreamId id) {
        if (!full.budget.Take(0)) return false;
        PendingEntry pending;
        failed = StreamGroups::FindPending(view, full.stream, group, id, &pending);
        if (failed != storage::Status::kOk) return false;
        ReplyPendingEntry(reply, id, nullptr, pending);
        return ++entries != full.count;
      }));
  if (failed == storage::Status::kNotFound) return ErrorCode::kCorruption;
  BASALT_RETURN_IF_ERROR(failed);
  reply.InsertArray(at, entries);
  return full.budget.status();
}

Status ReplyGroup(FullReply& full, std::string_view name, const StreamGroup& group) {
  net::ReplyBuilder& reply = full.ctx.reply;
  storage::ReadView& view = full.ctx.view();
  reply.Map(7);
  reply.Bulk("name");
  reply.Bulk(name);
  Field(reply, "last-delivered-id", group.last_id);
  ReplyProgress(reply, full.stream.header, group);
  Field(reply, "pel-count", group.pending);

  reply.Bulk("pending");
  const auto at = reply.Mark();
  uint64_t entries = 0;
  std::map<uint64_t, std::string> names;
  storage::Status failed = storage::Status::kOk;
  BASALT_RETURN_IF_ERROR(StreamGroups::ForEachPending(
      view, full.stream, group, kStreamIdMin, kStreamIdMax, [&](StreamId id, const PendingEntry& pending) {
        if (!full.budget.Take(0)) return false;
        auto [consumer, inserted] = names.try_emplace(pending.consumer);
        if (inserted) {
          failed = StreamGroups::ConsumerName(view, full.stream, group, pending.consumer, &consumer->second);
          if (failed != storage::Status::kOk) return false;
        }
        ReplyPendingEntry(reply, id, &consumer->second, pending);
        return ++entries != full.count;
      }));
  BASALT_RETURN_IF_ERROR(failed);
  BASALT_RETURN_IF_ERROR(full.budget.status());
  reply.InsertArray(at, entries);

  reply.Bulk("consumers");
  reply.Array(group.consumers);
  Status nested = Ok();
  BASALT_RETURN_IF_ERROR(StreamGroups::ForEachConsumer(
      view, full.stream, group, [&](std::string_view consumer_name, const StreamConsumer& consumer) {
        if (full.budget.Take(consumer_name.size())) nested = ReplyConsumer(full, group, consumer_name, consumer);
        return nested.ok() && full.budget.status().ok();
      }));
  BASALT_RETURN_IF_ERROR(nested);
  return full.budget.status();
}

Status ReplyFull(CommandContext& ctx, const Stream& stream, uint64_t count) {
  net::ReplyBuilder& reply = ctx.reply;
  FullReply full{.ctx = ctx, .stream = stream, .count = count, .budget = EntryBudget(ctx)};
  reply.Map(9);
  ReplyHeader(reply, stream.header);
  reply.Bulk("entries");
  BASALT_RETURN_IF_ERROR(
      ReplyEntries(ctx, stream, kStreamIdMin, kStreamIdMax, storage::ScanOrder::kForward, count, &full.budget));
  reply.Bulk("groups");
  reply.Array(stream.header.groups);
  Status nested = Ok();
  BASALT_RETURN_IF_ERROR(
      StreamGroups::ForEach(ctx.view(), stream, [&](std::string_view name, const StreamGroup& group) {
        nested = ReplyGroup(full, name, group);
        return nested.ok();
      }));
  return nested;
}

Status XInfoStream(CommandContext& ctx) {
  Stream stream;
  BASALT_RETURN_IF_ERROR(FindStream(ctx, &stream));
  if (ctx.argc() == 3) {
    ctx.reply.Map(10);
    ReplyHeader(ctx.reply, stream.header);
    Field(ctx.reply, "groups", stream.header.groups);
    ctx.reply.Bulk("first-entry");
    BASALT_RETURN_IF_ERROR(ReplyEdge(ctx, stream, storage::ScanOrder::kForward));
    ctx.reply.Bulk("last-entry");
    return ReplyEdge(ctx, stream, storage::ScanOrder::kBackward);
  }
  constexpr int64_t kCountDefault = 10;
  int64_t count = kCountDefault;
  if ((ctx.argc() != 4 && ctx.argc() != 6) || !EqualsIgnoreCase(ctx.arg(3), "FULL")) return SubcommandSyntaxError(ctx);
  if (ctx.argc() == 6) {
    if (!EqualsIgnoreCase(ctx.arg(4), "COUNT")) return SubcommandSyntaxError(ctx);
    if (!ParseInteger(ctx.arg(5), &count)) return ErrorCode::kNotInteger;
    if (count < 0) count = kCountDefault;
  }
  return ReplyFull(ctx, stream, static_cast<uint64_t>(count));
}

// ---- XINFO GROUPS, XINFO CONSUMERS ----

Status XInfoGroups(CommandContext& ctx) {
  Stream stream;
  BASALT_RETURN_IF_ERROR(FindStream(ctx, &stream));
  net::ReplyBuilder& reply = ctx.reply;
  EntryBudget budget(ctx);
  reply.Array(stream.header.groups);
  BASALT_RETURN_IF_ERROR(
      StreamGroups::ForEach(ctx.view(), stream, [&](std::string_view name, const StreamGroup& group) {
        if (!budget.Take(name.size())) return false;
        reply.Map(6);
        reply.Bulk("name");
        reply.Bulk(name);
        Field(reply, "consumers", group.consumers);
        Field(reply, "pending", group.pending);
        Field(reply, "last-delivered-id", group.last_id);
        ReplyProgress(reply, stream.header, group);
        return true;
      }));
  return budget.status();
}

Status XInfoConsumers(CommandContext& ctx) {
  Stream stream;
  BASALT_RETURN_IF_ERROR(FindStream(ctx, &stream));
  StreamGroup group;
  const storage::Status found = StreamGroups::Find(ctx.view(), stream, ctx.arg(3), &group);
  if (found == storage::Status::kNotFound) return NoGroupOfKey(ctx.arg(3), ctx.arg(2));
  BASALT_RETURN_IF_ERROR(found);
  net::ReplyBuilder& reply = ctx.reply;
  EntryBudget budget(ctx);
  reply.Array(group.consumers);
  BASALT_RETURN_IF_ERROR(StreamGroups::ForEachConsumer(
      ctx.view(), stream, group, [&](std::string_view name, const StreamConsumer& consumer) {
        if (!budget.Take(name.size())) return false;
        const bool active = consumer.active_ms != storage::kNeverActive;
        reply.Map(4);
        reply.Bulk("name");
        reply.Bulk(name);
        Field(reply, "pending", consumer.pending);
        reply.Bulk("idle");
        reply.Integer(std::max<int64_t>(ctx.now_ms() - consumer.seen_ms, 0));
        reply.Bulk("inactive");
        reply.Integer(active ? ctx.now_ms() - consumer.active_ms : consumer.active_ms);
        return true;
      }));
  return budget.status();
}

Status XInfoHelp(CommandContext& ctx) {
  static constexpr std::string_view kLines[] = {
      "CONSUMERS <key> <groupname>",
      "    The consumers of a group.",
      "GROUPS <key>",
      "    The consumer groups of a stream.",
      "STREAM <key> [FULL [COUNT <count>]]",
      "    A stream; FULL: with its entries, groups and consumers.",
  };
  return WriteHelp(ctx, kLines);
}

// ---- rows ----

constexpr CommandHistory kConsumersHistory[] = {{"7.2.0", "Field inactive."}};
constexpr CommandHistory kGroupsHistory[] = {{"7.0.0", "Fields entries-read and lag."}};
constexpr CommandHistory kStreamHistory[] = {
    {"6.0.0", "Option FULL."},
    {"7.0.0", "Fields max-deleted-entry-id, entries-added, recorded-first-entry-id, entries-read and lag."},
    {"7.2.0", "Field active-time; seen-time is the last attempt."}};

constexpr auto kGroup = CommandGroup::kStream;

constexpr CommandSpec kRows[] = {
    {.name = "xinfo",
     .arity = -2,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "Depends on the subcommand",
     .summary = "Tells about streams, consumer groups and consumers."},
    {.name = "xinfo|consumers",
     .arity = 4,
     .flags = kCmdReadonly,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess, 2)},
     .syntax = "key group",
     .since = "5.0.0",
     .complexity = "O(N), N being the consumers",
     .summary = "The consumers of a group.",
     .handler = XInfoConsumers,
     .tips = {"nondeterministic_output"},
     .history = kConsumersHistory},
    {.name = "xinfo|groups",
     .arity = 3,
     .flags = kCmdReadonly,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess, 2)},
     .syntax = "key",
     .since = "5.0.0",
     .complexity = "O(N), N being the groups",
     .summary = "The consumer groups of a stream.",
     .handler = XInfoGroups,
     .history = kGroupsHistory},
    {.name = "xinfo|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "What the subcommands of XINFO tell.",
     .handler = XInfoHelp},
    {.name = "xinfo|stream",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess, 2)},
     .syntax = "key [FULL [COUNT count:integer]]",
     .since = "5.0.0",
     .complexity = "O(1); with FULL, O(N) for what is answered",
     .summary = "A stream: its length, ids and counters, and with FULL what is in it.",
     .handler = XInfoStream,
     .history = kStreamHistory},
};

}  // namespace

std::span<const CommandSpec> StreamInfoRows() { return kRows; }

}  // namespace basalt
