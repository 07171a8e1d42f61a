#include "server/hyperloglog.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

namespace basalt {
namespace {

constexpr size_t kSparseBytesMax = 3000;

uint64_t Fnv1a(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

HyperLogLog WithElements(int count, size_t sparse_bytes_max) {
  HyperLogLog hll;
  for (int i = 0; i < count; ++i) {
    EXPECT_NE(hll.Add("element:" + std::to_string(i), sparse_bytes_max), HllResult::kCorrupt);
  }
  hll.ForgetCardinality();  // as PFADD does for a new key
  return hll;
}

// Recorded from Redis 7.2.4: PFADD h element:0 … element:<count-1> under that hll-sparse-max-bytes; then PFCOUNT, and
// length and FNV-1a hash of the value before it.
TEST(HyperLogLogTest, BytesAndEstimatesAreThoseOfRedis) {
  struct Recorded {
    size_t sparse_bytes_max;
    int count;
    uint64_t cardinality;
    size_t length;
    uint64_t hash;
  };
  const Recorded kRecorded[] = {
      {3000, 0, 0, 18, 0x524bc36d036c0579},
      {3000, 1, 1, 21, 0x5db2e01c33707b73},
      {3000, 2, 2, 24, 0xf025e8e2dad2663a},
      {3000, 10, 10, 48, 0x77f1dfb6ec0d7ad9},
      {3000, 50, 50, 158, 0xf91d1df8ba55eb4a},
      {3000, 100, 99, 285, 0x67b325af879902d0},
      {3000, 500, 502, 1050, 0x78db67250c4fc8c0},
      {3000, 1000, 997, 1897, 0xf28a9d93d3164c9},
      {3000, 2000, 2004, 12304, 0xcce1885576faad71},
      {3000, 5000, 5005, 12304, 0x71b59976ab1aa332},
      {3000, 100000, 100039, 12304, 0x8c615f2c02122d45},
      {100, 10, 10, 48, 0x77f1dfb6ec0d7ad9},
      {100, 50, 50, 12304, 0x94d9b5b50baf2e5f},
      {100, 100, 99, 12304, 0x5ea4dbb1181be205},
      {0, 0, 0, 18, 0x524bc36d036c0579},
      {0, 1, 1, 12304, 0xa729531e69893ca},
      {0, 2, 2, 12304, 0xf0f173cd41880f3e},
  };
  for (const Recorded& recorded : kRecorded) {
    const HyperLogLog hll = WithElements(recorded.count, recorded.sparse_bytes_max);
    uint64_t cardinality = 0;
    EXPECT_TRUE(hll.Estimate(&cardinality));
    EXPECT_EQ(cardinality, recorded.cardinality) << recorded.count;
    EXPECT_EQ(hll.bytes().size(), recorded.length) << recorded.count;
    EXPECT_EQ(Fnv1a(hll.bytes()), recorded.hash) << recorded.count << " at " << recorded.sparse_bytes_max;
  }
}

TEST(HyperLogLogTest, RunsReadAsRedisPrintsThem) {
  HyperLogLog hll;
  EXPECT_EQ(hll.Decode(), "Z:16384");
  for (const std::string_view element : {"a", "b", "c"})
    EXPECT_EQ(hll.Add(element, kSparseBytesMax), HllResult::kChanged);
  EXPECT_EQ(hll.Decode(), "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603");
  EXPECT_EQ(hll.Add("a", kSparseBytesMax), HllResult::kUnchanged);
}

TEST(HyperLogLogTest, SparseAndDenseAgreeOnEveryRegister) {
  std::mt19937 random(11);
  HyperLogLog sparse, dense;
  EXPECT_EQ(dense.ToDense(), HllResult::kChanged);
  EXPECT_EQ(dense.ToDense(), HllResult::kUnchanged);
  auto expected = std::make_unique<HllRegisters>();
  expected->fill(0);
  for (int i = 0; i < 3000; ++i) {
    const HllPoint point{static_cast<uint32_t>(random() % 600), static_cast<uint8_t>(1 + random() % 32)};
    const bool raises = point.rank > (*expected)[point.index];
    if (raises) (*expected)[point.index] = point.rank;
    const HllResult result = raises ? HllResult::kChanged : HllResult::kUnchanged;
    EXPECT_EQ(sparse.Raise(point, SIZE_MAX), result);
    EXPECT_EQ(dense.Raise(point, SIZE_MAX), result);
  }
  EXPECT_TRUE(sparse.sparse());
  for (const HyperLogLog* hll : {&sparse, &dense}) {
    auto merged = std::make_unique<HllRegisters>();
    merged->fill(0);
    EXPECT_TRUE(hll->MergeInto(merged.get()));
    EXPECT_EQ(*merged, *expected);
    uint64_t estimate = 0;
    EXPECT_TRUE(hll->Estimate(&estimate));
    EXPECT_EQ(estimate, HllEstimate(*expected));
  }
  EXPECT_EQ(sparse.ToDense(), HllResult::kChanged);
  EXPECT_EQ(sparse.bytes(), dense.bytes());
}

TEST(HyperLogLogTest, ARankThatSparseCannotHoldMakesItDense) {
  HyperLogLog hll;
  EXPECT_EQ(hll.Raise({5, 32}, kSparseBytesMax), HllResult::kChanged);
  EXPECT_TRUE(hll.sparse());
  EXPECT_EQ(hll.Raise({6, 33}, kSparseBytesMax), HllResult::kChanged);
  EXPECT_FALSE(hll.sparse());
}

TEST(HyperLogLogTest, TheCardinalityIsRememberedUntilSomethingChanges) {
  HyperLogLog hll;
  EXPECT_TRUE(hll.cardinality_known());
  EXPECT_EQ(hll.known_cardinality(), 0u);
  EXPECT_EQ(hll.Add("a", kSparseBytesMax), HllResult::kChanged);
  EXPECT_FALSE(hll.cardinality_known());
  hll.RememberCardinality(1);
  EXPECT_TRUE(hll.cardinality_known());
  EXPECT_EQ(hll.Add("a", kSparseBytesMax), HllResult::kUnchanged);
  EXPECT_EQ(hll.known_cardinality(), 1u);
}

TEST(HyperLogLogTest, OnlyTheHeaderAndTheSizeAreLookedAtFirst) {
  EXPECT_TRUE(HyperLogLog::LooksValid(HyperLogLog().bytes()));
  EXPECT_FALSE(HyperLogLog::LooksValid(""));
  EXPECT_FALSE(HyperLogLog::LooksValid("HYLL"));
  std::string bytes = HyperLogLog().bytes();
  bytes[4] = 2;
  EXPECT_FALSE(HyperLogLog::LooksValid(bytes));
  bytes[4] = 0;  // dense, but short
  EXPECT_FALSE(HyperLogLog::LooksValid(bytes));
  bytes.resize(kHllDenseBytes);
  EXPECT_TRUE(HyperLogLog::LooksValid(bytes));
  bytes[0] = 'h';
  EXPECT_FALSE(HyperLogLog::LooksValid(bytes));
}

// Any bytes behind a good header: an answer or "corrupt", never a read or write beyond (AddressSanitizer looks on).
TEST(HyperLogLogTest, HostileRunsAreRefusedOrHarmless) {
  std::mt19937 random(5);
  const std::string header = HyperLogLog().bytes().substr(0, kHllHeaderBytes);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = round % 2 == 0 ? header : WithElements(20, kSparseBytesMax).bytes();
    for (size_t n = random() % 8; n > 0; --n) {
      if (random() % 2 == 0 || bytes.size() == kHllHeaderBytes) {
        bytes.push_back(static_cast<char>(random()));
      } else {
        bytes[kHllHeaderBytes + random() % (bytes.size() - kHllHeaderBytes)] = static_cast<char>(random());
      }
    }
    HyperLogLog hll(bytes);
    (void)hll.Decode();
    uint64_t estimate = 0;
    auto registers = std::make_unique<HllRegisters>();
    registers->fill(0);
    const bool counts = hll.Estimate(&estimate);
    const bool merges = hll.MergeInto(registers.get());
    EXPECT_TRUE(merges || !counts);
    for (int i = 0; i < 20; ++i) {
      (void)hll.Raise({static_cast<uint32_t>(random() % kHllRegisters), static_cast<uint8_t>(1 + random() % 51)}, 3000);
    }
    (void)hll.ToDense();
  }
  std::string all_ones = header + std::string(kHllDenseBytes - kHllHeaderBytes, '\xff');
  all_ones[4] = 0;
  uint64_t estimate = 0;
  EXPECT_TRUE(HyperLogLog(all_ones).Estimate(&estimate));  // registers of 63, which no hash gives
}

}  // namespace
}  // namespace basalt
