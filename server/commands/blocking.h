#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/blocked_keys.h"
#include "server/command_context.h"
#include "storage/metadata.h"

namespace basalt {

// What blocking commands (BLPOP, BZPOPMIN, XREAD BLOCK, …) have in common.
//
//   int64_t timeout_ms; BASALT_RETURN_IF_ERROR(ParseBlockSeconds(ctx, ctx.arg(n), &timeout_ms));
//   … try to serve; if there was something: reply, return Ok() …
//   if (!MayBlock(ctx)) { ctx.reply.NullArray(); return Ok(); }     // inside EXEC, or the time is up
//   return BlockOnKeys(ctx, keys, storage::ValueType::kList, timeout_ms);
//
// The command is a kCmdWrite (or kCmdLockKeys) row: it runs, and registers, under the locks of all its keys. After a
// commit that leaves one of the keys holding the type, the command runs again from its beginning, before anybody else
// gets at the keys and in the order of arrival; nothing it could do: it waits on, in its old place.

// The timeout argument as Redis reads it; 0: for ever. Seconds with a fraction (BLPOP), or milliseconds (XREAD).
Status ParseBlockSeconds(const CommandContext& ctx, std::string_view text, int64_t* timeout_ms);
Status ParseBlockMilliseconds(const CommandContext& ctx, std::string_view text, int64_t* timeout_ms);

bool MayBlock(const CommandContext& ctx);

// Parks the command. `timeout_ms` counts from its first run. REQUIRES: MayBlock(), nothing written.
Status BlockOnKeys(CommandContext& ctx, std::span<const std::string_view> keys, storage::ValueType type,
                   int64_t timeout_ms, WakeOn wake_on = WakeOn::kValue);

// Arguments that a blocking command resolved in its first run (XREAD's "$"), kept for its later runs: empty in the
// first.
std::vector<std::string>& KeptArguments(CommandContext& ctx);

}  // namespace basalt
