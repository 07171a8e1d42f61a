// Hashes: random verbs against std::map, packed and in rows, with expiring fields; what the expire cycle makes of them;
// and that the TTL index and the index of fields are exactly what the records say.

#include "storage/hash_store.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "storage/key_codec.h"
#include "storage/storage_impl.h"
#include "storage/value_teller.h"
#include "tests/storage/storage_fixture.h"
#include "tests/storage/value_text.h"

namespace basalt::storage {
namespace {

using Outcome = HashStore::ExpireOutcome;
using Condition = HashStore::ExpireCondition;

constexpr HashLimits kLimits{.listpack_entries = 128, .listpack_value = 64};

class HashStoreTest : public StorageTest {
 protected:
  Status HSet(std::string_view key, const std::vector<std::string>& pairs, uint64_t* added = nullptr) {
    uint64_t ignored;
    const std::vector<std::string_view> views(pairs.begin(), pairs.end());
    return Write({key}, [&](WriteTxn& txn) {
      return HashStore::Set(txn, 0, Key(key), views, kLimits, added != nullptr ? added : &ignored);
    });
  }
  std::vector<Outcome> HExpire(std::string_view key, const std::vector<std::string>& fields, int64_t expire_ms,
                               Condition condition = Condition::kAlways) {
    const std::vector<std::string_view> views(fields.begin(), fields.end());
    std::vector<Outcome> outcomes;
    EXPECT_EQ(Write({key},
                    [&](WriteTxn& txn) {
                      return HashStore::Expire(txn, 0, Key(key), views, expire_ms, condition, &outcomes);
                    }),
              Status::kOk);
    return outcomes;
  }
  // `count` fields f0, f1, … of `value_bytes` each.
  void MakeHash(std::string_view key, int count, size_t value_bytes = 8) {
    std::vector<std::string> pairs;
    for (int i = 0; i < count; ++i) {
      pairs.push_back("f" + std::to_string(i));
      pairs.push_back(std::string(value_bytes, 'v'));
    }
    ASSERT_EQ(HSet(key, pairs), Status::kOk);
  }
  static std::vector<std::string> Names(int first, int last) {
    std::vector<std::string> names;
    for (int i = first; i < last; ++i) names.push_back("f" + std::to_string(i));
    return names;
  }

  std::map<std::string, std::string> Fields(std::string_view key, bool* met_expired = nullptr) {
    std::map<std::string, std::string> fields;
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    HashValue hash;
    Status status = HashStore::Find(view, 0, Key(key), &hash);
    if (status == Status::kOk) {
      status = HashStore::ForEach(view, hash, [&](const HashField& field) {
        EXPECT_TRUE(fields.emplace(field.name, field.value).second);
        return true;
      });
    }
    if (met_expired != nullptr) *met_expired = view.met_expired();
    EXPECT_TRUE(status == Status::kOk || status == Status::kNotFound) << StatusName(status);
    return fields;
  }
  uint64_t Count(std::string_view key) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    HashValue hash;
    uint64_t count = 0;
    if (HashStore::Find(view, 0, Key(key), &hash) != Status::kOk) return 0;
    EXPECT_EQ(HashStore::Count(view, hash, &count), Status::kOk);
    return count;
  }
  RecordPtr Stored(std::string_view key, DbIndex db = 0) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    RecordPtr record;
    (void)view.GetRecord(db, Key(key), &record);
    return record;
  }

  // The TTL index has exactly one row for each record that says so; and each hash in rows an index row for each field
  // that expires, the first of them at the time its record names.
  void CheckIndexes() {
    Storage::Impl& impl = storage_->impl();
    std::set<std::string> expected_ttl, ttl, expected_fields, fields;
    std::unique_ptr<rocksdb::Iterator> it(
        impl.engine.db()->NewIterator(rocksdb::ReadOptions(), impl.engine.handle(Family::kMeta)));
    KeyBuffer key;
    std::set<Namespace> live;
    for (int db = 0; db < storage_->databases(); ++db)
      live.insert(impl.databases.NamespaceOf(static_cast<DbIndex>(db)));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const auto meta = ParseMetaKey({it->key().data(), it->key().size()});
      const RecordPtr record = Record::FromStored({it->value().data(), it->value().size()});
      ASSERT_TRUE(meta && record != nullptr);
      if (!live.contains(meta->ns)) continue;
      if (record->due_ms() != kNoExpire) {
        EncodeTtlKey(meta->ns, record->due_ms(), meta->user_key, &key);
        expected_ttl.emplace(key.view());
      }
      const uint64_t id = record->header().object_id;
      if (id == 0 || record->type() != ValueType::kHash) continue;
      KeyBuffer lower, upper;
      EncodeObjectBound(id, &lower);
      EncodeObjectBound(id + 1, &upper);
      ReadView view(*storage_, now_ms_, ReadTier::kDisk);
      uint64_t rows = 0;
      int64_t earliest = kNoExpire;
      ASSERT_EQ(ScanRows(view, RowFamily::kData, lower.view(), upper.view(),
                         [&](std::string_view row_key, std::string_view row) {
                           ++rows;
                           const auto member = ParseMemberKey(row_key);
                           std::string_view value;
                           int64_t expire_ms = 0;
                           EXPECT_TRUE(member && ParseHashRow(row, &value, &expire_ms));
                           if (expire_ms == kNoExpire) return true;
                           if (earliest == kNoExpire || expire_ms < earliest) earliest = expire_ms;
                           EncodeFieldExpiryKey(id, expire_ms, member->member, &key);
                           expected_fields.emplace(key.view());
                           return true;
                         }),
                Status::kOk);
      ASSERT_EQ(rows, ElementCount(*record));
      ASSERT_EQ(earliest, record->field_expire_ms());
      ASSERT_EQ(ScanRows(view, RowFamily::kScore, lower.view(), upper.view(),
                         [&](std::string_view row_key, std::string_view) {
                           fields.emplace(row_key);
                           return true;
                         }),
                Status::kOk);
    }
    ASSERT_EQ(fields, expected_fields);
    it.reset(impl.engine.db()->NewIterator(rocksdb::ReadOptions(), impl.engine.handle(Family::kTtl)));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const auto row = ParseTtlKey({it->key().data(), it->key().size()});
      ASSERT_TRUE(row);
      if (live.contains(row->ns)) ttl.emplace(it->key().data(), it->key().size());
    }
    ASSERT_EQ(ttl, expected_ttl);
  }
};

// ---- what is particular ----

TEST_F(HashStoreTest, OrderOfInsertionWhilePackedAndEveryFieldOnce) {
  uint64_t added = 0;
  ASSERT_EQ(HSet("h", {"b", "1", "a", "2", "b", "3", "", ""}, &added), Status::kOk);
  EXPECT_EQ(added, 3u);
  ReadView view(*storage_, now_ms_, ReadTier::kMemory);
  HashValue hash;
  ASSERT_EQ(HashStore::Find(view, 0, Key("h"), &hash), Status::kOk);
  EXPECT_TRUE(hash.packed());
  std::string all;
  ASSERT_EQ(HashStore::ForEach(view, hash,
                               [&](const HashField& field) {
                                 all.append(field.name).append("=").append(field.value).append(";");
                                 return true;
                               }),
            Status::kOk);
  EXPECT_EQ(all, "b=3;a=2;=;");
}

TEST_F(HashStoreTest, EncodingFollowsTheLimitsOfRedisAndNotOurLayout) {
  MakeHash("small", 128, 1);
  EXPECT_EQ(Stored("small")->header().encoding, Encoding::kListpack);
  ASSERT_EQ(HSet("small", {"one", "more"}), Status::kOk);
  EXPECT_EQ(Stored("small")->header().encoding, Encoding::kHashtable);
  ASSERT_EQ(HSet("wide", {"a", std::string(65, 'x')}), Status::kOk);
  EXPECT_EQ(Stored("wide")->header().encoding, Encoding::kHashtable);
  EXPECT_TRUE(IsPacked(*Stored("wide")));
  MakeHash("rows", 100, 60);
  EXPECT_EQ(Stored("rows")->header().encoding, Encoding::kListpack);
  EXPECT_FALSE(IsPacked(*Stored("rows")));
  // So many arguments, however few fields.
  std::vector<std::string> same;
  for (int i = 0; i < 129; ++i) same.insert(same.end(), {"f", std::to_string(i)});
  ASSERT_EQ(HSet("same", same), Status::kOk);
  EXPECT_EQ(Stored("same")->header().encoding, Encoding::kHashtable);
  EXPECT_EQ(Fields("same").at("f"), "128");
}

TEST_F(HashStoreTest, HashWithoutExpiringFieldsPaysNothing) {
  ASSERT_EQ(HSet("h", {"f", "v", "g", "w"}), Status::kOk);
  const std::string before(Stored("h")->stored());
  EXPECT_EQ(before.size(), 3u + 1u + 4 * 2u);
  HExpire("h", {"f"}, now_ms_ + 1000);
  EXPECT_EQ(Stored("h")->stored().size(), before.size() + 8 + 6 + 1);
  ASSERT_EQ(Write({"h"},
                  [&](WriteTxn& txn) {
                    std::vector<Outcome> outcomes;
                    const std::string_view names[] = {"f", "g", "x"};
                    const Status status = HashStore::Persist(txn, 0, Key("h"), names, &outcomes);
                    EXPECT_EQ(outcomes, (std::vector{Outcome::kSet, Outcome::kRefused, Outcome::kNoField}));
                    return status;
                  }),
            Status::kOk);
  EXPECT_EQ(Stored("h")->stored(), before);
  CheckIndexes();
}

TEST_F(HashStoreTest, DueFieldsAreInvisibleAtOnceAndGoWithTheNextWrite) {
  for (const int count : {10, 500}) {
    SCOPED_TRACE(count);
    MakeHash("h", count);
    HExpire("h", Names(0, 4), now_ms_ + 100);
    HExpire("h", Names(4, 6), now_ms_ + 200);
    EXPECT_EQ(Count("h"), static_cast<uint64_t>(count));
    now_ms_ += 100;
    EXPECT_EQ(Count("h"), static_cast<uint64_t>(count - 4));
    EXPECT_EQ(Fields("h").size(), static_cast<uint64_t>(count - 4));
    EXPECT_EQ(ElementCount(*Stored("h")), static_cast<uint64_t>(count));  // nobody has written
    uint64_t added = 0;
    ASSERT_EQ(HSet("h", {"f1", "new", "f5", "changed"}, &added), Status::kOk);
    EXPECT_EQ(added, 1u);
    EXPECT_EQ(ElementCount(*Stored("h")), static_cast<uint64_t>(count - 3));
    EXPECT_EQ(Stored("h")->field_expire_ms(), now_ms_ + 100);  // f4; f5 has lost its expiry
    CheckIndexes();
    now_ms_ += 100;
    EXPECT_EQ(Fields("h").count("f5"), 1u);
    EXPECT_EQ(storage_->RunExpireCycle(1000), 1u);
    EXPECT_EQ(Stored("h")->field_expire_ms(), kNoExpire);
    CheckIndexes();
    ASSERT_EQ(Del("h"), Status::kOk);
  }
}

TEST_F(HashStoreTest, LastFieldTakesTheKeyAndANewHashStartsAnew) {
  for (const int count : {3, 500}) {
    SCOPED_TRACE(count);
    MakeHash("h", count, 65);
    ASSERT_EQ(Expire("h", now_ms_ + 100'000), Status::kOk);
    HExpire("h", Names(0, count), now_ms_ + 50);
    EXPECT_EQ(storage_->Counts(0).expires, 1u);
    now_ms_ += 50;
    bool met_expired = false;
    EXPECT_TRUE(Fields("h", &met_expired).empty());
    EXPECT_EQ(Count("h"), 0u);
    ASSERT_EQ(HSet("h", {"a", "b"}), Status::kOk);
    const RecordPtr record = Stored("h");
    EXPECT_EQ(record->header().encoding, Encoding::kListpack);
    EXPECT_EQ(record->expire_ms(), kNoExpire);
    EXPECT_TRUE(IsPacked(*record));
    EXPECT_EQ(storage_->Counts(0).expires, 0u);
    EXPECT_EQ(storage_->Counts(0).keys, 1u);
    HExpire("h", {"a"}, now_ms_ + 1);
    now_ms_ += 1;
    EXPECT_EQ(storage_->RunExpireCycle(1000), 1u);
    EXPECT_EQ(storage_->Counts(0).keys, 0u);
    CheckIndexes();
  }
}

// A value without elements is none: whoever dumps it would write what nobody can restore.
TEST_F(HashStoreTest, HashWhoseFieldsAreAllDueIsNotTold) {
  for (const int count : {5, 300}) {  // packed, and in rows
    MakeHash("h", count);
    HExpire("h", Names(0, count), now_ms_ + 10);
    now_ms_ += 10;
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    ValueText text;
    EXPECT_EQ(TellValue(view, 0, Key("h"), &text), Status::kNotFound) << count;
    EXPECT_FALSE(text.ended());
  }
}

TEST_F(HashStoreTest, ConditionsOfExpire) {
  for (const int count : {3, 500}) {
    MakeHash("h", count);
    const int64_t t = now_ms_;
    const auto expire = [&](int64_t at, Condition condition) { return HExpire("h", {"f0"}, at, condition).at(0); };
    EXPECT_EQ(expire(t + 100, Condition::kHasOne), Outcome::kRefused);
    EXPECT_EQ(expire(t + 100, Condition::kLater), Outcome::kRefused);
    EXPECT_EQ(expire(t + 100, Condition::kEarlier), Outcome::kSet);
    EXPECT_EQ(expire(t + 100, Condition::kEarlier), Outcome::kRefused);
    EXPECT_EQ(expire(t + 100, Condition::kLater), Outcome::kRefused);
    EXPECT_EQ(expire(t + 101, Condition::kLater), Outcome::kSet);
    EXPECT_EQ(expire(t + 50, Condition::kHasNone), Outcome::kRefused);
    EXPECT_EQ(expire(t + 50, Condition::kHasOne), Outcome::kSet);
    EXPECT_EQ(expire(t, Condition::kLater), Outcome::kRefused);  // in the past, but the condition comes first
    EXPECT_EQ(expire(t, Condition::kEarlier), Outcome::kDeleted);
    EXPECT_EQ(expire(t, Condition::kAlways), Outcome::kNoField);
    EXPECT_EQ(Count("h"), static_cast<uint64_t>(count - 1));
    CheckIndexes();
    ASSERT_EQ(Del("h"), Status::kOk);
  }
}

TEST_F(HashStoreTest, ExpireCycleRemovesManyFieldsInPortionsAndLooksAgainInTime) {
  MakeHash("h", 5000, 4);
  HExpire("h", Names(0, 3000), now_ms_ + 100);  // of one millisecond: the row in the TTL index stays
  HExpire("h", Names(3000, 3010), now_ms_ + 150);
  EXPECT_EQ(storage_->RunExpireCycle(1000), 0u);
  now_ms_ += 120;
  const uint64_t first = storage_->RunExpireCycle(1000);
  EXPECT_GE(first, 1000u);
  EXPECT_LT(first, 1000u + TtlIndex::kBatchUnits);
  EXPECT_EQ(Count("h"), 2000u);
  EXPECT_EQ(ElementCount(*Stored("h")), 5000 - first);
  CheckIndexes();
  uint64_t removed = first;
  while (const uint64_t more = storage_->RunExpireCycle(1000)) removed += more;
  EXPECT_GE(removed, 3000u);
  EXPECT_EQ(ElementCount(*Stored("h")), 2000u);
  CheckIndexes();
  now_ms_ += 30;
  EXPECT_EQ(storage_->RunExpireCycle(1000), 10u);
  EXPECT_EQ(storage_->RunExpireCycle(1000), 0u);
  EXPECT_EQ(ElementCount(*Stored("h")), 1990u);
  CheckIndexes();
}

TEST_F(HashStoreTest, ManyDueFieldsAreNotTheFastLanesWorkButReadsStayExact) {
  MakeHash("h", 3000, 4);
  HExpire("h", Names(0, 2000), now_ms_ + 100);
  now_ms_ += 100;
  WriteTxn txn(*storage_);
  const HashedKey key = Key("h");
  ASSERT_EQ(txn.LockKeys({&key, 1}), Status::kOk);
  txn.BeginCommand(now_ms_, ReadTier::kMemory);
  uint64_t added = 0;
  const std::string_view pair[] = {"f1", "v"};
  EXPECT_EQ(HashStore::Set(txn, 0, key, pair, kLimits, &added), Status::kIncomplete);
  txn.RollbackCommand();
  txn.Abort();
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  HashValue hash;
  ASSERT_EQ(HashStore::Find(view, 0, key, &hash), Status::kOk);
  uint64_t live = 0;
  ASSERT_EQ(HashStore::Count(view, hash, &live), Status::kOk);
  EXPECT_EQ(live, 1000u);
  std::string buffer;
  HashField field;
  EXPECT_EQ(HashStore::Get(view, hash, "f1", &buffer, &field), Status::kNotFound);
  EXPECT_TRUE(view.met_expired());
  EXPECT_EQ(HashStore::Get(view, hash, "f2500", &buffer, &field), Status::kOk);
  for (const uint64_t count : {1u, 20u, 400u}) {
    std::set<std::string> drawn;
    uint64_t repeated = 0;
    ASSERT_EQ(HashStore::RandomDistinct(view, hash, live, count,
                                        [&](const HashField& each) {
                                          EXPECT_GE(std::stoi(std::string(each.name.substr(1))), 2000);
                                          EXPECT_TRUE(drawn.emplace(each.name).second);
                                          return true;
                                        }),
              Status::kOk);
    EXPECT_EQ(drawn.size(), count);
    ASSERT_EQ(HashStore::RandomRepeated(view, hash, live, count,
                                        [&](const HashField& each) {
                                          EXPECT_GE(std::stoi(std::string(each.name.substr(1))), 2000);
                                          ++repeated;
                                          return true;
                                        }),
              Status::kOk);
    EXPECT_EQ(repeated, count);
  }
}

TEST_F(HashStoreTest, RenameAndCopyTakeTheFieldsExpiriesAlong) {
  for (const int count : {5, 500}) {
    SCOPED_TRACE(count);
    MakeHash("a", count);
    HExpire("a", Names(0, 2), now_ms_ + 100);
    ASSERT_EQ(Copy("a", "b"), Status::kOk);
    ASSERT_EQ(Rename("a", "c", 0, 1), Status::kOk);
    CheckIndexes();
    EXPECT_EQ(Stored("c", 1)->field_expire_ms(), now_ms_ + 100);
    HExpire("b", {"f0"}, now_ms_ + 300);
    ASSERT_EQ(WriteExclusive([](WriteTxn& txn) { txn.SwapNamespaces(0, 1); }), Status::kOk);
    now_ms_ += 100;
    EXPECT_EQ(storage_->RunExpireCycle(1000), 3u);
    EXPECT_EQ(Count("c"), static_cast<uint64_t>(count - 2));
    ASSERT_EQ(WriteExclusive([](WriteTxn& txn) { txn.SwapNamespaces(0, 1); }), Status::kOk);
    EXPECT_EQ(Count("b"), static_cast<uint64_t>(count - 1));
    CheckIndexes();
    ASSERT_EQ(FlushAll(), Status::kOk);
  }
}

TEST_F(HashStoreTest, SetOfMoreThanABatchOfFieldsAndGarbageOfItAll) {
  std::vector<std::string> pairs;
  for (int i = 0; i < 20000; ++i) {
    pairs.push_back("field:" + std::to_string(i % 15000));
    pairs.push_back(std::to_string(i));
  }
  uint64_t added = 0;
  ASSERT_EQ(HSet("h", pairs, &added), Status::kOk);
  EXPECT_EQ(added, 15000u);
  const auto fields = Fields("h");
  EXPECT_EQ(fields.size(), 15000u);
  EXPECT_EQ(fields.at("field:14999"), "14999");
  EXPECT_EQ(fields.at("field:0"), "15000");
  CheckIndexes();
  ASSERT_EQ(Del("h"), Status::kOk);
  while (storage_->RunGarbageCycle(100000) != 0) {
  }
  Storage::Impl& impl = storage_->impl();
  std::unique_ptr<rocksdb::Iterator> rows(
      impl.engine.db()->NewIterator(rocksdb::ReadOptions(), impl.engine.handle(Family::kData)));
  rows->SeekToFirst();
  EXPECT_FALSE(rows->Valid());
}

TEST_F(HashStoreTest, ReadersSeeOneMomentWhileFieldsMove) {
  // A hash in rows whose two fields always add up.
  MakeHash("h", 300);
  ASSERT_EQ(HSet("h", {"x", "0", "y", "1000"}), Status::kOk);
  ReadView before(*storage_, now_ms_, ReadTier::kDisk);
  HashValue old;
  ASSERT_EQ(HashStore::Find(before, 0, Key("h"), &old), Status::kOk);
  ASSERT_EQ(HSet("h", {"x", "1", "y", "999", "z", "0"}), Status::kOk);
  std::string x, y, z;
  HashField field;
  ASSERT_EQ(HashStore::Get(before, old, "x", &x, &field), Status::kOk);
  EXPECT_EQ(field.value, "0");
  ASSERT_EQ(HashStore::Get(before, old, "y", &y, &field), Status::kOk);
  EXPECT_EQ(field.value, "1000");
  EXPECT_EQ(HashStore::Get(before, old, "z", &z, &field), Status::kNotFound);
  uint64_t seen = 0;
  ASSERT_EQ(HashStore::ForEach(before, old, [&](const HashField&) { return ++seen > 0; }), Status::kOk);
  EXPECT_EQ(seen, old.stored);
}

TEST_F(HashStoreTest, OtherTypesAreLeftAlone) {
  ASSERT_EQ(Set("s", "string"), Status::kOk);
  EXPECT_EQ(HSet("s", {"f", "v"}), Status::kWrongType);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  HashValue hash;
  EXPECT_EQ(HashStore::Find(view, 0, Key("s"), &hash), Status::kWrongType);
}

TEST_F(HashStoreTest, DrawsAreFair) {
  for (const int count : {10, 60, 300}) {
    SCOPED_TRACE(count);
    MakeHash("h", count, 60);
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    HashValue hash;
    ASSERT_EQ(HashStore::Find(view, 0, Key("h"), &hash), Status::kOk);
    std::map<std::string, int> repeated, distinct;
    const int draws = count * 100;
    ASSERT_EQ(
        HashStore::RandomRepeated(view, hash, hash.stored, static_cast<uint64_t>(draws),
                                  [&](const HashField& field) { return ++repeated[std::string(field.name)] > 0; }),
        Status::kOk);
    for (int i = 0; i < draws / 5; ++i) {
      ASSERT_EQ(
          HashStore::RandomDistinct(view, hash, hash.stored, 5,
                                    [&](const HashField& field) { return ++distinct[std::string(field.name)] > 0; }),
          Status::kOk);
    }
    for (const auto* drawn : {&repeated, &distinct}) {
      ASSERT_EQ(drawn->size(), static_cast<size_t>(count));
      double chi_square = 0;
      for (const auto& [name, times] : *drawn) chi_square += (times - 100.0) * (times - 100.0) / 100;
      EXPECT_LT(chi_square, count - 1 + 6 * std::sqrt(2.0 * (count - 1)));  // six deviations
    }
    ASSERT_EQ(Del("h"), Status::kOk);
  }
}

// ---- everything, at random ----

struct ModelField {
  std::string value;
  int64_t expire_ms = kNoExpire;
};
struct ModelHash {
  std::map<std::string, ModelField> fields;
  int64_t expire_ms = kNoExpire;
};
using Model = std::map<std::string, ModelHash>;

class HashModelTest : public HashStoreTest {
 protected:
  static constexpr int kKeys = 6;

  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }
  std::string SomeKey() { return "key:" + std::to_string(Below(kKeys)); }
  std::string SomeField() { return "field:" + std::to_string(Below(Below(3) == 0 ? 300 : 12)); }
  std::string SomeValue() {
    return std::string(Below(20) == 0 ? Below(3000) : Below(30), static_cast<char>('a' + Below(26)));
  }
  int64_t SomeTime() { return now_ms_ + static_cast<int64_t>(Below(400)) - 40; }

  // What is left of it now; an empty hash is none.
  ModelHash* Live(const std::string& key) {
    const auto found = model_.find(key);
    if (found == model_.end()) return nullptr;
    std::erase_if(found->second.fields, [&](const auto& field) {
      return field.second.expire_ms != kNoExpire && field.second.expire_ms <= now_ms_;
    });
    const bool expired = found->second.expire_ms != kNoExpire && found->second.expire_ms <= now_ms_;
    if (!expired && !found->second.fields.empty()) return &found->second;
    model_.erase(found);
    return nullptr;
  }

  // One command on `key` and, of the model, what it does. The status may be kIncomplete; then nothing is changed.
  Status Command(WriteTxn& txn, const std::string& key) {
    const HashedKey hashed = Key(key);
    ModelHash* live = Live(key);
    switch (Below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        std::vector<std::string> pairs;
        for (uint64_t n = Below(30) == 0 ? 300 : 1 + Below(5); n > 0; --n) {
          pairs.push_back(SomeField());
          pairs.push_back(SomeValue());
        }
        const std::vector<std::string_view> views(pairs.begin(), pairs.end());
        uint64_t added = 0;
        const Status status = HashStore::Set(txn, 0, hashed, views, kLimits, &added);
        if (status != Status::kOk) return status;
        ModelHash& hash = model_[key];
        const size_t before = hash.fields.size();
        for (size_t i = 0; i < pairs.size(); i += 2) hash.fields[pairs[i]] = {pairs[i + 1], kNoExpire};
        EXPECT_EQ(added, hash.fields.size() - before);
        return status;
      }
      case 4: {
        const std::string name = SomeField(), value = SomeValue();
        bool added = false;
        const Status status = HashStore::SetIfAbsent(txn, 0, hashed, name, value, kLimits, &added);
        if (status != Status::kOk) return status;
        EXPECT_EQ(added, live == nullptr || !live->fields.contains(name));
        if (added) model_[key].fields[name] = {value, kNoExpire};
        return status;
      }
      case 5: {
        const std::string name = SomeField(), value = SomeValue();
        const Status status = HashStore::Update(txn, 0, hashed, name, value, kLimits);
        if (status == Status::kOk) model_[key].fields[name].value = value;
        return status;
      }
      case 6:
      case 7: {
        std::vector<std::string> names;
        for (uint64_t n = Below(10) == 0 ? 200 : 1 + Below(4); n > 0; --n) names.push_back(SomeField());
        const std::vector<std::string_view> views(names.begin(), names.end());
        uint64_t removed = 0;
        const Status status = HashStore::Delete(txn, 0, hashed, views, &removed);
        if (status != Status::kOk) return status;
        uint64_t expected = 0;
        for (const std::string& name : names) expected += live != nullptr ? live->fields.erase(name) : 0;
        EXPECT_EQ(removed, expected);
        return status;
      }
      case 8:
      case 9:
      case 10: {
        std::vector<std::string> names;
        for (uint64_t n = Below(8) == 0 ? 250 : 1 + Below(4); n > 0; --n) names.push_back(SomeField());
        const std::vector<std::string_view> views(names.begin(), names.end());
        std::vector<Outcome> outcomes, expected;
        if (Below(4) == 0) {
          const Status status = HashStore::Persist(txn, 0, hashed, views, &outcomes);
          if (status != Status::kOk) return status;
          for (const std::string& name : names) {
            const auto field = live != nullptr ? live->fields.find(name) : decltype(live->fields.find(name))();
            if (live == nullptr || field == live->fields.end()) {
              expected.push_back(Outcome::kNoField);
              continue;
            }
            expected.push_back(field->second.expire_ms == kNoExpire ? Outcome::kRefused : Outcome::kSet);
            field->second.expire_ms = kNoExpire;
          }
        } else {
          const int64_t at = SomeTime();
          const auto condition = static_cast<Condition>(Below(5));
          const Status status = HashStore::Expire(txn, 0, hashed, views, at, condition, &outcomes);
          if (status != Status::kOk) return status;
          for (const std::string& name : names) expected.push_back(ModelExpire(live, name, at, condition));
        }
        EXPECT_EQ(outcomes, expected);
        return Status::kOk;
      }
      default: {
        // What concerns the whole key. Fields that are due are removed first, so that both know whether it is there.
        Status status = HashStore::RemoveDue(txn, 0, hashed);
        if (status != Status::kOk) return status;
        RecordPtr record;
        status = txn.GetRecord(0, hashed, &record);
        if (status == Status::kIncomplete) return status;
        EXPECT_EQ(status == Status::kOk, live != nullptr);
        if (live == nullptr) return Status::kOk;
        if (Below(3) == 0) {
          txn.Erase(0, hashed);
          model_.erase(key);
        } else {
          const int64_t at = Below(2) == 0 ? kNoExpire : now_ms_ + 1 + static_cast<int64_t>(Below(600));
          EXPECT_EQ(Keyspace::SetExpire(txn, 0, hashed, at), Status::kOk);
          live->expire_ms = at;
        }
        return Status::kOk;
      }
    }
  }

  Outcome ModelExpire(ModelHash* live, const std::string& name, int64_t at, Condition condition) const {
    if (live == nullptr) return Outcome::kNoField;
    const auto field = live->fields.find(name);
    if (field == live->fields.end()) return Outcome::kNoField;
    int64_t& old = field->second.expire_ms;
    const bool had = old != kNoExpire;
    if ((condition == Condition::kHasNone && had) || (condition == Condition::kHasOne && !had) ||
        (condition == Condition::kLater && (!had || at <= old)) ||
        (condition == Condition::kEarlier && had && at >= old)) {
      return Outcome::kRefused;
    }
    if (at <= now_ms_) {
      live->fields.erase(field);
      return Outcome::kDeleted;
    }
    old = at;
    return Outcome::kSet;
  }

  void Compare(ReadView& view, const std::string& key) {
    ModelHash* live = Live(key);
    const std::map<std::string, ModelField> none;
    const std::map<std::string, ModelField>& expected = live != nullptr ? live->fields : none;
    HashValue hash;
    const Status found = HashStore::Find(view, 0, Key(key), &hash);
    if (found == Status::kIncomplete) return;
    if (found != Status::kOk) {
      ASSERT_EQ(found, Status::kNotFound);
      ASSERT_TRUE(expected.empty()) << key;
      return;
    }
    uint64_t count = 0;
    ASSERT_EQ(HashStore::Count(view, hash, &count), Status::kOk);
    ASSERT_EQ(count, expected.size()) << key;
    std::map<std::string, ModelField> read;
    const auto collect = [&](const HashField& field) {
      EXPECT_TRUE(read.emplace(field.name, ModelField{std::string(field.value), field.expire_ms}).second);
      return true;
    };
    const auto compare = [&] {
      ASSERT_EQ(read.size(), expected.size());
      for (const auto& [name, field] : expected) {
        ASSERT_TRUE(read.contains(name)) << name;
        ASSERT_EQ(read[name].value, field.value);
        ASSERT_EQ(read[name].expire_ms, field.expire_ms) << name;
      }
      read.clear();
    };
    ASSERT_EQ(HashStore::ForEach(view, hash, collect), Status::kOk);
    compare();
    uint64_t cursor = 0;
    do {
      ASSERT_EQ(HashStore::Scan(view, hash, cursor, 1 + Below(20), collect, &cursor), Status::kOk);
    } while (cursor != 0);
    compare();
    std::string buffer;
    for (int i = 0; i < 5; ++i) {
      const std::string name = SomeField();
      HashField field;
      const Status status = HashStore::Get(view, hash, name, &buffer, &field);
      ASSERT_EQ(status == Status::kOk, expected.contains(name));
      if (status == Status::kOk) {
        ASSERT_EQ(field.value, expected.at(name).value);
      }
    }
    if (count == 0) return;
    const uint64_t wanted = 1 + Below(count + 3);
    uint64_t drawn = 0;
    ASSERT_EQ(HashStore::RandomDistinct(view, hash, count, wanted,
                                        [&](const HashField& field) {
                                          EXPECT_TRUE(expected.contains(std::string(field.name)));
                                          return ++drawn > 0;
                                        }),
              Status::kOk);
    ASSERT_EQ(drawn, std::min(wanted, count));
    ASSERT_EQ(HashStore::RandomRepeated(view, hash, count, wanted,
                                        [&](const HashField& field) {
                                          EXPECT_TRUE(expected.contains(std::string(field.name)));
                                          return ++drawn > 0;
                                        }),
              Status::kOk);
    ASSERT_EQ(drawn, std::min(wanted, count) + wanted);
  }

  void CompareAll() {
    for (int n = 0; n < kKeys; ++n) {
      ReadView view(*storage_, now_ms_, ReadTier::kDisk);
      Compare(view, "key:" + std::to_string(n));
    }
  }

  // Several commands in one group, some of them rolled back; the group itself may be dropped.
  void Group() {
    const Model saved = model_;
    WriteTxn txn(*storage_);
    for (uint64_t n = 1 + Below(6); n > 0; --n) {
      const std::string key = SomeKey();
      const HashedKey hashed = Key(key);
      ASSERT_EQ(txn.LockKeys({&hashed, 1}), Status::kOk);
      const Model before = model_;
      txn.BeginCommand(now_ms_, Below(3) == 0 ? ReadTier::kMemory : ReadTier::kDisk);
      const Status status = Command(txn, key);
      if (status != Status::kOk || Below(4) == 0) {
        ASSERT_TRUE(status == Status::kOk || status == Status::kIncomplete) << StatusName(status);
        txn.RollbackCommand();
        model_ = before;
      } else {
        txn.EndCommand();
      }
      txn.BeginCommand(now_ms_, ReadTier::kDisk);
      Compare(txn, key);
      txn.EndCommand();
    }
    if (Below(5) == 0) {
      txn.Abort();
      model_ = saved;
      return;
    }
    uint64_t sequence = 0;
    ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
  }

  void Rare() {
    switch (Below(7)) {
      case 0:
        return Reopen();
      case 1:
        ASSERT_EQ(storage_->Flush(), Status::kOk);
        return;
      case 2:
        return storage_->Compact();
      case 3:
        while (storage_->RunGarbageCycle(100) != 0) {
        }
        return;
      case 4: {
        const std::string from = SomeKey(), to = SomeKey();
        if (from == to || Live(from) == nullptr) return;
        ASSERT_EQ(Rename(from, to), Status::kOk);
        const ModelHash moved = *Live(from);
        model_.erase(from);
        model_[to] = moved;
        return;
      }
      case 5: {
        const std::string from = SomeKey(), to = SomeKey();
        if (from == to || Live(from) == nullptr) return;
        ASSERT_EQ(Copy(from, to), Status::kOk);
        model_[to] = *Live(from);
        return;
      }
      case 6:
        // The clock goes back; what was due before is gone by then.
        while (storage_->RunExpireCycle(10) != 0) {
        }
        for (int n = 0; n < kKeys; ++n) (void)Live("key:" + std::to_string(n));
        now_ms_ -= static_cast<int64_t>(Below(100));
        return;
    }
  }

  void Run(uint64_t seed, int steps) {
    SCOPED_TRACE("BASALT_SEED=" + std::to_string(seed));
    random_.seed(seed);
    for (int i = 0; i < steps && !HasFatalFailure() && !HasNonfatalFailure(); ++i) {
      Group();
      if (Below(3) == 0) now_ms_ += static_cast<int64_t>(Below(120));
      if (Below(4) == 0) storage_->RunExpireCycle(1 + Below(60));
      if (Below(12) == 0) Rare();
      if (Below(10) == 0) CompareAll();
      if (Below(15) == 0) CheckIndexes();
    }
    CompareAll();
    now_ms_ += 10'000;
    while (storage_->RunExpireCycle(100) != 0) {
    }
    CompareAll();
    CheckIndexes();
    EXPECT_EQ(storage_->Counts(0).keys, model_.size());
    EXPECT_EQ(storage_->Counts(0).expires, 0u);
  }

  std::mt19937_64 random_;
  Model model_;
};

TEST_F(HashModelTest, RandomVerbs) {
  if (const char* seed = std::getenv("BASALT_SEED")) return Run(std::strtoull(seed, nullptr, 10), 2000);
  Run(std::random_device{}(), 1500);
}

}  // namespace
}  // namespace basalt::storage
