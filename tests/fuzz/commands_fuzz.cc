// Commands on data of all types with arguments that fuzzing invents, against a real Storage. Each must leave exactly
// one well-formed reply; afterwards what counts a value agrees with what shows it, a copy through DUMP and RESTORE is
// the same value, and deleted keys are gone.
//
// Input: commands one after the other: a byte that chooses the row, a byte for the number of arguments, then each
// argument: a byte that chooses a word (keys, numbers, the tokens of the rows' syntax) or, from 200 on, raw bytes of
// length byte-200.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/command_spec.h"
#include "tests/server/command_fixture.h"

namespace {

using basalt::CommandRunner;
using basalt::CommandSpec;

constexpr size_t kCommandsMax = 40;
constexpr size_t kArgsMax = 10;
constexpr int kRawFrom = 200;
constexpr std::string_view kKeys[] = {"a", "b", "{a}c", ""};

[[noreturn]] void Fail(const std::string& what, const std::string& detail) {
  std::fprintf(stderr, "%s: %.500s\n", what.c_str(), detail.c_str());
  std::abort();
}

// The bytes of one RESP2 value at the front of `text`, 0 if there is none.
size_t ReplyBytes(std::string_view text) {
  const size_t end = text.find("\r\n");
  if (end == std::string_view::npos || end < 1) return 0;
  const size_t line = end + 2;
  const std::string_view rest = text.substr(1, end - 1);
  switch (text[0]) {
    case '+':
    case '-':
    case ':':
      return rest.empty() ? 0 : line;
    case '$': {
      const long bytes = std::strtol(std::string(rest).c_str(), nullptr, 10);
      if (bytes < 0) return bytes == -1 ? line : 0;
      const size_t all = line + static_cast<size_t>(bytes) + 2;
      return all <= text.size() && text.substr(all - 2, 2) == "\r\n" ? all : 0;
    }
    case '*': {
      size_t at = line;
      for (long items = std::strtol(std::string(rest).c_str(), nullptr, 10); items > 0; --items) {
        const size_t item = ReplyBytes(text.substr(at));
        if (item == 0) return 0;
        at += item;
      }
      return at;
    }
    default:
      return 0;
  }
}

class World {
 public:
  World() : runner_(folder_.path()) {
    for (std::span<const CommandSpec> family : CommandRunner::Families()) {
      for (const CommandSpec& spec : family) {
        if (spec.handler == nullptr) continue;
        rows_.push_back(&spec);
        AddTokens(spec.syntax);
      }
    }
    for (std::string_view key : kKeys) words_.emplace_back(key);
    for (const char* word : {"0",
                             "1",
                             "-1",
                             "2",
                             "7",
                             "8",
                             "100",
                             "1000",
                             "65535",
                             "1000000",
                             "9223372036854775807",
                             "-9223372036854775808",
                             "18446744073709551615",
                             "1.5",
                             "-0.25",
                             "1e300",
                             "inf",
                             "nan",
                             "u8",
                             "i64",
                             "u63",
                             "i65",
                             "#1",
                             "*",
                             "a*",
                             "[a-c]",
                             "-",
                             "1700000000",
                             "1700000100000",
                             "x",
                             "hello world"}) {
      words_.emplace_back(word);
    }
    constexpr std::string_view kLimit[] = {"proto-max-bulk-len", "1mb"};
    if (!runner_.config().Set(kLimit, /*local_client=*/true).ok()) Fail("CONFIG SET", "refused");
  }

  void Play(const uint8_t* data, size_t size) {
    size_t at = 0;
    for (size_t commands = 0; at + 1 < size && commands < kCommandsMax; ++commands) {
      const CommandSpec& row = *rows_[data[at] % rows_.size()];
      const size_t count = data[at + 1] % kArgsMax;
      at += 2;
      std::vector<std::string> argv = {std::string(row.name.substr(0, row.name.find('|')))};
      if (row.is_subcommand()) argv.emplace_back(row.name.substr(argv[0].size() + 1));
      for (size_t i = 0; i < count && at < size; ++i) {
        const int choice = data[at++];
        if (choice < kRawFrom) {
          argv.push_back(words_[static_cast<size_t>(choice) % words_.size()]);
        } else {
          const size_t bytes = std::min<size_t>(static_cast<size_t>(choice - kRawFrom), size - at);
          argv.emplace_back(reinterpret_cast<const char*>(data) + at, bytes);
          at += bytes;
        }
      }
      const std::string reply = runner_.Run(argv);
      if (ReplyBytes(reply) != reply.size() || reply.empty()) Fail("not one reply to " + argv[0], reply);
      if (commands % 8 == 7) runner_.AdvanceClock(50);
    }
    CheckAndClear();
  }

 private:
  void AddTokens(std::string_view syntax) {
    std::string token;
    for (char c : std::string(syntax) + " ") {
      if (c >= 'A' && c <= 'Z') {
        token += c;
      } else if (!token.empty()) {
        if (token.size() > 1 && seen_.insert(token).second) words_.push_back(token);
        token.clear();
      }
    }
  }

  // How many elements an array or a bulk string has.
  static long long Length(const std::string& reply) { return std::atoll(reply.c_str() + 1); }

  void CheckValue(std::string_view key) {
    struct View {
      const char* type;
      std::vector<std::string_view> count, show;
      int replies_each;
    };
    const View kViews[] = {
        {"+string", {"strlen", key}, {"get", key}, 1},
        {"+hash", {"hlen", key}, {"hgetall", key}, 2},
        {"+list", {"llen", key}, {"lrange", key, "0", "-1"}, 1},
        {"+set", {"scard", key}, {"smembers", key}, 1},
        {"+zset", {"zcard", key}, {"zrange", key, "0", "-1"}, 1},
        {"+stream", {"xlen", key}, {"xrange", key, "-", "+"}, 1},
    };
    const std::string type = runner_.Run({"type", key});
    for (const View& view : kViews) {
      if (!type.starts_with(view.type)) continue;
      const std::string count = runner_.Run(std::span(view.count));
      const std::string shown = runner_.Run(std::span(view.show));
      if (Length(count) * view.replies_each != Length(shown))
        Fail("counted otherwise than shown: " + type, count + shown);
      CheckCopy(key, shown, view.show);
      return;
    }
    if (type != "+none\r\n") Fail("TYPE", type);
  }

  void CheckCopy(std::string_view key, const std::string& shown, std::vector<std::string_view> show) {
    constexpr std::string_view kCopy = "copy of a value";
    const std::string dump = runner_.Run({"dump", key});
    const size_t header = dump.find("\r\n") + 2;
    const std::string payload = dump.substr(header, static_cast<size_t>(Length(dump)));
    const std::string restored = runner_.Run({"restore", kCopy, "0", payload});
    if (restored != "+OK\r\n") Fail("RESTORE of a DUMP", restored);
    show[1] = kCopy;
    std::string copy = runner_.Run(std::span(show));
    // The order of a set or a hash is not part of its value.
    const bool ordered = show[0] != "smembers" && show[0] != "hgetall";
    if (ordered ? copy != shown : copy.size() != shown.size()) Fail("a copy is another value", shown + copy);
    if (runner_.Run({"del", kCopy}) != ":1\r\n") Fail("DEL", "of a copy");
  }

  void CheckAndClear() {
    std::vector<std::string> all = {"del"};
    for (std::string_view key : kKeys) {
      CheckValue(key);
      all.emplace_back(key);
    }
    runner_.Run(all);
    runner_.Run({"flushall"});
    for (std::string_view key : kKeys) {
      if (const std::string reply = runner_.Run({"exists", key}); reply != ":0\r\n")
        Fail("a deleted key is there", reply);
    }
    if (const std::string reply = runner_.Run({"dbsize"}); reply != ":0\r\n") Fail("DBSIZE after FLUSHALL", reply);
    if (testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed()) std::abort();
  }

  basalt::TemporaryFolder folder_;
  CommandRunner runner_;
  std::vector<const CommandSpec*> rows_;
  std::vector<std::string> words_;
  std::set<std::string> seen_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World world;
  world.Play(data, size);
  return 0;
}
