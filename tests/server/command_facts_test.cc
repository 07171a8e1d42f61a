// The rows against what Redis 7.2.4 says of its commands (redis-7.2.4-commands.txt, made by record_redis_commands.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <set>

#include "server/command_syntax.h"
#include "server/command_table.h"

namespace basalt {
namespace {

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}

// "info set" -> the rest of the line.
const std::map<std::string, std::string>& Recorded() {
  static const auto lines = [] {
    std::map<std::string, std::string> recorded;
    std::ifstream in(BASALT_SOURCE_DIR "/tests/server/redis-7.2.4-commands.txt");
    for (std::string line; std::getline(in, line);) {
      const size_t kind = line.find(' '), name = line.find(' ', kind + 1);
      recorded[line.substr(0, name)] = line.substr(name + 1);
    }
    return recorded;
  }();
  return lines;
}

std::string Join(const std::vector<std::string>& words, const char* separator = ",") {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text.empty() ? "-" : text;
}

std::string KeySpecText(const KeySpec& key) {
  constexpr std::pair<uint32_t, const char*> kFlags[] = {
      {kKeyRO, "RO"},
      {kKeyRW, "RW"},
      {kKeyOW, "OW"},
      {kKeyRM, "RM"},
      {kKeyAccess, "access"},
      {kKeyUpdate, "update"},
      {kKeyInsert, "insert"},
      {kKeyDelete, "delete"},
      {kKeyNotKey, "not_key"},
      {kKeyIncomplete, "incomplete"},
      {kKeyVariableFlags, "variable_flags"},
  };
  std::vector<std::string> flags;
  for (const auto& [flag, name] : kFlags) {
    if (key.flags & flag) flags.emplace_back(name);
  }
  if (key.begin == KeySpec::Begin::kUnknown) return Join(flags, ".") + "@unknown/unknown";
  const std::string begin = key.begin == KeySpec::Begin::kKeyword
                                ? "keyword:" + std::string(key.keyword) + ":" + std::to_string(key.index)
                                : "index:" + std::to_string(key.index);
  const std::string find =
      key.find == KeySpec::Find::kRange
          ? "range:" + std::to_string(key.last_key) + ":" + std::to_string(key.step) + ":" + std::to_string(key.limit)
          : "keynum:" + std::to_string(key.last_key) + ":" + std::to_string(key.first_key) + ":" +
                std::to_string(key.step);
  return Join(flags, ".") + "@" + begin + "/" + find;
}

std::string InfoText(const Command& command) {
  constexpr std::pair<uint64_t, const char*> kFlags[] = {
      {kCmdAdmin, "admin"},
      {kCmdAllowBusy, "allow_busy"},
      {kCmdAsking, "asking"},
      {kCmdBlocking, "blocking"},
      {kCmdDenyOom, "denyoom"},
      {kCmdFast, "fast"},
      {kCmdLoading, "loading"},
      {kCmdNoAsyncLoading, "no_async_loading"},
      {kCmdNoAuth, "no_auth"},
      {kCmdNoMandatoryKeys, "no_mandatory_keys"},
      {kCmdNoMulti, "no_multi"},
      {kCmdNoScript, "noscript"},
      {kCmdPubsub, "pubsub"},
      {kCmdReadonly, "readonly"},
      {kCmdSkipMonitor, "skip_monitor"},
      {kCmdSkipSlowlog, "skip_slowlog"},
      {kCmdStale, "stale"},
      {kCmdWrite, "write"},
  };
  const CommandSpec& spec = *command.spec;
  std::vector<std::string> flags, categories, tips, keys;
  for (const auto& [flag, name] : kFlags) {
    if (spec.flags & flag) flags.emplace_back(name);
  }
  if (command.movable_keys) flags.emplace_back("movablekeys");
  std::sort(flags.begin(), flags.end());
  for (const AclCategoryName& category : AclCategories()) {
    if (command.acl_categories & category.bit) categories.emplace_back(category.name);
  }
  for (const std::string_view tip : spec.tips) {
    if (!tip.empty()) tips.emplace_back(tip);
  }
  for (const KeySpec& key : spec.keys) {
    if (key.begin != KeySpec::Begin::kNone) keys.push_back(KeySpecText(key));
  }
  return std::to_string(spec.arity) + " " + Join(flags) + " " + std::to_string(command.first_key) + " " +
         std::to_string(command.last_key) + " " + std::to_string(command.key_step) + " " + Join(categories) + " " +
         Join(tips) + " " + Join(keys);
}

std::string ArgumentsText(const std::vector<SyntaxArgument>& arguments) {
  std::vector<std::string> texts;
  for (const SyntaxArgument& argument : arguments) {
    std::string text = (argument.optional ? "?" : "") + std::string(TypeName(argument.type));
    if (!argument.token.empty()) text += ":" + argument.token;
    if (argument.key_spec_index >= 0) text += "#" + std::to_string(argument.key_spec_index);
    if (!argument.arguments.empty()) text += "(" + ArgumentsText(argument.arguments) + ")";
    text += argument.multiple_token ? "++" : argument.multiple ? "+" : "";
    texts.push_back(text);
  }
  return Join(texts, " ");
}

size_t KeySpecs(const CommandSpec& spec) {
  return static_cast<size_t>(std::count_if(spec.keys.begin(), spec.keys.end(),
                                           [](const KeySpec& key) { return key.begin != KeySpec::Begin::kNone; }));
}

TEST(CommandFacts, TheRecordIsThere) { EXPECT_GT(Recorded().size(), 700u); }

// What Basalt has of later versions, which no Redis 7.2.4 could be asked about: by hand, after the descriptions of its
// commands that Redis 7.4.0 is made from (src/commands/*.json), in the form of the record.
struct LaterCommand {
  const char* info;
  const char* docs;
};
const std::map<std::string_view, LaterCommand>& OfLaterVersions() {
  static constexpr LaterCommand kRelative = {
      "-6 denyoom,fast,write 1 1 1 write,hash,fast - RW.update@index:1/range:0:1:0",
      "7.4.0 hash key#0 integer "
      "?oneof(pure-token:NX pure-token:XX pure-token:GT pure-token:LT) block:FIELDS(integer string+)"};
  static constexpr LaterCommand kAbsolute = {
      "-6 denyoom,fast,write 1 1 1 write,hash,fast - RW.update@index:1/range:0:1:0",
      "7.4.0 hash key#0 unix-time "
      "?oneof(pure-token:NX pure-token:XX pure-token:GT pure-token:LT) block:FIELDS(integer string+)"};
  static constexpr LaterCommand kRead = {"-5 fast,readonly 1 1 1 read,hash,fast - RO.access@index:1/range:0:1:0",
                                         "7.4.0 hash key#0 block:FIELDS(integer string+)"};
  static constexpr LaterCommand kPersist = {"-5 fast,write 1 1 1 write,hash,fast - RW.update@index:1/range:0:1:0",
                                            "7.4.0 hash key#0 block:FIELDS(integer string+)"};
  static const std::map<std::string_view, LaterCommand> commands = {
      {"hexpire", kRelative},    {"hpexpire", kRelative}, {"hexpireat", kAbsolute},
      {"hpexpireat", kAbsolute}, {"httl", kRead},         {"hpttl", kRead},
      {"hexpiretime", kRead},    {"hpexpiretime", kRead}, {"hpersist", kPersist},
  };
  return commands;
}

TEST(CommandFacts, OnlyWhatIsNewerIsMissingInTheRecord) {
  for (const auto& [name, later] : OfLaterVersions()) {
    EXPECT_FALSE(Recorded().contains("info " + std::string(name))) << name << " is a command of Redis 7.2.4";
  }
}

TEST(CommandFacts, EveryRowSaysOfItselfWhatRedisSays) {
  for (const Command& command : Table().all()) {
    if (const auto later = OfLaterVersions().find(command.name()); later != OfLaterVersions().end()) {
      EXPECT_EQ(InfoText(command), later->second.info) << command.name();
      continue;
    }
    const auto it = Recorded().find("info " + std::string(command.name()));
    ASSERT_NE(it, Recorded().end()) << command.name() << " is no command of Redis 7.2.4";
    EXPECT_EQ(InfoText(command), it->second) << command.name();
  }
}

TEST(CommandFacts, EveryCommandOfRedisIsThere) {
  for (const auto& [key, facts] : Recorded()) {
    if (!key.starts_with("info ")) continue;
    EXPECT_NE(Table().FindFullName(key.substr(5)), nullptr) << key.substr(5);
  }
}

TEST(CommandFacts, EverySyntaxIsInTheNotation) {
  for (const Command& command : Table().all()) {
    EXPECT_TRUE(ParseSyntax(command.spec->syntax, KeySpecs(*command.spec)).has_value())
        << command.name() << ": " << command.spec->syntax;
  }
}

TEST(CommandFacts, ArgumentsHaveTheStructureThatRedisDocuments) {
  // Redis nests these deeper, or leaves them out (its "" of MIGRATE is a token without text); what clients make of them
  // is the same.
  const std::set<std::string_view> kOwnWay = {"client|kill", "debug", "bitfield", "migrate"};
  for (const Command& command : Table().all()) {
    if (kOwnWay.contains(command.name())) continue;
    const auto later = OfLaterVersions().find(command.name());
    const auto it = Recorded().find("docs " + std::string(command.name()));
    ASSERT_TRUE(it != Recorded().end() || later != OfLaterVersions().end()) << command.name();
    const auto arguments = ParseSyntax(command.spec->syntax, KeySpecs(*command.spec));
    ASSERT_TRUE(arguments.has_value()) << command.name();
    const std::string ours = std::string(command.spec->since) + " " + std::string(GroupName(command.spec->group)) +
                             " " + ArgumentsText(*arguments);
    EXPECT_EQ(ours, later != OfLaterVersions().end() ? later->second.docs : it->second)
        << command.name() << ": " << command.spec->syntax;
  }
}

TEST(CommandFacts, KeySpecsHaveNotesWhereThoseOfRedisDo) {
  const std::set<std::string> kNoted = {"bitfield/0", "eval/0", "eval_ro/0", "fcall/0", "fcall_ro/0", "getex/0",
                                        "pfcount/0",  "set/0",  "sort/1",    "sort/2",  "sort_ro/1",  "xadd/0"};
  std::set<std::string> noted;
  for (const Command& command : Table().all()) {
    for (size_t i = 0; i < command.spec->keys.size(); ++i) {
      if (!command.spec->keys[i].notes.empty()) noted.insert(std::string(command.name()) + "/" + std::to_string(i));
    }
  }
  EXPECT_EQ(noted, kNoted);
}

TEST(CommandFacts, EveryRowIsComplete) {
  for (const Command& command : Table().all()) {
    const CommandSpec& spec = *command.spec;
    EXPECT_FALSE(spec.summary.empty()) << command.name();
    EXPECT_FALSE(spec.since.empty()) << command.name();
    EXPECT_TRUE(spec.handler != nullptr || command.is_container()) << command.name();
    EXPECT_TRUE(std::none_of(spec.name.begin(), spec.name.end(), [](unsigned char c) { return std::isupper(c); }))
        << command.name();
    EXPECT_EQ(spec.name.data()[spec.name.size()], '\0')
        << command.name() << ": ClientInfo::last_command takes it as a C string";
  }
}

}  // namespace
}  // namespace basalt
