#include "server/acl/acl_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "server/argument_parsing.h"
#include "server/replace_file.h"

namespace basalt {

namespace {

std::string_view Trim(std::string_view text, std::string_view blanks) {
  const size_t begin = std::min(text.find_first_not_of(blanks), text.size());
  const size_t end = text.find_last_not_of(blanks) + 1;
  return text.substr(begin, std::max(begin, end) - begin);
}

// What is wrong with the rules of one line; of those that are no unknown names only the first, which may be the cause
// of the others.
std::string ApplyLine(std::span<const std::string_view> words, const AclDefaults& defaults, const std::string& where,
                      User* user) {
  std::vector<std::string> rules;
  std::string unmatched;
  if (!JoinSelectorWords(words, &rules, &unmatched)) return where + ": Unmatched parenthesis in selector definition.";
  std::string errors;
  bool told = false;
  for (const std::string& untrimmed : rules) {
    const std::string_view rule = Trim(untrimmed, "\t\r\n");
    const RuleError error = user->Apply(rule, defaults);
    if (error == RuleError::kUnknownCommand) {
      errors += where + ": Error in applying operation '" + std::string(rule) +
                "': " + std::string(RuleErrorText(error)) + ". ";
    } else if (error != RuleError::kNone && !std::exchange(told, true)) {
      errors += where + ": " + std::string(RuleErrorText(error)) + ". ";
    }
  }
  return errors;
}

}  // namespace

bool ParseAclFile(std::string_view text, const std::string& path, const AclDefaults& defaults, std::vector<User>* users,
                  std::string* error) {
  std::string errors;
  std::set<std::string, std::less<>> names;
  size_t number = 0;
  for (const std::string_view untrimmed : SplitAt(text, '\n')) {
    const std::string where = path + ':' + std::to_string(++number);
    const std::string_view line = Trim(untrimmed, " \t\r\n");
    if (line.empty()) continue;
    const std::vector<std::string_view> words = SplitAt(line, ' ');  // the name of a user may be empty
    if (words[0] != "user" || words.size() < 2) {
      errors += where + " should start with user keyword followed by the username. ";
      continue;
    }
    const std::string name(words[1]);
    if (HasBlanks(name)) {
      errors += '\'' + where + ": username '" + name + "' contains invalid characters. ";
      continue;
    }
    if (!names.insert(name).second) {
      errors += "WARNING: Duplicate user '" + name + "' found on line " + std::to_string(number) + ". ";
      continue;
    }
    users->emplace_back(name, defaults);
    errors += ApplyLine(std::span(words).subspan(2), defaults, where, &users->back());
  }
  if (errors.empty()) return true;
  *error = errors + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
  return false;
}

bool ReadAclFile(const std::string& path, const AclDefaults& defaults, std::vector<User>* users, std::string* error) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad()) {
    *error = "Error loading ACLs, opening file '" + path + "': " + std::strerror(errno);
    return false;
  }
  return ParseAclFile(text.view(), path, defaults, users, error);
}

bool WriteAclFile(const std::string& path, std::span<const UserPtr> users, std::string* error) {
  std::string text;
  for (const UserPtr& user : users) text += "user " + user->name() + ' ' + user->Text() + '\n';
  return ReplaceFile(path, text, error);
}

}  // namespace basalt
