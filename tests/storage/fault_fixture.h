#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "storage/storage_impl.h"
#include "tests/storage/fault_fs.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {

// A Storage on a disk that fails on demand, and what it has acknowledged.
class FaultTest : public StorageTest {
 protected:
  // What a key may hold after its last write was answered with an error: one of several.
  using Possible = std::vector<std::optional<std::string>>;

  void SetUp() override {
    fs_ = std::make_shared<FaultFs>();
    env_ = rocksdb::NewCompositeEnv(fs_);
    options_.env = env_.get();
    options_.ballast_bytes = 1 << 20;
    StorageTest::SetUp();
  }
  void TearDown() override {
    fs_->Heal();
    StorageTest::TearDown();
  }

  Guardian& guardian() { return storage_->impl().guardian; }

  // As a client sees it: whether +OK came. An error leaves two possibilities.
  bool Acknowledged(const Status committed) {
    if (committed != Status::kOk) return false;
    const uint64_t sequence = storage_->LastSequence();
    if (storage_->ReplyMayLeave(sequence)) return true;
    Status left = Status::kInvalid;
    storage_->WhenReplyMayLeave(sequence, [&left](Status status) { left = status; });
    return left == Status::kOk;
  }
  void Note(const std::string& key, const std::optional<std::string>& value, bool acknowledged) {
    Possible& possible = model_.try_emplace(key, Possible{std::nullopt}).first->second;
    if (acknowledged) possible.clear();
    possible.push_back(value);
  }
  bool TrySet(const std::string& key, const std::string& value, int64_t expire_ms = kNoExpire) {
    const bool acknowledged = Acknowledged(Set(key, value, expire_ms));
    Note(key, value, acknowledged);
    return acknowledged;
  }
  bool TryDel(const std::string& key) {
    const Status status = Del(key);
    if (status == Status::kNotFound) return true;
    const bool acknowledged = Acknowledged(status);
    Note(key, std::nullopt, acknowledged);
    return acknowledged;
  }
  // All or nothing.
  bool TrySetBoth(const std::string& a, const std::string& b, const std::string& value) {
    const Status status = Write({a, b}, [&](WriteTxn& txn) {
      for (const std::string& key : {a, b}) {
        RecordPtr old;
        (void)txn.GetRecord(0, Key(key), &old);
        const Status set = StringStore::Set(txn, 0, Key(key), value, kNoExpire);
        if (set != Status::kOk) return set;
      }
      return Status::kOk;
    });
    const bool acknowledged = Acknowledged(status);
    Note(a, value, acknowledged);
    Note(b, value, acknowledged);
    pairs_.push_back({a, b});
    return acknowledged;
  }

  // Until writes are allowed again.
  void WaitUntilHealthy() {
    for (int i = 0; i < 400 && storage_->health() != Health::kOk; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      if (!options_.background) guardian().Tick();
    }
    ASSERT_EQ(storage_->health(), Health::kOk) << storage_->HealthReason();
  }

  // Every key holds what was acknowledged, or one of the possibilities; counters say what a scan finds.
  void ExpectModel() {
    for (auto& [key, possible] : model_) {
      const std::optional<std::string> value = Get(key);
      EXPECT_NE(std::find(possible.begin(), possible.end(), value), possible.end())
          << key << (value ? " is there" : " is missing") << ", one of " << possible.size();
      possible = {value};
    }
    for (const auto& [a, b] : pairs_) EXPECT_EQ(Get(a), Get(b)) << a << " and " << b;
    ExpectCounters();
  }
  void ExpectCounters() {
    uint64_t keys = 0;
    uint64_t expires = 0;
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    const Status status = Keyspace::ForEach(view, 0, [&](std::string_view, const RecordPtr& record) {
      ++keys;
      expires += record->expire_ms() != kNoExpire;
      return true;
    });
    EXPECT_EQ(status, Status::kOk);
    EXPECT_EQ(storage_->Counts(0).keys, keys);
    EXPECT_EQ(storage_->Counts(0).expires, expires);
  }

  std::shared_ptr<FaultFs> fs_;
  std::unique_ptr<rocksdb::Env> env_;
  std::map<std::string, Possible> model_;
  std::vector<std::pair<std::string, std::string>> pairs_;
};

}  // namespace basalt::storage
