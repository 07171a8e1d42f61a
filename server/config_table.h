#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/config_options.h"
#include "server/config_snapshot.h"
#include "server/status.h"

namespace basalt {

// The values of all options, from four sources, each stronger than the one before: the rows' defaults, the conf file,
// the command line, CONFIG SET.
//
// Start-up (one thread): DefineFlags(); gflags::ParseCommandLineFlags(); LoadFile(); LoadFlags(). Afterwards any
// thread.
class ConfigTable {
 public:
  ConfigTable();
  ~ConfigTable();
  ConfigTable(const ConfigTable&) = delete;

  // Registers one gflag per option, named after it. gflags reads "--maxmemory-policy" and "--maxmemory_policy" alike.
  // REQUIRES: once, before gflags parses.
  static void DefineFlags();
  // Takes over the flags that were given. False: *error is one line.
  bool LoadFlags(std::string* error);
  // Reads `name value` lines, comments, `include`. False: *error is one line, "path:12: …". Remembers the path for
  // CONFIG REWRITE.
  bool LoadFile(const std::string& path, std::string* error);
  const std::string& file() const { return file_; }  // absolute; empty: none

  // Lines `user <name> <rule>…` of the conf file: kept for who knows users.
  struct UserLine {
    std::string path, where;         // where: "path:12"
    std::vector<std::string> words;  // "user" first; at least two
  };
  const std::vector<UserLine>& user_lines() const { return user_lines_; }
  // Rewrite() puts the lines that this gives in the place of all lines of users. Set-up time only.
  void SetUserLinesSource(std::function<std::vector<std::string>()> source) { user_lines_source_ = std::move(source); }

  // The values now. One load; the reference stays good for as long as the table lives.
  const ConfigSnapshot& current() const { return *current_.load(std::memory_order_acquire); }

  // ---- CONFIG ----
  using NameValue = std::pair<std::string, std::string>;
  // All of these wait for each other, and so for what Set (of `bind`, for a name server) and Rewrite (for the disk)
  // wait for: not for the fast lane.
  // The options that a name or pattern (with [ * ?) names, each once, by name as asked for or as in the table.
  std::vector<NameValue> Get(std::span<const std::string_view> patterns) const;
  std::string Text(const OptionSpec& option) const;
  // Sets all or none. `name_values`: name, value, name, value … `local_client`: for options that are protected.
  Status Set(std::span<const std::string_view> name_values, bool local_client);
  // Writes the values into the conf file: comments, order and includes stay, changed lines are replaced, missing ones
  // added at the end. The file is replaced atomically; what it says afterwards is what runs now.
  Status Rewrite();

  // Makes a new value effective outside the snapshot (a socket, a storage setting). Called by Set before the new
  // snapshot is published, with it; false and *error refuse the change, and everything is put back by calling the
  // appliers with the old snapshot. Set-up time only.
  using Applier = std::function<bool(const ConfigSnapshot& next, std::string* error)>;
  void OnChange(std::vector<std::string_view> names, Applier applier);

  // conf/basalt.conf: every option with its explanation and default.
  static std::string ConfFileText();

 private:
  struct Registration {
    std::vector<size_t> options;
    Applier apply;
  };
  using Texts = std::vector<std::string>;

  static bool ReadFile(const std::string& path, int depth, Texts* texts, std::vector<UserLine>* user_lines,
                       std::string* error);
  static std::unique_ptr<ConfigSnapshot> MakeSnapshot(const Texts& texts);
  Status Apply(const Texts& next, const ConfigSnapshot& snapshot, std::string_view* blamed);
  void Publish(std::unique_ptr<ConfigSnapshot> snapshot);

  std::string file_;                                             // start-up only
  std::vector<UserLine> user_lines_;                             // start-up only
  std::function<std::vector<std::string>()> user_lines_source_;  // set-up only
  std::vector<Registration> registrations_;                      // set-up only

  std::atomic<const ConfigSnapshot*> current_{nullptr};
  mutable std::mutex mu_;
  Texts texts_;  // by OptionIndex; guarded by mu_
  // Every snapshot ever published, for readers that may still look at one. Guarded by mu_. Few: an equal earlier one is
  // used again.
  std::deque<std::unique_ptr<const ConfigSnapshot>> published_;
};

}  // namespace basalt
