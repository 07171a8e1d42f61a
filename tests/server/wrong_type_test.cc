// Every command on a key that holds another type than it works on, made from the rows.

#include <map>
#include <set>

#include "server/command_syntax.h"
#include "tests/server/command_fixture.h"

namespace basalt {
namespace {

constexpr std::pair<CommandGroup, std::string_view> kTypeOfGroup[] = {
    {CommandGroup::kString, "string"},  {CommandGroup::kBitmap, "string"}, {CommandGroup::kHyperloglog, "string"},
    {CommandGroup::kHash, "hash"},      {CommandGroup::kList, "list"},     {CommandGroup::kSet, "set"},
    {CommandGroup::kSortedSet, "zset"}, {CommandGroup::kGeo, "zset"},      {CommandGroup::kStream, "stream"},
};

// The least that the syntax of a row asks for, with `key` wherever a key is wanted.
void AddLeast(const std::vector<SyntaxArgument>& arguments, std::string_view key, std::vector<std::string>* argv) {
  for (const SyntaxArgument& argument : arguments) {
    if (argument.optional) continue;
    if (!argument.token.empty()) argv->push_back(argument.token);
    switch (argument.type) {
      case SyntaxArgument::Type::kKey:
        argv->emplace_back(key);
        break;
      case SyntaxArgument::Type::kOneOf:
        AddLeast({argument.arguments.front()}, key, argv);
        break;
      case SyntaxArgument::Type::kBlock:
        AddLeast(argument.arguments, key, argv);
        break;
      case SyntaxArgument::Type::kPureToken:
        break;
      case SyntaxArgument::Type::kPattern:
        argv->emplace_back("*");
        break;
      default:
        argv->emplace_back("1");
    }
  }
}

std::vector<std::string> LeastArguments(const CommandSpec& spec, std::string_view key) {
  std::vector<std::string> argv;
  argv.emplace_back(spec.name.substr(0, spec.name.find('|')));
  if (spec.is_subcommand()) argv.emplace_back(spec.name.substr(argv[0].size() + 1));
  const auto specs = static_cast<size_t>(std::count_if(
      spec.keys.begin(), spec.keys.end(), [](const KeySpec& each) { return each.begin != KeySpec::Begin::kNone; }));
  const std::optional<std::vector<SyntaxArgument>> syntax = ParseSyntax(spec.syntax, specs);
  if (syntax) AddLeast(*syntax, key, &argv);
  if (spec.name.find("lex") != std::string_view::npos) {  // bounds of members: "[1"
    for (std::string& word : argv) word.insert(0, word == "1" ? "[" : "");
  }
  return argv;
}

// The command looks at what its first key holds.
bool LooksAtItsKey(const CommandSpec& spec) {
  return spec.keys[0].begin != KeySpec::Begin::kNone && (spec.keys[0].flags & (kKeyRO | kKeyRW)) != 0;
}

class WrongTypeTest : public CommandTest {
 protected:
  // Makes the key of that name hold the type, and nothing of what commands before have made of it.
  void Restore(std::string_view type) {
    constexpr std::string_view kMakers[] = {"SET string v", "HSET hash f v", "RPUSH list v",
                                            "SADD set v",   "ZADD zset 1 v", "XADD stream 1-1 f v"};
    Run({"FLUSHALL"});
    for (const std::string_view maker : kMakers) {
      if (maker.find(' ' + std::string(type) + ' ') != std::string_view::npos) Line(maker);
    }
    ASSERT_EQ(Run({"TYPE", type}), '+' + std::string(type) + "\r\n");
  }
};

TEST_F(WrongTypeTest, EveryCommandRefusesEveryOtherType) {
  // What Redis 7.2.4 takes, or answers otherwise: commands that look at no type, or have a text of their own.
  const std::set<std::string_view> kOwnAnswer = {"set", "mget", "lcs"};
  // Sets are sorted sets whose members have the score 1.
  const std::set<std::string_view> kTakesSets = {"zdiff", "zinter", "zintercard", "zunion"};
  size_t refused = 0;
  for (const std::span<const CommandSpec> family : CommandRunner::Families()) {
    for (const CommandSpec& spec : family) {
      const auto* own = std::find_if(std::begin(kTypeOfGroup), std::end(kTypeOfGroup),
                                     [&](const auto& each) { return each.first == spec.group; });
      if (own == std::end(kTypeOfGroup) || spec.handler == nullptr || !LooksAtItsKey(spec)) continue;
      if (kOwnAnswer.contains(spec.name)) continue;
      for (const std::string_view type : {"string", "hash", "list", "set", "zset", "stream"}) {
        if (type == own->second || (type == "set" && kTakesSets.contains(spec.name))) continue;
        const std::vector<std::string> argv = LeastArguments(spec, type);
        ASSERT_NO_FATAL_FAILURE(Restore(type));
        const std::string reply = runner_.Run(argv);
        EXPECT_TRUE(reply.starts_with("-WRONGTYPE Operation against a key holding the wrong kind of value"))
            << testing::PrintToString(argv) << " on a " << type << ": " << reply;
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 500u);
}

}  // namespace
}  // namespace basalt
