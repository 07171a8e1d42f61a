#pragma once

#include <cstdint>

namespace basalt {

// Why a user may not do something. Of several reasons the greatest is told.
enum class AclDenial : uint8_t { kNone, kCommand, kKey, kAuth, kChannel };

// Whether a user may run a command with certain arguments.
struct AclVerdict {
  AclDenial denial = AclDenial::kNone;
  uint32_t index = 0;  // kKey, kChannel: the argument that is not allowed

  bool allowed() const { return denial == AclDenial::kNone; }
};

}  // namespace basalt
