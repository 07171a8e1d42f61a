#include "storage/rdb_writer.h"

#include <lzf.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>

#include "storage/crc64.h"
#include "storage/integer_text.h"
#include "storage/list_node_limit.h"
#include "storage/rdb_format.h"

namespace basalt::storage {
namespace {

constexpr size_t kIntegerTextMax = 11;    // "-2147483648"
constexpr size_t kCompressBytesMin = 21;  // Redis does not try below
constexpr uint64_t kListpackBytesMax = 1ull << 30;

void AppendBytes(uint64_t value, int bytes, bool big_endian, std::string* out) {
  for (int i = 0; i < bytes; ++i) {
    out->push_back(static_cast<char>(value >> (8 * (big_endian ? bytes - 1 - i : i))));
  }
}

std::string LengthBytes(uint64_t length) {
  std::string bytes;
  if (length < 1 << 6) {
    bytes.push_back(static_cast<char>(length));
  } else if (length < 1 << 14) {
    AppendBytes(length | 0x4000, 2, true, &bytes);
  } else if (length <= std::numeric_limits<uint32_t>::max()) {
    bytes.push_back(static_cast<char>(kRdbLength32));
    AppendBytes(length, 4, true, &bytes);
  } else {
    bytes.push_back(static_cast<char>(kRdbLength64));
    AppendBytes(length, 8, true, &bytes);
  }
  return bytes;
}

// Whole numbers that a double holds exactly are integers in a listpack.
bool IsWhole(double score) {
  constexpr double kExact = 4503599627370496;  // 2^52
  return score > -kExact && score < kExact && static_cast<double>(static_cast<int64_t>(score)) == score;
}

}  // namespace

void RdbWriter::AppendLength(uint64_t length) { out_ += LengthBytes(length); }

void RdbWriter::AppendString(std::string_view bytes) {
  int64_t number;
  if (bytes.size() <= kIntegerTextMax && ParseCanonicalInteger(bytes, &number) &&
      number >= std::numeric_limits<int32_t>::min() && number <= std::numeric_limits<int32_t>::max()) {
    const uint8_t kind = number >= INT8_MIN && number <= INT8_MAX     ? kRdbInt8
                         : number >= INT16_MIN && number <= INT16_MAX ? kRdbInt16
                                                                      : kRdbInt32;
    out_.push_back(static_cast<char>(0xc0 | kind));
    AppendBytes(static_cast<uint64_t>(number), 1 << kind, false, &out_);
    return;
  }
  if (options_.compress && bytes.size() >= kCompressBytesMin && bytes.size() < std::numeric_limits<uint32_t>::max()) {
    compressed_.resize(bytes.size() - 4);  // it must pay
    const unsigned size = lzf_compress(bytes.data(), static_cast<unsigned>(bytes.size()), compressed_.data(),
                                       static_cast<unsigned>(compressed_.size()));
    if (size > 0) {
      out_.push_back(static_cast<char>(0xc0 | kRdbLzf));
      AppendLength(size);
      AppendLength(bytes.size());
      out_.append(compressed_, 0, size);
      return;
    }
  }
  AppendLength(bytes.size());
  out_.append(bytes);
}

void RdbWriter::AppendLittleEndian64(uint64_t value) { AppendBytes(value, 8, false, &out_); }

void RdbWriter::AppendRawId(StreamId id) {
  AppendBytes(id.ms, 8, true, &out_);
  AppendBytes(id.seq, 8, true, &out_);
}

void RdbWriter::AppendLengthId(StreamId id) {
  AppendLength(id.ms);
  AppendLength(id.seq);
}

void RdbWriter::InsertCount(uint64_t count) { out_.insert(1, LengthBytes(count)); }

// What was told so far: whether it can still become a payload.
Status RdbWriter::CheckSize() const {
  const uint64_t gathered = out_.size() + listpack_.bytes() + numbers_.size() * sizeof numbers_[0] +
                            group_pending_.size() * sizeof(PendingEntry);
  return listpack_.bytes() > kListpackBytesMax || gathered > options_.bytes_max ? Status::kTooLarge : Status::kOk;
}

Status RdbWriter::String(std::string_view bytes) {
  out_.push_back(static_cast<char>(RdbType::kString));
  AppendString(bytes);
  return Status::kOk;
}

Status RdbWriter::Begin(ValueType type, Encoding encoding, uint64_t) {
  const bool listpack = encoding == Encoding::kListpack;
  RdbType rdb_type;
  form_ = listpack ? Form::kListpack : Form::kTable;
  switch (type) {
    case ValueType::kList:
      rdb_type = RdbType::kListQuicklist2;
      if (!listpack) form_ = Form::kQuicklist;
      break;
    case ValueType::kSet:
      rdb_type = listpack ? RdbType::kSetListpack : RdbType::kSet;
      if (encoding == Encoding::kIntset) {
        rdb_type = RdbType::kSetIntset;
        form_ = Form::kIntset;
      }
      break;
    case ValueType::kZset:
      rdb_type = listpack ? RdbType::kZsetListpack : RdbType::kZset2;
      break;
    case ValueType::kHash:
      rdb_type = listpack ? RdbType::kHashListpack : RdbType::kHash;
      break;
    case ValueType::kStream:
      rdb_type = RdbType::kStreamListpacks3;
      form_ = Form::kStream;
      break;
    default:
      return Status::kInvalid;
  }
  out_.push_back(static_cast<char>(rdb_type));
  return Status::kOk;
}

Status RdbWriter::Element(std::string_view element) {
  switch (form_) {
    case Form::kIntset: {
      int64_t number;
      if (!ParseCanonicalInteger(element, &number)) return Status::kInvalid;
      numbers_.push_back(number);
      break;
    }
    case Form::kQuicklist:
      if (listpack_.count() > 0 &&
          !ListNodeTakes(options_.list_max_listpack_size, listpack_.bytes(), listpack_.count(), element.size())) {
        EndListNode();
      }
      if (element.size() >= kListpackBytesMax) {
        AppendLength(kRdbPlainNode);
        AppendString(element);
        ++count_;
        break;
      }
      listpack_.Append(element);
      break;
    case Form::kListpack:
      listpack_.Append(element);
      break;
    default:
      AppendString(element);
      ++count_;
  }
  return CheckSize();
}

Status RdbWriter::Scored(std::string_view member, double score) {
  if (form_ == Form::kTable) {
    AppendString(member);
    AppendLittleEndian64(std::bit_cast<uint64_t>(score));
    ++count_;
    return CheckSize();
  }
  listpack_.Append(member);
  if (IsWhole(score)) {
    listpack_.AppendInteger(static_cast<int64_t>(score));
  } else {
    char text[32];
    const char* const end = std::to_chars(text, text + sizeof text, score).ptr;
    listpack_.Append({text, static_cast<size_t>(end - text)});
  }
  return CheckSize();
}

Status RdbWriter::Field(std::string_view field, std::string_view value) {
  if (form_ == Form::kTable) {
    AppendString(field);
    AppendString(value);
    ++count_;
    return CheckSize();
  }
  listpack_.Append(field);
  listpack_.Append(value);
  return CheckSize();
}

void RdbWriter::EndListNode() {
  if (listpack_.count() == 0) return;
  AppendLength(kRdbPackedNode);
  AppendString(listpack_.Finish());
  listpack_.Clear();
  ++count_;
}

void RdbWriter::EndIntset() {
  std::sort(numbers_.begin(), numbers_.end());
  uint32_t width = 2;
  for (const int64_t number : {numbers_.front(), numbers_.back()}) {
    if (number < INT16_MIN || number > INT16_MAX) width = std::max(width, 4u);
    if (number < INT32_MIN || number > INT32_MAX) width = 8;
  }
  std::string blob;
  AppendBytes(width, 4, false, &blob);
  AppendBytes(numbers_.size(), 4, false, &blob);
  for (const int64_t number : numbers_)
    AppendBytes(static_cast<uint64_t>(number), static_cast<int>(width), false, &blob);
  AppendString(blob);
}

// ---- streams ----

Status RdbWriter::Entry(StreamId id, std::span<const std::string_view> fields_and_values) {
  const size_t fields = fields_and_values.size() / 2;
  size_t bytes = 0;
  for (const std::string_view text : fields_and_values) bytes += text.size();
  if (bytes > kListpackBytesMax) return Status::kTooLarge;
  if (node_entries_ > 0) {
    const auto bytes_max =
        options_.stream_node_max_bytes <= 0
            ? kListpackBytesMax
            : std::min<uint64_t>(kListpackBytesMax, static_cast<uint64_t>(options_.stream_node_max_bytes));
    const bool full = master_bytes_ + listpack_.bytes() + bytes >= bytes_max ||
                      (options_.stream_node_max_entries > 0 && node_entries_ >= options_.stream_node_max_entries);
    if (full) EndStreamNode();
  }
  if (node_entries_ == 0) {
    master_id_ = id;
    master_fields_.clear();
    master_bytes_ = 4 * 2;  // entries, deleted ones, fields, zero
    for (size_t i = 0; i < fields; ++i) {
      master_fields_.emplace_back(fields_and_values[2 * i]);
      master_bytes_ += ListpackBuilder::ElementBytes(fields_and_values[2 * i]);
    }
  }
  bool same_fields = fields == master_fields_.size();
  for (size_t i = 0; same_fields && i < fields; ++i) same_fields = fields_and_values[2 * i] == master_fields_[i];

  const auto count = static_cast<int64_t>(fields);
  listpack_.AppendInteger(same_fields ? kRdbEntrySameFields : 0);
  listpack_.AppendInteger(static_cast<int64_t>(id.ms - master_id_.ms));
  listpack_.AppendInteger(static_cast<int64_t>(id.seq - master_id_.seq));
  if (!same_fields) listpack_.AppendInteger(count);
  for (size_t i = 0; i < fields; ++i) {
    if (!same_fields) listpack_.Append(fields_and_values[2 * i]);
    listpack_.Append(fields_and_values[2 * i + 1]);
  }
  listpack_.AppendInteger(count + 3 + (same_fields ? 0 : count + 1));
  ++node_entries_;
  return CheckSize();
}

void RdbWriter::EndStreamNode() {
  if (node_entries_ == 0) return;
  ListpackBuilder node;
  node.AppendInteger(node_entries_);
  node.AppendInteger(0);  // deleted
  node.AppendInteger(static_cast<int64_t>(master_fields_.size()));
  for (const std::string& field : master_fields_) node.Append(field);
  node.AppendInteger(0);
  node.AppendAll(listpack_);
  AppendLength(16);
  AppendRawId(master_id_);
  AppendString(node.Finish());
  listpack_.Clear();
  node_entries_ = 0;
  ++count_;
}

Status RdbWriter::Facts(const StreamFacts& facts) {
  EndStreamNode();
  InsertCount(count_);
  AppendLength(facts.length);
  AppendLengthId(facts.last_id);
  AppendLengthId(facts.first_id);
  AppendLengthId(facts.max_deleted_id);
  AppendLength(facts.entries_added);
  groups_at_ = out_.size();
  return Status::kOk;
}

Status RdbWriter::Group(const GroupFacts& facts) {
  if (groups_++ > 0) EndGroup();
  AppendString(facts.name);
  AppendLengthId(facts.last_id);
  AppendLength(static_cast<uint64_t>(facts.entries_read));
  return Status::kOk;
}

Status RdbWriter::Consumer(const ConsumerFacts& facts) {
  group_consumers_.push_back({std::string(facts.name), facts.seen_ms, facts.active_ms, group_pending_.size()});
  return CheckSize();
}

Status RdbWriter::Pending(StreamId id, int64_t delivered_ms, uint64_t deliveries) {
  group_pending_.push_back({id, delivered_ms, deliveries});
  return CheckSize();
}

// All that are pending in order of id, with what is known about them, and then the ids that each consumer has.
void RdbWriter::EndGroup() {
  std::vector<PendingEntry> sorted = group_pending_;
  std::sort(sorted.begin(), sorted.end(), [](const PendingEntry& a, const PendingEntry& b) { return a.id < b.id; });
  AppendLength(sorted.size());
  for (const PendingEntry& entry : sorted) {
    AppendRawId(entry.id);
    AppendLittleEndian64(static_cast<uint64_t>(entry.delivered_ms));
    AppendLength(entry.deliveries);
  }
  AppendLength(group_consumers_.size());
  for (size_t i = 0; i < group_consumers_.size(); ++i) {
    const GroupConsumer& consumer = group_consumers_[i];
    const size_t end = i + 1 < group_consumers_.size() ? group_consumers_[i + 1].first_pending : group_pending_.size();
    AppendString(consumer.name);
    AppendLittleEndian64(static_cast<uint64_t>(consumer.seen_ms));
    AppendLittleEndian64(static_cast<uint64_t>(consumer.active_ms));
    AppendLength(end - consumer.first_pending);
    for (size_t j = consumer.first_pending; j < end; ++j) AppendRawId(group_pending_[j].id);
  }
  group_pending_.clear();
  group_consumers_.clear();
}

// ---- the end ----

Status RdbWriter::End() {
  switch (form_) {
    case Form::kTable:
      InsertCount(count_);
      break;
    case Form::kIntset:
      if (numbers_.empty()) return Status::kInvalid;
      EndIntset();
      break;
    case Form::kListpack:
      if (static_cast<RdbType>(out_[0]) == RdbType::kListQuicklist2) {  // a quicklist of one node
        EndListNode();
        InsertCount(count_);
      } else {
        AppendString(listpack_.Finish());
      }
      break;
    case Form::kQuicklist:
      EndListNode();
      InsertCount(count_);
      break;
    case Form::kStream:
      if (groups_ > 0) EndGroup();
      out_.insert(groups_at_, LengthBytes(groups_));
      break;
  }
  return Status::kOk;
}

void RdbWriter::Library(std::string_view code) {
  out_.push_back(static_cast<char>(kRdbLibrary));
  AppendString(code);
}

std::string RdbWriter::TakePayload() {
  AppendBytes(kRdbVersion, 2, false, &out_);
  AppendLittleEndian64(Crc64(out_));
  return std::move(out_);
}

}  // namespace basalt::storage
