#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/acl/denial.h"
#include "server/command_table.h"

namespace basalt {

// Why a rule is refused. Names, texts: RuleErrorText().
enum class RuleError : uint8_t {
  kNone,
  kUnknownCommand,  // or category
  kSyntax,
  kKeysAfterAll,          // a key pattern although all keys are allowed already
  kChannelsAfterAll,      // … of channels
  kNoSuchPassword,        // to be removed
  kBadHash,               // of a password
  kFirstArgOfSubcommand,  // "+config|get|port"
  kTooMany,               // kUserItemsMax
};
std::string_view RuleErrorText(RuleError error);

// Whether `text` cannot be a user's name or a pattern: blanks and null bytes separate rules.
bool HasBlanks(std::string_view text);

// What new selectors begin with.
struct AclDefaults {
  const CommandTable& commands;
  bool all_channels = false;  // `acl-pubsub-default`
};

// One call that is to be judged. Its keys are looked for once, whatever the number of selectors.
class AclCall {
 public:
  AclCall(const Command& command, std::span<const std::string_view> argv) : command(command), argv(argv) {}

  const Command& command;
  const std::span<const std::string_view> argv;
  const KeyPositions& keys();  // with the flags of this very call

 private:
  std::optional<KeyPositions> keys_;
};

// A set of permissions: commands, key patterns, channel patterns. A user has one of its own, the root, and may have
// more; a call must be allowed as a whole by one of them. The rules:
// https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
class Selector {
 public:
  // Without any permission but the default one.
  explicit Selector(const AclDefaults& defaults);

  // One rule: "+get", "-@admin", "~key:*", "%R~key:*", "&channel", "allkeys", … Nothing changes when it is refused.
  RuleError Apply(std::string_view rule);

  AclVerdict Check(AclCall& call) const;
  // Whether any key may be used as `key_flags` (KeySpecFlag) say.
  bool AllowsAnyKey(uint32_t key_flags) const;
  bool AllowsChannel(std::string_view channel, bool is_pattern) const;
  bool unrestricted() const { return all_commands_ && all_keys_ && all_channels_; }
  bool all_channels() const { return all_channels_; }
  const std::vector<std::string>& channels() const { return channels_; }

  // As ACL GETUSER and ACL LIST show them; Apply() reads all of it, word by word.
  std::string CommandsText() const;  // "-@all +get +config|get"
  std::string KeysText() const;      // "%R~a* ~b*"
  std::string ChannelsText() const;  // "&news.*"
  std::vector<std::string> Rules() const;

  // How many patterns and rules it keeps.
  size_t items() const { return keys_.size() + channels_.size() + first_args_.size() + command_rules_.size(); }

 private:
  enum Access : uint8_t { kRead = 1, kWrite = 2, kReadWrite = kRead | kWrite };
  struct KeyPattern {
    std::string pattern;
    uint8_t access;
  };
  static uint8_t AccessOf(uint32_t key_flags);

  RuleError AddKeyPattern(std::string_view rule);
  RuleError AddChannelPattern(std::string_view pattern);
  RuleError ApplyCommand(std::string_view name, bool allow);
  RuleError AllowFirstArg(const Command& command, std::string_view name, std::string_view first_arg);
  RuleError ApplyCategory(std::string_view name, bool allow);
  void AllowAllCommands(bool allow);
  void Allow(const Command& command, bool allow);
  void KeepCommandRule(std::string_view name, bool allow);
  bool AllowsCommand(const AclCall& call) const;
  bool AllowsKey(std::string_view key, uint32_t key_flags) const;
  std::string KeyRule(const KeyPattern& key) const;

  const CommandTable* commands_;
  bool all_commands_ = false;  // every command, without a look at the bits
  bool all_keys_ = false;
  bool all_channels_ = false;
  bool begins_with_all_ = false;  // the command rules build on +@all, not on -@all
  std::vector<bool> allowed_;     // by Command::index
  // "+select|0": commands that are allowed with this first argument only, by Command::index.
  std::vector<std::pair<uint32_t, std::string>> first_args_;
  std::vector<std::string> command_rules_;  // since the last +@all or -@all, lower case, without what later ones undid
  std::vector<KeyPattern> keys_;
  std::vector<std::string> channels_;
};

}  // namespace basalt
