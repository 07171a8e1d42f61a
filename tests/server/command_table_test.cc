#include "server/command_table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "server/status.h"

namespace basalt {
namespace {

Status Nothing(CommandContext&) { return Ok(); }

constexpr CommandSpec kRows[] = {
    {.name = "get",
     .arity = 2,
     .flags = kCmdReadonly | kCmdFast,
     .group = CommandGroup::kString,
     .keys = {KeySpec::One(kKeyRO)},
     .handler = Nothing},
    {.name = "mset",
     .arity = -3,
     .flags = kCmdWrite,
     .group = CommandGroup::kString,
     .keys = {KeySpec::Range(kKeyOW, 1, -1, 2)},
     .handler = Nothing},
    {.name = "sintercard",
     .arity = -3,
     .group = CommandGroup::kSet,
     .keys = {KeySpec::NumKeys(kKeyRO, 1)},
     .handler = Nothing},
    {.name = "eval",
     .arity = -3,
     .flags = kCmdNoMandatoryKeys,
     .group = CommandGroup::kScripting,
     .keys = {KeySpec::NumKeys(kKeyRW, 2)},
     .handler = Nothing},
    {.name = "georadius",
     .arity = -6,
     .flags = kCmdWrite,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRO),
              KeySpec{.flags = kKeyOW, .begin = KeySpec::Begin::kKeyword, .index = 6, .keyword = "STORE"}},
     .handler = Nothing},
    {.name = "xread",
     .arity = -4,
     .group = CommandGroup::kStream,
     .keys = {KeySpec{.flags = kKeyRO,
                      .begin = KeySpec::Begin::kKeyword,
                      .index = 1,
                      .keyword = "STREAMS",
                      .last_key = -1,
                      .limit = 2}},
     .handler = Nothing},
    {.name = "config", .arity = -2, .group = CommandGroup::kServer},
    {.name = "config|get", .arity = -3, .flags = kCmdAdmin, .group = CommandGroup::kServer, .handler = Nothing},
    {.name = "config|set", .arity = -4, .flags = kCmdAdmin, .group = CommandGroup::kServer, .handler = Nothing},
    {.name = "command", .arity = -1, .group = CommandGroup::kServer, .handler = Nothing},
    {.name = "command|count", .arity = 2, .group = CommandGroup::kServer, .handler = Nothing},
    {.name = "auth", .arity = -2, .group = CommandGroup::kConnection, .handler = Nothing},
    {.name = "hello", .arity = -1, .group = CommandGroup::kConnection, .handler = Nothing},
};

class CommandTableTest : public testing::Test {
 protected:
  CommandTableTest() : families_{kRows}, table_(families_) {}

  std::string ErrorOf(std::vector<std::string_view> argv) {
    Status error;
    EXPECT_EQ(table_.Resolve(argv, &error), nullptr);
    return error.text();
  }
  std::string_view NameOf(std::vector<std::string_view> argv) {
    Status error;
    const Command* command = table_.Resolve(argv, &error);
    return command == nullptr ? "" : command->name();
  }
  std::vector<uint32_t> KeysOf(std::string_view name, std::vector<std::string_view> argv) {
    KeyPositions keys;
    found_ = CommandTable::Keys(*table_.Find(name)->spec, argv, &keys);
    std::vector<uint32_t> positions;
    for (const KeyPosition& key : keys) positions.push_back(key.index);
    return positions;
  }

  const std::span<const CommandSpec> families_[1];
  CommandTable table_;
  bool found_ = false;
};

using Positions = std::vector<uint32_t>;

TEST_F(CommandTableTest, NamesAreFoundInAnyCase) {
  EXPECT_EQ(NameOf({"GET", "k"}), "get");
  EXPECT_EQ(NameOf({"gEt", "k"}), "get");
  EXPECT_EQ(NameOf({"Config", "GeT", "*"}), "config|get");
  EXPECT_EQ(NameOf({"config"}), "config");
  EXPECT_EQ(NameOf({"COMMAND"}), "command");
  EXPECT_EQ(NameOf({"COMMAND", "COUNT"}), "command|count");
}

TEST_F(CommandTableTest, ASubcommandIsNoCommandOfItsOwn) {
  EXPECT_EQ(NameOf({"config|get"}), "");
  EXPECT_EQ(table_.Find("config|get"), nullptr);
  EXPECT_EQ(table_.FindFullName("CONFIG|GET")->name(), "config|get");
  EXPECT_EQ(table_.FindFullName("get|config"), nullptr);
  EXPECT_EQ(table_.FindFullName("config|"), nullptr);
}

TEST_F(CommandTableTest, CommandsCanBeRenamedAndTakenAway) {
  std::string error;
  ASSERT_TRUE(table_.Rename("CONFIG", "b840FC", &error)) << error;
  ASSERT_TRUE(table_.Rename("mset", "", &error)) << error;
  ASSERT_TRUE(table_.Rename("get", "GET", &error)) << "its own name is free";
  EXPECT_EQ(NameOf({"get"}), "get");
  EXPECT_EQ(NameOf({"B840fc", "get", "*"}), "config|get") << "its facts keep the name";
  EXPECT_EQ(ErrorOf({"config", "get", "*"}), "ERR unknown command 'config', with args beginning with: 'get' '*' ");
  EXPECT_EQ(ErrorOf({"b840fc", "nope"}), "ERR unknown subcommand 'nope'. Try B840FC HELP.");
  EXPECT_EQ(ErrorOf({"mset"}), "ERR unknown command 'mset', with args beginning with: ");
  EXPECT_EQ(ErrorOf({""}), "ERR unknown command '', with args beginning with: ");
  EXPECT_EQ(table_.FindFullName("b840fc|set")->name(), "config|set");
  EXPECT_EQ(table_.FindFullName("config|set"), nullptr);
  // ACL rules name commands as ever.
  EXPECT_EQ(table_.FindOwnFullName("CONFIG|Set")->name(), "config|set");
  EXPECT_EQ(table_.FindOwnFullName("mset")->name(), "mset");
  EXPECT_EQ(table_.FindOwnFullName("b840fc"), nullptr);
  EXPECT_FALSE(table_.FindOwnFullName("mset")->can_be_called());
  EXPECT_TRUE(table_.FindOwnFullName("config|set")->can_be_called());
  const auto& top = table_.top_level();
  EXPECT_TRUE(std::none_of(top.begin(), top.end(), [](const Command* command) { return command->name() == "mset"; }));
  // In order: a name that was given up may be taken.
  EXPECT_FALSE(table_.Rename("mset", "other", &error));
  EXPECT_EQ(error, "No such command in rename-command");
  EXPECT_FALSE(table_.Rename("config|get", "", &error));
  EXPECT_FALSE(table_.Rename("get", "eval", &error));
  EXPECT_EQ(error, "Target command name already exists");
  EXPECT_TRUE(table_.Rename("get", "mset", &error)) << error;
  EXPECT_EQ(NameOf({"mset"}), "get");
}

TEST_F(CommandTableTest, UnknownCommandsAreQuotedAsRedisDoes) {
  EXPECT_EQ(ErrorOf({"foo"}), "ERR unknown command 'foo', with args beginning with: ");
  EXPECT_EQ(ErrorOf({"foo", "a", "b"}), "ERR unknown command 'foo', with args beginning with: 'a' 'b' ");
  const std::string text = ErrorOf({std::string(300, 'x'), std::string(300, 'y'), "z"});
  EXPECT_EQ(text, "ERR unknown command '" + std::string(128, 'x') + "', with args beginning with: '" +
                      std::string(128, 'y') + "' ");
  EXPECT_EQ(ErrorOf({"config", "nope"}), "ERR unknown subcommand 'nope'. Try CONFIG HELP.");
  EXPECT_EQ(ErrorOf({"command", "nope"}), "ERR unknown subcommand 'nope'. Try COMMAND HELP.");
}

TEST_F(CommandTableTest, ArityIsCheckedWithTheFullName) {
  const CommandSpec& get = *table_.Find("get")->spec;
  EXPECT_TRUE(CommandTable::CheckArity(get, 2).ok());
  EXPECT_EQ(CommandTable::CheckArity(get, 3).text(), "ERR wrong number of arguments for 'get' command");
  const CommandSpec& config_get = *table_.FindFullName("config|get")->spec;
  EXPECT_EQ(CommandTable::CheckArity(config_get, 2).text(), "ERR wrong number of arguments for 'config|get' command");
  EXPECT_TRUE(CommandTable::CheckArity(config_get, 9).ok());
}

TEST_F(CommandTableTest, KeysAreFoundByEachKindOfSpec) {
  EXPECT_EQ(KeysOf("get", {"get", "a"}), (Positions{1}));
  EXPECT_EQ(KeysOf("mset", {"mset", "a", "1", "b", "2"}), (Positions{1, 3}));
  EXPECT_EQ(KeysOf("sintercard", {"sintercard", "2", "a", "b", "limit", "1"}), (Positions{2, 3}));
  EXPECT_EQ(KeysOf("georadius", {"georadius", "k", "1", "2", "3", "m", "store", "to"}), (Positions{1, 7}));
  EXPECT_EQ(KeysOf("georadius", {"georadius", "k", "1", "2", "3", "m"}), (Positions{1}));
  EXPECT_EQ(KeysOf("xread", {"xread", "count", "1", "streams", "a", "b", "0", "0"}), (Positions{4, 5}));
  EXPECT_TRUE(found_);
}

TEST_F(CommandTableTest, ArgumentsWithoutKeysAreTold) {
  for (const std::vector<std::string_view>& argv :
       std::vector<std::vector<std::string_view>>{{"sintercard", "x", "a"},
                                                  {"sintercard", "-1", "a"},
                                                  {"sintercard", "5", "a"},
                                                  {"sintercard", "99999999999", "a"}}) {
    KeysOf("sintercard", argv);
    EXPECT_FALSE(found_) << argv[1];
  }
  KeysOf("eval", {"eval", "x", "0"});
  EXPECT_FALSE(found_);  // as Redis; COMMAND GETKEYS answers with an empty array by the row's flag
}

TEST_F(CommandTableTest, LongKeyListsSpillOver) {
  std::vector<std::string_view> argv = {"mset"};
  for (int i = 0; i < 200; ++i) argv.push_back("x");
  EXPECT_EQ(KeysOf("mset", argv).size(), 100u);
  EXPECT_EQ(KeysOf("mset", argv)[99], 199u);
}

TEST_F(CommandTableTest, LegacyKeyRangeIsDerived) {
  const Command& mset = *table_.Find("mset");
  EXPECT_EQ(mset.first_key, 1);
  EXPECT_EQ(mset.last_key, -1);
  EXPECT_EQ(mset.key_step, 2);
  EXPECT_FALSE(mset.movable_keys);
  EXPECT_TRUE(table_.Find("sintercard")->movable_keys);
  EXPECT_TRUE(table_.Find("georadius")->movable_keys);
  EXPECT_EQ(table_.Find("georadius")->first_key, 1);
}

TEST_F(CommandTableTest, CategoriesFollowFromFlagsAndGroup) {
  EXPECT_EQ(table_.Find("get")->acl_categories, kAclRead | kAclString | kAclFast);
  EXPECT_EQ(table_.FindFullName("config|get")->acl_categories, kAclAdmin | kAclDangerous | kAclSlow);
  EXPECT_EQ(table_.Find("config")->acl_categories, uint32_t{kAclSlow});
  EXPECT_EQ(table_.Find("auth")->acl_categories, kAclConnection | kAclSlow);
}

TEST_F(CommandTableTest, RowsFindTheirEntry) {
  for (const Command& command : table_.all()) EXPECT_EQ(&table_.Of(*command.spec), &command);
}

TEST_F(CommandTableTest, SecretsAreRedacted) {
  const auto redacted = [&](std::string_view name, std::vector<std::string_view> argv) {
    std::string shown;
    for (size_t i = 0; i < argv.size(); ++i)
      shown += (i > 0 ? " " : "") + std::string(IsRedacted(*table_.FindFullName(name)->spec, argv, i) ? "*" : argv[i]);
    return shown;
  };
  EXPECT_EQ(redacted("auth", {"auth", "pw"}), "auth *");
  EXPECT_EQ(redacted("auth", {"auth", "user", "pw"}), "auth * *");
  EXPECT_EQ(redacted("hello", {"hello", "3", "auth", "user", "pw", "setname", "n"}), "hello 3 auth * * setname n");
  EXPECT_EQ(redacted("config|set", {"config", "set", "requirepass", "pw", "timeout", "5"}),
            "config set requirepass * timeout 5");
}

TEST(CommandMarkdown, EveryCommandHasALine) {
  const CommandTable table;
  const std::string text = CommandsMarkdown(table);
  EXPECT_NE(text.find("### string\n"), std::string::npos);
  EXPECT_NE(text.find("| `CLIENT KILL "), std::string::npos);
  EXPECT_EQ(text.find("| `CLIENT`"), std::string::npos);
}

}  // namespace
}  // namespace basalt
