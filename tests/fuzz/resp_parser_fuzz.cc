// The parser must cut a stream into the same commands however the reads split it, and never touch a byte that is not
// its own. Input: one byte that seeds the splits, then the stream.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "net/command_batch.h"
#include "net/input_buffer.h"
#include "net/resp_parser.h"

namespace {

using namespace basalt::net;

constexpr ParserLimits kLimits{.bulk_bytes_max = 1 << 20, .multibulk_max = 10'000, .inline_bytes_max = 64 * 1024};

struct Parsed {
  std::vector<std::vector<std::string>> commands;
  std::string error;
  bool operator==(const Parsed&) const = default;
};

// Plays the connection: bytes come in, the batch borrows the buffer, and gives it back.
template <typename NextRead>
Parsed Parse(std::string_view bytes, NextRead next_read) {
  Parsed parsed;
  RespParser parser;
  BlockPool pool;
  InputBuffer input;
  while (!bytes.empty() && parsed.error.empty()) {
    const std::span<char> room = input.WritableSpan(pool);
    const size_t n = std::min({room.size(), bytes.size(), next_read()});
    std::memcpy(room.data(), bytes.data(), n);
    input.Commit(n);
    bytes.remove_prefix(n);
    for (bool more = true; more && parsed.error.empty();) {
      CommandBatch batch;
      parser.Parse(input, kLimits, CommandBatch::kBatchCommandsMax, &batch);
      if (batch.protocol_error) parsed.error = *batch.protocol_error;
      batch.input = std::move(input);
      for (const CommandBatch::Command& command : batch.commands) {
        const auto argv = batch.Argv(command);
        if (argv.empty()) std::abort();
        parsed.commands.emplace_back(argv.begin(), argv.end());
      }
      more = batch.commands.size() == CommandBatch::kBatchCommandsMax;
      input = std::move(batch.input);
      batch.commands.empty() ? input.Shrink(pool) : input.Settle(pool);
    }
  }
  return parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::minstd_rand random(data[0] + 1u);
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Parsed whole = Parse(stream, [] { return SIZE_MAX; });
  const Parsed single = Parse(stream, [] { return size_t{1}; });
  const Parsed split = Parse(stream, [&random] { return size_t{1} + random() % 40; });
  if (whole != single || whole != split) {
    std::fprintf(stderr, "the split changes the commands: %zu, %zu, %zu; errors '%s', '%s', '%s'\n",
                 whole.commands.size(), single.commands.size(), split.commands.size(), whole.error.c_str(),
                 single.error.c_str(), split.error.c_str());
    std::abort();
  }
  return 0;
}
