#include "server/acl/acl_log.h"

#include <gtest/gtest.h>

namespace basalt {
namespace {

AclLog::Entry Denial(std::string object, AclDenial reason = AclDenial::kCommand) {
  AclLog::Entry entry;
  entry.reason = reason;
  entry.object = std::move(object);
  entry.user = "u";
  return entry;
}

TEST(AclLogTest, DenialsAlikeAreCountedTogetherForAMinute) {
  AclLog log;
  log.Record(Denial("get"), 1000, 128);
  log.Record(Denial("set"), 2000, 128);
  AclLog::Entry again = Denial("get");
  again.client = "later";
  log.Record(again, 61'000, 128);
  std::vector<AclLog::Entry> entries = log.Newest(10);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].object, "get");  // moved to the front
  EXPECT_EQ(entries[0].count, 2u);
  EXPECT_EQ(entries[0].id, 0u);
  EXPECT_EQ(entries[0].created_ms, 1000);
  EXPECT_EQ(entries[0].updated_ms, 61'000);
  EXPECT_EQ(entries[0].client, "later");
  log.Record(Denial("get"), 61'000 + AclLog::kGroupMs + 1, 128);
  entries = log.Newest(10);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].id, 2u);
  EXPECT_EQ(entries[0].count, 1u);
}

TEST(AclLogTest, WhatDiffersIsNotCountedTogether) {
  AclLog log;
  log.Record(Denial("k"), 1, 128);
  log.Record(Denial("k", AclDenial::kKey), 1, 128);
  AclLog::Entry other_user = Denial("k");
  other_user.user = "v";
  log.Record(other_user, 1, 128);
  AclLog::Entry other_context = Denial("k");
  other_context.context = AclLog::Context::kMulti;
  log.Record(other_context, 1, 128);
  EXPECT_EQ(log.Newest(10).size(), 4u);
}

TEST(AclLogTest, OnlyTheNewestAreCompared) {
  AclLog log;
  for (size_t i = 0; i <= AclLog::kCompared; ++i) log.Record(Denial("k" + std::to_string(i)), 1, 128);
  log.Record(Denial("k0"), 1, 128);  // the eleventh from the front
  EXPECT_EQ(log.Newest(100).size(), AclLog::kCompared + 2);
}

TEST(AclLogTest, ItKeepsNoMoreThanItMay) {
  AclLog log;
  for (int i = 0; i < 100; ++i) log.Record(Denial("k" + std::to_string(i)), 1, 5);
  std::vector<AclLog::Entry> entries = log.Newest(100);
  ASSERT_EQ(entries.size(), 5u);
  EXPECT_EQ(entries[0].object, "k99");
  log.Record(Denial("none"), 1, 0);
  EXPECT_TRUE(log.Newest(100).empty());
  log.Record(Denial(std::string(1 << 20, 'x'), AclDenial::kKey), 1, 5);
  EXPECT_EQ(log.Newest(1)[0].object.size(), AclLog::kObjectBytesMax);
  log.Reset();
  EXPECT_TRUE(log.Newest(100).empty());
  log.Record(Denial("k"), 1, 5);
  EXPECT_EQ(log.Newest(1)[0].id, 102u);  // ids go on
}

}  // namespace
}  // namespace basalt
