#include "server/commands/stream_arguments.h"

#include <charconv>
#include <limits>
#include <vector>

#include "server/commands/key_access.h"
#include "server/session.h"

namespace basalt {

using storage::StreamId;

namespace {

constexpr size_t kIdTextMax = 127;
constexpr uint64_t kSeqMax = std::numeric_limits<uint64_t>::max();

Status InvalidId() { return Status::Message("ERR Invalid stream ID specified as stream command argument"); }

std::string_view UpToZeroByte(std::string_view text) { return text.substr(0, text.find('\0')); }

// "ms", "ms-seq" and, when somebody asks for it, "ms-*".
Status ParseNumbers(std::string_view text, uint64_t missing_seq, StreamId* id, bool* any_seq) {
  if (text.size() > kIdTextMax) return InvalidId();
  text = UpToZeroByte(text);
  const size_t dash = text.find('-');
  if (!ParseUnsigned(text.substr(0, dash), &id->ms)) return InvalidId();
  id->seq = missing_seq;
  if (dash == std::string_view::npos) return Ok();
  const std::string_view seq = text.substr(dash + 1);
  if (any_seq != nullptr && seq == "*") {
    *any_seq = true;
    id->seq = 0;
    return Ok();
  }
  return ParseUnsigned(seq, &id->seq) ? Ok() : InvalidId();
}

// An end of a range. *excluded: it began with "(".
Status ParseEnd(std::string_view text, uint64_t missing_seq, StreamId* id, bool* excluded) {
  *excluded = text.size() > 1 && text[0] == '(';
  return *excluded ? ParseStreamId(text.substr(1), StreamIdForm::kStrict, missing_seq, id)
                   : ParseStreamId(text, StreamIdForm::kNamed, missing_seq, id);
}

}  // namespace

Status ParseStreamId(std::string_view text, StreamIdForm form, uint64_t missing_seq, StreamId* id) {
  const std::string_view name = UpToZeroByte(text);
  if (text.size() <= kIdTextMax && (name == "-" || name == "+")) {
    if (form == StreamIdForm::kStrict) return InvalidId();
    *id = name == "-" ? storage::kStreamIdMin : storage::kStreamIdMax;
    return Ok();
  }
  return ParseNumbers(text, missing_seq, id, nullptr);
}

Status ParseNewStreamId(std::string_view text, storage::StreamIdRequest* request) {
  using Form = storage::StreamIdRequest::Form;
  if (UpToZeroByte(text) == "*") {
    request->form = Form::kAuto;
    return Ok();
  }
  bool any_seq = false;
  BASALT_RETURN_IF_ERROR(ParseNumbers(text, 0, &request->id, &any_seq));
  request->form = any_seq ? Form::kMilliseconds : Form::kWhole;
  return Ok();
}

Status ParseStreamStart(std::string_view text, StreamId* first) {
  bool excluded = false;
  BASALT_RETURN_IF_ERROR(ParseEnd(text, 0, first, &excluded));
  if (excluded && !first->Increment()) return Status::Message("ERR invalid start ID for the interval");
  return Ok();
}

Status ParseStreamEnd(std::string_view text, StreamId* last) {
  bool excluded = false;
  BASALT_RETURN_IF_ERROR(ParseEnd(text, kSeqMax, last, &excluded));
  if (excluded && !last->Decrement()) return Status::Message("ERR invalid end ID for the interval");
  return Ok();
}

Status ParseStreamIds(std::span<const std::string_view> texts, std::vector<StreamId>* ids) {
  ids->reserve(texts.size());
  for (const std::string_view text : texts) {
    BASALT_RETURN_IF_ERROR(ParseStreamId(text, StreamIdForm::kStrict, 0, &ids->emplace_back()));
  }
  return Ok();
}

storage::Status LookupStream(CommandContext& ctx, storage::ReadView& view, const storage::HashedKey& key,
                             storage::StreamStore::Rows rows, storage::Stream* stream) {
  view.CountAsUse(!ctx.session.no_touch);
  const storage::Status status = storage::StreamStore::Find(view, ctx.db(), key, rows, stream);
  view.CountAsUse(true);
  return CountLookup(ctx, key, status);
}

storage::Status FindOrMakeConsumer(CommandContext& ctx, std::string_view key, std::string_view name,
                                   storage::StreamGroupWriter* writer, storage::StreamGroupWriter::Consumer* consumer) {
  const storage::Status status = writer->FindConsumer(name, storage::StreamStore::IfMissing::kCreate, consumer);
  if (status == storage::Status::kOk && writer->IsNew(*consumer)) {
    NotifyKey(ctx, kEventStream, "xgroup-createconsumer", key);
  }
  return status;
}

std::string Quoted(std::string_view argument) { return "'" + std::string(UpToZeroByte(argument)) + "'"; }

Status NoGroup(std::string_view key, std::string_view group, std::string_view rest) {
  return Status::Message("NOGROUP No such key " + Quoted(key) + " or consumer group " + Quoted(group) +
                         std::string(rest));
}

Status NoGroupOfKey(std::string_view group, std::string_view key) {
  return Status::Message("NOGROUP No such consumer group " + Quoted(group) + " for key name " + Quoted(key));
}

void ReplyStreamId(net::ReplyBuilder& reply, StreamId id) {
  constexpr size_t kDigitsMax = 20;
  char text[2 * kDigitsMax + 1];
  char* end = std::to_chars(text, text + kDigitsMax, id.ms).ptr;
  *end++ = '-';
  end = std::to_chars(end, end + kDigitsMax, id.seq).ptr;
  reply.Bulk({text, static_cast<size_t>(end - text)});
}

bool ReplyEntry(net::ReplyBuilder& reply, StreamId id, const storage::StreamEntry& entry) {
  reply.Array(2);
  ReplyStreamId(reply, id);
  reply.Array(entry.strings());
  return entry.ForEach([&reply](std::string_view string) { reply.Bulk(string); });
}

bool EntryBudget::Take(uint64_t bytes) {
  ++entries_;
  bytes_ += bytes;
  spent_ = limited_ && (entries_ > entries_max_ || bytes_ > kFastLaneBytesMax);
  return !spent_;
}

Status ReplyEntries(CommandContext& ctx, const storage::Stream& stream, StreamId first, StreamId last,
                    storage::ScanOrder order, uint64_t count, EntryBudget* budget) {
  const auto at = ctx.reply.Mark();
  uint64_t entries = 0;
  bool damaged = false;
  BASALT_RETURN_IF_ERROR(storage::StreamStore::ForEach(ctx.view(), stream, first, last, order,
                                                       [&](StreamId id, const storage::StreamEntry& entry) {
                                                         if (!budget->Take(entry.bytes())) return false;
                                                         damaged = !ReplyEntry(ctx.reply, id, entry);
                                                         ++entries;
                                                         return !damaged && entries != count;
                                                       }));
  if (damaged) return ErrorCode::kCorruption;
  BASALT_RETURN_IF_ERROR(budget->status());
  ctx.reply.InsertArray(at, entries);
  return Ok();
}

}  // namespace basalt
