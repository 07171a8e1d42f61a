#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "storage/read_view.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// Strings. Up to kInlineStringBytesMax they are the payload of their record; longer ones are rows ("chunks") of an
// object, zero bytes where a chunk is absent or short, so a bit set at offset 2^32-1 costs one row. Strings written
// whole have large chunks in `big`; strings changed in part (SETRANGE, SETBIT, APPEND) have small ones in `data`.
// FORMAT.md draws both.
inline constexpr size_t kInlineStringBytesMax = 4096;

// A string that was found: its record, and what it takes to read it.
struct StringValue {
  RecordPtr record;
  uint64_t length = 0;
  bool inlined = false;

  // The whole string. REQUIRES: inlined. Lives as long as `record`.
  std::string_view view() const { return record->payload(); }
};

class StringStore {
 public:
  // kNotFound, kWrongType. Takes a snapshot itself when rows may have to be read later (see `rows`).
  enum class Rows : uint8_t { kNotNeeded /* length only */, kNeeded };
  static Status Find(ReadView& view, DbIndex db, const HashedKey& key, Rows rows, StringValue* value);

  // Appends bytes [offset, offset + length) to *out; the range must lie inside the string.
  static Status Read(ReadView& view, const StringValue& value, uint64_t offset, uint64_t length, std::string* out);
  // The same in pieces, in order, absent chunks as one piece of zeros; `visit` returns false to stop.
  static Status ForEachPiece(ReadView& view, const StringValue& value, uint64_t offset, uint64_t length,
                             const std::function<bool(std::string_view piece)>& visit);

  // Sets the whole string. Keeps nothing of the old value. expire_ms: kNoExpire or Unix milliseconds. REQUIRES: the key
  // was read by GetRecord in this group.
  static Status Set(WriteTxn& txn, DbIndex db, const HashedKey& key, std::string_view bytes, int64_t expire_ms);
  // Replaces the bytes at `offset`, growing with zeros as needed; the expiry stays. *length: the new length.
  // kWrongType, kTooLarge.
  static Status SetRange(WriteTxn& txn, DbIndex db, const HashedKey& key, uint64_t offset, std::string_view bytes,
                         uint64_t* length);
  static Status Append(WriteTxn& txn, DbIndex db, const HashedKey& key, std::string_view bytes, uint64_t* length);

  // The logical encoding that Redis would give a string just set to `bytes`: kInt, kEmbstr (up to 44 bytes) or kRaw.
  static Encoding EncodingOf(std::string_view bytes);
};

}  // namespace basalt::storage
