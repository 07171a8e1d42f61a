#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/packed.h"
#include "storage/read_view.h"
#include "storage/stream_id.h"
#include "storage/stream_layout.h"
#include "storage/stream_nodes.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// A stream that was found: its record and what is in it.
struct Stream {
  RecordPtr record;
  StreamHeader header;

  uint64_t object_id() const { return record->header().object_id; }
};

// Fields and values of one entry, in turn. A view: the bytes belong to the row.
class StreamEntry {
 public:
  // False: damaged.
  static bool Parse(std::string_view row, StreamEntry* entry) {
    PackedReader reader(row);
    if (!reader.ReadVarint(&entry->strings_)) return false;
    entry->rest_ = row.substr(reader.offset());
    return true;
  }
  uint64_t strings() const { return strings_; }
  size_t bytes() const { return rest_.size(); }
  // Calls `visit(std::string_view)` for each. False: damaged.
  template <typename Visit>
  bool ForEach(Visit&& visit) const {
    PackedReader reader(rest_);
    std::string_view string;
    for (uint64_t i = 0; i < strings_; ++i) {
      if (!reader.Read(&string)) return false;
      visit(string);
    }
    return reader.done();
  }

 private:
  uint64_t strings_ = 0;
  std::string_view rest_;
};

// What XADD and XTRIM take away.
struct StreamTrim {
  enum class By : uint8_t { kNothing, kLength, kId } by = By::kNothing;
  bool approximate = false;  // whole nodes only
  uint64_t limit = 0;        // entries at most, 0: any number
  uint64_t length_max = 0;
  StreamId id_min;
};

// The id of a new entry: given, its milliseconds given, or none of it.
struct StreamIdRequest {
  enum class Form : uint8_t { kAuto, kMilliseconds, kWhole } form = Form::kAuto;
  StreamId id;
};

// Streams: entries are rows of `data` in the order of their ids, everything else about them is in the record, and in
// rows of `score` (StreamNodes, StreamGroups). There is no packed form. A stream may be empty and still be there.
class StreamStore {
 public:
  // More rows than this that follow each other are removed as one range.
  static constexpr uint64_t kPointDeletesMax = 128;
  // More rows than this are not read or written where nobody waits for the disk (kIncomplete).
  static constexpr uint64_t kMemoryRowsMax = 512;

  // kNotFound, kWrongType, kCorruption. `rows`: whether rows will be read next, and so as of the same moment.
  enum class Rows : uint8_t { kNotNeeded, kNeeded };
  static Status Find(ReadView& view, DbIndex db, const HashedKey& key, Rows rows, Stream* stream);
  // Puts the record of a stream with a new object id. REQUIRES: GetRecord found nothing.
  static Stream Create(WriteTxn& txn, DbIndex db, const HashedKey& key);
  // Puts the record again, with the header as it is now.
  static void PutHeader(WriteTxn& txn, DbIndex db, const HashedKey& key, const Stream& stream);

  // Entries with first <= id <= last, in either order; `visit(StreamId, const StreamEntry&)` returns false to stop.
  template <typename Visit>
  static Status ForEach(ReadView& view, const Stream& stream, StreamId first, StreamId last, ScanOrder order,
                        Visit&& visit);
  // The row of one entry, for StreamEntry::Parse. kNotFound.
  static Status Get(ReadView& view, const Stream& stream, StreamId id, std::string* row);

  // Appends an entry and trims. `fields`: names and values in turn. *id: which it got; *trimmed: entries.
  // kNotFound: there is no stream and none shall be made. kOverflow: the last possible id was given out. kInvalid: the
  // id is not greater than the last. kTooLarge.
  enum class IfMissing : uint8_t { kCreate, kRefuse };
  static Status Add(WriteTxn& txn, DbIndex db, const HashedKey& key, const StreamIdRequest& request,
                    std::span<const std::string_view> fields, IfMissing if_missing, const StreamTrim& trim,
                    const StreamNodeLimits& limits, StreamId* id, uint64_t* trimmed);
  // *removed: entries. kNotFound.
  static Status Trim(WriteTxn& txn, DbIndex db, const HashedKey& key, const StreamTrim& trim, uint64_t* removed);
  static Status Delete(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const StreamId> ids,
                       uint64_t* removed);

 private:
  // The rows of entries in [first, last] as keys of `data`. False: there can be none.
  static bool EntryBounds(const Stream& stream, StreamId first, StreamId last, KeyBuffer* lower, KeyBuffer* upper);
  static Status TrimHeader(WriteTxn& txn, Stream* stream, const StreamTrim& trim, uint64_t* removed);
};

template <typename Visit>
Status StreamStore::ForEach(ReadView& view, const Stream& stream, StreamId first, StreamId last, ScanOrder order,
                            Visit&& visit) {
  KeyBuffer lower;
  KeyBuffer upper;
  if (!EntryBounds(stream, first, last, &lower, &upper)) return Status::kOk;
  bool damaged = false;
  const Status status = ScanRows(view, RowFamily::kData, lower.view(), upper.view(), order,
                                 [&](std::string_view row_key, std::string_view value) {
                                   const std::optional<StreamId> id = ParseStreamEntryKey(row_key);
                                   StreamEntry entry;
                                   damaged = !id || !StreamEntry::Parse(value, &entry);
                                   return !damaged && visit(*id, entry);
                                 });
  return damaged ? Status::kCorruption : status;
}

}  // namespace basalt::storage
