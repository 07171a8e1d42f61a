#include "server/command_syntax.h"

#include <algorithm>
#include <cctype>

namespace basalt {

namespace {

using Argument = SyntaxArgument;
using Type = SyntaxArgument::Type;

constexpr std::string_view kEllipsis = "…";
constexpr std::string_view kEllipsisAscii = "...";
constexpr int kDepthMax = 8;

bool IsToken(std::string_view word) {
  const bool upper = std::any_of(word.begin(), word.end(), [](unsigned char c) { return std::isupper(c); });
  const bool lower = std::any_of(word.begin(), word.end(), [](unsigned char c) { return std::islower(c); });
  // Signs like = and ~ (XADD) are tokens too.
  const bool sign =
      !word.empty() && std::none_of(word.begin(), word.end(), [](unsigned char c) { return std::isalnum(c); });
  return (upper && !lower) || sign;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::optional<Type> TypeByName(std::string_view name) {
  if (name == "string") return Type::kString;
  if (name == "integer") return Type::kInteger;
  if (name == "double") return Type::kDouble;
  if (name == "key") return Type::kKey;
  if (name == "pattern") return Type::kPattern;
  if (name == "unix-time") return Type::kUnixTime;
  return std::nullopt;
}

std::string JoinNames(const std::vector<Argument>& parts) {
  std::string name;
  for (const Argument& part : parts) name += (name.empty() ? "" : "-") + part.name;
  return name;
}

// The parts as one argument.
Argument Wrap(std::vector<Argument> parts, Type type) {
  if (parts.size() == 1 && type == Type::kBlock) return std::move(parts[0]);
  Argument whole;
  whole.name = JoinNames(parts);
  whole.type = type;
  whole.arguments = std::move(parts);
  return whole;
}

class Parser {
 public:
  Parser(std::string_view text, size_t key_specs) : rest_(text), key_specs_(key_specs) {}

  bool ParseAll(std::vector<Argument>* arguments) {
    while (SkipSpaces(), !rest_.empty()) {
      Argument argument;
      if (!Element(&argument, 0)) return false;
      arguments->push_back(std::move(argument));
    }
    return true;
  }

 private:
  void SkipSpaces() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }
  bool Take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  void TakeRepetition(Argument* argument) {
    if (!Take(kEllipsis) && !Take(kEllipsisAscii)) return;
    argument->multiple = true;
  }

  std::string_view Word() {
    size_t n = 0;
    while (n < rest_.size() && std::string_view(" []()|").find(rest_[n]) == std::string_view::npos &&
           !rest_.substr(n).starts_with(kEllipsis) && !rest_.substr(n).starts_with(kEllipsisAscii)) {
      ++n;
    }
    const std::string_view word = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return word;
  }

  // One digit: a row has but few key specs.
  bool KeySpecIndex(std::string_view digit, Argument* argument) const {
    if (digit.size() != 1 || digit[0] < '0' || digit[0] > '9') return false;
    argument->key_spec_index = digit[0] - '0';
    return static_cast<size_t>(argument->key_spec_index) < key_specs_;
  }

  bool Value(std::string_view word, Argument* argument) {
    const size_t colon = word.find(':');
    const std::string_view name = word.substr(0, colon);
    const size_t equals = name.find('=');
    argument->name = name.substr(0, equals);
    if (argument->name.empty()) return false;
    if (equals != std::string_view::npos) argument->shown = name.substr(equals + 1);
    if (colon != std::string_view::npos) {
      const std::string_view type_word = word.substr(colon + 1);
      const size_t hash = type_word.find('#');
      const auto type = TypeByName(type_word.substr(0, hash));
      if (!type) return false;
      argument->type = *type;
      if (hash != std::string_view::npos) return KeySpecIndex(type_word.substr(hash + 1), argument);
    } else if (argument->name.ends_with("key")) {
      argument->type = Type::kKey;
    }
    if (argument->type == Type::kKey && key_specs_ > 0)
      argument->key_spec_index = static_cast<int>(std::min(keys_seen_++, key_specs_ - 1));
    return true;
  }

  // One element, with its token and repetition.
  bool Element(Argument* argument, int depth) {
    if (depth > kDepthMax) return false;
    if (Take("[")) {
      if (!Body(']', argument, depth)) return false;
      argument->optional = true;
      const bool inner_multiple = argument->multiple;
      TakeRepetition(argument);
      // "[PREFIX prefix]…": the token comes again each time.
      argument->multiple_token = !inner_multiple && argument->multiple && !argument->token.empty();
      return true;
    }
    if (Take("(")) {
      if (!Body(')', argument, depth)) return false;
      TakeRepetition(argument);
      return true;
    }
    const std::string_view word = Word();
    if (word.empty()) return false;
    if (!IsToken(word)) {
      if (!Value(word, argument)) return false;
      TakeRepetition(argument);
      return true;
    }
    // A token alone, or before a value or group.
    const std::string_view before = rest_;
    SkipSpaces();
    if (rest_.starts_with('(') || (!rest_.empty() && NextIsValue())) {
      if (!Element(argument, depth + 1)) return false;
      if (argument->type == Type::kPureToken || !argument->token.empty()) return false;
      argument->token = word;
      if (argument->type == Type::kOneOf || argument->type == Type::kBlock) argument->name = Lower(word);
      return true;
    }
    rest_ = before;
    argument->name = Lower(word);
    argument->type = Type::kPureToken;
    argument->token = word;
    TakeRepetition(argument);
    return true;
  }

  bool NextIsValue() {
    const std::string_view before = rest_;
    const std::string_view word = Word();
    rest_ = before;
    return !word.empty() && !IsToken(word);
  }

  // What stands in brackets, up to and with `close`.
  bool Body(char close, Argument* argument, int depth) {
    std::vector<Argument> alternatives;
    for (;;) {
      std::vector<Argument> sequence;
      while (SkipSpaces(), !rest_.empty() && rest_[0] != '|' && rest_[0] != close) {
        Argument part;
        if (!Element(&part, depth + 1)) return false;
        sequence.push_back(std::move(part));
      }
      if (sequence.empty()) return false;
      alternatives.push_back(WrapSequence(std::move(sequence)));
      if (Take("|")) continue;
      if (rest_.empty() || rest_[0] != close) return false;
      rest_.remove_prefix(1);
      break;
    }
    *argument = alternatives.size() == 1 ? std::move(alternatives[0]) : Wrap(std::move(alternatives), Type::kOneOf);
    return true;
  }

  // "LIMIT offset count" as one: a block that the token heads.
  static Argument WrapSequence(std::vector<Argument> parts) {
    const bool headed = parts.size() > 1 && !parts[0].token.empty() && parts[0].type != Type::kPureToken &&
                        !parts[0].optional && std::all_of(parts.begin() + 1, parts.end(), [](const Argument& part) {
                          return part.token.empty() && part.type != Type::kOneOf;
                        });
    if (!headed) return Wrap(std::move(parts), Type::kBlock);
    const std::string token = parts[0].token;
    parts[0].token.clear();
    Argument whole = Wrap(std::move(parts), Type::kBlock);
    whole.token = token;
    whole.name = Lower(token);
    return whole;
  }

  std::string_view rest_;
  const size_t key_specs_;
  size_t keys_seen_ = 0;
};

}  // namespace

std::string_view TypeName(SyntaxArgument::Type type) {
  switch (type) {
    case Type::kString:
      return "string";
    case Type::kInteger:
      return "integer";
    case Type::kDouble:
      return "double";
    case Type::kKey:
      return "key";
    case Type::kPattern:
      return "pattern";
    case Type::kUnixTime:
      return "unix-time";
    case Type::kPureToken:
      return "pure-token";
    case Type::kOneOf:
      return "oneof";
    case Type::kBlock:
      return "block";
  }
  return "";
}

std::optional<std::vector<SyntaxArgument>> ParseSyntax(std::string_view syntax, size_t key_specs) {
  std::vector<SyntaxArgument> arguments;
  if (!Parser(syntax, key_specs).ParseAll(&arguments)) return std::nullopt;
  return arguments;
}

}  // namespace basalt
