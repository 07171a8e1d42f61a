#include "server/watch_table.h"

#include <gtest/gtest.h>

namespace basalt {
namespace {

using storage::Change;
using storage::ChangeKind;
using storage::DbIndex;
using storage::HashedKey;

Change Modified(DbIndex db, std::string_view key, ChangeKind kind = ChangeKind::kModified) {
  return {.db = db, .kind = kind, .created = false, .key = HashedKey{key, 1}};
}

class WatchTableTest : public ::testing::Test {
 protected:
  std::shared_ptr<WatchToken> Watching(DbIndex db, std::string_view key, bool existed) {
    auto token = std::make_shared<WatchToken>();
    table_.Watch(token, db, HashedKey{key, 1}, existed);
    return token;
  }

  WatchTable table_;
};

TEST_F(WatchTableTest, AChangeMarksExactlyThoseWhoWatchThatKeyInThatDatabase) {
  auto same = Watching(0, "k", true);
  auto other_key = Watching(0, "l", true);
  auto other_db = Watching(1, "k", true);
  table_.Touch(Modified(0, "k"));
  EXPECT_TRUE(same->dirty());
  EXPECT_FALSE(other_key->dirty());
  EXPECT_FALSE(other_db->dirty());
}

TEST_F(WatchTableTest, WatchingTwiceIsOnceAndForgettingLeavesNothing) {
  auto token = Watching(0, "k", true);
  table_.Watch(token, 0, HashedKey{"k", 1}, true);
  EXPECT_EQ(table_.watched_keys(), 1u);
  table_.Forget(token);
  EXPECT_EQ(token, nullptr);
  EXPECT_EQ(table_.watched_keys(), 0u);
  table_.Touch(Modified(0, "k"));
}

TEST_F(WatchTableTest, ForgettingKeepsTheOtherWatchersOfTheKey) {
  auto first = Watching(0, "k", true);
  auto second = Watching(0, "k", true);
  table_.Forget(first);
  table_.Touch(Modified(0, "k"));
  EXPECT_TRUE(second->dirty());
}

TEST_F(WatchTableTest, TheRemovalOfAnExpiredKeyIsNoChangeToWhoFoundItExpired) {
  auto found_live = Watching(0, "k", true);
  auto found_expired = Watching(0, "k", false);
  table_.Touch(Modified(0, "k", ChangeKind::kExpired));
  EXPECT_TRUE(found_live->dirty());
  EXPECT_FALSE(found_expired->dirty());
}

TEST_F(WatchTableTest, ReplacingADatabaseMarksWhoSawAKeyThere) {
  auto existed = Watching(3, "k", true);
  auto absent = Watching(3, "l", false);
  auto elsewhere = Watching(4, "k", true);
  const DbIndex replaced[] = {3};
  table_.TouchDatabases(replaced);
  EXPECT_TRUE(existed->dirty());
  EXPECT_FALSE(absent->dirty());
  EXPECT_FALSE(elsewhere->dirty());
}

}  // namespace
}  // namespace basalt
