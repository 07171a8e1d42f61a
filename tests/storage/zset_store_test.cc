// Sorted sets against std::map, packed and with rows, ranks included. Prints its seed when it fails; set BASALT_SEED to
// run one again.

#include "storage/zset_store.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <thread>

#include "storage/key_codec.h"
#include "storage/rank_index.h"
#include "storage/storage_impl.h"
#include "storage/zset_algebra.h"
#include "storage/zset_rows.h"
#include "storage/zset_writer.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

using Model = std::map<std::string, double>;
using Entries = std::vector<std::pair<double, std::string>>;

Entries InOrder(const Model& model) {
  Entries entries;
  for (const auto& [member, score] : model) entries.emplace_back(score, member);
  std::sort(entries.begin(), entries.end());
  return entries;
}

class ZsetStoreTest : public StorageTest {
 protected:
  static constexpr ZsetLimits kLimits = {};

  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }

  Status Add(WriteTxn& txn, std::string_view key, std::string_view member, double score,
             ZsetStore::AddOptions options = {}, ZsetStore::AddOutcome* outcome = nullptr) {
    ZsetStore::AddOutcome ignored;
    const ZsetStore::AddItem item{score, member};
    return ZsetStore::Add(txn, 0, Key(key), {&item, 1}, options, kLimits, outcome != nullptr ? outcome : &ignored);
  }
  Status Add(std::string_view key, std::string_view member, double score) {
    return Write({key}, [&](WriteTxn& txn) { return Add(txn, key, member, score); });
  }
  Status Fill(std::string_view key, uint64_t count, uint64_t scores) {
    return Write({key}, [&](WriteTxn& txn) {
      RecordPtr old;
      (void)txn.GetRecord(0, Key(key), &old);
      ZsetWriter writer(txn, count);
      for (uint64_t i = 0; i < count; ++i) {
        const Status status = writer.Add(static_cast<double>(i % scores), "member:" + std::to_string(i));
        if (status != Status::kOk) return status;
      }
      return writer.Finish(0, Key(key), Encoding::kSkiplist, kNoExpire);
    });
  }

  // Runs `read(view, record)`; asked for locks, in a group that holds the key's, as the server does.
  template <typename Read>
  Status ReadKey(std::string_view key, Read&& read) {
    {
      ReadView view(*storage_, now_ms_, ReadTier::kDisk);
      RecordPtr record;
      Status status = ZsetStore::Find(view, 0, Key(key), &record);
      if (status != Status::kOk) return status;
      status = read(static_cast<ReadView&>(view), *record);
      if (status != Status::kNeedLocks) return status;
      ++needed_locks_;
    }
    return Write({key}, [&](WriteTxn& txn) {
      RecordPtr record;
      const Status status = ZsetStore::Find(txn, 0, Key(key), &record);
      return status != Status::kOk ? status : read(static_cast<ReadView&>(txn), *record);
    });
  }

  static Status Collect(ReadView& view, const Record& record, const ZsetRange& range, ScanOrder order, uint64_t offset,
                        uint64_t limit, Entries* entries) {
    return ZsetStore::Visit(view, record, range, order, offset, limit, [&](double score, std::string_view member) {
      entries->emplace_back(score, member);
      return true;
    });
  }

  // Everything that can be asked about one sorted set.
  void Check(ReadView& view, const HashedKey& key, const Model& model) {
    RecordPtr record;
    const Status found = ZsetStore::Find(view, 0, key, &record);
    ASSERT_EQ(found == Status::kOk, !model.empty()) << StatusName(found);
    if (model.empty()) return;
    const Entries entries = InOrder(model);
    ASSERT_EQ(ZsetStore::Count(*record), entries.size());
    Entries read;
    ASSERT_EQ(Collect(view, *record, ZsetRange::Ranks(0, UINT64_MAX), ScanOrder::kForward, 0, UINT64_MAX, &read),
              Status::kOk);
    ASSERT_TRUE(read == entries);
    Model by_hash;
    ASSERT_EQ(ZsetStore::ForEach(view, *record,
                                 [&](double score, std::string_view member) {
                                   EXPECT_TRUE(by_hash.emplace(member, score).second);
                                   return true;
                                 }),
              Status::kOk);
    ASSERT_TRUE(by_hash == model);
    for (int i = 0; i < 8; ++i) CheckSome(view, *record, entries);
  }

  void CheckSome(ReadView& view, const Record& record, const Entries& entries) {
    const uint64_t size = entries.size();
    const uint64_t at = Below(size);
    uint64_t rank = 0, count = 0;
    double score = 0;
    Status status = ZsetStore::Rank(view, record, entries[at].second, &rank, &score);
    if (status == Status::kNeedLocks) {
      ++needed_locks_;
      return;
    }
    ASSERT_EQ(status, Status::kOk) << StatusName(status);
    ASSERT_EQ(rank, at);
    ASSERT_EQ(score, entries[at].first);
    ASSERT_EQ(ZsetStore::Rank(view, record, "no such member", &rank, &score), Status::kNotFound);

    const ScanOrder order = Below(2) == 0 ? ScanOrder::kForward : ScanOrder::kBackward;
    ZsetRange range = ZsetRange::Ranks(at, at + Below(40));
    size_t first = at, end = std::min<size_t>(range.last + 1, size);
    if (Below(2) == 0) {
      range = ZsetRange::Scores(entries[at].first, entries[Below(size)].first);
      range.min_open = Below(3) == 0;
      range.max_open = Below(3) == 0;
      const auto below = [&](const auto& entry) {
        return range.min_open ? entry.first <= range.min : entry.first < range.min;
      };
      const auto within = [&](const auto& entry) {
        return range.max_open ? entry.first < range.max : entry.first <= range.max;
      };
      first = static_cast<size_t>(std::partition_point(entries.begin(), entries.end(), below) - entries.begin());
      end = static_cast<size_t>(std::partition_point(entries.begin(), entries.end(), within) - entries.begin());
      end = std::max(first, end);
    }
    status = ZsetStore::CountIn(view, record, range, &count);
    if (status == Status::kNeedLocks) return;
    ASSERT_EQ(status, Status::kOk);
    ASSERT_EQ(count, end - first);
    const uint64_t offset = Below(3) == 0 ? Below(end - first + 2) : 0;
    const uint64_t limit = Below(3) == 0 ? Below(30) : UINT64_MAX;
    Entries expected(entries.begin() + static_cast<ptrdiff_t>(first), entries.begin() + static_cast<ptrdiff_t>(end));
    if (order == ScanOrder::kBackward) std::reverse(expected.begin(), expected.end());
    expected.erase(expected.begin(),
                   expected.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(offset, expected.size())));
    if (expected.size() > limit) expected.resize(limit);
    Entries read;
    status = Collect(view, record, range, order, offset, limit, &read);
    if (status == Status::kNeedLocks) return;
    ASSERT_EQ(status, Status::kOk);
    ASSERT_TRUE(read == expected);
  }

  std::mt19937_64 random_{1};
  uint64_t needed_locks_ = 0;
};

// ---- the model ----

class ZsetModelTest : public ZsetStoreTest {
 protected:
  static constexpr int kKeys = 4;

  std::string SomeKey() { return "z" + std::to_string(Below(kKeys)); }
  // Small sorted sets and large ones, with few scores (members decide) and many.
  std::string SomeMember(const std::string& key) {
    const uint64_t members = key == "z0" ? 12 : key == "z1" ? 120 : 6000;
    std::string member = "m" + std::to_string(Below(members));
    if (Below(5) == 0) member = std::string(1, static_cast<char>(Below(256))) + member;
    if (Below(50) == 0) member.append(200, 'x');
    return member;
  }
  double SomeScore() {
    switch (Below(8)) {
      case 0:
        return 0;
      case 1:
        return std::numeric_limits<double>::infinity() * (Below(2) == 0 ? 1 : -1);
      case 2:
        return static_cast<double>(Below(1000000)) / 7 - 70000;
      case 3:
        return ++rising_;
      default:
        return static_cast<double>(Below(40)) - 20;
    }
  }

  // One verb in a group; the model is changed with it.
  Status Verb(WriteTxn& txn, const std::string& key, Model* model) {
    const uint64_t verb = Below(20);
    if (verb < 8) {
      ZsetStore::AddItem items[60];
      std::vector<std::string> members;
      const uint64_t count = Below(4) == 0 ? 1 + Below(60) : 1;
      for (uint64_t i = 0; i < count; ++i) members.push_back(SomeMember(key));
      for (uint64_t i = 0; i < count; ++i) items[i] = {SomeScore(), members[i]};
      ZsetStore::AddOptions options;
      if (Below(5) == 0) options.nx = true;
      if (Below(5) == 0 && !options.nx) options.xx = true;
      if (Below(5) == 0 && !options.nx) options.gt = true;
      ZsetStore::AddOutcome outcome;
      const Status status = ZsetStore::Add(txn, 0, Key(key), {items, count}, options, kLimits, &outcome);
      uint64_t added = 0, updated = 0;
      for (uint64_t i = 0; i < count; ++i) {
        const auto found = model->find(members[i]);
        if (found == model->end()) {
          if (options.xx) continue;
          (*model)[members[i]] = items[i].score;
          ++added;
        } else if (!options.nx && !(options.gt && items[i].score <= found->second) && found->second != items[i].score) {
          found->second = items[i].score;
          ++updated;
        }
      }
      EXPECT_EQ(outcome.added, added);
      EXPECT_EQ(outcome.updated, updated);
      return status;
    }
    const Entries entries = InOrder(*model);
    uint64_t removed = 0;
    if (verb < 13) {
      std::vector<std::string> members;
      for (uint64_t i = 0; i < 1 + Below(20); ++i) {
        members.push_back(!entries.empty() && Below(4) != 0
                              ? entries[Below(std::min<size_t>(entries.size(), Below(2) == 0 ? 5 : 100000))].second
                              : SomeMember(key));
      }
      std::vector<std::string_view> views(members.begin(), members.end());
      const Status status = ZsetStore::Remove(txn, 0, Key(key), views, &removed);
      uint64_t expected = 0;
      for (const std::string& member : members) expected += model->erase(member);
      EXPECT_EQ(removed, expected);
      return status == Status::kNotFound ? Status::kOk : status;
    }
    const ScanOrder order = Below(2) == 0 ? ScanOrder::kForward : ScanOrder::kBackward;
    ZsetRange range = ZsetRange::Ranks(0, Below(8) == 0 ? Below(600) : Below(4));
    if (verb < 16 && !entries.empty()) {
      const uint64_t end = entries.size() - 1;
      range = ZsetRange::Ranks(end - std::min<uint64_t>(end, Below(8) == 0 ? Below(600) : Below(4)), end);
    } else if (verb < 18 && !entries.empty()) {
      const uint64_t at = Below(entries.size());
      range = ZsetRange::Ranks(at, at + Below(300));
    } else if (verb == 18) {
      range = ZsetRange::Scores(SomeScore(), SomeScore());
    } else if (!entries.empty() && Below(6) == 0) {
      range = ZsetRange::Ranks(Below(2) == 0 ? 0 : Below(3), entries.size() - 1 - Below(3));
    }
    Entries visited, expected;
    const auto visit = [&](double score, std::string_view member) {
      visited.emplace_back(score, member);
      return true;
    };
    const MemberVisitor visitor(visit);
    const Status status = ZsetStore::RemoveRange(txn, 0, Key(key), range, order, &visitor, &removed);
    for (size_t i = 0; i < entries.size(); ++i) {
      const bool in = range.by == ZsetRange::By::kRank ? i >= range.first && i <= range.last
                                                       : entries[i].first >= range.min && entries[i].first <= range.max;
      if (in) expected.push_back(entries[i]);
    }
    for (const auto& [score, member] : expected) model->erase(member);
    if (order == ScanOrder::kBackward) std::reverse(expected.begin(), expected.end());
    EXPECT_TRUE(visited == expected);
    EXPECT_EQ(removed, expected.size());
    return status == Status::kNotFound ? Status::kOk : status;
  }

  // Several commands in one group, some rolled back, read inside; kept or dropped.
  void Group() {
    const auto saved = models_;
    WriteTxn txn(*storage_);
    for (uint64_t n = 1 + Below(8); n > 0; --n) {
      const std::string key = SomeKey();
      const HashedKey hashed = Key(key);
      ASSERT_EQ(txn.LockKeys({&hashed, 1}), Status::kOk);
      txn.BeginCommand(now_ms_, ReadTier::kDisk);
      Model changed = models_[key];
      const Status status = Verb(txn, key, &changed);
      ASSERT_EQ(status, Status::kOk) << StatusName(status);
      if (Below(3) == 0) {
        txn.RollbackCommand();
      } else {
        txn.EndCommand();
        models_[key] = std::move(changed);
      }
      if (Below(4) == 0) Check(txn, hashed, models_[key]);
      if (HasFatalFailure()) return;
    }
    if (Below(5) == 0) {
      txn.Abort();
      models_ = saved;
      return;
    }
    uint64_t sequence = 0;
    ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  }

  void CheckAll() {
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = "z" + std::to_string(i);
      {
        ReadView view(*storage_, now_ms_, ReadTier::kDisk);
        Check(view, Key(key), models_[key]);
      }
      if (HasFatalFailure()) return;
      ASSERT_EQ(Write({key},
                      [&](WriteTxn& txn) {
                        Check(txn, Key(key), models_[key]);
                        return Status::kOk;
                      }),
                Status::kOk);
      if (HasFatalFailure()) return;
    }
  }

  void Rare() {
    switch (Below(7)) {
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
        storage_->impl().ranks.Clear();
        break;
      case 4:
        storage_->impl().ranks.SetBudget(Below(2) == 0 ? 0 : 1 << 20);
        break;
      case 5: {
        const std::string from = SomeKey(), to = SomeKey();
        if (from == to || models_[from].empty()) break;
        ASSERT_EQ(Below(2) == 0 ? Copy(from, to) : Rename(from, to), Status::kOk);
        models_[to] = models_[from];
        RecordPtr record;
        ReadView view(*storage_, now_ms_, ReadTier::kDisk);
        if (ZsetStore::Find(view, 0, Key(from), &record) == Status::kNotFound) models_[from].clear();
        break;
      }
      case 6: {
        const std::string key = SomeKey();
        if (models_[key].empty()) break;
        now_ms_ += 10;
        ASSERT_EQ(Expire(key, now_ms_ + 5), Status::kOk);
        now_ms_ += 5;
        models_[key].clear();
        break;
      }
    }
    while (storage_->RunGarbageCycle(1000) != 0) {
    }
  }

  std::map<std::string, Model> models_;
  double rising_ = 1000;
};

TEST_F(ZsetModelTest, RandomVerbsAgreeWithMap) {
  const char* given = std::getenv("BASALT_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("BASALT_SEED=" + std::to_string(seed));
  random_.seed(seed);
  for (const char* key : {"z2", "z3"}) {
    ASSERT_EQ(Fill(key, 3000, key[1] == '2' ? 7 : 3000), Status::kOk);
    for (int i = 0; i < 3000; ++i) {
      models_[key]["member:" + std::to_string(i)] = static_cast<double>(i % (key[1] == '2' ? 7 : 3000));
    }
  }
  const int steps =
      given != nullptr && std::getenv("BASALT_STEPS") != nullptr ? std::atoi(std::getenv("BASALT_STEPS")) : 1200;
  for (int i = 0; i < steps; ++i) {
    Below(60) == 0 ? Rare() : Group();
    if (HasFatalFailure()) FAIL() << "step " << i;
    if (i % 100 == 99) CheckAll();
    if (HasFatalFailure()) FAIL() << "check after step " << i;
  }
}

// ---- single properties ----

TEST_F(ZsetStoreTest, NegativeZeroIsZeroToTheOrderAndComesBack) {
  const auto keep = [&](std::string_view key, std::string_view member, double score, ZsetLimits limits) {
    return Write({key}, [&](WriteTxn& txn) {
      ZsetStore::AddOutcome outcome;
      const ZsetStore::AddItem item{score, member};
      return ZsetStore::Add(txn, 0, Key(key), {&item, 1}, {}, limits, &outcome);
    });
  };
  const std::string long_tail(2000, 'x');
  for (const bool rows : {false, true}) {
    const std::string key = rows ? "rows" : "packed";
    const ZsetLimits limits{.listpack_entries_max = 0};
    ASSERT_EQ(keep(key, "b", -0.0, limits), Status::kOk);
    ASSERT_EQ(keep(key, "a", 0.0, limits), Status::kOk);
    ASSERT_EQ(keep(key, "c", 0.0, limits), Status::kOk);
    if (rows) {
      ASSERT_EQ(keep(key, long_tail, 1, limits), Status::kOk);
    }
    const Status status = ReadKey(key, [&](ReadView& view, const Record& record) {
      Entries entries;
      const Status visited =
          Collect(view, record, ZsetRange::Scores(-0.0, 0.0), ScanOrder::kForward, 0, UINT64_MAX, &entries);
      EXPECT_EQ(entries.size(), 3u);
      EXPECT_EQ(entries[0].second, "a");
      EXPECT_EQ(entries[1].second, "b");
      EXPECT_TRUE(std::signbit(entries[1].first));
      double score = 1;
      EXPECT_EQ(ZsetStore::Score(view, record, "b", &score), Status::kOk);
      EXPECT_TRUE(score == 0 && std::signbit(score));
      return visited;
    });
    ASSERT_EQ(status, Status::kOk);
  }
  // A listpack has it as the integer 0.
  ASSERT_EQ(keep("listpack", "b", -0.0, {}), Status::kOk);
  ASSERT_EQ(ReadKey("listpack",
                    [&](ReadView& view, const Record& record) {
                      double score = 1;
                      const Status status = ZsetStore::Score(view, record, "b", &score);
                      EXPECT_FALSE(std::signbit(score));
                      return status;
                    }),
            Status::kOk);
}

// A queue: what was popped is never walked over again. Without the floor, this takes time that grows with its square.
TEST_F(ZsetStoreTest, PoppingDoesNotWalkOverWhatWasPopped) {
  constexpr uint64_t kMembers = 30000;
  ASSERT_EQ(Fill("queue", kMembers, kMembers), Status::kOk);
  for (const bool from_start : {true, false}) {
    for (uint64_t i = 0; i < kMembers / 2 - 10; ++i) {
      uint64_t removed = 0;
      ASSERT_EQ(Write({"queue"},
                      [&](WriteTxn& txn) {
                        RecordPtr record;
                        const Status status = txn.GetRecord(0, Key("queue"), &record);
                        if (status != Status::kOk) return status;
                        const uint64_t last = ZsetStore::Count(*record) - 1;
                        const ZsetRange range = from_start ? ZsetRange::Ranks(0, 0) : ZsetRange::Ranks(last, last);
                        return ZsetStore::RemoveRange(txn, 0, Key("queue"), range, ScanOrder::kForward, nullptr,
                                                      &removed);
                      }),
                Status::kOk);
      ASSERT_EQ(removed, 1u);
    }
  }
  Entries entries;
  ASSERT_EQ(ReadKey("queue",
                    [&](ReadView& view, const Record& record) {
                      return Collect(view, record, ZsetRange::Ranks(0, 100), ScanOrder::kForward, 0, UINT64_MAX,
                                     &entries);
                    }),
            Status::kOk);
  ASSERT_EQ(entries.size(), 20u);
  EXPECT_EQ(entries.front().first, kMembers / 2 - 10);
}

// Removal of most of a large one writes those that stay anew, of few removes them one by one; the ranks agree.
TEST_F(ZsetStoreTest, LargeRemovalsKeepRanks) {
  constexpr uint64_t kMembers = 40000;
  for (const auto& [first, last] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 9999}, {10000, 19999}, {5, 39990}, {100, 25099}, {0, kMembers - 1}, {35000, 39999}, {17, 150}}) {
    ASSERT_EQ(Fill("z", kMembers, 1000), Status::kOk);
    Model model;
    for (uint64_t i = 0; i < kMembers; ++i) model["member:" + std::to_string(i)] = static_cast<double>(i % 1000);
    const Entries entries = InOrder(model);
    uint64_t removed = 0;
    ASSERT_EQ(Write({"z"},
                    [&](WriteTxn& txn) {
                      return ZsetStore::RemoveRange(txn, 0, Key("z"), ZsetRange::Ranks(first, last),
                                                    ScanOrder::kForward, nullptr, &removed);
                    }),
              Status::kOk);
    ASSERT_EQ(removed, last - first + 1);
    for (uint64_t i = first; i <= last; ++i) model.erase(entries[i].second);
    ASSERT_EQ(Write({"z"},
                    [&](WriteTxn& txn) {
                      Check(txn, Key("z"), model);
                      return Status::kOk;
                    }),
              Status::kOk);
    if (HasFatalFailure()) FAIL() << first << ".." << last;
    while (storage_->RunGarbageCycle(100000) != 0) {
    }
  }
}

// A command that fails takes back its own steps of the tree, and not those of its neighbours in the group.
TEST_F(ZsetStoreTest, RollbackKeepsTheTree) {
  ASSERT_EQ(Fill("z", 5000, 5000), Status::kOk);
  RankIndex& ranks = storage_->impl().ranks;
  ASSERT_EQ(Add("z", "first", -1), Status::kOk);
  ASSERT_EQ(ranks.trees(), 1u);
  WriteTxn txn(*storage_);
  const HashedKey keys[] = {Key("z"), Key("other")};
  ASSERT_EQ(txn.LockKeys(keys), Status::kOk);
  for (int i = 0; i < 600; ++i) {
    txn.BeginCommand(now_ms_, ReadTier::kDisk);
    ASSERT_EQ(Add(txn, "z", "kept" + std::to_string(i), 2500.5), Status::kOk);
    txn.EndCommand();
    txn.BeginCommand(now_ms_, ReadTier::kDisk);
    ASSERT_EQ(Add(txn, "z", "dropped" + std::to_string(i), 2500.5), Status::kOk);
    txn.RollbackCommand();
  }
  ASSERT_EQ(ranks.trees(), 1u);
  uint64_t sequence = 0;
  ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  RecordPtr record;
  ASSERT_EQ(ZsetStore::Find(view, 0, Key("z"), &record), Status::kOk);
  uint64_t rank = 0;
  double score = 0;
  ASSERT_EQ(ZsetStore::Rank(view, *record, "member:2501", &rank, &score), Status::kOk);
  EXPECT_EQ(rank, 2501u + 1 + 600);
}

// A tree that was loaded among pending writes of others and then left as it was is not older than its rows.
TEST_F(ZsetStoreTest, TreeOfAGroupThatTakesItsChangesBackIsNotForOlderSnapshots) {
  ASSERT_EQ(Fill("z", 5000, 5000), Status::kOk);
  ReadView older(*storage_, now_ms_, ReadTier::kDisk);
  older.RequireSnapshot();
  RecordPtr record;
  ASSERT_EQ(ZsetStore::Find(older, 0, Key("z"), &record), Status::kOk);
  ASSERT_EQ(Add("z", "first", -1), Status::kOk);
  storage_->impl().ranks.Clear();
  WriteTxn txn(*storage_);
  const HashedKey keys[] = {Key("z"), Key("other")};
  ASSERT_EQ(txn.LockKeys(keys), Status::kOk);
  txn.BeginCommand(now_ms_, ReadTier::kDisk);
  RecordPtr other;
  ASSERT_EQ(txn.GetRecord(0, keys[1], &other), Status::kNotFound);
  ASSERT_EQ(StringStore::Set(txn, 0, keys[1], "1", kNoExpire), Status::kOk);
  txn.EndCommand();
  txn.BeginCommand(now_ms_, ReadTier::kDisk);
  ASSERT_EQ(Add(txn, "z", "dropped", 2500.5), Status::kOk);
  txn.RollbackCommand();
  uint64_t rank = 0;
  double score = 0;
  EXPECT_EQ(ZsetStore::Rank(older, *record, "member:2501", &rank, &score), Status::kNeedLocks);
}

// A reader's answer is of one moment: its snapshot, or the lock. Writers add and remove in pairs, so the rank of the
// last is always the number of members less one.
TEST_F(ZsetStoreTest, ReadersSeeOneMomentWhileOthersWrite) {
  ASSERT_EQ(Fill("z", 4000, 4000), Status::kOk);
  ASSERT_EQ(Add("z", "last", 1e9), Status::kOk);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> wrong{0}, answered{0}, bounced{0}, failed{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        ReadView view(*storage_, now_ms_, ReadTier::kDisk);
        RecordPtr record;
        if (ZsetStore::Find(view, 0, Key("z"), &record) != Status::kOk) {
          ++failed;
          continue;
        }
        uint64_t rank = 0, count = 0;
        double score = 0;
        Status status = ZsetStore::Rank(view, *record, "last", &rank, &score);
        if (status == Status::kOk) status = ZsetStore::CountIn(view, *record, ZsetRange::Scores(0, 1e8), &count);
        if (status == Status::kNeedLocks) {
          ++bounced;
          continue;
        }
        failed += status != Status::kOk;
        wrong += rank != ZsetStore::Count(*record) - 1 || rank != count;
        ++answered;
      }
    });
  }
  for (int i = 0; i < 3000; ++i) {
    const std::string member = "x" + std::to_string(i % 50);
    ASSERT_EQ(Write({"z"},
                    [&](WriteTxn& txn) {
                      if (i % 100 < 50) return Add(txn, "z", member, 17 * (i % 50));
                      const std::string_view view = member;
                      uint64_t removed = 0;
                      return ZsetStore::Remove(txn, 0, Key("z"), {&view, 1}, &removed);
                    }),
              Status::kOk);
    if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(failed, 0u);
  EXPECT_GT(answered, 0u);
}

TEST_F(ZsetStoreTest, UnionsOfLargeSetsAreStreamed) {
  ASSERT_EQ(Fill("a", 9000, 100), Status::kOk);
  ASSERT_EQ(Fill("b", 6000, 100), Status::kOk);
  using Operation = ZsetAlgebra::Operation;
  for (const Operation operation : {Operation::kUnite, Operation::kIntersect, Operation::kSubtract}) {
    Model model;
    for (uint64_t i = 0; i < 9000; ++i) {
      const bool both = i < 6000;
      const double score = static_cast<double>(i % 100);
      if (operation == Operation::kUnite) model["member:" + std::to_string(i)] = both ? 3 * score : score;
      if (operation == Operation::kIntersect && both) model["member:" + std::to_string(i)] = 3 * score;
      if (operation == Operation::kSubtract && !both) model["member:" + std::to_string(i)] = score;
    }
    ASSERT_EQ(Write({"a", "b", "result"},
                    [&](WriteTxn& txn) {
                      ZsetInput inputs[2];
                      inputs[1].weight = 2;
                      Status status = ZsetStore::Find(txn, 0, Key("a"), &inputs[0].record);
                      if (status == Status::kOk) status = ZsetStore::Find(txn, 0, Key("b"), &inputs[1].record);
                      uint64_t count = 0;
                      if (status == Status::kOk) {
                        status = ZsetAlgebra::Store(operation, ZsetAlgebra::Aggregate::kSum, txn, 0, Key("result"),
                                                    inputs, kLimits, &count);
                      }
                      EXPECT_EQ(count, model.size());
                      return status;
                    }),
              Status::kOk);
    ASSERT_EQ(Write({"result"},
                    [&](WriteTxn& txn) {
                      Check(txn, Key("result"), model);
                      return Status::kOk;
                    }),
              Status::kOk);
  }
}

TEST(CountedTreeTest, AgreesWithAMap) {
  std::mt19937_64 random(7);
  CountedTree tree;
  std::map<std::string, uint64_t> model;
  tree.Insert("", 3);
  model[""] = 3;
  for (int i = 0; i < 20000; ++i) {
    const std::string at = std::to_string(random() % 5000 + 1);
    const auto bucket = std::prev(model.upper_bound(at));
    switch (random() % 4) {
      case 0:
      case 1:
        if (model.contains(at)) break;
        model[at] = random() % 300;
        tree.Insert(at, model[at]);
        break;
      case 2:
        bucket->second += 5;
        tree.Add(at, 5);
        break;
      case 3:
        if (!model.contains(at)) break;
        model.erase(at);
        tree.Erase(at);
        break;
    }
    if (i % 50 != 0) continue;
    ASSERT_EQ(tree.buckets(), model.size());
    uint64_t before = 0;
    for (auto each = model.begin(); each != model.end(); ++each) {
      const CountedTree::Bucket found = tree.Find(each->first);
      ASSERT_EQ(found.bound, each->first);
      ASSERT_EQ(found.before, before);
      ASSERT_EQ(found.count, each->second);
      const std::string next = std::next(each) == model.end() ? "" : std::next(each)->first;
      ASSERT_EQ(found.next, next);
      if (each->second != 0) {
        ASSERT_EQ(tree.FindRank(before).bound, each->first);
        ASSERT_EQ(tree.FindRank(before + each->second - 1).bound, each->first);
      }
      before += each->second;
    }
    ASSERT_EQ(tree.total(), before);
  }
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  char digits[4];
  for (const char c : bytes) {
    std::snprintf(digits, sizeof(digits), "%02x", static_cast<uint8_t>(c));
    if (!hex.empty()) hex += ' ';
    hex += digits;
  }
  return hex;
}

// The examples of FORMAT.md.
TEST(ZsetKeysTest, FormatIsAsWritten) {
  const ZsetEntry entry{1, "a"};
  EXPECT_EQ(Hex(PackedZset::Pack({ValueType::kZset, Encoding::kListpack, kNoExpire, 0}, &entry, 1)->stored()),
            "01 05 03 01 bf f0 00 00 00 00 00 00 01 61");
  KeyBuffer position;
  EncodePosition(1, "a", &position);
  ZsetRowsHeader header;
  header.count = 2000;
  header.ranked = true;
  header.floor = position.view();
  const RecordPtr record = Record::Make({ValueType::kZset, Encoding::kSkiplist, kNoExpire, 258}, header.Payload());
  EXPECT_EQ(Hex(record->stored()),
            "01 25 07 00 00 00 00 00 00 01 02 00 00 00 00 00 00 07 d0 01 09 bf f0 00 00 00 00 00 00 61 00");
  KeyBuffer key;
  EncodePosition(2, "b", &position);
  EncodeScoreKey(258, ScoreTag::kMember, position.view(), &key);
  EXPECT_EQ(Hex(key.view()), "00 00 00 00 00 00 01 02 53 c0 00 00 00 00 00 00 00 62");
  EncodeScoreKey(258, ScoreTag::kBucket, position.view().substr(0, 1), &key);
  EXPECT_EQ(Hex(key.view()), "00 00 00 00 00 00 01 02 52 c0");
}

TEST(ZsetKeysTest, PositionsSortAsScoresDo) {
  const double inf = std::numeric_limits<double>::infinity();
  const double scores[] = {-inf, -1e300, -2, -1.5, -1e-300, -5e-324, 0, 5e-324, 1e-300, 1, 1.5, 2, 1e300, inf};
  std::string last;
  for (const double score : scores) {
    for (const std::string_view member : {"", "a", "b\xff"}) {
      KeyBuffer position;
      EncodePosition(score, member, &position);
      EXPECT_LT(last, position.view());
      last = position.view();
      const auto parsed = ParsePosition(last);
      ASSERT_TRUE(parsed);
      EXPECT_EQ(parsed->score, score);
      EXPECT_EQ(parsed->member, member);
    }
    EXPECT_EQ(ScoreOf(OrderedScore(score)), score);
  }
  EXPECT_TRUE(std::signbit(ScoreOf(OrderedScore(-0.0))));
  EXPECT_FALSE(ParsePosition("1234567"));
  EXPECT_EQ(ShortestBound("abc", "abd"), "abd");
  EXPECT_EQ(ShortestBound("ab", "abcd"), "abc");
  EXPECT_EQ(ShortestBound("", "abcd"), "a");
}

}  // namespace
}  // namespace basalt::storage
