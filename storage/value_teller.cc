#include "storage/value_teller.h"

#include <limits>
#include <string>
#include <vector>

#include "storage/collection.h"
#include "storage/hash_store.h"
#include "storage/list_store.h"
#include "storage/set_store.h"
#include "storage/stream_groups.h"
#include "storage/stream_store.h"
#include "storage/string_store.h"
#include "storage/zset_store.h"

namespace basalt::storage {
namespace {

// Runs a visit whose visitor keeps what went wrong in *failed.
Status Both(Status visited, Status failed) { return failed != Status::kOk ? failed : visited; }

Status TellString(ReadView& view, DbIndex db, const HashedKey& key, ValueSink* sink) {
  StringValue value;
  const Status status = StringStore::Find(view, db, key, StringStore::Rows::kNeeded, &value);
  if (status != Status::kOk) return status;
  if (value.inlined) return sink->String(value.view());
  std::string whole;
  const Status read = StringStore::Read(view, value, 0, value.length, &whole);
  return read == Status::kOk ? sink->String(whole) : read;
}

Status TellList(ReadView& view, DbIndex db, const HashedKey& key, ValueSink* sink) {
  List list;
  Status status = ListStore::Find(view, db, key, &list);
  if (status == Status::kOk) status = sink->Begin(ValueType::kList, list.encoding, list.count);
  if (status != Status::kOk) return status;
  Status failed = Status::kOk;
  status = ListStore::ForEach(view, list, 0, list.count, ScanOrder::kForward, [&](std::string_view element) {
    failed = sink->Element(element);
    return failed == Status::kOk;
  });
  status = Both(status, failed);
  return status == Status::kOk ? sink->End() : status;
}

Status TellSet(ReadView& view, DbIndex db, const HashedKey& key, ValueSink* sink) {
  RecordPtr record;
  Status status = FindCollection(view, db, key, ValueType::kSet, &record);
  if (status == Status::kOk) status = sink->Begin(ValueType::kSet, record->header().encoding, ElementCount(*record));
  if (status != Status::kOk) return status;
  Status failed = Status::kOk;
  status = SetStore::ForEach(view, *record, [&](std::string_view member) {
    failed = sink->Element(member);
    return failed == Status::kOk;
  });
  status = Both(status, failed);
  return status == Status::kOk ? sink->End() : status;
}

Status TellZset(ReadView& view, DbIndex db, const HashedKey& key, ValueSink* sink) {
  RecordPtr record;
  Status status = ZsetStore::Find(view, db, key, &record);
  if (status == Status::kOk)
    status = sink->Begin(ValueType::kZset, record->header().encoding, ZsetStore::Count(*record));
  if (status != Status::kOk) return status;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Status failed = Status::kOk;
  status = ZsetStore::Visit(view, *record, ZsetRange::Scores(-kInfinity, kInfinity), ScanOrder::kForward, 0, UINT64_MAX,
                            [&](double score, std::string_view member) {
                              failed = sink->Scored(member, score);
                              return failed == Status::kOk;
                            });
  status = Both(status, failed);
  return status == Status::kOk ? sink->End() : status;
}

Status TellHash(ReadView& view, DbIndex db, const HashedKey& key, ValueSink* sink) {
  HashValue hash;
  Status status = HashStore::Find(view, db, key, &hash);
  uint64_t fields = 0;
  if (status == Status::kOk) status = HashStore::Count(view, hash, &fields);
  if (status == Status::kOk && fields == 0) return Status::kNotFound;  // the time of all has come
  if (status == Status::kOk) status = sink->Begin(ValueType::kHash, hash.record->header().encoding, fields);
  if (status != Status::kOk) return status;
  Status failed = Status::kOk;
  status = HashStore::ForEach(view, hash, [&](const HashField& field) {
    failed = sink->Field(field.name, field.value);
    return failed == Status::kOk;
  });
  status = Both(status, failed);
  return status == Status::kOk ? sink->End() : status;
}

// ---- streams ----

Status TellConsumer(ReadView& view, const Stream& stream, const StreamGroup& group, std::string_view name,
                    const StreamConsumer& consumer, ValueSink* sink) {
  Status status = sink->Consumer({.name = name, .seen_ms = consumer.seen_ms, .active_ms = consumer.active_ms});
  if (status != Status::kOk) return status;
  Status failed = Status::kOk;
  status = StreamGroups::ForEachPendingOf(view, stream, group, consumer, kStreamIdMin, kStreamIdMax, [&](StreamId id) {
    PendingEntry pending;
    failed = StreamGroups::FindPending(view, stream, group, id, &pending);
    if (failed == Status::kNotFound) failed = Status::kCorruption;
    if (failed == Status::kOk) failed = sink->Pending(id, pending.delivered_ms, pending.deliveries);
    return failed == Status::kOk;
  });
  return Both(status, failed);
}

Status TellGroup(ReadView& view, const Stream& stream, std::string_view name, const StreamGroup& group,
                 ValueSink* sink) {
  Status status = sink->Group({.name = name, .last_id = group.last_id, .entries_read = group.entries_read});
  if (status != Status::kOk) return status;
  Status failed = Status::kOk;
  status = StreamGroups::ForEachConsumer(view, stream, group, [&](std::string_view of, const StreamConsumer& consumer) {
    failed = TellConsumer(view, stream, group, of, consumer, sink);
    return failed == Status::kOk;
  });
  return Both(status, failed);
}

Status TellStream(ReadView& view, DbIndex db, const HashedKey& key, ValueSink* sink) {
  Stream stream;
  Status status = StreamStore::Find(view, db, key, StreamStore::Rows::kNeeded, &stream);
  if (status == Status::kOk) status = sink->Begin(ValueType::kStream, Encoding::kStream, stream.header.length);
  if (status != Status::kOk) return status;
  Status failed = Status::kOk;
  std::vector<std::string_view> strings;
  status = StreamStore::ForEach(
      view, stream, kStreamIdMin, kStreamIdMax, ScanOrder::kForward, [&](StreamId id, const StreamEntry& entry) {
        strings.clear();
        const bool whole = entry.ForEach([&](std::string_view string) { strings.push_back(string); });
        failed = whole ? sink->Entry(id, strings) : Status::kCorruption;
        return failed == Status::kOk;
      });
  status = Both(status, failed);
  if (status == Status::kOk) {
    status = sink->Facts({.length = stream.header.length,
                          .last_id = stream.header.last_id,
                          .first_id = stream.header.first_entry,
                          .max_deleted_id = stream.header.max_deleted_id,
                          .entries_added = stream.header.entries_added});
  }
  if (status != Status::kOk) return status;
  status = StreamGroups::ForEach(view, stream, [&](std::string_view name, const StreamGroup& group) {
    failed = TellGroup(view, stream, name, group, sink);
    return failed == Status::kOk;
  });
  status = Both(status, failed);
  return status == Status::kOk ? sink->End() : status;
}

}  // namespace

Status TellValue(ReadView& view, DbIndex db, const HashedKey& key, ValueSink* sink) {
  RecordPtr record;
  const Status status = view.GetRecord(db, key, &record);
  if (status != Status::kOk) return status;
  switch (record->type()) {
    case ValueType::kString:
      return TellString(view, db, key, sink);
    case ValueType::kList:
      return TellList(view, db, key, sink);
    case ValueType::kSet:
      return TellSet(view, db, key, sink);
    case ValueType::kZset:
      return TellZset(view, db, key, sink);
    case ValueType::kHash:
      return TellHash(view, db, key, sink);
    case ValueType::kStream:
      return TellStream(view, db, key, sink);
  }
  return Status::kCorruption;
}

}  // namespace basalt::storage
