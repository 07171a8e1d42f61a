#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace basalt::net {

struct CommandBatch;
class InputBuffer;

// Redis' own limits. Before authentication they are small, so that a stranger cannot make us allocate.
struct ParserLimits {
  uint64_t bulk_bytes_max = 512ull * 1024 * 1024;  // proto-max-bulk-len
  uint32_t multibulk_max = 1024 * 1024;            // arguments of one command
  uint32_t inline_bytes_max = 64 * 1024;
  bool authenticated = true;  // false: at most 10 arguments of 16 KiB ("unauthenticated multibulk length", …)
};

// Cuts a stream of bytes into commands, RESP arrays of bulk strings and inline commands, resumable at any byte: the
// state of an incomplete command is kept so that no byte is parsed twice, however slowly a long command arrives.
//
// Error texts are those of Redis 7.2.4 after "ERR ": "Protocol error: too big mbulk count string",
// "Protocol error: invalid multibulk length", "Protocol error: expected '$', got 'x'", "Protocol error: invalid bulk
// length", "Protocol error: unbalanced quotes in request", "Protocol error: too big inline request", …
//
// Owner: the Connection. Worker thread only.
class RespParser {
 public:
  // Appends every complete command in `input` to the batch, at most `commands_max`, and marks the bytes they take as consumed.
  // On bad input sets batch->protocol_error (the text after "ERR ") behind the commands before it.
  void Parse(InputBuffer& input, const ParserLimits& limits, uint32_t commands_max, CommandBatch* batch);

 private:
  struct State;
};

}  // namespace basalt::net
