#include "server/scripting/script_flags.h"

#include "server/argument_parsing.h"
#include "server/config_options.h"

namespace basalt {

namespace {

constexpr ScriptFlagName kNames[] = {
    {kScriptNoWrites, "no-writes"},
    {kScriptAllowOom, "allow-oom"},
    {kScriptAllowStale, "allow-stale"},
    {kScriptNoCluster, "no-cluster"},
    {kScriptAllowCrossSlotKeys, "allow-cross-slot-keys"},
};

// "flags=a,b": adds them.
Status ParseFlagList(std::string_view list, uint32_t* flags) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    if (!ParseScriptFlag(name, FlagCase::kExact, flags)) {
      return Status::Message("ERR Unexpected flag in script shebang: " + std::string(name));
    }
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
    if (list.empty()) return Status::Message("ERR Unexpected flag in script shebang: ");
  }
  return Ok();
}

}  // namespace

std::span<const ScriptFlagName> ScriptFlagNames() { return kNames; }

bool ParseScriptFlag(std::string_view name, FlagCase flag_case, uint32_t* flags) {
  for (const ScriptFlagName& known : kNames) {
    if (flag_case == FlagCase::kExact ? name == known.name : EqualsIgnoreCase(name, known.name)) {
      *flags |= known.flag;
      return true;
    }
  }
  return false;
}

bool ReadShebang(std::string_view code, Shebang* shebang) {
  *shebang = {};
  if (!code.starts_with("#!")) return true;
  const size_t end = code.find('\n');
  if (end == std::string_view::npos) return false;
  shebang->bytes = end;
  if (!SplitWords(code.substr(0, end), &shebang->words)) shebang->words.clear();
  return true;
}

Status ParseScriptFlags(std::string_view body, uint32_t* flags) {
  *flags = kScriptCompat;
  Shebang shebang;
  if (!ReadShebang(body, &shebang)) return Status::Message("ERR Invalid script shebang");
  if (shebang.bytes == 0) return Ok();
  if (shebang.words.empty()) return Status::Message("ERR Invalid engine in script shebang");
  if (shebang.words[0] != "#!lua") {
    return Status::Message("ERR Unexpected engine in script shebang: " + shebang.words[0]);
  }
  *flags = 0;
  constexpr std::string_view kFlags = "flags=";
  for (size_t i = 1; i < shebang.words.size(); ++i) {
    std::string_view word = shebang.words[i];
    if (!word.starts_with(kFlags)) return Status::Message("ERR Unknown lua shebang option: " + shebang.words[i]);
    word.remove_prefix(kFlags.size());
    BASALT_RETURN_IF_ERROR(ParseFlagList(word, flags));
  }
  return Ok();
}

}  // namespace basalt
