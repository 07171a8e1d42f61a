// OBJECT: what is known about a value besides its content.

#include <limits>

#include "server/acl/categories.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/key_access.h"
#include "server/config_table.h"

namespace basalt {
namespace {

using storage::RecordPtr;

// Small integers are shared objects in Redis, which counts their references so.
constexpr int64_t kSharedIntegers = 10'000;
constexpr int64_t kSharedReferences = std::numeric_limits<int32_t>::max();

constexpr std::string_view kAdjustNote =
    " Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";

// Answers null, with *found false, when there is no such key.
Status FindObject(CommandContext& ctx, RecordPtr* record, bool* found) {
  const storage::Status status = InspectKey(ctx, ctx.view(), ctx.key(2), record);
  *found = status == storage::Status::kOk;
  if (status == storage::Status::kNotFound) ctx.reply.Null();
  return *found || status == storage::Status::kNotFound ? Ok() : Status(status);
}

Status ObjectEncoding(CommandContext& ctx) {
  RecordPtr record;
  bool found = false;
  BASALT_RETURN_IF_ERROR(FindObject(ctx, &record, &found));
  if (found) ctx.reply.Bulk(storage::EncodingName(record->header().encoding));
  return Ok();
}

bool IsSharedInteger(const storage::Record& record) {
  int64_t value;
  return record.header().encoding == storage::Encoding::kInt && ParseInteger(record.payload(), &value) && value >= 0 &&
         value < kSharedIntegers;
}

Status ObjectRefCount(CommandContext& ctx) {
  RecordPtr record;
  bool found = false;
  BASALT_RETURN_IF_ERROR(FindObject(ctx, &record, &found));
  if (found) ctx.reply.Integer(IsSharedInteger(*record) ? kSharedReferences : 1);
  return Ok();
}

bool FrequencyIsTracked(const CommandContext& ctx) {
  const EvictionPolicy policy = ctx.services.config.current().maxmemory_policy;
  return policy == EvictionPolicy::kAllkeysLfu || policy == EvictionPolicy::kVolatileLfu;
}

// Zero for a key that no one has used for so long that it is only on disk.
struct Access {
  uint64_t idle_seconds = 0;
  uint8_t frequency = 0;
};

Access AccessOf(CommandContext& ctx) {
  Access access;
  if (!ctx.services.storage.AccessInfo(ctx.db(), ctx.key(2), &access.idle_seconds, &access.frequency)) return {};
  return access;
}

Status ObjectIdleTime(CommandContext& ctx) {
  RecordPtr record;
  bool found = false;
  BASALT_RETURN_IF_ERROR(FindObject(ctx, &record, &found));
  if (!found) return Ok();
  if (FrequencyIsTracked(ctx)) {
    return Status::Message("ERR An LFU maxmemory policy is selected, idle time not tracked." +
                           std::string(kAdjustNote));
  }
  ctx.reply.Integer(static_cast<int64_t>(AccessOf(ctx).idle_seconds));
  return Ok();
}

Status ObjectFreq(CommandContext& ctx) {
  RecordPtr record;
  bool found = false;
  BASALT_RETURN_IF_ERROR(FindObject(ctx, &record, &found));
  if (!found) return Ok();
  if (!FrequencyIsTracked(ctx)) {
    return Status::Message("ERR An LFU maxmemory policy is not selected, access frequency not tracked." +
                           std::string(kAdjustNote));
  }
  ctx.reply.Integer(AccessOf(ctx).frequency);
  return Ok();
}

Status ObjectHelp(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "ENCODING <key>", "    How the value is encoded.",
      "FREQ <key>",     "    How often the key is used, on a logarithmic scale; under an LFU maxmemory-policy.",
      "IDLETIME <key>", "    Seconds since the key was last used.",
      "REFCOUNT <key>", "    How many references the value has.",
  };
  return WriteHelp(ctx, kLines);
}

// ---- rows ----

constexpr CommandSpec kObjectCommands[] = {
    {.name = "object",
     .arity = -2,
     .group = CommandGroup::kGeneric,
     .since = "2.2.3",
     .complexity = "Depends on the subcommand.",
     .summary = "What is known about a value besides its content.",
     .handler = nullptr,
     .acl_categories = kAclNotOfGroup},
    {.name = "object|encoding",
     .arity = 3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO, 2)},
     .syntax = "key",
     .since = "2.2.3",
     .complexity = "O(1)",
     .summary = "Answers how the value of a key is encoded.",
     .handler = ObjectEncoding,
     .tips = {"nondeterministic_output"}},
    {.name = "object|freq",
     .arity = 3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO, 2)},
     .syntax = "key",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Answers how often a key is used, on a logarithmic scale.",
     .handler = ObjectFreq,
     .tips = {"nondeterministic_output"}},
    {.name = "object|idletime",
     .arity = 3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO, 2)},
     .syntax = "key",
     .since = "2.2.3",
     .complexity = "O(1)",
     .summary = "Answers how many seconds ago a key was last used.",
     .handler = ObjectIdleTime,
     .tips = {"nondeterministic_output"}},
    {.name = "object|refcount",
     .arity = 3,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO, 2)},
     .syntax = "key",
     .since = "2.2.3",
     .complexity = "O(1)",
     .summary = "Answers how many references the value of a key has.",
     .handler = ObjectRefCount,
     .tips = {"nondeterministic_output"}},
    {.name = "object|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = CommandGroup::kGeneric,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = ObjectHelp},
};

}  // namespace

std::span<const CommandSpec> ObjectCommands() { return kObjectCommands; }

}  // namespace basalt
