#include "server/acl/user.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "server/argument_parsing.h"
#include "server/config_options.h"
#include "server/digest.h"

namespace basalt {

namespace {

constexpr size_t kHashDigits = 64;

bool IsPasswordHash(std::string_view text) {
  return text.size() == kHashDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// A rule inside of "(…)". No word but the last ends with the bracket that ends the selector.
std::string SelectorWord(const std::string& rule) {
  std::string word = QuoteRule(rule);
  if (!rule.ends_with(')')) return word;
  if (word == rule) word = '"' + word + '"';
  return word.substr(0, word.size() - 2) + "\\x29\"";
}

}  // namespace

std::string QuoteRule(const std::string& word) {
  return !word.empty() && word.find_first_of("\"'\\") == std::string::npos ? word : QuoteWord(word);
}

User::User(std::string name, const AclDefaults& defaults) : name_(std::move(name)) {
  selectors_.emplace_back(defaults);
}

std::vector<std::string_view> User::Flags() const {
  std::vector<std::string_view> flags = {enabled_ ? "on" : "off"};
  if (nopass_) flags.emplace_back("nopass");
  flags.emplace_back(skips_sanitizing_ ? "skip-sanitize-payload" : "sanitize-payload");
  return flags;
}

// ---- rules ----

RuleError User::Apply(std::string_view rule, const AclDefaults& defaults) {
  const RuleError error = ApplyToUser(rule, defaults);
  unrestricted_ = std::any_of(selectors_.begin(), selectors_.end(),
                              [](const Selector& selector) { return selector.unrestricted(); });
  return error;
}

RuleError User::ApplyToUser(std::string_view rule, const AclDefaults& defaults) {
  const auto is = [rule](std::string_view word) { return EqualsIgnoreCase(rule, word); };
  if (rule.empty()) return RuleError::kNone;
  if (is("on") || is("off")) {
    enabled_ = is("on");
  } else if (is("skip-sanitize-payload") || is("sanitize-payload")) {
    skips_sanitizing_ = is("skip-sanitize-payload");
  } else if (is("nopass") || is("resetpass")) {
    nopass_ = is("nopass");
    passwords_.clear();
  } else if (rule[0] == '>' || rule[0] == '#') {
    const std::string hash = rule[0] == '>' ? Sha256Hex(rule.substr(1)) : std::string(rule.substr(1));
    if (!IsPasswordHash(hash)) return RuleError::kBadHash;
    if (std::find(passwords_.begin(), passwords_.end(), hash) == passwords_.end()) passwords_.push_back(hash);
    nopass_ = false;
  } else if (rule[0] == '<' || rule[0] == '!') {
    return RemovePassword(rule[0] == '<' ? Sha256Hex(rule.substr(1)) : rule.substr(1));
  } else if (rule.starts_with('(') && rule.ends_with(')')) {
    return AddSelector(rule.substr(1, rule.size() - 2), defaults);
  } else if (is("clearselectors")) {
    selectors_.erase(selectors_.begin() + 1, selectors_.end());
  } else if (is("reset")) {
    Reset(defaults);
  } else {
    return selectors_.front().Apply(rule);
  }
  return RuleError::kNone;
}

RuleError User::RemovePassword(std::string_view hash) {
  if (!IsPasswordHash(hash)) return RuleError::kBadHash;
  return std::erase(passwords_, hash) > 0 ? RuleError::kNone : RuleError::kNoSuchPassword;
}

RuleError User::AddSelector(std::string_view text, const AclDefaults& defaults) {
  Selector selector(defaults);
  std::vector<std::string> rules;
  if (!SplitWords(text, &rules)) rules.clear();  // as Redis has it: a selector without permissions
  for (const std::string& rule : rules) {
    if (const RuleError error = selector.Apply(rule); error != RuleError::kNone) return error;
    if (selector.items() > kItemsMax) return RuleError::kTooMany;
  }
  selectors_.push_back(std::move(selector));
  return RuleError::kNone;
}

void User::Reset(const AclDefaults& defaults) {
  const uint64_t identity = identity_;
  *this = User(name_, defaults);
  identity_ = identity;
}

size_t User::Items() const {
  size_t items = passwords_.size() + selectors_.size();
  for (const Selector& selector : selectors_) items += selector.items();
  return items;
}

bool JoinSelectorWords(std::span<const std::string_view> words, std::vector<std::string>* rules,
                       std::string* unmatched) {
  bool open = false;
  for (const std::string_view word : words) {
    if (open) {
      rules->back() += ' ';
      rules->back() += word;
      open = !word.ends_with(')');
    } else {
      rules->emplace_back(word);
      open = word.starts_with('(') && !word.ends_with(')');
      if (open) *unmatched = word;
    }
  }
  return !open;
}

bool User::ApplyAll(std::span<const std::string_view> words, const AclDefaults& defaults, std::string* error) {
  std::vector<std::string> rules;
  std::string unmatched;
  if (!JoinSelectorWords(words, &rules, &unmatched)) {
    *error = "Unmatched parenthesis in acl selector starting at '" + unmatched + "'.";
    return false;
  }
  for (const std::string& rule : rules) {
    RuleError refused = Apply(rule, defaults);
    if (refused == RuleError::kNone && Items() > kItemsMax) refused = RuleError::kTooMany;
    if (refused == RuleError::kNone) continue;
    *error =
        "Error in ACL SETUSER modifier '" + std::string(rule.c_str()) + "': " + std::string(RuleErrorText(refused));
    return false;
  }
  return true;
}

// ---- verdicts ----

// If no selector allows the command itself, that is what is told; else the last key or channel that none allowed.
AclVerdict User::Check(const Command& command, std::span<const std::string_view> argv) const {
  AclCall call(command, argv);
  AclVerdict worst{AclDenial::kCommand};
  for (const Selector& selector : selectors_) {
    const AclVerdict verdict = selector.Check(call);
    if (verdict.allowed()) return verdict;
    if (verdict.denial > worst.denial || (verdict.denial == worst.denial && verdict.index > worst.index))
      worst = verdict;
  }
  return worst;
}

bool User::MayUseAnyKey(const Command& command, std::span<const std::string_view> argv, uint32_t key_flags) const {
  AclCall call(command, argv);
  return std::any_of(selectors_.begin(), selectors_.end(), [&](const Selector& selector) {
    return selector.Check(call).allowed() && selector.AllowsAnyKey(key_flags);
  });
}

bool User::MayUseChannel(std::string_view channel, bool is_pattern) const {
  return std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const Selector& selector) { return selector.AllowsChannel(channel, is_pattern); });
}

bool User::LosesChannelsOf(const User& before) const {
  const auto has_all = [](const Selector& selector) { return selector.all_channels(); };
  if (std::any_of(selectors_.begin(), selectors_.end(), has_all)) return false;
  if (std::any_of(before.selectors_.begin(), before.selectors_.end(), has_all)) return true;
  // A pattern that stays literally allows what it allowed.
  return std::any_of(before.selectors_.begin(), before.selectors_.end(), [this](const Selector& selector) {
    return std::any_of(selector.channels().begin(), selector.channels().end(),
                       [this](const std::string& pattern) { return !MayUseChannel(pattern, true); });
  });
}

bool User::AcceptsPassword(std::string_view password) const {
  if (nopass_) return true;
  const std::string hash = Sha256Hex(password);
  bool accepted = false;
  for (const std::string& known : passwords_) accepted |= CRYPTO_memcmp(hash.data(), known.data(), kHashDigits) == 0;
  return accepted;
}

// ---- text ----

std::string User::Text() const {
  std::string text;
  for (const std::string_view flag : Flags()) text += std::string(flag) + ' ';
  for (const std::string& hash : passwords_) text += '#' + hash + ' ';
  for (const std::string& rule : root().Rules()) text += rule + ' ';
  text.pop_back();
  for (const Selector& selector : more_selectors()) {
    text += " (";
    for (const std::string& rule : selector.Rules()) text += SelectorWord(rule) + ' ';
    text.back() = ')';
  }
  return text;
}

}  // namespace basalt
