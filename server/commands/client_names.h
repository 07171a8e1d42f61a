#pragma once

#include <string_view>

#include "net/reply_builder.h"

namespace basalt {

class CommandContext;

// What HELLO and CLIENT share.

// Whether a client's name or library name fits into a line of CLIENT LIST: printable, no spaces.
bool IsClientWord(std::string_view text);
inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// Switches the connection, and the reply being written.
void SetRespVersion(CommandContext& ctx, net::RespVersion version);

}  // namespace basalt
