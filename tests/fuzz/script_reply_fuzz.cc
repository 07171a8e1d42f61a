// Whatever a command answers, a script gets a value or an error; whatever a script returns, its client gets one whole
// reply; and no script ends the server. Input: one byte that says how to read the rest, then a reply, or a script's
// text.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/digest.h"
#include "server/scripting/interpreter.h"

namespace {

using namespace basalt;
using net::RespVersion;

// Answers every command with the same bytes and ends scripts that take long.
class Host : public ScriptHost {
 public:
  explicit Host(std::string_view answer) : answer_(answer) {}
  CallResult Call(std::span<const std::string_view>, RespVersion, net::OutputBuffer* reply) override {
    reply->Append(answer_);
    return ++calls_ > 200 ? CallResult::kUnwind : CallResult::kReplied;
  }
  bool MustUnwind() override { return ++ticks_ > 3; }
  void OnErrorReply(std::string_view line, bool) override {
    if (line.find('\0') != std::string_view::npos) std::abort();
  }
  bool MayRun(std::span<const std::string_view>, bool* known) override { return *known = true; }

 private:
  const std::string_view answer_;
  int calls_ = 0, ticks_ = 0;
};

// The bytes behind one reply; aborts when there is none.
std::string_view SkipReply(std::string_view bytes) {
  const size_t line_end = bytes.find("\r\n");
  if (line_end == std::string_view::npos) std::abort();
  const char type = bytes[0];
  const std::string line(bytes.substr(1, line_end - 1));
  bytes.remove_prefix(line_end + 2);
  int64_t count = 0;
  switch (type) {
    case '+':
    case '-':
    case ':':
    case ',':
    case '#':
    case '(':
    case '_':
      return bytes;
    case '$':
    case '=':
      count = std::atoll(line.c_str());
      if (count < 0) return bytes;
      if (bytes.size() < static_cast<size_t>(count) + 2 || bytes.substr(count, 2) != "\r\n") std::abort();
      return bytes.substr(static_cast<size_t>(count) + 2);
    case '*':
    case '~':
    case '%':
      count = std::atoll(line.c_str()) * (type == '%' ? 2 : 1);
      for (; count > 0; --count) bytes = SkipReply(bytes);
      return bytes;
    default:
      std::abort();
  }
}

Interpreter& TheInterpreter() {
  static Interpreter interpreter(16 * 1024 * 1024);
  return interpreter;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool is_script = (data[0] & 1) != 0;
  const auto version = (data[0] & 2) != 0 ? RespVersion::kResp3 : RespVersion::kResp2;
  const std::string body = is_script
                               ? std::string(rest)
                               : std::string((data[0] & 4) != 0 ? "redis.setresp(3) " : "") +
                                     "local r = redis.pcall('x') cjson.encode({pcall(cmsgpack.pack, r)}) return r";
  Host host(is_script ? "*2\r\n$1\r\na\r\n%1\r\n,1.5\r\n#t\r\n" : rest);
  Script script{.digest = Sha1Hex(body), .body = body};
  if (!Interpreter::ParseShebang(script.body, &script.flags).ok()) return 0;
  const std::string_view words[] = {"k", rest.substr(0, 16)};
  net::OutputBuffer out;
  net::ReplyBuilder reply(&out, version);
  const Interpreter::Outcome outcome = TheInterpreter().Run(script, words, words, host, reply);
  const std::string bytes = out.ToString();
  if (outcome == Interpreter::Outcome::kUnwound ? !bytes.empty() : !SkipReply(bytes).empty()) std::abort();
  return 0;
}
