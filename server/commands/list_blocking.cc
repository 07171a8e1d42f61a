// Lists: the commands that wait for an element. list.cc has their rows.

#include "server/commands/blocking.h"
#include "server/commands/list_commands.h"

namespace basalt {
namespace {

using storage::ListEnd;

// The time is up: what is there now is for those who still wait.
bool TimedOut(const CommandContext& ctx) { return ctx.wake() == Wake::kTimeout; }

Status BlockingPop(CommandContext& ctx, std::string_view timeout, const MultiPop& pop, PopReply form) {
  int64_t timeout_ms = 0;
  BASALT_RETURN_IF_ERROR(ParseBlockSeconds(ctx, timeout, &timeout_ms));
  if (!TimedOut(ctx)) {
    bool served = false;
    BASALT_RETURN_IF_ERROR(PopFromFirst(ctx, pop, form, &served));
    if (served) return Ok();
  }
  if (MayBlock(ctx)) return BlockOnKeys(ctx, pop.keys, storage::ValueType::kList, timeout_ms);
  ctx.reply.NullArray();
  return Ok();
}

Status BlockingPopOne(CommandContext& ctx, ListEnd end) {
  const MultiPop pop{.keys = ctx.argv.subspan(1, ctx.argc() - 2), .end = end, .count = 1};
  return BlockingPop(ctx, ctx.arg(ctx.argc() - 1), pop, PopReply::kElement);
}

Status BlockingMove(CommandContext& ctx, ListEnd from_end, ListEnd to_end, std::string_view timeout) {
  int64_t timeout_ms = 0;
  BASALT_RETURN_IF_ERROR(ParseBlockSeconds(ctx, timeout, &timeout_ms));
  if (!TimedOut(ctx)) {
    bool served = false;
    BASALT_RETURN_IF_ERROR(MoveElement(ctx, ctx.arg(1), from_end, ctx.arg(2), to_end, &served));
    if (served) return Ok();
  }
  if (MayBlock(ctx)) return BlockOnKeys(ctx, ctx.argv.subspan(1, 1), storage::ValueType::kList, timeout_ms);
  // Redis has one answer to whoever waited for a list in vain, and another one when it may not wait.
  TimedOut(ctx) ? ctx.reply.NullArray() : ctx.reply.Null();
  return Ok();
}

}  // namespace

Status BlPop(CommandContext& ctx) { return BlockingPopOne(ctx, ListEnd::kHead); }
Status BrPop(CommandContext& ctx) { return BlockingPopOne(ctx, ListEnd::kTail); }

Status BlMPop(CommandContext& ctx) {
  MultiPop pop;
  BASALT_RETURN_IF_ERROR(ParseMultiPop(ctx.argv.subspan(2), &pop));
  return BlockingPop(ctx, ctx.arg(1), pop, PopReply::kElements);
}

Status BlMove(CommandContext& ctx) {
  ListEnd from_end = ListEnd::kHead;
  ListEnd to_end = ListEnd::kHead;
  BASALT_RETURN_IF_ERROR(ParseListEnd(ctx.arg(3), &from_end));
  BASALT_RETURN_IF_ERROR(ParseListEnd(ctx.arg(4), &to_end));
  return BlockingMove(ctx, from_end, to_end, ctx.arg(5));
}

Status BrPopLPush(CommandContext& ctx) { return BlockingMove(ctx, ListEnd::kTail, ListEnd::kHead, ctx.arg(3)); }

}  // namespace basalt
