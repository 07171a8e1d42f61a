#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/metadata.h"
#include "storage/read_view.h"

namespace basalt::storage {

// What the records of all collections (hash, list, set, sorted set, stream) have in common. FORMAT.md draws it.
//
// Packed: no object id; the payload is [count:varint] and then the elements as the store packs them (storage/packed.h).
// With rows: an object id; the payload is [count:8] and then whatever else the store wants to find with the header.
// `count` is what HLEN, LLEN, SCARD, ZCARD and XLEN answer; it is never 0 but for a stream.

inline bool IsPacked(const Record& record) { return record.header().object_id == 0; }

// Elements of a collection; 0 when its payload is damaged.
uint64_t ElementCount(const Record& record);

// The payload behind the count: packed elements, or what the store keeps there.
std::string_view PayloadBehindCount(const Record& record);

// The beginning of a payload.
void AppendPackedCount(uint64_t count, std::string* payload);
void AppendRowsCount(uint64_t count, std::string* payload);

// The record of a key that holds `type`; when it has rows, the view has its snapshot and the record is of that moment,
// so that the rows can be read next. kNotFound, kWrongType, kIncomplete, …
Status FindCollection(ReadView& view, DbIndex db, const HashedKey& key, ValueType type, RecordPtr* record);

}  // namespace basalt::storage
