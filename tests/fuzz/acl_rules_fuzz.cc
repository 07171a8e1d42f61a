// Whatever rules say: they end, touch nothing outside, and the user that they make is given back by its text, through
// the aclfile and through a line of the conf file, with the same permissions. Input: a rule a line.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "server/acl/acl_file.h"
#include "server/acl/user.h"
#include "server/argument_parsing.h"
#include "server/command_table.h"
#include "server/config_options.h"

using namespace basalt;

namespace {

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}

void Require(bool same, const char* what, const std::string& text) {
  if (same) return;
  std::fprintf(stderr, "%s: %s\n", what, text.c_str());
  std::abort();
}

// Every command with the input's own words as arguments.
void CompareVerdicts(const User& a, const User& b, std::span<const std::string_view> words) {
  for (const Command& command : Table().all()) {
    std::vector<std::string_view> argv = {command.name()};
    argv.insert(argv.end(), words.begin(), words.begin() + static_cast<ptrdiff_t>(std::min<size_t>(words.size(), 4)));
    const AclVerdict first = a.Check(command, argv), second = b.Check(command, argv);
    Require(first.denial == second.denial && first.index == second.index, "another verdict", a.Text());
    Require(!a.unrestricted() || first.allowed(), "unrestricted, and denied", a.Text());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const AclDefaults defaults{.commands = Table(), .all_channels = size % 2 == 1};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string_view> rules = SplitAt(input, '\n');
  User user("u", defaults);
  std::string error;
  if (!user.ApplyAll(rules, defaults, &error)) return 0;

  const std::string text = user.Text();
  std::vector<User> from_file;
  Require(ParseAclFile("user u " + text + "\n", "file", defaults, &from_file, &error), "its text is refused",
          text + ": " + error);
  Require(from_file.at(0).Text() == text, "another user from the aclfile", text);

  std::string line;
  for (const std::string_view word : SplitAt(text, ' ')) line += QuoteRule(std::string(word)) + ' ';
  std::vector<std::string> words;
  Require(SplitWords(line, &words), "no line of a conf file", line);
  User from_conf("u", defaults);
  Require(from_conf.ApplyAll(std::vector<std::string_view>(words.begin(), words.end()), defaults, &error),
          "refused in a conf file", line + ": " + error);
  Require(from_conf.Text() == text, "another user from the conf file", text);
  if (size < 512) CompareVerdicts(user, from_file[0], rules);
  return 0;
}
