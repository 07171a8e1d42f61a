#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "server/command_context.h"
#include "storage/list_store.h"

namespace basalt {

// What list.cc and list_blocking.cc share.

storage::ListLimits ListLimitsOf(const CommandContext& ctx);

// LEFT or RIGHT.
Status ParseListEnd(std::string_view text, storage::ListEnd* end);

// LMPOP's and BLMPOP's arguments from the number of keys on.
struct MultiPop {
  std::span<const std::string_view> keys;
  storage::ListEnd end = storage::ListEnd::kHead;
  uint64_t count = 1;
};
Status ParseMultiPop(std::span<const std::string_view> words, MultiPop* pop);

// Pops from the first of the keys that holds a list, and replies. *served: whether there was one; else no reply.
enum class PopReply : uint8_t {
  kElement,   // BLPOP: key and element
  kElements,  // LMPOP: key and an array of them
};
Status PopFromFirst(CommandContext& ctx, const MultiPop& pop, PopReply form, bool* served);

// Moves an element from one list to another and replies it. *served as above.
Status MoveElement(CommandContext& ctx, std::string_view from, storage::ListEnd from_end, std::string_view to,
                   storage::ListEnd to_end, bool* served);

// Handlers of list_blocking.cc.
Status BlPop(CommandContext& ctx);
Status BrPop(CommandContext& ctx);
Status BlMPop(CommandContext& ctx);
Status BlMove(CommandContext& ctx);
Status BrPopLPush(CommandContext& ctx);

}  // namespace basalt
