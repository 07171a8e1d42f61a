#include "net/resp_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "net/command_batch.h"
#include "net/input_buffer.h"

namespace basalt::net {
namespace {

using ::testing::ElementsAre;
using Words = std::vector<std::string>;

struct Parsed {
  std::vector<Words> commands;
  std::string error;
  bool operator==(const Parsed&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Parsed& parsed) {
  out << parsed.commands.size() << " commands, error '" << parsed.error << "'";
  for (const Words& words : parsed.commands) {
    out << "\n ";
    for (const std::string& word : words) out << " [" << word.substr(0, 40) << (word.size() > 40 ? "…" : "") << "]";
  }
  return out;
}

// Plays the connection: bytes come in, batches go out with the buffer and come back.
class Feeder {
 public:
  explicit Feeder(ParserLimits limits = {}, uint32_t commands_max = 128)
      : limits_(limits), commands_max_(commands_max) {}

  void Feed(std::string_view bytes) {
    while (!bytes.empty() && result.error.empty()) {
      const std::span<char> span = input_.WritableSpan(pool_);
      ASSERT_FALSE(span.empty());
      const size_t n = std::min(span.size(), bytes.size());
      std::memcpy(span.data(), bytes.data(), n);
      input_.Commit(n);
      bytes.remove_prefix(n);
      ParseAll();
    }
  }

  uint64_t pending_bytes() const { return input_.pending_bytes(); }
  uint64_t free_bytes() const { return input_.free_bytes(); }
  Parsed result;

 private:
  void ParseAll() {
    for (;;) {
      CommandBatch batch;
      parser_.Parse(input_, limits_, commands_max_, &batch);
      if (batch.protocol_error) result.error = *batch.protocol_error;
      const size_t commands = batch.commands.size();
      ASSERT_LE(commands, commands_max_);
      batch.input = std::move(input_);
      for (const CommandBatch::Command& command : batch.commands) {
        const auto argv = batch.Argv(command);
        result.commands.emplace_back(argv.begin(), argv.end());
      }
      input_ = std::move(batch.input);
      if (commands > 0) {
        input_.Settle(pool_);
      } else {
        input_.Shrink(pool_);
      }
      if (commands < commands_max_ || batch.protocol_error) return;
    }
  }

  const ParserLimits limits_;
  const uint32_t commands_max_;
  BlockPool pool_;
  InputBuffer input_;
  RespParser parser_;
};

Parsed Parse(std::string_view bytes, ParserLimits limits = {}, uint32_t commands_max = 128) {
  Feeder feeder(limits, commands_max);
  feeder.Feed(bytes);
  return feeder.result;
}

std::string Error(std::string_view bytes, ParserLimits limits = {}) { return Parse(bytes, limits).error; }

std::string Encode(const Words& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return out;
}

TEST(RespParserTest, CommandsOfOneRead) {
  const Parsed parsed = Parse("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$0\r\n\r\n");
  EXPECT_EQ(parsed.error, "");
  EXPECT_THAT(parsed.commands, ElementsAre(Words{"GET", "k"}, Words{"PING"}, Words{""}));
}

TEST(RespParserTest, EmptyCommandsAreNoCommands) {
  const Parsed parsed = Parse("*0\r\n*-1\r\n*-5\r\n\r\n\n   \r\n*1\r\n$1\r\na\r\n");
  EXPECT_EQ(parsed.error, "");
  EXPECT_THAT(parsed.commands, ElementsAre(Words{"a"}));
}

TEST(RespParserTest, InlineQuotingIsRedis) {
  const auto line = [](std::string text) {
    const Parsed parsed = Parse(text + "\r\n");
    return parsed.error.empty() && !parsed.commands.empty() ? parsed.commands[0] : Words{"?", parsed.error};
  };
  EXPECT_THAT(line("set  a\t b "), ElementsAre("set", "a", "b"));
  EXPECT_THAT(line("set \"a b\" 'c d'"), ElementsAre("set", "a b", "c d"));
  EXPECT_THAT(line(R"(set "\x41\x0a\n\r\t\b\a\q\\\"" x)"), ElementsAre("set", "A\n\n\r\t\b\aq\\\"", "x"));
  EXPECT_THAT(line(R"(set "\xZZ\x4")"), ElementsAre("set", "xZZx4"));
  EXPECT_THAT(line(R"(set 'a\'b\n')"), ElementsAre("set", R"(a'b\n)"));
  EXPECT_THAT(line(R"(set ab"c d"'e')"), ElementsAre("?", "Protocol error: unbalanced quotes in request"));
  EXPECT_THAT(line(R"(set ab"c d" 'e')"), ElementsAre("set", "abc d", "e"));
  EXPECT_THAT(line("set \"\" ''"), ElementsAre("set", "", ""));
  EXPECT_THAT(line("set \"a\v\""), ElementsAre("set", "a\v"));
  EXPECT_THAT(Parse("a\vb\n").commands, ElementsAre(Words{"a\vb"}));  // ends no word, as in Redis
  EXPECT_THAT(Parse("ping\nping\n").commands, ElementsAre(Words{"ping"}, Words{"ping"}));
}

TEST(RespParserTest, UnbalancedQuotes) {
  for (const char* text :
       {"set \"a\r\n", "set 'a\r\n", "set \"a\"b\r\n", "set 'a'b\r\n", "set \"a\\\"\r\n", "\"\r\n"}) {
    EXPECT_EQ(Error(text), "Protocol error: unbalanced quotes in request") << text;
  }
}

TEST(RespParserTest, ErrorTextsAreRedis) {
  EXPECT_EQ(Error("*x\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(Error("*\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(Error("*03\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(Error("*+3\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(Error("*3000000000\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(Error("*99999999999999999999999\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(Error("*1048577\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(Error("*1048576\r\n"), "");
  EXPECT_EQ(Error("*3\r\n$-10\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(Error("*3\r\n$2000000000\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(Error("*3\r\n$blabla\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(Error("*3\r\n$536870913\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(Error("*3\r\n$536870912\r\n"), "");
  EXPECT_EQ(Error("*3\r\n$3\r\nSET\r\nx1\r\nfoo\r\n"), "Protocol error: expected '$', got 'x'");
  EXPECT_EQ(Error("*1\r\nfoo\r\n"), "Protocol error: expected '$', got 'f'");
  EXPECT_EQ(Error("*1\r\n\r\n"), "Protocol error: expected '$', got '\r'");
  EXPECT_EQ(Error("*" + std::string(70000, '1')), "Protocol error: too big mbulk count string");
  EXPECT_EQ(Error("*1\r\n$" + std::string(70000, '1')), "Protocol error: too big bulk count string");
  EXPECT_EQ(Error(std::string(70000, 'a')), "Protocol error: too big inline request");
  EXPECT_EQ(Error(std::string(65536, 'a')), "");
  EXPECT_EQ(Error(std::string(65537, 'a')), "Protocol error: too big inline request");
}

TEST(RespParserTest, CommandsBeforeAnErrorStand) {
  const Parsed parsed = Parse("PING\r\n*1\r\n$4\r\nPING\r\n*x\r\nPING\r\n");
  EXPECT_THAT(parsed.commands, ElementsAre(Words{"PING"}, Words{"PING"}));
  EXPECT_EQ(parsed.error, "Protocol error: invalid multibulk length");
}

TEST(RespParserTest, StrangersHaveSmallLimits) {
  ParserLimits stranger;
  stranger.authenticated = false;
  EXPECT_EQ(Error("*11\r\n", stranger), "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(Error("*10\r\n$16385\r\n", stranger), "Protocol error: unauthenticated bulk length");
  EXPECT_EQ(Error("*10\r\n$16384\r\n", stranger), "");
  EXPECT_EQ(Parse("*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n", stranger).commands.size(), 1u);
}

TEST(RespParserTest, NulHidesTheEndOfLine) {  // Redis' "protocol desync" regression tests
  const auto with_nul = [](std::string prefix) {
    return prefix + std::string(1, '\0') + std::string(66000, 'a') + "\r\n";
  };
  EXPECT_EQ(Error(with_nul("")), "Protocol error: too big inline request");
  EXPECT_EQ(Error(with_nul("*")), "Protocol error: too big mbulk count string");
  EXPECT_EQ(Error(with_nul("*1\r\n$")), "Protocol error: too big bulk count string");
  EXPECT_EQ(Error(std::string("a\0b\r\nPING\r\n", 12)), "");
  EXPECT_EQ(Parse(std::string("a\0b\r\nPING\r\n", 12)).commands.size(), 0u);
}

TEST(RespParserTest, AtMostSoManyCommandsABatch) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += Encode({"GET", std::to_string(i)});
  const Parsed one = Parse(many, {}, 1);
  EXPECT_EQ(one.commands.size(), 1000u);
  EXPECT_EQ(one, Parse(many, {}, 128));
}

// A stream with every kind of command in it, some large enough for blocks of their own, some with an error at the end.
std::string RandomStream(std::mt19937_64& random) {
  const auto below = [&random](size_t n) { return static_cast<size_t>(random() % n); };
  std::string stream;
  const size_t commands = 1 + below(30);
  for (size_t i = 0; i < commands; ++i) {
    if (below(5) == 0) {
      static const char* const kLines[] = {"PING\r\n", "set \"a b\" 'c'\n",     "\r\n",
                                           "*0\r\n",   "echo \"\\x00\\n\"\r\n", "*-1\r\n"};
      stream += kLines[below(std::size(kLines))];
      continue;
    }
    Words words;
    for (size_t args = 1 + below(6); args > 0; --args) {
      static const size_t kSizes[] = {1, 10, 100, 5'000, 33'000, 70'000};
      std::string word(below(kSizes[std::min(below(8), below(6))]), 'x');
      for (char& c : word) c = static_cast<char>(random());
      words.push_back(std::move(word));
    }
    stream += Encode(words);
  }
  static const char* const kEnds[] = {"", "*1\r\n", "*2\r\n$5\r\nab", "*1\r\n$x\r\n", "*1\r\n:3\r\n", "\"a\r\n"};
  return stream + kEnds[below(std::size(kEnds))];
}

TEST(RespParserTest, SplitAtEveryByte) {
  const std::string stream = Encode({"SET", "key", "value\r\n$3\r\n"}) + "set \"a b\" c\r\n" + Encode({"", "x"}) +
                             "*0\r\n" + Encode({"MSET", std::string(12, 'k'), std::string(40'000, 'v')}) +
                             "*1\r\n$-1\r\n";
  const Parsed whole = Parse(stream);
  ASSERT_EQ(whole.commands.size(), 4u);
  ASSERT_EQ(whole.error, "Protocol error: invalid bulk length");
  const size_t head = stream.find("vvvv");
  for (size_t split = 0; split <= stream.size(); split += (split > head && split < stream.size() - 60 ? 997 : 1)) {
    Feeder feeder;
    feeder.Feed(std::string_view(stream).substr(0, split));
    feeder.Feed(std::string_view(stream).substr(split));
    ASSERT_EQ(feeder.result, whole) << "split at " << split;
  }
  Feeder bytes;
  for (const char c : stream) bytes.Feed({&c, 1});
  EXPECT_EQ(bytes.result, whole);
}

TEST(RespParserTest, RandomSplitsGiveTheSame) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    const std::string stream = RandomStream(random);
    const Parsed whole = Parse(stream);
    Feeder feeder({}, 1 + static_cast<uint32_t>(random() % 130));
    const size_t piece_max = 1 + random() % (random() % 2 ? 20'000 : 700);
    for (size_t at = 0; at < stream.size();) {
      const size_t n = std::min<size_t>(1 + random() % piece_max, stream.size() - at);
      feeder.Feed(std::string_view(stream).substr(at, n));
      at += n;
    }
    ASSERT_EQ(feeder.result, whole) << "round " << round;
  }
}

TEST(RespParserTest, BigArgumentsAreReadIntoTheirOwnBlock) {
  const std::string value(10 << 20, 'v');
  const std::string stream = Encode({"SET", "k", value});
  BlockPool pool;
  InputBuffer input;
  RespParser parser;
  CommandBatch batch;
  size_t at = 0, reads = 0;
  const char* place = nullptr;
  while (batch.commands.empty()) {
    const std::span<char> span = input.WritableSpan(pool);
    const size_t n = std::min({span.size(), stream.size() - at, size_t{1} << 20});
    std::memcpy(span.data(), stream.data() + at, n);
    if (++reads == 3) place = span.data();
    input.Commit(n);
    at += n;
    parser.Parse(input, {}, 128, &batch);
    ASSERT_LE(input.free_bytes() + input.pending_bytes(), value.size() + 2 * BlockPool::kBlockBytes);
  }
  const auto argv = batch.Argv(batch.commands[0]);
  EXPECT_TRUE(argv[2] == value);
  EXPECT_TRUE(place > argv[2].data() && place < argv[2].data() + argv[2].size()) << "the argument was moved";
  EXPECT_LE(reads, 12u);
}

TEST(RespParserTest, AMillionArgumentsArriveInTime) {
  std::string stream = "*1048576\r\n";
  for (int i = 0; i < 1048576; ++i) stream += "$1\r\nx\r\n";
  Feeder feeder;
  for (size_t at = 0; at < stream.size(); at += 16'000) feeder.Feed(std::string_view(stream).substr(at, 16'000));
  ASSERT_EQ(feeder.result.commands.size(), 1u);
  EXPECT_EQ(feeder.result.commands[0].size(), 1048576u);
}

TEST(InputBufferTest, AnIdleClientHoldsNoBlock) {
  Feeder feeder;
  feeder.Feed(Encode({"SET", "a", std::string(50'000, 'x')}) + Encode({"GET", "a"}));
  EXPECT_EQ(feeder.pending_bytes(), 0u);
  EXPECT_EQ(feeder.free_bytes(), 0u);
  feeder.Feed("*2\r\n$3\r\nGE");  // and one that stopped in the middle, hardly more than that
  EXPECT_EQ(feeder.pending_bytes(), 10u);
  EXPECT_EQ(feeder.free_bytes(), 0u);
}

// Reads all of `stream` into the input, parsing after each read or only at the end.
void ReadAll(std::string_view stream, bool parse_each, BlockPool& pool, InputBuffer& input, RespParser& parser,
             CommandBatch& batch) {
  while (!stream.empty()) {
    const std::span<char> span = input.WritableSpan(pool);
    const size_t n = std::min(span.size(), stream.size());
    std::memcpy(span.data(), stream.data(), n);
    input.Commit(n);
    stream.remove_prefix(n);
    if (parse_each) parser.Parse(input, {}, 128, &batch);
  }
  if (!parse_each) parser.Parse(input, {}, 128, &batch);
  batch.input = std::move(input);
}

TEST(CommandBatchTest, DetachLeavesABigArgumentWhereItIs) {
  const std::string big(100'000, 'b');
  BlockPool pool;
  InputBuffer input;
  RespParser parser;
  CommandBatch batch;
  ReadAll(Encode({"SET", "k", big}), true, pool, input, parser, batch);
  ASSERT_EQ(batch.commands.size(), 1u);
  const char* const big_at = batch.args[2].data();
  batch.Detach().Settle(pool);
  EXPECT_EQ(batch.args[2].data(), big_at);
  EXPECT_TRUE(batch.args[2] == big);
  EXPECT_EQ(batch.args[1], "k");
}

TEST(CommandBatchTest, DetachKeepsTheRestWithoutTheInput) {
  const std::string big(100'000, 'b');
  BlockPool pool;
  InputBuffer input;
  RespParser parser;
  CommandBatch batch;
  ReadAll(Encode({"GET", "a"}) + Encode({"SET", "k", big}) + Encode({"DEL", "x", "y"}) + "*1\r\n$4\r\nPI", false, pool,
          input, parser, batch);
  ASSERT_EQ(batch.commands.size(), 3u);
  batch.next = 1;
  input = batch.Detach();
  EXPECT_EQ(std::string_view(input.data(), input.size()), "*1\r\n$4\r\nPI");
  std::memset(input.data() - 100'000, '#', 100'000);  // what was consumed is not looked at any more
  input.Settle(pool);
  ASSERT_EQ(batch.commands.size(), 2u);
  EXPECT_EQ(batch.next, 0u);
  EXPECT_TRUE(batch.Argv(batch.commands[0])[2] == big);
  EXPECT_THAT(batch.Argv(batch.commands[1]), ElementsAre("DEL", "x", "y"));

  batch.next = 1;
  const char* const del_at = batch.args[3].data();
  EXPECT_EQ(batch.Detach().size(), 0u);
  EXPECT_THAT(batch.Argv(batch.commands[0]), ElementsAre("DEL", "x", "y"));
  EXPECT_EQ(batch.args[0].data(), del_at) << "a second Detach copied";
}

}  // namespace
}  // namespace basalt::net
