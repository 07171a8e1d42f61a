#include "server/acl/user_registry.h"

#include <glog/logging.h>

#include <set>
#include <utility>

#include "server/acl/acl_file.h"
#include "server/config_table.h"

namespace basalt {

UserRegistry::UserRegistry(const CommandTable& commands, const ConfigTable& config)
    : commands_(commands), config_(config) {
  users_ = std::make_shared<const Users>(Users{{std::string(kDefaultUserName), Publishable(InitialDefaultUser())}});
}

AclDefaults UserRegistry::defaults() const {
  return {.commands = commands_, .all_channels = config_.current().acl_pubsub_default == PubsubDefault::kAllChannels};
}

// A user that was not there before gets its identity.
UserPtr UserRegistry::Publishable(User user) const {
  if (user.identity() == 0) user.set_identity(next_identity_.fetch_add(1, std::memory_order_relaxed));
  return std::make_shared<const User>(std::move(user));
}

// May do everything, and needs no password.
User UserRegistry::InitialDefaultUser() const {
  User user(std::string(kDefaultUserName), defaults());
  for (const std::string_view rule : {"+@all", "~*", "&*", "on", "nopass"}) {
    CHECK(user.Apply(rule, defaults()) == RuleError::kNone) << rule;
  }
  return user;
}

// ---- start ----

bool UserRegistry::LoadAtStart(std::string* error) {
  const ConfigSnapshot& config = config_.current();
  if (!SetDefaultPassword(config.requirepass, error)) return false;
  if (config.aclfile.empty()) {
    const std::lock_guard writing(write_mu_);
    Users users = *All();
    if (!LoadConfiguredUsers(&users, error)) return false;
    Exchange(std::move(users));
    return true;
  }
  if (!config_.user_lines().empty()) {
    *error = config_.user_lines().front().where + ": users are defined both here and in the aclfile '" +
             config.aclfile + "'; keep them in one of the two";
    return false;
  }
  return Load(error);
}

bool UserRegistry::LoadConfiguredUsers(Users* users, std::string* error) const {
  std::set<std::string> seen;
  for (const ConfigTable::UserLine& line : config_.user_lines()) {
    const auto fail = [&](const std::string& reason) { return *error = line.where + ": " + reason, false; };
    const std::string& name = line.words[1];
    if (HasBlanks(name)) return fail("Spaces not allowed in ACL usernames");
    if (!seen.insert(name).second) return fail("Duplicate user found. A user can only be defined once in config files");
    User user(name, defaults());
    const std::vector<std::string_view> rules(line.words.begin() + 2, line.words.end());
    std::string reason;
    if (!user.ApplyAll(rules, defaults(), &reason)) return fail("user " + name + ": " + reason);
    if (name == kDefaultUserName) user.set_identity(users->find(name)->second->identity());
    if (!user.enabled()) LOG(WARNING) << line.where << ": the user '" << name << "' is off (there is no rule 'on')";
    users->insert_or_assign(name, Publishable(std::move(user)));
  }
  return true;
}

// ---- sessions ----

UserPtr UserRegistry::default_user() const { return Find(kDefaultUserName); }

UserPtr UserRegistry::Find(std::string_view name) const {
  const UsersPtr users = All();
  const auto it = users->find(name);
  return it == users->end() ? nullptr : it->second;
}

UserPtr UserRegistry::Authenticate(std::string_view name, std::string_view password) const {
  UserPtr user = Find(name);
  return user != nullptr && user->enabled() && user->AcceptsPassword(password) ? user : nullptr;
}

// ---- changes ----

// REQUIRES: write_mu_ is held.
void UserRegistry::Exchange(Users users) {
  const User& first = *users.find(kDefaultUserName)->second;
  must_authenticate_.store(!first.nopass() || !first.enabled(), std::memory_order_relaxed);
  UsersPtr exchanged = std::make_shared<const Users>(std::move(users));
  {
    const std::lock_guard lock(mu_);
    users_.swap(exchanged);  // the old ones go when nobody looks at them, not under the lock
  }
  version_.fetch_add(1, std::memory_order_release);
}

bool UserRegistry::Set(std::string_view name, std::span<const std::string_view> rules, Change* change,
                       std::string* error) {
  const std::lock_guard writing(write_mu_);
  change->before = Find(name);
  User user = change->before != nullptr ? *change->before : User(std::string(name), defaults());
  if (!user.ApplyAll(rules, defaults(), error)) return false;
  change->after = Publishable(std::move(user));
  Users users = *All();
  users.insert_or_assign(std::string(name), change->after);
  Exchange(std::move(users));
  return true;
}

bool UserRegistry::Delete(std::string_view name) {
  CHECK(name != kDefaultUserName);
  const std::lock_guard writing(write_mu_);
  Users users = *All();
  if (users.erase(std::string(name)) == 0) return false;
  Exchange(std::move(users));
  return true;
}

bool UserRegistry::SetDefaultPassword(std::string_view password, std::string* error) {
  const std::string rule = password.empty() ? "nopass" : ">" + std::string(password);
  const std::string_view rules[] = {"resetpass", rule};
  Change change;
  if (Set(kDefaultUserName, rules, &change, error)) return true;
  *error = "the user default has as many rules as it may";  // the other text names the password
  return false;
}

bool UserRegistry::Load(std::string* error) {
  const std::lock_guard writing(write_mu_);
  Users users;
  std::vector<User> read;
  if (!ReadAclFile(config_.current().aclfile, defaults(), &read, error)) return false;
  for (User& user : read) {
    if (user.name() == kDefaultUserName) user.set_identity(default_user()->identity());
    const std::string name = user.name();
    users.emplace(name, Publishable(std::move(user)));
  }
  if (!users.contains(kDefaultUserName)) {
    User user = InitialDefaultUser();
    user.set_identity(default_user()->identity());
    users.emplace(kDefaultUserName, Publishable(std::move(user)));
  }
  Exchange(std::move(users));
  return true;
}

bool UserRegistry::Save(std::string* error) const {
  std::vector<UserPtr> users;
  const UsersPtr all = All();
  for (const auto& [name, user] : *all) users.push_back(user);
  return WriteAclFile(config_.current().aclfile, users, error);
}

UserRegistry::UsersPtr UserRegistry::All() const {
  const std::lock_guard lock(mu_);
  return users_;
}

std::vector<std::string> UserRegistry::ConfigLines() const {
  const ConfigSnapshot& config = config_.current();
  if (!config.aclfile.empty()) return {};
  User plain = InitialDefaultUser();
  if (!config.requirepass.empty()) CHECK(plain.Apply(">" + config.requirepass, defaults()) == RuleError::kNone);
  const UsersPtr users = All();
  if (users->size() == 1 && users->begin()->second->Text() == plain.Text()) return {};
  std::vector<std::string> lines;
  for (const auto& [name, user] : *users) {
    std::string line = "user " + QuoteRule(name);
    const std::string text = user->Text();
    for (size_t from = 0; from <= text.size();) {
      const size_t end = std::min(text.find(' ', from), text.size());
      line += ' ' + QuoteRule(text.substr(from, end - from));
      from = end + 1;
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace basalt
