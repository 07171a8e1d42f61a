#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/packed.h"

namespace basalt::storage {

// One member with its score, in an order of sorted sets. A view.
struct ZsetEntry {
  double score = 0;
  std::string_view member;

  bool operator<(const ZsetEntry& other) const {
    return score != other.score ? score < other.score : member < other.member;
  }
  size_t packed_bytes() const { return kScoreBytes + PackedBytes(member); }
};

// A packed sorted set, taken apart: on the stack, of as many members as a payload of kPackedBytesMax has at most, and
// one command's more. The members are views of the record, or of the command's arguments.
class PackedZset {
 public:
  static constexpr size_t kEntriesMax = kPackedBytesMax / (kScoreBytes + 1) + 1;

  // False: damaged.
  bool Parse(const Record& record) {
    const uint64_t count = ElementCount(record);
    if (count > kEntriesMax) return false;
    PackedReader reader(PayloadBehindCount(record));
    for (size_ = 0; size_ < count; ++size_) {
      std::string_view score;
      if (!reader.ReadBytes(kScoreBytes, &score) || !reader.Read(&entries_[size_].member)) return false;
      entries_[size_].score = ScoreOf(GetBig64(score.data()));
    }
    return reader.done();
  }

  size_t size() const { return size_; }
  bool full() const { return size_ == kEntriesMax; }
  const ZsetEntry& operator[](size_t i) const { return entries_[i]; }
  const ZsetEntry* begin() const { return entries_; }
  const ZsetEntry* end() const { return entries_ + size_; }

  // size() when there is none.
  size_t Find(std::string_view member) const {
    size_t at = 0;
    while (at < size_ && entries_[at].member != member) ++at;
    return at;
  }
  // REQUIRES: !full(), no such member.
  void Insert(const ZsetEntry& entry) {
    ZsetEntry* const at = std::lower_bound(entries_, entries_ + size_, entry);
    std::move_backward(at, entries_ + size_, entries_ + size_ + 1);
    *at = entry;
    ++size_;
  }
  void Erase(size_t first, size_t count = 1) {
    std::move(entries_ + first + count, entries_ + size_, entries_ + first);
    size_ -= count;
  }

  size_t PayloadBytes() const {
    size_t bytes = VarintBytes(size_);
    for (const ZsetEntry& entry : *this) bytes += entry.packed_bytes();
    return bytes;
  }
  // Under `header`. REQUIRES: !empty, PayloadBytes() <= kPackedBytesMax.
  RecordPtr ToRecord(const RecordHeader& header) const { return Pack(header, begin(), size_); }

  static RecordPtr Pack(const RecordHeader& header, const ZsetEntry* entries, size_t count) {
    std::string payload;
    payload.reserve(kPackedBytesMax);
    AppendPackedCount(count, &payload);
    for (size_t i = 0; i < count; ++i) {
      char score[kScoreBytes];
      PutBig64(score, OrderedScore(entries[i].score));
      payload.append(score, kScoreBytes);
      AppendPacked(entries[i].member, &payload);
    }
    return Record::Make(header, payload);
  }

 private:
  ZsetEntry entries_[kEntriesMax];
  size_t size_ = 0;
};

}  // namespace basalt::storage
