#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/command_spec.h"

namespace basalt {

// One argument of a command, as COMMAND DOCS tells of it. A tree.
struct SyntaxArgument {
  enum class Type : uint8_t { kString, kInteger, kDouble, kKey, kPattern, kUnixTime, kPureToken, kOneOf, kBlock };

  std::string name;
  std::string shown;  // how clients show it; empty: by its name
  Type type = Type::kString;
  std::string token;  // empty: none
  bool optional = false;
  bool multiple = false;
  bool multiple_token = false;            // the token stands before every repetition
  int key_spec_index = -1;                // kKey: which key spec finds it
  std::vector<SyntaxArgument> arguments;  // kOneOf: the alternatives; kBlock: the parts
};

std::string_view TypeName(SyntaxArgument::Type type);  // "pure-token"

// Reads CommandSpec::syntax (see there for the notation). `key_specs`: how many the row has. Nothing: the text is not
// in the notation, which a test rules out for every row.
//
//   sequence    := element { " " element }
//   element     := TOKEN [value | "(" … ")"] | value | "(" body ")" | "[" body "]", each with "…" behind it when it
//   repeats body        := sequence | sequence " | " sequence { … }     alternatives
//
// In brackets and alternatives, a TOKEN before several values heads them all; elsewhere, and where there is a choice of
// tokens among them, it belongs to the first.
std::optional<std::vector<SyntaxArgument>> ParseSyntax(std::string_view syntax, size_t key_specs);

}  // namespace basalt
