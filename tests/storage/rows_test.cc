// Rows of objects: scans both ways over what is committed and what is pending, and fair draws of members.

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "storage/collection.h"
#include "storage/key_codec.h"
#include "storage/member_rows.h"
#include "storage/new_object.h"
#include "storage/storage_impl.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

class RowsTest : public StorageTest {
 protected:
  static std::string RowKey(uint64_t object, uint32_t n) {
    KeyBuffer key;
    EncodeChunkKey(object, n, &key);
    return std::string(key.view());
  }
  static Rows Scan(ReadView& view, uint64_t object, uint32_t first, uint32_t last, ScanOrder order, size_t rows_max) {
    Rows rows;
    const Status status = ScanRows(view, RowFamily::kData, RowKey(object, first), RowKey(object, last), order,
                                   [&](std::string_view key, std::string_view value) {
                                     rows.emplace_back(key, value);
                                     return rows.size() < rows_max;
                                   });
    EXPECT_EQ(status, Status::kOk);
    return rows;
  }
  // A set of `count` members as rows of a new object.
  uint64_t MakeMembers(uint64_t count) {
    uint64_t id = 0;
    EXPECT_EQ(
        Write({"k"},
              [&](WriteTxn& txn) {
                RecordPtr old;
                (void)txn.GetRecord(0, Key("k"), &old);
                NewObject object(txn, RowFamilyBit(RowFamily::kData), count, 0);
                id = object.id();
                Status status = object.Begin();
                KeyBuffer key;
                for (uint64_t i = 0; status == Status::kOk && i < count; ++i) {
                  MemberRows::EncodeKey(*storage_, id, "m" + std::to_string(i), &key);
                  status = object.Put(RowFamily::kData, key.view(), std::to_string(i));
                }
                if (status == Status::kOk) status = object.End();
                std::string payload;
                AppendRowsCount(count, &payload);
                txn.Put(0, Key("k"), Record::Make({ValueType::kSet, Encoding::kHashtable, kNoExpire, id}, payload));
                return status;
              }),
        Status::kOk);
    return id;
  }
};

TEST_F(RowsTest, ScansSeeCommittedAndPendingRowsInBothOrders) {
  std::mt19937_64 random(7);
  const auto below = [&](uint64_t bound) { return static_cast<uint32_t>(random() % bound); };
  std::map<std::string, std::string> committed;
  constexpr uint64_t kObject = 900;
  for (int round = 0; round < 120; ++round) {
    SCOPED_TRACE(round);
    std::map<std::string, std::string> model = committed;
    const bool rolls_back = round % 5 == 4;
    const Status status = Write({"k"}, [&](WriteTxn& txn) {
      for (int i = 0; i < 12; ++i) {
        const uint32_t n = below(60);
        if (below(8) == 0) {
          const uint32_t to = n + below(20);
          txn.DeleteRows(RowFamily::kData, RowKey(kObject, n), RowKey(kObject, to));
          model.erase(model.lower_bound(RowKey(kObject, n)), model.lower_bound(RowKey(kObject, std::max(n, to))));
        } else if (below(3) == 0) {
          txn.DeleteRow(RowFamily::kData, RowKey(kObject, n));
          model.erase(RowKey(kObject, n));
        } else {
          const std::string value = std::to_string(random() % 1000);
          txn.PutRow(RowFamily::kData, RowKey(kObject, n), value);
          model[RowKey(kObject, n)] = value;
        }
        const uint32_t first = below(60);
        const uint32_t last = first + below(60);
        Rows expected(model.lower_bound(RowKey(kObject, first)), model.lower_bound(RowKey(kObject, last)));
        EXPECT_EQ(Scan(txn, kObject, first, last, ScanOrder::kForward, 1000), expected);
        std::reverse(expected.begin(), expected.end());
        EXPECT_EQ(Scan(txn, kObject, first, last, ScanOrder::kBackward, 1000), expected);
        if (expected.size() > 3) expected.resize(3);
        EXPECT_EQ(Scan(txn, kObject, first, last, ScanOrder::kBackward, 3), expected);
      }
      return rolls_back ? Status::kInvalid : Status::kOk;
    });
    EXPECT_EQ(status, rolls_back ? Status::kInvalid : Status::kOk);
    if (!rolls_back) committed = model;
    if (round % 20 == 10) {
      ASSERT_EQ(storage_->Flush(), Status::kOk);
    }
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    EXPECT_EQ(Scan(view, kObject, 0, 1000, ScanOrder::kForward, 1000), Rows(committed.begin(), committed.end()));
    EXPECT_EQ(Scan(view, kObject, 0, 1000, ScanOrder::kBackward, 1000), Rows(committed.rbegin(), committed.rend()));
  }
}

// As a copy of an object does, whose old rows are pending too.
TEST_F(RowsTest, AScanDoesNotMeetRowsOfOtherObjectsThatItsVisitorPuts) {
  for (const ScanOrder order : {ScanOrder::kForward, ScanOrder::kBackward}) {
    EXPECT_EQ(Write({"k"},
                    [&](WriteTxn& txn) {
                      for (uint32_t i = 0; i < 5; ++i) txn.PutRow(RowFamily::kData, RowKey(900, i), "old");
                      int visited = 0;
                      const Status status =
                          ScanRows(txn, RowFamily::kData, RowKey(900, 0), RowKey(901, 0), order,
                                   [&](std::string_view, std::string_view value) {
                                     EXPECT_EQ(value, "old");
                                     txn.PutRow(RowFamily::kData, RowKey(901, static_cast<uint32_t>(visited)), "new");
                                     txn.PutRow(RowFamily::kData, RowKey(899, static_cast<uint32_t>(visited)), "new");
                                     return ++visited < 100;
                                   });
                      EXPECT_EQ(visited, 5);
                      return status;
                    }),
              Status::kOk);
  }
}

// Chi-square with the 99.99 % quantile by the approximation of Wilson and Hilferty.
TEST_F(RowsTest, EveryMemberIsDrawnWithTheSameChance) {
  for (const uint64_t members : {10u, 70u, 300u}) {
    const uint64_t id = MakeMembers(members);
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    view.RequireSnapshot();
    std::map<std::string, int> drawn;
    const int draws = static_cast<int>(members) * 60;
    for (int i = 0; i < draws; ++i) {
      MemberRows::Row row;
      ASSERT_EQ(MemberRows::Random(view, id, members, &row), Status::kOk);
      ++drawn[row.member];
    }
    double chi = 0;
    for (uint64_t i = 0; i < members; ++i) {
      const double off = drawn["m" + std::to_string(i)] - 60.0;
      chi += off * off / 60;
    }
    const double freedom = static_cast<double>(members - 1);
    const double root = 1 - 2 / (9 * freedom) + 3.719 * std::sqrt(2 / (9 * freedom));
    EXPECT_LT(chi, freedom * root * root * root) << members;
  }
}

TEST_F(RowsTest, DistinctDrawsAreDistinctHoweverManyAreWanted) {
  constexpr uint64_t kMembers = 5000;  // a large object: written in batches of its own
  const uint64_t id = MakeMembers(kMembers);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  view.RequireSnapshot();
  for (const uint64_t count : {1u, 100u, 2000u, 5000u}) {
    std::vector<MemberRows::Row> rows;
    ASSERT_EQ(MemberRows::RandomDistinct(view, id, kMembers, count, &rows), Status::kOk);
    std::set<std::string> members;
    for (const MemberRows::Row& row : rows) {
      EXPECT_EQ(row.member, "m" + row.value);
      members.insert(row.member);
    }
    EXPECT_EQ(rows.size(), count);
    EXPECT_EQ(members.size(), count);
  }
}

TEST_F(RowsTest, AScanInPagesVisitsEveryMemberOnce) {
  constexpr uint64_t kMembers = 3000;
  const uint64_t id = MakeMembers(kMembers);
  std::map<std::string, int> seen;
  uint64_t cursor = 0;
  do {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    view.RequireSnapshot();
    const auto visit = [&](std::string_view member, std::string_view) {
      ++seen[std::string(member)];
      return true;
    };
    ASSERT_EQ(MemberRows::Scan(view, id, cursor, 7, visit, &cursor), Status::kOk);
  } while (cursor != 0);
  EXPECT_EQ(seen.size(), kMembers);
  for (const auto& [member, times] : seen) EXPECT_EQ(times, 1) << member;
}

// Few rows are announced, of a size that nobody knows, and they are large: they do not gather in the group.
TEST_F(RowsTest, AnObjectThatTurnsOutToBeLargeIsNotGathered) {
  constexpr uint32_t kRows = 100;
  const std::string value(100'000, 'v');
  uint64_t id = 0;
  const auto make = [&](WriteTxn& txn) {
    RecordPtr old;
    (void)txn.GetRecord(0, Key("k"), &old);
    NewObject object(txn, RowFamilyBit(RowFamily::kData), kRows, 0);
    id = object.id();
    EXPECT_EQ(object.Begin(), Status::kOk);
    for (uint32_t i = 0; i < kRows; ++i) EXPECT_EQ(object.Put(RowFamily::kData, RowKey(id, i), value), Status::kOk);
    EXPECT_EQ(object.End(), Status::kOk);
    EXPECT_LT(txn.PendingBytes(), 2 * NewObject::kLargeBytes);
    std::string payload;
    AppendRowsCount(kRows, &payload);
    txn.Put(0, Key("k"), Record::Make({ValueType::kSet, Encoding::kHashtable, kNoExpire, id}, payload));
  };
  const auto rows = [&] {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    return Scan(view, id, 0, UINT32_MAX, ScanOrder::kForward, 1000).size();
  };
  const auto given_up = [&](WriteTxn& txn) {
    make(txn);
    return Status::kInvalid;
  };
  EXPECT_EQ(Write({"k"}, given_up), Status::kInvalid);
  while (storage_->RunGarbageCycle(UINT64_MAX) != 0) {
  }
  EXPECT_EQ(rows(), 0u);
  const auto committed = [&](WriteTxn& txn) {
    make(txn);
    return Status::kOk;
  };
  EXPECT_EQ(Write({"k"}, committed), Status::kOk);
  EXPECT_EQ(rows(), kRows);
  const auto copied = [&](WriteTxn& txn) {
    const Status status = Keyspace::Copy(txn, 0, Key("k"), 0, Key("copy"));
    EXPECT_LT(txn.PendingBytes(), 2 * NewObject::kLargeBytes);
    return status;
  };
  EXPECT_EQ(Write({"k", "copy"}, copied), Status::kOk);
  ASSERT_EQ(Del("k"), Status::kOk);
  while (storage_->RunGarbageCycle(UINT64_MAX) != 0) {
  }
  EXPECT_EQ(rows(), 0u);
  RecordPtr record;
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  ASSERT_EQ(view.GetRecord(0, Key("copy"), &record), Status::kOk);
  id = record->header().object_id;
  EXPECT_EQ(rows(), kRows);
  // The fast lane gives it up as soon as it is known.
  WriteTxn txn(*storage_);
  txn.BeginCommand(now_ms_, ReadTier::kMemory);
  NewObject object(txn, RowFamilyBit(RowFamily::kData), kRows, 0);
  Status status = object.Begin();
  for (uint32_t i = 0; status == Status::kOk && i < kRows; ++i) {
    status = object.Put(RowFamily::kData, RowKey(object.id(), i), value);
  }
  EXPECT_EQ(status, Status::kIncomplete);
  txn.RollbackCommand();
}

// One that is given up before its first row is on the disk is not counted as garbage: nothing would ever count it off.
TEST_F(RowsTest, ALargeObjectThatHasWrittenNothingIsNoGarbage) {
  EXPECT_EQ(Write({"k"},
                  [&](WriteTxn& txn) {
                    NewObject object(txn, RowFamilyBit(RowFamily::kData), 100'000, 0);
                    EXPECT_EQ(object.Begin(), Status::kOk);
                    EXPECT_EQ(object.Put(RowFamily::kData, RowKey(object.id(), 1), "value"), Status::kOk);
                    return Status::kInvalid;
                  }),
            Status::kInvalid);
  while (storage_->RunGarbageCycle(UINT64_MAX) != 0) {
  }
  EXPECT_EQ(storage_->Stats().garbage_objects, 0u);
}

// Its rows are in two families; a group that is given up leaves none of them behind.
TEST_F(RowsTest, ALargeObjectThatIsGivenUpLeavesNoRowInAnyFamily) {
  EXPECT_EQ(Write({"k"},
                  [&](WriteTxn& txn) {
                    NewObject object(txn, RowFamilyBit(RowFamily::kData) | RowFamilyBit(RowFamily::kScore), 100'000, 0);
                    EXPECT_EQ(object.Begin(), Status::kOk);
                    for (uint32_t i = 0; i < 20'000; ++i) {
                      const std::string key = RowKey(object.id(), i);
                      EXPECT_EQ(object.Put(RowFamily::kData, key, "value"), Status::kOk);
                      EXPECT_EQ(object.Put(RowFamily::kScore, key, "value"), Status::kOk);
                    }
                    EXPECT_EQ(object.End(), Status::kOk);
                    return Status::kInvalid;
                  }),
            Status::kInvalid);
  while (storage_->RunGarbageCycle(UINT64_MAX) != 0) {
  }
  Engine& engine = storage_->impl().engine;
  for (const Family family : {Family::kData, Family::kScore}) {
    std::unique_ptr<rocksdb::Iterator> rows(engine.db()->NewIterator(rocksdb::ReadOptions(), engine.handle(family)));
    rows->SeekToFirst();
    EXPECT_FALSE(rows->Valid());
  }
}

}  // namespace
}  // namespace basalt::storage
