#include "storage/zset_algebra.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/member_cursor.h"
#include "storage/set_store.h"
#include "storage/zset_rows.h"
#include "storage/zset_writer.h"

namespace basalt::storage {
namespace {

// An operand that is so many times larger than the one that leads is asked for each member instead of being read.
constexpr uint64_t kProbeFactor = 16;

bool IsZset(const Record& record) { return record.type() == ValueType::kZset; }

// An operand that is asked whether it has the members of another.
class Follower {
 public:
  Follower(ReadView& view, const ZsetInput& input, uint64_t leader_count, size_t cursor_rows)
      : view_(view),
        record_(*input.record),
        weight_(input.weight),
        probes_(!IsPacked(record_) && ElementCount(record_) / kProbeFactor > leader_count),
        cursor_(view, record_, cursor_rows) {}

  bool probes() const { return probes_; }
  double weight() const { return weight_; }

  // kNotFound: it has no such member. `leader` goes from one member to the next.
  Status Find(const MemberCursor& leader, double* score) {
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
  MemberCursor cursor_;
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
    MemberCursor cursor;
    double weight;
  };
  std::vector<std::unique_ptr<Operand>> operands;
  const size_t cursor_rows = MemberCursor::RowsEach(inputs.size());
  for (const ZsetInput* input : BySize(inputs)) {
    if (CountOf(*input) == 0) continue;
    operands.push_back(
        std::unique_ptr<Operand>(new Operand{MemberCursor(view, *input->record, cursor_rows), input->weight}));
    const Status status = operands.back()->cursor.Next();
    if (status != Status::kOk) return status;
  }
  while (true) {
    const MemberCursor* first = nullptr;
    for (const auto& operand : operands) {
      if (!operand->cursor.done() && (first == nullptr || operand->cursor.place() < first->place()))
        first = &operand->cursor;
    }
    if (first == nullptr) return Status::kOk;
    const std::string place(first->place());
    const std::string_view member = MemberCursor::MemberOf(place);
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
  const size_t cursor_rows = MemberCursor::RowsEach(inputs.size());
  for (size_t i = 1; i < sorted.size(); ++i) {
    others.push_back(std::make_unique<Follower>(view, *sorted[i], smallest, cursor_rows));
  }
  MemberCursor leader(view, *sorted.front()->record, cursor_rows);
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
  const size_t cursor_rows = MemberCursor::RowsEach(inputs.size());
  for (const ZsetInput& input : inputs.subspan(1)) {
    if (CountOf(input) != 0) others.push_back(std::make_unique<Follower>(view, input, count, cursor_rows));
  }
  MemberCursor leader(view, *inputs.front().record, cursor_rows);
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
