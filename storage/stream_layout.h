#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/stream_id.h"

namespace basalt::storage {

// What a stream's record and rows hold; FORMAT.md draws it. Values; pure functions.

// Redis keeps a stream as nodes of up to stream-node-max-entries entries, and clients can see where they end: with "~"
// XTRIM removes whole nodes only. We count what each node of Redis would hold.
struct StreamNode {
  StreamId first;            // of the entry it began with, whether or not that is still there
  StreamId last;             // of the last one that was added, likewise
  uint32_t entries = 0;      // that are there
  uint32_t deleted = 0;      // that were, and still take place
  uint32_t bytes = 0;        // of Redis' listpack, but for the two numbers above
  uint64_t fields_hash = 0;  // of the first entry's field names, which Redis stores once
};

// The payload of the record. A stream may be empty.
struct StreamHeader {
  uint64_t length = 0;         // first, as in all collections
  StreamId last_id;            // the next one must be greater
  StreamId first_entry;        // of those that are there, 0-0 when there is none: where reads begin, never before
  StreamId last_entry;         // likewise
  StreamId max_deleted_id;     // by XDEL
  uint64_t entries_added = 0;  // ever, or as XSETID says
  uint64_t groups = 0;
  uint64_t next_group = 0;  // numbers below have been handed out
  uint64_t nodes = 0;
  StreamNode head;  // nodes > 1
  StreamNode tail;  // nodes > 0. Those between head and tail are rows
};

std::string EncodeStreamHeader(const StreamHeader& header);
std::optional<StreamHeader> ParseStreamHeader(std::string_view payload);

// The row of a node: all but `first`, which is in its key.
std::string EncodeStreamNode(const StreamNode& node);
std::optional<StreamNode> ParseStreamNode(StreamId first, std::string_view value);

inline constexpr int64_t kEntriesReadUnknown = -1;

// The row of a consumer group.
struct StreamGroup {
  uint64_t number = 0;
  StreamId last_id;  // delivered
  int64_t entries_read = kEntriesReadUnknown;
  uint64_t consumers = 0;
  uint64_t next_consumer = 0;    // numbers below have been handed out
  uint64_t pending = 0;          // entries delivered and not acknowledged
  StreamId pending_first;        // none of them is before this: where scans begin
  StreamId pending_last;         // none is behind this
  uint32_t acks_since_scan = 0;  // since pending_first was brought up to date
};
std::string EncodeStreamGroup(const StreamGroup& group);
std::optional<StreamGroup> ParseStreamGroup(std::string_view value);

inline constexpr int64_t kNeverActive = -1;

// The row of a consumer.
struct StreamConsumer {
  uint64_t number = 0;
  int64_t seen_ms = 0;               // Unix time of its last attempt to read or claim
  int64_t active_ms = kNeverActive;  // … of the last that gave it something
  uint64_t pending = 0;
};
std::string EncodeStreamConsumer(const StreamConsumer& consumer);
std::optional<StreamConsumer> ParseStreamConsumer(std::string_view value);

// The row of an entry that a group has delivered and that is not acknowledged.
struct PendingEntry {
  uint64_t consumer = 0;  // its number
  int64_t delivered_ms = 0;
  uint64_t deliveries = 0;
};
std::string EncodePendingEntry(const PendingEntry& pending);
std::optional<PendingEntry> ParsePendingEntry(std::string_view value);

}  // namespace basalt::storage
