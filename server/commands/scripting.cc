// EVAL and its kin, SCRIPT. What a run may do is ScriptRun's; what scripts are known, ScriptCache's.
#include "server/scripting/scripting.h"

#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/digest.h"
#include "server/scripting/script_run.h"

namespace basalt {

namespace {

// Compiling takes about 1 ms for as many bytes.
constexpr size_t kFastLaneBodyBytesMax = 32 * 1024;
// To look one up is to hash it: a quarter of a millisecond.
constexpr size_t kFastLaneKnownBodyBytesMax = 256 * 1024;

bool ByDigest(const CommandSpec& spec) { return spec.name.starts_with("evalsha"); }
bool ReadOnly(const CommandSpec& spec) { return spec.name.ends_with("_ro"); }

KnownScriptPtr Find(const CommandSpec& spec, std::string_view script, const Services& services) {
  const ScriptCache& scripts = services.scripting.scripts();
  return ByDigest(spec) ? scripts.Find(script) : scripts.FindBody(script);
}

void PrepareEval(const PrepareInput& input, Preparation* preparation) {
  PrepareFromRow(input, preparation);
  if (input.argv[1].size() > kFastLaneKnownBodyBytesMax) {
    preparation->slow = true;
    return;
  }
  const KnownScriptPtr known = Find(input.spec, input.argv[1], input.services);
  if (known != nullptr && known->pace.IsSlow()) preparation->slow = true;
}

uint64_t FlagsOfEval(const PrepareInput& input) {
  uint32_t script_flags = kScriptCompat;
  if (!ByDigest(input.spec)) {
    if (!Interpreter::ParseShebang(input.argv[1], &script_flags).ok()) return input.spec.flags;
  } else if (const KnownScriptPtr known = Find(input.spec, input.argv[1], input.services)) {
    script_flags = known->script.flags;
  }
  return FlagsOfScript(input.spec.flags, script_flags);
}

// Compiles the script and keeps it.
Status Load(CommandContext& ctx, std::string_view body, ScriptCache::Origin origin, KnownScriptPtr* known) {
  if (body.size() > kFastLaneBodyBytesMax && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
  Script script{.digest = Sha1Hex(body), .body = std::string(body)};
  BASALT_RETURN_IF_ERROR(Interpreter::ParseShebang(body, &script.flags));
  Scripting& scripting = ctx.services.scripting;
  BASALT_RETURN_IF_ERROR(Scripting::InterpreterUse(scripting, ctx.thread)->Check(script));
  *known = scripting.scripts().Add(body, script.flags, origin);
  return Ok();
}

// What is to run, and how many of the arguments behind numkeys are keys.
Status FindScript(CommandContext& ctx, KnownScriptPtr* known, size_t* keys) {
  const Status no_script = Status::Message("NOSCRIPT No matching script. Please use EVAL.");
  if (ByDigest(ctx.spec) && ctx.arg(1).size() != kSha1HexBytes) return no_script;
  int64_t numkeys = 0;
  if (!ParseInteger(ctx.arg(2), &numkeys)) return ErrorCode::kNotInteger;
  if (numkeys > static_cast<int64_t>(ctx.argc()) - 3) {
    return Status::Message("ERR Number of keys can't be greater than number of args");
  }
  if (numkeys < 0) return Status::Message("ERR Number of keys can't be negative");
  *keys = static_cast<size_t>(numkeys);
  *known = Find(ctx.spec, ctx.arg(1), ctx.services);
  if (*known != nullptr) return Ok();
  if (ByDigest(ctx.spec)) return no_script;
  return Load(ctx, ctx.arg(1), ScriptCache::Origin::kEval, known);
}

Status Eval(CommandContext& ctx) {
  KnownScriptPtr known;
  size_t keys = 0;
  if (const Status error = FindScript(ctx, &known, &keys); !error.ok()) {
    if (error.code() != ErrorCode::kNeedSlowLane) ShowScriptToMonitors(ctx);
    return error;
  }
  const Script& script = known->script;
  const ScriptCall call{.kind = ScriptKind::kEval,
                        .name = script.digest,
                        .flags = script.flags,
                        .read_only = ReadOnly(ctx.spec),
                        .pace = &known->pace};
  return RunScript(ctx, call, [&](Interpreter& interpreter, ScriptHost& host, net::ReplyBuilder& reply) {
    return interpreter.Run(script, ctx.argv.subspan(3, keys), ctx.argv.subspan(3 + keys), host, reply);
  });
}

// ---- SCRIPT ----

Status ScriptLoad(CommandContext& ctx) {
  KnownScriptPtr known;
  BASALT_RETURN_IF_ERROR(Load(ctx, ctx.arg(2), ScriptCache::Origin::kLoad, &known));
  ctx.reply.Bulk(known->script.digest);
  return Ok();
}

Status ScriptExists(CommandContext& ctx) {
  ctx.reply.Array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) {
    ctx.reply.Integer(ctx.services.scripting.scripts().Find(ctx.arg(i)) != nullptr ? 1 : 0);
  }
  return Ok();
}

// What it frees, each thread frees for itself: SYNC and ASYNC are the same.
Status ScriptFlush(CommandContext& ctx) {
  if (ctx.argc() > 3 ||
      (ctx.argc() == 3 && !EqualsIgnoreCase(ctx.arg(2), "sync") && !EqualsIgnoreCase(ctx.arg(2), "async"))) {
    return Status::Message("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  }
  ctx.services.scripting.Flush();
  ctx.reply.Ok();
  return Ok();
}

Status ScriptKill(CommandContext& ctx) {
  BASALT_RETURN_IF_ERROR(ctx.services.scripting.running().Kill(ScriptKind::kEval));
  ctx.reply.Ok();
  return Ok();
}

// There is no debugger here, so it can only be switched off.
Status ScriptDebug(CommandContext& ctx) {
  if (EqualsIgnoreCase(ctx.arg(2), "yes") || EqualsIgnoreCase(ctx.arg(2), "sync")) {
    return Status::Message("ERR This server has no debugger for scripts");
  }
  if (!EqualsIgnoreCase(ctx.arg(2), "no")) return Status::Message("ERR Use SCRIPT DEBUG YES/SYNC/NO");
  ctx.reply.Ok();
  return Ok();
}

Status ScriptHelp(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "DEBUG (YES|SYNC|NO)",
      "    Accepts NO only: there is no debugger.",
      "EXISTS <sha1> [<sha1> ...]",
      "    Which scripts are known.",
      "FLUSH [ASYNC|SYNC]",
      "    Forget all scripts.",
      "KILL",
      "    End the scripts that have run for longer than busy-reply-threshold and have not written.",
      "LOAD <script>",
      "    Keep a script for EVALSHA without running it.",
  };
  return WriteHelp(ctx, kLines);
}

// ---- rows ----

constexpr CommandGroup kGroup = CommandGroup::kScripting;
constexpr CommandHistory kScriptFlushHistory[] = {{"6.2.0", "The options `ASYNC` and `SYNC`."}};
constexpr uint64_t kEvalFlags =
    kCmdNoScript | kCmdSkipMonitor | kCmdNoMandatoryKeys | kCmdStale | kCmdLockKeys | kCmdRunsScript;
constexpr KeySpec kWrittenKeys = KeySpec::NumKeys(kKeyRW | kKeyAccess | kKeyUpdate, 2);
constexpr KeySpec kReadKeys = KeySpec::NumKeys(kKeyRO | kKeyAccess, 2);
constexpr std::string_view kAtMost = "What the script may do at most.";
constexpr std::string_view kComplexity = "Depends on the script that is executed.";

constexpr CommandSpec kCommands[] = {
    {.name = "eval",
     .arity = -3,
     .flags = kEvalFlags | kCmdMayReplicate,
     .group = kGroup,
     .keys = {kWrittenKeys.Noted(kAtMost)},
     .syntax = "script numkeys:integer [key…] [arg…]",
     .since = "2.6.0",
     .complexity = kComplexity,
     .summary = "Runs a Lua script as one atomic step.",
     .handler = Eval,
     .prepare = PrepareEval,
     .actual_flags = FlagsOfEval},
    {.name = "evalsha",
     .arity = -3,
     .flags = kEvalFlags | kCmdMayReplicate,
     .group = kGroup,
     .keys = {kWrittenKeys},
     .syntax = "sha1 numkeys:integer [key…] [arg…]",
     .since = "2.6.0",
     .complexity = kComplexity,
     .summary = "Runs a Lua script that is known by its SHA-1.",
     .handler = Eval,
     .prepare = PrepareEval,
     .actual_flags = FlagsOfEval},
    {.name = "eval_ro",
     .arity = -3,
     .flags = kEvalFlags | kCmdReadonly,
     .group = kGroup,
     .keys = {kReadKeys.Noted(kAtMost)},
     .syntax = "script numkeys:integer [key…] [arg…]",
     .since = "7.0.0",
     .complexity = kComplexity,
     .summary = "Runs a Lua script that may not write.",
     .handler = Eval,
     .prepare = PrepareEval,
     .actual_flags = FlagsOfEval},
    {.name = "evalsha_ro",
     .arity = -3,
     .flags = kEvalFlags | kCmdReadonly,
     .group = kGroup,
     .keys = {kReadKeys},
     .syntax = "sha1 numkeys:integer [key…] [arg…]",
     .since = "7.0.0",
     .complexity = kComplexity,
     .summary = "Runs a Lua script that is known by its SHA-1 and may not write.",
     .handler = Eval,
     .prepare = PrepareEval,
     .actual_flags = FlagsOfEval},
    {.name = "script",
     .arity = -2,
     .group = kGroup,
     .since = "2.6.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands about scripts."},
    {.name = "script|debug",
     .arity = 3,
     .flags = kCmdNoScript,
     .group = kGroup,
     .syntax = "(YES | SYNC | NO)",
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Accepts NO: there is no debugger.",
     .handler = ScriptDebug},
    {.name = "script|exists",
     .arity = -3,
     .flags = kCmdNoScript,
     .group = kGroup,
     .syntax = "sha1…",
     .since = "2.6.0",
     .complexity =
         "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
     .summary = "Which scripts are known.",
     .handler = ScriptExists,
     .tips = {"request_policy:all_shards", "response_policy:agg_logical_and"}},
    {.name = "script|flush",
     .arity = -2,
     .flags = kCmdNoScript | kCmdSlowLane,
     .group = kGroup,
     .syntax = "[ASYNC | SYNC]",
     .since = "2.6.0",
     .complexity = "O(N) with N being the number of scripts in cache",
     .summary = "Forgets all scripts.",
     .handler = ScriptFlush,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"},
     .history = kScriptFlushHistory},
    {.name = "script|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = ScriptHelp},
    {.name = "script|kill",
     .arity = 2,
     .flags = kCmdNoScript | kCmdAllowBusy,
     .group = kGroup,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Ends scripts that run for too long and have not written.",
     .handler = ScriptKill,
     .tips = {"request_policy:all_shards", "response_policy:one_succeeded"}},
    {.name = "script|load",
     .arity = 3,
     .flags = kCmdNoScript | kCmdStale,
     .group = kGroup,
     .syntax = "script",
     .since = "2.6.0",
     .complexity = "O(N) with N being the length in bytes of the script body.",
     .summary = "Keeps a Lua script for EVALSHA.",
     .handler = ScriptLoad,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
};

}  // namespace

std::span<const CommandSpec> ScriptingCommands() { return kCommands; }

}  // namespace basalt
