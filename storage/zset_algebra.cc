#include "storage/zset_algebra.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/member_rows.h"
#include "storage/set_store.h"
#include "storage/zset_rows.h"
#include "storage/zset_writer.h"

namespace basalt::storage {
namespace {

constexpr size_t kObjectIdBytes = 8;
constexpr size_t kPageBytesMax = 64 << 10;
constexpr size_t kPageRowsMax = 512;
// An operand that is so many times larger than the one that leads is asked for each member instead of being read.
constexpr uint64_t kProbeFactor = 16;

bool IsZset(const Record& record) { return record.type() == ValueType::kZset; }

// Goes through the members of one operand in the order of their hash. Between two calls the view may be read otherwise.
// On one command's stack.
class ScoredCursor {
 public:
  ScoredCursor(ReadView& view, const Record& record) : view_(view), record_(record) {}

  // To the first member, and to each next.
  Status Next() {
    if (started_ && ++at_ < page_.size()) return Status::kOk;
    started_ = true;
    page_.clear();
    bytes_.clear();
    at_ = 0;
    if (!more_) return Status::kOk;
    return IsPacked(record_) ? FillFromPacked() : FillFromRows();
  }
  // To the first member that is not before `place`.
  Status SkipTo(std::string_view place) {
    Status status = started_ ? Status::kOk : Next();
    while (status == Status::kOk && !done() && this->place() < place) status = Next();
    return status;
  }
  bool done() const { return at_ == page_.size(); }
  // What the order is by: hash and member. Lives until the next call.
  std::string_view place() const { return std::string_view(bytes_).substr(page_[at_].offset, page_[at_].size); }
  std::string_view member() const { return place().substr(kMemberKeyPrefixBytes - kObjectIdBytes); }
  double score() const { return page_[at_].score; }

 private:
  struct Row {
    size_t offset, size;
    double score;
  };

  void Append(std::string_view place, double score) {
    page_.push_back({bytes_.size(), place.size(), score});
    bytes_.append(place);
  }

  Status FillFromPacked() {
    more_ = false;
    KeyBuffer key;
    const auto append = [&](double score, std::string_view member) {
      MemberRows::EncodeKey(view_.storage(), 0, member, &key);
      Append(key.view().substr(kObjectIdBytes), score);
      return true;
    };
    const Status status =
        IsZset(record_)
            ? ZsetStore::ForEach(view_, record_, append)
            : SetStore::ForEach(view_, record_, [&append](std::string_view member) { return append(1, member); });
    std::sort(page_.begin(), page_.end(), [this](const Row& a, const Row& b) {
      const std::string_view bytes = bytes_;
      return bytes.substr(a.offset, a.size) < bytes.substr(b.offset, b.size);
    });
    return status;
  }

  Status FillFromRows() {
    const uint64_t id = record_.header().object_id;
    KeyBuffer upper;
    EncodeMemberBound(id, 1ull << 32, &upper);
    if (lower_.empty()) {
      KeyBuffer lower;
      EncodeMemberBound(id, 0, &lower);
      lower_ = lower.view();
    }
    more_ = false;
    bool damaged = false;
    const auto visit = [&](std::string_view key, std::string_view value) {
      double score = 1;
      damaged = key.size() < kMemberKeyPrefixBytes || (IsZset(record_) && !DecodeRowScore(value, &score));
      if (damaged) return false;
      more_ = page_.size() == kPageRowsMax || bytes_.size() >= kPageBytesMax;
      if (!more_) Append(key.substr(kObjectIdBytes), score);
      return !more_;
    };
    const Status status = ScanRows(view_, RowFamily::kData, lower_, upper.view(), visit);
    if (status != Status::kOk) return status;
    if (damaged) return Status::kCorruption;
    if (more_) {  // the key right behind the last one
      lower_.resize(kObjectIdBytes);
      lower_.append(bytes_, page_.back().offset);
      lower_.push_back('\0');
    }
    return Status::kOk;
  }

  ReadView& view_;
  const Record& record_;
  bool started_ = false;
  bool more_ = true;   // there may be rows behind the page
  std::string lower_;  // … from this key on
  std::string bytes_;  // of the page
  std::vector<Row> page_;
  size_t at_ = 0;
};

// An operand that is asked whether it has the members of another.
class Follower {
 public:
  Follower(ReadView& view, const ZsetInput& input, uint64_t leader_count)
      : view_(view),
        record_(*input.record),
        weight_(input.weight),
        probes_(!IsPacked(record_) && ElementCount(record_) / kProbeFactor > leader_count),
        cursor_(view, record_) {}

  bool probes() const { return probes_; }
  double weight() const { return weight_; }

  // kNotFound: it has no such member. `leader` goes from one member to the next.
  Status Find(const ScoredCursor& leader, double* score) {
    if (probes_) {
      *score = 1;
      return IsZset(record_) ? ZsetStore::Score(view_, record_, leader.member(), score)
                             : SetStore::Contains(view_, record_, leader.member());
    }
    const Status status = cursor_.SkipTo(leader.place());
    if (status != Status::kOk) return status;
    if (cursor_.done() || cursor_.place() != leader.place()) return Status::kNotFound;
    *score = cursor_.score();
    return Status::kOk;
  }

 private:
  ReadView& view_;
  const Record& record_;
  const double weight_;
  const bool probes_;
  ScoredCursor cursor_;
};

// What Redis does to a target with one more score; a sum of both infinities is 0.
void Aggregate(ZsetAlgebra::Aggregate aggregate, double score, double* target) {
  switch (aggregate) {
    case ZsetAlgebra::Aggregate::kSum:
      *target += score;
      if (std::isnan(*target)) *target = 0;
      break;
    case ZsetAlgebra::Aggregate::kMin:
      if (score < *target) *target = score;
      break;
    case ZsetAlgebra::Aggregate::kMax:
      if (score > *target) *target = score;
      break;
  }
}

double Weighted(double score, double weight) {
  const double product = score * weight;
  return std::isnan(product) ? 0 : product;
}

uint64_t CountOf(const ZsetInput& input) { return input.record == nullptr ? 0 : ElementCount(*input.record); }

// The operands from the smallest to the largest, as Redis goes through them: it matters to sums of doubles.
std::vector<const ZsetInput*> BySize(std::span<const ZsetInput> inputs) {
  std::vector<const ZsetInput*> sorted;
  for (const ZsetInput& input : inputs) sorted.push_back(&input);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const ZsetInput* a, const ZsetInput* b) { return CountOf(*a) < CountOf(*b); });
  return sorted;
}

Status Unite(ZsetAlgebra::Aggregate aggregate, ReadView& view, std::span<const ZsetInput> inputs,
             const MemberVisitor& visit) {
  struct Operand {
    ScoredCursor cursor;
    double weight;
  };
  std::vector<std::unique_ptr<Operand>> operands;
  for (const ZsetInput* input : BySize(inputs)) {
    if (CountOf(*input) == 0) continue;
    operands.push_back(std::unique_ptr<Operand>(new Operand{ScoredCursor(view, *input->record), input->weight}));
    const Status status = operands.back()->cursor.Next();
    if (status != Status::kOk) return status;
  }
  while (true) {
    const ScoredCursor* first = nullptr;
    for (const auto& operand : operands) {
      if (!operand->cursor.done() && (first == nullptr || operand->cursor.place() < first->place()))
        first = &operand->cursor;
    }
    if (first == nullptr) return Status::kOk;
    const std::string place(first->place());
    const std::string_view member = std::string_view(place).substr(kMemberKeyPrefixBytes - kObjectIdBytes);
    double score = 0;
    bool any = false;
    for (const auto& operand : operands) {
      if (operand->cursor.done() || operand->cursor.place() != place) continue;
      const double weighted = Weighted(operand->cursor.score(), operand->weight);
      any ? Aggregate(aggregate, weighted, &score) : void(score = weighted);
      any = true;
      const Status status = operand->cursor.Next();
      if (status != Status::kOk) return status;
    }
    if (!visit(score, member)) return Status::kOk;
  }
}

Status Intersect(ZsetAlgebra::Aggregate aggregate, ReadView& view, std::span<const ZsetInput> inputs,
                 const MemberVisitor& visit) {
  const std::vector<const ZsetInput*> sorted = BySize(inputs);
  const uint64_t smallest = CountOf(*sorted.front());
  if (smallest == 0) return Status::kOk;
  std::vector<std::unique_ptr<Follower>> others;
  for (size_t i = 1; i < sorted.size(); ++i) others.push_back(std::make_unique<Follower>(view, *sorted[i], smallest));
  ScoredCursor leader(view, *sorted.front()->record);
  Status status = leader.Next();
  for (; status == Status::kOk && !leader.done(); status = leader.Next()) {
    double score = Weighted(leader.score(), sorted.front()->weight);
    Status found = Status::kOk;
    for (const auto& other : others) {
      double value = 0;
      found = other->Find(leader, &value);
      if (found != Status::kOk) break;
      Aggregate(aggregate, value * other->weight(), &score);
    }
    if (found == Status::kNotFound) continue;
    if (found != Status::kOk) return found;
    if (!visit(score, leader.member())) return Status::kOk;
  }
  return status;
}

Status Subtract(ReadView& view, std::span<const ZsetInput> inputs, const MemberVisitor& visit) {
  const uint64_t count = CountOf(inputs.front());
  if (count == 0) return Status::kOk;
  std::vector<std::unique_ptr<Follower>> others;
  for (const ZsetInput& input : inputs.subspan(1)) {
    if (CountOf(input) != 0) others.push_back(std::make_unique<Follower>(view, input, count));
  }
  ScoredCursor leader(view, *inputs.front().record);
  Status status = leader.Next();
  for (; status == Status::kOk && !leader.done(); status = leader.Next()) {
    Status found = Status::kNotFound;
    for (const auto& other : others) {
      double score = 0;
      found = other->Find(leader, &score);
      if (found != Status::kNotFound) break;
    }
    if (found == Status::kOk) continue;
    if (found != Status::kNotFound) return found;
    if (!visit(leader.score(), leader.member())) return Status::kOk;
  }
  return status;
}

// Members that are read, or asked for, at most.
uint64_t Cost(ZsetAlgebra::Operation operation, std::span<const ZsetInput> inputs) {
  uint64_t sum = 0, smallest = UINT64_MAX;
  for (const ZsetInput& input : inputs) {
    sum += CountOf(input);
    smallest = std::min(smallest, CountOf(input));
  }
  if (operation == ZsetAlgebra::Operation::kUnite) return sum;
  const uint64_t leads = operation == ZsetAlgebra::Operation::kIntersect ? smallest : CountOf(inputs.front());
  return std::min(sum, leads * kProbeFactor * inputs.size());
}

}  // namespace

Status ZsetAlgebra::Run(Operation operation, enum Aggregate aggregate, ReadView& view,
                        std::span<const ZsetInput> inputs, MemberVisitor visit) {
  if (Cost(operation, inputs) > kFastLaneZsetRowsMax && view.tier() == ReadTier::kMemory) return Status::kIncomplete;
  switch (operation) {
    case Operation::kUnite:
      return Unite(aggregate, view, inputs, visit);
    case Operation::kIntersect:
      return Intersect(aggregate, view, inputs, visit);
    case Operation::kSubtract:
      return Subtract(view, inputs, visit);
  }
  return Status::kInvalid;
}

Status ZsetAlgebra::Store(Operation operation, enum Aggregate aggregate, WriteTxn& txn, DbIndex db,
                          const HashedKey& destination, std::span<const ZsetInput> inputs, const ZsetLimits& limits,
                          uint64_t* count) {
  uint64_t most = 0;
  for (const ZsetInput& input : inputs) most += CountOf(input);
  RecordPtr old;
  Status status = txn.GetRecord(db, destination, &old);
  if (status != Status::kOk && status != Status::kNotFound) return status;
  ZsetWriter writer(txn, most);
  Status written = Status::kOk;
  status = Run(operation, aggregate, txn, inputs, [&](double score, std::string_view member) {
    written = writer.Add(score, member);
    return written == Status::kOk;
  });
  if (status == Status::kOk) status = written;
  if (status != Status::kOk) return status;
  *count = writer.count();
  const Encoding encoding = ZsetStore::EncodingOf(writer.count(), writer.longest_member_bytes(), limits);
  return writer.Finish(db, destination, encoding, kNoExpire);
}

}  // namespace basalt::storage
