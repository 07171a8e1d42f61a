#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/acl/denial.h"
#include "server/acl/selector.h"

namespace basalt {

// A user: passwords, and what it may do. Changed by rules while one thread has it; once it is published (UserPtr)
// nothing changes any more, so any thread may look: a change makes a new one.
class User {
 public:
  // Off, without password or permission.
  User(std::string name, const AclDefaults& defaults);

  const std::string& name() const { return name_; }
  bool enabled() const { return enabled_; }
  bool nopass() const { return nopass_; }
  const std::vector<std::string>& passwords() const { return passwords_; }  // SHA-256, hex
  const Selector& root() const { return selectors_.front(); }
  // Beyond the root.
  std::span<const Selector> more_selectors() const { return std::span(selectors_).subspan(1); }
  std::vector<std::string_view> Flags() const;  // "on", "nopass", …
  // Which user it is: stays the same through changes; another one when a name is given again.
  uint64_t identity() const { return identity_; }
  void set_identity(uint64_t identity) { identity_ = identity; }

  // ---- rules ----
  // One rule of the user or of its root selector: "on", ">secret", "reset", "(+get ~k*)", "+get", … Nothing changes
  // when it is refused.
  RuleError Apply(std::string_view rule, const AclDefaults& defaults);
  // All rules, in Redis' lenient form: a selector may be spread over several words. False: *error is ACL SETUSER's text
  // without the code word, and the user is to be thrown away.
  bool ApplyAll(std::span<const std::string_view> words, const AclDefaults& defaults, std::string* error);
  // Patterns, rules, passwords and selectors of one user: commands are judged by looking at each.
  static constexpr size_t kItemsMax = 10'000;

  // ---- verdicts ----
  // Whether it may do everything: the one test that such users cost.
  bool unrestricted() const { return unrestricted_; }
  AclVerdict Check(const Command& command, std::span<const std::string_view> argv) const;
  // Whether it may run this call and could name any key in it besides: for commands whose keys come out of data (SORT
  // BY).
  bool MayUseAnyKey(const Command& command, std::span<const std::string_view> argv, uint32_t key_flags) const;
  bool MayUseChannel(std::string_view channel, bool is_pattern) const;
  // Whether a subscriber may have channels that `before` allowed and this user does not.
  bool LosesChannelsOf(const User& before) const;
  // In constant time, as far as it is about the password.
  bool AcceptsPassword(std::string_view password) const;

  // The rules that make it anew from nothing, in one line, as ACL LIST shows them: "on nopass sanitize-payload ~* &*
  // +@all".
  std::string Text() const;

 private:
  RuleError ApplyToUser(std::string_view rule, const AclDefaults& defaults);
  RuleError AddSelector(std::string_view text, const AclDefaults& defaults);
  RuleError RemovePassword(std::string_view hash);
  void Reset(const AclDefaults& defaults);
  size_t Items() const;

  std::string name_;
  uint64_t identity_ = 0;
  bool enabled_ = false;
  bool nopass_ = false;
  bool skips_sanitizing_ = false;  // kept and shown: RESTORE always checks what it is given
  bool unrestricted_ = false;
  std::vector<std::string> passwords_;
  std::vector<Selector> selectors_;  // the root first
};

using UserPtr = std::shared_ptr<const User>;

inline constexpr std::string_view kDefaultUserName = "default";

// A word as SplitWords reads it back. Most words are as they are, as Redis shows them.
std::string QuoteRule(const std::string& word);

// Joins the words of selectors that are spread over several: "(+get", "~k*)". False: *unmatched is the word that opens
// one which nothing closes.
bool JoinSelectorWords(std::span<const std::string_view> words, std::vector<std::string>* rules,
                       std::string* unmatched);

}  // namespace basalt
