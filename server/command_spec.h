#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "server/status.h"

namespace basalt {

class CommandContext;
struct Preparation;
struct PrepareInput;

// Redis' own flags (COMMAND INFO), then ours.
enum CommandFlag : uint64_t {
  kCmdWrite = 1ull << 0,
  kCmdReadonly = 1ull << 1,
  kCmdDenyOom = 1ull << 2,
  kCmdAdmin = 1ull << 3,
  kCmdPubsub = 1ull << 4,
  kCmdNoScript = 1ull << 5,
  kCmdBlocking = 1ull << 6,
  kCmdLoading = 1ull << 7,
  kCmdStale = 1ull << 8,
  kCmdSkipMonitor = 1ull << 9,
  kCmdSkipSlowlog = 1ull << 10,
  kCmdAsking = 1ull << 11,
  kCmdFast = 1ull << 12,
  kCmdNoAuth = 1ull << 13,
  kCmdMayReplicate = 1ull << 14,
  kCmdNoMandatoryKeys = 1ull << 15,
  kCmdProtected = 1ull << 16,
  kCmdNoAsyncLoading = 1ull << 17,
  kCmdNoMulti = 1ull << 18,
  kCmdAllowBusy = 1ull << 19,
  kCmdSentinel = 1ull << 20,
  kCmdOnlySentinel = 1ull << 21,
  // Ours; not shown to clients.
  kCmdSlowLane = 1ull << 32,   // always runs in the slow lane (KEYS, SAVE, DEBUG SLEEP, …)
  kCmdExclusive = 1ull << 33,  // writes run with the exclusive gate closed (FLUSHALL, SWAPDB)
  kCmdImmediate =
      1ull << 34,  // inside MULTI it runs at once instead of being queued (EXEC, DISCARD, MULTI, WATCH, QUIT, RESET)
  kCmdLockKeys = 1ull << 35,       // read-only to clients and gates, but runs in a WriteTxn under the locks of its keys
                                   // (WATCH; PFCOUNT, which keeps what it computed)
  kCmdRunsQueue = 1ull << 36,      // runs the queue of MULTI: refusing it discards the transaction (EXEC)
  kCmdRepliesByPush = 1ull << 37,  // its replies are pushes (SUBSCRIBE): CLIENT REPLY does not silence them
  kCmdReadsAllKeys = 1ull << 38,   // looks at whatever keys there are (KEYS, DBSIZE): inside a script, which is one
                                   // step, only with the exclusive gate closed
  kCmdRunsScript = 1ull << 39,     // may hold its thread for as long as a script runs
  kCmdForSubscribers = 1ull << 40,  // a RESP2 connection with subscriptions may send it
  kCmdAfterPushes =
      1ull << 41,  // it ends pushes or changes their form (UNSUBSCRIBE, HELLO): those that are held are sent first
  kCmdOnlyRemoves = 1ull << 42,  // whole keys, and writes nothing else: it runs while the disk is nearly full (DEL)
};

enum class CommandGroup : uint8_t {
  kGeneric,
  kString,
  kList,
  kSet,
  kSortedSet,
  kHash,
  kPubsub,
  kTransactions,
  kConnection,
  kServer,
  kScripting,
  kHyperloglog,
  kCluster,
  kGeo,
  kStream,
  kBitmap,
};

// Where keys are, as COMMAND INFO's key specifications (https://redis.io/docs/latest/develop/reference/key-specs/).
enum KeySpecFlag : uint32_t {
  kKeyRO = 1 << 0,
  kKeyRW = 1 << 1,
  kKeyOW = 1 << 2,
  kKeyRM = 1 << 3,
  kKeyAccess = 1 << 4,
  kKeyUpdate = 1 << 5,
  kKeyInsert = 1 << 6,
  kKeyDelete = 1 << 7,
  kKeyNotKey = 1 << 8,
  kKeyIncomplete = 1 << 9,
  kKeyVariableFlags = 1 << 10,
};

struct KeySpec {
  uint32_t flags = 0;
  enum class Begin : uint8_t { kNone, kIndex, kKeyword, kUnknown /* only get_keys knows */ } begin = Begin::kNone;
  int16_t index = 0;  // kIndex: first key argument. kKeyword: where the search starts (negative: from the end)
  std::string_view keyword = {};  // kKeyword
  enum class Find : uint8_t { kRange, kKeyNum } find = Find::kRange;
  int16_t last_key = 0;  // kRange: relative to the first key; negative from the end. kKeyNum: offset of the number
  int16_t step = 1;
  int16_t limit = 0;            // kRange with a negative last_key: 0/1 no limit, n: 1/n of the rest
  int16_t first_key = 0;        // kKeyNum: offset of the first key from the number
  std::string_view notes = {};  // COMMAND INFO: why the flags are what they are; our words

  constexpr KeySpec Noted(std::string_view text) const {
    KeySpec spec = *this;
    spec.notes = text;
    return spec;
  }
  static constexpr KeySpec Range(uint32_t flags, int16_t first, int16_t last_relative, int16_t step) {
    return {.flags = flags,
            .begin = Begin::kIndex,
            .index = first,
            .find = Find::kRange,
            .last_key = last_relative,
            .step = step};
  }
  static constexpr KeySpec One(uint32_t flags, int16_t at = 1) { return Range(flags, at, 0, 1); }
  static constexpr KeySpec Unknown(uint32_t flags) { return {.flags = flags, .begin = Begin::kUnknown}; }
  static constexpr KeySpec NumKeys(uint32_t flags, int16_t number_at) {
    return {.flags = flags,
            .begin = Begin::kIndex,
            .index = number_at,
            .find = Find::kKeyNum,
            .last_key = 0,
            .step = 1,
            .first_key = 1};
  }
};

// Which arguments are channels of pub/sub, and what is done with them: for ACL rules.
struct ChannelSpec {
  enum class Use : uint8_t { kNone, kSubscribe, kUnsubscribe, kPublish } use = Use::kNone;
  bool patterns = false;  // glob patterns (PSUBSCRIBE)
  int16_t first = 1;
  int16_t last = -1;  // negative: from the end

  static constexpr ChannelSpec All(Use use, bool patterns = false) { return {.use = use, .patterns = patterns}; }
  static constexpr ChannelSpec One(Use use) { return {.use = use, .last = 1}; }
};

struct CommandHistory {
  std::string_view version, change;
};

using CommandHandler = Status (*)(CommandContext&);

// One command, or one subcommand ("client|list", whose container row "client" stands before it in the same family).
// Everything about a command derives from its row: DESIGN §3. Rows are constexpr, in the file of their family, beside
// their handlers.
struct CommandSpec {
  std::string_view name;  // lower case; "container|subcommand"
  int16_t arity = 0;      // as Redis: argument count with the name(s); negative: at least
  uint64_t flags = 0;     // CommandFlag
  CommandGroup group = CommandGroup::kGeneric;
  std::array<KeySpec, 3> keys = {};  // those with begin == kNone are absent
  ChannelSpec channels = {};
  // Arguments, in the notation of Redis' documentation: lower-case words are values, upper-case ones literal tokens, []
  // optional, | alternative, () group, … repeats: "key value [NX | XX] [GET] [EX seconds:integer | KEEPTTL]". A value
  // is "name:type" with type one of string (default) key integer double pattern unix-time; "key" and "…key" names
  // default to type key. "name=shown": clients show it by the second. A value that belongs to the n-th key spec
  // although it is not the n-th key says so: "by-pattern:pattern#1". COMMAND DOCS' argument tree is derived from it.
  std::string_view syntax = {};
  std::string_view since = {};
  std::string_view complexity = {};
  std::string_view summary = {};     // our words, one sentence
  CommandHandler handler = nullptr;  // null for a container that needs a subcommand
  uint32_t acl_categories = 0;       // beyond those that follow from flags and group
  std::array<std::string_view, 4> tips = {};
  std::span<const CommandHistory> history = {};
  std::string_view doc_flags = {};  // "deprecated"
  std::string_view deprecated_since = {}, replaced_by = {};
  // Keys that no key spec can express (SORT, GEORADIUS STORE, …); positions of keys in argv. Null: from `keys`.
  bool (*get_keys)(std::span<const std::string_view> argv, void* out) = nullptr;

  // What must be held before the handler runs, for commands that run other commands (EXEC, scripts). Null: from the
  // row.
  void (*prepare)(const PrepareInput& input, Preparation* preparation) = nullptr;

  // The flags of this call, when they depend on its arguments (a script says what it does). Null: those of the row.
  uint64_t (*actual_flags)(const PrepareInput& input) = nullptr;

  bool Has(uint64_t flag) const { return (flags & flag) != 0; }
  bool is_subcommand() const { return name.find('|') != std::string_view::npos; }
};

}  // namespace basalt
