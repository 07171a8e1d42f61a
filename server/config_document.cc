// conf/basalt.conf, generated from the option table.
#include <sstream>

#include "server/config_table.h"

namespace basalt {

namespace {

constexpr size_t kLineWidth = 100;

void WriteWrapped(std::string_view text, std::string* out) {
  std::istringstream words{std::string(text)};
  std::string line = "#";
  for (std::string word; words >> word;) {
    if (line.size() + 1 + word.size() > kLineWidth) {
      *out += line + '\n';
      line = "#";
    }
    line += ' ' + word;
  }
  *out += line + '\n';
}

std::string RangeText(const OptionSpec& option) {
  if (option.type != OptionType::kInteger) return "";
  const bool open_end = option.max >= std::numeric_limits<int32_t>::max();
  const bool open_begin = option.min <= -std::numeric_limits<int32_t>::max();
  if (open_begin && open_end) return "";
  return open_end ? ", " + std::to_string(option.min) + " or more"
                  : ", " + std::to_string(option.min) + " to " + std::to_string(option.max);
}

std::string FactsText(const OptionSpec& option) {
  std::string facts;
  switch (option.type) {
    case OptionType::kBool:
      facts = "yes or no";
      break;
    case OptionType::kInteger:
      facts = "A number" + RangeText(option);
      break;
    case OptionType::kOctal:
      facts = "An octal number";
      break;
    case OptionType::kMemory:
      facts = "A size, with units kb mb gb";
      break;
    case OptionType::kMemoryOrPercent:
      facts = "A size or a percentage";
      break;
    case OptionType::kEnum:
      for (size_t i = 0; i < option.choices.size(); ++i)
        facts += (i == 0 ? "" : " | ") + std::string(option.choices[i]);
      break;
    case OptionType::kString:
    case OptionType::kNotifyFlags:
      facts = "A text";
      break;
    case OptionType::kStringList:
      facts = "One or more words";
      break;
    case OptionType::kOutputLimits:
    case OptionType::kSavePoints:
    case OptionType::kPercentiles:
    case OptionType::kIntegerList:
      facts = "Several words";
      break;
  }
  facts += option.Has(kOptImmutable) ? ". At start only." : ". CONFIG SET changes it.";
  if (option.Has(kOptProtected)) facts += " See enable-protected-configs.";
  if (!option.alias.empty()) facts += " Also known as " + std::string(option.alias) + ".";
  return facts;
}

}  // namespace

std::string_view SectionTitle(OptionSection section) {
  constexpr std::string_view kTitles[kOptionSections] = {
      "Network",
      "Threads",
      "Storage",
      "Durability",
      "Security",
      "Limits",
      "Log",
      "Observation",
      "Encodings",
      "Scripts",
      "Replication and cluster (kept and reported; not there yet)",
      "Redis' options that change nothing here (kept and reported, so that tools and conf files of Redis work)",
  };
  return kTitles[static_cast<size_t>(section)];
}

std::string ConfigTable::ConfFileText() {
  std::string out;
  WriteWrapped(
      "Basalt's options, with their defaults. This file is made from the option table (`basalt --print-config`), and a "
      "test compares the two.",
      &out);
  out += "#\n";
  WriteWrapped(
      "One `name value` a line. Quote values with spaces: \"a b\" (with \\n \\r \\t \\xHH) or 'a b'. `include <file>` "
      "reads another file at that place; later lines win. "
      "The command line (--name value) is stronger than this file; CONFIG SET changes what runs, and CONFIG REWRITE "
      "writes that back here.",
      &out);
  for (size_t i = 0; i < kOptionSections; ++i) {
    const auto section = static_cast<OptionSection>(i);
    out += "\n\n# " + std::string(kLineWidth - 2, '=') + "\n# " + std::string(SectionTitle(section)) + "\n# " +
           std::string(kLineWidth - 2, '=') + '\n';
    for (const OptionSpec& option : AllOptions()) {
      if (option.section != section || option.Has(kOptHidden)) continue;
      // What only exists for compatibility is a comment: a conf file lists what matters.
      const bool compat = option.Has(kOptCompat);
      if (!compat || !option.help.empty()) out += '\n';
      if (!option.help.empty()) WriteWrapped(option.help, &out);
      if (!compat) WriteWrapped(FactsText(option), &out);
      std::string line(option.name);
      line += option.default_text.empty() ? " \"\"" : " " + std::string(option.default_text);
      out += (compat ? "# " : "") + line + '\n';
    }
  }
  return out;
}

}  // namespace basalt
