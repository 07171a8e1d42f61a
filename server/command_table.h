#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/acl/categories.h"
#include "server/command_spec.h"
#include "server/status.h"

namespace basalt {

// Where one key stands in a command's arguments, and how the command uses it (KeySpecFlag).
struct KeyPosition {
  uint32_t index = 0;
  uint32_t flags = 0;
};

// A short list of key positions; the first kInline need no allocation. The handle that CommandSpec::get_keys fills.
class KeyPositions {
 public:
  static constexpr size_t kInline = 16;

  void Add(uint32_t index, uint32_t flags) {
    if (size_ < kInline) {
      inline_[size_++] = {index, flags};
      return;
    }
    if (size_ == kInline) more_.assign(inline_, inline_ + kInline);
    more_.push_back({index, flags});
    ++size_;
  }
  void Clear() { size_ = 0; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const KeyPosition* begin() const { return size_ <= kInline ? inline_ : more_.data(); }
  const KeyPosition* end() const { return begin() + size_; }
  const KeyPosition& operator[](size_t i) const { return begin()[i]; }

 private:
  size_t size_ = 0;
  KeyPosition inline_[kInline];
  std::vector<KeyPosition> more_;
};

// A row with what the table derives from it.
struct Command {
  const CommandSpec* spec = nullptr;
  uint32_t index = 0;           // dense: of statistics
  uint32_t acl_categories = 0;  // AclCategory
  const Command* container = nullptr;
  std::vector<const Command*> subcommands;
  // What clients write for it, in lower case: its own name, or what Rename has made of it. Empty: it was taken away.
  std::string_view called;
  // COMMAND INFO's old way of naming keys; all 0: none.
  int first_key = 0, last_key = 0, key_step = 0;
  bool movable_keys = false;

  std::string_view name() const { return spec->name; }  // "client|list"
  // "list" of "client|list".
  std::string_view own_name() const;
  // "list" or "client".
  bool is_container() const { return !subcommands.empty(); }
  bool can_be_called() const { return !(container != nullptr ? *container : *this).called.empty(); }
};

// All commands, by name. Frozen once it is set up; any thread; lookups allocate nothing.
class CommandTable {
 public:
  CommandTable();                                                                 // the families of commands/families.h
  explicit CommandTable(std::span<const std::span<const CommandSpec>> families);  // for tests
  CommandTable(const CommandTable&) = delete;

  // rename-command: clients call `name` by `new_name` from here on; empty: not at all. ACL rules, statistics and the
  // texts of errors keep its own name. False: *error says why not, in Redis' words. Set-up time only.
  bool Rename(std::string_view name, std::string_view new_name, std::string* error);

  // The command, or subcommand, that `argv` calls. Null: *error is Redis' answer ("ERR unknown command …", "ERR unknown
  // subcommand …"). Arity is not checked.
  const Command* Resolve(std::span<const std::string_view> argv, Status* error) const;
  // "ERR wrong number of arguments for 'config|get' command", or kOk.
  static Status CheckArity(const CommandSpec& spec, size_t argc);

  // A top-level command, as clients call it. Any case. Null: none.
  const Command* Find(std::string_view name) const;
  const Command* FindSubcommand(const Command& container, std::string_view name) const;
  // "get", or "config|get" as COMMAND INFO names a subcommand.
  const Command* FindFullName(std::string_view name) const;
  // The same by the names that commands have of their own, as ACL rules do.
  const Command* FindOwnFullName(std::string_view name) const;
  // The entry of a row. REQUIRES: a row that this table was built from.
  const Command& Of(const CommandSpec& spec) const;

  // Those that can be called.
  const std::vector<const Command*>& top_level() const { return top_level_; }
  // By index, subcommands included, and those that cannot be called.
  std::span<const Command> all() const { return commands_; }
  size_t size() const { return commands_.size(); }

  // The keys in `argv`. False: the arguments are not such that keys can be found, `keys` then holds those found before.
  // Specs flagged not_key are left out.
  static bool Keys(const CommandSpec& spec, std::span<const std::string_view> argv, KeyPositions* keys);
  // Whether the command may have keys at all.
  static bool HasKeys(const CommandSpec& spec);

 private:
  struct Slot {
    uint32_t hash = 0;
    const Command* command = nullptr;
  };
  struct Family {
    const CommandSpec* rows;
    size_t size;
    uint32_t first_index;
  };

  void Build(std::span<const std::span<const CommandSpec>> families);
  void Insert(const Command& command);
  const Command* Lookup(uint32_t hash, const Command* container, std::string_view name) const;

  std::vector<Family> families_;
  std::vector<Command> commands_;
  std::vector<const Command*> top_level_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most a quarter full
  std::deque<std::string> new_names_;
};

// What a call really does with a key (KeySpecFlag): for a row with variable_flags, which states the most it may do, the
// arguments say more.
uint32_t KeyFlagsOfCall(const CommandSpec& spec, std::span<const std::string_view> argv, uint32_t row_flags);

// Whether argument i must not be shown in SLOWLOG and MONITOR (passwords, values of sensitive options).
bool IsRedacted(const CommandSpec& spec, std::span<const std::string_view> argv, size_t i);
inline constexpr std::string_view kRedacted = "(redacted)";

// The README's table: one line a command, by group. Markdown.
std::string CommandsMarkdown(const CommandTable& table);

}  // namespace basalt
