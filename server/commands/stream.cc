// Streams: entries. Reading several at a time and waiting for more is in stream_read.cc, consumer groups in
// stream_group.cc, XINFO in stream_info.cc.

#include <algorithm>
#include <vector>

#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/commands/stream_arguments.h"
#include "server/config_snapshot.h"
#include "server/config_table.h"

namespace basalt {
namespace {

using storage::Stream;
using storage::StreamId;
using storage::StreamStore;
using storage::StreamTrim;

// ---- XADD, XTRIM ----

constexpr int64_t kTrimNodesMax = 100;  // by "~", when LIMIT is not given
constexpr int64_t kTrimEntriesDefault = 10000;
constexpr int64_t kTrimEntriesMax = 1000000;

enum class TrimUser : uint8_t { kXAdd, kXTrim };

struct AddOptions {
  StreamTrim trim;
  bool no_create = false;
  storage::StreamIdRequest id;  // XADD
  size_t id_at = 0;             // … and which argument it is
};

Status ParseLimit(const CommandContext& ctx, int64_t limit, bool limit_given, StreamTrim* trim) {
  if (limit_given && !trim->approximate) {
    return Status::Message("ERR syntax error, LIMIT cannot be used without the special ~ option");
  }
  if (!limit_given && trim->approximate) {
    const int64_t entries_max = ctx.services.config.current().stream_node_max_entries;
    limit = entries_max > kTrimEntriesMax ? kTrimEntriesMax : kTrimNodesMax * entries_max;
    if (limit <= 0) limit = kTrimEntriesDefault;
    limit = std::min(limit, kTrimEntriesMax);
  }
  trim->limit = static_cast<uint64_t>(limit);
  return Ok();
}

// What MAXLEN or MINID at argument *i say; *i is their last argument then.
Status ParseThreshold(const CommandContext& ctx, StreamTrim::By by, size_t* i, StreamTrim* trim) {
  if (trim->by != StreamTrim::By::kNothing) {
    return Status::Message("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
  }
  trim->by = by;
  ++*i;
  if (*i + 1 < ctx.argc() && (ctx.arg(*i) == "~" || ctx.arg(*i) == "=")) {
    trim->approximate = ctx.arg(*i) == "~";
    ++*i;
  }
  if (by == StreamTrim::By::kId) return ParseStreamId(ctx.arg(*i), StreamIdForm::kStrict, 0, &trim->id_min);
  int64_t length_max;
  if (!ParseInteger(ctx.arg(*i), &length_max)) return ErrorCode::kNotInteger;
  if (length_max < 0) return Status::Message("ERR The MAXLEN argument must be >= 0.");
  trim->length_max = static_cast<uint64_t>(length_max);
  return Ok();
}

Status ParseAddOptions(const CommandContext& ctx, TrimUser user, AddOptions* options) {
  const bool add = user == TrimUser::kXAdd;
  StreamTrim& trim = options->trim;
  int64_t limit = 0;
  bool limit_given = false;
  size_t i = 2;
  for (; i < ctx.argc(); ++i) {
    const std::string_view word = ctx.arg(i);
    const bool more = i + 1 < ctx.argc();
    if (add && word == "*") {
      break;
    } else if (more && EqualsIgnoreCase(word, "MAXLEN")) {
      BASALT_RETURN_IF_ERROR(ParseThreshold(ctx, StreamTrim::By::kLength, &i, &trim));
    } else if (more && EqualsIgnoreCase(word, "MINID")) {
      BASALT_RETURN_IF_ERROR(ParseThreshold(ctx, StreamTrim::By::kId, &i, &trim));
    } else if (more && EqualsIgnoreCase(word, "LIMIT")) {
      if (!ParseInteger(ctx.arg(++i), &limit)) return ErrorCode::kNotInteger;
      if (limit < 0) return Status::Message("ERR The LIMIT argument must be >= 0.");
      limit_given = true;
    } else if (add && EqualsIgnoreCase(word, "NOMKSTREAM")) {
      options->no_create = true;
    } else if (add) {
      BASALT_RETURN_IF_ERROR(ParseNewStreamId(word, &options->id));
      break;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  options->id_at = i;
  if (limit != 0 && trim.by == StreamTrim::By::kNothing) {
    return Status::Message("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
  }
  if (!add && trim.by == StreamTrim::By::kNothing) {
    return Status::Message("ERR syntax error, XTRIM must be called with a trimming strategy");
  }
  return ParseLimit(ctx, limit, limit_given, &trim);
}

Status XAdd(CommandContext& ctx) {
  AddOptions options;
  BASALT_RETURN_IF_ERROR(ParseAddOptions(ctx, TrimUser::kXAdd, &options));
  const size_t fields_at = options.id_at + 1;
  if (fields_at + 2 > ctx.argc() || (ctx.argc() - fields_at) % 2 != 0) {
    return Status::Message("ERR wrong number of arguments for 'xadd' command");
  }
  if (options.id.form == storage::StreamIdRequest::Form::kWhole && options.id.id.zero()) {
    return Status::Message("ERR The ID specified in XADD must be greater than 0-0");
  }
  const std::span<const std::string_view> fields = ctx.argv.subspan(fields_at);
  uint64_t bytes = 0;
  for (const std::string_view each : fields) bytes += each.size();
  BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx, bytes));
  const ConfigSnapshot& config = ctx.services.config.current();
  const storage::StreamNodeLimits limits{.entries_max = static_cast<uint64_t>(config.stream_node_max_entries),
                                         .bytes_max = static_cast<uint64_t>(config.stream_node_max_bytes)};
  StreamId id;
  uint64_t trimmed = 0;
  const storage::Status added =
      StreamStore::Add(ctx.txn(), ctx.db(), ctx.key(1), options.id, fields,
                       options.no_create ? StreamStore::IfMissing::kRefuse : StreamStore::IfMissing::kCreate,
                       options.trim, limits, &id, &trimmed);
  switch (added) {
    case storage::Status::kOk:
      NotifyKey(ctx, kEventStream, "xadd", ctx.arg(1));
      if (trimmed > 0) NotifyKey(ctx, kEventStream, "xtrim", ctx.arg(1));
      ReplyStreamId(ctx.reply, id);
      return Ok();
    case storage::Status::kNotFound:
      ctx.reply.Null();
      return Ok();
    case storage::Status::kOverflow:
      return Status::Message("ERR The stream has exhausted the last possible ID, unable to add more items");
    case storage::Status::kInvalid:
      return Status::Message("ERR The ID specified in XADD is equal or smaller than the target stream top item");
    case storage::Status::kTooLarge:
      return Status::Message("ERR Elements are too large to be stored");
    default:
      return added;
  }
}

Status XTrim(CommandContext& ctx) {
  AddOptions options;
  BASALT_RETURN_IF_ERROR(ParseAddOptions(ctx, TrimUser::kXTrim, &options));
  uint64_t removed = 0;
  const storage::Status status = StreamStore::Trim(ctx.txn(), ctx.db(), ctx.key(1), options.trim, &removed);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  if (removed > 0) NotifyKey(ctx, kEventStream, "xtrim", ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(removed));
  return Ok();
}

// ---- XLEN, XRANGE, XREVRANGE ----

Status XLen(CommandContext& ctx) {
  Stream stream;
  const storage::Status found = LookupStream(ctx, ctx.view(), ctx.key(1), StreamStore::Rows::kNotNeeded, &stream);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  ctx.reply.Integer(static_cast<int64_t>(stream.header.length));
  return Ok();
}

Status Range(CommandContext& ctx, storage::ScanOrder order) {
  const bool forward = order == storage::ScanOrder::kForward;
  StreamId first, last;
  BASALT_RETURN_IF_ERROR(ParseStreamStart(ctx.arg(forward ? 2 : 3), &first));
  BASALT_RETURN_IF_ERROR(ParseStreamEnd(ctx.arg(forward ? 3 : 2), &last));
  int64_t count = -1;
  for (size_t i = 4; i < ctx.argc(); i += 2) {
    if (!EqualsIgnoreCase(ctx.arg(i), "COUNT") || i + 1 == ctx.argc()) return ErrorCode::kSyntax;
    if (!ParseInteger(ctx.arg(i + 1), &count)) return ErrorCode::kNotInteger;
    count = std::max<int64_t>(count, 0);
  }
  Stream stream;
  const storage::Status found = LookupStream(ctx, ctx.view(), ctx.key(1), StreamStore::Rows::kNeeded, &stream);
  if (found == storage::Status::kNotFound) {
    ctx.reply.Array(0);
    return Ok();
  }
  if (found != storage::Status::kOk) return found;
  if (count == 0) {
    ctx.reply.NullArray();
    return Ok();
  }
  const uint64_t count_max = count < 0 ? 0 : static_cast<uint64_t>(count);
  if (first <= stream.header.first_entry && last >= stream.header.last_entry) {
    const uint64_t entries = count_max == 0 ? stream.header.length : std::min(count_max, stream.header.length);
    if (entries > EntryBudget::kFastLaneEntriesMax && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
  }
  EntryBudget budget(ctx);
  return ReplyEntries(ctx, stream, first, last, order, count_max, &budget);
}

Status XRange(CommandContext& ctx) { return Range(ctx, storage::ScanOrder::kForward); }
Status XRevRange(CommandContext& ctx) { return Range(ctx, storage::ScanOrder::kBackward); }

// ---- XDEL, XSETID ----

Status XDel(CommandContext& ctx) {
  const storage::HashedKey key = ctx.key(1);
  Stream stream;
  const storage::Status found = StreamStore::Find(ctx.txn(), ctx.db(), key, StreamStore::Rows::kNotNeeded, &stream);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  uint64_t removed = 0;
  if (found == storage::Status::kOk) {
    std::vector<StreamId> ids;
    BASALT_RETURN_IF_ERROR(ParseStreamIds(ctx.argv.subspan(2), &ids));
    BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ids.size()));
    BASALT_RETURN_IF_ERROR(StreamStore::Delete(ctx.txn(), ctx.db(), key, ids, &removed));
    if (removed > 0) NotifyKey(ctx, kEventStream, "xdel", key.key);
  }
  ctx.reply.Integer(static_cast<int64_t>(removed));
  return Ok();
}

Status XSetId(CommandContext& ctx) {
  StreamId last_id, max_deleted_id;
  int64_t entries_added = -1;
  BASALT_RETURN_IF_ERROR(ParseStreamId(ctx.arg(2), StreamIdForm::kStrict, 0, &last_id));
  for (size_t i = 3; i < ctx.argc(); i += 2) {
    const bool more = i + 1 < ctx.argc();
    if (more && EqualsIgnoreCase(ctx.arg(i), "ENTRIESADDED")) {
      if (!ParseInteger(ctx.arg(i + 1), &entries_added)) return ErrorCode::kNotInteger;
      if (entries_added < 0) return Status::Message("ERR entries_added must be positive");
    } else if (more && EqualsIgnoreCase(ctx.arg(i), "MAXDELETEDID")) {
      BASALT_RETURN_IF_ERROR(ParseStreamId(ctx.arg(i + 1), StreamIdForm::kStrict, 0, &max_deleted_id));
      if (last_id < max_deleted_id) {
        return Status::Message("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
      }
    } else {
      return ErrorCode::kSyntax;
    }
  }
  const storage::HashedKey key = ctx.key(1);
  Stream stream;
  const storage::Status found = StreamStore::Find(ctx.txn(), ctx.db(), key, StreamStore::Rows::kNotNeeded, &stream);
  if (found == storage::Status::kNotFound) return ErrorCode::kNoSuchKey;
  if (found != storage::Status::kOk) return found;
  storage::StreamHeader& header = stream.header;
  if (last_id < header.max_deleted_id) {
    return Status::Message("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  }
  if (header.length != 0 && last_id < header.last_entry) {
    return Status::Message("ERR The ID specified in XSETID is smaller than the target stream top item");
  }
  if (header.length != 0 && entries_added != -1 && header.length > static_cast<uint64_t>(entries_added)) {
    return Status::Message("ERR The entries_added specified in XSETID is smaller than the target stream length");
  }
  header.last_id = last_id;
  if (entries_added != -1) header.entries_added = static_cast<uint64_t>(entries_added);
  if (!max_deleted_id.zero()) header.max_deleted_id = max_deleted_id;
  StreamStore::PutHeader(ctx.txn(), ctx.db(), key, stream);
  NotifyKey(ctx, kEventStream, "xsetid", key.key);
  ctx.reply.Ok();
  return Ok();
}

// ---- rows ----

constexpr CommandHistory kAddHistory[] = {{"6.2.0", "Options NOMKSTREAM, MINID and LIMIT."},
                                          {"7.0.0", "An id whose sequence number alone is left open."}};
constexpr CommandHistory kTrimHistory[] = {{"6.2.0", "Options MINID and LIMIT."}};
constexpr CommandHistory kRangeHistory[] = {{"6.2.0", "Ranges that exclude their ends."}};
constexpr CommandHistory kSetIdHistory[] = {{"7.0.0", "Options ENTRIESADDED and MAXDELETEDID."}};

constexpr auto kGroup = CommandGroup::kStream;

constexpr CommandSpec kEntryRows[] = {
    {.name = "xadd",
     .arity = -5,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate).Noted("No mere insertion: it may trim.")},
     .syntax = "key [NOMKSTREAM] [(MAXLEN | MINID) [= | ~] threshold [LIMIT count:integer]] (* | id) (field value)…",
     .since = "5.0.0",
     .complexity = "O(1), and O(N) for the N entries trimmed",
     .summary = "Appends an entry to a stream and may trim it.",
     .handler = XAdd,
     .tips = {"nondeterministic_output"},
     .history = kAddHistory},
    {.name = "xtrim",
     .arity = -4,
     .flags = kCmdWrite,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyDelete)},
     .syntax = "key ((MAXLEN | MINID) [= | ~] threshold [LIMIT count:integer])",
     .since = "5.0.0",
     .complexity = "O(N), N being the entries removed, with a small constant",
     .summary = "Removes the oldest entries of a stream.",
     .handler = XTrim,
     .tips = {"nondeterministic_output"},
     .history = kTrimHistory},
    {.name = "xlen",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRO)},
     .syntax = "key",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Counts the entries of a stream.",
     .handler = XLen},
    {.name = "xrange",
     .arity = -4,
     .flags = kCmdReadonly,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key start end [COUNT count:integer]",
     .since = "5.0.0",
     .complexity = "O(N), N being the entries answered",
     .summary = "Answers the entries between two ids, the oldest first.",
     .handler = XRange,
     .history = kRangeHistory},
    {.name = "xrevrange",
     .arity = -4,
     .flags = kCmdReadonly,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key end start [COUNT count:integer]",
     .since = "5.0.0",
     .complexity = "O(N), N being the entries answered",
     .summary = "Answers the entries between two ids, the newest first.",
     .handler = XRevRange,
     .history = kRangeHistory},
    {.name = "xdel",
     .arity = -3,
     .flags = kCmdWrite | kCmdFast,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyDelete)},
     .syntax = "key id…",
     .since = "5.0.0",
     .complexity = "O(1) for each id",
     .summary = "Removes entries from a stream.",
     .handler = XDel},
    {.name = "xsetid",
     .arity = -3,
     .flags = kCmdWrite | kCmdDenyOom | kCmdFast,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key last-id [ENTRIESADDED entries-added:integer] [MAXDELETEDID max-deleted-id]",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Sets the last id of a stream, and its counters.",
     .handler = XSetId,
     .history = kSetIdHistory},
};

}  // namespace

std::span<const CommandSpec> StreamCommands() {
  static const std::vector<CommandSpec> kRows = [] {
    std::vector<CommandSpec> rows;
    for (const std::span<const CommandSpec> each :
         {std::span<const CommandSpec>(kEntryRows), StreamReadRows(), StreamGroupRows(), StreamInfoRows()}) {
      rows.insert(rows.end(), each.begin(), each.end());
    }
    return rows;
  }();
  return kRows;
}

}  // namespace basalt
