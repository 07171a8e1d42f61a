#include "server/monitor_hub.h"

#include <gtest/gtest.h>

namespace basalt {
namespace {

constexpr CommandSpec kSet = {.name = "set"};
constexpr CommandSpec kAuth = {.name = "auth"};
constexpr CommandSpec kConfigGet = {.name = "config|get", .flags = kCmdAdmin};

TEST(MonitorHub, LinesAreThoseOfRedis) {
  EXPECT_EQ(MonitorHub::Line(1339518083107412, 3, "127.0.0.1:60866", false, kSet,
                             std::vector<std::string_view>{"set", "a\"b\\\n", std::string_view("\0\x01\xff", 3)}),
            "+1339518083.107412 [3 127.0.0.1:60866] \"set\" \"a\\\"b\\\\\\n\" \"\\x00\\x01\\xff\"\r\n");
  EXPECT_EQ(MonitorHub::Line(1000001, 0, "/tmp/b.sock:0", true, kAuth, std::vector<std::string_view>{"auth", "secret"}),
            "+1.000001 [0 unix:/tmp/b.sock] \"auth\" \"(redacted)\"\r\n");
}

TEST(MonitorHub, AdministrationIsNotShown) {
  EXPECT_TRUE(MonitorHub::Shows(kSet));
  EXPECT_FALSE(MonitorHub::Shows(kConfigGet));
}

TEST(MonitorHub, EveryWatcherGetsTheSameBytes) {
  MonitorHub hub;
  std::vector<std::pair<uint32_t, const std::string*>> pushed;
  std::vector<std::shared_ptr<const std::string>> kept;
  hub.SetSink([&](std::span<const net::ConnId> conns, const std::shared_ptr<const std::string>& line) {
    for (const net::ConnId conn : conns) pushed.emplace_back(conn.slot, line.get());
    kept.push_back(line);
  });
  EXPECT_FALSE(hub.watched());
  const net::ConnId one{.worker = 0, .slot = 1, .generation = 1}, two{.worker = 0, .slot = 2, .generation = 1};
  hub.Add(one);
  hub.Add(two);
  hub.Add(two);
  EXPECT_TRUE(hub.watched());
  EXPECT_EQ(hub.size(), 2u);
  hub.Feed(kSet, std::vector<std::string_view>{"set", "a", "b"}, 0, "127.0.0.1:1", false);
  ASSERT_EQ(pushed.size(), 2u);
  EXPECT_EQ(pushed[0].second, pushed[1].second) << "shared, not copied";
  hub.Remove(one);
  hub.Remove(one);
  EXPECT_EQ(hub.size(), 1u);
}

}  // namespace
}  // namespace basalt
