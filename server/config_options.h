#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/config_snapshot.h"

namespace basalt {

enum class OptionType : uint8_t {
  kBool,     // yes | no
  kInteger,  // decimal
  kOctal,    // file mode
  kMemory,   // bytes, with the units b k kb m mb g gb
  kMemoryOrPercent,
  kEnum,
  kString,
  kStringList,    // several words (bind)
  kOutputLimits,  // <class> <hard> <soft> <seconds> …
  kSavePoints,    // <seconds> <changes> …
  kPercentiles,   // numbers in 0..100
  kNotifyFlags,   // "KEA"
  kIntegerList,   // a fixed number of integers (oom-score-adj-values)
};

enum OptionFlag : uint32_t {
  kOptImmutable = 1 << 0,  // set at start only
  kOptOwn = 1 << 6,        // Redis has no such option
  kOptSensitive = 1 << 1,  // never shown in logs, SLOWLOG, MONITOR
  kOptMultiArg = 1 << 2,   // a value is several words
  kOptProtected = 1 << 3,  // CONFIG SET needs enable-protected-configs
  kOptHidden = 1 << 4,     // not matched by CONFIG GET's patterns, not in the conf file
  kOptFolder = 1 << 7,     // a path of this machine: kept as it was written, CONFIG GET shows it absolute
  kOptCompat = 1 << 5,     // accepted and reported, so that tools and configurations of Redis work; without effect
};

// Where an option stands in conf/basalt.conf.
enum class OptionSection : uint8_t {
  kNetwork,
  kThreads,
  kStorage,
  kDurability,
  kSecurity,
  kLimits,
  kLogging,
  kObservation,
  kEncodings,
  kScripts,
  kReplication,
  kCompatibility,
};
inline constexpr size_t kOptionSections = 12;
std::string_view SectionTitle(OptionSection section);

// Where a typed value lives in the snapshot; monostate: only its text is kept.
using OptionField =
    std::variant<std::monostate, bool ConfigSnapshot::*, int64_t ConfigSnapshot::*, uint32_t ConfigSnapshot::*,
                 std::string ConfigSnapshot::*, std::vector<std::string> ConfigSnapshot::*,
                 std::vector<double> ConfigSnapshot::*, AppendFsync ConfigSnapshot::*, LogLevel ConfigSnapshot::*,
                 Permission ConfigSnapshot::*, PubsubDefault ConfigSnapshot::*, Compression ConfigSnapshot::*,
                 EvictionPolicy ConfigSnapshot::*, std::array<ClientOutputLimit, kClientClasses> ConfigSnapshot::*>;

// One option: everything about it. Flags, conf file, CONFIG and conf/basalt.conf derive from the row.
struct OptionSpec {
  std::string_view name;
  OptionType type = OptionType::kString;
  std::string_view default_text;  // as in the conf file, for multi-word values as one string
  OptionSection section = OptionSection::kCompatibility;
  OptionField field = {};
  std::string_view help = {};  // sentences, wrapped by the generator
  uint32_t flags = 0;          // OptionFlag
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
  std::span<const std::string_view> choices = {};  // kEnum
  std::string_view alias = {};                     // an older name

  bool Has(uint32_t flag) const { return (flags & flag) != 0; }
};

// The table: options of Basalt first, then those kept for compatibility.
std::span<const OptionSpec> AllOptions();
// By name or alias, any case. Null: unknown.
const OptionSpec* FindOption(std::string_view name);
// Dense index of a row of AllOptions().
size_t OptionIndex(const OptionSpec& option);

// Checks `words` against the row, and makes the canonical text, as CONFIG GET shows it. `previous`: the canonical text
// so far (options whose words change only a part of the value). False: *error says what a value must be, in Redis'
// words.
bool ParseOption(const OptionSpec& option, std::span<const std::string_view> words, std::string_view previous,
                 std::string* text, std::string* error);
// Puts the value into its field. REQUIRES: `text` is canonical.
void StoreOption(const OptionSpec& option, std::string_view text, ConfigSnapshot* snapshot);
// The canonical text of the default.
std::string DefaultText(const OptionSpec& option);

// Splits a line into words as redis.conf does: spaces, "…" with escapes \n \r \t \b \a \xHH, '…' with \'. False on
// unbalanced quotes.
bool SplitWords(std::string_view line, std::vector<std::string>* words);
// A word in the form that SplitWords reads back, quoted when it must be.
std::string QuoteWord(std::string_view word);

// A number of bytes with an optional unit: 1k = 1000, 1kb = 1024, …
bool ParseMemory(std::string_view text, int64_t* bytes);

namespace config_internal {
std::span<const OptionSpec> BasaltOptions();
std::span<const OptionSpec> CompatibilityOptions();
}  // namespace config_internal

}  // namespace basalt
