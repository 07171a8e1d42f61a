#include "storage/set_store.h"

#include <algorithm>
#include <cassert>
#include <unordered_set>
#include <vector>

#include "storage/key_codec.h"
#include "storage/member_rows.h"
#include "storage/new_object.h"
#include "storage/random.h"
#include "storage/storage.h"

namespace basalt::storage {
namespace {

// An intset of more members than this (set-max-intset-entries was raised) is shown as it is stored.
constexpr uint64_t kSortedMembersMax = 1 << 16;
// RandomRepeated draws so many at a time.
constexpr uint64_t kDrawsMax = 4096;
// When more than one of so many members is wanted, one pass over all of them costs less than drawing each.
constexpr uint64_t kDrawFraction = 64;
// Redis makes a new set of what stays when at least so many times as much goes (SPOP).
constexpr uint64_t kSurvivorsFactor = 5;
// Rows that a pass which also writes reads at a time.
constexpr uint64_t kPassRows = 1000;

RowFamily constexpr kRows = RowFamily::kData;

// ---- packed members ----

// Where `member` begins and ends; npos: it is not there.
struct PackedPlace {
  size_t from = std::string_view::npos, to = 0;
  bool found() const { return from != std::string_view::npos; }
};

PackedPlace FindPacked(std::string_view packed, std::string_view member) {
  PackedReader reader(packed);
  std::string_view each;
  for (size_t from = 0; reader.Read(&each); from = reader.offset()) {
    if (each == member) return {from, reader.offset()};
  }
  return {};
}

// Where an integer belongs among integers in their order.
size_t PlaceAmongIntegers(std::string_view packed, std::string_view member) {
  PackedReader reader(packed);
  std::string_view each;
  size_t at = 0;
  while (reader.Read(&each) && CompareIntegers(each, member) < 0) at = reader.offset();
  return at;
}

Status UnpackMembers(const Record& record, std::vector<std::string_view>* members) {
  members->reserve(std::min<uint64_t>(ElementCount(record), kPackedBytesMax));  // what a damaged record says
  PackedReader reader(PayloadBehindCount(record));
  for (std::string_view member; reader.Read(&member);) members->push_back(member);
  return reader.done() ? Status::kOk : Status::kCorruption;
}

// ---- the set that a change starts from ----

// *record stays null when there is none.
Status FindOld(WriteTxn& txn, DbIndex db, const HashedKey& key, RecordPtr* record) {
  const Status status = txn.GetRecord(db, key, ValueType::kSet, record);
  if (status != Status::kNotFound) return status;
  *record = nullptr;
  return Status::kOk;
}

Status EncodingOf(WriteTxn& txn, const Record& record, const SetLimits& limits, SetEncoding* encoding) {
  size_t longest = 0;
  // How long its integers are counts only where the limit is below any integer's length.
  if (record.header().encoding == Encoding::kIntset && limits.listpack_value < kIntegerTextMax) {
    const Status status = SetStore::ForEach(txn, record, [&longest](std::string_view member) {
      longest = std::max(longest, member.size());
      return true;
    });
    if (status != Status::kOk) return status;
  }
  *encoding = SetEncoding(record.header().encoding, ElementCount(record), longest, limits);
  return Status::kOk;
}

// ---- records ----

void PutPacked(WriteTxn& txn, DbIndex db, const HashedKey& key, Encoding encoding, int64_t expire_ms, uint64_t count,
               std::string_view packed) {
  std::string payload;
  payload.reserve(VarintBytes(count) + packed.size());
  AppendPackedCount(count, &payload);
  payload.append(packed);
  txn.Put(db, key, Record::Make({ValueType::kSet, encoding, expire_ms, 0}, payload));
}

void PutWithRows(WriteTxn& txn, DbIndex db, const HashedKey& key, Encoding encoding, int64_t expire_ms, uint64_t id,
                 uint64_t count) {
  std::string payload;
  AppendRowsCount(count, &payload);
  txn.Put(db, key, Record::Make({ValueType::kSet, encoding, expire_ms, id}, payload));
}

Status PutMemberRow(NewObject& object, const Storage& storage, std::string_view member) {
  KeyBuffer key;
  MemberRows::EncodeKey(storage, object.id(), member, &key);
  return object.Put(kRows, key.view(), {});
}

// ---- adding ----

// Gives a packed set rows, and adds `members` to it.
Status Expand(WriteTxn& txn, DbIndex db, const HashedKey& key, int64_t expire_ms, std::string_view packed,
              std::span<const std::string_view> members, SetEncoding* encoding, uint64_t* added) {
  std::unordered_set<std::string_view> all;
  uint64_t bytes = packed.size();
  PackedReader reader(packed);
  for (std::string_view member; reader.Read(&member);) all.insert(member);
  for (const std::string_view member : members) {
    if (!all.insert(member).second) continue;
    encoding->Add(member);
    bytes += member.size();
    ++*added;
  }
  NewObject object(txn, RowFamilyBit(kRows), all.size(), bytes + all.size() * kMemberKeyPrefixBytes);
  Status status = object.Begin();
  for (auto member = all.begin(); status == Status::kOk && member != all.end(); ++member) {
    status = PutMemberRow(object, txn.storage(), *member);
  }
  if (status == Status::kOk) status = object.End();
  if (status != Status::kOk) return status;
  PutWithRows(txn, db, key, encoding->encoding(), expire_ms, object.id(), all.size());
  return Status::kOk;
}

Status AddPacked(WriteTxn& txn, DbIndex db, const HashedKey& key, const RecordPtr& old,
                 std::span<const std::string_view> members, SetEncoding encoding, uint64_t* added) {
  const int64_t expire_ms = old == nullptr ? kNoExpire : old->expire_ms();
  std::string packed;
  if (old != nullptr) {
    const std::string_view before = PayloadBehindCount(*old);
    if (members.size() == 1 && FindPacked(before, members[0]).found()) return Status::kOk;
    packed.reserve(std::min(kPackedBytesMax, before.size() + PackedBytes(members[0])));
    packed = before;
  }
  for (size_t i = 0; i < members.size(); ++i) {
    const std::string_view member = members[i];
    if (FindPacked(packed, member).found()) continue;
    if (VarintBytes(encoding.count() + 1) + packed.size() + PackedBytes(member) > kPackedBytesMax) {
      return Expand(txn, db, key, expire_ms, packed, members.subspan(i), &encoding, added);
    }
    const bool sorted = encoding.encoding() == Encoding::kIntset && IsInteger(member);
    encoding.Add(member);
    ++*added;
    if (sorted) {
      std::string one;
      AppendPacked(member, &one);
      packed.insert(PlaceAmongIntegers(packed, member), one);
    } else {
      AppendPacked(member, &packed);
    }
  }
  if (*added > 0) PutPacked(txn, db, key, encoding.encoding(), expire_ms, encoding.count(), packed);
  return Status::kOk;
}

Status AddRows(WriteTxn& txn, DbIndex db, const HashedKey& key, const Record& old,
               std::span<const std::string_view> members, SetEncoding encoding, uint64_t* added) {
  const uint64_t id = old.header().object_id;
  KeyBuffer row_key;
  std::string value;
  for (const std::string_view member : members) {
    MemberRows::EncodeKey(txn.storage(), id, member, &row_key);
    const Status status = txn.GetRow(kRows, row_key.view(), &value);
    if (status == Status::kOk) continue;
    if (status != Status::kNotFound) return status;
    txn.PutRow(kRows, row_key.view(), {});
    encoding.Add(member);
    ++*added;
  }
  if (*added > 0) PutWithRows(txn, db, key, encoding.encoding(), old.expire_ms(), id, encoding.count());
  return Status::kOk;
}

// ---- removing ----

Status RemovePacked(WriteTxn& txn, DbIndex db, const HashedKey& key, const Record& old,
                    std::span<const std::string_view> members, uint64_t* removed) {
  const std::string_view before = PayloadBehindCount(old);
  std::string packed;
  for (const std::string_view member : members) {
    const PackedPlace place = FindPacked(*removed == 0 ? before : packed, member);
    if (!place.found()) continue;
    if (*removed == 0) packed = before;
    packed.erase(place.from, place.to - place.from);
    ++*removed;
  }
  if (*removed == 0) return Status::kOk;
  if (packed.empty()) {
    txn.Erase(db, key);
  } else {
    PutPacked(txn, db, key, old.header().encoding, old.expire_ms(), ElementCount(old) - *removed, packed);
  }
  return Status::kOk;
}

// Writes what stays of a set with rows as a new object. The old rows go with theirs.
// `goes(member)`: asked once for each, in the order of their hash. *encoding: gets each member that stays.
template <typename Goes>
Status WriteSurvivors(WriteTxn& txn, const Record& old, uint64_t left, Goes&& goes, SetEncoding* encoding,
                      uint64_t* object_id) {
  const uint64_t id = old.header().object_id;
  // The members' sizes are not known: of more than a few, each batch for itself.
  NewObject object(txn, RowFamilyBit(kRows), left, left > kPassRows ? UINT64_MAX : 0);
  Status status = object.Begin();
  std::vector<std::string> kept;
  uint64_t cursor = 0;
  uint64_t kept_total = 0;
  do {
    kept.clear();
    const Status scanned = MemberRows::Scan(
        txn, id, cursor, kPassRows,
        [&](std::string_view member, std::string_view) {
          if (!goes(member)) kept.emplace_back(member);
          return true;
        },
        &cursor);
    if (scanned != Status::kOk) return scanned;
    for (const std::string& member : kept) {
      encoding->Add(member);
      if (status == Status::kOk) status = PutMemberRow(object, txn.storage(), member);
    }
    kept_total += kept.size();
  } while (status == Status::kOk && cursor != 0);
  if (status == Status::kOk) status = object.End();
  *object_id = object.id();
  if (status != Status::kOk) return status;
  return kept_total == left ? Status::kOk : Status::kCorruption;
}

// Very many: when they are most of the set, what stays is written anew, rather than a batch of as many deletions whose
// remains every later read would have to pass.
Status RemoveMany(WriteTxn& txn, DbIndex db, const HashedKey& key, const Record& old,
                  std::span<const std::string_view> members, uint64_t* removed) {
  const uint64_t id = old.header().object_id;
  const uint64_t count = ElementCount(old);
  std::unordered_set<std::string_view> gone;
  std::string value;
  for (const std::string_view member : members) {
    const Status status = MemberRows::Get(txn, id, member, &value);
    if (status == Status::kOk) {
      gone.insert(member);
    } else if (status != Status::kNotFound) {
      return status;
    }
  }
  *removed = gone.size();
  if (*removed > count) return Status::kCorruption;
  if (*removed == 0) return Status::kOk;
  const uint64_t left = count - *removed;
  if (left == 0) {
    txn.Erase(db, key);
    return Status::kOk;
  }
  uint64_t object_id = id;
  if (*removed > NewObject::kLargeRows && *removed > left) {
    SetEncoding unused(Encoding::kHashtable, 0, 0, SetLimits());
    const auto goes = [&gone](std::string_view member) { return gone.contains(member); };
    const Status status = WriteSurvivors(txn, old, left, goes, &unused, &object_id);
    if (status != Status::kOk) return status;
  } else {
    for (const std::string_view member : gone) MemberRows::Delete(txn, id, member);
  }
  PutWithRows(txn, db, key, old.header().encoding, old.expire_ms(), object_id, left);
  return Status::kOk;
}

Status RemoveRows(WriteTxn& txn, DbIndex db, const HashedKey& key, const Record& old,
                  std::span<const std::string_view> members, uint64_t* removed) {
  if (members.size() > NewObject::kLargeRows) return RemoveMany(txn, db, key, old, members, removed);
  const uint64_t id = old.header().object_id;
  const uint64_t count = ElementCount(old);
  KeyBuffer row_key;
  std::string value;
  for (const std::string_view member : members) {
    MemberRows::EncodeKey(txn.storage(), id, member, &row_key);
    const Status status = txn.GetRow(kRows, row_key.view(), &value);
    if (status == Status::kNotFound) continue;
    if (status != Status::kOk) return status;
    if (++*removed > count) return Status::kCorruption;
    if (*removed == count) break;
    txn.DeleteRow(kRows, row_key.view());
  }
  if (*removed == count) {
    txn.Erase(db, key);
  } else if (*removed > 0) {
    PutWithRows(txn, db, key, old.header().encoding, old.expire_ms(), id, count - *removed);
  }
  return Status::kOk;
}

// ---- random ----

// Tells, of members that come one after another, which belong to a random subset: every subset of `wanted` of `total`
// has the same chance (selection sampling, Knuth 3.4.2, Algorithm S).
class Sampler {
 public:
  Sampler(uint64_t total, uint64_t wanted) : left_(total), wanted_(wanted) {}
  bool Take() {
    if (left_ == 0 || wanted_ == 0) return false;
    const bool take = RandomBelow(left_) < wanted_;
    --left_;
    wanted_ -= take;
    return take;
  }
  bool done() const { return wanted_ == 0; }

 private:
  uint64_t left_, wanted_;
};

// Up to kDrawsMax members of a set with rows, drawn with repetition, in the order in which they were drawn.
Status DrawRows(ReadView& view, const Record& record, uint64_t total, uint64_t draws, std::vector<std::string>* drawn) {
  drawn->clear();
  const uint64_t id = record.header().object_id;
  if (draws <= total / kDrawFraction) {
    for (uint64_t i = 0; i < draws; ++i) {
      MemberRows::Row row;
      const Status status = MemberRows::Random(view, id, total, &row);
      if (status != Status::kOk) return status;
      drawn->push_back(std::move(row.member));
    }
    return Status::kOk;
  }
  std::vector<uint64_t> ranks(draws);
  for (uint64_t& rank : ranks) rank = RandomBelow(total);
  std::sort(ranks.begin(), ranks.end());
  uint64_t rank = 0;
  const Status status = MemberRows::ForEach(view, id, [&](std::string_view member, std::string_view) {
    while (drawn->size() < draws && ranks[drawn->size()] == rank) drawn->emplace_back(member);
    ++rank;
    return drawn->size() < draws;
  });
  if (status != Status::kOk) return status;
  std::shuffle(drawn->begin(), drawn->end(), Random64());
  return drawn->size() == draws ? Status::kOk : Status::kCorruption;
}

// ---- popping ----

// The encoding of what is left when nearly everything was popped: that of a new set, in Redis.
SetEncoding EncodingOfSurvivors(const Record& old, const SetLimits& limits) {
  const bool intset = old.header().encoding == Encoding::kIntset;
  return SetEncoding(intset ? Encoding::kIntset : Encoding::kListpack, 0, 0, limits);
}

bool MakesNewSet(uint64_t popped, uint64_t left) { return left <= popped / kSurvivorsFactor; }

Status PopPacked(WriteTxn& txn, DbIndex db, const HashedKey& key, const Record& old, uint64_t count,
                 const SetLimits& limits, const SetStore::Visitor& visit) {
  std::vector<std::string_view> members;
  const Status status = UnpackMembers(old, &members);
  if (status != Status::kOk) return status;
  const uint64_t left = members.size() - count;
  SetEncoding encoding = EncodingOfSurvivors(old, limits);
  std::string packed;
  packed.reserve(old.payload().size());
  Sampler sampler(members.size(), count);
  for (const std::string_view member : members) {
    if (sampler.Take()) {
      visit(member);
    } else {
      encoding.Add(member);
      AppendPacked(member, &packed);
    }
  }
  PutPacked(txn, db, key, MakesNewSet(count, left) ? encoding.encoding() : old.header().encoding, old.expire_ms(), left,
            packed);
  return Status::kOk;
}

// Takes few out: row by row.
Status PopRows(WriteTxn& txn, DbIndex db, const HashedKey& key, const Record& old, uint64_t count,
               const SetStore::Visitor& visit) {
  const uint64_t id = old.header().object_id;
  const uint64_t total = ElementCount(old);
  std::vector<MemberRows::Row> rows;
  if (count == 1) {
    const Status status = MemberRows::Random(txn, id, total, &rows.emplace_back());
    if (status != Status::kOk) return status;
  } else {
    const Status status = MemberRows::RandomDistinct(txn, id, total, count, &rows);
    if (status != Status::kOk) return status;
  }
  if (rows.size() != count) return Status::kCorruption;
  for (const MemberRows::Row& row : rows) {
    MemberRows::Delete(txn, id, row.member);
    visit(row.member);
  }
  PutWithRows(txn, db, key, old.header().encoding, old.expire_ms(), id, total - count);
  return Status::kOk;
}

// Takes most out: what stays is written anew, and the old rows go with their object.
Status PopByKeeping(WriteTxn& txn, DbIndex db, const HashedKey& key, const Record& old, uint64_t count,
                    const SetLimits& limits, const SetStore::Visitor& visit) {
  const uint64_t total = ElementCount(old);
  const uint64_t left = total - count;
  SetEncoding encoding = EncodingOfSurvivors(old, limits);
  Sampler sampler(total, count);
  const auto goes = [&](std::string_view member) {
    const bool taken = sampler.Take();
    if (taken) visit(member);
    return taken;
  };
  uint64_t object_id = 0;
  const Status status = WriteSurvivors(txn, old, left, goes, &encoding, &object_id);
  if (status != Status::kOk) return status;
  PutWithRows(txn, db, key, MakesNewSet(count, left) ? encoding.encoding() : old.header().encoding, old.expire_ms(),
              object_id, left);
  return Status::kOk;
}

}  // namespace

// ---- reading ----

Status SetStore::Contains(ReadView& view, const Record& record, std::string_view member) {
  if (IsPacked(record)) {
    return FindPacked(PayloadBehindCount(record), member).found() ? Status::kOk : Status::kNotFound;
  }
  std::string value;
  return MemberRows::Get(view, record.header().object_id, member, &value);
}

Status SetStore::ForEach(ReadView& view, const Record& record, const Visitor& visit) {
  if (IsPacked(record)) {
    PackedReader reader(PayloadBehindCount(record));
    for (std::string_view member; reader.Read(&member);) {
      if (!visit(member)) return Status::kOk;
    }
    return reader.done() ? Status::kOk : Status::kCorruption;
  }
  const uint64_t id = record.header().object_id;
  const uint64_t count = ElementCount(record);
  uint64_t visited = 0;
  bool stopped = false;
  if (record.header().encoding != Encoding::kIntset || count > kSortedMembersMax) {
    const Status status = MemberRows::ForEach(view, id, [&](std::string_view member, std::string_view) {
      ++visited;
      stopped = !visit(member);
      return !stopped;
    });
    return status == Status::kOk && !stopped && visited != count ? Status::kCorruption : status;
  }
  std::vector<std::string> members;
  members.reserve(count);
  const Status status = MemberRows::ForEach(view, id, [&](std::string_view member, std::string_view) {
    members.emplace_back(member);
    return true;
  });
  if (status != Status::kOk) return status;
  if (members.size() != count) return Status::kCorruption;
  std::sort(members.begin(), members.end(),
            [](const std::string& a, const std::string& b) { return CompareIntegers(a, b) < 0; });
  for (const std::string& member : members) {
    if (!visit(member)) break;
  }
  return Status::kOk;
}

Status SetStore::Scan(ReadView& view, const Record& record, uint64_t cursor, uint64_t count, const Visitor& visit,
                      uint64_t* next) {
  *next = 0;
  if (IsPacked(record)) return ForEach(view, record, visit);
  return MemberRows::Scan(
      view, record.header().object_id, cursor, count,
      [&visit](std::string_view member, std::string_view) { return visit(member); }, next);
}

Status SetStore::Random(ReadView& view, const Record& record, std::string* member) {
  const uint64_t total = ElementCount(record);
  if (total == 0) return Status::kCorruption;
  if (!IsPacked(record)) {
    MemberRows::Row row;
    const Status status = MemberRows::Random(view, record.header().object_id, total, &row);
    *member = std::move(row.member);
    return status;
  }
  PackedReader reader(PayloadBehindCount(record));
  std::string_view each;
  for (uint64_t skip = RandomBelow(total) + 1; skip > 0; --skip) {
    if (!reader.Read(&each)) return Status::kCorruption;
  }
  *member = each;
  return Status::kOk;
}

Status SetStore::RandomDistinct(ReadView& view, const Record& record, uint64_t count, const Visitor& visit) {
  const uint64_t total = ElementCount(record);
  assert(count <= total);
  if (!IsPacked(record) && count <= total / kDrawFraction) {
    std::vector<MemberRows::Row> rows;
    const Status status = MemberRows::RandomDistinct(view, record.header().object_id, total, count, &rows);
    if (status != Status::kOk) return status;
    if (rows.size() != count) return Status::kCorruption;
    for (const MemberRows::Row& row : rows) {
      if (!visit(row.member)) break;
    }
    return Status::kOk;
  }
  Sampler sampler(total, count);
  bool stopped = false;
  const auto take = [&](std::string_view member) {
    if (sampler.Take()) stopped = !visit(member);
    return !stopped && !sampler.done();
  };
  const Status status =
      IsPacked(record) ? ForEach(view, record, take)
                       : MemberRows::ForEach(view, record.header().object_id,
                                             [&](std::string_view member, std::string_view) { return take(member); });
  return status == Status::kOk && !stopped && !sampler.done() ? Status::kCorruption : status;
}

Status SetStore::RandomRepeated(ReadView& view, const Record& record, uint64_t count, const Visitor& visit) {
  const uint64_t total = ElementCount(record);
  if (total == 0) return Status::kCorruption;
  if (IsPacked(record)) {
    std::vector<std::string_view> members;
    const Status status = UnpackMembers(record, &members);
    if (status != Status::kOk) return status;
    if (members.size() != total) return Status::kCorruption;
    for (; count > 0; --count) {
      if (!visit(members[RandomBelow(total)])) break;
    }
    return Status::kOk;
  }
  std::vector<std::string> drawn;
  while (count > 0) {
    const uint64_t draws = std::min(count, kDrawsMax);
    const Status status = DrawRows(view, record, total, draws, &drawn);
    if (status != Status::kOk) return status;
    for (const std::string& member : drawn) {
      if (!visit(member)) return Status::kOk;
    }
    count -= draws;
  }
  return Status::kOk;
}

// ---- writing ----

Status SetStore::Add(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> members,
                     const SetLimits& limits, uint64_t* added) {
  assert(!members.empty());
  *added = 0;
  RecordPtr old;
  Status status = FindOld(txn, db, key, &old);
  if (status != Status::kOk) return status;
  SetEncoding encoding = SetEncoding::ForNew(members[0], members.size(), limits);
  if (old != nullptr) {
    status = EncodingOf(txn, *old, limits, &encoding);
    if (status != Status::kOk) return status;
    encoding.Expect(members.size());
  }
  if (old != nullptr && !IsPacked(*old)) return AddRows(txn, db, key, *old, members, encoding, added);
  return AddPacked(txn, db, key, old, members, encoding, added);
}

Status SetStore::Remove(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> members,
                        uint64_t* removed) {
  *removed = 0;
  RecordPtr old;
  const Status status = FindOld(txn, db, key, &old);
  if (status != Status::kOk || old == nullptr) return status;
  return IsPacked(*old) ? RemovePacked(txn, db, key, *old, members, removed)
                        : RemoveRows(txn, db, key, *old, members, removed);
}

Status SetStore::Move(WriteTxn& txn, DbIndex db, const HashedKey& from, const HashedKey& to, std::string_view member,
                      const SetLimits& limits, MoveOutcome* outcome) {
  *outcome = {};
  RecordPtr source;
  RecordPtr target;
  Status status = txn.GetRecord(db, from, &source);
  if (status == Status::kNotFound) return Status::kOk;
  if (status != Status::kOk) return status;
  if (source->type() != ValueType::kSet) return Status::kWrongType;
  status = FindOld(txn, db, to, &target);
  if (status != Status::kOk) return status;
  if (from.key == to.key) {
    status = Contains(txn, *source, member);
    outcome->found = status == Status::kOk;
    return status == Status::kNotFound ? Status::kOk : status;
  }
  uint64_t count = 0;
  status = Remove(txn, db, from, {&member, 1}, &count);
  if (status != Status::kOk || count == 0) return status;
  outcome->found = true;
  status = Add(txn, db, to, {&member, 1}, limits, &count);
  outcome->added = count > 0;
  return status;
}

Status SetStore::Pop(WriteTxn& txn, DbIndex db, const HashedKey& key, uint64_t count, const SetLimits& limits,
                     const Visitor& visit) {
  RecordPtr old;
  const Status status = txn.GetRecord(db, key, ValueType::kSet, &old);
  if (status != Status::kOk) return status;
  const uint64_t total = ElementCount(*old);
  if (count >= total) {
    const Status visited = ForEach(txn, *old, visit);
    if (visited == Status::kOk) txn.Erase(db, key);
    return visited;
  }
  if (IsPacked(*old)) return PopPacked(txn, db, key, *old, count, limits, visit);
  const uint64_t left = total - count;
  const bool keep = MakesNewSet(count, left) || (count > NewObject::kLargeRows && count > left);
  return keep ? PopByKeeping(txn, db, key, *old, count, limits, visit) : PopRows(txn, db, key, *old, count, visit);
}

}  // namespace basalt::storage
