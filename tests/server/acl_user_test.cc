// Users: rules, the text that gives them back, and what they allow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/acl/permission.h"
#include "server/acl/user.h"
#include "server/command_table.h"
#include "server/config_options.h"
#include "server/digest.h"

namespace basalt {
namespace {

using ::testing::HasSubstr;

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}
AclDefaults Defaults() { return {.commands = Table()}; }

User Made(std::vector<std::string_view> rules) {
  User user("u", Defaults());
  std::string error;
  EXPECT_TRUE(user.ApplyAll(rules, Defaults(), &error)) << error;
  return user;
}

std::string Refused(std::vector<std::string_view> rules) {
  User user("u", Defaults());
  std::string error;
  EXPECT_FALSE(user.ApplyAll(rules, Defaults(), &error));
  return error;
}

AclVerdict Verdict(const User& user, std::vector<std::string_view> argv) {
  Status error;
  const Command* command = Table().Resolve(argv, &error);
  EXPECT_NE(command, nullptr) << error.text();
  return user.Check(*command, argv);
}
bool Allows(const User& user, std::vector<std::string_view> argv) { return Verdict(user, std::move(argv)).allowed(); }

std::vector<std::string_view> WordsOf(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find(' ', from), text.size());
    words.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return words;
}

// ---- rules and text ----

TEST(AclUserTest, TheTextMakesTheSameUserAgain) {
  const std::vector<std::vector<std::string_view>> kUsers = {
      {},
      {"on", "nopass", "+@all", "~*", "&*"},
      {">secret", ">other", "~a*", "%R~b", "%W~c", "resetchannels", "&news.*", "+@read", "-get", "+config|get"},
      {"+select|0", "+select|x)", "+debug|\"a", "(+get ~a)", "( +set %R~b* &c )", "()"},
      {"%RW~*", "~x"},
      {"~x", "%RW~*"},
      {"%R~*", "%W~*"},
      {"~", "&", "%R"},
      {"(%RW~* ~x)", "(~\"quo\\\"te\")", "(~'\\'')", "(~a\\b)", "(~a))", "(~\\x29)", "(&\"\\x01\\x7f\")",
       "(~\xd0\xba)"},
      {"~\"", "~'", "~\\", "~#", "~)", "~(", "&(a"},
      {"allkeys", "allchannels", "-@all", "+@hash", "-@slow", "+@hash"},
  };
  for (const auto& rules : kUsers) {
    const User user = Made(rules);
    const std::string text = user.Text();
    SCOPED_TRACE(text);
    EXPECT_EQ(Made(WordsOf(text)).Text(), text);
    // … and as a line of the conf file.
    std::string line;
    for (const std::string_view word : WordsOf(text)) line += QuoteRule(std::string(word)) + ' ';
    std::vector<std::string> read;
    ASSERT_TRUE(SplitWords(line, &read));
    EXPECT_EQ(Made({read.begin(), read.end()}).Text(), text);
  }
}

TEST(AclUserTest, AStarAmongOtherPatternsIsNotReadBackAsAllKeys) {
  const User user = Made({"%RW~*", "%R~x"});
  EXPECT_THAT(user.Text(), HasSubstr("%RW~* %R~x"));
  EXPECT_EQ(Made({"%RW~*"}).Text(), "off sanitize-payload ~* resetchannels -@all");  // alone it is, as in Redis
}

TEST(AclUserTest, WhatRedisShowsAsItIsStaysAsItIs) {
  EXPECT_EQ(Made({"(~\xd0\xba*)"}).Text(), "off sanitize-payload resetchannels -@all (~\xd0\xba* resetchannels -@all)");
}

TEST(AclUserTest, ARefusedRuleIsNamedWithItsReason) {
  EXPECT_EQ(Refused({"on", "bogus"}), "Error in ACL SETUSER modifier 'bogus': Syntax error");
  EXPECT_EQ(Refused({"(+get", "~a"}), "Unmatched parenthesis in acl selector starting at '(+get'.");
  EXPECT_THAT(Refused({"%~a"}), HasSubstr("Syntax error"));
  EXPECT_THAT(Refused({"+select|a b"}), HasSubstr("Syntax error"));  // Redis crashes when it shows this
  EXPECT_THAT(Refused({std::string_view("+select|a\0b", 11)}), HasSubstr("Syntax error"));
  EXPECT_THAT(Refused({"(%R~a", "+get", "~b|c\td)"}), HasSubstr("Syntax error"));
}

TEST(AclUserTest, OneUserCannotGrowWithoutLimit) {
  std::vector<std::string> rules;
  for (size_t i = 0; i <= User::kItemsMax; ++i) rules.push_back("~" + std::to_string(i));
  EXPECT_THAT(Refused({rules.begin(), rules.end()}), HasSubstr("Too many rules for one user"));
  for (std::string& rule : rules) rule = "()";
  EXPECT_THAT(Refused({rules.begin(), rules.end()}), HasSubstr("Too many rules for one user"));
  for (size_t i = 0; i < rules.size(); ++i) rules[i] = "+select|" + std::to_string(i);
  EXPECT_THAT(Refused({rules.begin(), rules.end()}), HasSubstr("Too many rules for one user"));
  std::string selector = "(";
  for (size_t i = 0; i <= User::kItemsMax; ++i) selector += " &" + std::to_string(i);
  EXPECT_THAT(Refused({selector + ")"}), HasSubstr("Too many rules for one user"));
}

TEST(AclUserTest, PasswordsAreKeptAsHashes) {
  User user = Made({"on", ">secret", ">other"});
  EXPECT_TRUE(user.AcceptsPassword("secret"));
  EXPECT_TRUE(user.AcceptsPassword("other"));
  EXPECT_FALSE(user.AcceptsPassword("Secret"));
  EXPECT_FALSE(user.AcceptsPassword(""));
  EXPECT_FALSE(user.AcceptsPassword(Sha256Hex("secret")));
  EXPECT_EQ(user.Text().find("secret"), std::string::npos);
  EXPECT_EQ(user.Apply("<secret", Defaults()), RuleError::kNone);
  EXPECT_FALSE(user.AcceptsPassword("secret"));
  EXPECT_EQ(user.Apply("nopass", Defaults()), RuleError::kNone);
  EXPECT_TRUE(user.AcceptsPassword("anything"));
  EXPECT_FALSE(Made({"on"}).AcceptsPassword(""));
}

TEST(AclUserTest, ResetKeepsTheNameAndTheIdentity) {
  User user = Made({"on", "+@all", "(+get)", "skip-sanitize-payload"});
  user.set_identity(7);
  EXPECT_EQ(user.Apply("reset", Defaults()), RuleError::kNone);
  EXPECT_EQ(user.Text(), User("u", Defaults()).Text());
  EXPECT_EQ(user.name(), "u");
  EXPECT_EQ(user.identity(), 7u);
}

TEST(AclUserTest, NewSelectorsHearWhatTheDefaultSays) {
  const AclDefaults all{.commands = Table(), .all_channels = true};
  User user("u", all);
  EXPECT_EQ(user.root().ChannelsText(), "&*");
  EXPECT_EQ(user.Apply("(+get)", all), RuleError::kNone);
  EXPECT_EQ(user.more_selectors()[0].ChannelsText(), "&*");
  EXPECT_EQ(user.Apply("reset", Defaults()), RuleError::kNone);
  EXPECT_EQ(user.root().ChannelsText(), "");
}

// ---- verdicts ----

TEST(AclUserTest, EveryCommandCanBeDeniedAndAllowedByItsName) {
  for (const Command& command : Table().all()) {
    SCOPED_TRACE(command.name());
    if (command.spec->handler == nullptr) continue;
    std::vector<std::string> words;
    for (const auto part : {command.container != nullptr ? command.container->name() : "", command.own_name()}) {
      if (!part.empty()) words.emplace_back(part);
    }
    while (words.size() < static_cast<size_t>(std::abs(command.spec->arity))) words.emplace_back("1");
    const std::vector<std::string_view> argv(words.begin(), words.end());

    const User nothing = Made({"~*", "&*"});
    const AclVerdict denied = nothing.Check(command, argv);
    EXPECT_EQ(denied.allowed(), command.spec->Has(kCmdNoAuth));
    if (!denied.allowed()) {
      EXPECT_EQ(DenialText(denied, nothing, command, argv, DenialDetail::kWithoutArguments),
                "User u has no permissions to run the '" + std::string(command.name()) + "' command");
    }
    EXPECT_TRUE(Made({"~*", "&*", "+" + std::string(command.name())}).Check(command, argv).allowed());
    EXPECT_EQ(Made({"~*", "&*", "+@all", "-" + std::string(command.name())}).Check(command, argv).denial,
              command.spec->Has(kCmdNoAuth) ? AclDenial::kNone : AclDenial::kCommand);
    EXPECT_TRUE(Made({"+@all", "~*", "&*"}).Check(command, argv).allowed());
  }
}

TEST(AclUserTest, EachCategoryAllowsExactlyItsCommands) {
  for (const AclCategoryName& category : AclCategories()) {
    const User user = Made({"~*", "&*", "+@" + std::string(category.name)});
    for (const Command& command : Table().all()) {
      const bool container_is_in =
          command.container != nullptr && (command.container->acl_categories & category.bit) != 0;
      const bool in = (command.acl_categories & category.bit) != 0 || container_is_in;
      const std::string_view argv[] = {command.name()};
      EXPECT_EQ(user.Check(command, argv).allowed(), in || command.spec->Has(kCmdNoAuth))
          << category.name << ' ' << command.name();
    }
  }
}

// Every key that a row names needs a permission; a row that is added with keys is covered by it at once.
TEST(AclUserTest, EveryKeyOfEveryRowIsLookedAt) {
  for (const Command& command : Table().all()) {
    const KeySpec& key = command.spec->keys[0];
    const bool plain =
        key.begin == KeySpec::Begin::kIndex && key.find == KeySpec::Find::kRange && (key.flags & kKeyNotKey) == 0;
    if (!plain) continue;
    SCOPED_TRACE(command.name());
    std::vector<std::string> words(static_cast<size_t>(std::max(std::abs(command.spec->arity), key.index + 1)), "1");
    words[static_cast<size_t>(key.index)] = "secret";
    const std::vector<std::string_view> argv(words.begin(), words.end());
    const AclVerdict verdict = Made({"+@all", "~1", "&*"}).Check(command, argv);
    EXPECT_EQ(verdict.denial, AclDenial::kKey);
    EXPECT_EQ(verdict.index, static_cast<uint32_t>(key.index));
    const bool writes = command.spec->Has(kCmdWrite) && (key.flags & kKeyVariableFlags) == 0 &&
                        (key.flags & (kKeyInsert | kKeyUpdate | kKeyDelete)) != 0;
    const User reader = Made({"+@all", "~1", "%R~secret", "&*"});
    if (writes) {
      EXPECT_EQ(reader.Check(command, argv).denial, AclDenial::kKey);
    }
    if (command.spec->Has(kCmdReadonly)) {
      EXPECT_TRUE(reader.Check(command, argv).allowed());
    }
  }
}

TEST(AclUserTest, ACallWithTooFewArgumentsIsJudgedByThoseItHas) {
  for (const Command& command : Table().all()) {
    const std::string_view argv[] = {command.name()};
    EXPECT_TRUE(Made({"+@all", "~none"}).Check(command, argv).allowed()) << command.name();
  }
}

TEST(AclUserTest, ACallMustFitIntoOneSelector) {
  const User user = Made({"(%R~read* +@all)", "(%W~write* +@all)"});
  EXPECT_TRUE(Allows(user, {"GET", "read"}));
  EXPECT_TRUE(Allows(user, {"LPUSH", "write", "v"}));
  EXPECT_FALSE(Allows(user, {"COPY", "read", "write"}));
  EXPECT_TRUE(Allows(Made({"%R~read*", "%W~write*", "+@all"}), {"COPY", "read", "write"}));
}

TEST(AclUserTest, OfSeveralDenialsTheLastArgumentIsTold) {
  const User user = Made({"+mget", "~key", "(+mget ~key ~otherkey)"});
  EXPECT_EQ(Verdict(user, {"GET", "key"}).denial, AclDenial::kCommand);
  const AclVerdict verdict = Verdict(user, {"MGET", "key", "otherkey", "someotherkey"});
  EXPECT_EQ(verdict.denial, AclDenial::kKey);
  EXPECT_EQ(verdict.index, 3u);
}

TEST(AclUserTest, FirstArgumentsAllowOneCallOfACommand) {
  const User user = Made({"+select|0"});
  EXPECT_TRUE(Allows(user, {"SELECT", "0"}));
  EXPECT_FALSE(Allows(user, {"SELECT", "1"}));
  EXPECT_FALSE(Allows(user, {"SELECT"}));
  EXPECT_FALSE(Allows(Made({"+select|0", "-select"}), {"SELECT", "0"}));
}

TEST(AclUserTest, UnrestrictedIsWhoNeedsNoLook) {
  EXPECT_TRUE(Made({"+@all", "~*", "&*"}).unrestricted());
  EXPECT_TRUE(Made({"(+@all ~* &*)"}).unrestricted());
  EXPECT_FALSE(Made({"+@all", "~*"}).unrestricted());
  EXPECT_FALSE(Made({"+@all", "~*", "&*", "-get"}).unrestricted());
  EXPECT_FALSE(Made({"(+@all ~* &*)", "clearselectors"}).unrestricted());
}

TEST(AclUserTest, ChannelsAreLostOnlyIfSomePatternIsGone) {
  const User before = Made({"&a*", "(&b)"});
  EXPECT_FALSE(Made({"&a*", "&b", "&c"}).LosesChannelsOf(before));
  EXPECT_FALSE(Made({"allchannels"}).LosesChannelsOf(before));
  EXPECT_TRUE(Made({"&a*"}).LosesChannelsOf(before));
  EXPECT_TRUE(Made({"&a*", "&b"}).LosesChannelsOf(Made({"allchannels"})));
}

TEST(AclUserTest, WhatACallDoesWithItsKeyFollowsItsArguments) {
  const auto flags = [](std::vector<std::string_view> argv) {
    const Command& command = *Table().Find(argv[0]);
    return KeyFlagsOfCall(*command.spec, argv, command.spec->keys[0].flags);
  };
  EXPECT_EQ(flags({"SET", "k", "v"}), kKeyOW | kKeyUpdate);
  EXPECT_EQ(flags({"SET", "k", "get"}), kKeyOW | kKeyUpdate);  // the value
  EXPECT_EQ(flags({"SET", "k", "v", "get"}), kKeyRW | kKeyAccess | kKeyUpdate);
  EXPECT_EQ(flags({"BITFIELD", "k"}), kKeyRO | kKeyAccess);
  EXPECT_EQ(flags({"BITFIELD", "k", "GET", "u8", "0", "OVERFLOW", "SAT"}), kKeyRO | kKeyAccess);
  EXPECT_EQ(flags({"BITFIELD", "k", "GET", "SET", "0"}), kKeyRO | kKeyAccess);
  EXPECT_EQ(flags({"BITFIELD", "k", "GET", "u8", "0", "SET", "u8", "0", "1"}), kKeyRW | kKeyAccess | kKeyUpdate);
  EXPECT_EQ(flags({"BITFIELD", "k", "GET", "u8"}), kKeyRW | kKeyAccess | kKeyUpdate);  // not understood
}

}  // namespace
}  // namespace basalt
