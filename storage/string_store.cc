#include "storage/string_store.h"

#include <glog/logging.h>

#include <algorithm>
#include <cassert>
#include <charconv>

#include "storage/key_codec.h"
#include "storage/new_object.h"
#include "storage/storage.h"
#include "storage/string_layout.h"

namespace basalt::storage {
namespace {

// A change of more bytes than this does not go into one WriteBatch (DESIGN §4, large changes).
constexpr uint64_t kLargeChangeBytes = 1 << 20;
// … unless writing the whole string anew would be that many times as much: then a batch of up to kInPlaceBytesMax it
// is.
constexpr uint64_t kInPlaceFactor = 8;
constexpr uint64_t kInPlaceBytesMax = 8 << 20;
// A string set whole of up to this size is converted to small chunks when it is changed in part.
constexpr uint64_t kConvertBytesMax = 1 << 20;
constexpr size_t kEmbstrBytesMax = 44;  // Redis' OBJ_ENCODING_EMBSTR_SIZE_LIMIT
constexpr char kZeros[64 << 10] = {};

// Rows [first, last] of a chunked string, absent ones as "", to `visit(chunk, bytes)` in order; false stops.
template <typename Visit>
Status ForEachChunk(ReadView& view, uint64_t id, const ChunkedString& string, uint32_t first, uint32_t last,
                    Visit&& visit) {
  KeyBuffer lower;
  EncodeChunkKey(id, first, &lower);
  if (first == last) {
    std::string bytes;
    const Status status = view.GetRow(string.family(), lower.view(), &bytes);
    if (status != Status::kOk && status != Status::kNotFound) return status;
    if (bytes.size() > string.chunk_bytes()) return Status::kCorruption;
    visit(first, std::string_view(bytes));
    return Status::kOk;
  }
  KeyBuffer upper;
  if (last == UINT32_MAX) {
    EncodeObjectBound(id + 1, &upper);
  } else {
    EncodeChunkKey(id, last + 1, &upper);
  }
  uint64_t next = first;
  bool stopped = false;
  bool corrupt = false;
  const Status status =
      ScanRows(view, string.family(), lower.view(), upper.view(), [&](std::string_view key, std::string_view bytes) {
        const std::optional<ChunkKey> at = ParseChunkKey(key);
        if (!at || bytes.size() > string.chunk_bytes()) {
          corrupt = true;
          return false;
        }
        for (; next < at->chunk && !stopped; ++next) stopped = !visit(static_cast<uint32_t>(next), std::string_view());
        if (!stopped) stopped = !visit(at->chunk, bytes);
        next = at->chunk + 1ull;
        return !stopped;
      });
  if (corrupt) return Status::kCorruption;
  if (status != Status::kOk) return status;
  for (; next <= last && !stopped; ++next) stopped = !visit(static_cast<uint32_t>(next), std::string_view());
  return Status::kOk;
}

RecordPtr MakeChunkedRecord(uint64_t id, const ChunkedString& string, int64_t expire_ms) {
  return Record::Make({ValueType::kString, Encoding::kRaw, expire_ms, id}, EncodeChunkedString(string));
}

// Writes the chunks of a new object.
class ChunkWriter {
 public:
  ChunkWriter(WriteTxn& txn, const ChunkedString& string, uint64_t change_bytes)
      : object_(txn, RowFamilyBit(string.family()), RowsMax(string, change_bytes), change_bytes), string_(string) {}

  uint64_t id() const { return object_.id(); }
  Status Begin() { return object_.Begin(); }
  Status Write(uint32_t chunk, std::string_view bytes) {
    KeyBuffer key;
    EncodeChunkKey(object_.id(), chunk, &key);
    return object_.Put(string_.family(), key.view(), bytes);
  }
  Status End() { return object_.End(); }

 private:
  static uint64_t RowsMax(const ChunkedString& string, uint64_t change_bytes) {
    if (string.layout == StringLayout::kWhole) return string.chunks();  // Garbage::rows is also of their numbers
    return std::min(string.chunks(), change_bytes / string.chunk_bytes() + 2);
  }

  NewObject object_;
  const ChunkedString string_;
};

// The string that a change in part starts from.
struct OldString {
  RecordPtr record;  // null: there is none
  uint64_t length = 0;
  ChunkedString chunked;  // when the record has an object id
  int64_t expire_ms = kNoExpire;

  bool inlined() const { return record == nullptr || record->header().object_id == 0; }
  std::string_view view() const { return record == nullptr ? std::string_view() : record->payload(); }
};

Status FindOld(WriteTxn& txn, DbIndex db, const HashedKey& key, OldString* old) {
  const Status status = txn.GetRecord(db, key, ValueType::kString, &old->record);
  if (status == Status::kNotFound) {
    old->record = nullptr;
    return Status::kOk;
  }
  if (status != Status::kOk) return status;
  old->expire_ms = old->record->expire_ms();
  old->length = old->record->payload().size();
  if (old->inlined()) return Status::kOk;
  const std::optional<ChunkedString> chunked = ParseChunkedString(old->record->payload());
  if (!chunked) return Status::kCorruption;
  old->chunked = *chunked;
  old->length = chunked->length;
  return Status::kOk;
}

// Lays `bytes` over a chunk that begins at `chunk_start`, both as offsets of the string; grows the chunk as needed.
void Overlay(uint64_t chunk_start, uint64_t chunk_bytes, uint64_t offset, std::string_view bytes, std::string* chunk) {
  const uint64_t from = std::max(chunk_start, offset);
  const uint64_t to = std::min(chunk_start + chunk_bytes, offset + bytes.size());
  if (from >= to) return;
  if (chunk->size() < to - chunk_start) chunk->resize(to - chunk_start, '\0');
  chunk->replace(from - chunk_start, to - from, bytes.substr(from - offset, to - from));
}

// Writes a new object that has the old bytes with the new ones laid over them.
Status Rewrite(WriteTxn& txn, DbIndex db, const HashedKey& key, const OldString& old, uint64_t offset,
               std::string_view bytes, StringLayout layout) {
  const ChunkedString string{layout, std::max(old.length, offset + bytes.size())};
  const uint64_t size = string.chunk_bytes();
  ChunkWriter writer(txn, string, old.length + bytes.size());
  Status status = writer.Begin();
  if (status != Status::kOk) return status;

  // Old bytes come in pieces, in order; a chunk is written when all before its end have come.
  uint64_t chunk = 0;
  std::string pending;
  const auto write = [&] {
    Overlay(chunk * size, size, offset, bytes, &pending);
    Status written = Status::kOk;
    if (!pending.empty()) written = writer.Write(static_cast<uint32_t>(chunk), pending);
    pending.clear();
    ++chunk;
    return written;
  };
  const auto take = [&](uint64_t at, std::string_view piece) {
    while (!piece.empty()) {
      while (chunk < at / size) {
        if (status = write(); status != Status::kOk) return false;
      }
      const uint64_t in_chunk = at - chunk * size;
      const std::string_view part = piece.substr(0, size - in_chunk);
      pending.resize(in_chunk, '\0');
      pending.append(part);
      at += part.size();
      piece.remove_prefix(part.size());
    }
    return true;
  };
  if (old.inlined()) {
    take(0, old.view());
  } else {
    const Status read = ForEachChunk(
        txn, old.record->header().object_id, old.chunked, 0, static_cast<uint32_t>(old.chunked.chunks() - 1),
        [&](uint32_t at, std::string_view row) { return take(at * old.chunked.chunk_bytes(), row); });
    if (read != Status::kOk) return read;
  }
  if (status != Status::kOk) return status;
  // The rest of the new bytes; chunks that neither touches stay absent.
  if (!pending.empty()) status = write();
  chunk = std::max(chunk, offset / size);
  while (status == Status::kOk && chunk * size < offset + bytes.size()) status = write();
  if (status == Status::kOk) status = writer.End();
  if (status != Status::kOk) return status;
  txn.Put(db, key, MakeChunkedRecord(writer.id(), string, old.expire_ms));
  return Status::kOk;
}

// Changes the rows that the new bytes touch, in the group's batch.
Status ChangeInPlace(WriteTxn& txn, DbIndex db, const HashedKey& key, const OldString& old, uint64_t offset,
                     std::string_view bytes) {
  const uint64_t id = old.record->header().object_id;
  const uint64_t size = old.chunked.chunk_bytes();
  const uint64_t first = offset / size;
  const uint64_t last = (offset + bytes.size() - 1) / size;
  KeyBuffer row_key;
  std::string row;
  for (uint64_t chunk = first; chunk <= last; ++chunk) {
    EncodeChunkKey(id, static_cast<uint32_t>(chunk), &row_key);
    row.clear();
    const bool covered = offset <= chunk * size && offset + bytes.size() >= (chunk + 1) * size;
    if (!covered && chunk * size < old.length) {
      const Status status = txn.GetRow(old.chunked.family(), row_key.view(), &row);
      if (status == Status::kNotFound) {
        row.clear();
      } else if (status != Status::kOk) {
        return status;
      }
      if (row.size() > size) return Status::kCorruption;
    }
    Overlay(chunk * size, size, offset, bytes, &row);
    txn.PutRow(old.chunked.family(), row_key.view(), row);
  }
  ChunkedString changed = old.chunked;
  changed.length = std::max(old.length, offset + bytes.size());
  if (changed.length == old.length) {
    txn.Touch(db, key);
  } else {
    txn.Put(db, key, MakeChunkedRecord(id, changed, old.expire_ms));
  }
  return Status::kOk;
}

Status ChangeString(WriteTxn& txn, DbIndex db, const HashedKey& key, const OldString& old, uint64_t offset,
                    std::string_view bytes, uint64_t* length) {
  const uint64_t limit = txn.storage().string_bytes_max();
  if (offset > limit || bytes.size() > limit - offset) return Status::kTooLarge;
  const uint64_t new_length = std::max(old.length, offset + bytes.size());
  *length = new_length;
  if (old.inlined() && new_length <= kInlineStringBytesMax) {
    std::string value(old.view());
    if (value.size() < new_length) value.resize(new_length, '\0');
    value.replace(offset, bytes.size(), bytes);
    txn.Put(db, key, Record::Make({ValueType::kString, Encoding::kRaw, old.expire_ms, 0}, value));
    return Status::kOk;
  }
  if (old.inlined()) return Rewrite(txn, db, key, old, offset, bytes, StringLayout::kInParts);
  const bool in_place = bytes.size() <= kLargeChangeBytes ||
                        (bytes.size() <= kInPlaceBytesMax && old.length / kInPlaceFactor >= bytes.size());
  if (!in_place) return Rewrite(txn, db, key, old, offset, bytes, old.chunked.layout);
  if (old.chunked.layout == StringLayout::kWhole && old.length <= kConvertBytesMax) {
    return Rewrite(txn, db, key, old, offset, bytes, StringLayout::kInParts);
  }
  return ChangeInPlace(txn, db, key, old, offset, bytes);
}

}  // namespace

Encoding StringStore::EncodingOf(std::string_view bytes) {
  if (bytes.size() <= 20 && !bytes.empty()) {
    // An integer in the one form that prints back as it was: no sign but '-', no leading zeros.
    int64_t number = 0;
    const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), number);
    const bool canonical = bytes == "0" || (bytes[0] == '-' ? bytes.size() > 1 && bytes[1] != '0' : bytes[0] != '0');
    if (error == std::errc() && end == bytes.data() + bytes.size() && canonical) return Encoding::kInt;
  }
  return bytes.size() <= kEmbstrBytesMax ? Encoding::kEmbstr : Encoding::kRaw;
}

Status StringStore::Find(ReadView& view, DbIndex db, const HashedKey& key, Rows rows, StringValue* value) {
  Status status = view.GetRecord(db, key, ValueType::kString, &value->record);
  if (status != Status::kOk) return status;
  if (value->record->header().object_id != 0 && rows == Rows::kNeeded) {
    // The rows will be read as of one moment, so the header must be of that moment too.
    view.RequireSnapshot();
    status = view.GetRecord(db, key, ValueType::kString, &value->record);
    if (status != Status::kOk) return status;
  }
  value->inlined = value->record->header().object_id == 0;
  if (value->inlined) {
    value->length = value->record->payload().size();
    return Status::kOk;
  }
  const std::optional<ChunkedString> chunked = ParseChunkedString(value->record->payload());
  if (!chunked) return Status::kCorruption;
  value->length = chunked->length;
  return Status::kOk;
}

Status StringStore::Read(ReadView& view, const StringValue& value, uint64_t offset, uint64_t length, std::string* out) {
  out->reserve(out->size() + length);
  return ForEachPiece(view, value, offset, length, [out](std::string_view piece) {
    out->append(piece);
    return true;
  });
}

Status StringStore::ForEachPiece(ReadView& view, const StringValue& value, uint64_t offset, uint64_t length,
                                 const std::function<bool(std::string_view piece)>& visit) {
  if (offset > value.length || length > value.length - offset) return Status::kInvalid;
  if (length == 0) return Status::kOk;
  if (value.inlined) {
    visit(value.view().substr(offset, length));
    return Status::kOk;
  }
  const std::optional<ChunkedString> chunked = ParseChunkedString(value.record->payload());
  if (!chunked) return Status::kCorruption;
  const uint64_t size = chunked->chunk_bytes();
  const uint64_t end = offset + length;
  const auto visit_chunk = [&](uint32_t chunk, std::string_view bytes) {
    // A chunk may be short: what is missing is zeros.
    const uint64_t start = chunk * size;
    const uint64_t from = std::max(start, offset) - start;
    const uint64_t to = std::min(start + size, end) - start;
    if (from < bytes.size() && !visit(bytes.substr(from, to - from))) return false;
    const uint64_t zeros_from = std::max<uint64_t>(from, bytes.size());
    return zeros_from >= to || visit(std::string_view(kZeros, to - zeros_from));
  };
  return ForEachChunk(view, value.record->header().object_id, *chunked, static_cast<uint32_t>(offset / size),
                      static_cast<uint32_t>((end - 1) / size), visit_chunk);
}

Status StringStore::Set(WriteTxn& txn, DbIndex db, const HashedKey& key, std::string_view bytes, int64_t expire_ms) {
  if (bytes.size() <= kInlineStringBytesMax) {
    txn.Put(db, key, Record::Make({ValueType::kString, EncodingOf(bytes), expire_ms, 0}, bytes));
    return Status::kOk;
  }
  if (bytes.size() > txn.storage().string_bytes_max()) return Status::kTooLarge;
  const ChunkedString string{StringLayout::kWhole, bytes.size()};
  ChunkWriter writer(txn, string, bytes.size());
  Status status = writer.Begin();
  for (uint64_t chunk = 0; status == Status::kOk && chunk < string.chunks(); ++chunk) {
    status =
        writer.Write(static_cast<uint32_t>(chunk), bytes.substr(chunk * string.chunk_bytes(), string.chunk_bytes()));
  }
  if (status == Status::kOk) status = writer.End();
  if (status != Status::kOk) return status;
  txn.Put(db, key, MakeChunkedRecord(writer.id(), string, expire_ms));
  return Status::kOk;
}

Status StringStore::SetRange(WriteTxn& txn, DbIndex db, const HashedKey& key, uint64_t offset, std::string_view bytes,
                             uint64_t* length) {
  OldString old;
  const Status status = FindOld(txn, db, key, &old);
  if (status != Status::kOk) return status;
  *length = old.length;
  if (bytes.empty()) return Status::kOk;
  return ChangeString(txn, db, key, old, offset, bytes, length);
}

Status StringStore::Append(WriteTxn& txn, DbIndex db, const HashedKey& key, std::string_view bytes, uint64_t* length) {
  OldString old;
  const Status status = FindOld(txn, db, key, &old);
  if (status != Status::kOk) return status;
  *length = old.length + bytes.size();
  if (old.record == nullptr) return Set(txn, db, key, bytes, kNoExpire);  // as Redis: with the encoding of a SET
  if (bytes.empty()) return Status::kOk;
  return ChangeString(txn, db, key, old, old.length, bytes, length);
}

}  // namespace basalt::storage
