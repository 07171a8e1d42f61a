#include "storage/value_loader.h"

#include <algorithm>

#include "storage/collection.h"
#include "storage/hash_layout.h"
#include "storage/list_layout.h"
#include "storage/list_node_limit.h"
#include "storage/member_rows.h"
#include "storage/packed.h"
#include "storage/storage.h"
#include "storage/stream_store.h"
#include "storage/string_store.h"

namespace basalt::storage {
namespace {

void AppendId(StreamId id, std::string* out) {
  char bytes[kStreamIdBytes];
  PutBig64(bytes, id.ms);
  PutBig64(bytes + 8, id.seq);
  out->append(bytes, sizeof bytes);
}

}  // namespace

Status ValueLoader::String(std::string_view bytes) { return StringStore::Set(txn_, db_, key_, bytes, expire_ms_); }

Status ValueLoader::Begin(ValueType type, Encoding encoding, uint64_t count) {
  type_ = type;
  told_ = encoding;
  count_max_ = count;
  if (type == ValueType::kZset) scored_.emplace(txn_, count);
  return Status::kOk;
}

Status ValueLoader::Gathered() {
  ++count_;
  const bool large = count_ > NewObject::kLargeRows || gathered_.size() > NewObject::kLargeBytes;
  return large ? StartRows() : Status::kOk;
}

// Gives the value an object and writes what was gathered.
Status ValueLoader::StartRows() {
  const bool stream = type_ == ValueType::kStream;
  const bool large = count_ > NewObject::kLargeRows || gathered_.size() > NewObject::kLargeBytes;
  const auto families =
      static_cast<uint8_t>(RowFamilyBit(RowFamily::kData) | (stream ? RowFamilyBit(RowFamily::kScore) : 0));
  object_.emplace(txn_, families, large ? std::max(count_, count_max_) : count_, gathered_.size());
  Status status = object_->Begin();
  const std::string gathered = std::move(gathered_);
  gathered_.clear();
  const uint64_t elements = count_;
  count_ = 0;
  PackedReader reader(gathered);
  std::string_view first, second;
  for (uint64_t i = 0; status == Status::kOk && i < elements; ++i) {
    if (stream) {
      reader.ReadBytes(kStreamIdBytes, &first);
      reader.Read(&second);
      status = PutEntry({GetBig64(first.data()), GetBig64(first.data() + 8)}, second);
    } else {
      reader.Read(&first);
      if (type_ == ValueType::kHash) reader.Read(&second);
      status = PutRow(first, second);
    }
  }
  return status;
}

Status ValueLoader::PutRow(std::string_view first, std::string_view second) {
  KeyBuffer key;
  switch (type_) {
    case ValueType::kList:
      EncodeListKey(object_->id(), kListMiddle + count_, &key);
      second = first;
      break;
    case ValueType::kHash:
      MemberRows::EncodeKey(txn_.storage(), object_->id(), first, &key);
      EncodeHashRow(second, kNoExpire, &row_);
      second = row_;
      break;
    default:  // a set
      MemberRows::EncodeKey(txn_.storage(), object_->id(), first, &key);
      second = {};
  }
  ++count_;
  return object_->Put(RowFamily::kData, key.view(), second);
}

Status ValueLoader::Element(std::string_view element) {
  longest_ = std::max<uint64_t>(longest_, element.size());
  if (type_ == ValueType::kList) {
    listpack_bytes_ += ListpackEntryBytes(element);
  } else if (all_integers_) {
    all_integers_ = IsInteger(element);
  }
  if (object_) return PutRow(element, {});
  AppendPacked(element, &gathered_);
  return Gathered();
}

Status ValueLoader::Field(std::string_view field, std::string_view value) {
  longest_ = std::max<uint64_t>({longest_, field.size(), value.size()});
  if (object_) return PutRow(field, value);
  AppendPacked(field, &gathered_);
  AppendPacked(value, &gathered_);
  return Gathered();
}

Status ValueLoader::Scored(std::string_view member, double score) {
  longest_ = std::max<uint64_t>(longest_, member.size());
  ++count_;
  return scored_->Add(score, member);
}

// What Redis makes of it; see the class. A table of integers is an intset, whatever the listpack's limits are.
Encoding ValueLoader::FinalEncoding() const {
  const auto fits = [&](uint64_t entries, uint64_t value_bytes) {
    return count_ <= entries && (told_ == Encoding::kListpack || longest_ <= value_bytes);
  };
  switch (type_) {
    case ValueType::kList: {
      // Not ListLimits: where the setting is a number of elements, Redis converts back whatever the bytes.
      const ListNodeLimit limit = ListNodeLimitOf(limits_.list_max_listpack_size);
      const bool one_node = told_ == Encoding::kListpack && listpack_bytes_ + kListpackEmptyBytes <= limit.bytes &&
                            count_ <= limit.elements;
      return one_node ? Encoding::kListpack : Encoding::kQuicklist;
    }
    case ValueType::kSet:
      if (told_ == Encoding::kListpack) {
        return count_ <= limits_.set.listpack_entries ? Encoding::kListpack : Encoding::kHashtable;
      }
      if (count_ > limits_.set.intset_entries) return Encoding::kHashtable;
      if (all_integers_) return Encoding::kIntset;
      return fits(limits_.set.listpack_entries, limits_.set.listpack_value) ? Encoding::kListpack
                                                                            : Encoding::kHashtable;
    case ValueType::kZset:
      return fits(limits_.zset.listpack_entries_max, limits_.zset.listpack_value_max) ? Encoding::kListpack
                                                                                      : Encoding::kSkiplist;
    case ValueType::kHash:
      return fits(limits_.hash.listpack_entries, limits_.hash.listpack_value) ? Encoding::kListpack
                                                                              : Encoding::kHashtable;
    default:
      return Encoding::kStream;
  }
}

// A packed intset is in the order of its numbers.
bool ValueLoader::SortIntset() {
  std::vector<std::string_view> members(count_);
  PackedReader reader(gathered_);
  for (std::string_view& member : members) {
    if (!reader.Read(&member)) return false;
  }
  std::sort(members.begin(), members.end(),
            [](std::string_view a, std::string_view b) { return CompareIntegers(a, b) < 0; });
  std::string sorted;
  sorted.reserve(gathered_.size());
  for (const std::string_view member : members) AppendPacked(member, &sorted);
  gathered_ = std::move(sorted);
  return true;
}

Status ValueLoader::End() {
  if (type_ == ValueType::kStream) return EndStream();
  if (count_ == 0) return Status::kInvalid;
  const Encoding encoding = FinalEncoding();
  if (type_ == ValueType::kZset) return scored_->Finish(db_, key_, encoding, expire_ms_);

  RecordHeader header{.type = type_, .encoding = encoding, .expire_ms = expire_ms_};
  std::string payload;
  if (!object_ && VarintBytes(count_) + gathered_.size() <= kPackedBytesMax) {
    if (encoding == Encoding::kIntset && !SortIntset()) return Status::kInvalid;
    AppendPackedCount(count_, &payload);
    payload += gathered_;
    txn_.Put(db_, key_, Record::Make(header, payload));
    return Status::kOk;
  }
  Status status = object_ ? Status::kOk : StartRows();
  if (status == Status::kOk) status = object_->End();
  if (status != Status::kOk) return status;
  header.object_id = object_->id();
  if (type_ == ValueType::kList) {
    List list;
    list.encoding = encoding;
    list.count = count_;
    list.object_id = header.object_id;
    list.head = kListMiddle;
    list.listpack = {listpack_bytes_ + kListpackEmptyBytes, true};
    payload = EncodeListRows(list);
  } else {
    AppendRowsCount(count_, &payload);
  }
  txn_.Put(db_, key_, Record::Make(header, payload));
  return Status::kOk;
}

// ---- streams ----

Status ValueLoader::Entry(StreamId id, std::span<const std::string_view> fields_and_values) {
  row_.clear();
  AppendVarint(fields_and_values.size(), &row_);
  for (const std::string_view string : fields_and_values) AppendPacked(string, &row_);
  if (object_) return PutEntry(id, row_);
  AppendId(id, &gathered_);
  AppendPacked(row_, &gathered_);
  return Gathered();
}

Status ValueLoader::PutEntry(StreamId id, std::string_view row) {
  KeyBuffer key;
  EncodeStreamEntryKey(object_->id(), id, &key);
  ++count_;
  StreamEntry entry;
  std::vector<std::string_view> strings;
  if (!StreamEntry::Parse(row, &entry) || !entry.ForEach([&](std::string_view string) { strings.push_back(string); })) {
    return Status::kInvalid;
  }
  StreamNodes::Append(txn_, object_->id(), &header_, id, strings, limits_.stream);
  if (header_.length++ == 0) header_.first_entry = id;
  header_.last_entry = id;
  return object_->Put(RowFamily::kData, key.view(), row);
}

Status ValueLoader::Facts(const StreamFacts& facts) {
  const Status status = object_ ? Status::kOk : StartRows();
  if (status != Status::kOk) return status;
  if (header_.length != facts.length) return Status::kInvalid;
  header_.last_id = facts.last_id;
  header_.max_deleted_id = facts.max_deleted_id;
  header_.entries_added = facts.entries_added;
  return Status::kOk;
}

Status ValueLoader::Group(const GroupFacts& facts) {
  const Status status = EndGroup();
  group_.emplace();
  group_->number = header_.next_group++;
  group_->last_id = facts.last_id;
  group_->entries_read = facts.entries_read;
  ++header_.groups;
  group_name_ = facts.name;
  return status;
}

Status ValueLoader::Consumer(const ConsumerFacts& facts) {
  const Status status = EndConsumer();
  if (status != Status::kOk) return status;
  consumer_.emplace();
  consumer_->number = group_->next_consumer++;
  consumer_->seen_ms = facts.seen_ms;
  consumer_->active_ms = facts.active_ms;
  ++group_->consumers;
  consumer_name_ = facts.name;
  KeyBuffer key;
  EncodeConsumerNameKey(object_->id(), group_->number, consumer_->number, &key);
  return PutGroupRow(key, facts.name);
}

Status ValueLoader::Pending(StreamId id, int64_t delivered_ms, uint64_t deliveries) {
  KeyBuffer key;
  EncodePendingKey(object_->id(), group_->number, id, &key);
  const Status status = PutGroupRow(
      key, EncodePendingEntry({.consumer = consumer_->number, .delivered_ms = delivered_ms, .deliveries = deliveries}));
  if (status != Status::kOk) return status;
  group_->pending_first = group_->pending == 0 ? id : std::min(group_->pending_first, id);
  group_->pending_last = group_->pending == 0 ? id : std::max(group_->pending_last, id);
  ++group_->pending;
  ++consumer_->pending;
  EncodeConsumerPendingKey(object_->id(), group_->number, consumer_->number, id, &key);
  return PutGroupRow(key, {});
}

Status ValueLoader::EndConsumer() {
  if (!consumer_) return Status::kOk;
  KeyBuffer key;
  EncodeConsumerKey(object_->id(), group_->number, consumer_name_, &key);
  const Status status = PutGroupRow(key, EncodeStreamConsumer(*consumer_));
  consumer_.reset();
  return status;
}

Status ValueLoader::EndGroup() {
  const Status status = EndConsumer();
  if (!group_ || status != Status::kOk) return status;
  KeyBuffer key;
  EncodeStreamGroupKey(object_->id(), group_name_, &key);
  const Status put = PutGroupRow(key, EncodeStreamGroup(*group_));
  group_.reset();
  return put;
}

Status ValueLoader::EndStream() {
  Status status = EndGroup();
  if (status == Status::kOk) status = object_->End();
  if (status != Status::kOk) return status;
  const RecordHeader header{
      .type = ValueType::kStream, .encoding = Encoding::kStream, .expire_ms = expire_ms_, .object_id = object_->id()};
  txn_.Put(db_, key_, Record::Make(header, EncodeStreamHeader(header_)));
  return Status::kOk;
}

}  // namespace basalt::storage
