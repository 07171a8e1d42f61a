// Consumer groups: XGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM. (XREADGROUP is in stream_read.cc.)

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/commands/help.h"
#include "server/commands/key_access.h"
#include "server/commands/stream_arguments.h"
#include "storage/stream_groups.h"

namespace basalt {
namespace {

using storage::PendingEntry;
using storage::Stream;
using storage::StreamConsumer;
using storage::StreamEntry;
using storage::StreamGroup;
using storage::StreamGroups;
using storage::StreamGroupWriter;
using storage::StreamId;
using storage::StreamStore;
using Rows = storage::StreamStore::Rows;

// What acknowledging or claiming one entry takes, in keys that are read and written elsewhere.
constexpr size_t kRowsPerId = 4;

// ---- XGROUP ----

Status KeyIsMissing() {
  return Status::Message(
      "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
      "option to create an empty stream automatically.");
}

struct GroupOptions {
  bool make_stream = false;
  int64_t entries_read = storage::kEntriesReadUnknown;
};

enum class GroupOptionUser : uint8_t { kCreate, kSetId };

Status ParseGroupOptions(const CommandContext& ctx, GroupOptionUser user, GroupOptions* options) {
  for (size_t i = 5; i < ctx.argc(); ++i) {
    if (user == GroupOptionUser::kCreate && EqualsIgnoreCase(ctx.arg(i), "MKSTREAM")) {
      options->make_stream = true;
    } else if (EqualsIgnoreCase(ctx.arg(i), "ENTRIESREAD") && i + 1 < ctx.argc()) {
      if (!ParseInteger(ctx.arg(++i), &options->entries_read)) return ErrorCode::kNotInteger;
      if (options->entries_read < 0 && options->entries_read != storage::kEntriesReadUnknown) {
        return Status::Message("ERR value for ENTRIESREAD must be positive or -1");
      }
    } else {
      return SubcommandSyntaxError(ctx);
    }
  }
  return Ok();
}

// The stream and the group that a subcommand of XGROUP names.
enum class IfNoGroup : uint8_t { kError, kAllow };
Status OpenGroup(CommandContext& ctx, Stream* stream, StreamGroupWriter* writer, IfNoGroup if_no_group, bool* found) {
  const storage::Status status = StreamStore::Find(ctx.txn(), ctx.db(), ctx.key(2), Rows::kNeeded, stream);
  if (status == storage::Status::kNotFound) return KeyIsMissing();
  if (status != storage::Status::kOk) return status;
  const storage::Status opened = writer->Open(ctx.arg(3));
  *found = opened == storage::Status::kOk;
  if (*found || (opened == storage::Status::kNotFound && if_no_group == IfNoGroup::kAllow)) return Ok();
  return opened == storage::Status::kNotFound ? NoGroupOfKey(ctx.arg(3), ctx.arg(2)) : Status(opened);
}

Status XGroupCreate(CommandContext& ctx) {
  GroupOptions options;
  BASALT_RETURN_IF_ERROR(ParseGroupOptions(ctx, GroupOptionUser::kCreate, &options));
  const storage::HashedKey key = ctx.key(2);
  Stream stream;
  const storage::Status status = StreamStore::Find(ctx.txn(), ctx.db(), key, Rows::kNeeded, &stream);
  const bool missing = status == storage::Status::kNotFound;
  if (missing && !options.make_stream) return KeyIsMissing();
  if (!missing) BASALT_RETURN_IF_ERROR(status);
  constexpr size_t kArgumentsMax = 8;
  if (ctx.argc() > kArgumentsMax) return SubcommandSyntaxError(ctx);
  StreamId last_id = stream.header.last_id;
  if (ctx.arg(4) != "$") BASALT_RETURN_IF_ERROR(ParseStreamId(ctx.arg(4), StreamIdForm::kStrict, 0, &last_id));
  if (missing) stream = StreamStore::Create(ctx.txn(), ctx.db(), key);
  StreamGroupWriter writer(ctx.txn(), stream);
  const storage::Status opened = writer.Open(ctx.arg(3));
  if (opened == storage::Status::kOk) return Status::Message("BUSYGROUP Consumer Group name already exists");
  if (opened != storage::Status::kNotFound) return opened;
  writer.Create(ctx.arg(3), last_id, options.entries_read, &stream.header);
  BASALT_RETURN_IF_ERROR(writer.Finish());
  StreamStore::PutHeader(ctx.txn(), ctx.db(), key, stream);
  NotifyKey(ctx, kEventStream, "xgroup-create", key.key);
  ctx.reply.Ok();
  return Ok();
}

Status XGroupSetId(CommandContext& ctx) {
  GroupOptions options;
  BASALT_RETURN_IF_ERROR(ParseGroupOptions(ctx, GroupOptionUser::kSetId, &options));
  Stream stream;
  StreamGroupWriter writer(ctx.txn(), stream);
  bool found = false;
  BASALT_RETURN_IF_ERROR(OpenGroup(ctx, &stream, &writer, IfNoGroup::kError, &found));
  constexpr size_t kArgumentsMax = 7;
  if (ctx.argc() > kArgumentsMax) return SubcommandSyntaxError(ctx);
  StreamId last_id = stream.header.last_id;
  if (ctx.arg(4) != "$") BASALT_RETURN_IF_ERROR(ParseStreamId(ctx.arg(4), StreamIdForm::kNamed, 0, &last_id));
  StreamGroup* group = writer.MutableGroup();
  group->last_id = last_id;
  group->entries_read = options.entries_read;
  BASALT_RETURN_IF_ERROR(writer.Finish());
  NotifyKey(ctx, kEventStream, "xgroup-setid", ctx.arg(2));
  ctx.reply.Ok();
  return Ok();
}

Status XGroupDestroy(CommandContext& ctx) {
  Stream stream;
  StreamGroupWriter writer(ctx.txn(), stream);
  bool found = false;
  BASALT_RETURN_IF_ERROR(OpenGroup(ctx, &stream, &writer, IfNoGroup::kAllow, &found));
  if (found) {
    BASALT_RETURN_IF_ERROR(writer.Destroy(&stream.header));
    StreamStore::PutHeader(ctx.txn(), ctx.db(), ctx.key(2), stream);  // also wakes who waits for the group
    NotifyKey(ctx, kEventStream, "xgroup-destroy", ctx.arg(2));
  }
  ctx.reply.Integer(found ? 1 : 0);
  return Ok();
}

Status XGroupCreateConsumer(CommandContext& ctx) {
  Stream stream;
  StreamGroupWriter writer(ctx.txn(), stream);
  bool found = false;
  BASALT_RETURN_IF_ERROR(OpenGroup(ctx, &stream, &writer, IfNoGroup::kError, &found));
  StreamGroupWriter::Consumer consumer;
  BASALT_RETURN_IF_ERROR(FindOrMakeConsumer(ctx, ctx.arg(2), ctx.arg(4), &writer, &consumer));
  BASALT_RETURN_IF_ERROR(writer.Finish());
  ctx.reply.Integer(writer.IsNew(consumer) ? 1 : 0);
  return Ok();
}

Status XGroupDelConsumer(CommandContext& ctx) {
  Stream stream;
  StreamGroupWriter writer(ctx.txn(), stream);
  bool found = false;
  BASALT_RETURN_IF_ERROR(OpenGroup(ctx, &stream, &writer, IfNoGroup::kError, &found));
  StreamGroupWriter::Consumer consumer;
  uint64_t pending = 0;
  const storage::Status status = writer.FindConsumer(ctx.arg(4), StreamStore::IfMissing::kRefuse, &consumer);
  if (status != storage::Status::kNotFound) {
    BASALT_RETURN_IF_ERROR(status);
    BASALT_RETURN_IF_ERROR(writer.RemoveConsumer(consumer, &pending));
    BASALT_RETURN_IF_ERROR(writer.Finish());
    NotifyKey(ctx, kEventStream, "xgroup-delconsumer", ctx.arg(2));
  }
  ctx.reply.Integer(static_cast<int64_t>(pending));
  return Ok();
}

Status XGroupHelp(CommandContext& ctx) {
  static constexpr std::string_view kLines[] = {
      "CREATE <key> <groupname> <id|$> [option]",
      "    Make a consumer group that has read up to an id. Options are:",
      "    * MKSTREAM",
      "      Make the stream too when there is none.",
      "    * ENTRIESREAD entries_read",
      "      How many entries the group has read, for its lag.",
      "CREATECONSUMER <key> <groupname> <consumer>",
      "    Make a consumer in a group.",
      "DELCONSUMER <key> <groupname> <consumer>",
      "    Remove a consumer and what it has pending.",
      "DESTROY <key> <groupname>",
      "    Remove a group and all that is in it.",
      "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
      "    Set how far a group has read.",
  };
  return WriteHelp(ctx, kLines);
}

// ---- XACK ----

// The stream and group of arguments 1 and 2. *found: both are there.
Status FindGroup(CommandContext& ctx, storage::ReadView& view, Stream* stream, StreamGroup* group, bool* found) {
  storage::Status status = LookupStream(ctx, view, ctx.key(1), Rows::kNeeded, stream);
  if (status == storage::Status::kOk) status = StreamGroups::Find(view, *stream, ctx.arg(2), group);
  *found = status == storage::Status::kOk;
  return *found || status == storage::Status::kNotFound ? Ok() : Status(status);
}

Status OpenGroupForWrite(CommandContext& ctx, Stream* stream, StreamGroupWriter* writer, bool* found) {
  storage::Status status = LookupStream(ctx, ctx.txn(), ctx.key(1), Rows::kNeeded, stream);
  if (status == storage::Status::kOk) status = writer->Open(ctx.arg(2));
  *found = status == storage::Status::kOk;
  return *found || status == storage::Status::kNotFound ? Ok() : Status(status);
}

Status XAck(CommandContext& ctx) {
  Stream stream;
  StreamGroupWriter writer(ctx.txn(), stream);
  bool found = false;
  BASALT_RETURN_IF_ERROR(OpenGroupForWrite(ctx, &stream, &writer, &found));
  int64_t acknowledged = 0;
  if (found) {
    std::vector<StreamId> ids;
    BASALT_RETURN_IF_ERROR(ParseStreamIds(ctx.argv.subspan(3), &ids));
    BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, kRowsPerId * ids.size()));
    for (const StreamId id : ids) {
      const storage::Status status = writer.Acknowledge(id);
      if (status == storage::Status::kNotFound) continue;
      BASALT_RETURN_IF_ERROR(status);
      ++acknowledged;
    }
    BASALT_RETURN_IF_ERROR(writer.Finish());
  }
  ctx.reply.Integer(acknowledged);
  return Ok();
}

// ---- XPENDING ----

Status ReplyPendingSummary(CommandContext& ctx, const Stream& stream, const StreamGroup& group) {
  net::ReplyBuilder& reply = ctx.reply;
  reply.Array(4);
  reply.Integer(static_cast<int64_t>(group.pending));
  if (group.pending == 0) {
    reply.Null();
    reply.Null();
    reply.NullArray();
    return Ok();
  }
  StreamId first, last;
  BASALT_RETURN_IF_ERROR(StreamGroups::FirstPending(ctx.view(), stream, group, &first));
  BASALT_RETURN_IF_ERROR(StreamGroups::LastPending(ctx.view(), stream, group, &last));
  ReplyStreamId(reply, first);
  ReplyStreamId(reply, last);
  const auto at = reply.Mark();
  uint64_t consumers = 0;
  EntryBudget budget(ctx);
  BASALT_RETURN_IF_ERROR(StreamGroups::ForEachConsumer(ctx.view(), stream, group,
                                                       [&](std::string_view name, const StreamConsumer& consumer) {
                                                         if (!budget.Take(name.size())) return false;
                                                         if (consumer.pending == 0) return true;
                                                         ++consumers;
                                                         reply.Array(2);
                                                         reply.Bulk(name);
                                                         reply.BulkInteger(static_cast<int64_t>(consumer.pending));
                                                         return true;
                                                       }));
  reply.InsertArray(at, consumers);
  return budget.status();
}

// Names of consumers by their number, each read once.
class ConsumerNames {
 public:
  ConsumerNames(storage::ReadView& view, const Stream& stream, const StreamGroup& group)
      : view_(view), stream_(stream), group_(group) {}

  storage::Status Find(uint64_t number, const std::string** name) {
    auto [place, inserted] = names_.try_emplace(number);
    *name = &place->second;
    return inserted ? StreamGroups::ConsumerName(view_, stream_, group_, number, &place->second) : storage::Status::kOk;
  }

 private:
  storage::ReadView& view_;
  const Stream& stream_;
  const StreamGroup& group_;
  std::map<uint64_t, std::string> names_;
};

struct PendingRange {
  StreamId first, last;
  uint64_t count = 0;
  int64_t idle_min_ms = 0;
  std::optional<std::string_view> consumer;
};

Status ParsePendingRange(const CommandContext& ctx, PendingRange* range) {
  size_t at = 3;
  if (EqualsIgnoreCase(ctx.arg(at), "IDLE")) {
    if (!ParseInteger(ctx.arg(4), &range->idle_min_ms)) return ErrorCode::kNotInteger;
    if (ctx.argc() < 8) return ErrorCode::kSyntax;
    at = 5;
  }
  int64_t count;
  if (!ParseInteger(ctx.arg(at + 2), &count)) return ErrorCode::kNotInteger;
  range->count = count < 0 ? 0 : static_cast<uint64_t>(count);
  BASALT_RETURN_IF_ERROR(ParseStreamStart(ctx.arg(at), &range->first));
  BASALT_RETURN_IF_ERROR(ParseStreamEnd(ctx.arg(at + 1), &range->last));
  if (at + 3 < ctx.argc()) range->consumer = ctx.arg(at + 3);
  return Ok();
}

Status ReplyPendingRange(CommandContext& ctx, const Stream& stream, const StreamGroup& group,
                         const PendingRange& range) {
  net::ReplyBuilder& reply = ctx.reply;
  StreamConsumer consumer;
  if (range.consumer) {
    const storage::Status found = StreamGroups::FindConsumer(ctx.view(), stream, group, *range.consumer, &consumer);
    if (found == storage::Status::kNotFound) {
      reply.Array(0);
      return Ok();
    }
    BASALT_RETURN_IF_ERROR(found);
  }
  const auto at = reply.Mark();
  uint64_t entries = 0;
  EntryBudget budget(ctx);
  ConsumerNames names(ctx.view(), stream, group);
  storage::Status failed = storage::Status::kOk;
  const auto visit = [&](StreamId id, const PendingEntry& pending) {
    if (!budget.Take(0)) return false;
    const int64_t idle_ms = ctx.now_ms() - pending.delivered_ms;
    if (range.idle_min_ms != 0 && idle_ms < range.idle_min_ms) return true;
    const std::string* name;
    failed = names.Find(pending.consumer, &name);
    if (failed != storage::Status::kOk) return false;
    reply.Array(4);
    ReplyStreamId(reply, id);
    reply.Bulk(*name);
    reply.Integer(std::max<int64_t>(idle_ms, 0));
    reply.Integer(static_cast<int64_t>(pending.deliveries));
    return ++entries != range.count;
  };
  if (range.count != 0 && range.consumer) {
    BASALT_RETURN_IF_ERROR(
        StreamGroups::ForEachPendingOf(ctx.view(), stream, group, consumer, range.first, range.last, [&](StreamId id) {
          PendingEntry pending;
          failed = StreamGroups::FindPending(ctx.view(), stream, group, id, &pending);
          return failed == storage::Status::kOk && visit(id, pending);
        }));
  } else if (range.count != 0) {
    BASALT_RETURN_IF_ERROR(StreamGroups::ForEachPending(ctx.view(), stream, group, range.first, range.last, visit));
  }
  if (failed == storage::Status::kNotFound) return ErrorCode::kCorruption;
  BASALT_RETURN_IF_ERROR(failed);
  reply.InsertArray(at, entries);
  return budget.status();
}

Status XPending(CommandContext& ctx) {
  const bool summary = ctx.argc() == 3;
  PendingRange range;
  if (!summary) {
    if (ctx.argc() < 6 || ctx.argc() > 9) return ErrorCode::kSyntax;
    BASALT_RETURN_IF_ERROR(ParsePendingRange(ctx, &range));
  }
  Stream stream;
  StreamGroup group;
  bool found = false;
  BASALT_RETURN_IF_ERROR(FindGroup(ctx, ctx.view(), &stream, &group, &found));
  if (!found) return NoGroup(ctx.arg(1), ctx.arg(2));
  return summary ? ReplyPendingSummary(ctx, stream, group) : ReplyPendingRange(ctx, stream, group, range);
}

// ---- XCLAIM, XAUTOCLAIM ----

// A claimed entry, or its id alone.
enum class ClaimReply : uint8_t { kEntry, kId };
bool ReplyClaimed(net::ReplyBuilder& reply, ClaimReply form, StreamId id, std::string_view row) {
  if (form == ClaimReply::kId) {
    ReplyStreamId(reply, id);
    return true;
  }
  StreamEntry entry;
  return StreamEntry::Parse(row, &entry) && ReplyEntry(reply, id, entry);
}

Status ParseIdleMin(std::string_view text, std::string_view command, int64_t* idle_min_ms) {
  if (!ParseInteger(text, idle_min_ms)) {
    return Status::Message("ERR Invalid min-idle-time argument for " + std::string(command));
  }
  *idle_min_ms = std::max<int64_t>(*idle_min_ms, 0);
  return Ok();
}

struct XClaimOptions {
  storage::ClaimOptions claim;
  ClaimReply reply = ClaimReply::kEntry;
  StreamId last_id;  // the group has read up to here at least
};

Status ParseClaimOptions(const CommandContext& ctx, size_t from, XClaimOptions* options) {
  int64_t delivered_ms = -1;
  int64_t deliveries = -1;
  const auto parse = [&](size_t at, std::string_view name, int64_t* value) {
    if (ParseInteger(ctx.arg(at), value)) return Ok();
    return Status::Message("ERR Invalid " + std::string(name) + " option argument for XCLAIM");
  };
  for (size_t i = from; i < ctx.argc(); ++i) {
    const std::string_view word = ctx.arg(i);
    const bool more = i + 1 < ctx.argc();
    if (EqualsIgnoreCase(word, "FORCE")) {
      options->claim.force = true;
    } else if (EqualsIgnoreCase(word, "JUSTID")) {
      options->reply = ClaimReply::kId;
      options->claim.counts_as_delivery = false;
    } else if (more && EqualsIgnoreCase(word, "IDLE")) {
      int64_t idle_ms;
      BASALT_RETURN_IF_ERROR(parse(++i, "IDLE", &idle_ms));
      delivered_ms = static_cast<int64_t>(static_cast<uint64_t>(ctx.now_ms()) - static_cast<uint64_t>(idle_ms));
    } else if (more && EqualsIgnoreCase(word, "TIME")) {
      BASALT_RETURN_IF_ERROR(parse(++i, "TIME", &delivered_ms));
    } else if (more && EqualsIgnoreCase(word, "RETRYCOUNT")) {
      BASALT_RETURN_IF_ERROR(parse(++i, "RETRYCOUNT", &deliveries));
    } else if (more && EqualsIgnoreCase(word, "LASTID")) {
      BASALT_RETURN_IF_ERROR(ParseStreamId(ctx.arg(++i), StreamIdForm::kStrict, 0, &options->last_id));
    } else {
      return Status::Message("ERR Unrecognized XCLAIM option " + Quoted(word));
    }
  }
  // A time that cannot be is no error: clients compute it by their own clocks.
  const bool possible = delivered_ms >= 0 && delivered_ms <= ctx.now_ms();
  options->claim.delivered_ms = possible ? delivered_ms : ctx.now_ms();
  if (deliveries >= 0) options->claim.deliveries = static_cast<uint64_t>(deliveries);
  return Ok();
}

Status XClaim(CommandContext& ctx) {
  Stream stream;
  StreamGroupWriter writer(ctx.txn(), stream);
  bool found = false;
  BASALT_RETURN_IF_ERROR(OpenGroupForWrite(ctx, &stream, &writer, &found));
  if (!found) return NoGroup(ctx.arg(1), ctx.arg(2));
  XClaimOptions options;
  BASALT_RETURN_IF_ERROR(ParseIdleMin(ctx.arg(4), "XCLAIM", &options.claim.idle_min_ms));
  // Ids as far as they are any; options from there on.
  std::vector<StreamId> ids;
  for (StreamId id; 5 + ids.size() < ctx.argc(); ids.push_back(id)) {
    if (!ParseStreamId(ctx.arg(5 + ids.size()), StreamIdForm::kStrict, 0, &id).ok()) break;
  }
  BASALT_RETURN_IF_ERROR(ParseClaimOptions(ctx, 5 + ids.size(), &options));
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, kRowsPerId * ids.size()));

  if (options.last_id > writer.group().last_id) writer.MutableGroup()->last_id = options.last_id;
  StreamGroupWriter::Consumer consumer;
  BASALT_RETURN_IF_ERROR(FindOrMakeConsumer(ctx, ctx.arg(1), ctx.arg(3), &writer, &consumer));
  writer.SetSeen(consumer);
  const auto at = ctx.reply.Mark();
  uint64_t entries = 0;
  uint64_t bytes = 0;
  std::string row;
  for (const StreamId id : ids) {
    StreamGroupWriter::Claimed claimed;
    BASALT_RETURN_IF_ERROR(writer.Claim(consumer, id, options.claim, &claimed, &row));
    if (claimed != StreamGroupWriter::Claimed::kYes) continue;
    BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes += row.size()));
    if (!ReplyClaimed(ctx.reply, options.reply, id, row)) return ErrorCode::kCorruption;
    ++entries;
  }
  ctx.reply.InsertArray(at, entries);
  return writer.Finish();
}

Status XAutoClaim(CommandContext& ctx) {
  storage::ClaimOptions options;
  BASALT_RETURN_IF_ERROR(ParseIdleMin(ctx.arg(4), "XAUTOCLAIM", &options.idle_min_ms));
  options.delivered_ms = ctx.now_ms();
  StreamId start;
  BASALT_RETURN_IF_ERROR(ParseStreamStart(ctx.arg(5), &start));
  constexpr int64_t kCountMax = std::numeric_limits<int64_t>::max() / 16;
  int64_t count = 100;
  ClaimReply form = ClaimReply::kEntry;
  for (size_t i = 6; i < ctx.argc(); ++i) {
    if (EqualsIgnoreCase(ctx.arg(i), "COUNT") && i + 1 < ctx.argc()) {
      if (!ParseInteger(ctx.arg(++i), &count) || count < 1 || count > kCountMax) {
        return Status::Message("ERR COUNT must be > 0");
      }
    } else if (EqualsIgnoreCase(ctx.arg(i), "JUSTID")) {
      form = ClaimReply::kId;
      options.counts_as_delivery = false;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  Stream stream;
  StreamGroupWriter writer(ctx.txn(), stream);
  bool found = false;
  BASALT_RETURN_IF_ERROR(OpenGroupForWrite(ctx, &stream, &writer, &found));
  if (!found) return NoGroup(ctx.arg(1), ctx.arg(2));
  StreamGroupWriter::Consumer consumer;
  BASALT_RETURN_IF_ERROR(FindOrMakeConsumer(ctx, ctx.arg(1), ctx.arg(3), &writer, &consumer));
  writer.SetSeen(consumer);

  net::ReplyBuilder& reply = ctx.reply;
  const auto at = reply.Mark();
  uint64_t claimed_entries = 0;
  uint64_t bytes = 0;
  bool damaged = false;
  std::vector<StreamId> gone;
  StreamId next;
  BASALT_RETURN_IF_ERROR(writer.ClaimFrom(consumer, start, static_cast<uint64_t>(count), options, &next,
                                          [&](StreamId id, StreamGroupWriter::Claimed claimed, std::string_view row) {
                                            if (claimed == StreamGroupWriter::Claimed::kGone) {
                                              gone.push_back(id);
                                              return;
                                            }
                                            bytes += row.size();
                                            ++claimed_entries;
                                            damaged = !ReplyClaimed(reply, form, id, row) || damaged;
                                          }));
  if (damaged) return ErrorCode::kCorruption;
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes));
  reply.InsertArray(at, claimed_entries);
  reply.Array(gone.size());
  for (const StreamId id : gone) ReplyStreamId(reply, id);
  // In front of these: the cursor, and the array of three around all.
  const std::string cursor = std::to_string(next.ms) + "-" + std::to_string(next.seq);
  reply.buffer().Replace(at, at, "*3\r\n$" + std::to_string(cursor.size()) + "\r\n" + cursor + "\r\n");
  return writer.Finish();
}

// ---- rows ----

constexpr CommandHistory kCreateHistory[] = {{"7.0.0", "Option ENTRIESREAD."}};
constexpr CommandHistory kPendingHistory[] = {{"6.2.0", "Option IDLE, and ranges that exclude their ends."}};
constexpr CommandHistory kAutoClaimHistory[] = {{"7.0.0", "The reply also names entries that are gone."}};

constexpr auto kGroup = CommandGroup::kStream;

constexpr CommandSpec kRows[] = {
    {.name = "xgroup",
     .arity = -2,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "Depends on the subcommand",
     .summary = "Makes, changes and removes consumer groups."},
    {.name = "xgroup|create",
     .arity = -5,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert, 2)},
     .syntax = "key group (id | $) [MKSTREAM] [ENTRIESREAD entries-read:integer]",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Makes a consumer group.",
     .handler = XGroupCreate,
     .history = kCreateHistory},
    {.name = "xgroup|createconsumer",
     .arity = 5,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyInsert, 2)},
     .syntax = "key group consumer",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Makes a consumer in a group.",
     .handler = XGroupCreateConsumer},
    {.name = "xgroup|delconsumer",
     .arity = 5,
     .flags = kCmdWrite,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyDelete, 2)},
     .syntax = "key group consumer",
     .since = "5.0.0",
     .complexity = "O(N), N being the entries that the consumer has pending",
     .summary = "Removes a consumer and what it has pending.",
     .handler = XGroupDelConsumer},
    {.name = "xgroup|destroy",
     .arity = 4,
     .flags = kCmdWrite,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyDelete, 2)},
     .syntax = "key group",
     .since = "5.0.0",
     .complexity = "O(1); what the group had is removed in ranges",
     .summary = "Removes a consumer group.",
     .handler = XGroupDestroy},
    {.name = "xgroup|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "What the subcommands of XGROUP do.",
     .handler = XGroupHelp},
    {.name = "xgroup|setid",
     .arity = -5,
     .flags = kCmdWrite,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate, 2)},
     .syntax = "key group (id | $) [ENTRIESREAD entriesread=entries-read:integer]",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Sets how far a consumer group has read.",
     .handler = XGroupSetId,
     .history = kCreateHistory},
    {.name = "xack",
     .arity = -4,
     .flags = kCmdWrite | kCmdFast,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key group id…",
     .since = "5.0.0",
     .complexity = "O(1) for each id",
     .summary = "Tells a consumer group that entries are dealt with.",
     .handler = XAck},
    {.name = "xpending",
     .arity = -3,
     .flags = kCmdReadonly,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key group [[IDLE min-idle-time:integer] start end count:integer [consumer]]",
     .since = "5.0.0",
     .complexity = "O(N), N being the entries looked at; without a range, the consumers of the group",
     .summary = "Tells of entries that were delivered and not acknowledged.",
     .handler = XPending,
     .tips = {"nondeterministic_output"},
     .history = kPendingHistory},
    {.name = "xclaim",
     .arity = -6,
     .flags = kCmdWrite | kCmdFast,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key group consumer min-idle-time id… [IDLE ms:integer] [TIME unix-time-milliseconds:unix-time] "
               "[RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID lastid]",
     .since = "5.0.0",
     .complexity = "O(log N), N being the entries that the group has pending",
     .summary = "Makes a consumer the owner of entries that somebody else has pending.",
     .handler = XClaim,
     .tips = {"nondeterministic_output"}},
    {.name = "xautoclaim",
     .arity = -6,
     .flags = kCmdWrite | kCmdFast,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyDelete)},
     .syntax = "key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
     .since = "6.2.0",
     .complexity = "O(1) when COUNT is small",
     .summary = "Makes a consumer the owner of whatever has been pending for too long.",
     .handler = XAutoClaim,
     .tips = {"nondeterministic_output"},
     .history = kAutoClaimHistory},
};

}  // namespace

std::span<const CommandSpec> StreamGroupRows() { return kRows; }

}  // namespace basalt
