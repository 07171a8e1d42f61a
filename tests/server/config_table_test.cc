#include "server/config_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "server/key_events.h"
#include "tests/server/folder_test.h"

namespace basalt {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ConfigTableTest : public FolderTest {
 protected:
  std::string LoadError(const std::string& text) {
    ConfigTable config;
    std::string error;
    EXPECT_FALSE(config.LoadFile(Write("bad.conf", text), &error)) << text;
    return error.substr(folder_.size() + 1);
  }
  std::string Get(const ConfigTable& config, std::string_view name) {
    const auto found = config.Get(std::vector<std::string_view>{name});
    return found.size() == 1 ? found[0].second : "(" + std::to_string(found.size()) + " options)";
  }
  std::string Set(ConfigTable& config, std::vector<std::string_view> words, bool local = false) {
    const Status status = config.Set(words, local);
    return status.ok() ? "OK" : status.code() == ErrorCode::kMessage ? status.text() : ErrorText(status, "config|set");
  }
};

// ---- the table itself ----

TEST(OptionTable, NamesAreUniqueAndInRedisStyle) {
  std::set<std::string_view> names;
  for (const OptionSpec& option : AllOptions()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    if (!option.alias.empty()) {
      EXPECT_TRUE(names.insert(option.alias).second) << option.alias;
    }
    EXPECT_EQ(option.name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ "), std::string_view::npos) << option.name;
    EXPECT_EQ(option.Has(kOptCompat),
              option.section == OptionSection::kReplication || option.section == OptionSection::kCompatibility)
        << option.name;
    if (option.type == OptionType::kEnum) {
      EXPECT_FALSE(option.choices.empty()) << option.name;
    }
  }
}

TEST(OptionTable, EveryDefaultIsAGoodValueThatReadsBackTheSame) {
  for (const OptionSpec& option : AllOptions()) {
    const std::string text = DefaultText(option);
    std::vector<std::string> words;
    ASSERT_TRUE(SplitWords(option.Has(kOptMultiArg) && !text.empty() ? text : QuoteWord(text), &words)) << option.name;
    const std::vector<std::string_view> views(words.begin(), words.end());
    std::string again, error;
    EXPECT_TRUE(ParseOption(option, views, "", &again, &error)) << option.name << ": " << error;
    EXPECT_EQ(again, text) << option.name;
  }
}

TEST(OptionTable, ChoicesStandInTheOrderOfTheirEnumerations) {
  const auto choices = [](std::string_view name) { return FindOption(name)->choices; };
  EXPECT_EQ(choices("appendfsync")[static_cast<size_t>(AppendFsync::kAlways)], "always");
  EXPECT_EQ(choices("appendfsync")[static_cast<size_t>(AppendFsync::kEverySecond)], "everysec");
  EXPECT_EQ(choices("loglevel")[static_cast<size_t>(LogLevel::kNothing)], "nothing");
  EXPECT_EQ(choices("enable-debug-command")[static_cast<size_t>(Permission::kLocal)], "local");
  EXPECT_EQ(choices("compression")[static_cast<size_t>(Compression::kZstd)], "zstd");
  EXPECT_EQ(choices("maxmemory-policy")[static_cast<size_t>(EvictionPolicy::kNoEviction)], "noeviction");
}

TEST(OptionTable, WhatToolsAskForIsThere) {  // SURFACE.md A.11
  for (const char* name : {"save",
                           "appendonly",
                           "appendfsync",
                           "databases",
                           "maxmemory",
                           "maxmemory-policy",
                           "maxclients",
                           "timeout",
                           "tcp-keepalive",
                           "slowlog-log-slower-than",
                           "slowlog-max-len",
                           "latency-monitor-threshold",
                           "client-output-buffer-limit",
                           "client-query-buffer-limit",
                           "proto-max-bulk-len",
                           "repl-backlog-size",
                           "replica-read-only",
                           "replica-priority",
                           "min-replicas-to-write",
                           "min-replicas-max-lag",
                           "notify-keyspace-events",
                           "lua-time-limit",
                           "io-threads",
                           "cluster-enabled",
                           "dir",
                           "dbfilename",
                           "requirepass",
                           "masterauth",
                           "masteruser",
                           "bind",
                           "port",
                           "unixsocket",
                           "loglevel",
                           "hash-max-listpack-entries"}) {
    EXPECT_NE(FindOption(name), nullptr) << name;
  }
}

// ---- values ----

TEST_F(ConfigTableTest, TypedFieldsFollowTheTexts) {
  ConfigTable config;
  EXPECT_EQ(config.current().port, 6379);
  EXPECT_EQ(config.current().bind, (std::vector<std::string>{"127.0.0.1", "-::1"}));
  EXPECT_EQ(config.current().memory, 1ll << 30);
  EXPECT_EQ(config.current().appendfsync, AppendFsync::kEverySecond);
  EXPECT_EQ(config.current().output_limit(ClientClass::kReplica).hard_bytes, 256u << 20);
  EXPECT_EQ(config.current().output_limit(ClientClass::kPubsub).soft_seconds, 60u);
  EXPECT_EQ(config.current().latency_tracking_info_percentiles, (std::vector<double>{50, 99, 99.9}));
  EXPECT_EQ(
      Set(config, {"appendfsync", "ALWAYS", "notify-keyspace-events", "KEA", "timeout", "7", "requirepass", "pw"}),
      "OK");
  EXPECT_EQ(config.current().appendfsync, AppendFsync::kAlways);
  EXPECT_EQ(config.current().notify_keyspace_events, kEventAll | kEventKeyspace | kEventKeyevent);
  EXPECT_EQ(config.current().timeout, 7);
  EXPECT_EQ(config.current().requirepass, "pw");
}

TEST_F(ConfigTableTest, MemorySizesHaveUnits) {
  int64_t bytes = 0;
  const std::pair<const char*, int64_t> kGood[] = {{"0", 0},           {"1b", 1},         {"1k", 1000},
                                                   {"1kb", 1024},      {"2m", 2000000},   {"2MB", 2 << 20},
                                                   {"3g", 3000000000}, {"3Gb", 3ll << 30}};
  for (const auto& [text, value] : kGood) {
    EXPECT_TRUE(ParseMemory(text, &bytes)) << text;
    EXPECT_EQ(bytes, value) << text;
  }
  for (const char* text : {"", "b", "-1", "1t", "1 kb", "x", "99999999999999999999", "9223372036854775807kb"})
    EXPECT_FALSE(ParseMemory(text, &bytes)) << text;
}

TEST_F(ConfigTableTest, GetUnderstandsGlobsAndAliases) {
  ConfigTable config;
  EXPECT_EQ(Get(config, "maxmemory"), "0");
  EXPECT_EQ(Get(config, "MaxMemory"), "0");
  EXPECT_EQ(Get(config, "no-such-option"), "(0 options)");
  EXPECT_EQ(Get(config, "lua-time-limit"), "5000");
  EXPECT_EQ(Get(config, "key-load-delay"), "0") << "hidden ones answer to their name";
  std::set<std::string> names;
  for (const auto& [name, value] :
       config.Get(std::vector<std::string_view>{"maxmemory", "maxmemory*", "*of", "key-load*"})) {
    EXPECT_TRUE(names.insert(name).second) << name << " twice";
  }
  EXPECT_TRUE(names.contains("maxmemory") && names.contains("maxmemory-samples") && names.contains("slaveof") &&
              names.contains("replicaof"));
  EXPECT_FALSE(names.contains("key-load-delay"));
}

TEST_F(ConfigTableTest, ErrorsAreThoseOfRedis) {
  ConfigTable config;
  const auto failed = [](const std::string& name, const std::string& why) {
    return "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why;
  };
  EXPECT_EQ(Set(config, {"nope", "1"}), "ERR Unknown option or number of arguments for CONFIG SET - 'nope'");
  EXPECT_EQ(Set(config, {"timeout"}), "ERR syntax error");
  EXPECT_EQ(Set(config, {"databases", "3"}), failed("databases", "can't set immutable config"));
  EXPECT_EQ(Set(config, {"dbfilename", "x"}), failed("dbfilename", "can't set protected config"));
  EXPECT_EQ(Set(config, {"timeout", "1", "TIMEOUT", "2"}), failed("TIMEOUT", "duplicate parameter"));
  EXPECT_EQ(Set(config, {"timeout", "x"}), failed("timeout", "argument couldn't be parsed into an integer"));
  EXPECT_EQ(Set(config, {"timeout", "-1"}), failed("timeout", "argument must be between 0 and 2147483647 inclusive"));
  EXPECT_EQ(Set(config, {"maxmemory", "1x"}), failed("maxmemory", "argument must be a memory value"));
  EXPECT_EQ(Set(config, {"maxmemory-clients", "200%"}),
            failed("maxmemory-clients", "percentage argument must be less or equal to 100"));
  EXPECT_EQ(Set(config, {"protected-mode", "maybe"}), failed("protected-mode", "argument must be 'yes' or 'no'"));
  EXPECT_EQ(Set(config, {"appendfsync", "x"}),
            failed("appendfsync", "argument(s) must be one of the following: everysec, always, no"));
  EXPECT_EQ(Set(config, {"save", "1"}), failed("save", "Invalid save parameters"));
  EXPECT_EQ(Set(config, {"client-output-buffer-limit", "wrong 0 0 0"}),
            failed("client-output-buffer-limit", "Invalid client class specified in buffer limit configuration."));
  EXPECT_EQ(Set(config, {"client-output-buffer-limit", "normal 0"}),
            failed("client-output-buffer-limit", "Wrong number of arguments in buffer limit configuration."));
  EXPECT_EQ(Set(config, {"notify-keyspace-events", "?"}),
            failed("notify-keyspace-events", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."));
}

TEST_F(ConfigTableTest, SetIsAllOrNothing) {
  ConfigTable config;
  EXPECT_EQ(Set(config, {"maxmemory", "10000002"}), "OK");
  EXPECT_THAT(Set(config, {"maxmemory", "10000001", "maxmemory-clients", "200%"}), StartsWith("ERR CONFIG SET failed"));
  EXPECT_EQ(Get(config, "maxmemory"), "10000002");
}

TEST_F(ConfigTableTest, AnApplierCanRefuseAndEverythingIsPutBack) {
  ConfigTable config;
  std::vector<int64_t> timeouts;
  config.OnChange({"timeout"}, [&](const ConfigSnapshot& next, std::string*) {
    timeouts.push_back(next.timeout);
    return true;
  });
  config.OnChange({"port", "bind"}, [](const ConfigSnapshot& next, std::string* error) {
    *error = "Unable to listen on this port.";
    return next.port != 1;
  });
  EXPECT_EQ(Set(config, {"timeout", "5", "port", "1"}),
            "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port.");
  EXPECT_EQ(timeouts, (std::vector<int64_t>{5, 0}));
  EXPECT_EQ(config.current().timeout, 0);
  EXPECT_EQ(Set(config, {"timeout", "0"}), "OK");
  EXPECT_EQ(timeouts.size(), 2u) << "nothing changed, nothing is applied";
  EXPECT_EQ(Set(config, {"port", "2"}), "OK");
}

TEST_F(ConfigTableTest, OutputLimitsChangeClassByClass) {
  ConfigTable config;
  EXPECT_EQ(Set(config, {"client-output-buffer-limit", "pubsub 1mb 2kb 3"}), "OK");
  EXPECT_EQ(Get(config, "client-output-buffer-limit"),
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 1048576 2048 3");
  EXPECT_EQ(config.current().output_limit(ClientClass::kPubsub).hard_bytes, 1u << 20);
}

TEST_F(ConfigTableTest, NotifyFlagsAreShownAsRedisShowsThem) {
  ConfigTable config;
  for (const auto& [set, get] : std::vector<std::pair<std::string_view, std::string>>{
           {"KEA", "AKE"}, {"Ex", "xE"}, {"KEg$lshzxetd", "AKE"}, {"K$m", "$Km"}, {"", ""}, {"An", "An"}}) {
    EXPECT_EQ(Set(config, {"notify-keyspace-events", set}), "OK");
    EXPECT_EQ(Get(config, "notify-keyspace-events"), get);
  }
}

TEST_F(ConfigTableTest, OptionsOfOurOwnMayBeSetToWhatTheyAre) {  // suites set every option to its own value
  ConfigTable config;
  EXPECT_EQ(Set(config, {"workers", "0"}), "OK");
  EXPECT_THAT(Set(config, {"workers", "3"}), HasSubstr("immutable"));
  EXPECT_THAT(Set(config, {"databases", "16"}), HasSubstr("immutable"));
}

TEST_F(ConfigTableTest, ReadersNeverSeeHalfAChange) {
  ConfigTable config;
  ASSERT_EQ(Set(config, {"timeout", "300", "tcp-keepalive", "300"}), "OK");  // equal from here on
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      const ConfigSnapshot& now = config.current();
      ASSERT_EQ(now.timeout, now.tcp_keepalive);
    }
  });
  for (int i = 0; i < 500; ++i) {
    const std::string value = std::to_string(300 + i % 3);
    ASSERT_EQ(Set(config, {"timeout", value, "tcp-keepalive", value}), "OK");
  }
  stop = true;
  reader.join();
}

// ---- the file ----

TEST_F(ConfigTableTest, FileLinesQuotesCommentsAndIncludes) {
  Write("more.conf", "timeout 9\nport 7001\n");
  const std::string path =
      Write("basalt.conf",
            "# a comment\n\n  port 7000  \nrequirepass \"a b\\x41\\n\"\nmasterauth 'it\\'s'\n"
            "include more.conf\nbind 10.0.0.1 ::1\nsave 900 1\nsave 300 10\nslave-priority 3\n"
            "client-output-buffer-limit normal 1mb 0 0\nclient-output-buffer-limit pubsub 2mb 0 0\n");
  ConfigTable config;
  std::string error;
  ASSERT_TRUE(config.LoadFile(path, &error)) << error;
  EXPECT_EQ(config.current().port, 7001) << "later lines win";
  EXPECT_EQ(config.current().timeout, 9);
  EXPECT_EQ(config.current().requirepass, "a bA\n");
  EXPECT_EQ(config.current().masterauth, "it's");
  EXPECT_EQ(config.current().bind, (std::vector<std::string>{"10.0.0.1", "::1"}));
  EXPECT_EQ(Get(config, "save"), "900 1 300 10");
  EXPECT_EQ(config.current().replica_priority, 3);
  EXPECT_EQ(config.current().output_limit(ClientClass::kNormal).hard_bytes, 1u << 20);
  EXPECT_EQ(config.current().output_limit(ClientClass::kPubsub).hard_bytes, 2u << 20);
}

TEST_F(ConfigTableTest, BadLinesAreNamed) {
  EXPECT_EQ(LoadError("port 1\nporrt 2\n"), "bad.conf:2: unknown option 'porrt'");
  EXPECT_EQ(LoadError("\n\nport x\n"), "bad.conf:3: port: argument couldn't be parsed into an integer");
  EXPECT_EQ(LoadError("port\n"), "bad.conf:1: port: wrong number of arguments");
  EXPECT_EQ(LoadError("port 1 2\n"), "bad.conf:1: port: wrong number of arguments");
  EXPECT_EQ(LoadError("requirepass \"x\n"), "bad.conf:1: unbalanced quotes");
  EXPECT_EQ(LoadError("cluster-enabled yes\n"), "bad.conf:1: cluster-enabled: cluster mode is not supported");
  EXPECT_THAT(LoadError("include nowhere.conf\n"), HasSubstr("nowhere.conf: No such file"));
  EXPECT_EQ(LoadError("include bad.conf\n").substr(0, 11), "bad.conf:1:");
}

TEST_F(ConfigTableTest, RewriteKeepsCommentsAndOrder) {
  Write("more.conf", "timeout 9\n");
  const std::string path = Write("basalt.conf",
                                 "# mine\nport 7000\n\n# two lines, one option\nmaxclients 5\nmaxclients 6\ninclude "
                                 "more.conf\nslave-priority 3\n");
  ConfigTable config;
  std::string error;
  ASSERT_TRUE(config.LoadFile(path, &error)) << error;
  EXPECT_TRUE(config.Rewrite().ok());
  EXPECT_EQ(
      Read(path),
      "# mine\nport 7000\n\n# two lines, one option\nmaxclients 5\nmaxclients 6\ninclude more.conf\nslave-priority 3\n")
      << "nothing changed";
  EXPECT_EQ(Set(config, {"port", "7002", "maxclients", "77", "requirepass", "a b", "save", "60 1", "bind",
                         "127.0.0.1 ::1", "replica-priority", "4"}),
            "OK");
  EXPECT_TRUE(config.Rewrite().ok());
  EXPECT_EQ(Read(path),
            "# mine\nport 7002\n\n# two lines, one option\nmaxclients 77\ninclude more.conf\nreplica-priority 4\n\n# "
            "Added by CONFIG REWRITE\n"
            "bind 127.0.0.1 ::1\nrequirepass \"a b\"\nsave 60 1\n");
  ConfigTable again;
  ASSERT_TRUE(again.LoadFile(path, &error)) << error;
  EXPECT_EQ(again.current(), config.current());
  EXPECT_EQ(Set(config, {"save", "", "timeout", "3"}), "OK");
  EXPECT_TRUE(config.Rewrite().ok());
  ConfigTable third;
  ASSERT_TRUE(third.LoadFile(path, &error)) << error;
  EXPECT_EQ(third.current(), config.current());
  EXPECT_EQ(Get(third, "save"), "");
}

TEST_F(ConfigTableTest, RewriteNeedsAFile) {
  ConfigTable config;
  EXPECT_EQ(config.Rewrite().text(), "ERR The server is running without a config file");
}

TEST_F(ConfigTableTest, WordsSplitAndQuoteLikeRedis) {
  std::vector<std::string> words;
  ASSERT_TRUE(SplitWords("a  \"b c\" 'd\\'e' \"\\x41\\n\" \"\"", &words));
  EXPECT_EQ(words, (std::vector<std::string>{"a", "b c", "d'e", "A\n", ""}));
  for (const char* bad : {"\"a", "'a", "\"a\"b", "'a'b"}) EXPECT_FALSE(SplitWords(bad, &words)) << bad;
  for (const std::string text :
       {"", "plain", "two words", "q\"uote", "back\\slash", std::string("\0\x01\xff", 3).c_str(), "#hash"}) {
    ASSERT_TRUE(SplitWords(QuoteWord(text), &words)) << text;
    EXPECT_EQ(words, (std::vector<std::string>{text}));
  }
}

// ---- conf/basalt.conf ----

TEST_F(ConfigTableTest, TheConfFileIsMadeFromTheTable) {
  EXPECT_EQ(Read(BASALT_SOURCE_DIR "/conf/basalt.conf"), ConfigTable::ConfFileText())
      << "basalt --print-config > conf/basalt.conf";
}

TEST_F(ConfigTableTest, TheConfFileSaysTheDefaults) {
  ConfigTable defaults, config;
  std::string error;
  ASSERT_TRUE(config.LoadFile(Write("basalt.conf", ConfigTable::ConfFileText()), &error)) << error;
  EXPECT_EQ(config.current(), defaults.current());
}

TEST_F(ConfigTableTest, ThreadsAreChosenFromTheCores) {
  ConfigTable config;
  const ThreadCounts threads = ThreadsOf(config.current());
  EXPECT_GE(threads.workers, 1);
  EXPECT_GE(threads.fast, 1);
  EXPECT_GE(threads.slow, 4);
  std::string error;
  ASSERT_TRUE(config.LoadFile(Write("few.conf", "slow-threads 1\n"), &error)) << error;
  EXPECT_EQ(ThreadsOf(config.current()).slow, 2) << "one that waits with the gate closed, and one for what it waits for";
}

}  // namespace
}  // namespace basalt
