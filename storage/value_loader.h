#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/hash_store.h"
#include "storage/key_codec.h"
#include "storage/new_object.h"
#include "storage/set_encoding.h"
#include "storage/stream_layout.h"
#include "storage/stream_nodes.h"
#include "storage/value_sink.h"
#include "storage/write_txn.h"
#include "storage/zset_store.h"
#include "storage/zset_writer.h"

namespace basalt::storage {

// What decides the logical encoding of a value that is loaded.
struct ValueLimits {
  HashLimits hash;
  SetLimits set;
  ZsetLimits zset;
  int64_t list_max_listpack_size = -2;
  StreamNodeLimits stream;
};

// Makes the value that it is told the value of a key, as Redis' RESTORE does: whatever the key held is replaced at the
// end (String, End). Up to 1 MiB or 4,000 elements are gathered in memory; from there on rows are written as they come,
// and are garbage unless the group commits (NewObject).
//
// The encoding follows from the one that is told and from the limits: a listpack stays one while it has few enough
// elements, however long they are; what is told as a table becomes as compact as it may.
//
// kIncomplete: it is large, and so the slow lane's work. On the caller's stack; the key's bytes outlive it.
// REQUIRES: the key was read by GetRecord in this group; nothing else is written meanwhile.
class ValueLoader : public ValueSink {
 public:
  ValueLoader(WriteTxn& txn, DbIndex db, const HashedKey& key, int64_t expire_ms, const ValueLimits& limits)
      : txn_(txn), db_(db), key_(key), expire_ms_(expire_ms), limits_(limits) {}

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

 private:
  // Gathered elements are packed strings (storage/packed.h): one each, of a hash two, of a stream the id and the row.
  Status Gathered();
  Status StartRows();
  Status PutRow(std::string_view first, std::string_view second);
  Status PutEntry(StreamId id, std::string_view row);
  Status PutGroupRow(const KeyBuffer& key, std::string_view value) {
    return object_->Put(RowFamily::kScore, key.view(), value);
  }
  Status EndConsumer();
  Status EndGroup();
  Status EndStream();
  Encoding FinalEncoding() const;
  bool SortIntset();

  WriteTxn& txn_;
  const DbIndex db_;
  const HashedKey key_;
  const int64_t expire_ms_;
  const ValueLimits limits_;

  ValueType type_ = ValueType::kString;
  Encoding told_ = Encoding::kRaw;
  uint64_t count_max_ = 0;
  uint64_t count_ = 0;
  uint64_t longest_ = 0;         // bytes of the longest element
  uint64_t listpack_bytes_ = 0;  // of a list
  bool all_integers_ = true;
  std::string gathered_;
  std::optional<NewObject> object_;
  std::optional<ZsetWriter> scored_;
  std::string row_;

  // A stream's.
  StreamHeader header_;
  std::optional<StreamGroup> group_;
  std::string group_name_;
  std::optional<StreamConsumer> consumer_;
  std::string consumer_name_;
};

}  // namespace basalt::storage
