// The users as a whole: changes, identities, the aclfile, and lines of the conf file.
#include "server/acl/user_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>

#include "server/acl/acl_file.h"
#include "server/config_table.h"
#include "tests/server/folder_test.h"

namespace basalt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class UserRegistryTest : public FolderTest {
 protected:
  // The error of a start with this conf file; empty: it went well.
  std::string Start(const std::string& conf) {
    config_ = std::make_unique<ConfigTable>();
    std::string error;
    EXPECT_TRUE(config_->LoadFile(Write("basalt.conf", conf), &error)) << error;
    users_ = std::make_unique<UserRegistry>(table_, *config_);
    config_->SetUserLinesSource([this] { return users_->ConfigLines(); });
    return users_->LoadAtStart(&error) ? "" : error;
  }
  std::string Set(std::string_view name, std::vector<std::string_view> rules) {
    UserRegistry::Change change;
    std::string error;
    return users_->Set(name, rules, &change, &error) ? "" : error;
  }
  std::string TextOf(std::string_view name) {
    return users_->Find(name) != nullptr ? users_->Find(name)->Text() : "(none)";
  }

  CommandTable table_;
  std::unique_ptr<ConfigTable> config_;
  std::unique_ptr<UserRegistry> users_;
};

TEST_F(UserRegistryTest, TheDefaultUserMayDoEverythingUntilAPasswordIsSet) {
  ASSERT_EQ(Start(""), "");
  EXPECT_EQ(TextOf("default"), "on nopass sanitize-payload ~* &* +@all");
  EXPECT_FALSE(users_->NewClientsMustAuthenticate());
  std::string error;
  EXPECT_TRUE(users_->SetDefaultPassword("secret", &error)) << error;
  EXPECT_TRUE(users_->NewClientsMustAuthenticate());
  EXPECT_EQ(users_->Authenticate("default", "wrong"), nullptr);
  EXPECT_NE(users_->Authenticate("default", "secret"), nullptr);
  EXPECT_EQ(users_->Authenticate("nobody", "secret"), nullptr);
  EXPECT_TRUE(users_->SetDefaultPassword("", &error)) << error;
  EXPECT_FALSE(users_->NewClientsMustAuthenticate());
  EXPECT_EQ(Set("default", {"off"}), "");
  EXPECT_TRUE(users_->NewClientsMustAuthenticate());
  EXPECT_EQ(users_->Authenticate("default", ""), nullptr);
}

TEST_F(UserRegistryTest, APasswordThatDoesNotFitIsRefused) {
  ASSERT_EQ(Start(""), "");
  ASSERT_EQ(Set("default", {"resetkeys", "resetchannels"}), "");
  for (size_t i = 0, step = 1000; step > 0;) {  // as many patterns as it takes
    std::deque<std::string> patterns;
    std::vector<std::string_view> rules;
    for (size_t n = 0; n < step; ++n) rules.push_back(patterns.emplace_back("~k" + std::to_string(i++)));
    if (!Set("default", rules).empty()) step /= 10;
  }
  std::string error;
  EXPECT_FALSE(users_->SetDefaultPassword("secret", &error));
  EXPECT_EQ(error, "the user default has as many rules as it may");
  EXPECT_FALSE(users_->NewClientsMustAuthenticate()) << "nothing has changed";
}

TEST_F(UserRegistryTest, AChangeKeepsTheIdentityAndANewUserHasAnother) {
  ASSERT_EQ(Start(""), "");
  uint64_t version = users_->version();
  ASSERT_EQ(Set("u", {"on", "+get"}), "");
  EXPECT_GT(users_->version(), version);
  version = users_->version();
  const UserPtr first = users_->Find("u");
  EXPECT_NE(Set("u", {"-get", "bogus"}), "");
  EXPECT_EQ(users_->version(), version);
  EXPECT_EQ(users_->Find("u"), first);
  ASSERT_EQ(Set("u", {"-get"}), "");
  EXPECT_EQ(users_->Find("u")->identity(), first->identity());
  EXPECT_EQ(first->root().CommandsText(), "-@all +get");  // who still holds it sees no change
  EXPECT_TRUE(users_->Delete("u"));
  EXPECT_FALSE(users_->Delete("u"));
  ASSERT_EQ(Set("u", {}), "");
  EXPECT_NE(users_->Find("u")->identity(), first->identity());
}

TEST_F(UserRegistryTest, UserLinesOfTheConfFile) {
  ASSERT_EQ(Start("user alice on >secret ~a* +@read (+set ~b)\nUser \"q\" off '~\"'\nuser default on nopass ~* +@all "
                  "-flushdb\n"),
            "");
  EXPECT_THAT(TextOf("alice"), HasSubstr("~a* resetchannels -@all +@read (~b resetchannels -@all +set)"));
  EXPECT_THAT(TextOf("q"), HasSubstr("~\""));
  EXPECT_EQ(TextOf("default"), "on nopass sanitize-payload ~* resetchannels +@all -flushdb");

  EXPECT_THAT(Start("port 1\nuser a on\nuser a on\n"), HasSubstr("basalt.conf:3: Duplicate user found."));
  EXPECT_THAT(Start("user a bogus\n"),
              HasSubstr("basalt.conf:1: user a: Error in ACL SETUSER modifier 'bogus': Syntax error"));
  EXPECT_THAT(Start("user \"a b\"\n"), HasSubstr("Spaces not allowed in ACL usernames"));
  EXPECT_THAT(Start("aclfile users.acl\nuser a on\n"),
              HasSubstr("basalt.conf:2: users are defined both here and in the aclfile"));
}

TEST_F(UserRegistryTest, ConfigRewriteWritesUsersWhereTheyStood) {
  ASSERT_EQ(Start("# first\nuser alice on\n# between\nuser bob off\nport 7000\n"), "");
  ASSERT_EQ(Set("carl", {"on", ">x", "(+get ~\"\\\"\")", "(~a))"}), "");
  users_->Delete("bob");
  ASSERT_TRUE(config_->Rewrite().ok());
  const std::string once = Read(config_->file());
  EXPECT_TRUE(
      once.starts_with("# first\nuser alice on sanitize-payload resetchannels -@all\nuser carl on sanitize-payload #"))
      << once;
  EXPECT_THAT(once, HasSubstr("+@all\n# between\nport 7000\n"));
  const std::string carl = TextOf("carl");
  ASSERT_EQ(Start(once), "");
  EXPECT_EQ(TextOf("carl"), carl);
  EXPECT_EQ(TextOf("bob"), "(none)");
  ASSERT_TRUE(config_->Rewrite().ok());
  EXPECT_EQ(Read(config_->file()), once);
}

TEST_F(UserRegistryTest, ConfigRewriteAddsNoUserThatRequirepassDescribes) {
  ASSERT_EQ(Start("port 7000\nrequirepass p\n"), "");
  ASSERT_TRUE(config_->Rewrite().ok());
  EXPECT_EQ(Read(config_->file()), "port 7000\nrequirepass p\n");
  ASSERT_EQ(Set("default", {"-debug"}), "");
  ASSERT_TRUE(config_->Rewrite().ok());
  EXPECT_THAT(Read(config_->file()), HasSubstr("# Added by CONFIG REWRITE\nuser default on sanitize-payload #"));
}

TEST_F(UserRegistryTest, ConfigRewriteDoesNotDoubleUsersOfAnIncludedFile) {
  Write("users.conf", "user alice on\n");
  ASSERT_EQ(Start("include users.conf\n"), "");
  EXPECT_NE(users_->Find("alice"), nullptr);
  const Status status = config_->Rewrite();
  EXPECT_THAT(status.text(), HasSubstr("users.conf:1"));
  EXPECT_EQ(Read(config_->file()), "include users.conf\n");
}

TEST_F(UserRegistryTest, TheAclFileIsReadAndWritten) {
  const std::string path = Write(
      "users.acl", "\r\nuser alice on >a ~* (+get ~x)\r\n  user  on +get  \n\nuser default on nopass ~* &* +@all\n");
  ASSERT_EQ(Start("aclfile " + path + "\n"), "");
  EXPECT_THAT(TextOf("alice"), HasSubstr("(~x resetchannels -@all +get)"));
  EXPECT_THAT(TextOf(""), HasSubstr("+get"));  // the name between two blanks
  const uint64_t alice = users_->Find("alice")->identity(), first = users_->default_user()->identity();
  ASSERT_EQ(Set("bob", {"on", ">b"}), "");
  std::string error;
  ASSERT_TRUE(users_->Save(&error)) << error;
  ASSERT_EQ(Set("gone", {}), "");
  const std::string saved = Read(path);
  ASSERT_TRUE(users_->Load(&error)) << error;
  EXPECT_EQ(TextOf("gone"), "(none)");
  EXPECT_NE(users_->Find("bob"), nullptr);
  EXPECT_NE(users_->Find("alice")->identity(), alice);  // its clients are to go
  EXPECT_EQ(users_->default_user()->identity(), first);
  ASSERT_TRUE(users_->Save(&error)) << error;
  EXPECT_EQ(Read(path), saved);
  EXPECT_THAT(users_->ConfigLines(), IsEmpty());
}

TEST_F(UserRegistryTest, WithoutADefaultUserInTheFileItIsAsInTheBeginning) {
  const std::string path = Write("users.acl", "user alice on\n");
  ASSERT_EQ(Start("requirepass p\naclfile " + path + "\n"), "");
  EXPECT_EQ(TextOf("default"), "on nopass sanitize-payload ~* &* +@all");
}

TEST_F(UserRegistryTest, AFileWithErrorsChangesNothingAndTellsAllOfThem) {
  const std::string path = Write("users.acl", "user alice on +get\n");
  ASSERT_EQ(Start("aclfile " + path + "\n"), "");
  const UserPtr alice = users_->Find("alice");
  Write(
      "users.acl",
      "user bob on\nuser bob off\nalice on\nuser a\tb on\nuser c +nosuch bogus worse\nuser d (+get\n# comment\nuser\n");
  std::string error;
  EXPECT_FALSE(users_->Load(&error));
  EXPECT_EQ(error, "WARNING: Duplicate user 'bob' found on line 2. " + path +
                       ":3 should start with user keyword followed by the username. '" + path +
                       ":4: username 'a\tb' contains invalid characters. " + path +
                       ":5: Error in applying operation '+nosuch': Unknown command or category name in ACL. " + path +
                       ":5: Syntax error. " + path + ":6: Unmatched parenthesis in selector definition." + path +
                       ":7 should start with user keyword followed by the username. " + path +
                       ":8 should start with user keyword followed by the username. "
                       "WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
  EXPECT_EQ(users_->Find("alice"), alice);
  std::filesystem::remove(path);
  EXPECT_FALSE(users_->Load(&error));
  EXPECT_EQ(error, "Error loading ACLs, opening file '" + path + "': No such file or directory");
  std::filesystem::remove_all(folder_);
  EXPECT_FALSE(users_->Save(&error));
  EXPECT_EQ(error, "No such file or directory");
}

}  // namespace
}  // namespace basalt
