#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "net/reply_builder.h"
#include "server/command_context.h"

namespace basalt {

// What SCAN, HSCAN, SSCAN and ZSCAN have in common: their options, and the shape of their reply.
struct ScanOptions {
  int64_t count = 10;  // > 0
  std::string_view pattern = "*";
  std::string_view type = {};
  bool by_type = false;

  bool MatchesName(std::string_view name) const;
};

// Elements that one call may look at in the fast lane.
inline constexpr int64_t kFastLaneScanCountMax = 1000;

enum class ScanTypeOption : uint8_t { kAllowed /* SCAN */, kUnknown };
Status ParseScanOptions(std::span<const std::string_view> words, ScanTypeOption type_option, ScanOptions* options);

// Makes what was written since `start`, `count` replies, the reply of a SCAN: cursor and array.
void InsertScanHeader(net::ReplyBuilder& reply, net::OutputBuffer::Position start, uint64_t cursor, uint64_t count);

}  // namespace basalt
