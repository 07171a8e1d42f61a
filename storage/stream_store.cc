#include "storage/stream_store.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "storage/storage.h"

namespace basalt::storage {
namespace {

std::string EncodeEntry(std::span<const std::string_view> fields) {
  size_t bytes = VarintBytes(fields.size());
  for (const std::string_view each : fields) bytes += PackedBytes(each);
  std::string row;
  row.reserve(bytes);
  AppendVarint(fields.size(), &row);
  for (const std::string_view each : fields) AppendPacked(each, &row);
  return row;
}

void DeleteEntry(WriteTxn& txn, uint64_t object_id, StreamId id) {
  KeyBuffer key;
  EncodeStreamEntryKey(object_id, id, &key);
  txn.DeleteRow(RowFamily::kData, key.view());
}

// kOverflow, kInvalid.
Status NextId(const StreamHeader& header, const StreamIdRequest& request, int64_t now_ms, StreamId* id) {
  if (header.last_id == kStreamIdMax) return Status::kOverflow;
  switch (request.form) {
    case StreamIdRequest::Form::kAuto:
      *id = {static_cast<uint64_t>(now_ms), 0};
      if (id->ms <= header.last_id.ms) {  // the clock stands or went back; ids never do
        *id = header.last_id;
        id->Increment();
      }
      break;
    case StreamIdRequest::Form::kMilliseconds:
      *id = {request.id.ms, 0};
      if (request.id.ms == header.last_id.ms) {
        if (header.last_id.seq == UINT64_MAX) return Status::kInvalid;
        *id = {header.last_id.ms, header.last_id.seq + 1};
      }
      break;
    case StreamIdRequest::Form::kWhole:
      *id = request.id;
      break;
  }
  return *id > header.last_id ? Status::kOk : Status::kInvalid;
}

}  // namespace

Status StreamStore::Find(ReadView& view, DbIndex db, const HashedKey& key, Rows rows, Stream* stream) {
  Status status = view.GetRecord(db, key, ValueType::kStream, &stream->record);
  if (status == Status::kOk && rows == Rows::kNeeded) {
    view.RequireSnapshot();
    status = view.GetRecord(db, key, ValueType::kStream, &stream->record);
  }
  if (status != Status::kOk) return status;
  const std::optional<StreamHeader> header = ParseStreamHeader(stream->record->payload());
  if (!header || IsPacked(*stream->record)) return Status::kCorruption;
  stream->header = *header;
  return Status::kOk;
}

Stream StreamStore::Create(WriteTxn& txn, DbIndex db, const HashedKey& key) {
  Stream stream;
  stream.record = Record::Make({.type = ValueType::kStream,
                                .encoding = Encoding::kStream,
                                .expire_ms = kNoExpire,
                                .object_id = txn.NewObjectId()},
                               EncodeStreamHeader(stream.header));
  txn.Put(db, key, stream.record);
  return stream;
}

void StreamStore::PutHeader(WriteTxn& txn, DbIndex db, const HashedKey& key, const Stream& stream) {
  txn.Put(db, key, Record::Make(stream.record->header(), EncodeStreamHeader(stream.header)));
}

bool StreamStore::EntryBounds(const Stream& stream, StreamId first, StreamId last, KeyBuffer* lower, KeyBuffer* upper) {
  // Never over what is known to be gone: seeking past removed rows is slow.
  first = std::max(first, stream.header.first_entry);
  last = std::min(last, stream.header.last_entry);
  if (stream.header.length == 0 || first > last) return false;
  EncodeStreamEntryKey(stream.object_id(), first, lower);
  EncodeStreamEntryKey(stream.object_id(), last, upper);
  EncodeBoundBehind(upper);
  return true;
}

Status StreamStore::Get(ReadView& view, const Stream& stream, StreamId id, std::string* row) {
  if (stream.header.length == 0 || id < stream.header.first_entry || id > stream.header.last_entry) {
    return Status::kNotFound;
  }
  KeyBuffer key;
  EncodeStreamEntryKey(stream.object_id(), id, &key);
  return view.GetRow(RowFamily::kData, key.view(), row);
}

Status StreamStore::Add(WriteTxn& txn, DbIndex db, const HashedKey& key, const StreamIdRequest& request,
                        std::span<const std::string_view> fields, IfMissing if_missing, const StreamTrim& trim,
                        const StreamNodeLimits& limits, StreamId* id, uint64_t* trimmed) {
  Stream stream;
  Status status = Find(txn, db, key, Rows::kNotNeeded, &stream);
  const bool missing = status == Status::kNotFound;
  if (status != Status::kOk && (!missing || if_missing == IfMissing::kRefuse)) return status;
  StreamHeader& header = stream.header;
  status = NextId(header, request, txn.now_ms(), id);
  if (status != Status::kOk) return status;
  uint64_t bytes = 0;
  for (const std::string_view each : fields) bytes += each.size();
  if (bytes > StreamNodes::kEntryBytesMax) return Status::kTooLarge;
  if (missing) stream = Create(txn, db, key);

  KeyBuffer row_key;
  EncodeStreamEntryKey(stream.object_id(), *id, &row_key);
  txn.PutRow(RowFamily::kData, row_key.view(), EncodeEntry(fields));
  StreamNodes::Append(txn, stream.object_id(), &header, *id, fields, limits);
  if (header.length++ == 0) header.first_entry = *id;
  header.last_id = header.last_entry = *id;
  ++header.entries_added;

  status = TrimHeader(txn, &stream, trim, trimmed);
  if (status == Status::kOk) PutHeader(txn, db, key, stream);
  return status;
}

Status StreamStore::Trim(WriteTxn& txn, DbIndex db, const HashedKey& key, const StreamTrim& trim, uint64_t* removed) {
  *removed = 0;
  Stream stream;
  Status status = Find(txn, db, key, Rows::kNotNeeded, &stream);
  if (status != Status::kOk) return status;
  status = TrimHeader(txn, &stream, trim, removed);
  if (status == Status::kOk && *removed != 0) PutHeader(txn, db, key, stream);
  return status;
}

// Takes entries away from the front; the header is still to be put.
Status StreamStore::TrimHeader(WriteTxn& txn, Stream* stream, const StreamTrim& trim, uint64_t* removed) {
  StreamHeader& header = stream->header;
  const uint64_t id = stream->object_id();
  const bool by_length = trim.by == StreamTrim::By::kLength;
  *removed = 0;
  if (trim.by == StreamTrim::By::kNothing || header.length == 0) return Status::kOk;
  if (by_length ? header.length <= trim.length_max : header.first_entry >= trim.id_min) return Status::kOk;
  const StreamId old_first = header.first_entry;
  const StreamId old_last = header.last_entry;

  // Whole nodes first.
  bool limited = false;
  uint64_t left = header.length;
  const auto wanted = [&](const StreamNode& node) {
    if (by_length && left <= trim.length_max) return false;
    limited = trim.limit != 0 && header.length - left + node.entries > trim.limit;
    const bool whole = by_length ? left - node.entries >= trim.length_max : node.last < trim.id_min;
    if (limited || !whole) return false;
    left -= node.entries;
    return true;
  };
  Status status = StreamNodes::RemoveFront(txn, id, &header, wanted, removed);
  if (status != Status::kOk) return status;
  header.length = left;

  // Then entries of the node that is in front now, and where the stream begins.
  uint64_t part = 0;
  if (header.length != 0) {
    const bool exact = !trim.approximate && !limited;
    const uint64_t part_max = exact && by_length && left > trim.length_max ? left - trim.length_max : 0;
    bool found = false;
    bool too_many = false;
    header.first_entry = std::max(old_first, StreamNodes::Front(&header)->first);
    if (*removed == 0 && (!exact || (by_length && part_max == 0))) return Status::kOk;
    status = ForEach(txn, *stream, header.first_entry, kStreamIdMax, ScanOrder::kForward,
                     [&](StreamId at, const StreamEntry&) {
                       const bool goes = exact && (by_length ? part < part_max : at < trim.id_min);
                       part += goes ? 1 : 0;
                       found = !goes;
                       if (found) header.first_entry = at;
                       too_many = part > kMemoryRowsMax && txn.tier() == ReadTier::kMemory;
                       return goes && !too_many;
                     });
    if (status != Status::kOk) return status;
    if (too_many) return Status::kIncomplete;
    StreamNode* front = StreamNodes::Front(&header);
    if (part > front->entries || (!found && part != header.length)) return Status::kCorruption;
    header.length -= part;
    *removed += part;
    front->entries -= static_cast<uint32_t>(part);
    front->deleted += static_cast<uint32_t>(part);
    if (front->entries == 0) {
      status = StreamNodes::DropFront(txn, id, &header);
      if (status != Status::kOk) return status;
    }
  }
  if (header.length == 0) header.first_entry = header.last_entry = kStreamIdMin;

  // The rows.
  if (*removed == 0) return Status::kOk;
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeStreamEntryKey(id, old_first, &lower);
  if (header.length != 0) {
    EncodeStreamEntryKey(id, header.first_entry, &upper);
  } else {
    EncodeStreamEntryKey(id, old_last, &upper);
    EncodeBoundBehind(&upper);
  }
  if (*removed > kPointDeletesMax) {
    txn.DeleteRows(RowFamily::kData, lower.view(), upper.view());
    return Status::kOk;
  }
  std::vector<StreamId> gone;
  gone.reserve(*removed);
  status = ScanRows(txn, RowFamily::kData, lower.view(), upper.view(), [&](std::string_view row_key, std::string_view) {
    if (const std::optional<StreamId> at = ParseStreamEntryKey(row_key)) gone.push_back(*at);
    return true;
  });
  if (status != Status::kOk) return status;
  if (gone.size() != *removed) return Status::kCorruption;
  for (const StreamId at : gone) DeleteEntry(txn, id, at);
  return Status::kOk;
}

Status StreamStore::Delete(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const StreamId> ids,
                           uint64_t* removed) {
  *removed = 0;
  Stream stream;
  Status status = Find(txn, db, key, Rows::kNotNeeded, &stream);
  if (status != Status::kOk) return status;
  StreamHeader& header = stream.header;
  const StreamId old_first = header.first_entry;
  const StreamId old_last = header.last_entry;
  bool first_gone = false;
  bool last_gone = false;
  std::string row;
  for (const StreamId id : ids) {
    status = Get(txn, stream, id, &row);
    if (status == Status::kNotFound) continue;
    if (status != Status::kOk) return status;
    DeleteEntry(txn, stream.object_id(), id);
    status = StreamNodes::Remove(txn, stream.object_id(), &header, id);
    if (status != Status::kOk) return status;
    header.max_deleted_id = std::max(header.max_deleted_id, id);
    first_gone = first_gone || id == old_first;
    last_gone = last_gone || id == old_last;
    --header.length;
    ++*removed;
  }
  if (*removed == 0) return Status::kOk;
  if (header.length == 0) {
    header.first_entry = header.last_entry = kStreamIdMin;
  } else {
    const auto edge = [&](ScanOrder order, StreamId* id) {
      bool found = false;
      const Status scanned =
          ForEach(txn, stream, kStreamIdMin, kStreamIdMax, order, [&](StreamId at, const StreamEntry&) {
            *id = at;
            found = true;
            return false;
          });
      return scanned == Status::kOk && !found ? Status::kCorruption : scanned;
    };
    StreamId first = header.first_entry;
    StreamId last = header.last_entry;
    status = first_gone ? edge(ScanOrder::kForward, &first) : Status::kOk;
    if (status == Status::kOk && last_gone) status = edge(ScanOrder::kBackward, &last);
    if (status != Status::kOk) return status;
    header.first_entry = first;
    header.last_entry = last;
  }
  PutHeader(txn, db, key, stream);
  return Status::kOk;
}

}  // namespace basalt::storage
