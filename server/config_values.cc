// Option values: text to canonical text to typed field, by the type that the row names. Error texts are Redis'.
#include <locale.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "server/argument_parsing.h"
#include "server/config_options.h"
#include "server/key_events.h"

namespace basalt {

namespace {

bool EqualsNoCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return std::tolower(x) == std::tolower(y);
         });
}

// As strtoll: the whole text, with spaces in front, a sign, leading zeros.
bool ParseLoosely(std::string_view text, int64_t* value) {
  const std::string copy(text);
  char* end = nullptr;
  *value = std::strtoll(copy.c_str(), &end, 10);
  return end == copy.c_str() + copy.size();
}

// Decimal, whole text, no '+', no spaces, no leading zeros.
bool ParseDecimal(std::string_view text, int64_t* value) {
  if (text.empty() || (text[0] == '0' && text.size() > 1) || text.starts_with("-0")) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string Join(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

std::vector<std::string_view> SplitOnSpaces(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string Octal(int64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "%llo", static_cast<unsigned long long>(value));
  return text;
}

bool CheckRange(const OptionSpec& option, int64_t value, std::string* error) {
  if (value >= option.min && value <= option.max) return true;
  if (option.type == OptionType::kMemoryOrPercent && value < 0) {
    *error = "percentage argument must be less or equal to " + std::to_string(-option.min);
  } else if (option.type == OptionType::kOctal) {
    *error = "argument must be between " + Octal(option.min) + " and " + Octal(option.max) + " inclusive";
  } else {
    *error =
        "argument must be between " + std::to_string(option.min) + " and " + std::to_string(option.max) + " inclusive";
  }
  return false;
}

bool ParseNumber(const OptionSpec& option, std::string_view word, int64_t* value, std::string* error) {
  switch (option.type) {
    case OptionType::kMemory:
      if (!ParseMemory(word, value)) return *error = "argument must be a memory value", false;
      break;
    case OptionType::kMemoryOrPercent:
      if (word.size() > 1 && word.back() == '%' && ParseDecimal(word.substr(0, word.size() - 1), value) &&
          *value >= 0) {
        *value = -*value;
      } else if (!ParseMemory(word, value)) {
        return *error = "argument must be a memory or percent value", false;
      }
      break;
    case OptionType::kOctal: {
      const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), *value, 8);
      if (word.empty() || code != std::errc() || end != word.data() + word.size()) {
        return *error = "argument couldn't be parsed as an octal number", false;
      }
      break;
    }
    default:
      if (!ParseDecimal(word, value)) return *error = "argument couldn't be parsed into an integer", false;
  }
  return CheckRange(option, *value, error);
}

bool ParseChoices(const OptionSpec& option, std::span<const std::string_view> words, std::string* text,
                  std::string* error) {
  std::vector<std::string_view> chosen;
  for (const std::string_view word : words) {
    const auto it = std::find_if(option.choices.begin(), option.choices.end(),
                                 [&](std::string_view c) { return EqualsNoCase(c, word); });
    if (it != option.choices.end()) chosen.push_back(*it);
  }
  if (words.empty() || chosen.size() != words.size()) {
    *error = "argument(s) must be one of the following: ";
    for (size_t i = 0; i < option.choices.size(); ++i) *error += (i > 0 ? ", " : "") + std::string(option.choices[i]);
    return false;
  }
  *text = Join(chosen);
  return true;
}

constexpr std::string_view kClassNames[kClientClasses] = {"normal", "slave", "pubsub"};

int ClassIndex(std::string_view name) {
  if (EqualsNoCase(name, "replica")) name = "slave";
  for (size_t i = 0; i < kClientClasses; ++i) {
    if (EqualsNoCase(name, kClassNames[i])) return static_cast<int>(i);
  }
  return -1;
}

using OutputLimits = std::array<ClientOutputLimit, kClientClasses>;

bool ReadOutputLimits(std::span<const std::string_view> words, OutputLimits* limits, std::string* error) {
  if (words.size() % 4 != 0) return *error = "Wrong number of arguments in buffer limit configuration.", false;
  for (size_t i = 0; i < words.size(); i += 4) {
    const int index = ClassIndex(words[i]);
    if (index < 0) return *error = "Invalid client class specified in buffer limit configuration.", false;
    int64_t hard = 0, soft = 0, seconds = 0;
    if (!ParseMemory(words[i + 1], &hard) || !ParseMemory(words[i + 2], &soft) ||
        !ParseDecimal(words[i + 3], &seconds) || seconds < 0 || seconds > std::numeric_limits<int32_t>::max()) {
      return *error = "Error in hard, soft or soft_seconds setting in buffer limit configuration.", false;
    }
    (*limits)[index] = {static_cast<uint64_t>(hard), static_cast<uint64_t>(soft), static_cast<uint32_t>(seconds)};
  }
  return true;
}

std::string OutputLimitsText(const OutputLimits& limits) {
  std::string text;
  for (size_t i = 0; i < kClientClasses; ++i) {
    if (i > 0) text += ' ';
    text += kClassNames[i];
    text += ' ' + std::to_string(limits[i].hard_bytes) + ' ' + std::to_string(limits[i].soft_bytes) + ' ' +
            std::to_string(limits[i].soft_seconds);
  }
  return text;
}

bool ParseSavePoints(std::span<const std::string_view> words, std::string* text, std::string* error) {
  if (words.size() == 1 && words[0].empty()) words = {};
  bool good = words.size() % 2 == 0;
  text->clear();
  for (size_t i = 0; good && i < words.size(); ++i) {
    int64_t value = 0;
    good = ParseLoosely(words[i], &value) && value >= (i % 2 == 0 ? 1 : 0);
    *text += (i > 0 ? " " : "") + std::to_string(value);
  }
  if (!good) *error = "Invalid save parameters";
  return good;
}

// Up to six decimals without trailing zeros, as Redis shows percentiles.
std::string PercentileText(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%f", value);
  std::string text = buffer;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

bool ReadPercentiles(std::span<const std::string_view> words, std::vector<double>* values, std::string* error) {
  if (words.size() == 1 && words[0].empty()) words = {};
  for (const std::string_view word : words) {
    double value = 0;
    if (!ParseDouble(word, &value)) return *error = "Invalid latency-tracking-info-percentiles parameters", false;
    if (value < 0 || value > 100)
      return *error = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]", false;
    values->push_back(value);
  }
  return true;
}

bool ParseIntegerList(const OptionSpec& option, std::span<const std::string_view> words, std::string* text,
                      std::string* error) {
  if (words.size() != SplitOnSpaces(option.default_text).size()) return *error = "wrong number of arguments", false;
  text->clear();
  for (const std::string_view word : words) {
    int64_t value = 0;
    if (!ParseLoosely(word, &value) || value < option.min || value > option.max) {
      *error = "Invalid " + std::string(option.name) + ", elements must be between " + std::to_string(option.min) +
               " and " + std::to_string(option.max) + ".";
      return false;
    }
    *text += (text->empty() ? "" : " ") + std::to_string(value);
  }
  return true;
}

bool IsHostname(std::string_view text, std::string* error) {
  constexpr size_t kHostnameMax = 256;
  if (text.size() >= kHostnameMax) return *error = "Hostnames must be less than 256 characters", false;
  if (!std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.'; }))
    return *error = "Hostnames may only contain alphanumeric characters, hyphens or dots", false;
  return true;
}

// {title} and the like between plain text; "{{" is a brace. Something must be seen of it.
bool IsProcTitleTemplate(std::string_view text) {
  struct Variable {
    std::string_view name;
    bool seen;  // it is more than nothing
  };
  constexpr Variable kVariables[] = {{"title", false},      {"listen-addr", true}, {"server-mode", false},
                                     {"config-file", true}, {"port", true},        {"tls-port", true},
                                     {"unixsocket", false}};
  bool seen = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{' || text.substr(i).starts_with("{{")) {
      seen |= text[i] != ' ';
      i += text[i] == '{' ? 1 : 0;
      continue;
    }
    const size_t end = text.find('}', i);
    if (end == std::string_view::npos) return false;
    const auto variable = std::find_if(std::begin(kVariables), std::end(kVariables),
                                       [&](const Variable& v) { return v.name == text.substr(i + 1, end - i - 1); });
    if (variable == std::end(kVariables)) return false;
    seen |= variable->seen;
    i = end;
  }
  return seen;
}

bool IsLocale(std::string_view name) {
  const locale_t locale = newlocale(LC_COLLATE_MASK, std::string(name).c_str(), nullptr);
  if (locale == nullptr) return false;
  freelocale(locale);
  return true;
}

// What a row's type and range cannot say.
bool CheckMeaning(const OptionSpec& option, std::string_view text, std::string* error) {
  if (option.name == "activedefrag" && text == "yes") {
    return *error =
               "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc "
               "like the one shipped by default with "
               "the Redis source distribution",
           false;
  }
  if (option.name == "tls-port" && text != "0") return *error = "TLS is not supported", false;
  if (option.name == "cluster-enabled" && text == "yes") return *error = "cluster mode is not supported", false;
  if (option.name == "replicaof" && !text.empty()) return *error = "replication is not supported", false;
  if (option.name == "daemonize" && text == "yes")
    return *error = "the server stays in the foreground; use a service manager", false;
  if ((option.name == "dbfilename" || option.name == "appendfilename" || option.name == "appenddirname") &&
      text.find('/') != std::string_view::npos) {
    return *error = std::string(option.name) + " can't be a path, just a filename", false;
  }
  if (option.name.starts_with("shutdown-on-sig")) {
    const std::vector<std::string_view> words = SplitOnSpaces(text);
    const auto has = [&](std::string_view word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    if (has("save") && has("nosave"))
      return *error = "shutdown options SAVE and NOSAVE can't be used simultaneously", false;
  }
  if (option.name == "locale-collate" && !text.empty() && !IsLocale(text)) return *error = "Invalid locale name", false;
  if (option.name == "proc-title-template" && !IsProcTitleTemplate(text))
    return *error = "template format is invalid or contains unknown variables", false;
  if (option.name == "cluster-announce-hostname") return IsHostname(text, error);
  if (option.name == "bind" && SplitOnSpaces(text).size() > 16)
    return *error = "Too many bind addresses specified.", false;
  return true;
}

template <typename Enum>
void StoreChoice(const OptionSpec& option, std::string_view text, Enum* field) {
  const auto it = std::find(option.choices.begin(), option.choices.end(), text);
  *field = static_cast<Enum>(it - option.choices.begin());
}

}  // namespace

bool ParseMemory(std::string_view text, int64_t* bytes) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const std::string_view unit = text.substr(digits);
  int64_t multiplier = 0;
  if (unit.empty() || EqualsNoCase(unit, "b"))
    multiplier = 1;
  else if (EqualsNoCase(unit, "k"))
    multiplier = 1000;
  else if (EqualsNoCase(unit, "kb"))
    multiplier = 1024;
  else if (EqualsNoCase(unit, "m"))
    multiplier = 1000 * 1000;
  else if (EqualsNoCase(unit, "mb"))
    multiplier = 1024 * 1024;
  else if (EqualsNoCase(unit, "g"))
    multiplier = 1000ll * 1000 * 1000;
  else if (EqualsNoCase(unit, "gb"))
    multiplier = 1024ll * 1024 * 1024;
  else
    return false;
  int64_t number = 0;  // no digits at all: 0
  if (digits > 0 && std::from_chars(text.data(), text.data() + digits, number).ec != std::errc()) return false;
  return !__builtin_mul_overflow(number, multiplier, bytes);
}

bool ParseOption(const OptionSpec& option, std::span<const std::string_view> words, std::string_view previous,
                 std::string* text, std::string* error) {
  if (!option.Has(kOptMultiArg) && words.size() != 1) return *error = "wrong number of arguments", false;
  switch (option.type) {
    case OptionType::kBool:
      if (EqualsNoCase(words[0], "yes"))
        *text = "yes";
      else if (EqualsNoCase(words[0], "no"))
        *text = "no";
      else
        return *error = "argument must be 'yes' or 'no'", false;
      break;
    case OptionType::kInteger:
    case OptionType::kOctal:
    case OptionType::kMemory:
    case OptionType::kMemoryOrPercent: {
      int64_t value = 0;
      if (!ParseNumber(option, words[0], &value, error)) return false;
      if (option.name == "hz") value = std::clamp<int64_t>(value, 1, 500);  // a hint, never refused for its size
      *text = option.type == OptionType::kOctal                          ? Octal(value)
              : value < 0 && option.type == OptionType::kMemoryOrPercent ? std::to_string(-value) + '%'
                                                                         : std::to_string(value);
      break;
    }
    case OptionType::kEnum:
      if (!ParseChoices(option, words, text, error)) return false;
      if (option.name == "oom-score-adj" && *text == "relative") *text = "yes";  // two words for one thing
      break;
    case OptionType::kString:
      *text = words[0];
      break;
    case OptionType::kStringList:
      *text = Join(words);
      if (option.name == "replicaof" && EqualsNoCase(*text, "no one")) text->clear();
      break;
    case OptionType::kOutputLimits: {
      OutputLimits limits = {};
      if (!ReadOutputLimits(SplitOnSpaces(previous), &limits, error) || !ReadOutputLimits(words, &limits, error))
        return false;
      *text = OutputLimitsText(limits);
      break;
    }
    case OptionType::kSavePoints:
      if (!ParseSavePoints(words, text, error)) return false;
      break;
    case OptionType::kPercentiles: {
      std::vector<double> values;
      if (!ReadPercentiles(words, &values, error)) return false;
      text->clear();
      for (const double value : values) *text += (text->empty() ? "" : " ") + PercentileText(value);
      break;
    }
    case OptionType::kNotifyFlags: {
      uint32_t flags = 0;
      if (!ParseKeyEventClasses(words[0], &flags))
        return *error = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.", false;
      *text = KeyEventClassesText(flags);
      break;
    }
    case OptionType::kIntegerList:
      if (!ParseIntegerList(option, words, text, error)) return false;
      break;
  }
  return CheckMeaning(option, *text, error);
}

void StoreOption(const OptionSpec& option, std::string_view text, ConfigSnapshot* snapshot) {
  struct Visitor {
    const OptionSpec& option;
    std::string_view text;
    ConfigSnapshot* to;

    void operator()(std::monostate) const {}
    void operator()(bool ConfigSnapshot::*field) const { to->*field = text == "yes"; }
    void operator()(int64_t ConfigSnapshot::*field) const {
      int64_t value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value, option.type == OptionType::kOctal ? 8 : 10);
      to->*field = value;
    }
    void operator()(uint32_t ConfigSnapshot::*field) const {
      uint32_t flags = 0;
      (void)ParseKeyEventClasses(text, &flags);
      to->*field = flags;
    }
    void operator()(std::string ConfigSnapshot::*field) const { to->*field = text; }
    void operator()(std::vector<std::string> ConfigSnapshot::*field) const {
      (to->*field).clear();
      for (const std::string_view word : SplitOnSpaces(text)) (to->*field).emplace_back(word);
    }
    void operator()(std::vector<double> ConfigSnapshot::*field) const {
      (to->*field).clear();
      std::string error;
      (void)ReadPercentiles(SplitOnSpaces(text), &(to->*field), &error);
    }
    void operator()(AppendFsync ConfigSnapshot::*field) const { StoreChoice(option, text, &(to->*field)); }
    void operator()(LogLevel ConfigSnapshot::*field) const { StoreChoice(option, text, &(to->*field)); }
    void operator()(Permission ConfigSnapshot::*field) const { StoreChoice(option, text, &(to->*field)); }
    void operator()(PubsubDefault ConfigSnapshot::*field) const { StoreChoice(option, text, &(to->*field)); }
    void operator()(Compression ConfigSnapshot::*field) const { StoreChoice(option, text, &(to->*field)); }
    void operator()(EvictionPolicy ConfigSnapshot::*field) const { StoreChoice(option, text, &(to->*field)); }
    void operator()(OutputLimits ConfigSnapshot::*field) const {
      std::string error;
      (void)ReadOutputLimits(SplitOnSpaces(text), &(to->*field), &error);
    }
  };
  std::visit(Visitor{option, text, snapshot}, option.field);
}

std::string DefaultText(const OptionSpec& option) {
  std::string text, error;
  std::vector<std::string_view> words = {option.default_text};
  if (option.Has(kOptMultiArg) && !option.default_text.empty()) words = SplitOnSpaces(option.default_text);
  // A test checks that every default is a good value.
  if (!ParseOption(option, words, "", &text, &error)) std::abort();
  return text;
}

bool SplitWords(std::string_view line, std::vector<std::string>* words) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  const auto hex = [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) ? c - '0' : std::tolower(c) - 'a' + 10;
  };
  const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  words->clear();
  size_t i = 0;
  const size_t n = line.size();
  for (;;) {
    while (i < n && is_space(line[i])) ++i;
    if (i == n) return true;
    std::string word;
    char quote = 0;
    for (;; ++i) {
      if (i == n) {
        if (quote) return false;
        break;
      }
      const char c = line[i];
      if (quote == '"') {
        if (c == '\\' && i + 3 < n && line[i + 1] == 'x' && is_hex(line[i + 2]) && is_hex(line[i + 3])) {
          word += static_cast<char>(hex(line[i + 2]) * 16 + hex(line[i + 3]));
          i += 3;
        } else if (c == '\\' && i + 1 < n) {
          ++i;
          constexpr std::string_view kLetters = "nrtba", kValues = "\n\r\t\b\a";
          const size_t at = kLetters.find(line[i]);
          word += at == std::string_view::npos ? line[i] : kValues[at];
        } else if (c == '"') {
          if (i + 1 < n && !is_space(line[i + 1])) return false;
          ++i;
          break;
        } else {
          word += c;
        }
      } else if (quote == '\'') {
        if (c == '\\' && i + 1 < n && line[i + 1] == '\'') {
          word += '\'';
          ++i;
        } else if (c == '\'') {
          if (i + 1 < n && !is_space(line[i + 1])) return false;
          ++i;
          break;
        } else {
          word += c;
        }
      } else if (is_space(c)) {
        break;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else {
        word += c;
      }
    }
    words->push_back(std::move(word));
  }
}

std::string QuoteWord(std::string_view word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isgraph(c) && c != '"' && c != '\'' && c != '\\';
  }) && word[0] != '#';
  if (plain) return std::string(word);
  std::string quoted = "\"";
  for (const char c : word) {
    switch (c) {
      case '\\':
      case '"':
        quoted += '\\', quoted += c;
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      case '\a':
        quoted += "\\a";
        break;
      case '\b':
        quoted += "\\b";
        break;
      default:
        if (std::isprint(static_cast<unsigned char>(c))) {
          quoted += c;
        } else {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
          quoted += escape;
        }
    }
  }
  return quoted + '"';
}

}  // namespace basalt
