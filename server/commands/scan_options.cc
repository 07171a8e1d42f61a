#include "server/commands/scan_options.h"

#include <charconv>
#include <cstdio>

namespace basalt {

bool ScanOptions::MatchesName(std::string_view name) const { return pattern == "*" || GlobMatch(pattern, name); }

Status ParseScanOptions(std::span<const std::string_view> words, ScanTypeOption type_option, ScanOptions* options) {
  for (size_t i = 0; i < words.size(); i += 2) {
    if (i + 1 == words.size()) return ErrorCode::kSyntax;
    const std::string_view value = words[i + 1];
    if (EqualsIgnoreCase(words[i], "COUNT")) {
      if (!ParseInteger(value, &options->count)) return ErrorCode::kNotInteger;
      if (options->count < 1) return ErrorCode::kSyntax;
    } else if (EqualsIgnoreCase(words[i], "MATCH")) {
      options->pattern = value;
    } else if (type_option == ScanTypeOption::kAllowed && EqualsIgnoreCase(words[i], "TYPE")) {
      options->type = value;  // an unknown type is one that no key has
      options->by_type = true;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return Ok();
}

void InsertScanHeader(net::ReplyBuilder& reply, net::OutputBuffer::Position start, uint64_t cursor, uint64_t count) {
  char digits[24];
  const auto cursor_bytes = static_cast<size_t>(std::to_chars(digits, digits + sizeof(digits), cursor).ptr - digits);
  char header[96];
  const int size = std::snprintf(header, sizeof(header), "*2\r\n$%zu\r\n%.*s\r\n*%llu\r\n", cursor_bytes,
                                 static_cast<int>(cursor_bytes), digits, static_cast<unsigned long long>(count));
  reply.buffer().Replace(start, start, {header, static_cast<size_t>(size)});
}

}  // namespace basalt
