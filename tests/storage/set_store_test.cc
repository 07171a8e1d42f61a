// Sets: what the store does with members in both layouts, and random verbs against std::set. Prints its seed when it
// fails; set BASALT_SEED to run one again.

#include "storage/set_store.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "storage/key_codec.h"
#include "storage/set_algebra.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

using Members = std::set<std::string>;
using Operation = SetAlgebra::Operation;

std::vector<std::string_view> Views(const std::vector<std::string>& members) {
  return {members.begin(), members.end()};
}

class SetStoreTest : public StorageTest {
 protected:
  Status Add(std::string_view key, const std::vector<std::string>& members, uint64_t* added) {
    return Write({key}, [&](WriteTxn& txn) { return SetStore::Add(txn, 0, Key(key), Views(members), limits_, added); });
  }
  Status Remove(std::string_view key, const std::vector<std::string>& members, uint64_t* removed) {
    return Write({key}, [&](WriteTxn& txn) { return SetStore::Remove(txn, 0, Key(key), Views(members), removed); });
  }
  Status Pop(std::string_view key, uint64_t count, std::vector<std::string>* popped) {
    return Write({key}, [&](WriteTxn& txn) {
      popped->clear();
      return SetStore::Pop(txn, 0, Key(key), count, limits_, [&](std::string_view member) {
        popped->emplace_back(member);
        return true;
      });
    });
  }
  static Status Find(ReadView& view, const HashedKey& key, RecordPtr* record) {
    const Status status = FindCollection(view, 0, key, ValueType::kSet, record);
    if (status == Status::kNotFound) *record = nullptr;
    return status == Status::kNotFound ? Status::kOk : status;
  }
  // In the order of ForEach.
  static std::vector<std::string> List(ReadView& view, const HashedKey& key, RecordPtr* record) {
    std::vector<std::string> members;
    EXPECT_EQ(Find(view, key, record), Status::kOk);
    if (*record == nullptr) return members;
    EXPECT_EQ(SetStore::ForEach(view, **record,
                                [&](std::string_view member) {
                                  members.emplace_back(member);
                                  return true;
                                }),
              Status::kOk);
    return members;
  }
  std::vector<std::string> List(std::string_view key, RecordPtr* record) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    return List(view, Key(key), record);
  }
  std::vector<std::string> List(std::string_view key) {
    RecordPtr record;
    return List(key, &record);
  }
  RecordPtr Record(std::string_view key) {
    RecordPtr record;
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    EXPECT_EQ(Find(view, Key(key), &record), Status::kOk);
    return record;
  }

  SetLimits limits_;
};

std::vector<std::string> Numbered(const std::string& prefix, uint64_t from, uint64_t to) {
  std::vector<std::string> members;
  for (uint64_t i = from; i < to; ++i) members.push_back(prefix + std::to_string(i));
  return members;
}

TEST_F(SetStoreTest, PackedKeepsTheOrderOfArrivalAndIntegersTheirOwn) {
  uint64_t added = 0;
  ASSERT_EQ(Add("s", {"5", "-3", "100", "20", "5"}, &added), Status::kOk);
  EXPECT_EQ(added, 4u);
  EXPECT_EQ(List("s"), (std::vector<std::string>{"-3", "5", "20", "100"}));
  EXPECT_EQ(Record("s")->header().encoding, Encoding::kIntset);
  ASSERT_EQ(Add("s", {"b", "a", "7"}, &added), Status::kOk);
  EXPECT_EQ(List("s"), (std::vector<std::string>{"-3", "5", "20", "100", "b", "a", "7"}));
  EXPECT_EQ(Record("s")->header().encoding, Encoding::kListpack);
}

// FORMAT.md draws these bytes.
TEST_F(SetStoreTest, RecordsAreAsTheFormatSays) {
  uint64_t added = 0;
  ASSERT_EQ(Add("packed", {"1", "a"}, &added), Status::kOk);
  EXPECT_EQ(Record("packed")->stored(), std::string_view("\x01\x04\x03\x02\x01\x31\x01\x61", 8));
  ASSERT_EQ(Add("rows", {std::string(400, 'a'), std::string(400, 'b'), std::string(400, 'c')}, &added), Status::kOk);
  const RecordPtr rows = Record("rows");
  KeyBuffer id;
  EncodeObjectBound(rows->header().object_id, &id);
  EXPECT_EQ(rows->stored(),
            std::string("\x01\x24\x04", 3) + std::string(id.view()) + std::string("\0\0\0\0\0\0\0\x03", 8));
}

TEST_F(SetStoreTest, RowsBeginAboveAThousandBytesAndStay) {
  uint64_t count = 0;
  ASSERT_EQ(Add("s", {std::string(500, 'a'), std::string(500, 'b')}, &count), Status::kOk);
  EXPECT_TRUE(IsPacked(*Record("s")));
  ASSERT_EQ(Add("s", {std::string(30, 'c')}, &count), Status::kOk);
  EXPECT_FALSE(IsPacked(*Record("s")));
  ASSERT_EQ(Remove("s", {std::string(500, 'a'), std::string(500, 'b'), "no"}, &count), Status::kOk);
  EXPECT_EQ(count, 2u);
  EXPECT_FALSE(IsPacked(*Record("s")));
  EXPECT_EQ(List("s"), (std::vector<std::string>{std::string(30, 'c')}));
  ASSERT_EQ(Remove("s", {std::string(30, 'c')}, &count), Status::kOk);
  EXPECT_EQ(Record("s"), nullptr);
}

TEST_F(SetStoreTest, AnIntsetWithRowsIsListedInOrder) {
  uint64_t added = 0;
  ASSERT_EQ(Add("s", Numbered("", 0, 500), &added), Status::kOk);
  RecordPtr record = Record("s");
  EXPECT_FALSE(IsPacked(*record));
  EXPECT_EQ(record->header().encoding, Encoding::kIntset);
  EXPECT_EQ(List("s"), Numbered("", 0, 500));
}

TEST_F(SetStoreTest, EveryChangeKeepsTheExpiryOfTheKey) {
  uint64_t count = 0;
  std::vector<std::string> popped;
  ASSERT_EQ(Add("s", Numbered("m", 0, 10), &count), Status::kOk);
  ASSERT_EQ(Expire("s", now_ms_ + 5000), Status::kOk);
  ASSERT_EQ(Add("s", Numbered("m", 10, 1000), &count), Status::kOk);
  EXPECT_EQ(Record("s")->expire_ms(), now_ms_ + 5000);
  ASSERT_EQ(Remove("s", {"m1"}, &count), Status::kOk);
  EXPECT_EQ(Record("s")->expire_ms(), now_ms_ + 5000);
  ASSERT_EQ(Pop("s", 3, &popped), Status::kOk);
  EXPECT_EQ(Record("s")->expire_ms(), now_ms_ + 5000);
  ASSERT_EQ(Pop("s", 900, &popped), Status::kOk);
  EXPECT_EQ(Record("s")->expire_ms(), now_ms_ + 5000);
  now_ms_ += 5000;
  EXPECT_EQ(Record("s"), nullptr);
}

TEST_F(SetStoreTest, OtherTypesAreRefused) {
  ASSERT_EQ(Set("string", "v"), Status::kOk);
  uint64_t count = 0;
  std::vector<std::string> popped;
  EXPECT_EQ(Add("string", {"a"}, &count), Status::kWrongType);
  EXPECT_EQ(Remove("string", {"a"}, &count), Status::kWrongType);
  EXPECT_EQ(Pop("string", 1, &popped), Status::kWrongType);
  SetStore::MoveOutcome moved{.found = true, .added = true};
  ASSERT_EQ(Add("s", {"a"}, &count), Status::kOk);
  const auto move = [&](std::string_view from, std::string_view to) {
    return Write({from, to},
                 [&](WriteTxn& txn) { return SetStore::Move(txn, 0, Key(from), Key(to), "a", limits_, &moved); });
  };
  EXPECT_EQ(move("s", "string"), Status::kWrongType);
  EXPECT_EQ(move("string", "s"), Status::kWrongType);
  EXPECT_EQ(move("absent", "string"), Status::kOk);
  EXPECT_FALSE(moved.found || moved.added);
  EXPECT_EQ(List("s"), (std::vector<std::string>{"a"}));
}

// ⚑ Large results go to the disk in small batches; they and what they replace are whole, also after a restart.
TEST_F(SetStoreTest, LargeSetsAreMadeCombinedAndPoppedWhole) {
  uint64_t count = 0;
  ASSERT_EQ(Add("a", Numbered("m", 0, 9000), &count), Status::kOk);
  EXPECT_EQ(count, 9000u);
  ASSERT_EQ(Add("b", Numbered("m", 6000, 15000), &count), Status::kOk);
  const auto store = [&](Operation operation, std::string_view destination) {
    return Write({destination, "a", "b"}, [&](WriteTxn& txn) {
      std::vector<RecordPtr> sets(2);
      EXPECT_EQ(Find(txn, Key("a"), &sets[0]), Status::kOk);
      EXPECT_EQ(Find(txn, Key("b"), &sets[1]), Status::kOk);
      return SetAlgebra::Store(operation, txn, 0, Key(destination), sets, limits_, &count);
    });
  };
  ASSERT_EQ(store(Operation::kUnite, "union"), Status::kOk);
  EXPECT_EQ(count, 15000u);
  ASSERT_EQ(store(Operation::kIntersect, "both"), Status::kOk);
  EXPECT_EQ(count, 3000u);
  ASSERT_EQ(store(Operation::kSubtract, "a"), Status::kOk);
  EXPECT_EQ(count, 6000u);
  Reopen();
  while (storage_->RunGarbageCycle(10000) != 0) {
  }
  const auto listed = [&](std::string_view key) {
    const auto members = List(key);
    return Members(members.begin(), members.end());
  };
  const auto numbered = [](uint64_t from, uint64_t to) {
    const auto members = Numbered("m", from, to);
    return Members(members.begin(), members.end());
  };
  EXPECT_EQ(listed("union"), numbered(0, 15000));
  EXPECT_EQ(listed("both"), numbered(6000, 9000));
  EXPECT_EQ(listed("a"), numbered(0, 6000));

  std::vector<std::string> popped;
  ASSERT_EQ(Pop("union", 9000, &popped), Status::kOk);
  Members all = listed("union");
  EXPECT_EQ(all.size(), 6000u);
  for (const std::string& member : popped) EXPECT_TRUE(all.insert(member).second);
  EXPECT_EQ(all, numbered(0, 15000));
  while (storage_->RunGarbageCycle(10000) != 0) {
  }
  EXPECT_EQ(listed("union").size(), 6000u);
}

// What the fast lane may not do it refuses, and leaves nothing behind.
TEST_F(SetStoreTest, TheFastLaneLeavesLargeResultsToTheSlowOne) {
  uint64_t count = 0;
  WriteTxn txn(*storage_);
  const HashedKey key = Key("s");
  ASSERT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
  txn.BeginCommand(now_ms_, ReadTier::kMemory);
  const auto members = Numbered("m", 0, 5000);
  EXPECT_EQ(SetStore::Add(txn, 0, key, Views(members), limits_, &count), Status::kIncomplete);
  txn.RollbackCommand();
  EXPECT_FALSE(txn.HasPendingWrites());
  txn.Abort();
  EXPECT_EQ(Record("s"), nullptr);
}

// ⚑ Every member has the same chance in every layout: chi-square with a bound that chance exceeds once in 10^9 runs.
TEST_F(SetStoreTest, RandomMembersAreFair) {
  uint64_t added = 0;
  ASSERT_EQ(Add("packed", Numbered("m", 0, 50), &added), Status::kOk);
  ASSERT_EQ(Add("rows", Numbered("m", 0, 300), &added), Status::kOk);
  for (const std::string_view key : {"packed", "rows"}) {
    const RecordPtr record = Record(key);
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    RecordPtr found;
    ASSERT_EQ(Find(view, Key(key), &found), Status::kOk);
    const uint64_t total = ElementCount(*found);
    const auto chi_square = [&](const std::map<std::string, uint64_t>& drawn, uint64_t draws) {
      const double expected = static_cast<double>(draws) / static_cast<double>(total);
      double sum = 0;
      for (const std::string& member : List(key)) {
        const auto it = drawn.find(member);
        const double difference = (it == drawn.end() ? 0 : static_cast<double>(it->second)) - expected;
        sum += difference * difference / expected;
      }
      return sum;
    };
    // Mean total - 1, standard deviation sqrt(2 * (total - 1)).
    const double bound = static_cast<double>(total) + 7 * std::sqrt(2.0 * static_cast<double>(total));
    std::map<std::string, uint64_t> drawn;
    const auto count = [&drawn](std::string_view member) {
      ++drawn[std::string(member)];
      return true;
    };
    ASSERT_EQ(SetStore::RandomRepeated(view, *found, 20000, count), Status::kOk);
    EXPECT_LT(chi_square(drawn, 20000), bound) << key;
    drawn.clear();
    for (int i = 0; i < 5000; ++i) {
      std::string member;
      ASSERT_EQ(SetStore::Random(view, *found, &member), Status::kOk);
      count(member);
    }
    EXPECT_LT(chi_square(drawn, 5000), bound) << key;
    for (const uint64_t some : {uint64_t{3}, total / 2}) {
      drawn.clear();
      for (uint64_t i = 0; i < 3000; ++i) ASSERT_EQ(SetStore::RandomDistinct(view, *found, some, count), Status::kOk);
      EXPECT_LT(chi_square(drawn, 3000 * some), bound) << key << " " << some;
    }
  }
}

// ⚑ What SSCAN showed is removed: those that are left stand close together in the order of the hash.
TEST_F(SetStoreTest, RandomMembersAreFairWhenTheyStandClose) {
  uint64_t count = 0;
  ASSERT_EQ(Add("s", Numbered("m", 0, 12000), &count), Status::kOk);
  std::vector<std::string> members = List("s");
  members.resize(members.size() - 200);
  for (size_t i = 0; i < members.size(); i += 1000) {
    const size_t end = std::min(i + 1000, members.size());
    ASSERT_EQ(Remove("s", {members.begin() + static_cast<ptrdiff_t>(i), members.begin() + static_cast<ptrdiff_t>(end)},
                     &count),
              Status::kOk);
  }
  storage_->Compact();  // what was deleted would only make it slow
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  RecordPtr record;
  ASSERT_EQ(Find(view, Key("s"), &record), Status::kOk);
  ASSERT_EQ(ElementCount(*record), 200u);
  std::map<std::string, double> drawn;
  for (int i = 0; i < 2000; ++i) {
    std::string member;
    ASSERT_EQ(SetStore::Random(view, *record, &member), Status::kOk);
    ++drawn[member];
  }
  double sum = 0;
  for (const std::string& member : List("s")) sum += (drawn[member] - 10) * (drawn[member] - 10) / 10;
  EXPECT_LT(sum, 200 + 7 * std::sqrt(2.0 * 200));
}

// Very many at once: what stays is whole, and what went leaves nothing behind in the way of later reads.
TEST_F(SetStoreTest, MostOfALargeSetIsRemovedByWritingTheRest) {
  uint64_t count = 0;
  ASSERT_EQ(Add("s", Numbered("m", 0, 12000), &count), Status::kOk);
  ASSERT_EQ(Expire("s", now_ms_ + 1000), Status::kOk);
  const uint64_t id = Record("s")->header().object_id;
  std::vector<std::string> members = Numbered("m", 100, 9000);
  members.insert(members.end(), {"m100", "none"});
  ASSERT_EQ(Remove("s", members, &count), Status::kOk);
  EXPECT_EQ(count, 8900u);
  EXPECT_NE(Record("s")->header().object_id, id);
  EXPECT_EQ(Record("s")->expire_ms(), now_ms_ + 1000);
  const auto listed = List("s");
  const Members left(listed.begin(), listed.end());
  EXPECT_EQ(left.size(), 3100u);
  EXPECT_TRUE(left.count("m99") == 1 && left.count("m100") == 0 && left.count("m9000") == 1);
  ASSERT_EQ(Remove("s", Numbered("x", 0, 5000), &count), Status::kOk);
  EXPECT_EQ(count, 0u);
  ASSERT_EQ(Remove("s", Numbered("m", 0, 12000), &count), Status::kOk);
  EXPECT_EQ(count, 3100u);
  EXPECT_EQ(Record("s"), nullptr);
}

// ⚑ A reader's sets are of one moment, whatever is written meanwhile.
TEST_F(SetStoreTest, AlgebraReadsOneMoment) {
  uint64_t count = 0;
  ASSERT_EQ(Add("a", Numbered("m", 0, 1000), &count), Status::kOk);
  ASSERT_EQ(Add("b", Numbered("m", 500, 1500), &count), Status::kOk);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  view.RequireSnapshot();
  std::vector<RecordPtr> sets(2);
  ASSERT_EQ(Find(view, Key("a"), &sets[0]), Status::kOk);
  ASSERT_EQ(Remove("b", Numbered("m", 500, 900), &count), Status::kOk);
  ASSERT_EQ(Del("a"), Status::kOk);
  ASSERT_EQ(Find(view, Key("b"), &sets[1]), Status::kOk);
  uint64_t united = 0, common = 0;
  const auto tally = [](uint64_t* to) {
    return [to](std::string_view) {
      ++*to;
      return true;
    };
  };
  ASSERT_EQ(SetAlgebra::Unite(view, sets, tally(&united)), Status::kOk);
  ASSERT_EQ(SetAlgebra::Intersect(view, sets, tally(&common)), Status::kOk);
  EXPECT_EQ(united, 1500u);
  EXPECT_EQ(common, 500u);
}

// ---- random verbs ----

class SetStoreModelTest : public SetStoreTest {
 protected:
  static constexpr int kKeys = 6;
  struct ModelSet {
    Members members;
    int64_t expire_ms = kNoExpire;
  };

  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }
  std::string SomeKey() { return "key:" + std::to_string(Below(kKeys)); }
  std::string SomeMember() {
    switch (Below(8)) {
      case 0:
        return std::string(Below(300), static_cast<char>('a' + Below(4)));
      case 1:
      case 2:
      case 3:
        return std::to_string(static_cast<int64_t>(Below(400)) - 50);
      default:
        return "member:" + std::to_string(Below(300));
    }
  }
  std::vector<std::string> SomeMembers() {
    std::vector<std::string> members(1 + (Below(12) == 0 ? Below(400) : Below(4)));
    for (std::string& member : members) member = SomeMember();
    return members;
  }
  ModelSet* Live(const std::string& key) {
    const auto found = model_.find(key);
    if (found == model_.end()) return nullptr;
    const bool expired = found->second.expire_ms != kNoExpire && found->second.expire_ms <= now_ms_;
    if (expired || found->second.members.empty()) {
      model_.erase(found);
      return nullptr;
    }
    return &found->second;
  }
  Members MembersOf(const std::string& key) {
    const ModelSet* live = Live(key);
    return live == nullptr ? Members() : live->members;
  }

  // One verb in `txn`, which holds the locks of all keys; `apply`: in the model too.
  void Verb(WriteTxn& txn, bool apply) {
    const std::string key = SomeKey();
    const std::string other = SomeKey();
    Members members = MembersOf(key);
    uint64_t count = 0;
    switch (Below(9)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const auto added = SomeMembers();
        ASSERT_EQ(SetStore::Add(txn, 0, Key(key), Views(added), limits_, &count), Status::kOk);
        const size_t before = members.size();
        members.insert(added.begin(), added.end());
        ASSERT_EQ(count, members.size() - before);
        break;
      }
      case 4:
      case 5: {
        const auto removed = SomeMembers();
        ASSERT_EQ(SetStore::Remove(txn, 0, Key(key), Views(removed), &count), Status::kOk);
        const size_t before = members.size();
        for (const std::string& member : removed) members.erase(member);
        ASSERT_EQ(count, before - members.size());
        break;
      }
      case 6: {
        const std::string member = SomeMember();
        SetStore::MoveOutcome moved;
        ASSERT_EQ(SetStore::Move(txn, 0, Key(key), Key(other), member, limits_, &moved), Status::kOk);
        ASSERT_EQ(moved.found, members.count(member) == 1);
        if (key == other || !moved.found) return;
        members.erase(member);
        if (apply) {
          (void)Live(other);
          model_[other].members.insert(member);
        }
        break;
      }
      case 7: {
        if (members.empty()) return;
        const uint64_t wanted = 1 + (Below(4) == 0 ? Below(members.size() + 3) : Below(3));
        std::vector<std::string> popped;
        ASSERT_EQ(SetStore::Pop(txn, 0, Key(key), wanted, limits_,
                                [&popped](std::string_view member) {
                                  popped.emplace_back(member);
                                  return true;
                                }),
                  Status::kOk);
        ASSERT_EQ(popped.size(), std::min<uint64_t>(wanted, members.size()));
        for (const std::string& member : popped) ASSERT_EQ(members.erase(member), 1u);
        break;
      }
      default: {
        const auto operation = static_cast<Operation>(Below(3));
        std::vector<std::string> keys(1 + Below(3));
        std::vector<RecordPtr> sets(keys.size());
        for (size_t i = 0; i < keys.size(); ++i) {
          keys[i] = SomeKey();
          ASSERT_EQ(Find(txn, Key(keys[i]), &sets[i]), Status::kOk);
        }
        const Members expected = Combine(operation, keys);
        ASSERT_EQ(SetAlgebra::Store(operation, txn, 0, Key(key), sets, limits_, &count), Status::kOk);
        ASSERT_EQ(count, expected.size());
        if (apply) model_[key] = {expected, kNoExpire};
        return;
      }
    }
    if (apply && (!members.empty() || Live(key) != nullptr)) model_[key].members = members;
  }

  Members Combine(Operation operation, const std::vector<std::string>& keys) {
    Members result = MembersOf(keys[0]);
    for (size_t i = 1; i < keys.size(); ++i) {
      const Members next = MembersOf(keys[i]);
      if (operation == Operation::kUnite) {
        result.insert(next.begin(), next.end());
        continue;
      }
      std::erase_if(result, [&](const std::string& member) {
        return next.count(member) == (operation == Operation::kSubtract ? 1u : 0u);
      });
    }
    return result;
  }

  // Some commands in one group, each kept or rolled back; then the group, too.
  void Group() {
    const auto saved = model_;
    WriteTxn txn(*storage_);
    std::vector<std::string> names;
    std::vector<HashedKey> keys;
    for (int i = 0; i < kKeys; ++i) names.push_back("key:" + std::to_string(i));
    for (const std::string& name : names) keys.push_back(Key(name));
    ASSERT_EQ(txn.LockKeys(keys), Status::kOk);
    for (uint64_t n = 1 + Below(6); n > 0; --n) {
      const bool rolled_back = Below(4) == 0;
      txn.BeginCommand(now_ms_, ReadTier::kDisk);
      Verb(txn, !rolled_back);
      if (HasFatalFailure()) return;
      rolled_back ? txn.RollbackCommand() : txn.EndCommand();
      const std::string key = SomeKey();
      CheckKey(txn, key);
    }
    if (Below(5) == 0) {
      txn.Abort();
      model_ = saved;
      return;
    }
    uint64_t sequence = 0;
    ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  }

  void CheckKey(ReadView& view, const std::string& key) {
    const Members expected = MembersOf(key);
    RecordPtr record;
    const std::vector<std::string> listed = List(view, Key(key), &record);
    ASSERT_EQ(record != nullptr, !expected.empty()) << key;
    if (record == nullptr) return;
    ASSERT_EQ(ElementCount(*record), expected.size());
    ASSERT_EQ(listed.size(), expected.size());
    ASSERT_EQ(Members(listed.begin(), listed.end()), expected);
    if (record->header().encoding == Encoding::kIntset) {
      for (size_t i = 0; i < listed.size(); ++i) {
        ASSERT_TRUE(IsInteger(listed[i]));
        ASSERT_TRUE(i == 0 || CompareIntegers(listed[i - 1], listed[i]) < 0);
      }
    }
    for (int i = 0; i < 5; ++i) {
      const std::string member = SomeMember();
      ASSERT_EQ(SetStore::Contains(view, *record, member),
                expected.count(member) == 1 ? Status::kOk : Status::kNotFound);
    }
    Members scanned;
    uint64_t cursor = 0;
    do {
      ASSERT_EQ(SetStore::Scan(
                    view, *record, cursor, 7,
                    [&](std::string_view member) {
                      EXPECT_TRUE(scanned.emplace(member).second);
                      return true;
                    },
                    &cursor),
                Status::kOk);
    } while (cursor != 0);
    ASSERT_EQ(scanned, expected);
    const uint64_t some = Below(expected.size() + 1);
    Members drawn;
    ASSERT_EQ(SetStore::RandomDistinct(view, *record, some,
                                       [&](std::string_view member) {
                                         EXPECT_TRUE(drawn.emplace(member).second);
                                         return true;
                                       }),
              Status::kOk);
    ASSERT_EQ(drawn.size(), some);
    ASSERT_TRUE(std::includes(expected.begin(), expected.end(), drawn.begin(), drawn.end()));
  }

  void Rare() {
    switch (Below(8)) {
      case 0:
        Reopen();
        break;
      case 1:
        ASSERT_EQ(storage_->Flush(), Status::kOk);
        break;
      case 2:
        storage_->Compact();
        break;
      case 3:
        while (storage_->RunGarbageCycle(1000) != 0) {
        }
        break;
      case 4:
        now_ms_ += static_cast<int64_t>(Below(2000));
        break;
      case 5: {
        const std::string key = SomeKey();
        const int64_t expire_ms = now_ms_ + 1 + static_cast<int64_t>(Below(3000));
        ModelSet* live = Live(key);
        ASSERT_EQ(Expire(key, expire_ms), live != nullptr ? Status::kOk : Status::kNotFound);
        if (live != nullptr) live->expire_ms = expire_ms;
        break;
      }
      case 6: {
        const std::string from = SomeKey(), to = SomeKey();
        const ModelSet* live = Live(from);
        if (live == nullptr || from == to) break;
        if (Below(2) == 0) {
          ASSERT_EQ(Copy(from, to), Status::kOk);
          model_[to] = ModelSet(*live);
        } else {
          ASSERT_EQ(Rename(from, to), Status::kOk);
          model_[to] = ModelSet(*live);
          model_.erase(from);
        }
        break;
      }
      case 7:
        limits_ = {.intset_entries = Below(600), .listpack_entries = Below(200), .listpack_value = Below(70)};
        break;
    }
  }

  std::mt19937_64 random_;
  std::map<std::string, ModelSet> model_;
};

TEST_F(SetStoreModelTest, RandomVerbsAgreeWithStdSet) {
  const char* given = std::getenv("BASALT_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("BASALT_SEED=" + std::to_string(seed));
  random_.seed(seed);
  for (int i = 0; i < 1500; ++i) {
    Below(6) == 0 ? Rare() : Group();
    if (HasFatalFailure()) FAIL() << "step " << i;
    if (i % 50 != 49) continue;
    for (int n = 0; n < kKeys; ++n) {
      ReadView view(*storage_, now_ms_, ReadTier::kDisk);
      CheckKey(view, "key:" + std::to_string(n));
      if (HasFatalFailure()) FAIL() << "check after step " << i;
    }
  }
}

}  // namespace
}  // namespace basalt::storage
