#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace basalt {

// How Redis reads the arguments of commands: what is accepted, and what is refused, to the byte. All functions are
// pure.

// A signed 64-bit integer: digits with an optional '-', no '+', no spaces, no leading zeros.
bool ParseInteger(std::string_view text, int64_t* value);
// An unsigned 64-bit integer as Redis reads stream ids and the like: as ParseInteger, and whatever else strtoull
// accepts
// ("007", "+1", " 1"); a negative number only in a form that ParseInteger refuses ("-01" is 2^64-1).
bool ParseUnsigned(std::string_view text, uint64_t* value);
// The cursor of SCAN and its relatives: strtoul without leading space; an empty text is 0.
bool ParseScanCursor(std::string_view text, uint64_t* cursor);

// A floating point number as strtod reads it (hex and inf included), whole text, no leading space, no nan, no overflow.
bool ParseDouble(std::string_view text, double* value);
bool ParseLongDouble(std::string_view text, long double* value);
// Longest text that ParseLongDouble looks at, and longest that FormatLongDouble makes.
inline constexpr size_t kLongDoubleTextMax = 5 * 1024;
// "%.17Lf" without trailing zeros, as INCRBYFLOAT answers; `buffer` holds kLongDoubleTextMax bytes. REQUIRES: finite.
std::string_view FormatLongDouble(long double value, char* buffer);

// Case-insensitive equality with an ASCII literal.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string ToLower(std::string_view text);
std::string ToUpper(std::string_view text);
// At each separator: two in a row have an empty part between them.
std::vector<std::string_view> SplitAt(std::string_view text, char separator);

// Redis' glob: * ? [a-z] [^x] and backslash, with its corner cases (a pattern of stars does not match an empty text
// unless the pattern is empty; an unclosed class ends with the pattern). At most |pattern| * |text| steps on any input.
bool GlobMatch(std::string_view pattern, std::string_view text, bool ignore_case = false);

}  // namespace basalt
