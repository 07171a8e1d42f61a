#include "storage/record_cache.h"

#include <gtest/gtest.h>

namespace basalt::storage {
namespace {

RecordPtr Value(std::string_view bytes) {
  return Record::Make({ValueType::kString, Encoding::kRaw, kNoExpire, 0}, bytes);
}

class RecordCacheTest : public testing::Test {
 protected:
  static constexpr Namespace kNs = 1;
  static constexpr int64_t kNow = 1'700'000'000'000;

  KeyLocks::Stripe stripe() const { return KeyLocks::StripeOf(key_.hash); }
  std::string Read(uint64_t sequence_max = RecordCache::kAnySequence) {
    RecordPtr record;
    return cache_.Lookup(kNs, key_, kNow, sequence_max, RecordCache::Use::kCounts, &record)
               ? std::string(record->payload())
               : "(miss)";
  }
  // As a commit does.
  void Commit(std::string_view bytes, uint64_t sequence) {
    locks_.BeginWrite(stripe());
    RecordCache::Entry* entry = cache_.MarkPending(kNs, key_);
    cache_.Install(kNs, key_, entry, Value(bytes), sequence, kNow);
    locks_.EndWrite(stripe(), sequence);
  }

  KeyLocks locks_;
  RecordCache cache_{locks_, 1 << 20};
  HashedKey key_{"key", 0x1234567890abcdef};
};

// DESIGN §5: pending is a miss and may not be filled.
TEST_F(RecordCacheTest, PendingIsAMissAndIsNotFilled) {
  Commit("old", 10);
  EXPECT_EQ(Read(), "old");
  locks_.BeginWrite(stripe());
  RecordCache::Entry* entry = cache_.MarkPending(kNs, key_);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(Read(), "(miss)");
  const uint64_t version = locks_.Version(stripe());
  EXPECT_EQ(version % 2, 1u);
  cache_.Fill(kNs, key_, Value("old"), version, 11, kNow);  // read from disk before the write was visible
  EXPECT_EQ(Read(), "(miss)");
  cache_.Install(kNs, key_, entry, Value("new"), 12, kNow);
  locks_.EndWrite(stripe(), 12);
  EXPECT_EQ(Read(), "new");
}

// The same for a key that has no entry to mark.
TEST_F(RecordCacheTest, KeyThatIsNotCachedIsNotFilledDuringItsCommit) {
  locks_.BeginWrite(stripe());
  EXPECT_EQ(cache_.MarkPending(kNs, key_), nullptr);
  cache_.Fill(kNs, key_, Value("old"), locks_.Version(stripe()), 11, kNow);
  EXPECT_EQ(Read(), "(miss)");
  cache_.Erase(key_, nullptr);  // it was a DEL
  locks_.EndWrite(stripe(), 12);
  EXPECT_EQ(Read(), "(miss)");
}

// DESIGN §5: a fill happens only if the stripe's version did not move since before the read.
TEST_F(RecordCacheTest, FillAfterTheVersionMovedIsRefused) {
  const uint64_t before = locks_.Version(stripe());  // a reader reads "old" from disk
  Commit("new", 20);
  cache_.Clear();  // … "new" is evicted
  cache_.Fill(kNs, key_, Value("old"), before, 19, kNow);
  EXPECT_EQ(Read(), "(miss)");
  cache_.Fill(kNs, key_, Value("new"), locks_.Version(stripe()), 21, kNow);
  EXPECT_EQ(Read(), "new");
}

TEST_F(RecordCacheTest, ReaderAtASnapshotTakesOnlyWhatWasCommittedBefore) {
  Commit("v", 20);
  EXPECT_EQ(Read(19), "(miss)");
  EXPECT_EQ(Read(20), "v");
}

TEST_F(RecordCacheTest, FailedWriteRestoresWhatWasThere) {
  Commit("old", 10);
  locks_.BeginWrite(stripe());
  RecordCache::Entry* entry = cache_.MarkPending(kNs, key_);
  cache_.Restore(key_, entry);
  locks_.EndWrite(stripe(), 0);
  EXPECT_EQ(Read(), "old");
}

TEST_F(RecordCacheTest, StaysWithinItsBudgetAndKeepsWhatIsUsed) {
  std::vector<std::string> names;
  for (int i = 0; i < 20000; ++i) names.push_back("key-" + std::to_string(i));
  const auto hashed = [&](int i) { return HashedKey{names[i], 0x9e3779b97f4a7c15ull * static_cast<uint64_t>(i + 1)}; };
  uint64_t hot_hits = 0;
  for (int i = 0; i < 20000; ++i) {
    RecordPtr record;
    hot_hits +=
        cache_.Lookup(kNs, hashed(i % 100), kNow, RecordCache::kAnySequence, RecordCache::Use::kCounts, &record);
    const HashedKey key = hashed(i);
    cache_.Fill(kNs, key, Value(std::string(200, 'x')), locks_.Version(KeyLocks::StripeOf(key.hash)), 1, kNow);
    ASSERT_LE(cache_.GetStats().bytes, cache_.GetStats().budget_bytes);
  }
  EXPECT_GT(hot_hits, 15000u);
  EXPECT_GT(cache_.GetStats().entries, 1000u);
  cache_.SetBudget(64 << 10);
  EXPECT_LE(cache_.GetStats().bytes, 64u << 10);
  cache_.EraseNamespace(kNs);
  EXPECT_EQ(cache_.GetStats().entries, 0u);
  EXPECT_EQ(cache_.GetStats().bytes, 0u);
}

TEST_F(RecordCacheTest, AccessInfoTellsIdleTimeAndFrequency) {
  uint64_t idle = 0;
  uint8_t frequency = 0;
  EXPECT_FALSE(cache_.AccessInfo(kNs, key_, kNow, &idle, &frequency));
  Commit("v", 1);
  ASSERT_TRUE(cache_.AccessInfo(kNs, key_, kNow + 7000, &idle, &frequency));
  EXPECT_EQ(idle, 7u);
  EXPECT_EQ(frequency, 5);
  for (int i = 0; i < 1000; ++i) Read();
  ASSERT_TRUE(cache_.AccessInfo(kNs, key_, kNow, &idle, &frequency));
  EXPECT_GT(frequency, 8);
  EXPECT_LT(frequency, 100);
  const uint8_t used = frequency;
  ASSERT_TRUE(cache_.AccessInfo(kNs, key_, kNow + 3 * 60000, &idle, &frequency));
  EXPECT_EQ(frequency, used - 3);  // one a minute
}

}  // namespace
}  // namespace basalt::storage
