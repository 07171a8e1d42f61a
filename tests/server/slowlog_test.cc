#include "server/slowlog.h"

#include <gtest/gtest.h>

#include "server/command_table.h"

namespace basalt {
namespace {

constexpr CommandSpec kAuth = {.name = "auth"};
constexpr CommandSpec kSet = {.name = "set"};

TEST(SlowLog, ThresholdDecides) {
  EXPECT_TRUE(SlowLog::Wants(10000, 10000));
  EXPECT_FALSE(SlowLog::Wants(9999, 10000));
  EXPECT_TRUE(SlowLog::Wants(0, 0));
  EXPECT_FALSE(SlowLog::Wants(1 << 30, -1));
}

TEST(SlowLog, NewestFirstAndTrimmedToItsLength) {
  SlowLog log;
  for (int i = 0; i < 5; ++i) {
    const std::string key = std::to_string(i);
    log.Record(kSet, std::vector<std::string_view>{"set", key, "v"}, 100 + i,
               {.peer = "127.0.0.1:1", .name = "me", .queue_wait_ns = 7000}, 1700000000 + i, 3);
  }
  EXPECT_EQ(log.size(), 3u);
  const auto entries = log.Newest(10);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].id, 4u);
  EXPECT_EQ(entries[0].args, (std::vector<std::string>{"set", "4", "v"}));
  EXPECT_EQ(entries[0].duration_us, 104);
  EXPECT_EQ(entries[0].queue_wait_us, 7);
  EXPECT_EQ(entries[2].id, 2u);
  EXPECT_EQ(log.Newest(1).size(), 1u);
  log.Reset();
  EXPECT_EQ(log.size(), 0u);
  log.Record(kSet, std::vector<std::string_view>{"set"}, 1, {}, 0, 3);
  EXPECT_EQ(log.Newest(1)[0].id, 5u) << "numbers go on after a reset";
}

TEST(SlowLog, LongCommandsAreCutAsInRedis) {
  SlowLog log;
  std::vector<std::string_view> argv(40, "x");
  const std::string big(200, 'A');
  argv[1] = big;
  log.Record(kSet, argv, 1, {}, 0, 10);
  const auto entry = log.Newest(1)[0];
  ASSERT_EQ(entry.args.size(), SlowLog::kArgsMax);
  EXPECT_EQ(entry.args[1], std::string(128, 'A') + "... (72 more bytes)");
  EXPECT_EQ(entry.args[30], "x");
  EXPECT_EQ(entry.args[31], "... (9 more arguments)");
}

TEST(SlowLog, PasswordsAreNotKept) {
  SlowLog log;
  log.Record(kAuth, std::vector<std::string_view>{"auth", "secret"}, 1, {}, 0, 10);
  EXPECT_EQ(log.Newest(1)[0].args, (std::vector<std::string>{"auth", "(redacted)"}));
}

}  // namespace
}  // namespace basalt
