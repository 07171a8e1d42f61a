#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
// Three of Redis' habits are kept because clients can see them: a NUL byte hides the end of line behind it, the byte
// after a CR is skipped unseen, and the CRLF behind an argument is not compared.
//
// Owner: the Connection. Worker thread only.
class RespParser {
 public:
  // Appends every complete command in `input` to the batch, at most `commands_max` of them, and marks the bytes they
  // take as consumed. Inline commands with quotes are rewritten in place. On bad input sets batch->protocol_error (the
  // text after "ERR ") behind the commands before it; nothing may be parsed after that.
  void Parse(InputBuffer& input, const ParserLimits& limits, uint32_t commands_max, CommandBatch* batch);

  // A command has begun and is not complete.
  bool in_command() const { return args_left_ > 0; }

 private:
  // What a step says: go on, wait for bytes, or give up on this client.
  enum class Step : uint8_t { kDone, kMore, kError };

  // An argument of an incomplete command. Bytes in the input's main block are named by their offset from the
  // command's start, because that block may move between reads.
  struct PartialArg {
    const char* block;  // null: in the main block
    size_t offset, bytes;
  };

  Step ParseCommand(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch);
  Step ParseHeader(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch);
  Step ParseArgs(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch);
  Step ParseBulkLength(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch);
  Step ParseInline(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch);
  Step FindLine(const InputBuffer& input, char end, size_t* at, size_t bytes_max, const char* too_big,
                CommandBatch* batch);
  bool FastNumber(const InputBuffer& input, int64_t* value);
  void AddArg(const char* block, size_t offset, size_t bytes, const InputBuffer& input, CommandBatch* batch);
  void Suspend(const InputBuffer& input, CommandBatch* batch);
  void FinishCommand(InputBuffer& input, CommandBatch* batch);
  static Step Fail(const char* text, CommandBatch* batch);

  // All offsets count from the start of the command that is being parsed.
  size_t start_ = 0;         // of that command, from input.data(); 0 between calls
  size_t cursor_ = 0;        // first byte not parsed
  size_t scanned_ = 0;       // bytes behind the cursor known to hold no end of line
  uint32_t args_left_ = 0;   // 0: between commands
  uint32_t first_arg_ = 0;   // in batch->args, unless suspended
  int64_t bulk_bytes_ = -1;  // length of the argument at the cursor, -1: not known yet
  bool suspended_ = false;   // the command began in an earlier call: its arguments are in partial_
  std::vector<PartialArg> partial_;
};

}  // namespace basalt::net
