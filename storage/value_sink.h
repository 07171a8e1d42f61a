#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "storage/metadata.h"
#include "storage/status.h"
#include "storage/stream_id.h"

namespace basalt::storage {

// A value of any type, told piece by piece: what is dumped (RdbWriter), restored (RdbReader tells it), or digested
// never stands in memory as a whole a second time. The teller calls one Begin…, then its elements in order, then End.
//
//   string           String
//   list, set        Begin, Element…, End
//   sorted set       Begin, Scored… (from the lowest score up, unless read from a payload), End
//   hash             Begin, Field…, End
//   stream           Begin, Entry… (by id), Facts, { Group, { Consumer, Pending… (by id) }… }…, End
//
// Views live until the call returns. A status that is not kOk ends the telling and is its result.
class ValueSink {
 public:
  virtual ~ValueSink() = default;

  struct StreamFacts {
    uint64_t length = 0;
    StreamId last_id, first_id, max_deleted_id;
    uint64_t entries_added = 0;
  };
  struct GroupFacts {
    std::string_view name;
    StreamId last_id;
    int64_t entries_read = 0;  // -1: not known
  };
  struct ConsumerFacts {
    std::string_view name;
    int64_t seen_ms = 0;
    int64_t active_ms = 0;  // -1: never
  };

  virtual Status String(std::string_view bytes) = 0;

  // What comes: a list, set, sorted set, hash or stream in this logical encoding, with `count` elements or fewer.
  virtual Status Begin(ValueType type, Encoding encoding, uint64_t count) = 0;
  virtual Status Element(std::string_view element) = 0;
  virtual Status Scored(std::string_view member, double score) = 0;
  virtual Status Field(std::string_view field, std::string_view value) = 0;

  virtual Status Entry(StreamId id, std::span<const std::string_view> fields_and_values) = 0;
  virtual Status Facts(const StreamFacts& facts) = 0;
  virtual Status Group(const GroupFacts& facts) = 0;
  virtual Status Consumer(const ConsumerFacts& facts) = 0;
  virtual Status Pending(StreamId id, int64_t delivered_ms, uint64_t deliveries) = 0;

  virtual Status End() = 0;
};

}  // namespace basalt::storage
