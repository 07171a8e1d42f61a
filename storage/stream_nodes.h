#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "storage/read_view.h"
#include "storage/stream_layout.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// stream-node-max-entries and stream-node-max-bytes, 0: no limit.
struct StreamNodeLimits {
  uint64_t entries_max = 100;
  uint64_t bytes_max = 4096;
};

// The counted nodes of a stream (StreamNode): which entries Redis would hold together. They change the header that they
// are given, and write the rows between head and tail; the caller puts the header and the entries.
class StreamNodes {
 public:
  // Redis refuses an entry of more bytes than this.
  static constexpr uint64_t kEntryBytesMax = 1ull << 30;

  // An entry was added behind all others. `fields`: names and values in turn.
  static void Append(WriteTxn& txn, uint64_t object_id, StreamHeader* header, StreamId id,
                     std::span<const std::string_view> fields, const StreamNodeLimits& limits);
  // One entry is removed, wherever it is.
  static Status Remove(WriteTxn& txn, uint64_t object_id, StreamHeader* header, StreamId id);

  // Whole nodes are taken away from the front as long as `wanted` says so of the next one. *entries: how many that
  // were.
  using Wanted = std::function<bool(const StreamNode& node)>;
  static Status RemoveFront(WriteTxn& txn, uint64_t object_id, StreamHeader* header, const Wanted& wanted,
                            uint64_t* entries);
  // The node that is in front now. REQUIRES: header->nodes > 0.
  static StreamNode* Front(StreamHeader* header) { return header->nodes > 1 ? &header->head : &header->tail; }
  // The front node goes although something was in it.
  static Status DropFront(WriteTxn& txn, uint64_t object_id, StreamHeader* header);
};

}  // namespace basalt::storage
