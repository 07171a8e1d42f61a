#include "server/key_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace basalt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(KeyEventsTest, EveryLetterIsAClassOfItsOwnAndComesBack) {
  uint32_t seen = 0;
  for (const char letter : std::string_view("KEg$lshzxetmdn")) {
    uint32_t classes = 0;
    ASSERT_TRUE(ParseKeyEventClasses(std::string(1, letter), &classes)) << letter;
    EXPECT_EQ(classes & seen, 0u) << letter;
    EXPECT_EQ(classes & (classes - 1), 0u) << letter;
    EXPECT_EQ(KeyEventClassesText(classes), std::string(1, letter));
    seen |= classes;
  }
  uint32_t classes = 0;
  EXPECT_TRUE(ParseKeyEventClasses("", &classes));
  EXPECT_EQ(classes, 0u);
  for (const std::string_view wrong : {"k", "a", "KE?", "A ", "KEA\n"}) {
    EXPECT_FALSE(ParseKeyEventClasses(wrong, &classes)) << wrong;
  }
}

TEST(KeyEventsTest, AStandsForAllButMissesAndNewKeys) {
  uint32_t classes = 0;
  ASSERT_TRUE(ParseKeyEventClasses("A", &classes));
  EXPECT_EQ(classes, kEventAll);
  EXPECT_EQ(classes & (kEventKeyMiss | kEventNew | kEventChannels), 0u);
  EXPECT_EQ(KeyEventClassesText(kEventAll | kEventNew | kEventChannels | kEventKeyMiss), "AnKEm");
  EXPECT_EQ(KeyEventClassesText((kEventAll & ~kEventList) | kEventKeyspace), "g$shzxetdK");
}

TEST(KeyEventsTest, NothingIsWantedWithoutAChannel) {
  EXPECT_FALSE(WantsKeyEvent(kEventAll, kEventString));
  EXPECT_FALSE(WantsKeyEvent(kEventKeyspace | kEventList, kEventString));
  EXPECT_TRUE(WantsKeyEvent(kEventKeyspace | kEventString, kEventString));
  EXPECT_TRUE(WantsKeyEvent(kEventKeyevent | kEventGeneric, kEventString | kEventGeneric));
}

std::vector<std::pair<std::string, std::string>> Messages(uint32_t channels) {
  std::vector<std::pair<std::string, std::string>> messages;
  PublishKeyEvent(channels, 12, "lpush", "my key",
                  [&](std::string_view channel, std::string_view message) { messages.emplace_back(channel, message); });
  return messages;
}

TEST(KeyEventsTest, AnEventIsUpToTwoMessages) {
  EXPECT_THAT(Messages(kEventList), IsEmpty());
  EXPECT_THAT(Messages(kEventKeyspace), ElementsAre(Pair("__keyspace@12__:my key", "lpush")));
  EXPECT_THAT(Messages(kEventKeyevent), ElementsAre(Pair("__keyevent@12__:lpush", "my key")));
  EXPECT_THAT(Messages(kEventKeyspace | kEventKeyevent | kEventList),
              ElementsAre(Pair("__keyspace@12__:my key", "lpush"), Pair("__keyevent@12__:lpush", "my key")));
}

}  // namespace
}  // namespace basalt
