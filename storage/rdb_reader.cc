#include "storage/rdb_reader.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "storage/compact_forms.h"
#include "storage/crc64.h"
#include "storage/listpack.h"
#include "storage/rdb_format.h"
#include "storage/rdb_input.h"

namespace basalt::storage {
namespace {

// Leaves the function with what is not kOk.
#define RDB_RETURN_IF_ERROR(expression)                                              \
  do {                                                                               \
    if (const Status status_ = (expression); status_ != Status::kOk) return status_; \
  } while (0)

// A score as a compact form keeps it: an integer, or text.
bool ScoreOf(const ListpackElement& element, double* score) {
  if (element.is_number) {
    *score = static_cast<double>(element.number);
    return true;
  }
  if (element.bytes.empty() || element.bytes.size() > 128) return false;
  const std::string text(element.bytes);
  char* end;
  *score = std::strtod(text.c_str(), &end);
  return end == text.c_str() + text.size() && !std::isnan(*score);
}

// What is spent for one element of a list or one entry of a stream beside its text: they become rows. Not more, or
// nodes that Redis compresses to a 90th, of elements with one byte, would be refused.
constexpr uint64_t kElementOverheadBytes = 4;
constexpr uint64_t kEntryOverheadBytes = 16;
// What an element of a stream's entry takes in memory until the entry is told: itself, its text, a view of that.
constexpr uint64_t kKeptElementBytes =
    sizeof(ListpackElement) + ListpackElement::kIntegerTextMax + sizeof(std::string_view);

// One payload. The members of the class are what would be passed from function to function otherwise.
class Reader {
 public:
  Reader(std::string_view value, ValueSink* sink)
      : in_(value),
        payload_bytes_(value.size()),
        sink_(*sink),
        budget_(payload_bytes_ * kRdbExpansionMax + kRdbExpansionFreeBytes) {}

  Status Read();

 private:
  Status ReadStringValue();
  Status ReadPlain(ValueType type, RdbType rdb_type);
  Status ReadQuicklist(RdbType type);
  Status ReadCompactList(std::string_view blob);
  Status ReadCompactPairs(ValueType type, RdbType rdb_type);
  Status ReadIntset();
  Status ReadSetListpack();
  Status ReadZipmap();
  template <typename Compact>
  Status ReadPairs(ValueType type, std::string_view blob);

  Status ReadStream(RdbType type);
  // How far the entries of a stream were read.
  struct Progress {
    StreamId first, last;  // `first`: of those that are not deleted
    bool any = false;
    uint64_t live = 0;
  };
  Status ReadStreamNode(Progress* progress);
  Status ReadStreamEntry(ListpackReader& node, StreamId master, Progress* progress, bool* deleted);
  Status ReadStreamFacts(RdbType type, const Progress& progress, ValueSink::StreamFacts* facts);
  Status ReadGroup(RdbType type, const ValueSink::StreamFacts& facts);
  Status ReadConsumer(RdbType type);
  bool ReadLengthId(StreamId* id) { return in_.ReadLength(&id->ms) && in_.ReadLength(&id->seq); }
  bool ReadRawId(StreamId* id) { return in_.ReadBigEndian64(&id->ms) && in_.ReadBigEndian64(&id->seq); }
  // Unix milliseconds, or -1; never so long ago that the time since would overflow.
  bool ReadTime(int64_t* time_ms) {
    constexpr int64_t kEarliest = std::numeric_limits<int64_t>::min() / 2;
    uint64_t bits;
    if (!in_.ReadLittleEndian64(&bits)) return false;
    *time_ms = std::max(static_cast<int64_t>(bits), kEarliest);
    return true;
  }

  // An element about to be told, or kept: an empty one is not for nothing.
  Status Spend(uint64_t bytes) {
    if (bytes > budget_) return Status::kInvalid;
    budget_ -= bytes;
    return Status::kOk;
  }
  // Of what was kept for a while.
  void GiveBack(uint64_t bytes) { budget_ += bytes; }
  Status Member(std::string_view member) {
    return members_.Add(member) ? Spend(member.size() + DuplicateFinder::kBytes) : Status::kInvalid;
  }
  // An element of a stream's entry, of its own or of the master's.
  Status KeepElement(ListpackReader& node, std::vector<ListpackElement>* elements) {
    RDB_RETURN_IF_ERROR(Spend(kKeptElementBytes));
    return node.Next(&elements->emplace_back()) ? Status::kOk : Status::kInvalid;
  }
  Status TellPair(ValueType type, std::string_view member, const ListpackElement& value);

  RdbInput in_;
  const uint64_t payload_bytes_;
  ValueSink& sink_;
  uint64_t budget_;
  DuplicateFinder members_;
  std::string buffer_, second_buffer_;

  // A stream's.
  std::vector<ListpackElement> master_fields_, elements_;
  std::vector<std::string_view> texts_;
  std::string numbers_;
  struct PendingEntry {
    StreamId id;
    int64_t delivered_ms = 0;
    uint64_t deliveries = 0;
    bool taken = false;
  };
  std::vector<PendingEntry> pending_;
};

Status Reader::Read() {
  uint8_t byte;
  if (!in_.ReadByte(&byte)) return Status::kInvalid;
  const auto type = static_cast<RdbType>(byte);
  switch (type) {
    case RdbType::kString:
      return ReadStringValue();
    case RdbType::kList:
      return ReadPlain(ValueType::kList, type);
    case RdbType::kSet:
      return ReadPlain(ValueType::kSet, type);
    case RdbType::kZset:
    case RdbType::kZset2:
      return ReadPlain(ValueType::kZset, type);
    case RdbType::kHash:
      return ReadPlain(ValueType::kHash, type);
    case RdbType::kHashZipmap:
      return ReadZipmap();
    case RdbType::kListZiplist:
    case RdbType::kListQuicklist:
    case RdbType::kListQuicklist2:
      return ReadQuicklist(type);
    case RdbType::kSetIntset:
      return ReadIntset();
    case RdbType::kSetListpack:
      return ReadSetListpack();
    case RdbType::kZsetZiplist:
    case RdbType::kZsetListpack:
      return ReadCompactPairs(ValueType::kZset, type);
    case RdbType::kHashZiplist:
    case RdbType::kHashListpack:
      return ReadCompactPairs(ValueType::kHash, type);
    case RdbType::kStreamListpacks:
    case RdbType::kStreamListpacks2:
    case RdbType::kStreamListpacks3:
      return ReadStream(type);
  }
  return Status::kInvalid;  // modules' types among them
}

Status Reader::ReadStringValue() {
  std::string_view bytes;
  if (!in_.ReadString(&buffer_, &bytes)) return Status::kInvalid;
  return sink_.String(bytes);
}

// [count] and as many strings; of a sorted set each with a score, of a hash pairs of them.
Status Reader::ReadPlain(ValueType type, RdbType rdb_type) {
  uint64_t count;
  if (!in_.ReadLength(&count) || count == 0 || count > in_.left()) return Status::kInvalid;
  constexpr Encoding kForms[] = {Encoding::kRaw,      Encoding::kRaw,       Encoding::kHashtable,
                                 Encoding::kListpack, Encoding::kHashtable, Encoding::kSkiplist};
  RDB_RETURN_IF_ERROR(sink_.Begin(type, kForms[static_cast<size_t>(type)], count));
  for (; count > 0; --count) {
    std::string_view member;
    if (!in_.ReadString(&buffer_, &member)) return Status::kInvalid;
    if (type == ValueType::kList) {
      RDB_RETURN_IF_ERROR(Spend(member.size() + kElementOverheadBytes));
    } else {
      RDB_RETURN_IF_ERROR(Member(member));
    }
    if (type == ValueType::kZset) {
      double score;
      const bool read = rdb_type == RdbType::kZset2 ? in_.ReadDouble(&score) : in_.ReadTextDouble(&score);
      if (!read || std::isnan(score)) return Status::kInvalid;
      RDB_RETURN_IF_ERROR(sink_.Scored(member, score));
    } else if (type == ValueType::kHash) {
      std::string_view value;
      if (!in_.ReadString(&second_buffer_, &value)) return Status::kInvalid;
      RDB_RETURN_IF_ERROR(Spend(value.size()));
      RDB_RETURN_IF_ERROR(sink_.Field(member, value));
    } else {
      RDB_RETURN_IF_ERROR(sink_.Element(member));
    }
  }
  return members_.HasDuplicates() ? Status::kInvalid : sink_.End();
}

// ---- lists ----

// Tells the elements of one node, `compact` opened on it.
template <typename Compact>
Status TellElements(Compact& compact, uint64_t* budget, ValueSink& sink, uint64_t* count) {
  ListpackElement element;
  char text[ListpackElement::kIntegerTextMax];
  while (compact.Next(&element)) {
    const std::string_view bytes = element.Text(text);
    const uint64_t spent = bytes.size() + kElementOverheadBytes;
    if (spent > *budget) return Status::kInvalid;
    *budget -= spent;
    RDB_RETURN_IF_ERROR(sink.Element(bytes));
    ++*count;
  }
  return compact.ok() ? Status::kOk : Status::kInvalid;
}

Status Reader::ReadQuicklist(RdbType type) {
  uint64_t nodes = 1;
  if (type != RdbType::kListZiplist && (!in_.ReadLength(&nodes) || nodes == 0)) return Status::kInvalid;
  bool begun = false;
  uint64_t count = 0;
  for (uint64_t i = 0; i < nodes; ++i) {
    uint64_t container = kRdbPackedNode;
    if (type == RdbType::kListQuicklist2 && !in_.ReadLength(&container)) return Status::kInvalid;
    if (container != kRdbPackedNode && container != kRdbPlainNode) return Status::kInvalid;
    std::string_view node;
    if (!in_.ReadString(&buffer_, &node) || node.empty()) return Status::kInvalid;
    if (!begun) {
      // One packed node is what Redis may keep as a listpack. Each element takes two bytes of a node, or more.
      const bool packed = nodes == 1 && container == kRdbPackedNode && type != RdbType::kListZiplist;
      const uint64_t most = nodes == 1 ? node.size() / 2 + 1 : budget_ / 2;
      RDB_RETURN_IF_ERROR(sink_.Begin(ValueType::kList, packed ? Encoding::kListpack : Encoding::kQuicklist, most));
      begun = true;
    }
    if (container == kRdbPlainNode) {
      RDB_RETURN_IF_ERROR(Spend(node.size()));
      RDB_RETURN_IF_ERROR(sink_.Element(node));
      ++count;
    } else if (type == RdbType::kListQuicklist2) {
      ListpackReader listpack;
      if (!listpack.Open(node)) return Status::kInvalid;
      RDB_RETURN_IF_ERROR(TellElements(listpack, &budget_, sink_, &count));
    } else {
      ZiplistReader ziplist;
      if (!ziplist.Open(node)) return Status::kInvalid;
      RDB_RETURN_IF_ERROR(TellElements(ziplist, &budget_, sink_, &count));
    }
  }
  return count == 0 ? Status::kInvalid : sink_.End();
}

// ---- sets ----

Status Reader::ReadIntset() {
  std::string_view blob;
  IntsetReader intset;
  if (!in_.ReadString(&buffer_, &blob) || !intset.Open(blob) || intset.count() == 0) return Status::kInvalid;
  RDB_RETURN_IF_ERROR(sink_.Begin(ValueType::kSet, Encoding::kIntset, intset.count()));
  ListpackElement element{.is_number = true};
  char text[ListpackElement::kIntegerTextMax];
  while (intset.Next(&element.number)) {
    const std::string_view bytes = element.Text(text);
    RDB_RETURN_IF_ERROR(Spend(bytes.size()));
    RDB_RETURN_IF_ERROR(sink_.Element(bytes));
  }
  return intset.ok() ? sink_.End() : Status::kInvalid;
}

Status Reader::ReadSetListpack() {
  std::string_view blob;
  ListpackReader listpack;
  if (!in_.ReadString(&buffer_, &blob) || !listpack.Open(blob) || listpack.at_end()) return Status::kInvalid;
  const uint64_t count =
      listpack.stated_count() == ListpackReader::kUnknown ? blob.size() / 2 : listpack.stated_count();
  RDB_RETURN_IF_ERROR(sink_.Begin(ValueType::kSet, Encoding::kListpack, count));
  ListpackElement element;
  char text[ListpackElement::kIntegerTextMax];
  while (listpack.Next(&element)) {
    const std::string_view bytes = element.Text(text);
    RDB_RETURN_IF_ERROR(Member(bytes));
    RDB_RETURN_IF_ERROR(sink_.Element(bytes));
  }
  return listpack.ok() && !members_.HasDuplicates() ? sink_.End() : Status::kInvalid;
}

// ---- hashes and sorted sets in one blob ----

Status Reader::TellPair(ValueType type, std::string_view member, const ListpackElement& value) {
  RDB_RETURN_IF_ERROR(Member(member));
  if (type == ValueType::kZset) {
    double score;
    return ScoreOf(value, &score) ? sink_.Scored(member, score) : Status::kInvalid;
  }
  char text[ListpackElement::kIntegerTextMax];
  const std::string_view bytes = value.Text(text);
  RDB_RETURN_IF_ERROR(Spend(bytes.size()));
  return sink_.Field(member, bytes);
}

template <typename Compact>
Status Reader::ReadPairs(ValueType type, std::string_view blob) {
  Compact compact;
  if (!compact.Open(blob)) return Status::kInvalid;
  const uint64_t count =
      compact.stated_count() == ListpackReader::kUnknown ? blob.size() / 4 : compact.stated_count() / 2u;
  ListpackElement member, value;
  bool begun = false;
  char text[ListpackElement::kIntegerTextMax];
  while (compact.Next(&member)) {
    if (!begun) RDB_RETURN_IF_ERROR(sink_.Begin(type, Encoding::kListpack, count));
    begun = true;
    if (!compact.Next(&value)) return Status::kInvalid;
    RDB_RETURN_IF_ERROR(TellPair(type, member.Text(text), value));
  }
  return begun && compact.ok() && !members_.HasDuplicates() ? sink_.End() : Status::kInvalid;
}

Status Reader::ReadCompactPairs(ValueType type, RdbType rdb_type) {
  std::string_view blob;
  if (!in_.ReadString(&buffer_, &blob)) return Status::kInvalid;
  const bool is_listpack = rdb_type == RdbType::kZsetListpack || rdb_type == RdbType::kHashListpack;
  return is_listpack ? ReadPairs<ListpackReader>(type, blob) : ReadPairs<ZiplistReader>(type, blob);
}

Status Reader::ReadZipmap() {
  std::string_view blob;
  ZipmapReader zipmap;
  if (!in_.ReadString(&buffer_, &blob) || !zipmap.Open(blob)) return Status::kInvalid;
  ListpackElement value;
  std::string_view field;
  bool begun = false;
  while (zipmap.Next(&field, &value.bytes)) {
    // Redis turns it into a listpack within the limits of a hash, so it is told as a plain one.
    if (!begun) RDB_RETURN_IF_ERROR(sink_.Begin(ValueType::kHash, Encoding::kHashtable, blob.size() / 3));
    begun = true;
    RDB_RETURN_IF_ERROR(TellPair(ValueType::kHash, field, value));
  }
  return begun && zipmap.ok() && !members_.HasDuplicates() ? sink_.End() : Status::kInvalid;
}

// ---- streams ----

// One entry: [flags][ms - master's][seq - master's] { [fields] field… } value… [how many elements], the part in braces
// only when its fields are not those of the master entry.
Status Reader::ReadStreamEntry(ListpackReader& node, StreamId master, Progress* progress, bool* deleted) {
  int64_t flags, ms, seq, pieces;
  if (!node.NextInteger(&flags) || !node.NextInteger(&ms) || !node.NextInteger(&seq)) return Status::kInvalid;
  // Differences to the master's id; they may wrap around, as additions of unsigned numbers do.
  const StreamId id{master.ms + static_cast<uint64_t>(ms), master.seq + static_cast<uint64_t>(seq)};
  if (id.zero() || (progress->any && id <= progress->last)) return Status::kInvalid;
  progress->last = id;
  progress->any = true;

  const bool same_fields = (flags & kRdbEntrySameFields) != 0;
  auto fields = static_cast<int64_t>(master_fields_.size());
  elements_.clear();
  if (same_fields) {
    RDB_RETURN_IF_ERROR(Spend(master_fields_.size() * kKeptElementBytes));
    elements_ = master_fields_;
  } else {
    if (!node.NextInteger(&fields) || fields < 0) return Status::kInvalid;
  }
  // Fields and values are side by side in an entry of its own fields, values only behind the master's.
  for (int64_t i = 0; i < fields; ++i) {
    if (!same_fields) RDB_RETURN_IF_ERROR(KeepElement(node, &elements_));
    RDB_RETURN_IF_ERROR(KeepElement(node, &elements_));
  }
  GiveBack(elements_.size() * kKeptElementBytes);
  if (!node.NextInteger(&pieces) || pieces != fields + 3 + (same_fields ? 0 : fields + 1)) return Status::kInvalid;
  *deleted = (flags & kRdbEntryDeleted) != 0;
  if (*deleted) return Status::kOk;
  if (fields == 0) return Status::kInvalid;
  if (progress->live++ == 0) progress->first = id;

  numbers_.resize(elements_.size() * ListpackElement::kIntegerTextMax);
  texts_.resize(elements_.size());
  const auto count = static_cast<size_t>(fields);
  uint64_t bytes = 0;
  for (size_t i = 0; i < elements_.size(); ++i) {
    // Told as field, value, field, value.
    const size_t place = !same_fields ? i : i < count ? 2 * i : 2 * (i - count) + 1;
    texts_[place] = elements_[i].Text(numbers_.data() + i * ListpackElement::kIntegerTextMax);
    bytes += texts_[place].size();
  }
  RDB_RETURN_IF_ERROR(Spend(bytes + kEntryOverheadBytes));
  return sink_.Entry(id, texts_);
}

// [master id: 16 bytes as a string][listpack]: [entries][deleted ones][fields] field… [0] and the entries.
Status Reader::ReadStreamNode(Progress* progress) {
  std::string_view key, blob;
  if (!in_.ReadString(&second_buffer_, &key) || key.size() != 16) return Status::kInvalid;
  RdbInput key_input(key);
  StreamId master;
  if (!key_input.ReadBigEndian64(&master.ms) || !key_input.ReadBigEndian64(&master.seq)) return Status::kInvalid;
  ListpackReader node;
  if (!in_.ReadString(&buffer_, &blob) || !node.Open(blob) || node.at_end()) return Status::kInvalid;

  int64_t entries, deleted, fields, zero;
  if (!node.NextInteger(&entries) || !node.NextInteger(&deleted) || !node.NextInteger(&fields)) return Status::kInvalid;
  if (entries < 0 || deleted < 0 || fields < 0) return Status::kInvalid;
  master_fields_.clear();
  for (int64_t i = 0; i < fields; ++i) RDB_RETURN_IF_ERROR(KeepElement(node, &master_fields_));
  if (!node.NextInteger(&zero) || zero != 0) return Status::kInvalid;
  while (!node.at_end()) {
    bool is_deleted = false;
    RDB_RETURN_IF_ERROR(ReadStreamEntry(node, master, progress, &is_deleted));
    if (--(is_deleted ? deleted : entries) < 0) return Status::kInvalid;
  }
  GiveBack(master_fields_.size() * kKeptElementBytes);
  return entries == 0 && deleted == 0 && node.ok() ? Status::kOk : Status::kInvalid;
}

Status Reader::ReadStream(RdbType type) {
  uint64_t nodes;
  if (!in_.ReadLength(&nodes)) return Status::kInvalid;
  RDB_RETURN_IF_ERROR(sink_.Begin(ValueType::kStream, Encoding::kStream, nodes == 0 ? 0 : budget_ / 4));
  Progress progress;
  for (; nodes > 0; --nodes) RDB_RETURN_IF_ERROR(ReadStreamNode(&progress));
  ValueSink::StreamFacts facts;
  RDB_RETURN_IF_ERROR(ReadStreamFacts(type, progress, &facts));
  RDB_RETURN_IF_ERROR(sink_.Facts(facts));

  uint64_t groups;
  if (!in_.ReadLength(&groups)) return Status::kInvalid;
  DuplicateFinder names;
  for (; groups > 0; --groups) {
    std::string_view name;
    RdbInput ahead = in_;
    if (!ahead.ReadString(&buffer_, &name)) return Status::kInvalid;
    if (!names.Add(name)) return Status::kInvalid;
    RDB_RETURN_IF_ERROR(ReadGroup(type, facts));
  }
  return names.HasDuplicates() ? Status::kInvalid : sink_.End();
}

Status Reader::ReadStreamFacts(RdbType type, const Progress& progress, ValueSink::StreamFacts* facts) {
  if (!in_.ReadLength(&facts->length) || !ReadLengthId(&facts->last_id)) return Status::kInvalid;
  if (type == RdbType::kStreamListpacks) {
    facts->first_id = progress.first;
    facts->entries_added = facts->length;
  } else if (!ReadLengthId(&facts->first_id) || !ReadLengthId(&facts->max_deleted_id) ||
             !in_.ReadLength(&facts->entries_added)) {
    return Status::kInvalid;
  }
  if (facts->length != progress.live || (progress.any && progress.last > facts->last_id)) return Status::kInvalid;
  const bool plausible = facts->entries_added >= facts->length && facts->entries_added <= uint64_t{INT64_MAX};
  return plausible ? Status::kOk : Status::kInvalid;
}

// How many entries a group has read whose payload does not say it (Redis 5 and 6): known at the two ends of the stream.
int64_t EstimateEntriesRead(StreamId group, const ValueSink::StreamFacts& facts) {
  const auto added = static_cast<int64_t>(facts.entries_added);
  if (added == 0) return 0;
  if (group == facts.last_id) return added;
  if (group > facts.last_id) return -1;
  if (group < facts.first_id) return 0;
  return group == facts.first_id ? 1 : -1;
}

Status Reader::ReadGroup(RdbType type, const ValueSink::StreamFacts& facts) {
  ValueSink::GroupFacts group;
  if (!in_.ReadString(&buffer_, &group.name) || !ReadLengthId(&group.last_id)) return Status::kInvalid;
  if (type == RdbType::kStreamListpacks) {
    group.entries_read = EstimateEntriesRead(group.last_id, facts);
  } else {
    uint64_t entries_read;
    if (!in_.ReadLength(&entries_read)) return Status::kInvalid;
    group.entries_read = static_cast<int64_t>(entries_read);
    if (group.entries_read < -1) return Status::kInvalid;
  }
  RDB_RETURN_IF_ERROR(Spend(group.name.size()));
  RDB_RETURN_IF_ERROR(sink_.Group(group));

  // [count] { [id][time][deliveries] }…, and then the consumers, each with the ids of its share.
  uint64_t count;
  constexpr uint64_t kPendingBytesMin = 25;
  if (!in_.ReadLength(&count) || count > in_.left() / kPendingBytesMin) return Status::kInvalid;
  pending_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    PendingEntry& entry = pending_[i];
    if (!ReadRawId(&entry.id) || !ReadTime(&entry.delivered_ms) || !in_.ReadLength(&entry.deliveries)) {
      return Status::kInvalid;
    }
    entry.taken = false;
    if (i > 0 && entry.id <= pending_[i - 1].id) return Status::kInvalid;
  }
  uint64_t consumers;
  if (!in_.ReadLength(&consumers)) return Status::kInvalid;
  members_.Clear();
  for (; consumers > 0; --consumers) RDB_RETURN_IF_ERROR(ReadConsumer(type));
  if (members_.HasDuplicates()) return Status::kInvalid;
  const bool all_taken =
      std::all_of(pending_.begin(), pending_.end(), [](const PendingEntry& entry) { return entry.taken; });
  return all_taken ? Status::kOk : Status::kInvalid;
}

Status Reader::ReadConsumer(RdbType type) {
  ValueSink::ConsumerFacts consumer;
  uint64_t count;
  if (!in_.ReadString(&buffer_, &consumer.name) || !ReadTime(&consumer.seen_ms)) return Status::kInvalid;
  consumer.active_ms = consumer.seen_ms;  // the best that is known
  if (type == RdbType::kStreamListpacks3 && !ReadTime(&consumer.active_ms)) return Status::kInvalid;
  RDB_RETURN_IF_ERROR(Member(consumer.name));
  RDB_RETURN_IF_ERROR(sink_.Consumer(consumer));
  if (!in_.ReadLength(&count) || count > in_.left() / 16) return Status::kInvalid;
  auto from = pending_.begin();
  for (; count > 0; --count) {
    StreamId id;
    if (!ReadRawId(&id)) return Status::kInvalid;
    const auto entry =
        std::lower_bound(from, pending_.end(), id, [](const PendingEntry& a, const StreamId& b) { return a.id < b; });
    if (entry == pending_.end() || entry->id != id || entry->taken) return Status::kInvalid;
    entry->taken = true;
    RDB_RETURN_IF_ERROR(sink_.Pending(id, entry->delivered_ms, entry->deliveries));
    from = entry + 1;
  }
  return Status::kOk;
}

}  // namespace

Status VerifyRdbPayload(std::string_view payload, RdbChecksum checksum) {
  if (payload.size() < kRdbFooterBytes) return Status::kInvalid;
  const size_t footer = payload.size() - kRdbFooterBytes;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(payload[at]); };
  if ((byte(footer) | byte(footer + 1) << 8) > kRdbVersion) return Status::kInvalid;
  if (checksum == RdbChecksum::kIgnored) return Status::kOk;
  uint64_t stated = 0;
  for (size_t i = 8; i-- > 0;) stated = stated << 8 | byte(footer + 2 + i);
  return Crc64(payload.substr(0, footer + 2)) == stated ? Status::kOk : Status::kInvalid;
}

Status ReadRdbPayload(std::string_view payload, ValueSink* sink) {
  if (payload.size() < kRdbFooterBytes) return Status::kInvalid;
  return Reader(payload.substr(0, payload.size() - kRdbFooterBytes), sink).Read();
}

LibrariesOutcome ReadRdbLibraries(std::string_view payload, std::vector<std::string>* codes) {
  if (payload.size() < kRdbFooterBytes) return LibrariesOutcome::kCutOff;
  RdbInput input(payload.substr(0, payload.size() - kRdbFooterBytes));
  // What is compressed may not become more than any value may.
  uint64_t budget = payload.size() * kRdbExpansionMax + kRdbExpansionFreeBytes;
  while (input.left() > 0) {
    uint8_t opcode = 0;
    if (!input.ReadByte(&opcode)) return LibrariesOutcome::kCutOff;
    if (opcode == kRdbOldLibrary) return LibrariesOutcome::kOldFormat;
    if (opcode != kRdbLibrary) return LibrariesOutcome::kNotLibrary;
    std::string buffer;
    std::string_view code;
    if (!input.ReadString(&buffer, &code) || code.size() > budget) return LibrariesOutcome::kCutOff;
    budget -= code.size();
    codes->emplace_back(code);
  }
  return LibrariesOutcome::kRead;
}

#undef RDB_RETURN_IF_ERROR

}  // namespace basalt::storage
