#include "server/command_syntax.h"

#include <gtest/gtest.h>

namespace basalt {
namespace {

using Type = SyntaxArgument::Type;

std::vector<SyntaxArgument> Parse(std::string_view syntax, size_t keys = 0) {
  const auto arguments = ParseSyntax(syntax, keys);
  EXPECT_TRUE(arguments.has_value()) << syntax;
  return arguments.value_or(std::vector<SyntaxArgument>{});
}

TEST(CommandSyntax, ValuesHaveTypes) {
  const auto arguments = Parse("key count:integer member:string pattern:pattern…", 1);
  ASSERT_EQ(arguments.size(), 4u);
  EXPECT_EQ(arguments[0].type, Type::kKey);
  EXPECT_EQ(arguments[0].key_spec_index, 0);
  EXPECT_EQ(arguments[1].name, "count");
  EXPECT_EQ(arguments[1].type, Type::kInteger);
  EXPECT_EQ(arguments[2].type, Type::kString);
  EXPECT_TRUE(arguments[3].multiple);
}

TEST(CommandSyntax, ValuesMayNameTheirKeySpec) {
  const auto arguments = Parse("key [BY by-pattern:pattern#1] [STORE destination:key#2]", 3);
  ASSERT_EQ(arguments.size(), 3u);
  EXPECT_EQ(arguments[0].key_spec_index, 0);
  EXPECT_EQ(arguments[1].type, Type::kPattern);
  EXPECT_EQ(arguments[1].key_spec_index, 1);
  EXPECT_EQ(arguments[2].key_spec_index, 2);
  EXPECT_FALSE(ParseSyntax("key other:key#1", 1).has_value());
  EXPECT_FALSE(ParseSyntax("other:key#x", 1).has_value());
}

TEST(CommandSyntax, ValuesMayBeShownByAnotherName) {
  const auto arguments = Parse("key [BY by-pattern=pattern:pattern#1] [STORE storekey=key] [= | ~]", 2);
  ASSERT_EQ(arguments.size(), 4u);
  EXPECT_EQ(arguments[0].shown, "");
  EXPECT_EQ(arguments[1].name, "by-pattern");
  EXPECT_EQ(arguments[1].shown, "pattern");
  EXPECT_EQ(arguments[1].key_spec_index, 1);
  EXPECT_EQ(arguments[2].name, "storekey");
  EXPECT_EQ(arguments[2].shown, "key");
  EXPECT_EQ(arguments[2].type, Type::kKey);
  EXPECT_EQ(arguments[3].arguments[0].token, "=");
}

TEST(CommandSyntax, OptionsAndAlternatives) {
  const auto arguments = Parse("[NX | XX] [GET] [EX seconds:integer | KEEPTTL]");
  ASSERT_EQ(arguments.size(), 3u);
  EXPECT_EQ(arguments[0].type, Type::kOneOf);
  EXPECT_TRUE(arguments[0].optional);
  EXPECT_EQ(arguments[0].arguments[1].token, "XX");
  EXPECT_EQ(arguments[1].type, Type::kPureToken);
  EXPECT_TRUE(arguments[1].optional);
  EXPECT_EQ(arguments[2].arguments[0].token, "EX");
  EXPECT_EQ(arguments[2].arguments[0].type, Type::kInteger);
  EXPECT_EQ(arguments[2].arguments[1].type, Type::kPureToken);
}

TEST(CommandSyntax, TokensHeadBlocks) {
  const auto limit = Parse("[LIMIT offset:integer count:integer]");
  EXPECT_EQ(limit[0].type, Type::kBlock);
  EXPECT_EQ(limit[0].token, "LIMIT");
  EXPECT_EQ(limit[0].arguments.size(), 2u);
  const auto auth = Parse("[AUTH (username password)]");
  EXPECT_EQ(auth[0].type, Type::kBlock);
  EXPECT_EQ(auth[0].token, "AUTH");
  const auto filter = Parse("[FILTERBY (MODULE name | ACLCAT category)]");
  EXPECT_EQ(filter[0].type, Type::kOneOf);
  EXPECT_EQ(filter[0].token, "FILTERBY");
}

TEST(CommandSyntax, Repetitions) {
  EXPECT_TRUE(Parse("(key value)…")[0].multiple);
  const auto prefix = Parse("[PREFIX prefix]…");
  EXPECT_TRUE(prefix[0].multiple && prefix[0].multiple_token && prefix[0].optional);
  const auto ids = Parse("[ID id:integer…]");
  EXPECT_TRUE(ids[0].multiple && ids[0].optional);
  EXPECT_FALSE(ids[0].multiple_token);
}

TEST(CommandSyntax, KeysKnowTheirSpecs) {
  const auto two = Parse("destkey key…", 2);
  EXPECT_EQ(two[0].key_spec_index, 0);
  EXPECT_EQ(two[1].key_spec_index, 1);
  const auto one = Parse("key1:key key2:key", 1);
  EXPECT_EQ(one[0].key_spec_index, 0);
  EXPECT_EQ(one[1].key_spec_index, 0);
}

TEST(CommandSyntax, WhatIsNotInTheNotationIsRefused) {
  for (const char* bad : {"[NX", "(a | b", "[]", "()", "a:colour", "[a |]", ")", "a ]"})
    EXPECT_FALSE(ParseSyntax(bad, 0).has_value()) << bad;
  EXPECT_TRUE(ParseSyntax("", 0)->empty());
}

}  // namespace
}  // namespace basalt
