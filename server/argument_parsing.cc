#include "server/argument_parsing.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace basalt {
namespace {

constexpr size_t kIntegerTextMax = 20;  // "-9223372036854775808", "18446744073709551615"

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; }

// Digits up to the end of the text or the first other byte, in 64 bits. False on overflow.
bool ReadDigits(std::string_view text, size_t* at, uint64_t* value) {
  uint64_t v = 0;
  for (; *at < text.size() && IsDigit(text[*at]); ++*at) {
    if (__builtin_mul_overflow(v, uint64_t{10}, &v) ||
        __builtin_add_overflow(v, static_cast<uint64_t>(text[*at] - '0'), &v))
      return false;
  }
  *value = v;
  return true;
}

// strtoull in base 10 on the whole text; *digits tells whether there were any.
bool ReadLikeStrtoull(std::string_view text, bool* digits, uint64_t* value) {
  size_t at = 0;
  while (at < text.size() && IsSpace(text[at])) ++at;
  const bool negative = at < text.size() && text[at] == '-';
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const size_t first_digit = at;
  uint64_t v = 0;
  if (!ReadDigits(text, &at, &v) || at != text.size()) return false;
  *digits = at > first_digit;
  *value = negative ? uint64_t{0} - v : v;
  return true;
}

// The C library wants a terminated text; arguments are views into a network buffer.
class TerminatedCopy {
 public:
  explicit TerminatedCopy(std::string_view text) {
    if (text.size() < sizeof(inline_)) {
      std::memcpy(inline_, text.data(), text.size());
      inline_[text.size()] = '\0';
      begin_ = inline_;
    } else {
      heap_.assign(text);
      begin_ = heap_.c_str();
    }
  }
  const char* begin() const { return begin_; }

 private:
  char inline_[128];
  std::string heap_;
  const char* begin_;
};

template <typename Float, Float (*kConvert)(const char*, char**)>
bool ParseFloat(std::string_view text, Float* value) {
  if (text.empty() || IsSpace(text.front())) return false;
  const TerminatedCopy copy(text);
  char* end = nullptr;
  errno = 0;
  const Float v = kConvert(copy.begin(), &end);
  if (static_cast<size_t>(end - copy.begin()) != text.size() || std::isnan(v)) return false;
  if (errno == ERANGE && (std::isinf(v) || v == 0)) return false;
  *value = v;
  return true;
}

// One pattern element against one byte. Moves *at behind the element. REQUIRES: *at < pattern.size(), pattern[*at] !=
// '*'.
class ElementMatcher {
 public:
  ElementMatcher(std::string_view pattern, bool ignore_case) : pattern_(pattern), ignore_case_(ignore_case) {}

  bool Match(size_t* at, char c) const {
    switch (pattern_[*at]) {
      case '?':
        ++*at;
        return true;
      case '[':
        ++*at;
        return MatchClass(at, c);
      case '\\':
        if (*at + 1 < pattern_.size()) ++*at;
        [[fallthrough]];
      default:
        return Same(pattern_[(*at)++], c);
    }
  }

 private:
  char At(size_t i) const { return i < pattern_.size() ? pattern_[i] : '\0'; }
  bool Same(char a, char b) const { return ignore_case_ ? Lower(a) == Lower(b) : a == b; }

  bool MatchClass(size_t* at, char c) const {
    size_t p = *at;
    const bool negated = At(p) == '^';
    if (negated) ++p;
    bool match = false;
    for (; p < pattern_.size() && pattern_[p] != ']'; ++p) {
      if (pattern_[p] == '\\' && p + 1 < pattern_.size()) {
        ++p;
        match = match || pattern_[p] == c;  // exact, also when the case is ignored: as Redis
      } else if (p + 2 < pattern_.size() && pattern_[p + 1] == '-') {
        match = match || InRange(pattern_[p], pattern_[p + 2], c);
        p += 2;
      } else {
        match = match || Same(pattern_[p], c);
      }
    }
    *at = p < pattern_.size() ? p + 1 : p;
    return match != negated;
  }

  // Bytes compare as signed chars, as they do in Redis.
  bool InRange(char from, char to, char c) const {
    if (static_cast<signed char>(from) > static_cast<signed char>(to)) std::swap(from, to);
    if (ignore_case_) from = Lower(from), to = Lower(to), c = Lower(c);
    return static_cast<signed char>(c) >= static_cast<signed char>(from) &&
           static_cast<signed char>(c) <= static_cast<signed char>(to);
  }

  std::string_view pattern_;
  bool ignore_case_;
};

}  // namespace

bool ParseInteger(std::string_view text, int64_t* value) {
  if (text.empty() || text.size() > kIntegerTextMax) return false;
  if (text.size() == 1 && text[0] == '0') {
    *value = 0;
    return true;
  }
  const bool negative = text[0] == '-';
  size_t at = negative ? 1 : 0;
  if (at == text.size() || text[at] < '1' || text[at] > '9') return false;
  uint64_t v = 0;
  if (!ReadDigits(text, &at, &v) || at != text.size()) return false;
  const uint64_t max = static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) + (negative ? 1 : 0);
  if (v > max) return false;
  *value = static_cast<int64_t>(negative ? uint64_t{0} - v : v);
  return true;
}

bool ParseUnsigned(std::string_view text, uint64_t* value) {
  int64_t integer;
  if (ParseInteger(text, &integer)) {
    if (integer < 0) return false;
    *value = static_cast<uint64_t>(integer);
    return true;
  }
  bool digits = false;
  return ReadLikeStrtoull(text, &digits, value) && digits;
}

bool ParseScanCursor(std::string_view text, uint64_t* cursor) {
  if (text.empty()) {
    *cursor = 0;
    return true;
  }
  bool digits = false;
  return !IsSpace(text.front()) && ReadLikeStrtoull(text, &digits, cursor) && digits;
}

bool ParseDouble(std::string_view text, double* value) { return ParseFloat<double, std::strtod>(text, value); }

bool ParseLongDouble(std::string_view text, long double* value) {
  return text.size() < kLongDoubleTextMax && ParseFloat<long double, std::strtold>(text, value);
}

std::string_view FormatLongDouble(long double value, char* buffer) {
  size_t size = static_cast<size_t>(std::snprintf(buffer, kLongDoubleTextMax, "%.17Lf", value));
  while (buffer[size - 1] == '0') --size;  // stops at the point: 17 digits follow it
  if (buffer[size - 1] == '.') --size;
  const std::string_view text(buffer, size);
  return text == "-0" ? "0" : text;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

std::string ToLower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = Lower(c);
  return result;
}

std::string ToUpper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = Upper(c);
  return result;
}

std::vector<std::string_view> SplitAt(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find(separator, from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

// Only the last star ever needs to be tried again: if what follows it fits nowhere in the rest of the text, giving an
// earlier star more leaves even less for it. So no recursion, and no exponential patterns.
bool GlobMatch(std::string_view pattern, std::string_view text, bool ignore_case) {
  const ElementMatcher matcher(pattern, ignore_case);
  constexpr size_t kNoStar = std::string_view::npos;
  size_t p = 0, t = 0;
  size_t after_star = kNoStar, star_text = 0;
  if (text.empty()) return pattern.empty();
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      while (p < pattern.size() && pattern[p] == '*') ++p;
      if (p == pattern.size()) return true;
      after_star = p;
      star_text = t;
    } else if (p < pattern.size() && matcher.Match(&p, text[t])) {
      ++t;
    } else if (after_star != kNoStar) {
      p = after_star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace basalt
