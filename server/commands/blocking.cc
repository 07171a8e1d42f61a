#include "server/commands/blocking.h"

#include <cmath>
#include <limits>

#include "server/session.h"

namespace basalt {

namespace {

constexpr int64_t kTimeMax = std::numeric_limits<int64_t>::max();

Status CheckTimeout(int64_t timeout_ms, int64_t now_ms) {
  if (timeout_ms < 0) return Status::Message("ERR timeout is negative");
  if (timeout_ms > kTimeMax - now_ms) return Status::Message("ERR timeout is out of range");
  return Ok();
}

}  // namespace

Status ParseBlockSeconds(const CommandContext& ctx, std::string_view text, int64_t* timeout_ms) {
  long double seconds = 0;
  if (!ParseLongDouble(text, &seconds)) return Status::Message("ERR timeout is not a float or out of range");
  const long double milliseconds = std::ceil(seconds * 1000);
  if (milliseconds > static_cast<long double>(kTimeMax)) return Status::Message("ERR timeout is out of range");
  *timeout_ms = milliseconds < 0 ? -1 : static_cast<int64_t>(milliseconds);
  return CheckTimeout(*timeout_ms, ctx.now_ms());
}

Status ParseBlockMilliseconds(const CommandContext& ctx, std::string_view text, int64_t* timeout_ms) {
  if (!ParseInteger(text, timeout_ms)) return Status::Message("ERR timeout is not an integer or out of range");
  return CheckTimeout(*timeout_ms, ctx.now_ms());
}

bool MayBlock(const CommandContext& ctx) { return !ctx.deny_blocking && ctx.wake() != Wake::kTimeout; }

Status BlockOnKeys(CommandContext& ctx, std::span<const std::string_view> keys, storage::ValueType type,
                   int64_t timeout_ms, WakeOn wake_on) {
  (void)keys;
  (void)type;
  (void)wake_on;
  BlockedCommand& blocked = ctx.session.blocked;
  if (blocked.deadline_ms == 0 && timeout_ms > 0) blocked.deadline_ms = ctx.now_ms() + timeout_ms;
  return ctx.Park({.deadline_ms = blocked.deadline_ms, .on_parked = nullptr});
}

std::vector<std::string>& KeptArguments(CommandContext& ctx) { return ctx.session.blocked.kept_arguments; }

}  // namespace basalt
