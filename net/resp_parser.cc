#include "net/resp_parser.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "net/command_batch.h"
#include "net/input_buffer.h"

namespace basalt::net {

namespace {

constexpr size_t kLengthLineBytesMax = 64 * 1024;  // of "*…" and "$…" lines, as Redis has it
constexpr int64_t kUnauthenticatedArgsMax = 10;
constexpr int64_t kUnauthenticatedBulkBytesMax = 16 * 1024;
constexpr size_t kPartialArgsKept = 64;  // capacity worth keeping when a long command is done

// The strict form that Redis accepts in lengths: optional minus, no plus, no leading zero, no blanks, 64 bits.
std::optional<int64_t> ParseInt(std::string_view text) {
  if (text == "0") return 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > 19 || text[0] < '1' || text[0] > '9') return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');  // 19 digits fit
  }
  const uint64_t max = static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0);
  if (value > max) return std::nullopt;
  return negative ? static_cast<int64_t>(0 - value) : static_cast<int64_t>(value);
}

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Reads one word of an inline command at *at and writes it, without its quotes and escapes, to where it began: a word
// never gets longer. Sets *bytes; false when a quote is not closed or text follows it directly.
bool UnquoteWord(char** at, const char* end, size_t* bytes) {
  char* in = *at;
  char* out = in;
  char quote = 0;
  for (;; ++in) {
    if (in == end) {
      if (quote) return false;
      break;
    }
    const char c = *in;
    if (!quote) {
      if (c == ' ' || c == '\n' || c == '\r' || c == '\t') break;
      if (c == '"' || c == '\'') {
        quote = c;
      } else {
        *out++ = c;
      }
    } else if (c == quote) {
      ++in;
      if (in != end && !IsBlank(*in)) return false;
      break;
    } else if (c == '\\' && quote == '"' && end - in > 3 && in[1] == 'x' && HexDigit(in[2]) >= 0 &&
               HexDigit(in[3]) >= 0) {
      *out++ = static_cast<char>(HexDigit(in[2]) * 16 + HexDigit(in[3]));
      in += 3;
    } else if (c == '\\' && quote == '"' && end - in > 1) {
      *out++ = Unescape(*++in);
    } else if (c == '\\' && quote == '\'' && end - in > 1 && in[1] == '\'') {
      *out++ = *++in;
    } else {
      *out++ = c;
    }
  }
  *bytes = static_cast<size_t>(out - *at);
  *at = in;
  return true;
}

}  // namespace

void RespParser::Parse(InputBuffer& input, const ParserLimits& limits, uint32_t commands_max, CommandBatch* batch) {
  CHECK(!batch->protocol_error);
  start_ = 0;
  while (batch->commands.size() < commands_max) {
    if (ParseCommand(input, limits, batch) != Step::kDone) break;
    start_ += cursor_;
    cursor_ = scanned_ = 0;
  }
  if (args_left_ > 0 && !suspended_ && !batch->protocol_error) Suspend(input, batch);
  input.Consume(start_);
  start_ = 0;
}

RespParser::Step RespParser::ParseCommand(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch) {
  if (args_left_ == 0) {
    if (start_ == input.size()) return Step::kMore;
    if (input.data()[start_] != '*') return ParseInline(input, limits, batch);
    const Step step = ParseHeader(input, limits, batch);
    if (step != Step::kDone || args_left_ == 0) return step;  // "*0" and "*-1" are no command and no error
  }
  return ParseArgs(input, limits, batch);
}

RespParser::Step RespParser::ParseHeader(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch) {
  int64_t count;
  if (!FastNumber(input, &count)) {
    size_t cr;
    const Step step =
        FindLine(input, '\r', &cr, kLengthLineBytesMax, "Protocol error: too big mbulk count string", batch);
    if (step != Step::kDone) return step;
    const std::optional<int64_t> number = ParseInt({input.data() + start_ + 1, cr - 1});
    if (!number) return Fail("Protocol error: invalid multibulk length", batch);
    count = *number;
    cursor_ = cr + 2;
  }
  if (count > limits.multibulk_max) return Fail("Protocol error: invalid multibulk length", batch);
  if (count > kUnauthenticatedArgsMax && !limits.authenticated) {
    return Fail("Protocol error: unauthenticated multibulk length", batch);
  }
  scanned_ = 0;
  if (count <= 0) return Step::kDone;
  args_left_ = static_cast<uint32_t>(count);
  first_arg_ = static_cast<uint32_t>(batch->args.size());
  bulk_bytes_ = -1;
  return Step::kDone;
}

RespParser::Step RespParser::ParseArgs(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch) {
  while (args_left_ > 0) {
    if (input.big_arg_open()) {
      if (!input.big_arg_complete()) return Step::kMore;
      AddArg(input.FinishBigArg(), 0, static_cast<size_t>(bulk_bytes_), input, batch);
    } else {
      if (bulk_bytes_ < 0) {
        const Step step = ParseBulkLength(input, limits, batch);
        if (step != Step::kDone) return step;
      }
      const size_t bytes = static_cast<size_t>(bulk_bytes_);
      if (input.size() - start_ - cursor_ < bytes + 2) {
        if (bytes >= InputBuffer::kBigArgBytesMin && !input.StartBigArg(start_ + cursor_, bytes)) {
          return Fail("Protocol error: no memory for argument", batch);
        }
        return Step::kMore;
      }
      AddArg(nullptr, cursor_, bytes, input, batch);
      cursor_ += bytes + 2;
    }
    bulk_bytes_ = -1;
    --args_left_;
  }
  FinishCommand(input, batch);
  return Step::kDone;
}

RespParser::Step RespParser::ParseBulkLength(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch) {
  const size_t at = start_ + cursor_;
  int64_t bytes;
  if (at >= input.size()) return Step::kMore;
  if (input.data()[at] != '$' || !FastNumber(input, &bytes)) {
    size_t cr;
    const Step step =
        FindLine(input, '\r', &cr, kLengthLineBytesMax, "Protocol error: too big bulk count string", batch);
    if (step != Step::kDone) return step;
    if (input.data()[at] != '$') {
      batch->protocol_error = std::string("Protocol error: expected '$', got '") + input.data()[at] + "'";
      return Step::kError;
    }
    const std::optional<int64_t> number = ParseInt({input.data() + at + 1, cr - 1});
    if (!number || *number < 0) return Fail("Protocol error: invalid bulk length", batch);
    bytes = *number;
    cursor_ += cr + 2;
  }
  if (static_cast<uint64_t>(bytes) > limits.bulk_bytes_max) return Fail("Protocol error: invalid bulk length", batch);
  if (bytes > kUnauthenticatedBulkBytesMax && !limits.authenticated) {
    return Fail("Protocol error: unauthenticated bulk length", batch);
  }
  scanned_ = 0;
  bulk_bytes_ = bytes;
  return Step::kDone;
}

RespParser::Step RespParser::ParseInline(InputBuffer& input, const ParserLimits& limits, CommandBatch* batch) {
  size_t newline;
  const Step step =
      FindLine(input, '\n', &newline, limits.inline_bytes_max, "Protocol error: too big inline request", batch);
  if (step != Step::kDone) return step;
  char* at = input.data() + start_;
  const char* end = at + newline;
  if (newline > 0 && end[-1] == '\r') --end;
  const uint32_t first_arg = static_cast<uint32_t>(batch->args.size());
  for (;;) {
    while (at != end && IsBlank(*at)) ++at;
    if (at == end) break;
    const char* word = at;
    size_t bytes;
    if (!UnquoteWord(&at, end, &bytes)) {
      batch->args.resize(first_arg);
      return Fail("Protocol error: unbalanced quotes in request", batch);
    }
    batch->args.emplace_back(word, bytes);
  }
  cursor_ = newline + 1;
  const uint32_t argc = static_cast<uint32_t>(batch->args.size()) - first_arg;
  if (argc > 0) batch->commands.push_back({first_arg, argc});
  return Step::kDone;
}

// Finds the byte that ends the line at the cursor; *at is its distance from there. Behind a CR one more byte has to
// be there.
RespParser::Step RespParser::FindLine(const InputBuffer& input, char end, size_t* at, size_t bytes_max,
                                      const char* too_big, CommandBatch* batch) {
  const char* line = input.data() + start_ + cursor_;
  const size_t available = input.size() - start_ - cursor_;
  const size_t searched = std::min(available, bytes_max + 1);
  const char* from = line + std::min(scanned_, searched);
  const size_t length = searched - static_cast<size_t>(from - line);
  const char* found = static_cast<const char*>(std::memchr(from, end, length));
  const size_t visible = found ? static_cast<size_t>(found - from) : length;
  if (const void* nul = std::memchr(from, '\0', visible)) {  // hides everything behind it, for good
    scanned_ = static_cast<size_t>(static_cast<const char*>(nul) - line);
    found = nullptr;
  } else {
    scanned_ = static_cast<size_t>(from - line) + visible;
  }
  if (!found) return available > bytes_max ? Fail(too_big, batch) : Step::kMore;
  *at = static_cast<size_t>(found - line);
  return end == '\r' && *at + 1 >= available ? Step::kMore : Step::kDone;
}

// The usual case of a length line: its digits and CRLF are all there. Moves the cursor behind it. False: look closer.
bool RespParser::FastNumber(const InputBuffer& input, int64_t* value) {
  const char* const line = input.data() + start_ + cursor_;
  const char* const end = input.data() + input.size();
  const char* p = line + 1;
  if (end - p < 3 || *p < '1' || *p > '9') return false;
  int64_t number = 0;
  const char* const digits_end = std::min(end, p + 18);
  while (p != digits_end && *p >= '0' && *p <= '9') number = number * 10 + (*p++ - '0');
  if (end - p < 2 || *p != '\r') return false;
  *value = number;
  cursor_ += static_cast<size_t>(p - line) + 2;
  return true;
}

void RespParser::AddArg(const char* block, size_t offset, size_t bytes, const InputBuffer& input, CommandBatch* batch) {
  if (suspended_) {
    partial_.push_back({block, offset, bytes});
  } else {
    DCHECK(block == nullptr);
    batch->args.emplace_back(input.data() + start_ + offset, bytes);
  }
}

// The bytes of this call end inside a command: keeps its arguments here, where the block may move under them.
void RespParser::Suspend(const InputBuffer& input, CommandBatch* batch) {
  const char* command = input.data() + start_;
  for (size_t i = first_arg_; i < batch->args.size(); ++i) {
    const std::string_view arg = batch->args[i];
    partial_.push_back({nullptr, static_cast<size_t>(arg.data() - command), arg.size()});
  }
  batch->args.resize(first_arg_);
  suspended_ = true;
}

void RespParser::FinishCommand(InputBuffer& input, CommandBatch* batch) {
  if (suspended_) {
    first_arg_ = static_cast<uint32_t>(batch->args.size());
    for (const PartialArg& arg : partial_) {
      batch->args.emplace_back(arg.block ? arg.block : input.data() + start_ + arg.offset, arg.bytes);
    }
    partial_.clear();
    if (partial_.capacity() > kPartialArgsKept) partial_.shrink_to_fit();
    suspended_ = false;
    input.CommandComplete();
  }
  batch->commands.push_back({first_arg_, static_cast<uint32_t>(batch->args.size()) - first_arg_});
}

RespParser::Step RespParser::Fail(const char* text, CommandBatch* batch) {
  batch->protocol_error = text;
  return Step::kError;
}

}  // namespace basalt::net
