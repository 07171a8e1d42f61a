#include "server/command_table.h"

#include <algorithm>
#include <cctype>
#include <climits>
#include <map>

#include "server/command_context.h"
#include "server/commands/families.h"
#include "server/config_options.h"

namespace basalt {

namespace {

constexpr size_t kQuotedNameMax = 128;  // bytes of a client's words that an error repeats

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// FNV-1a over the lower-case bytes.
constexpr uint32_t kHashSeed = 2166136261u;
uint32_t Hash(std::string_view text, uint32_t hash = kHashSeed) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(Lower(c))) * 16777619u;
  return hash;
}

uint32_t HashOf(const Command& command) {
  return command.container == nullptr ? Hash(command.called)
                                      : Hash(command.called, Hash("|", Hash(command.container->name())));
}

// `lower` is lower case.
bool SameName(std::string_view lower, std::string_view name) {
  return lower.size() == name.size() &&
         std::equal(lower.begin(), lower.end(), name.begin(), [](char a, char b) { return a == Lower(b); });
}

std::string_view Truncated(std::string_view text, size_t bytes) { return text.substr(0, bytes); }

std::string UnknownCommandText(std::span<const std::string_view> argv) {
  std::string args;
  for (size_t i = 1; i < argv.size() && args.size() < kQuotedNameMax; ++i) {
    const size_t room = kQuotedNameMax - args.size();
    args += '\'';
    args += Truncated(argv[i], room);
    args += "' ";
  }
  return "ERR unknown command '" + std::string(Truncated(argv[0], kQuotedNameMax)) +
         "', with args beginning with: " + args;
}

// Fills the old first/last/step form from the key specs, by Redis' rules.
void DeriveLegacyKeys(Command* command) {
  constexpr int kNone = INT_MAX;
  std::vector<const KeySpec*> specs;
  for (const KeySpec& spec : command->spec->keys) {
    if (spec.begin != KeySpec::Begin::kNone) specs.push_back(&spec);
  }
  if (specs.empty()) return;
  const auto is_plain_range = [](const KeySpec& spec) {
    return spec.begin == KeySpec::Begin::kIndex && spec.find == KeySpec::Find::kRange;
  };
  if (specs.size() == 1 && is_plain_range(*specs[0])) {
    command->first_key = specs[0]->index;
    command->last_key = specs[0]->last_key >= 0 ? specs[0]->last_key + specs[0]->index : specs[0]->last_key;
    command->key_step = specs[0]->step;
    command->movable_keys |= (specs[0]->flags & kKeyIncomplete) != 0;
    return;
  }
  int first = kNone, last = 0, previous_last = 0;
  for (const KeySpec* spec : specs) {
    if (!is_plain_range(*spec) || spec->step != 1 || (previous_last != 0 && previous_last != spec->index - 1)) {
      command->movable_keys = true;
      continue;
    }
    command->movable_keys |= (spec->flags & kKeyIncomplete) != 0;
    first = std::min<int>(first, spec->index);
    const int spec_last = spec->last_key >= 0 ? spec->last_key + spec->index : spec->last_key;
    last = static_cast<int>(std::max(static_cast<unsigned>(last), static_cast<unsigned>(spec_last)));
    previous_last = last;
  }
  if (first == kNone) {
    command->movable_keys = true;
    return;
  }
  command->first_key = first;
  command->last_key = last;
  command->key_step = 1;
}

// The first key of a spec that begins at a keyword; 0: the keyword is not there.
int AfterKeyword(const KeySpec& spec, std::span<const std::string_view> argv) {
  const int argc = static_cast<int>(argv.size());
  const bool forward = spec.index > 0;
  for (int i = forward ? spec.index : argc + spec.index; i >= 1 && i < argc; i += forward ? 1 : -1) {
    if (EqualsIgnoreCase(argv[static_cast<size_t>(i)], spec.keyword)) return i + 1;
  }
  return 0;
}

bool AddKeysOf(const KeySpec& spec, std::span<const std::string_view> argv, KeyPositions* keys) {
  const int argc = static_cast<int>(argv.size());
  if (spec.begin == KeySpec::Begin::kUnknown) return false;
  int first = spec.begin == KeySpec::Begin::kIndex ? spec.index : AfterKeyword(spec, argv);
  if (first == 0) return true;
  int last = 0;
  if (spec.find == KeySpec::Find::kRange) {
    last = spec.last_key >= 0 ? first + spec.last_key
           : spec.limit <= 1  ? argc + spec.last_key
                              : first + (argc - first) / spec.limit + spec.last_key;
  } else {
    int64_t count = 0;
    if (first + spec.last_key >= argc || !ParseInteger(argv[static_cast<size_t>(first + spec.last_key)], &count) ||
        count < 0 || count > argc)
      return false;
    first += spec.first_key;
    last = first + static_cast<int>(count) - 1;
  }
  if (last >= argc || last < first || first >= argc) return false;
  for (int i = first; i <= last; i += spec.step) keys->Add(static_cast<uint32_t>(i), spec.flags);
  return (spec.flags & kKeyIncomplete) == 0;
}

}  // namespace

std::string_view Command::own_name() const {
  const size_t bar = spec->name.find('|');
  return bar == std::string_view::npos ? spec->name : spec->name.substr(bar + 1);
}

std::span<const std::span<const CommandSpec>> AllFamilies() {
  static const std::span<const CommandSpec> families[] = {
      StringCommands(),      BitmapCommands(),   HyperloglogCommands(), HashCommands(),   ListCommands(),
      SetCommands(),         ZsetCommands(),     StreamCommands(),      GeoCommands(),    SortCommands(),
      DumpCommands(),        KeyspaceCommands(), ExpiryCommands(),      ObjectCommands(), TransactionCommands(),
      ConnectionCommands(),  ClientCommands(),   ServerCommands(),      ConfigCommands(), CommandCommands(),
      ObservationCommands(), MemoryCommands(),   DebugCommands(),       AclCommands(),    ReplicationCommands(),
      ScriptingCommands(),   FunctionCommands(), PubsubCommands(),
  };
  return families;
}

CommandTable::CommandTable() { Build(AllFamilies()); }

CommandTable::CommandTable(std::span<const std::span<const CommandSpec>> families) { Build(families); }

void CommandTable::Build(std::span<const std::span<const CommandSpec>> families) {
  size_t rows = 0;
  for (const auto& family : families) rows += family.size();
  commands_.reserve(rows);  // entries point at each other
  size_t slots = 64;
  while (slots < 4 * rows) slots *= 2;
  slots_.resize(slots);

  for (const auto& family : families) {
    families_.push_back({family.data(), family.size(), static_cast<uint32_t>(commands_.size())});
    for (const CommandSpec& spec : family) {
      Command& command = commands_.emplace_back();
      command.spec = &spec;
      command.index = static_cast<uint32_t>(commands_.size() - 1);
      command.acl_categories = AclCategoriesOf(spec);
      command.called = command.own_name();
      DeriveLegacyKeys(&command);
      if (spec.is_subcommand()) {
        Command* container = const_cast<Command*>(Find(spec.name.substr(0, spec.name.find('|'))));
        if (container == nullptr) std::abort();  // a row's container stands before it; a test checks this too
        command.container = container;
        container->subcommands.push_back(&command);
      } else {
        top_level_.push_back(&command);
      }
      Insert(command);
    }
  }
}

bool CommandTable::Rename(std::string_view name, std::string_view new_name, std::string* error) {
  auto* command = const_cast<Command*>(Find(name));
  if (command == nullptr) return *error = "No such command in rename-command", false;
  if (const Command* other = Find(new_name); other != nullptr && other != command)
    return *error = "Target command name already exists", false;
  command->called = new_names_.emplace_back(ToLower(new_name));
  if (new_name.empty()) std::erase(top_level_, command);
  slots_.assign(slots_.size(), {});
  for (const Command& each : commands_) {
    if (!each.called.empty()) Insert(each);
  }
  return true;
}

void CommandTable::Insert(const Command& command) {
  const uint32_t hash = HashOf(command);
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].command != nullptr) at = (at + 1) & mask;
  slots_[at] = {hash, &command};
}

const Command* CommandTable::Lookup(uint32_t hash, const Command* container, std::string_view name) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].command != nullptr; at = (at + 1) & mask) {
    const Command* command = slots_[at].command;
    if (slots_[at].hash == hash && command->container == container && SameName(command->called, name)) return command;
  }
  return nullptr;
}

const Command* CommandTable::Find(std::string_view name) const { return Lookup(Hash(name), nullptr, name); }

const Command* CommandTable::FindSubcommand(const Command& container, std::string_view name) const {
  return Lookup(Hash(name, Hash("|", Hash(container.name()))), &container, name);
}

const Command* CommandTable::FindFullName(std::string_view name) const {
  const size_t bar = name.find('|');
  if (bar == std::string_view::npos) return Find(name);
  const Command* container = Find(name.substr(0, bar));
  return container == nullptr || !container->is_container() ? nullptr
                                                            : FindSubcommand(*container, name.substr(bar + 1));
}

const Command* CommandTable::FindOwnFullName(std::string_view name) const {
  if (new_names_.empty()) return FindFullName(name);
  for (const Command& command : commands_) {
    if (SameName(command.name(), name)) return &command;
  }
  return nullptr;
}

const Command& CommandTable::Of(const CommandSpec& spec) const {
  for (const Family& family : families_) {
    if (&spec >= family.rows && &spec < family.rows + family.size)
      return commands_[family.first_index + static_cast<size_t>(&spec - family.rows)];
  }
  std::abort();  // not a row of this table
}

const Command* CommandTable::Resolve(std::span<const std::string_view> argv, Status* error) const {
  const Command* command = Find(argv[0]);
  if (command == nullptr) {
    *error = Status::Message(UnknownCommandText(argv));
    return nullptr;
  }
  if (argv.size() == 1 || !command->is_container()) return command;
  if (const Command* subcommand = FindSubcommand(*command, argv[1])) return subcommand;
  *error = Status::Message("ERR unknown subcommand '" + std::string(Truncated(argv[1], kQuotedNameMax)) + "'. Try " +
                           ToUpper(argv[0]) + " HELP.");
  return nullptr;
}

Status CommandTable::CheckArity(const CommandSpec& spec, size_t argc) {
  const auto count = static_cast<int64_t>(argc);
  if (spec.arity >= 0 ? count == spec.arity : count >= -spec.arity) return Ok();
  return Status::Message("ERR wrong number of arguments for '" + std::string(spec.name) + "' command");
}

bool CommandTable::HasKeys(const CommandSpec& spec) {
  if (spec.get_keys != nullptr) return true;
  return std::any_of(spec.keys.begin(), spec.keys.end(), [](const KeySpec& key) {
    return key.begin != KeySpec::Begin::kNone && (key.flags & kKeyNotKey) == 0;
  });
}

bool CommandTable::Keys(const CommandSpec& spec, std::span<const std::string_view> argv, KeyPositions* keys) {
  keys->Clear();
  if (spec.get_keys != nullptr) return spec.get_keys(argv, keys);
  for (const KeySpec& key : spec.keys) {
    if (key.begin == KeySpec::Begin::kNone) break;
    if ((key.flags & kKeyNotKey) != 0) continue;
    if (!AddKeysOf(key, argv, keys)) return false;
  }
  return true;
}

namespace {

// BITFIELD that only reads. What cannot be understood is taken for a write.
bool OnlyGetsBits(std::span<const std::string_view> argv) {
  for (size_t i = 2; i < argv.size(); ++i) {
    const size_t more = argv.size() - i - 1;
    if (EqualsIgnoreCase(argv[i], "GET") && more >= 2) {
      i += 2;
    } else if (EqualsIgnoreCase(argv[i], "OVERFLOW") && more >= 1) {
      i += 1;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

uint32_t KeyFlagsOfCall(const CommandSpec& spec, std::span<const std::string_view> argv, uint32_t row_flags) {
  if ((row_flags & kKeyVariableFlags) == 0) return row_flags;
  if (spec.name == "set") {
    const bool gets = std::any_of(argv.begin() + std::min<size_t>(3, argv.size()), argv.end(),
                                  [](std::string_view arg) { return EqualsIgnoreCase(arg, "GET"); });
    return gets ? kKeyRW | kKeyAccess | kKeyUpdate : kKeyOW | kKeyUpdate;
  }
  if (spec.name == "bitfield") return OnlyGetsBits(argv) ? kKeyRO | kKeyAccess : kKeyRW | kKeyAccess | kKeyUpdate;
  return row_flags;
}

namespace {

// … AUTH password | AUTH2 username password … [KEYS key…]
bool IsPasswordOfMigrate(std::span<const std::string_view> argv, size_t i) {
  for (size_t option = 6; option < i && !EqualsIgnoreCase(argv[option], "keys");) {
    const size_t secrets = EqualsIgnoreCase(argv[option], "auth") ? 1 : EqualsIgnoreCase(argv[option], "auth2") ? 2 : 0;
    if (i <= option + secrets) return true;
    option += 1 + secrets;
  }
  return false;
}

}  // namespace

bool IsRedacted(const CommandSpec& spec, std::span<const std::string_view> argv, size_t i) {
  if (spec.name == "auth") return i >= 1;
  if (spec.name == "hello") {
    // HELLO 3 AUTH user password
    return (i >= 2 && EqualsIgnoreCase(argv[i - 1], "AUTH")) || (i >= 3 && EqualsIgnoreCase(argv[i - 2], "AUTH"));
  }
  if (spec.name == "acl|setuser") return i >= 2;
  if (spec.name == "migrate") return IsPasswordOfMigrate(argv, i);
  if (spec.name == "config|set") {
    if (i < 3 || i % 2 == 0) return false;
    const OptionSpec* option = FindOption(argv[i - 1]);
    return option != nullptr && option->Has(kOptSensitive);
  }
  return false;
}

std::string CommandsMarkdown(const CommandTable& table) {
  std::map<std::string_view, std::vector<const Command*>> groups;
  for (const Command& command : table.all()) {
    if (command.is_container() && command.spec->handler == nullptr) continue;
    groups[GroupName(command.spec->group)].push_back(&command);
  }
  std::string out;
  for (auto& [group, commands] : groups) {
    std::sort(commands.begin(), commands.end(),
              [](const Command* a, const Command* b) { return a->name() < b->name(); });
    out += "### " + std::string(group) + "\n\n| command | what it does |\n|---|---|\n";
    for (const Command* command : commands) {
      std::string call(command->name());
      std::replace(call.begin(), call.end(), '|', ' ');
      std::transform(call.begin(), call.end(), call.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      std::string syntax(command->spec->syntax);
      for (size_t at = 1; (at = syntax.find('=', at)) != std::string::npos; ++at) {  // name=shown
        const size_t begin = syntax.find_last_of(" ([", at) + 1;
        if (begin != at) syntax.erase(begin, at + 1 - begin), at = begin;
      }
      for (size_t at = 0; (at = syntax.find('|', at)) != std::string::npos; at += 2) syntax.insert(at, "\\");
      out +=
          "| `" + call + (syntax.empty() ? "" : " " + syntax) + "` | " + std::string(command->spec->summary) + " |\n";
    }
    out += '\n';
  }
  return out;
}

}  // namespace basalt
