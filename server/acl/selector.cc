#include "server/acl/selector.h"

#include <algorithm>
#include <cctype>

#include "server/argument_parsing.h"

namespace basalt {

namespace {

void AppendWord(std::string_view word, std::string* text) {
  if (!text->empty()) *text += ' ';
  *text += word;
}

}  // namespace

std::string_view RuleErrorText(RuleError error) {
  switch (error) {
    case RuleError::kNone:
      return "";
    case RuleError::kUnknownCommand:
      return "Unknown command or category name in ACL";
    case RuleError::kSyntax:
      return "Syntax error";
    case RuleError::kKeysAfterAll:
      return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
             "Try 'resetkeys' to start with an empty list of patterns";
    case RuleError::kChannelsAfterAll:
      return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any "
             "effect. Try 'resetchannels' to start with an empty list of channels";
    case RuleError::kNoSuchPassword:
      return "The password you are trying to remove from the user does not exist";
    case RuleError::kBadHash:
      return "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
    case RuleError::kFirstArgOfSubcommand:
      return "Allowing first-arg of a subcommand is not supported";
    case RuleError::kTooMany:
      return "Too many rules for one user";
  }
  return "";
}

bool HasBlanks(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::isspace(c) || c == 0; });
}

const KeyPositions& AclCall::keys() {
  if (!keys_) {
    KeyPositions found;
    // Where keys cannot be found the arguments are wrong, and the command will say so; those found before count.
    (void)CommandTable::Keys(*command.spec, argv, &found);
    keys_.emplace();
    for (const KeyPosition& key : found) {
      if (key.index >= argv.size()) continue;  // redis.acl_check_cmd asks about calls with too few arguments as well
      keys_->Add(key.index, KeyFlagsOfCall(*command.spec, argv, key.flags));
    }
  }
  return *keys_;
}

Selector::Selector(const AclDefaults& defaults)
    : commands_(&defaults.commands), all_channels_(defaults.all_channels), allowed_(defaults.commands.size()) {}

// ---- rules ----

RuleError Selector::Apply(std::string_view rule) {
  const auto is = [rule](std::string_view word) { return EqualsIgnoreCase(rule, word); };
  if (is("allkeys") || is("~*")) {
    all_keys_ = true;
    keys_.clear();
  } else if (is("resetkeys")) {
    all_keys_ = false;
    keys_.clear();
  } else if (is("allchannels") || is("&*")) {
    all_channels_ = true;
    channels_.clear();
  } else if (is("resetchannels")) {
    all_channels_ = false;
    channels_.clear();
  } else if (is("allcommands") || is("+@all")) {
    AllowAllCommands(true);
  } else if (is("nocommands") || is("-@all")) {
    AllowAllCommands(false);
  } else if (rule.starts_with('~') || rule.starts_with('%')) {
    return AddKeyPattern(rule);
  } else if (rule.starts_with('&')) {
    return AddChannelPattern(rule.substr(1));
  } else if (rule.starts_with("+@") || rule.starts_with("-@")) {
    return ApplyCategory(rule.substr(2), rule[0] == '+');
  } else if (rule.starts_with('+') || rule.starts_with('-')) {
    return ApplyCommand(rule.substr(1), rule[0] == '+');
  } else {
    return RuleError::kSyntax;
  }
  return RuleError::kNone;
}

// "~pattern", or "%", one or both of R and W, "~pattern".
RuleError Selector::AddKeyPattern(std::string_view rule) {
  if (all_keys_) return RuleError::kKeysAfterAll;
  uint8_t access = rule[0] == '~' ? kReadWrite : 0;
  size_t at = 1;
  for (bool more = access == 0; more && at < rule.size(); ++at) {
    const char letter = static_cast<char>(std::toupper(static_cast<unsigned char>(rule[at])));
    const uint8_t adds = letter == 'R' ? kRead : letter == 'W' ? kWrite : 0;
    if (letter == '~') {
      more = false;
    } else if (adds != 0 && (access & adds) == 0) {
      access |= adds;
    } else {
      return RuleError::kSyntax;
    }
  }
  const std::string_view pattern = rule.substr(at);
  // Redis 7.2.4 takes "%~pattern", and crashes when it is shown.
  if (access == 0 || HasBlanks(pattern)) return RuleError::kSyntax;
  const auto known =
      std::find_if(keys_.begin(), keys_.end(), [&](const KeyPattern& key) { return key.pattern == pattern; });
  if (known != keys_.end()) {
    known->access |= access;
  } else {
    keys_.push_back({std::string(pattern), access});
  }
  return RuleError::kNone;
}

RuleError Selector::AddChannelPattern(std::string_view pattern) {
  if (all_channels_) return RuleError::kChannelsAfterAll;
  if (HasBlanks(pattern)) return RuleError::kSyntax;
  if (std::find(channels_.begin(), channels_.end(), pattern) == channels_.end()) channels_.emplace_back(pattern);
  return RuleError::kNone;
}

RuleError Selector::ApplyCommand(std::string_view name, bool allow) {
  const size_t bar = name.rfind('|');
  if (allow && bar != std::string_view::npos) {
    const Command* command = commands_->FindOwnFullName(name.substr(0, bar));
    if (command == nullptr) return RuleError::kUnknownCommand;
    if (command->container != nullptr) return RuleError::kFirstArgOfSubcommand;
    if (bar + 1 == name.size()) return RuleError::kSyntax;
    if (!command->is_container()) return AllowFirstArg(*command, name, name.substr(bar + 1));
  }
  const Command* command = commands_->FindOwnFullName(name);
  if (command == nullptr) return RuleError::kUnknownCommand;
  Allow(*command, allow);
  KeepCommandRule(command->name(), allow);
  return RuleError::kNone;
}

RuleError Selector::AllowFirstArg(const Command& command, std::string_view name, std::string_view first_arg) {
  if (HasBlanks(first_arg)) return RuleError::kSyntax;
  const auto same = [&](const auto& entry) {
    return entry.first == command.index && EqualsIgnoreCase(entry.second, first_arg);
  };
  if (std::none_of(first_args_.begin(), first_args_.end(), same)) first_args_.emplace_back(command.index, first_arg);
  KeepCommandRule(name, true);
  return RuleError::kNone;
}

RuleError Selector::ApplyCategory(std::string_view name, bool allow) {
  const uint32_t category = AclCategoryByName(name);
  if (category == 0) return RuleError::kUnknownCommand;
  KeepCommandRule("@" + std::string(name), allow);
  for (const Command& command : commands_->all()) {
    if ((command.acl_categories & category) != 0) Allow(command, allow);
  }
  return RuleError::kNone;
}

void Selector::AllowAllCommands(bool allow) {
  allowed_.assign(allowed_.size(), allow);
  all_commands_ = begins_with_all_ = allow;
  command_rules_.clear();
  first_args_.clear();
}

// With its subcommands.
void Selector::Allow(const Command& command, bool allow) {
  allowed_[command.index] = allow;
  for (const Command* subcommand : command.subcommands) allowed_[subcommand->index] = allow;
  std::erase_if(first_args_, [&](const auto& entry) { return entry.first == command.index; });
  if (!allow) all_commands_ = false;
}

// The rules in the order in which they count: what is said again, or for the whole container, stands at its last place.
void Selector::KeepCommandRule(std::string_view name, bool allow) {
  const std::string rule = ToLower(name);
  std::erase_if(command_rules_, [&](std::string_view kept) {
    kept.remove_prefix(1);
    return kept.starts_with(rule) && (kept.size() == rule.size() || kept[rule.size()] == '|');
  });
  command_rules_.push_back((allow ? "+" : "-") + rule);
}

// ---- verdicts ----

uint8_t Selector::AccessOf(uint32_t key_flags) {
  const bool reads = (key_flags & kKeyAccess) != 0;
  const bool writes = (key_flags & (kKeyInsert | kKeyDelete | kKeyUpdate)) != 0;
  return static_cast<uint8_t>((reads ? kRead : 0) | (writes ? kWrite : 0));
}

AclVerdict Selector::Check(AclCall& call) const {
  const CommandSpec& spec = *call.command.spec;
  if (!all_commands_ && !spec.Has(kCmdNoAuth) && !AllowsCommand(call)) return {AclDenial::kCommand};
  if (!all_keys_ && CommandTable::HasKeys(spec)) {
    for (const KeyPosition& key : call.keys()) {
      if (!AllowsKey(call.argv[key.index], key.flags)) return {AclDenial::kKey, key.index};
    }
  }
  using Use = ChannelSpec::Use;
  if (!all_channels_ && (spec.channels.use == Use::kSubscribe || spec.channels.use == Use::kPublish)) {
    const auto argc = static_cast<int64_t>(call.argv.size());
    const int64_t last = spec.channels.last < 0 ? argc + spec.channels.last : spec.channels.last;
    for (int64_t i = spec.channels.first; i <= last && i < argc; ++i) {
      if (!AllowsChannel(call.argv[static_cast<size_t>(i)], spec.channels.patterns)) {
        return {AclDenial::kChannel, static_cast<uint32_t>(i)};
      }
    }
  }
  return {};
}

bool Selector::AllowsCommand(const AclCall& call) const {
  const uint32_t index = call.command.index;
  if (allowed_[index]) return true;
  if (call.argv.size() < 2) return false;
  return std::any_of(first_args_.begin(), first_args_.end(), [&](const auto& entry) {
    return entry.first == index && EqualsIgnoreCase(entry.second, call.argv[1]);
  });
}

bool Selector::AllowsKey(std::string_view key, uint32_t key_flags) const {
  const uint8_t access = AccessOf(key_flags);
  return std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& pattern) {
    return (pattern.access & access) == access && GlobMatch(pattern.pattern, key);
  });
}

bool Selector::AllowsAnyKey(uint32_t key_flags) const {
  const uint8_t access = AccessOf(key_flags);
  return all_keys_ || std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& key) {
           return (key.access & access) == access && key.pattern == "*";
         });
}

// The pattern of a PSUBSCRIBE must be allowed literally: what it matches cannot be compared.
bool Selector::AllowsChannel(std::string_view channel, bool is_pattern) const {
  return all_channels_ || std::any_of(channels_.begin(), channels_.end(), [&](const std::string& pattern) {
           return is_pattern ? pattern == channel : GlobMatch(pattern, channel);
         });
}

// ---- texts ----

std::string Selector::CommandsText() const {
  std::string text = begins_with_all_ ? "+@all" : "-@all";
  for (const std::string& rule : command_rules_) AppendWord(rule, &text);
  return text;
}

std::string Selector::KeyRule(const KeyPattern& key) const {
  if (key.access == kRead) return "%R~" + key.pattern;
  if (key.access == kWrite) return "%W~" + key.pattern;
  // Among others "~*" would not be one more pattern, but all keys.
  return (key.pattern == "*" && keys_.size() > 1 ? "%RW~" : "~") + key.pattern;
}

std::string Selector::KeysText() const {
  if (all_keys_) return "~*";
  std::string text;
  for (const KeyPattern& key : keys_) AppendWord(KeyRule(key), &text);
  return text;
}

std::string Selector::ChannelsText() const {
  if (all_channels_) return "&*";
  std::string text;
  for (const std::string& channel : channels_) AppendWord("&" + channel, &text);
  return text;
}

std::vector<std::string> Selector::Rules() const {
  std::vector<std::string> rules;
  if (all_keys_) rules.emplace_back("~*");
  for (const KeyPattern& key : keys_) rules.push_back(KeyRule(key));
  rules.emplace_back(all_channels_ ? "&*" : "resetchannels");
  for (const std::string& channel : channels_) rules.push_back("&" + channel);
  rules.emplace_back(begins_with_all_ ? "+@all" : "-@all");
  rules.insert(rules.end(), command_rules_.begin(), command_rules_.end());
  return rules;
}

}  // namespace basalt
