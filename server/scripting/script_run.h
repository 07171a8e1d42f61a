#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/command_context.h"
#include "server/command_executor.h"
#include "server/scripting/interpreter.h"
#include "server/scripting/running_scripts.h"
#include "server/scripting/script_host.h"
#include "server/scripting/script_pace.h"

namespace basalt {

struct Command;

// What EVAL or FCALL is to run.
struct ScriptCall {
  ScriptKind kind = ScriptKind::kEval;
  std::string_view name;           // digest, or the function's
  uint32_t flags = kScriptCompat;  // ScriptFlag
  bool read_only = false;          // EVAL_RO, EVALSHA_RO, FCALL_RO
  ScriptPace* pace = nullptr;      // learns whether it is slow
};
using RunInterpreter = std::function<Interpreter::Outcome(Interpreter&, ScriptHost&, net::ReplyBuilder&)>;

// Runs it inside the command `ctx`, whose reply the script's result becomes. As a handler's status: kNeedSlowLane,
// kNeedLocks and kNeedGate mean that nothing has happened and the command runs again (session.rerun says with what).
Status RunScript(CommandContext& ctx, const ScriptCall& call, const RunInterpreter& run);

// MONITOR's line of a command that runs scripts, which stands before those of the commands inside. For calls that end
// before they run.
void ShowScriptToMonitors(const CommandContext& ctx);

// The flags that decide whether a call is refused (CheckGates): those of the row, but what a script declares about
// itself counts more.
uint64_t FlagsOfScript(uint64_t row_flags, uint32_t script_flags);

// The executor's side of one run: the checks and the execution of nested commands, and the limits. See ScriptHost.
//
// The locks of the declared keys are held. Any other key is locked as it turns up; when it is not free, the run ends,
// and the command runs again under the locks of all keys it is known to use; after kReruns of these, with the exclusive
// gate closed. Nothing leaves before the commit, so that a run that ends has not happened.
class ScriptRun final : public ScriptHost {
 public:
  ScriptRun(CommandContext& outer, const ScriptCall& call);
  ~ScriptRun() override;

  // The reason not to run it at all.
  Status CheckFlags() const;
  Status Run(const RunInterpreter& run);

  // ---- ScriptHost ----
  CallResult Call(std::span<const std::string_view> argv, net::RespVersion resp, net::OutputBuffer* reply) override;
  bool MustUnwind() override;
  void OnErrorReply(std::string_view line, bool counted) override;
  bool MayRun(std::span<const std::string_view> argv, bool* known) override;

 private:
  // Times a run may end for a key that is not free before it asks for the gate.
  static constexpr int kReruns = 3;
  // What a run may keep in memory: pending writes, records it has read, messages.
  static constexpr size_t kBytesMax = 512 * 1024 * 1024;
  static constexpr uint64_t kFastLaneNs = 1'000'000;
  // Calls whose statistics wait until it is known that the run counts.
  static constexpr size_t kUnpublishedMax = 256;

  enum class Stop : uint8_t { kNone, kSlowLane, kLocks, kGate, kKilled, kTooLarge, kShutdown };

  // What a nested command leaves in statistics and with monitors.
  struct Done {
    const Command* command;  // null: there is none
    bool rejected = false;
    FinishedCall call;
    std::vector<std::string> argv;  // when a monitor or the slow log wants it
  };

  bool Tick(uint64_t now_ns);
  void TickOverdue();
  Status Check(const Command& command, std::span<const std::string_view> argv);
  // False: the run ends, stop_ says why.
  bool LockKeys(const Command& command, std::span<const std::string_view> argv);
  void Keep(Done done, std::span<const std::string_view> argv);
  void Publish();
  Status StatusOf(Stop stop, const Interpreter& interpreter) const;

  CommandContext& outer_;
  const ScriptCall& call_;
  const storage::DbIndex caller_db_;
  const uint64_t started_ns_;
  const bool oom_at_start_;
  uint64_t ticked_ns_;
  uint64_t called_ns_;  // when the last nested command ended
  Stop stop_ = Stop::kNone;
  bool wrote_ = false;  // a write command was called
  bool overdue_ = false;
  bool shown_ = false;  // to monitors
  std::vector<Done> unpublished_;
  std::vector<std::pair<std::string, bool>> result_errors_;  // in the result; counted already
};

}  // namespace basalt
