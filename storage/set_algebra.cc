#include "storage/set_algebra.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/member_cursor.h"
#include "storage/member_rows.h"
#include "storage/new_object.h"
#include "storage/packed.h"
#include "storage/set_store.h"

namespace basalt::storage {
namespace {

// To go through all rows of a set costs less than to look up one of so many.
constexpr uint64_t kRowsPerLookup = 8;
// Packed sets with more members than this together are merged, too.
constexpr uint64_t kSmallUnionMax = 4000;

uint64_t CountOf(const RecordPtr& set) { return set == nullptr ? 0 : ElementCount(*set); }

// ---- intersection and difference: the members of one set, looked up in others ----

// Answers whether members that come in a certain order are in one set.
class Probe {
 public:
  // `candidates`: how many will be asked for; `ordered`: they come in the order of places.
  Probe(ReadView& view, const Record& set, uint64_t candidates, bool ordered, size_t cursor_rows)
      : view_(view), set_(set) {
    if (!IsPacked(set) && ordered && ElementCount(set) / kRowsPerLookup <= candidates) {
      cursor_.emplace(view, set, cursor_rows);
    }
  }

  // `place`: when the candidates come in order.
  Status Contains(std::string_view place, std::string_view member, bool* found) {
    if (!cursor_) {
      const Status status = SetStore::Contains(view_, set_, member);
      *found = status == Status::kOk;
      return status == Status::kNotFound ? Status::kOk : status;
    }
    while (!begun_ || (!cursor_->done() && cursor_->place() < place)) {
      begun_ = true;
      const Status status = cursor_->Next();
      if (status != Status::kOk) return status;
    }
    *found = !cursor_->done() && cursor_->place() == place;
    return Status::kOk;
  }

 private:
  ReadView& view_;
  const Record& set_;
  std::optional<MemberCursor> cursor_;
  bool begun_ = false;
};

enum class Keep : uint8_t { kInAll, kInNone };

class Filter {
 public:
  Filter(ReadView& view, const Record& first, std::span<const Record* const> others, Keep keep)
      : view_(view), first_(first), keep_(keep), cursor_rows_(MemberCursor::RowsEach(others.size() + 1)) {
    probes_.reserve(others.size());
    for (const Record* other : others) {
      probes_.emplace_back(view, *other, ElementCount(first), !IsPacked(first), cursor_rows_);
    }
  }

  Status Run(const SetAlgebra::Visitor& visit) {
    if (IsPacked(first_)) {
      PackedReader reader(PayloadBehindCount(first_));
      for (std::string_view member; reader.Read(&member);) {
        bool go_on = true;
        const Status status = Consider({}, member, visit, &go_on);
        if (status != Status::kOk || !go_on) return status;
      }
      return reader.done() ? Status::kOk : Status::kCorruption;
    }
    MemberCursor cursor(view_, first_, cursor_rows_);
    while (true) {
      Status status = cursor.Next();
      if (status != Status::kOk || cursor.done()) return status;
      bool go_on = true;
      status = Consider(cursor.place(), cursor.member(), visit, &go_on);
      if (status != Status::kOk || !go_on) return status;
    }
  }

 private:
  Status Consider(std::string_view place, std::string_view member, const SetAlgebra::Visitor& visit, bool* go_on) {
    for (Probe& probe : probes_) {
      bool found = false;
      const Status status = probe.Contains(place, member, &found);
      if (status != Status::kOk) return status;
      if (found != (keep_ == Keep::kInAll)) return Status::kOk;
    }
    *go_on = visit(member);
    return Status::kOk;
  }

  ReadView& view_;
  const Record& first_;
  const Keep keep_;
  const size_t cursor_rows_;
  std::vector<Probe> probes_;
};

// ---- union ----

// Packed sets, not many members: in the order in which Redis has them, whose union is an intset as long as it can be.
Status UniteSmall(std::span<const RecordPtr> sets, const SetAlgebra::Visitor& visit) {
  std::vector<std::string_view> members;
  std::unordered_set<std::string_view> seen;
  size_t integers = 0;  // of the first ones
  for (const RecordPtr& set : sets) {
    if (set == nullptr) continue;
    PackedReader reader(PayloadBehindCount(*set));
    for (std::string_view member; reader.Read(&member);) {
      if (!seen.insert(member).second) continue;
      if (integers == members.size() && IsInteger(member)) ++integers;
      members.push_back(member);
    }
    if (!reader.done()) return Status::kCorruption;
  }
  std::sort(members.begin(), members.begin() + static_cast<ptrdiff_t>(integers),
            [](std::string_view a, std::string_view b) { return CompareIntegers(a, b) < 0; });
  for (const std::string_view member : members) {
    if (!visit(member)) break;
  }
  return Status::kOk;
}

// All of them in the order of their places, each place once.
Status UniteByMerging(ReadView& view, std::span<const RecordPtr> sets, const SetAlgebra::Visitor& visit) {
  std::vector<MemberCursor> cursors;
  cursors.reserve(sets.size());
  std::vector<MemberCursor*> heap;  // the smallest place on top
  for (const RecordPtr& set : sets) {
    if (set == nullptr) continue;
    MemberCursor& cursor = cursors.emplace_back(view, *set, MemberCursor::RowsEach(sets.size()));
    const Status status = cursor.Next();
    if (status != Status::kOk) return status;
    if (!cursor.done()) heap.push_back(&cursor);
  }
  const auto later = [](const MemberCursor* a, const MemberCursor* b) { return a->place() > b->place(); };
  std::make_heap(heap.begin(), heap.end(), later);
  std::string last;
  bool any = false;
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    MemberCursor& cursor = *heap.back();
    if (!any || cursor.place() != last) {
      any = true;
      last = cursor.place();
      if (!visit(cursor.member())) return Status::kOk;
    }
    const Status status = cursor.Next();
    if (status != Status::kOk) return status;
    if (cursor.done()) {
      heap.pop_back();
    } else {
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
  return Status::kOk;
}

// ---- storing ----

// Takes the members of a new set one by one: in memory as long as they are few, then straight to the disk.
class ResultWriter {
 public:
  ResultWriter(WriteTxn& txn, SetEncoding encoding, uint64_t members_max)
      : txn_(txn), encoding_(encoding), members_max_(members_max) {}

  Status Add(std::string_view member) {
    all_integers_ = all_integers_ && IsInteger(member);
    leading_integers_ += all_integers_;
    encoding_.Add(member);
    if (large_) return PutRow(member);
    AppendPacked(member, &packed_);
    const bool large = encoding_.count() > NewObject::kLargeRows || packed_.size() > NewObject::kLargeBytes;
    return large ? WriteRows(UINT64_MAX) : Status::kOk;
  }

  Status Finish(DbIndex db, const HashedKey& key, SetAlgebra::Operation operation) {
    const uint64_t count = encoding_.count();
    if (operation == SetAlgebra::Operation::kIntersect && all_integers_) encoding_.MakeIntset();
    RecordHeader header{ValueType::kSet, encoding_.encoding(), kNoExpire, 0};
    std::string payload;
    if (!large_ && VarintBytes(count) + packed_.size() <= kPackedBytesMax) {
      AppendPackedCount(count, &payload);
      SortIntegers(operation);
      payload.append(packed_);
    } else {
      Status status = large_ ? Status::kOk : WriteRows(packed_.size());
      if (status == Status::kOk) status = object_->End();
      if (status != Status::kOk) return status;
      header.object_id = object_->id();
      AppendRowsCount(count, &payload);
    }
    txn_.Put(db, key, Record::Make(header, payload));
    return Status::kOk;
  }

  uint64_t count() const { return encoding_.count(); }

 private:
  Status PutRow(std::string_view member) {
    KeyBuffer key;
    MemberRows::EncodeKey(txn_.storage(), object_->id(), member, &key);
    return object_->Put(RowFamily::kData, key.view(), {});
  }

  // What was collected becomes rows of an object.
  Status WriteRows(uint64_t bytes) {
    object_.emplace(txn_, RowFamilyBit(RowFamily::kData), bytes == UINT64_MAX ? members_max_ : encoding_.count(),
                    bytes + (bytes == UINT64_MAX ? 0 : encoding_.count() * kMemberKeyPrefixBytes));
    large_ = true;
    Status status = object_->Begin();
    PackedReader reader(packed_);
    for (std::string_view member; status == Status::kOk && reader.Read(&member);) status = PutRow(member);
    packed_ = {};
    return status;
  }

  // Integers that came while it was an intset are in order: all of them, or the first ones.
  void SortIntegers(SetAlgebra::Operation operation) {
    uint64_t sorted = encoding_.encoding() == Encoding::kIntset ? encoding_.count() : leading_integers_;
    if (operation == SetAlgebra::Operation::kIntersect && encoding_.encoding() != Encoding::kIntset) sorted = 0;
    if (sorted < 2) return;
    std::vector<std::string_view> members;
    PackedReader reader(packed_);
    for (std::string_view member; reader.Read(&member);) members.push_back(member);
    std::sort(members.begin(), members.begin() + static_cast<ptrdiff_t>(sorted),
              [](std::string_view a, std::string_view b) { return CompareIntegers(a, b) < 0; });
    std::string ordered;
    ordered.reserve(packed_.size());
    for (const std::string_view member : members) AppendPacked(member, &ordered);
    packed_ = std::move(ordered);
  }

  WriteTxn& txn_;
  SetEncoding encoding_;
  const uint64_t members_max_;
  bool all_integers_ = true;
  uint64_t leading_integers_ = 0;
  std::string packed_;
  bool large_ = false;  // members go to object_
  std::optional<NewObject> object_;
};

const RecordPtr& Smallest(std::span<const RecordPtr> sets) {
  return *std::min_element(sets.begin(), sets.end(),
                           [](const RecordPtr& a, const RecordPtr& b) { return CountOf(a) < CountOf(b); });
}

uint64_t ResultMax(SetAlgebra::Operation operation, std::span<const RecordPtr> sets) {
  if (operation == SetAlgebra::Operation::kIntersect) return CountOf(Smallest(sets));
  if (operation == SetAlgebra::Operation::kSubtract) return CountOf(sets[0]);
  uint64_t all = 0;
  for (const RecordPtr& set : sets) all += CountOf(set);
  return all;
}

// What Redis begins the result with.
SetEncoding StartEncoding(SetAlgebra::Operation operation, std::span<const RecordPtr> sets, const SetLimits& limits) {
  Encoding encoding = Encoding::kIntset;
  if (operation == SetAlgebra::Operation::kIntersect) {
    const RecordPtr& smallest = Smallest(sets);
    const bool intset = smallest != nullptr && smallest->header().encoding == Encoding::kIntset;
    encoding = intset ? Encoding::kIntset : Encoding::kListpack;
  }
  return SetEncoding(encoding, 0, 0, limits);
}

}  // namespace

Status SetAlgebra::Intersect(ReadView& view, std::span<const RecordPtr> sets, const Visitor& visit) {
  std::vector<const Record*> ordered;
  for (const RecordPtr& set : sets) {
    if (set == nullptr) return Status::kOk;
    ordered.push_back(set.get());
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Record* a, const Record* b) { return ElementCount(*a) < ElementCount(*b); });
  return Filter(view, *ordered[0], std::span(ordered).subspan(1), Keep::kInAll).Run(visit);
}

Status SetAlgebra::Subtract(ReadView& view, std::span<const RecordPtr> sets, const Visitor& visit) {
  if (sets[0] == nullptr) return Status::kOk;
  std::vector<const Record*> others;
  for (const RecordPtr& set : sets.subspan(1)) {
    if (set != nullptr) others.push_back(set.get());
  }
  // The largest first: there a member is found soonest.
  std::stable_sort(others.begin(), others.end(),
                   [](const Record* a, const Record* b) { return ElementCount(*a) > ElementCount(*b); });
  return Filter(view, *sets[0], others, Keep::kInNone).Run(visit);
}

Status SetAlgebra::Unite(ReadView& view, std::span<const RecordPtr> sets, const Visitor& visit) {
  const bool packed =
      std::all_of(sets.begin(), sets.end(), [](const RecordPtr& set) { return set == nullptr || IsPacked(*set); });
  if (packed && ResultMax(Operation::kUnite, sets) <= kSmallUnionMax) return UniteSmall(sets, visit);
  return UniteByMerging(view, sets, visit);
}

Status SetAlgebra::Run(Operation operation, ReadView& view, std::span<const RecordPtr> sets, const Visitor& visit) {
  switch (operation) {
    case Operation::kIntersect:
      return Intersect(view, sets, visit);
    case Operation::kUnite:
      return Unite(view, sets, visit);
    case Operation::kSubtract:
      return Subtract(view, sets, visit);
  }
  return Status::kInvalid;
}

Status SetAlgebra::Store(Operation operation, WriteTxn& txn, DbIndex db, const HashedKey& destination,
                         std::span<const RecordPtr> sets, const SetLimits& limits, uint64_t* count) {
  RecordPtr old;
  Status status = txn.GetRecord(db, destination, &old);
  if (status != Status::kOk && status != Status::kNotFound) return status;
  ResultWriter writer(txn, StartEncoding(operation, sets, limits), ResultMax(operation, sets));
  Status written = Status::kOk;
  // Everything here is read in batches, so that rows may be written in between.
  status = Run(operation, txn, sets, [&](std::string_view member) {
    written = writer.Add(member);
    return written == Status::kOk;
  });
  if (status != Status::kOk) return status;
  if (written != Status::kOk) return written;
  *count = writer.count();
  if (*count > 0) return writer.Finish(db, destination, operation);
  if (old != nullptr) txn.Erase(db, destination);
  return Status::kOk;
}

uint64_t SetAlgebra::Cost(Operation operation, std::span<const RecordPtr> sets) {
  constexpr uint64_t kPackedMembersPerRow = 8;
  const auto rows_of = [](const RecordPtr& set) {
    return set != nullptr && IsPacked(*set) ? CountOf(set) / kPackedMembersPerRow + 1 : CountOf(set);
  };
  uint64_t all = 0;
  for (const RecordPtr& set : sets) all += rows_of(set);
  if (operation == Operation::kUnite) return all;
  const uint64_t candidates = operation == Operation::kIntersect ? CountOf(Smallest(sets)) : CountOf(sets[0]);
  uint64_t cost = candidates / kPackedMembersPerRow;
  for (const RecordPtr& set : sets) {
    cost += set != nullptr && IsPacked(*set) ? candidates / kPackedMembersPerRow
                                             : std::min(candidates * kRowsPerLookup, CountOf(set));
  }
  return cost;
}

}  // namespace basalt::storage
