#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/listpack.h"
#include "storage/status.h"
#include "storage/value_sink.h"

namespace basalt::storage {

// How lists and streams are cut into nodes, and whether strings are compressed: Redis' settings of these names.
struct RdbWriterOptions {
  int64_t list_max_listpack_size = -2;
  int64_t stream_node_max_bytes = 4096;
  int64_t stream_node_max_entries = 100;
  bool compress = true;
  uint64_t bytes_max = UINT64_MAX;  // of the payload; nobody can be given a string of more than proto-max-bulk-len
};

// Builds the payload of DUMP from a value that is told to it, as Redis 7.2 would write a value of that encoding. The
// whole payload is in memory. kTooLarge, as soon as that is known: it has more than bytes_max, or Redis has no form for
// it (a listpack of 4 GiB). One value; any one thread.
class RdbWriter : public ValueSink {
 public:
  explicit RdbWriter(const RdbWriterOptions& options) : options_(options) {}

  Status String(std::string_view bytes) override;
  Status Begin(ValueType type, Encoding encoding, uint64_t count) override;
  Status Element(std::string_view element) override;
  Status Scored(std::string_view member, double score) override;
  Status Field(std::string_view field, std::string_view value) override;
  Status Entry(StreamId id, std::span<const std::string_view> fields_and_values) override;
  Status Facts(const StreamFacts& facts) override;
  Status Group(const GroupFacts& facts) override;
  Status Consumer(const ConsumerFacts& facts) override;
  Status Pending(StreamId id, int64_t delivered_ms, uint64_t deliveries) override;
  Status End() override;

  // Instead of a value, any number of times: the code of a library of functions (FUNCTION DUMP).
  void Library(std::string_view code);

  // With the footer. REQUIRES: the telling has ended. Once.
  std::string TakePayload();

 private:
  enum class Form : uint8_t { kTable, kListpack, kQuicklist, kIntset, kStream };

  void AppendLength(uint64_t length);
  void AppendString(std::string_view bytes);
  void AppendLittleEndian64(uint64_t value);
  void AppendRawId(StreamId id);
  void AppendLengthId(StreamId id);
  void InsertCount(uint64_t count);  // behind the type
  Status CheckSize() const;
  void EndListNode();
  void EndStreamNode();
  void EndGroup();
  void EndIntset();

  const RdbWriterOptions options_;
  std::string out_;
  std::string compressed_;
  Form form_ = Form::kTable;
  uint64_t count_ = 0;  // elements of a table, nodes of a list or stream
  ListpackBuilder listpack_;
  std::vector<int64_t> numbers_;  // of an intset

  // A stream's.
  std::vector<std::string> master_fields_;
  StreamId master_id_;
  int64_t node_entries_ = 0;
  size_t master_bytes_ = 0;
  size_t groups_at_ = 0;  // where their count goes
  uint64_t groups_ = 0;
  struct PendingEntry {
    StreamId id;
    int64_t delivered_ms;
    uint64_t deliveries;
  };
  struct GroupConsumer {
    std::string name;
    int64_t seen_ms, active_ms;
    size_t first_pending;  // of group_pending_
  };
  std::vector<PendingEntry> group_pending_;
  std::vector<GroupConsumer> group_consumers_;
};

}  // namespace basalt::storage
