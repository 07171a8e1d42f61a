#include "storage/stream_layout.h"

#include <type_traits>

#include "storage/key_codec.h"

namespace basalt::storage {
namespace {

// Fixed-width fields one after the other: each layout is told once, for both directions.
class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}
  void operator()(uint64_t value) {
    char bytes[8];
    PutBig64(bytes, value);
    out_->append(bytes, sizeof(bytes));
  }
  void operator()(int64_t value) { (*this)(static_cast<uint64_t>(value)); }
  void operator()(uint32_t value) {
    char bytes[4];
    PutBig32(bytes, value);
    out_->append(bytes, sizeof(bytes));
  }
  void operator()(StreamId id) {
    (*this)(id.ms);
    (*this)(id.seq);
  }

 private:
  std::string* out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  void operator()(uint64_t& value) {
    if (Take(8)) value = GetBig64(at_);
  }
  void operator()(int64_t& value) {
    if (Take(8)) value = static_cast<int64_t>(GetBig64(at_));
  }
  void operator()(uint32_t& value) {
    if (Take(4)) value = GetBig32(at_);
  }
  void operator()(StreamId& id) {
    (*this)(id.ms);
    (*this)(id.seq);
  }
  // Everything was there, and nothing else.
  bool complete() const { return whole_ && in_.empty(); }

 private:
  bool Take(size_t size) {
    if (!whole_ || in_.size() < size) return whole_ = false;
    at_ = in_.data();
    in_.remove_prefix(size);
    return true;
  }
  std::string_view in_;
  const char* at_ = nullptr;
  bool whole_ = true;
};

template <typename Field, typename Node>
void NodeFields(Node& node, Field& field) {
  field(node.last);
  field(node.entries);
  field(node.deleted);
  field(node.bytes);
  field(node.fields_hash);
}

template <typename Field, typename Header>
void HeaderFields(Header& header, Field& field) {
  field(header.length);
  field(header.last_id);
  field(header.first_entry);
  field(header.last_entry);
  field(header.max_deleted_id);
  field(header.entries_added);
  field(header.groups);
  field(header.next_group);
  field(header.nodes);
  if (header.nodes > 0) {
    field(header.tail.first);
    NodeFields(header.tail, field);
  }
  if (header.nodes > 1) {
    field(header.head.first);
    NodeFields(header.head, field);
  }
}

template <typename Field, typename Group>
void GroupFields(Group& group, Field& field) {
  field(group.number);
  field(group.last_id);
  field(group.entries_read);
  field(group.consumers);
  field(group.next_consumer);
  field(group.pending);
  field(group.pending_first);
  field(group.pending_last);
  field(group.acks_since_scan);
}

template <typename Field, typename Consumer>
void ConsumerFields(Consumer& consumer, Field& field) {
  field(consumer.number);
  field(consumer.seen_ms);
  field(consumer.active_ms);
  field(consumer.pending);
}

template <typename Field, typename Pending>
void PendingFields(Pending& pending, Field& field) {
  field(pending.consumer);
  field(pending.delivered_ms);
  field(pending.deliveries);
}

}  // namespace

std::string EncodeStreamHeader(const StreamHeader& header) {
  std::string payload;
  payload.reserve(256);
  Writer writer(&payload);
  HeaderFields(header, writer);
  return payload;
}

std::optional<StreamHeader> ParseStreamHeader(std::string_view payload) {
  std::optional<StreamHeader> header(std::in_place);
  Reader reader(payload);
  HeaderFields(*header, reader);
  if (!reader.complete()) header.reset();
  return header;
}

std::string EncodeStreamNode(const StreamNode& node) {
  std::string value;
  Writer writer(&value);
  NodeFields(node, writer);
  return value;
}

std::optional<StreamNode> ParseStreamNode(StreamId first, std::string_view value) {
  std::optional<StreamNode> node(std::in_place);
  node->first = first;
  Reader reader(value);
  NodeFields(*node, reader);
  if (!reader.complete()) node.reset();
  return node;
}

std::string EncodeStreamGroup(const StreamGroup& group) {
  std::string value;
  value.reserve(96);
  Writer writer(&value);
  GroupFields(group, writer);
  return value;
}

std::optional<StreamGroup> ParseStreamGroup(std::string_view value) {
  std::optional<StreamGroup> group(std::in_place);
  Reader reader(value);
  GroupFields(*group, reader);
  if (!reader.complete()) group.reset();
  return group;
}

std::string EncodeStreamConsumer(const StreamConsumer& consumer) {
  std::string value;
  Writer writer(&value);
  ConsumerFields(consumer, writer);
  return value;
}

std::optional<StreamConsumer> ParseStreamConsumer(std::string_view value) {
  std::optional<StreamConsumer> consumer(std::in_place);
  Reader reader(value);
  ConsumerFields(*consumer, reader);
  if (!reader.complete()) consumer.reset();
  return consumer;
}

std::string EncodePendingEntry(const PendingEntry& pending) {
  std::string value;
  Writer writer(&value);
  PendingFields(pending, writer);
  return value;
}

std::optional<PendingEntry> ParsePendingEntry(std::string_view value) {
  std::optional<PendingEntry> pending(std::in_place);
  Reader reader(value);
  PendingFields(*pending, reader);
  if (!reader.complete()) pending.reset();
  return pending;
}

}  // namespace basalt::storage
