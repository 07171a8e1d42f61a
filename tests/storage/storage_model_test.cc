// Random verbs against std::map, with reopening, compaction and jumps of the clock. Prints its seed when it fails; set
// BASALT_SEED to run one again.

#include <array>
#include <map>
#include <random>
#include <set>

#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

struct ModelValue {
  std::string bytes;
  int64_t expire_ms = kNoExpire;
};
using ModelDatabase = std::map<std::string, ModelValue>;

class StorageModelTest : public StorageTest {
 protected:
  static constexpr int kDatabases = 3;
  static constexpr int kKeys = 24;

  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }
  std::string SomeKey() { return "key:" + std::to_string(Below(kKeys)); }
  DbIndex SomeDb() { return static_cast<DbIndex>(Below(kDatabases)); }
  uint64_t SomeLength() {
    switch (Below(10)) {
      case 0:
        return Below(20);
      case 1:
        return 4090 + Below(12);
      case 2:
        return 65530 + Below(12);
      case 3:
        return Below(300000);
      case 4:
        return Below(40) == 0 ? (1 << 20) - 5 + Below(700000) : 0;
      default:
        return Below(200);
    }
  }
  std::string SomeBytes() {
    std::string bytes(SomeLength(), '\0');
    const char base = static_cast<char>('a' + Below(20));
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(base + i % 7);
    return bytes;
  }

  ModelValue* Live(DbIndex db, const std::string& key) {
    const auto found = model_[db].find(key);
    if (found == model_[db].end()) return nullptr;
    if (found->second.expire_ms != kNoExpire && found->second.expire_ms <= now_ms_) {
      model_[db].erase(found);
      return nullptr;
    }
    return &found->second;
  }

  void Step() {
    const DbIndex db = SomeDb();
    const std::string key = SomeKey();
    ModelValue* live = Live(db, key);
    uint64_t length = 0;
    switch (Below(20)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const std::string bytes = SomeBytes();
        const int64_t expire = Below(3) == 0 ? now_ms_ + 1 + static_cast<int64_t>(Below(5000)) : kNoExpire;
        ASSERT_EQ(Set(key, bytes, expire, db), Status::kOk);
        model_[db][key] = {bytes, expire};
        break;
      }
      case 4:
      case 5: {
        const std::string bytes = SomeBytes();
        ASSERT_EQ(Append(key, bytes, &length, db), Status::kOk);
        ModelValue& value = model_[db][key];
        value.bytes += bytes;
        ASSERT_EQ(length, value.bytes.size());
        break;
      }
      case 6:
      case 7: {
        const std::string bytes = SomeBytes();
        const uint64_t offset = live != nullptr && Below(2) == 0 ? Below(live->bytes.size() + 1) : SomeLength();
        ASSERT_EQ(SetRange(key, offset, bytes, &length, db), Status::kOk);
        if (!bytes.empty()) {
          ModelValue& value = model_[db][key];
          if (value.bytes.size() < offset + bytes.size()) value.bytes.resize(offset + bytes.size(), '\0');
          value.bytes.replace(offset, bytes.size(), bytes);
          ASSERT_EQ(length, value.bytes.size());
        }
        break;
      }
      case 8:
      case 9:
        ASSERT_EQ(Del(key, db), live != nullptr ? Status::kOk : Status::kNotFound);
        model_[db].erase(key);
        break;
      case 10:
      case 11: {
        const int64_t expire = Below(4) == 0 ? kNoExpire : now_ms_ + 1 + static_cast<int64_t>(Below(3000));
        ASSERT_EQ(Expire(key, expire, db), live != nullptr ? Status::kOk : Status::kNotFound);
        if (live != nullptr) live->expire_ms = expire;
        break;
      }
      case 12:
      case 13: {
        const DbIndex to_db = SomeDb();
        const std::string to = SomeKey();
        ASSERT_EQ(Rename(key, to, db, to_db), live != nullptr ? Status::kOk : Status::kNotFound);
        if (live != nullptr && !(to == key && to_db == db)) {
          model_[to_db][to] = *live;
          model_[db].erase(key);
        }
        break;
      }
      case 14: {
        const DbIndex to_db = SomeDb();
        const std::string to = SomeKey();
        if (to == key && to_db == db) break;
        ASSERT_EQ(Copy(key, to, db, to_db), live != nullptr ? Status::kOk : Status::kNotFound);
        if (live != nullptr) model_[to_db][to] = *live;
        break;
      }
      case 15: {
        const auto value = Get(key, db);
        ASSERT_EQ(value.has_value(), live != nullptr);
        ASSERT_TRUE(live == nullptr || *value == live->bytes);
        break;
      }
      case 16:
        now_ms_ += static_cast<int64_t>(Below(800));
        if (Below(2) == 0) storage_->RunExpireCycle(Below(50) + 1);
        break;
      case 17:
        storage_->RunGarbageCycle(Below(200) + 1);
        break;
      case 18:
        Group();
        break;
      case 19:
        Rare();
        break;
    }
  }

  // Several commands in one group, some of them rolled back, read back inside and then kept or dropped.
  void Group() {
    const auto saved = model_;
    WriteTxn txn(*storage_);
    for (uint64_t n = 1 + Below(6); n > 0; --n) {
      const DbIndex db = SomeDb();
      const std::string key = SomeKey();
      const HashedKey hashed = Key(key);
      ASSERT_EQ(txn.LockKeys({&hashed, 1}), Status::kOk);
      txn.BeginCommand(now_ms_, ReadTier::kDisk);
      ModelValue* live = Live(db, key);
      const std::string bytes = SomeBytes();
      uint64_t length = 0;
      const uint64_t verb = Below(4);
      const uint64_t offset = Below(100000);
      RecordPtr record;
      (void)txn.GetRecord(db, hashed, &record);
      ASSERT_EQ(record != nullptr, live != nullptr);
      Status status = Status::kOk;
      if (verb == 0) status = StringStore::Set(txn, db, hashed, bytes, kNoExpire);
      if (verb == 1) status = StringStore::Append(txn, db, hashed, bytes, &length);
      if (verb == 2) status = StringStore::SetRange(txn, db, hashed, offset, bytes, &length);
      if (verb == 3 && live != nullptr) txn.Erase(db, hashed);
      ASSERT_EQ(status, Status::kOk);
      if (Below(3) == 0) {
        txn.RollbackCommand();
        // What had expired was met, and is gone either way.
      } else {
        txn.EndCommand();
        if (verb == 0) model_[db][key] = {bytes, kNoExpire};
        if (verb == 1) model_[db][key].bytes += bytes;
        if (verb == 2 && !bytes.empty()) {
          std::string& value = model_[db][key].bytes;
          if (value.size() < offset + bytes.size()) value.resize(offset + bytes.size(), '\0');
          value.replace(offset, bytes.size(), bytes);
        }
        if (verb == 3) model_[db].erase(key);
      }
      std::string read;
      status = GetFrom(txn, db, hashed, &read);
      live = Live(db, key);
      ASSERT_EQ(status == Status::kOk, live != nullptr);
      ASSERT_TRUE(live == nullptr || read == live->bytes);
      std::set<std::string> scanned;
      ASSERT_EQ(Keyspace::ForEach(txn, db,
                                  [&](std::string_view each, const RecordPtr&) {
                                    EXPECT_TRUE(scanned.emplace(each).second);
                                    return true;
                                  }),
                Status::kOk);
      ASSERT_EQ(scanned, LiveKeys(db));
    }
    if (Below(4) == 0) {
      txn.Abort();
      model_ = saved;
      return;
    }
    uint64_t sequence = 0;
    ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
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
      case 3: {
        const DbIndex db = SomeDb();
        ASSERT_EQ(FlushDb(db), Status::kOk);
        model_[db].clear();
        break;
      }
      case 4: {
        const DbIndex a = SomeDb();
        const DbIndex b = SomeDb();
        ASSERT_EQ(WriteExclusive([&](WriteTxn& txn) { txn.SwapNamespaces(a, b); }), Status::kOk);
        std::swap(model_[a], model_[b]);
        break;
      }
      case 5:
        if (Below(3) != 0) break;
        ASSERT_EQ(FlushAll(), Status::kOk);
        for (ModelDatabase& each : model_) each.clear();
        break;
      case 6:
        // The clock goes back; what was due before is gone by then.
        while (storage_->RunExpireCycle(10) != 0) {
        }
        for (int db = 0; db < kDatabases; ++db) {
          for (int n = 0; n < kKeys; ++n) Live(static_cast<DbIndex>(db), "key:" + std::to_string(n));
        }
        now_ms_ -= static_cast<int64_t>(Below(2000));
        break;
      case 7:
        while (storage_->RunGarbageCycle(100) != 0) {
        }
        break;
    }
  }

  std::set<std::string> LiveKeys(DbIndex db) {
    std::set<std::string> keys;
    for (const auto& [key, value] : model_[db]) {
      if (value.expire_ms == kNoExpire || value.expire_ms > now_ms_) keys.insert(key);
    }
    return keys;
  }

  void CheckAll() {
    while (storage_->RunExpireCycle(10) != 0) {
    }
    for (int i = 0; i < kDatabases; ++i) {
      const DbIndex db = static_cast<DbIndex>(i);
      const std::set<std::string> live = LiveKeys(db);
      uint64_t expires = 0;
      for (const std::string& key : live) expires += model_[db][key].expire_ms != kNoExpire;
      ASSERT_EQ(storage_->Counts(db).keys, live.size());
      ASSERT_EQ(storage_->Counts(db).expires, expires);
      const std::vector<std::string> scanned = ScanAll(db, 3);
      ASSERT_EQ(scanned.size(), live.size());
      ASSERT_EQ(std::set<std::string>(scanned.begin(), scanned.end()), live);
      for (const std::string& key : live) ASSERT_TRUE(Get(key, db) == model_[db][key].bytes) << key;
    }
  }

  std::mt19937_64 random_;
  std::array<ModelDatabase, kDatabases> model_;
};

TEST_F(StorageModelTest, RandomVerbsAgreeWithMap) {
  const char* given = std::getenv("BASALT_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("BASALT_SEED=" + std::to_string(seed));
  random_.seed(seed);
  const int steps =
      given != nullptr && std::getenv("BASALT_STEPS") != nullptr ? std::atoi(std::getenv("BASALT_STEPS")) : 3000;
  for (int i = 0; i < steps; ++i) {
    Step();
    if (HasFatalFailure()) FAIL() << "step " << i;
    if (i % 100 == 99) CheckAll();
    if (HasFatalFailure()) FAIL() << "check after step " << i;
  }
  while (storage_->RunGarbageCycle(1000) != 0) {
  }
  CheckAll();
}

}  // namespace
}  // namespace basalt::storage
