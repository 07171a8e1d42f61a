#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/acl/acl_log.h"
#include "server/acl/user.h"

namespace basalt {

class ConfigTable;

// The users, by name, and the log of what was denied. There always is a user "default": that of new connections.
// Any thread. Readers wait for no writer: a writer works out the new users first, then exchanges them.
class UserRegistry {
 public:
  using Users = std::map<std::string, UserPtr, std::less<>>;
  using UsersPtr = std::shared_ptr<const Users>;

  UserRegistry(const CommandTable& commands, const ConfigTable& config);

  // ---- start ----
  // The password of `requirepass`, then the `user` lines of the conf file, or the aclfile. False: *error is one line.
  bool LoadAtStart(std::string* error);

  // ---- sessions ----
  // Goes up with every change. A session that has seen the current one need not ask for its user again.
  uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  UserPtr default_user() const;
  UserPtr Find(std::string_view name) const;  // null: none
  // The user, if it is on and this is a password of it; else null.
  UserPtr Authenticate(std::string_view name, std::string_view password) const;
  // Whether a connection that has not said who it is may do nothing yet.
  bool NewClientsMustAuthenticate() const { return must_authenticate_.load(std::memory_order_relaxed); }

  // ---- changes ----
  struct Change {
    UserPtr before, after;  // before: null for a new user
  };
  // ACL SETUSER. False: *error is its text without the code word, and nothing has changed.
  bool Set(std::string_view name, std::span<const std::string_view> rules, Change* change, std::string* error);
  bool Delete(std::string_view name);  // REQUIRES: not the default user
  // `requirepass`; empty: none is needed. False: the user has as many rules as it may.
  [[nodiscard]] bool SetDefaultPassword(std::string_view password, std::string* error);
  // Reads and writes the aclfile. All users but the default one are others afterwards, even those with the same rules.
  // False: *error tells everything that is wrong with it, and nothing has changed. REQUIRES: the option is set.
  bool Load(std::string* error);
  bool Save(std::string* error) const;

  UsersPtr All() const;  // as of now
  // What the conf file has to say of users, a line each; empty: no more than requirepass does, or there is an aclfile.
  std::vector<std::string> ConfigLines() const;

  AclLog& log() { return log_; }

 private:
  AclDefaults defaults() const;
  UserPtr Publishable(User user) const;
  User InitialDefaultUser() const;
  bool LoadConfiguredUsers(Users* users, std::string* error) const;
  void Exchange(Users users);

  const CommandTable& commands_;
  const ConfigTable& config_;
  AclLog log_;
  std::atomic<uint64_t> version_{1};
  std::atomic<bool> must_authenticate_{false};
  mutable std::atomic<uint64_t> next_identity_{1};

  std::mutex write_mu_;    // held through a change; before mu_
  mutable std::mutex mu_;  // for moments
  UsersPtr users_;         // guarded by mu_
};

}  // namespace basalt
