#include "server/config_table.h"

#include <fcntl.h>
#include <gflags/gflags.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>
#include <unordered_map>

#include "server/command_context.h"
#include "server/replace_file.h"

namespace basalt {

namespace {

constexpr int kIncludeDepthMax = 16;
constexpr std::string_view kUserWord = "user";
constexpr size_t kSnapshotsCompared = 64;

const std::vector<OptionSpec>& Table() {
  static const std::vector<OptionSpec> table = [] {
    std::vector<OptionSpec> rows;
    for (const auto family : {config_internal::BasaltOptions(), config_internal::CompatibilityOptions()})
      rows.insert(rows.end(), family.begin(), family.end());
    return rows;
  }();
  return table;
}

const std::unordered_map<std::string, const OptionSpec*>& ByName() {
  static const std::unordered_map<std::string, const OptionSpec*> index = [] {
    std::unordered_map<std::string, const OptionSpec*> names;
    for (const OptionSpec& option : Table()) {
      names.emplace(option.name, &option);
      if (!option.alias.empty()) names.emplace(option.alias, &option);
    }
    return names;
  }();
  return index;
}

// A value as CONFIG SET and the command line give it: one text, several words for a multi-word option.
std::vector<std::string_view> WordsOf(const OptionSpec& option, std::string_view value) {
  if (!option.Has(kOptMultiArg)) return {value};
  std::vector<std::string_view> words;
  for (size_t from = 0; from <= value.size();) {
    const size_t end = std::min(value.find(' ', from), value.size());
    if (end > from) words.push_back(value.substr(from, end - from));
    from = end + 1;
  }
  if (words.empty()) words.push_back("");
  return words;
}

std::vector<std::string_view> Views(const std::vector<std::string>& words, size_t from) {
  return {words.begin() + static_cast<ptrdiff_t>(from), words.end()};
}

std::string FlagName(std::string_view option) {
  std::string name(option);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Flags are strings whatever the option's type: the row's own parser checks them, with the same words as in the conf
// file.
struct FlagValue {
  std::string current, initial, help;
};

std::unordered_map<std::string, FlagValue>& Flags() {
  static std::unordered_map<std::string, FlagValue> flags;
  return flags;
}

std::string_view TrimLine(std::string_view line) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!line.empty() && space(line.front())) line.remove_prefix(1);
  while (!line.empty() && space(line.back())) line.remove_suffix(1);
  return line;
}

bool IsUserLine(std::string_view line) {
  line = TrimLine(line);
  return EqualsIgnoreCase(line.substr(0, line.find_first_of(" \t")), kUserWord);
}

// The option that a line of a conf file sets; null for comments, includes and what is not understood.
const OptionSpec* OptionOfLine(std::string_view line) {
  line = TrimLine(line);
  std::vector<std::string> words;
  if (line.empty() || line[0] == '#' || !SplitWords(line, &words) || words.empty()) return nullptr;
  return FindOption(words[0]);
}

std::string LineFor(const OptionSpec& option, std::string_view text) {
  std::string line(option.name);
  if (option.Has(kOptMultiArg) && !text.empty()) {
    for (const std::string_view word : WordsOf(option, text)) line += ' ' + QuoteWord(word);
  } else {
    line += ' ' + QuoteWord(text);
  }
  return line;
}

}  // namespace

std::span<const OptionSpec> AllOptions() { return Table(); }

const OptionSpec* FindOption(std::string_view name) {
  const auto it = ByName().find(ToLower(name));
  return it == ByName().end() ? nullptr : it->second;
}

size_t OptionIndex(const OptionSpec& option) { return static_cast<size_t>(&option - Table().data()); }

ThreadCounts ThreadsOf(const ConfigSnapshot& config) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  ThreadCounts threads;
  threads.workers = config.workers > 0 ? static_cast<int>(config.workers) : std::max(1, cores / 4);
  threads.fast = config.pool_threads > 0 ? static_cast<int>(config.pool_threads) : std::max(1, cores - threads.workers);
  // Who closes the gate holds one until all commits are done; one that RocksDB stalls needs another.
  constexpr int kSlowMin = 2;
  threads.slow =
      config.slow_threads > 0 ? std::max(kSlowMin, static_cast<int>(config.slow_threads)) : std::max(4, 2 * cores);
  return threads;
}

ConfigTable::ConfigTable() {
  for (const OptionSpec& option : Table()) texts_.push_back(DefaultText(option));
  Publish(MakeSnapshot(texts_));
}

ConfigTable::~ConfigTable() = default;

std::unique_ptr<ConfigSnapshot> ConfigTable::MakeSnapshot(const Texts& texts) {
  auto snapshot = std::make_unique<ConfigSnapshot>();
  for (const OptionSpec& option : Table()) StoreOption(option, texts[OptionIndex(option)], snapshot.get());
  return snapshot;
}

void ConfigTable::Publish(std::unique_ptr<ConfigSnapshot> snapshot) {
  const size_t compared = std::min(published_.size(), kSnapshotsCompared);
  for (size_t i = published_.size() - compared; i < published_.size(); ++i) {
    if (*published_[i] == *snapshot) return current_.store(published_[i].get(), std::memory_order_release);
  }
  published_.push_back(std::move(snapshot));
  current_.store(published_.back().get(), std::memory_order_release);
}

void ConfigTable::DefineFlags() {
  for (const OptionSpec& option : Table()) {
    for (const std::string_view name : {option.name, option.alias}) {
      if (name.empty()) continue;
      // gflags keeps the pointers for good, so the strings live for good.
      const auto [it, added] = Flags().emplace(
          FlagName(name),
          FlagValue{std::string(option.default_text), std::string(option.default_text), std::string(option.help)});
      const gflags::FlagRegisterer registered(it->first.c_str(), it->second.help.c_str(), "server/config_options.cc",
                                              &it->second.current, &it->second.initial);
    }
  }
}

bool ConfigTable::LoadFlags(std::string* error) {
  const std::lock_guard lock(mu_);
  for (const OptionSpec& option : Table()) {
    for (const std::string_view name : {option.alias, option.name}) {
      gflags::CommandLineFlagInfo info;
      if (name.empty() || !gflags::GetCommandLineFlagInfo(FlagName(name).c_str(), &info) || info.is_default) continue;
      std::string& text = texts_[OptionIndex(option)];
      std::string reason;
      if (!ParseOption(option, WordsOf(option, info.current_value), text, &text, &reason)) {
        *error = "command line: --" + std::string(name) + " '" +
                 (option.Has(kOptSensitive) ? "…" : info.current_value) + "': " + reason;
        return false;
      }
    }
  }
  Publish(MakeSnapshot(texts_));
  return true;
}

bool ConfigTable::LoadFile(const std::string& path, std::string* error) {
  const std::lock_guard lock(mu_);
  if (!ReadFile(path, 0, &texts_, &user_lines_, error)) return false;
  std::error_code code;
  const auto absolute = std::filesystem::weakly_canonical(path, code);
  file_ = code ? path : absolute.string();
  Publish(MakeSnapshot(texts_));
  return true;
}

bool ConfigTable::ReadFile(const std::string& path, int depth, Texts* texts, std::vector<UserLine>* user_lines,
                           std::string* error) {
  std::ifstream in(path);
  if (!in) return *error = path + ": " + std::strerror(errno), false;
  std::string line;
  std::set<const OptionSpec*> seen_save;
  for (int number = 1; std::getline(in, line); ++number) {
    const auto fail = [&](const std::string& reason) {
      return *error = path + ":" + std::to_string(number) + ": " + reason, false;
    };
    const std::string_view trimmed = TrimLine(line);
    if (trimmed.empty() || trimmed[0] == '#') continue;
    std::vector<std::string> words;
    if (!SplitWords(trimmed, &words)) return fail("unbalanced quotes");
    if (words.empty()) continue;
    if (EqualsIgnoreCase(words[0], "include")) {
      if (words.size() != 2) return fail("include takes one path");
      if (depth == kIncludeDepthMax) return fail("includes are nested too deeply");
      std::filesystem::path included = words[1];
      if (included.is_relative()) included = std::filesystem::path(path).parent_path() / included;
      if (!ReadFile(included.string(), depth + 1, texts, user_lines, error)) return false;
      continue;
    }
    if (EqualsIgnoreCase(words[0], kUserWord)) {
      if (words.size() < 2) return fail("user: wrong number of arguments");
      user_lines->push_back({path, path + ":" + std::to_string(number), std::move(words)});
      continue;
    }
    const OptionSpec* option = FindOption(words[0]);
    if (option == nullptr) return fail("unknown option '" + words[0] + "'");
    if (words.size() < 2) return fail(words[0] + ": wrong number of arguments");
    std::string& text = (*texts)[OptionIndex(*option)];
    std::string parsed, reason;
    if (!ParseOption(*option, Views(words, 1), text, &parsed, &reason)) return fail(words[0] + ": " + reason);
    // Lines of `save` add up, as in redis.conf.
    const bool adds_up =
        option->type == OptionType::kSavePoints && !seen_save.insert(option).second && !text.empty() && !parsed.empty();
    text = adds_up ? text + ' ' + parsed : parsed;
  }
  return true;
}

std::string ConfigTable::Text(const OptionSpec& option) const {
  const std::lock_guard lock(mu_);
  return texts_[OptionIndex(option)];
}

std::vector<ConfigTable::NameValue> ConfigTable::Get(std::span<const std::string_view> patterns) const {
  const std::lock_guard lock(mu_);
  std::vector<NameValue> found;
  std::set<std::string> names;
  const auto add = [&](std::string name, const OptionSpec& option) {
    if (names.insert(name).second) found.emplace_back(std::move(name), texts_[OptionIndex(option)]);
  };
  for (const std::string_view pattern : patterns) {
    if (pattern.find_first_of("[*?") == std::string_view::npos) {
      if (const OptionSpec* option = FindOption(pattern)) add(ToLower(pattern), *option);
      continue;
    }
    for (const OptionSpec& option : Table()) {
      if (option.Has(kOptHidden)) continue;
      for (const std::string_view name : {option.name, option.alias}) {
        if (!name.empty() && GlobMatch(pattern, name, true)) add(std::string(name), option);
      }
    }
  }
  return found;
}

Status ConfigTable::Set(std::span<const std::string_view> name_values, bool local_client) {
  if (name_values.empty() || name_values.size() % 2 != 0) return ErrorCode::kSyntax;
  const auto fail = [](std::string_view name, std::string_view reason) {
    return Status::Message("ERR CONFIG SET failed (possibly related to argument '" + std::string(name) + "') - " +
                           std::string(reason));
  };
  std::vector<const OptionSpec*> options;
  for (size_t i = 0; i < name_values.size(); i += 2) {
    const OptionSpec* option = FindOption(name_values[i]);
    if (option == nullptr) {
      return Status::Message("ERR Unknown option or number of arguments for CONFIG SET - '" +
                             std::string(name_values[i]) + "'");
    }
    // Suites set every option that Redis lets them set to what it is; they do not know that ours are for the start
    // only.
    const bool same = option->Has(kOptOwn) && Text(*option) == name_values[i + 1];
    if (option->Has(kOptImmutable) && !same) return fail(name_values[i], "can't set immutable config");
    const Permission permission = current().enable_protected_configs;
    if (option->Has(kOptProtected) && permission != Permission::kYes &&
        !(permission == Permission::kLocal && local_client)) {
      return fail(name_values[i], "can't set protected config");
    }
    if (std::find(options.begin(), options.end(), option) != options.end())
      return fail(name_values[i], "duplicate parameter");
    options.push_back(option);
  }

  const std::lock_guard lock(mu_);
  Texts next = texts_;
  for (size_t i = 0; i < options.size(); ++i) {
    std::string& text = next[OptionIndex(*options[i])];
    std::string error;
    if (!ParseOption(*options[i], WordsOf(*options[i], name_values[2 * i + 1]), text, &text, &error))
      return fail(options[i]->name, error);
  }
  auto snapshot = MakeSnapshot(next);
  std::string_view blamed;
  if (Status status = Apply(next, *snapshot, &blamed); !status.ok()) return fail(blamed, status.text());
  texts_ = std::move(next);
  Publish(std::move(snapshot));
  return Ok();
}

Status ConfigTable::Apply(const Texts& next, const ConfigSnapshot& snapshot, std::string_view* blamed) {
  std::vector<const Registration*> applied;
  for (const Registration& registration : registrations_) {
    const auto changed = std::find_if(registration.options.begin(), registration.options.end(),
                                      [&](size_t i) { return next[i] != texts_[i]; });
    if (changed == registration.options.end()) continue;
    applied.push_back(&registration);
    std::string error;
    if (registration.apply(snapshot, &error)) continue;
    std::string ignored;
    for (auto it = applied.rbegin(); it != applied.rend(); ++it) (*it)->apply(current(), &ignored);
    *blamed = Table()[*changed].name;
    return Status::Message(std::move(error));
  }
  return Ok();
}

void ConfigTable::OnChange(std::vector<std::string_view> names, Applier applier) {
  Registration registration;
  for (const std::string_view name : names) registration.options.push_back(OptionIndex(*FindOption(name)));
  registration.apply = std::move(applier);
  registrations_.push_back(std::move(registration));
}

Status ConfigTable::Rewrite() {
  if (file_.empty()) return Status::Message("ERR The server is running without a config file");
  const std::lock_guard lock(mu_);

  // What the file, with its includes, says as it is.
  Texts in_file;
  for (const OptionSpec& option : Table()) in_file.push_back(DefaultText(option));
  std::string error;
  std::vector<UserLine> users_in_file;
  if (!ReadFile(file_, 0, &in_file, &users_in_file, &error))
    return Status::Message("ERR Rewriting config file: " + error);
  for (const UserLine& user : users_in_file) {
    // To be written here as well, they would be there twice.
    if (user.path != file_)
      return Status::Message("ERR Rewriting config file: a user is defined in an included file, " + user.where);
  }
  std::vector<std::string> users;
  if (user_lines_source_) users = user_lines_source_();

  const auto differs = [&](const OptionSpec& option) {
    return in_file[OptionIndex(option)] != texts_[OptionIndex(option)];
  };
  std::ifstream in(file_);
  std::vector<std::string> lines;
  std::unordered_map<const OptionSpec*, size_t> last_line;
  for (std::string line; std::getline(in, line);) {
    if (IsUserLine(line)) {  // all stand where the first of them stood
      std::move(users.begin(), users.end(), std::back_inserter(lines));
      users.clear();
      continue;
    }
    if (const OptionSpec* option = OptionOfLine(line); option != nullptr && differs(*option)) {
      // One line takes the place of all lines of this option.
      if (const auto it = last_line.find(option); it != last_line.end()) continue;
      last_line.emplace(option, lines.size());
      line = LineFor(*option, texts_[OptionIndex(*option)]);
    }
    lines.push_back(std::move(line));
  }
  constexpr std::string_view kAdded = "# Added by CONFIG REWRITE";
  bool marked = std::find(lines.begin(), lines.end(), kAdded) != lines.end();
  const auto add = [&](std::string line) {
    if (!marked) {
      if (!lines.empty() && !lines.back().empty()) lines.emplace_back();
      lines.emplace_back(kAdded);
      marked = true;
    }
    lines.push_back(std::move(line));
  };
  for (const OptionSpec& option : Table()) {
    if (differs(option) && !last_line.contains(&option)) add(LineFor(option, texts_[OptionIndex(option)]));
  }
  for (std::string& user : users) add(std::move(user));
  std::string bytes;
  for (const std::string& line : lines) bytes += line + '\n';
  if (!ReplaceFile(file_, bytes, &error)) return Status::Message("ERR Rewriting config file: " + error);
  return Ok();
}

}  // namespace basalt
