#include "storage/stream_nodes.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "storage/key_codec.h"
#include "storage/storage.h"
#include "storage/stream_store.h"

namespace basalt::storage {
namespace {

// ---- sizes in Redis' listpack (its own page: https://github.com/antirez/listpack) ----

constexpr uint32_t kListpackEmptyBytes = 7;  // header and terminator

// An element and, behind it, its length for walking back.
uint64_t WithBacklength(uint64_t bytes) {
  if (bytes < 128) return bytes + 1;
  if (bytes < 16383) return bytes + 2;
  if (bytes < 2097151) return bytes + 3;
  if (bytes < 268435455) return bytes + 4;
  return bytes + 5;
}

uint64_t IntegerBytes(int64_t value) {
  if (value >= 0 && value <= 127) return WithBacklength(1);
  if (value >= -4096 && value <= 4095) return WithBacklength(2);
  if (value >= INT16_MIN && value <= INT16_MAX) return WithBacklength(3);
  if (value >= -(1 << 23) && value < 1 << 23) return WithBacklength(4);
  if (value >= INT32_MIN && value <= INT32_MAX) return WithBacklength(5);
  return WithBacklength(9);
}

// Numbers in the form that prints back as it was are stored as such.
bool IsInteger(std::string_view text, int64_t* value) {
  if (text.empty() || text.size() > 20) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (text == "0") return true;
  return text[0] == '-' ? text.size() > 1 && text[1] != '0' : text[0] != '0';
}

uint64_t StringBytes(std::string_view text) {
  int64_t number = 0;
  if (IsInteger(text, &number)) return IntegerBytes(number);
  if (text.size() < 64) return WithBacklength(text.size() + 1);
  if (text.size() < 4096) return WithBacklength(text.size() + 2);
  return WithBacklength(text.size() + 5);
}

uint64_t ListpackBytes(const StreamNode& node) {
  return node.bytes + IntegerBytes(node.entries) + IntegerBytes(node.deleted);
}

uint64_t HashFields(const Storage& storage, std::span<const std::string_view> fields) {
  uint64_t hash = fields.size();
  for (size_t i = 0; i < fields.size(); i += 2) hash = (hash ^ storage.Hash(fields[i]).hash) * 0x9e3779b97f4a7c15;
  return hash;
}

bool IsFull(const StreamNode& node, uint64_t new_bytes, const StreamNodeLimits& limits) {
  const uint64_t bytes_max =
      limits.bytes_max == 0 ? StreamNodes::kEntryBytesMax : std::min(limits.bytes_max, StreamNodes::kEntryBytesMax);
  if (ListpackBytes(node) + new_bytes >= bytes_max) return true;
  return limits.entries_max != 0 && uint64_t{node.entries} + node.deleted >= limits.entries_max;
}

// ---- rows ----

void PutNode(WriteTxn& txn, uint64_t object_id, const StreamNode& node) {
  KeyBuffer key;
  EncodeStreamNodeKey(object_id, node.first, &key);
  txn.PutRow(RowFamily::kScore, key.view(), EncodeStreamNode(node));
}

void DeleteNode(WriteTxn& txn, uint64_t object_id, StreamId first) {
  KeyBuffer key;
  EncodeStreamNodeKey(object_id, first, &key);
  txn.DeleteRow(RowFamily::kScore, key.view());
}

// Rows of nodes that begin behind `after`, or before `before`, until `visit` returns false.
template <typename Visit>
Status ScanNodes(ReadView& view, uint64_t object_id, StreamId first, StreamId last, ScanOrder order, Visit&& visit) {
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeStreamNodeKey(object_id, first, &lower);
  EncodeStreamNodeKey(object_id, last, &upper);
  bool damaged = false;
  const Status status = ScanRows(view, RowFamily::kScore, lower.view(), upper.view(), order,
                                 [&](std::string_view row_key, std::string_view value) {
                                   const std::optional<StreamId> at = ParseStreamNodeKey(row_key);
                                   const std::optional<StreamNode> node =
                                       at ? ParseStreamNode(*at, value) : std::nullopt;
                                   damaged = !node;
                                   return node && visit(*node);
                                 });
  return damaged ? Status::kCorruption : status;
}

// The row that comes first in an order, between head and tail.
Status EdgeNode(ReadView& view, uint64_t object_id, const StreamHeader& header, ScanOrder order, StreamNode* node) {
  bool found = false;
  const Status status =
      ScanNodes(view, object_id, header.head.first, header.tail.first, order, [&](const StreamNode& each) {
        found = true;
        *node = each;
        return false;
      });
  if (status != Status::kOk) return status;
  return found ? Status::kOk : Status::kCorruption;
}

Status DropTail(WriteTxn& txn, uint64_t object_id, StreamHeader* header) {
  if (header->nodes == 2) {
    header->tail = header->head;
  } else if (header->nodes > 2) {
    StreamNode last;
    const Status status = EdgeNode(txn, object_id, *header, ScanOrder::kBackward, &last);
    if (status != Status::kOk) return status;
    DeleteNode(txn, object_id, last.first);
    header->tail = last;
  }
  --header->nodes;
  return Status::kOk;
}

}  // namespace

void StreamNodes::Append(WriteTxn& txn, uint64_t object_id, StreamHeader* header, StreamId id,
                         std::span<const std::string_view> fields, const StreamNodeLimits& limits) {
  uint64_t raw_bytes = 0;
  for (const std::string_view each : fields) raw_bytes += each.size();
  const uint64_t fields_hash = HashFields(txn.storage(), fields);
  const auto pairs = static_cast<int64_t>(fields.size() / 2);
  StreamNode& tail = header->tail;
  uint64_t bytes = 0;
  if (header->nodes == 0 || IsFull(tail, raw_bytes, limits)) {
    if (header->nodes == 1) {
      header->head = tail;
    } else if (header->nodes > 1) {
      PutNode(txn, object_id, tail);
    }
    ++header->nodes;
    tail = {};
    tail.first = id;
    tail.fields_hash = fields_hash;
    bytes = kListpackEmptyBytes + IntegerBytes(pairs) + IntegerBytes(0);
    for (size_t i = 0; i < fields.size(); i += 2) bytes += StringBytes(fields[i]);
  } else {
    bytes = tail.bytes;
  }
  const bool same_fields = fields_hash == tail.fields_hash;
  bytes += IntegerBytes(0);  // flags
  bytes += IntegerBytes(static_cast<int64_t>(id.ms - tail.first.ms));
  bytes += IntegerBytes(static_cast<int64_t>(id.seq - tail.first.seq));
  if (!same_fields) bytes += IntegerBytes(pairs);
  for (size_t i = same_fields ? 1 : 0; i < fields.size(); i += same_fields ? 2 : 1) bytes += StringBytes(fields[i]);
  bytes += IntegerBytes(same_fields ? pairs + 3 : 2 * pairs + 4);
  tail.bytes = static_cast<uint32_t>(std::min<uint64_t>(bytes, UINT32_MAX));
  tail.last = id;
  ++tail.entries;
}

Status StreamNodes::Remove(WriteTxn& txn, uint64_t object_id, StreamHeader* header, StreamId id) {
  const auto count_down = [](StreamNode* node) {
    --node->entries;
    ++node->deleted;
    return node->entries != 0;
  };
  if (header->nodes == 0) return Status::kCorruption;
  if (id >= header->tail.first) return count_down(&header->tail) ? Status::kOk : DropTail(txn, object_id, header);
  if (header->nodes == 1) return Status::kCorruption;
  if (id <= header->head.last) return count_down(&header->head) ? Status::kOk : DropFront(txn, object_id, header);
  // The last row that begins at `id` or before.
  StreamId behind = id;
  behind.Increment();
  StreamNode node;
  bool found = false;
  const Status status =
      ScanNodes(txn, object_id, header->head.first, behind, ScanOrder::kBackward, [&](const StreamNode& each) {
        found = true;
        node = each;
        return false;
      });
  if (status != Status::kOk) return status;
  if (!found || node.entries == 0) return Status::kCorruption;
  if (count_down(&node)) {
    PutNode(txn, object_id, node);
  } else {
    DeleteNode(txn, object_id, node.first);
    --header->nodes;
  }
  return Status::kOk;
}

Status StreamNodes::DropFront(WriteTxn& txn, uint64_t object_id, StreamHeader* header) {
  if (header->nodes > 2) {
    StreamNode next;
    const Status status = EdgeNode(txn, object_id, *header, ScanOrder::kForward, &next);
    if (status != Status::kOk) return status;
    DeleteNode(txn, object_id, next.first);
    header->head = next;
  }
  --header->nodes;
  return Status::kOk;
}

Status StreamNodes::RemoveFront(WriteTxn& txn, uint64_t object_id, StreamHeader* header, const Wanted& wanted,
                                uint64_t* entries) {
  *entries = 0;
  if (header->nodes > 1) {
    if (!wanted(header->head)) return Status::kOk;
    *entries += header->head.entries;
    std::vector<StreamId> rows;  // that go: their node was removed, or is the head now
    bool stopped = false;
    bool too_many = false;
    if (header->nodes > 2) {
      StreamNode head;
      const Status status = ScanNodes(
          txn, object_id, header->head.first, header->tail.first, ScanOrder::kForward, [&](const StreamNode& node) {
            rows.push_back(node.first);
            stopped = !wanted(node);
            if (stopped) {
              head = node;
            } else {
              *entries += node.entries;
            }
            too_many = rows.size() > StreamStore::kMemoryRowsMax && txn.tier() == ReadTier::kMemory;
            return !stopped && !too_many;
          });
      if (status != Status::kOk) return status;
      if (too_many) return Status::kIncomplete;
      if (stopped) header->head = head;
    }
    if (rows.size() > StreamStore::kPointDeletesMax) {
      KeyBuffer lower;
      KeyBuffer upper;
      EncodeStreamNodeKey(object_id, rows.front(), &lower);
      EncodeStreamNodeKey(object_id, rows.back(), &upper);
      EncodeBoundBehind(&upper);
      txn.DeleteRows(RowFamily::kScore, lower.view(), upper.view());
    } else {
      for (const StreamId first : rows) DeleteNode(txn, object_id, first);
    }
    if (stopped) {  // the old head, and all rows but the last
      header->nodes -= rows.size();
      return Status::kOk;
    }
    header->nodes = 1;
  }
  if (header->nodes == 1 && wanted(header->tail)) {
    *entries += header->tail.entries;
    header->nodes = 0;
  }
  return Status::kOk;
}

}  // namespace basalt::storage
