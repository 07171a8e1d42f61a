#include "server/commands/blocking.h"

#include <cmath>
#include <limits>

#include "net/transport.h"
#include "server/command_table.h"
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

namespace {

BlockedKeys::Registration Register(CommandContext& ctx, std::span<const std::string_view> keys, storage::ValueType type,
                                   WakeOn wake_on) {
  BlockedKeys::Request request{.keys = {}, .type = type, .wake_on = wake_on, .takes = ctx.spec.Has(kCmdWrite)};
  for (const std::string_view key : keys) {
    request.keys.push_back({ctx.db(), std::string(key), ctx.services.storage.Hash(key).hash});
  }
  return ctx.services.blocked_keys.Register(std::move(request));
}

// Hands the batch the locks of all keys of its command, those it writes to included, before it runs again.
std::function<void(net::BatchPtr, net::Lane)> ResubmitWithLocks(CommandContext& ctx) {
  KeyPositions positions;
  CommandTable::Keys(ctx.spec, ctx.argv, &positions);
  std::vector<storage::HashedKey> keys;
  for (const KeyPosition& position : positions) keys.push_back({{}, ctx.key(position.index).hash});
  storage::KeyLocks& locks = ctx.services.storage.locks();
  net::Transport* transport = ctx.services.transport;
  return [keys = std::move(keys), &locks, transport](net::BatchPtr batch, net::Lane lane) {
    net::CommandBatch* const raw = batch.release();  // std::function wants to be copied; one call owns it
    locks.Wait(keys, storage::KeyLocks::Place::kFront, [raw, lane, transport](storage::KeyLocks::Grant grant) {
      SessionOf(*raw).grant = std::move(grant);
      transport->Resubmit(net::BatchPtr(raw), lane);
    });
  };
}

}  // namespace

Status BlockOnKeys(CommandContext& ctx, std::span<const std::string_view> keys, storage::ValueType type,
                   int64_t timeout_ms, WakeOn wake_on) {
  BlockedCommand& blocked = ctx.session.blocked;
  BlockedKeys& registry = ctx.services.blocked_keys;
  if (blocked.registration.active()) {
    registry.WaitOn(blocked.registration.arrival());
  } else {
    blocked.registration = Register(ctx, keys, type, wake_on);
    if (timeout_ms > 0) blocked.deadline_ms = ctx.now_ms() + timeout_ms;
  }
  const uint64_t arrival = blocked.registration.arrival();
  return ctx.Park({.deadline_ms = blocked.deadline_ms,
                   .on_parked = [&registry, arrival](ParkTicket ticket) { registry.OnParked(arrival, ticket); },
                   .resubmit = ResubmitWithLocks(ctx)});
}

std::vector<std::string>& KeptArguments(CommandContext& ctx) { return ctx.session.blocked.kept_arguments; }

}  // namespace basalt
