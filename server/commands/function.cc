// FUNCTION and FCALL. The libraries are the FunctionRegistry's, what a run may do is ScriptRun's.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/clock.h"
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/scripting/function_registry.h"
#include "server/scripting/script_flags.h"
#include "server/scripting/script_run.h"
#include "server/scripting/scripting.h"
#include "storage/rdb_reader.h"
#include "storage/rdb_writer.h"

namespace basalt {

namespace {

using IfExists = FunctionSet::IfExists;

constexpr std::string_view kEngine = "LUA";

FunctionRegistry::Snapshot CurrentFunctions(CommandContext& ctx) {
  return ctx.services.scripting.functions().Current(ctx.can_write() ? &ctx.txn() : nullptr);
}

// ---- FCALL ----

void PrepareFcall(const PrepareInput& input, Preparation* preparation) {
  PrepareFromRow(input, preparation);
  const FunctionRegistry::Snapshot functions = input.services.scripting.functions().Current(nullptr);
  const LibraryFunction* const function = functions->FindFunction(input.argv[1]).function;
  if (function != nullptr && function->pace.IsSlow()) preparation->slow = true;
}

uint64_t FlagsOfFcall(const PrepareInput& input) {
  const FunctionRegistry::Snapshot functions = input.services.scripting.functions().Current(nullptr);
  const LibraryFunction* const function = functions->FindFunction(input.argv[1]).function;
  return function == nullptr ? input.spec.flags : FlagsOfScript(input.spec.flags, function->flags);
}

Status CountKeys(const CommandContext& ctx, size_t* keys) {
  int64_t numkeys = 0;
  if (!ParseInteger(ctx.arg(2), &numkeys)) return Status::Message("ERR Bad number of keys provided");
  if (numkeys > static_cast<int64_t>(ctx.argc()) - 3) {
    return Status::Message("ERR Number of keys can't be greater than number of args");
  }
  if (numkeys < 0) return Status::Message("ERR Number of keys can't be negative");
  *keys = static_cast<size_t>(numkeys);
  return Ok();
}

Status Fcall(CommandContext& ctx) {
  const FunctionRegistry::Snapshot functions = CurrentFunctions(ctx);
  const FunctionSet::Found found = functions->FindFunction(ctx.arg(1));
  size_t keys = 0;
  Status error = found.function == nullptr ? Status::Message("ERR Function not found") : CountKeys(ctx, &keys);
  if (!error.ok()) {
    ShowScriptToMonitors(ctx);
    return error;
  }
  const ScriptCall call{.kind = ScriptKind::kFunction,
                        .name = found.function->name,
                        .flags = found.function->flags,
                        .read_only = ctx.spec.name.ends_with("_ro"),
                        .pace = &found.function->pace};
  return RunScript(ctx, call, [&](Interpreter& interpreter, ScriptHost& host, net::ReplyBuilder& reply) {
    return interpreter.RunFunction(*found.library, found.function->name, ctx.argv.subspan(3, keys),
                                   ctx.argv.subspan(3 + keys), host, reply);
  });
}

// ---- changes ----

// A copy of what there is, to be changed.
std::shared_ptr<FunctionSet> CopyFunctions(CommandContext& ctx) {
  return std::make_shared<FunctionSet>(*CurrentFunctions(ctx));
}

void Replace(CommandContext& ctx, FunctionRegistry::Snapshot functions) {
  ctx.services.scripting.functions().Replace(&ctx.txn(), std::move(functions));
}

Status FunctionLoad(CommandContext& ctx) {
  auto if_exists = IfExists::kFail;
  for (size_t i = 2; i + 1 < ctx.argc(); ++i) {
    if (!EqualsIgnoreCase(ctx.arg(i), "replace")) {
      return Status::Message("ERR Unknown option given: " + std::string(ctx.arg(i)));
    }
    if_exists = IfExists::kReplace;
  }
  const std::shared_ptr<FunctionSet> functions = CopyFunctions(ctx);
  std::string name;
  BASALT_RETURN_IF_ERROR(functions->Load(ctx.arg(ctx.argc() - 1), if_exists, &name));
  Replace(ctx, functions);
  ctx.reply.Bulk(name);
  return Ok();
}

Status FunctionDelete(CommandContext& ctx) {
  const std::shared_ptr<FunctionSet> functions = CopyFunctions(ctx);
  if (!functions->Remove(ctx.arg(2))) return Status::Message("ERR Library not found");
  Replace(ctx, functions);
  ctx.reply.Ok();
  return Ok();
}

// Interpreters let go of their libraries when they need the room: SYNC and ASYNC are the same.
Status FunctionFlush(CommandContext& ctx) {
  if (ctx.argc() > 3) return SubcommandSyntaxError(ctx);
  if (ctx.argc() == 3 && !EqualsIgnoreCase(ctx.arg(2), "sync") && !EqualsIgnoreCase(ctx.arg(2), "async")) {
    return Status::Message("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  Replace(ctx, std::make_shared<FunctionSet>());
  ctx.reply.Ok();
  return Ok();
}

enum class RestorePolicy : uint8_t { kFlush, kAppend, kReplace };

Status ParseRestorePolicy(const CommandContext& ctx, RestorePolicy* policy) {
  *policy = RestorePolicy::kAppend;
  if (ctx.argc() < 4 || EqualsIgnoreCase(ctx.arg(3), "append")) return Ok();
  if (EqualsIgnoreCase(ctx.arg(3), "replace")) {
    *policy = RestorePolicy::kReplace;
  } else if (EqualsIgnoreCase(ctx.arg(3), "flush")) {
    *policy = RestorePolicy::kFlush;
  } else {
    return Status::Message("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
  }
  return Ok();
}

// The libraries of a payload of FUNCTION DUMP.
Status ReadPayload(std::string_view payload, FunctionSet* functions) {
  if (storage::VerifyRdbPayload(payload, storage::RdbChecksum::kChecked) != storage::Status::kOk) {
    return Status::Message("ERR DUMP payload version or checksum are wrong");
  }
  std::vector<std::string> codes;
  const storage::LibrariesOutcome outcome = storage::ReadRdbLibraries(payload, &codes);
  for (const std::string& code : codes) {
    std::string name;
    BASALT_RETURN_IF_ERROR(functions->Load(code, IfExists::kFail, &name));
  }
  switch (outcome) {
    case storage::LibrariesOutcome::kRead:
      return Ok();
    case storage::LibrariesOutcome::kOldFormat:
      return Status::Message("ERR Pre-GA function format not supported");
    case storage::LibrariesOutcome::kNotLibrary:
      return Status::Message("ERR given type is not a function");
    case storage::LibrariesOutcome::kCutOff:
      return Status::Message("ERR Failed loading library payload");
  }
  __builtin_unreachable();
}

Status FunctionRestore(CommandContext& ctx) {
  if (ctx.argc() > 4) return SubcommandSyntaxError(ctx);
  RestorePolicy policy;
  BASALT_RETURN_IF_ERROR(ParseRestorePolicy(ctx, &policy));
  FunctionSet restored;
  BASALT_RETURN_IF_ERROR(ReadPayload(ctx.arg(2), &restored));
  const std::shared_ptr<FunctionSet> functions =
      policy == RestorePolicy::kFlush ? std::make_shared<FunctionSet>() : CopyFunctions(ctx);
  const auto if_exists = policy == RestorePolicy::kReplace ? IfExists::kReplace : IfExists::kFail;
  BASALT_RETURN_IF_ERROR(functions->Merge(restored, if_exists));
  Replace(ctx, functions);
  ctx.reply.Ok();
  return Ok();
}

// ---- what there is ----

Status FunctionDump(CommandContext& ctx) {
  storage::RdbWriter writer({});
  for (const auto& [name, library] : CurrentFunctions(ctx)->libraries()) writer.Library(library->code);
  ctx.reply.Bulk(writer.TakePayload());
  return Ok();
}

struct ListOptions {
  bool with_code = false;
  bool filtered = false;
  std::string_view pattern;
};

Status ParseListOptions(const CommandContext& ctx, ListOptions* options) {
  for (size_t i = 2; i < ctx.argc(); ++i) {
    if (!options->with_code && EqualsIgnoreCase(ctx.arg(i), "withcode")) {
      options->with_code = true;
    } else if (!options->filtered && EqualsIgnoreCase(ctx.arg(i), "libraryname")) {
      if (i + 1 >= ctx.argc()) return Status::Message("ERR library name argument was not given");
      options->filtered = true;
      options->pattern = ctx.arg(++i);
    } else {
      return Status::Message("ERR Unknown argument " + std::string(ctx.arg(i)));
    }
  }
  return Ok();
}

void WriteFunction(const LibraryFunction& function, net::ReplyBuilder& reply) {
  reply.Map(3);
  reply.Bulk("name");
  reply.Bulk(function.name);
  reply.Bulk("description");
  if (function.description) {
    reply.Bulk(*function.description);
  } else {
    reply.Null();
  }
  reply.Bulk("flags");
  uint64_t flags = 0;
  for (const ScriptFlagName& flag : ScriptFlagNames()) flags += (function.flags & flag.flag) != 0;
  reply.Set(flags);
  for (const ScriptFlagName& flag : ScriptFlagNames()) {
    if ((function.flags & flag.flag) != 0) reply.Simple(flag.name);
  }
}

void WriteLibrary(const FunctionLibrary& library, const ListOptions& options, net::ReplyBuilder& reply) {
  reply.Map(options.with_code ? 4 : 3);
  reply.Bulk("library_name");
  reply.Bulk(library.name);
  reply.Bulk("engine");
  reply.Bulk(kEngine);
  reply.Bulk("functions");
  reply.Array(library.functions.size());
  for (const LibraryFunction& function : library.functions) WriteFunction(function, reply);
  if (!options.with_code) return;
  reply.Bulk("library_code");
  reply.Bulk(library.code);
}

Status FunctionList(CommandContext& ctx) {
  ListOptions options;
  BASALT_RETURN_IF_ERROR(ParseListOptions(ctx, &options));
  const FunctionRegistry::Snapshot functions = CurrentFunctions(ctx);
  std::vector<const FunctionLibrary*> listed;
  for (const auto& [name, library] : functions->libraries()) {
    if (!options.filtered || GlobMatch(options.pattern, name, true)) listed.push_back(library.get());
  }
  ctx.reply.Array(listed.size());
  for (const FunctionLibrary* const library : listed) WriteLibrary(*library, options, ctx.reply);
  return Ok();
}

Status FunctionStats(CommandContext& ctx) {
  const uint64_t now_ns = net::MonotonicNs();
  const RunningScripts& scripts = ctx.services.scripting.running();
  const auto running = scripts.Longest(ScriptKind::kFunction, now_ns);
  // As Redis: a script that is no function and has no end is a matter for SCRIPT KILL.
  if (!running) {
    if (const auto script = scripts.Longest(ScriptKind::kEval, now_ns); script && script->overdue)
      return ErrorCode::kBusyScript;
  }
  ctx.reply.Map(2);
  ctx.reply.Bulk("running_script");
  if (running) {
    ctx.reply.Map(3);
    ctx.reply.Bulk("name");
    ctx.reply.Bulk(running->name);
    ctx.reply.Bulk("command");
    ctx.reply.Array(running->command.size());
    for (const std::string& argument : running->command) ctx.reply.Bulk(argument);
    ctx.reply.Bulk("duration_ms");
    ctx.reply.Integer(static_cast<int64_t>(running->duration_ms));
  } else {
    ctx.reply.Null();
  }
  const FunctionRegistry::Snapshot functions = CurrentFunctions(ctx);
  ctx.reply.Bulk("engines");
  ctx.reply.Map(1);
  ctx.reply.Bulk(kEngine);
  ctx.reply.Map(2);
  ctx.reply.Bulk("libraries_count");
  ctx.reply.Integer(static_cast<int64_t>(functions->libraries().size()));
  ctx.reply.Bulk("functions_count");
  ctx.reply.Integer(static_cast<int64_t>(functions->function_count()));
  return Ok();
}

Status FunctionKill(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(ctx.services.scripting.running().Kill(ScriptKind::kFunction));
  ctx.reply.Ok();
  return Ok();
}

Status FunctionHelp(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "DELETE <library name>",
      "    Delete a library and its functions.",
      "DUMP",
      "    All libraries in a form that RESTORE takes, here and in Redis.",
      "FLUSH [ASYNC|SYNC]",
      "    Delete all libraries.",
      "KILL",
      "    End the functions that have run for longer than busy-reply-threshold and have not written.",
      "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
      "    The libraries, all or those whose names match, and their functions.",
      "LOAD [REPLACE] <code>",
      "    Add a library, or replace the one of that name.",
      "RESTORE <payload> [FLUSH|APPEND|REPLACE]",
      "    Add the libraries that DUMP wrote; FLUSH deletes all others first, REPLACE those of the same names.",
      "STATS",
      "    The function that has run longest, and how many libraries and functions there are.",
  };
  return WriteHelp(ctx, kLines);
}

// ---- rows ----

constexpr CommandGroup kGroup = CommandGroup::kScripting;
constexpr uint64_t kCallFlags =
    kCmdNoScript | kCmdSkipMonitor | kCmdNoMandatoryKeys | kCmdStale | kCmdLockKeys | kCmdRunsScript;
// Changes of the libraries come one after the other, and each is on disk before the next command runs.
constexpr uint64_t kChangeFlags = kCmdNoScript | kCmdWrite | kCmdExclusive;
constexpr std::string_view kComplexity = "Depends on the function that is executed.";

constexpr CommandSpec kCommands[] = {
    {.name = "fcall",
     .arity = -3,
     .flags = kCallFlags | kCmdMayReplicate,
     .group = kGroup,
     .keys = {KeySpec::NumKeys(kKeyRW | kKeyAccess | kKeyUpdate, 2).Noted("What the function may do at most.")},
     .syntax = "function numkeys:integer [key…] [arg…]",
     .since = "7.0.0",
     .complexity = kComplexity,
     .summary = "Runs a function as one atomic step.",
     .handler = Fcall,
     .prepare = PrepareFcall,
     .actual_flags = FlagsOfFcall},
    {.name = "fcall_ro",
     .arity = -3,
     .flags = kCallFlags | kCmdReadonly,
     .group = kGroup,
     .keys = {KeySpec::NumKeys(kKeyRO | kKeyAccess, 2).Noted("What the function may do at most.")},
     .syntax = "function numkeys:integer [key…] [arg…]",
     .since = "7.0.0",
     .complexity = kComplexity,
     .summary = "Runs a function that does not write.",
     .handler = Fcall,
     .prepare = PrepareFcall,
     .actual_flags = FlagsOfFcall},
    {.name = "function",
     .arity = -2,
     .group = kGroup,
     .since = "7.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about functions."},
    {.name = "function|delete",
     .arity = 3,
     .flags = kChangeFlags,
     .group = kGroup,
     .syntax = "library-name",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Deletes a library.",
     .handler = FunctionDelete,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "function|dump",
     .arity = 2,
     .flags = kCmdNoScript | kCmdSlowLane,
     .group = kGroup,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of functions",
     .summary = "Answers all libraries in a form that FUNCTION RESTORE takes, here and in Redis.",
     .handler = FunctionDump},
    {.name = "function|flush",
     .arity = -2,
     .flags = kChangeFlags,
     .group = kGroup,
     .syntax = "[ASYNC | SYNC]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of functions deleted",
     .summary = "Deletes all libraries.",
     .handler = FunctionFlush,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "function|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = FunctionHelp},
    {.name = "function|kill",
     .arity = 2,
     .flags = kCmdNoScript | kCmdAllowBusy,
     .group = kGroup,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Ends functions that run for too long and have not written.",
     .handler = FunctionKill,
     .tips = {"request_policy:all_shards", "response_policy:one_succeeded"}},
    {.name = "function|list",
     .arity = -2,
     .flags = kCmdNoScript | kCmdSlowLane,
     .group = kGroup,
     .syntax = "[LIBRARYNAME library-name-pattern] [WITHCODE]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of functions",
     .summary = "The libraries and their functions.",
     .handler = FunctionList,
     .tips = {"nondeterministic_output_order"}},
    {.name = "function|load",
     .arity = -3,
     .flags = kChangeFlags | kCmdDenyOom,
     .group = kGroup,
     .syntax = "[REPLACE] function-code",
     .since = "7.0.0",
     .complexity = "O(1) (considering compilation time is redundant)",
     .summary = "Adds a library of functions.",
     .handler = FunctionLoad,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "function|restore",
     .arity = -3,
     .flags = kChangeFlags | kCmdDenyOom,
     .group = kGroup,
     .syntax = "serialized-value [FLUSH | APPEND | REPLACE]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of functions on the payload",
     .summary = "Adds the libraries that FUNCTION DUMP wrote.",
     .handler = FunctionRestore,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "function|stats",
     .arity = 2,
     .flags = kCmdNoScript | kCmdAllowBusy,
     .group = kGroup,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "The function that runs, and the engines.",
     .handler = FunctionStats,
     .tips = {"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}},
};

}  // namespace

std::span<const CommandSpec> FunctionCommands() { return kCommands; }

}  // namespace basalt
