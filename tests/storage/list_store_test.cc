// Lists: random verbs against std::deque, packed and with rows, in commit groups with rollbacks, across reopening and
// expiry. Prints its seed when it fails; BASALT_SEED (and BASALT_STEPS) run one again.

#include "storage/list_store.h"

#include <deque>
#include <map>
#include <random>

#include "storage/collection.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

using Elements = std::deque<std::string>;

struct ModelList {
  Elements elements;
  int64_t expire_ms = kNoExpire;
};

class ListStoreTest : public StorageTest {
 protected:
  static std::vector<std::string_view> Views(const std::vector<std::string>& elements) {
    return {elements.begin(), elements.end()};
  }
  Status Push(std::string_view key, ListEnd end, const std::vector<std::string>& elements, uint64_t* length = nullptr) {
    uint64_t ignored = 0;
    return Write({key}, [&](WriteTxn& txn) {
      return ListStore::Push(txn, 0, Key(key), end, ListStore::IfAbsent::kCreate, Views(elements), limits_,
                             length != nullptr ? length : &ignored);
    });
  }
  void PushNumbers(std::string_view key, uint64_t first, uint64_t count) {
    std::vector<std::string> elements;
    for (uint64_t i = 0; i < count; ++i) elements.push_back("e" + std::to_string(first + i));
    ASSERT_EQ(Push(key, ListEnd::kTail, elements), Status::kOk);
  }

  static Status Read(ReadView& view, const HashedKey& key, Elements* elements) {
    List list;
    const Status status = ListStore::Find(view, 0, key, &list);
    if (status != Status::kOk) return status;
    elements->clear();
    return ListStore::ForEach(view, list, 0, list.count, ScanOrder::kForward, [&](std::string_view element) {
      elements->emplace_back(element);
      return true;
    });
  }
  Elements Contents(std::string_view key) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    Elements elements;
    const Status status = Read(view, Key(key), &elements);
    EXPECT_TRUE(status == Status::kOk || status == Status::kNotFound) << StatusName(status);
    return elements;
  }
  List Header(std::string_view key) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    List list;
    EXPECT_EQ(ListStore::Find(view, 0, Key(key), &list), Status::kOk);
    return list;
  }

  void CheckInvariants(std::string_view key) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    CheckInvariants(view, Key(key));
  }
  // What must be true of every list: what it says about itself, and no row that is not an element.
  void CheckInvariants(ReadView& view, const HashedKey& key) {
    List list;
    ASSERT_EQ(ListStore::Find(view, 0, key, &list), Status::kOk);
    uint64_t bytes = kListpackEmptyBytes;
    ASSERT_EQ(ListStore::ForEach(view, list, 0, list.count, ScanOrder::kForward,
                                 [&](std::string_view element) {
                                   bytes += ListpackEntryBytes(element);
                                   return true;
                                 }),
              Status::kOk);
    if (list.packed()) {
      ASSERT_LE(list.record->payload().size(), kPackedBytesMax);
      ASSERT_LE(bytes, kListpackEmptyBytes + kListpackPerPackedMax * list.elements.size());
      return;
    }
    if (list.listpack.exact) {
      ASSERT_EQ(list.listpack.bytes, bytes);
    } else {
      ASSERT_LE(list.listpack.bytes, bytes);
    }
    KeyBuffer lower;
    KeyBuffer upper;
    EncodeObjectBound(list.object_id, &lower);
    EncodeObjectBound(list.object_id + 1, &upper);
    uint64_t rows = 0;
    ASSERT_EQ(ScanRows(view, RowFamily::kData, lower.view(), upper.view(),
                       [&](std::string_view, std::string_view) { return ++rows, true; }),
              Status::kOk);
    ASSERT_EQ(rows, list.count);
  }

  ListLimits limits_{-2};
};

// ---- random verbs ----

class ListModelTest : public ListStoreTest {
 protected:
  static constexpr int kKeys = 5;

  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }
  std::string SomeKey() { return "list:" + std::to_string(Below(kKeys)); }
  ListEnd SomeEnd() { return Below(2) == 0 ? ListEnd::kHead : ListEnd::kTail; }
  std::string SomeElement() {
    switch (Below(12)) {
      case 0:
        return "";
      case 1:
        return std::to_string(static_cast<int64_t>(Below(1u << 20)) - (1 << 19));
      case 2:
        return std::string(Below(300), 'x');
      case 3:
        return Below(30) == 0 ? std::string(Below(70'000), 'y') : "y";
      default:
        return std::string(1, static_cast<char>('a' + Below(6)));
    }
  }
  std::vector<std::string> SomeElements() {
    std::vector<std::string> elements(1 + Below(Below(8) == 0 ? 40 : 4));
    for (std::string& element : elements) element = SomeElement();
    return elements;
  }

  ModelList* Live(const std::string& key) {
    const auto found = model_.find(key);
    if (found == model_.end()) return nullptr;
    if (found->second.expire_ms == kNoExpire || found->second.expire_ms > now_ms_) return &found->second;
    model_.erase(found);
    return nullptr;
  }
  void Tidy(const std::string& key) {
    const auto found = model_.find(key);
    if (found != model_.end() && found->second.elements.empty()) model_.erase(found);
  }

  // One verb of the store, and the same on the model. REQUIRES: the keys are locked.
  void Verb(WriteTxn& txn, const std::string& name, const std::string& other) {
    const HashedKey key = Key(name);
    ModelList* const live = Live(name);
    const Status found = live != nullptr ? Status::kOk : Status::kNotFound;
    switch (Below(10)) {
      case 0:
      case 1:
      case 2: {
        const std::vector<std::string> elements = SomeElements();
        const ListEnd end = SomeEnd();
        uint64_t length = 0;
        ASSERT_EQ(ListStore::Push(txn, 0, key, end, ListStore::IfAbsent::kCreate, Views(elements), limits_, &length),
                  Status::kOk);
        Elements& all = model_[name].elements;
        for (const std::string& each : elements) end == ListEnd::kHead ? all.push_front(each) : all.push_back(each);
        ASSERT_EQ(length, all.size());
        break;
      }
      case 3: {
        const ListEnd end = SomeEnd();
        const uint64_t count = 1 + Below(Below(4) == 0 ? 60 : 3);
        List list;
        ASSERT_EQ(ListStore::Find(txn, 0, key, &list), found);
        if (live == nullptr) break;
        std::vector<std::string> popped;
        ASSERT_EQ(ListStore::Pop(txn, 0, key, list, end, count, limits_,
                                 [&](std::string_view each) { return popped.emplace_back(each), true; }),
                  Status::kOk);
        ASSERT_EQ(popped.size(), std::min<uint64_t>(count, live->elements.size()));
        for (const std::string& each : popped) {
          ASSERT_EQ(each, end == ListEnd::kHead ? live->elements.front() : live->elements.back());
          end == ListEnd::kHead ? live->elements.pop_front() : live->elements.pop_back();
        }
        break;
      }
      case 4: {
        List list;
        ASSERT_EQ(ListStore::Find(txn, 0, key, &list), found);
        if (live == nullptr) break;
        const uint64_t first = Below(Below(3) == 0 ? list.count : std::min<uint64_t>(list.count, 4));
        const uint64_t count = Below(3) == 0 ? Below(list.count - first + 1) : list.count - first;
        ASSERT_EQ(ListStore::Trim(txn, 0, key, list, first, count, limits_), Status::kOk);
        Elements& all = live->elements;
        all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(first));
        all.resize(count);
        break;
      }
      case 5: {
        List list;
        ASSERT_EQ(ListStore::Find(txn, 0, key, &list), found);
        if (live == nullptr) break;
        const uint64_t index = Below(list.count);
        const std::string element = SomeElement();
        ASSERT_EQ(ListStore::Set(txn, 0, key, list, index, element, limits_), Status::kOk);
        live->elements[index] = element;
        break;
      }
      case 6: {
        const std::string pivot = SomeElement();
        const std::string element = SomeElement();
        const bool after = Below(2) == 0;
        int64_t length = 0;
        ASSERT_EQ(ListStore::Insert(txn, 0, key, after ? ListStore::Side::kAfter : ListStore::Side::kBefore, pivot,
                                    element, limits_, &length),
                  found);
        if (live == nullptr) break;
        auto at = std::find(live->elements.begin(), live->elements.end(), pivot);
        if (at == live->elements.end()) {
          ASSERT_EQ(length, -1);
          break;
        }
        live->elements.insert(after ? std::next(at) : at, element);
        ASSERT_EQ(length, static_cast<int64_t>(live->elements.size()));
        break;
      }
      case 7: {
        const std::string element = SomeElement();
        const int64_t count = static_cast<int64_t>(Below(7)) - 3;
        uint64_t removed = 0;
        ASSERT_EQ(ListStore::Remove(txn, 0, key, count, element, limits_, &removed), found);
        if (live == nullptr) break;
        uint64_t left = count == 0 ? UINT64_MAX : static_cast<uint64_t>(std::abs(count));
        uint64_t expected = 0;
        Elements kept;
        Elements all = live->elements;
        if (count < 0) std::reverse(all.begin(), all.end());
        for (const std::string& each : all) {
          if (each == element && left > 0) {
            --left;
            ++expected;
          } else {
            kept.push_back(each);
          }
        }
        if (count < 0) std::reverse(kept.begin(), kept.end());
        ASSERT_EQ(removed, expected);
        live->elements = kept;
        break;
      }
      case 8: {
        const ListEnd from = SomeEnd();
        const ListEnd to = SomeEnd();
        std::string moved;
        ASSERT_EQ(ListStore::Move(txn, 0, key, from, Key(other), to, limits_, &moved), found);
        if (live == nullptr) break;
        const std::string expected = from == ListEnd::kHead ? live->elements.front() : live->elements.back();
        ASSERT_EQ(moved, expected);
        Live(other);  // may have expired
        Elements& target = model_[other].elements;
        Elements& source = model_[name].elements;
        from == ListEnd::kHead ? source.pop_front() : source.pop_back();
        to == ListEnd::kHead ? target.push_front(expected) : target.push_back(expected);
        break;
      }
      case 9: {
        if (Below(3) != 0) break;
        RecordPtr old;
        (void)txn.GetRecord(0, key, &old);
        const std::vector<std::string> elements = SomeElements();
        const int64_t expire = Below(2) == 0 ? kNoExpire : now_ms_ + 1 + static_cast<int64_t>(Below(3000));
        ASSERT_EQ(ListStore::Assign(txn, 0, key, Views(elements), expire, limits_), Status::kOk);
        model_[name] = {{elements.begin(), elements.end()}, expire};
        break;
      }
    }
    Tidy(name);
    Tidy(other);
    Check(txn, name);
    if (!HasFatalFailure()) Check(txn, other);
  }

  void Check(ReadView& view, const std::string& name) {
    ModelList* const live = Live(name);
    Elements elements;
    const Status status = Read(view, Key(name), &elements);
    ASSERT_EQ(status, live != nullptr ? Status::kOk : Status::kNotFound) << name;
    if (live == nullptr) return;
    ASSERT_TRUE(elements == live->elements) << name;
    CheckInvariants(view, Key(name));
  }

  // Ranges both ways, and single elements.
  void CheckReads(const std::string& name) {
    ModelList* const live = Live(name);
    if (live == nullptr) return;
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    List list;
    ASSERT_EQ(ListStore::Find(view, 0, Key(name), &list), Status::kOk);
    ASSERT_EQ(list.count, live->elements.size());
    ASSERT_EQ(list.expire_ms, live->expire_ms);
    const uint64_t index = Below(list.count);
    std::string buffer;
    std::string_view element;
    ASSERT_EQ(ListStore::Get(view, list, index, &buffer, &element), Status::kOk);
    ASSERT_EQ(element, live->elements[index]);
    const uint64_t count = Below(list.count - index + 1);
    for (const ScanOrder order : {ScanOrder::kForward, ScanOrder::kBackward}) {
      uint64_t at = order == ScanOrder::kForward ? index : index + count - 1;
      uint64_t seen = 0;
      ASSERT_EQ(ListStore::ForEach(view, list, index, count, order,
                                   [&](std::string_view each) {
                                     EXPECT_EQ(each, live->elements[at]);
                                     at += order == ScanOrder::kForward ? 1 : -1;
                                     ++seen;
                                     return true;
                                   }),
                Status::kOk);
      ASSERT_EQ(seen, count);
    }
  }

  void Group() {
    const auto saved = model_;
    WriteTxn txn(*storage_);
    for (uint64_t n = 1 + Below(5); n > 0; --n) {
      const std::string name = SomeKey();
      const std::string other = Below(4) == 0 ? name : SomeKey();
      const HashedKey keys[] = {Key(name), Key(other)};
      ASSERT_EQ(txn.LockKeys(keys), Status::kOk);
      const auto before = model_;
      txn.BeginCommand(now_ms_, ReadTier::kDisk);
      Verb(txn, name, other);
      if (HasFatalFailure()) return;
      if (Below(4) == 0) {
        txn.RollbackCommand();
        model_ = before;
        Check(txn, name);
        if (HasFatalFailure()) return;
      } else {
        txn.EndCommand();
      }
    }
    if (Below(6) == 0) {
      txn.Abort();
      model_ = saved;
      return;
    }
    uint64_t sequence = 0;
    ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  }

  void Rare() {
    const std::string key = SomeKey();
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
        ASSERT_EQ(Del(key), Live(key) != nullptr ? Status::kOk : Status::kNotFound);
        model_.erase(key);
        break;
      case 4: {
        const std::string to = SomeKey();
        if (to == key) break;
        ASSERT_EQ(Below(2) == 0 ? Rename(key, to) : Copy(key, to),
                  Live(key) != nullptr ? Status::kOk : Status::kNotFound);
        ModelList* const live = Live(key);
        if (live == nullptr) break;
        ReadView view(*storage_, now_ms_, ReadTier::kDisk);
        RecordPtr record;
        const bool renamed = view.GetRecord(0, Key(key), &record) == Status::kNotFound;
        model_[to] = *live;
        if (renamed) model_.erase(key);
        break;
      }
      case 5: {
        const int64_t expire = now_ms_ + 1 + static_cast<int64_t>(Below(3000));
        ASSERT_EQ(Expire(key, expire), Live(key) != nullptr ? Status::kOk : Status::kNotFound);
        if (ModelList* const live = Live(key)) live->expire_ms = expire;
        break;
      }
      case 6:
        now_ms_ += static_cast<int64_t>(Below(1500));
        break;
    }
  }

  void CheckAll() {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    for (int i = 0; i < kKeys; ++i) {
      Check(view, "list:" + std::to_string(i));
      if (HasFatalFailure()) return;
    }
  }

  std::mt19937_64 random_;
  std::map<std::string, ModelList> model_;
};

TEST_F(ListModelTest, RandomVerbsAgreeWithADeque) {
  const char* given = std::getenv("BASALT_SEED");
  const char* wanted = std::getenv("BASALT_STEPS");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("BASALT_SEED=" + std::to_string(seed));
  random_.seed(seed);
  const int steps = wanted != nullptr ? std::atoi(wanted) : 2500;
  for (int i = 0; i < steps && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("step " + std::to_string(i));
    if (i % 500 == 0) limits_ = ListLimits(std::array{-2, 3, -1, 20, 1, -5}[Below(6)]);
    switch (Below(20)) {
      case 0:
        Rare();
        break;
      case 1:
        storage_->RunGarbageCycle(100);
        break;
      case 2:
      case 3:
        CheckReads(SomeKey());
        break;
      default:
        Group();
    }
    if (!HasFatalFailure() && i % 50 == 49) CheckAll();
  }
  if (!HasFatalFailure()) CheckAll();
}

// ---- what takes many rows ----

TEST_F(ListStoreTest, ALongListIsChangedInTheMiddleInSmallBatches) {
  PushNumbers("k", 0, 10'000);
  const uint64_t id = Header("k").object_id;
  int64_t length = 0;
  const auto insert = [&](std::string_view pivot) {
    return Write({"k"}, [&](WriteTxn& txn) {
      return ListStore::Insert(txn, 0, Key("k"), ListStore::Side::kAfter, pivot, "new", limits_, &length);
    });
  };
  ASSERT_EQ(insert("e100"), Status::kOk);
  EXPECT_EQ(Header("k").object_id, id);  // 101 rows moved
  ASSERT_EQ(insert("e9990"), Status::kOk);
  EXPECT_EQ(Header("k").object_id, id);
  ASSERT_EQ(insert("e5000"), Status::kOk);
  EXPECT_NE(Header("k").object_id, id);  // written anew
  EXPECT_EQ(length, 10'003);
  Elements elements = Contents("k");
  ASSERT_EQ(elements.size(), 10'003u);
  EXPECT_EQ(elements[101], "new");
  EXPECT_EQ(elements[5002], "new");
  EXPECT_EQ(elements[9993], "new");
  EXPECT_EQ(elements[10'002], "e9999");

  uint64_t removed = 0;
  const auto remove = [&](int64_t count, std::string_view element) {
    return Write({"k"},
                 [&](WriteTxn& txn) { return ListStore::Remove(txn, 0, Key("k"), count, element, limits_, &removed); });
  };
  ASSERT_EQ(remove(0, "new"), Status::kOk);
  EXPECT_EQ(removed, 3u);
  elements = Contents("k");
  ASSERT_EQ(elements.size(), 10'000u);
  for (uint64_t i = 0; i < elements.size(); ++i) ASSERT_EQ(elements[i], "e" + std::to_string(i));
  CheckInvariants("k");
}

TEST_F(ListStoreTest, ManyEqualElementsAreRemovedFromEitherEnd) {
  for (const int64_t count : {int64_t{5000}, int64_t{-5000}, int64_t{0}}) {
    std::vector<std::string> elements;
    for (int i = 0; i < 12'000; ++i) elements.push_back(i % 2 == 0 ? "x" : "e" + std::to_string(i));
    ASSERT_EQ(Push("k", ListEnd::kTail, elements), Status::kOk);
    uint64_t removed = 0;
    ASSERT_EQ(
        Write({"k"}, [&](WriteTxn& txn) { return ListStore::Remove(txn, 0, Key("k"), count, "x", limits_, &removed); }),
        Status::kOk);
    EXPECT_EQ(removed, count == 0 ? 6000u : 5000u);
    Elements expected;
    for (int i = 0; i < 12'000; ++i) {
      const bool gone = i % 2 == 0 && (count == 0 || (count > 0 ? i < 10'000 : i >= 2'000));
      if (!gone) expected.push_back(elements[static_cast<size_t>(i)]);
    }
    EXPECT_TRUE(Contents("k") == expected);
    CheckInvariants("k");
    ASSERT_EQ(Del("k"), Status::kOk);
  }
}

TEST_F(ListStoreTest, LongRangesAreTrimmedAndPoppedAndNothingStaysBehind) {
  PushNumbers("k", 0, 9'000);
  const auto trim = [&](uint64_t first, uint64_t count) {
    return Write({"k"}, [&](WriteTxn& txn) {
      List list;
      (void)ListStore::Find(txn, 0, Key("k"), &list);
      return ListStore::Trim(txn, 0, Key("k"), list, first, count, limits_);
    });
  };
  ASSERT_EQ(trim(3000, 4000), Status::kOk);
  EXPECT_FALSE(Header("k").listpack.exact);  // removed unread
  CheckInvariants("k");
  uint64_t popped = 0;
  ASSERT_EQ(Write({"k"},
                  [&](WriteTxn& txn) {
                    List list;
                    (void)ListStore::Find(txn, 0, Key("k"), &list);
                    return ListStore::Pop(
                        txn, 0, Key("k"), list, ListEnd::kTail, 3900, limits_,
                        [&](std::string_view element) { return element == "e" + std::to_string(6999 - popped++); });
                  }),
            Status::kOk);
  EXPECT_EQ(popped, 3900u);
  const Elements left = Contents("k");
  ASSERT_EQ(left.size(), 100u);
  EXPECT_EQ(left.front(), "e3000");
  EXPECT_EQ(left.back(), "e3099");
  // Counted again, now that it matters: 100 elements are a listpack.
  EXPECT_EQ(Header("k").encoding, Encoding::kListpack);
  EXPECT_TRUE(Header("k").listpack.exact);
  // Positions that were deleted are used again.
  PushNumbers("k", 3100, 5'000);
  EXPECT_EQ(Contents("k").size(), 5'100u);
  Reopen();
  EXPECT_EQ(Contents("k").back(), "e8099");
}

TEST_F(ListStoreTest, WhatIsTooMuchForTheFastLaneSaysSo) {
  PushNumbers("k", 0, 5'000);
  const auto in_fast_lane = [&](auto&& verb) {
    WriteTxn txn(*storage_);
    const HashedKey key = Key("k");
    EXPECT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
    txn.BeginCommand(now_ms_, ReadTier::kMemory);
    const Status status = verb(txn);
    txn.RollbackCommand();
    return status;
  };
  uint64_t removed = 0;
  int64_t length = 0;
  EXPECT_EQ(in_fast_lane([&](WriteTxn& txn) { return ListStore::Remove(txn, 0, Key("k"), 0, "x", limits_, &removed); }),
            Status::kIncomplete);
  EXPECT_EQ(
      in_fast_lane([&](WriteTxn& txn) { return ListStore::Remove(txn, 0, Key("k"), 1, "e9", limits_, &removed); }),
      Status::kOk);
  EXPECT_EQ(in_fast_lane([&](WriteTxn& txn) {
              return ListStore::Insert(txn, 0, Key("k"), ListStore::Side::kAfter, "e2500", "x", limits_, &length);
            }),
            Status::kIncomplete);
  EXPECT_EQ(in_fast_lane([&](WriteTxn& txn) {
              return ListStore::Insert(txn, 0, Key("k"), ListStore::Side::kAfter, "e25", "x", limits_, &length);
            }),
            Status::kOk);
  const std::vector<std::string> many(6'000, "x");
  uint64_t pushed = 0;
  EXPECT_EQ(in_fast_lane([&](WriteTxn& txn) {
              return ListStore::Push(txn, 0, Key("k"), ListEnd::kHead, ListStore::IfAbsent::kCreate, Views(many),
                                     limits_, &pushed);
            }),
            Status::kIncomplete);
  EXPECT_EQ(Contents("k").size(), 5'000u);
  EXPECT_EQ(Push("k", ListEnd::kHead, many, &pushed), Status::kOk);
  EXPECT_EQ(pushed, 11'000u);
  EXPECT_EQ(Contents("k")[6'000], "e0");
}

TEST_F(ListStoreTest, AReaderSeesOneMoment) {
  PushNumbers("k", 0, 2'000);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  List list;
  ASSERT_EQ(ListStore::Find(view, 0, Key("k"), &list), Status::kOk);
  for (int i = 0; i < 1'500; ++i) {
    ASSERT_EQ(Write({"k"},
                    [&](WriteTxn& txn) {
                      std::string moved;
                      return ListStore::Move(txn, 0, Key("k"), ListEnd::kHead, Key("k"), ListEnd::kTail, limits_,
                                             &moved);
                    }),
              Status::kOk);
  }
  uint64_t next = 0;
  EXPECT_EQ(ListStore::ForEach(view, list, 0, list.count, ScanOrder::kForward,
                               [&](std::string_view element) { return element == "e" + std::to_string(next++); }),
            Status::kOk);
  EXPECT_EQ(next, 2'000u);
  EXPECT_EQ(Contents("k").front(), "e1500");
}

TEST_F(ListStoreTest, RowsThatAreMissingAreDamage) {
  PushNumbers("k", 0, 500);
  const List list = Header("k");
  ASSERT_EQ(Write({"k"},
                  [&](WriteTxn& txn) {
                    RecordPtr record;
                    (void)txn.GetRecord(0, Key("k"), &record);
                    KeyBuffer key;
                    EncodeListKey(list.object_id, list.head + 100, &key);
                    txn.DeleteRow(RowFamily::kData, key.view());
                    return Status::kOk;
                  }),
            Status::kOk);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  std::string buffer;
  std::string_view element;
  EXPECT_EQ(ListStore::Get(view, list, 100, &buffer, &element), Status::kCorruption);
  const auto all = [](std::string_view) { return true; };
  EXPECT_EQ(ListStore::ForEach(view, list, 0, 500, ScanOrder::kForward, all), Status::kCorruption);
  EXPECT_EQ(ListStore::ForEach(view, list, 0, 500, ScanOrder::kBackward, all), Status::kCorruption);
  EXPECT_EQ(ListStore::ForEach(view, list, 0, 100, ScanOrder::kForward, all), Status::kOk);
}

TEST_F(ListStoreTest, ListpackBytesAreThoseOfRedis) {
  // From Redis' listpack: one byte to 127, two for 13 bits, then three, four, five and nine; a string has its length in
  // one, two or five bytes; and the whole again behind it.
  const std::pair<std::string, uint64_t> cases[] = {
      {"0", 2},
      {"127", 2},
      {"128", 3},
      {"-1", 3},
      {"-4096", 3},
      {"4095", 3},
      {"4096", 4},
      {"-32768", 4},
      {"32768", 5},
      {"8388607", 5},
      {"-8388608", 5},
      {"8388608", 6},
      {"2147483647", 6},
      {"2147483648", 10},
      {"-9223372036854775808", 10},
      {"9223372036854775807", 10},
      {"9223372036854775808", 21},
      {"", 2},
      {"-", 3},
      {"-0", 4},
      {"01", 4},
      {"+1", 4},
      {std::string(63, 'x'), 65},
      {std::string(64, 'x'), 67},
      {std::string(126, 'x'), 130},
      {std::string(4095, 'x'), 4099},
      {std::string(4096, 'x'), 4103},
  };
  for (const auto& [element, bytes] : cases) EXPECT_EQ(ListpackEntryBytes(element), bytes) << element;
}

}  // namespace
}  // namespace basalt::storage
