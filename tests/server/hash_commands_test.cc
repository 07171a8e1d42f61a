// Hash commands, where the clock, the lane or the size matters. Replies and errors one by one are in tests/commands.

#include <map>
#include <set>

#include "server/stats.h"
#include "tests/server/command_fixture.h"

namespace basalt {
namespace {

constexpr std::string_view kNil = "$-1\r\n";

class HashCommandsTest : public CommandTest {
 protected:
  // `count` fields f0, f1, … with their numbers.
  void MakeHash(std::string_view key, int count) {
    for (int i = 0; i < count;) {
      std::vector<std::string> argv = {"HSET", std::string(key)};
      for (const int end = std::min(i + 500, count); i < end; ++i) {
        argv.push_back("f" + std::to_string(i));
        argv.push_back(std::to_string(i));
      }
      runner_.Run(argv);
    }
  }
  std::string ExpireFields(std::string_view key, int first, int last, std::string_view milliseconds) {
    std::vector<std::string> argv = {"HPEXPIRE", std::string(key), std::string(milliseconds), "FIELDS",
                                     std::to_string(last - first)};
    for (int i = first; i < last; ++i) argv.push_back("f" + std::to_string(i));
    return runner_.Run(argv);
  }
};

TEST_F(HashCommandsTest, TimesAreRoundedUpAsRedis74Does) {
  runner_.SetClock(1'700'000'000'001);
  Line("HSET h f v");
  EXPECT_EQ(Line("HPEXPIRE h 1500 FIELDS 1 f"), "*1\r\n:1\r\n");
  EXPECT_EQ(Line("HTTL h FIELDS 1 f"), "*1\r\n:2\r\n");
  EXPECT_EQ(Line("HPTTL h FIELDS 1 f"), "*1\r\n:1500\r\n");
  EXPECT_EQ(Line("HEXPIRETIME h FIELDS 1 f"), "*1\r\n:1700000002\r\n");
  EXPECT_EQ(Line("HPEXPIRETIME h FIELDS 1 f"), "*1\r\n:1700000001501\r\n");
  runner_.AdvanceClock(1499);
  EXPECT_EQ(Line("HTTL h FIELDS 1 f"), "*1\r\n:1\r\n");
  EXPECT_EQ(Line("HGET h f"), "$1\r\nv\r\n");
  runner_.AdvanceClock(1);
  EXPECT_EQ(Line("HTTL h FIELDS 1 f"), "*1\r\n:-2\r\n");
  EXPECT_EQ(Line("HGET h f"), kNil);
}

TEST_F(HashCommandsTest, NoReadShowsAFieldWhoseTimeHasComeAndNoneRemovesIt) {
  for (const int count : {20, 400}) {
    SCOPED_TRACE(count);
    Line("DEL h");
    MakeHash("h", count);
    ExpireFields("h", 0, count - 2, "10");
    runner_.AdvanceClock(10);
    EXPECT_EQ(Line("HLEN h"), ":2\r\n");
    EXPECT_EQ(Line("HGET h f0"), kNil);
    EXPECT_EQ(Line("HEXISTS h f1"), ":0\r\n");
    EXPECT_EQ(Line("HSTRLEN h f1"), ":0\r\n");
    EXPECT_EQ(Line("HTTL h FIELDS 1 f1"), "*1\r\n:-2\r\n");
    const std::string last = "f" + std::to_string(count - 1), other = "f" + std::to_string(count - 2);
    for (const std::string_view all : {"HKEYS h", "HGETALL h", "HSCAN h 0 COUNT 1000", "HRANDFIELD h 10"}) {
      const std::string reply = Line(all);
      EXPECT_NE(reply.find(last), std::string::npos) << all;
      EXPECT_NE(reply.find(other), std::string::npos) << all;
      EXPECT_EQ(reply.find("f0\r\n"), std::string::npos) << all;
    }
    EXPECT_TRUE(Line("HVALS h").starts_with("*2\r\n"));
    EXPECT_TRUE(Line("HSCAN h 0 COUNT 1000").find("*4\r\n") != std::string::npos);
    for (int i = 0; i < 20; ++i) {
      const std::string drawn = Line("HRANDFIELD h");
      EXPECT_TRUE(drawn.find(last) != std::string::npos || drawn.find(other) != std::string::npos) << drawn;
    }
    EXPECT_EQ(Line("HDEL h f0 " + last + " " + other), ":2\r\n");
    EXPECT_EQ(Line("EXISTS h"), ":0\r\n");
  }
}

TEST_F(HashCommandsTest, LargeOnesAreTheSlowLanesWork) {
  MakeHash("small", 300);
  MakeHash("large", 20'000);
  const auto slow_runs = [this](std::string_view line) {
    const int before = runner_.slow_runs();
    EXPECT_FALSE(Line(line).starts_with('-')) << line;
    return runner_.slow_runs() - before;
  };
  (void)Line("HGET large f1");  // its blocks are in memory from here on
  EXPECT_EQ(slow_runs("HGETALL small"), 0);
  EXPECT_EQ(slow_runs("HGETALL large"), 1);
  EXPECT_EQ(slow_runs("HKEYS large"), 1);
  EXPECT_EQ(slow_runs("HVALS large"), 1);
  EXPECT_EQ(slow_runs("HLEN large"), 0);
  EXPECT_EQ(slow_runs("HSCAN large 0 COUNT 100"), 0);
  EXPECT_EQ(slow_runs("HSCAN large 0 COUNT 100000"), 1);
  EXPECT_EQ(slow_runs("HRANDFIELD large"), 0);
  EXPECT_EQ(slow_runs("HRANDFIELD large 10"), 0);
  EXPECT_EQ(slow_runs("HRANDFIELD large 5000"), 1);
  EXPECT_EQ(slow_runs("HRANDFIELD large -5000"), 1);
  Line("HSET small blob " + std::string(300'000, 'x'));
  EXPECT_EQ(slow_runs("HGET small blob"), 1);
  EXPECT_EQ(slow_runs("HGETALL small"), 1);
  EXPECT_EQ(slow_runs("HMGET small f1 blob"), 1);
}

TEST_F(HashCommandsTest, EveryFieldOfALargeOneIsAnsweredOnce) {
  constexpr int kCount = 20'000;
  MakeHash("h", kCount);
  const std::string all = Line("HGETALL h");
  EXPECT_TRUE(all.starts_with("*40000\r\n"));
  std::set<std::string> scanned;
  std::string cursor = "0";
  do {
    std::vector<std::string> items;
    const std::string reply = runner_.Run({"HSCAN", "h", cursor, "COUNT", "999"});
    for (size_t at = 0; (at = reply.find("\r\n", at)) != std::string::npos; at += 2) {
      const size_t end = reply.find("\r\n", at + 2);
      if (end != std::string::npos && reply[at + 2] != '$' && reply[at + 2] != '*') {
        items.push_back(reply.substr(at + 2, end - at - 2));
      }
    }
    cursor = items.at(0);
    for (size_t i = 1; i < items.size(); i += 2) EXPECT_TRUE(scanned.insert(items[i]).second) << items[i];
  } while (cursor != "0");
  EXPECT_EQ(scanned.size(), static_cast<size_t>(kCount));
}

TEST_F(HashCommandsTest, SmallRequestsDoNotMakeEndlessReplies) {
  MakeHash("small", 3);
  MakeHash("large", 2000);
  for (const std::string_view key : {"small", "large"}) {
    for (const std::string_view count : {"-9223372036854775807", "-4611686018427387903", "-1000000000"}) {
      EXPECT_EQ(Run({"HRANDFIELD", key, count}), "-ERR value is out of range\r\n");
      EXPECT_EQ(Run({"HRANDFIELD", key, "-4611686018427387903", "WITHVALUES"}), "-ERR value is out of range\r\n");
    }
    EXPECT_TRUE(Run({"HRANDFIELD", key, "-100000"}).starts_with("*100000\r\n"));
  }
}

TEST_F(HashCommandsTest, LookUpsOfReadsCountAndThoseOfWritesDoNot) {
  Line("HSET h f v");
  Line("HDEL h nosuchfield");
  Line("HINCRBY h n 1");
  Line("HEXPIRE h 10 FIELDS 1 f");
  const Stats::Totals before = runner_.stats().Read();
  Line("HGET h f");
  Line("HGET h nosuchfield");
  Line("HGETALL h");
  Line("HLEN nosuchkey");
  Line("HTTL h FIELDS 1 f");
  const Stats::Totals after = runner_.stats().Read();
  EXPECT_EQ(after.hits - before.hits, 4u);
  EXPECT_EQ(after.misses - before.misses, 1u);
}

}  // namespace
}  // namespace basalt
