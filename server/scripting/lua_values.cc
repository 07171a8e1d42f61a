#include "server/scripting/lua_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "net/double_text.h"

namespace basalt {
namespace {

std::string_view UpToNul(std::string_view text) { return text.substr(0, text.find('\0')); }

std::string_view TrimLineEnds(std::string_view text) {
  while (!text.empty() && (text.front() == '\r' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

// t[name] = text, of the table on top.
void SetText(lua_State* L, const char* name, std::string_view text) {
  lua_pushstring(L, name);
  lua_pushlstring(L, text.data(), text.size());
  lua_rawset(L, -3);
}

}  // namespace

// ---- errors ----

void PushError(lua_State* L, std::string_view text) {
  text = UpToNul(text);
  std::string_view code = "ERR";
  if (text.starts_with('-')) {
    text.remove_prefix(1);
    if (const size_t space = text.find(' '); space != std::string_view::npos) {
      code = text.substr(0, space);
      text.remove_prefix(space + 1);
    }
  }
  text = TrimLineEnds(text);
  lua_createtable(L, 0, 4);  // err, and what the handler and redis.call add
  lua_pushliteral(L, "err");
  lua_pushlstring(L, code.data(), code.size());
  lua_pushliteral(L, " ");
  lua_pushlstring(L, text.data(), text.size());
  lua_concat(L, 3);
  lua_rawset(L, -3);
}

void RaiseError(lua_State* L, std::string_view text) {
  PushError(L, text);
  lua_error(L);
  abort();  // lua_error does not return
}

void PushCountedError(lua_State* L, std::string_view line) {
  PushError(L, line);
  lua_pushliteral(L, "ignore_error_stats_update");
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
}

// ---- RESP to Lua ----

namespace {

class ReplyReader {
 public:
  ReplyReader(lua_State* L, std::string_view bytes) : L_(L), rest_(bytes) {}

  bool Push() { return Value(Sink::kLua, 0) && rest_.empty(); }

 private:
  enum class Sink : uint8_t { kLua, kNowhere };  // attributes are read over
  static constexpr int kDepthMax = 128;
  static constexpr int kStackNeeded = 5;

  bool Line(std::string_view* line) {
    const size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos) return false;
    *line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return true;
  }
  static bool Number(std::string_view text, int64_t* value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    return error == std::errc() && end == text.data() + text.size();
  }
  bool Bytes(int64_t count, std::string_view* bytes) {
    if (count < 0 || rest_.size() < 2 || static_cast<uint64_t>(count) > rest_.size() - 2) return false;
    *bytes = rest_.substr(0, static_cast<size_t>(count));
    rest_.remove_prefix(static_cast<size_t>(count) + 2);
    return true;
  }
  void Text(std::string_view text) { lua_pushlstring(L_, text.data(), text.size()); }

  bool Value(Sink sink, int depth);
  bool Aggregate(char type, int64_t count, Sink sink, int depth);
  bool Blob(char type, int64_t count, Sink sink);
  bool Scalar(char type, std::string_view line, Sink sink);

  lua_State* const L_;
  std::string_view rest_;
};

bool ReplyReader::Value(Sink sink, int depth) {
  std::string_view line;
  if (depth > kDepthMax || !lua_checkstack(L_, kStackNeeded) || !Line(&line) || line.empty()) return false;
  const char type = line.front();
  line.remove_prefix(1);
  int64_t count;
  switch (type) {
    case '*':
    case '%':
    case '~':
    case '>':
    case '|':
      return Number(line, &count) && Aggregate(type, count, sink, depth);
    case '$':
    case '=':
      return Number(line, &count) && Blob(type, count, sink);
    default:
      return Scalar(type, line, sink);
  }
}

bool ReplyReader::Aggregate(char type, int64_t count, Sink sink, int depth) {
  const bool null = type == '*' && count == -1;
  if (count < 0 && !null) return false;
  if (type == '|' || sink == Sink::kNowhere) {
    const bool pairs = type == '|' || type == '%';
    for (int64_t i = 0; i < count; ++i) {
      if (!Value(Sink::kNowhere, depth + 1) || (pairs && !Value(Sink::kNowhere, depth + 1))) return false;
    }
    return type != '|' || Value(sink, depth + 1);
  }
  if (null) {
    lua_pushboolean(L_, 0);
    return true;
  }
  // An element takes at least three bytes ("_\r\n"): a count that lies makes no large table.
  const int room = static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(count), rest_.size() / 3));
  if (type == '*' || type == '>') {
    lua_createtable(L_, room, 0);
    for (int64_t i = 1; i <= count; ++i) {
      if (!Value(sink, depth + 1)) return false;
      lua_rawseti(L_, -2, static_cast<int>(i));
    }
    return true;
  }
  lua_createtable(L_, 0, 1);
  lua_pushstring(L_, type == '%' ? "map" : "set");
  lua_createtable(L_, 0, room);
  for (int64_t i = 0; i < count; ++i) {
    if (!Value(sink, depth + 1)) return false;
    if (type == '~') {
      lua_pushboolean(L_, 1);
    } else if (!Value(sink, depth + 1)) {
      return false;
    }
    if (lua_isnil(L_, -2)) {  // null is no key in Lua
      lua_pop(L_, 2);
    } else {
      lua_rawset(L_, -3);
    }
  }
  lua_rawset(L_, -3);
  return true;
}

bool ReplyReader::Blob(char type, int64_t count, Sink sink) {
  if (type == '$' && count == -1) {
    if (sink == Sink::kLua) lua_pushboolean(L_, 0);
    return true;
  }
  std::string_view bytes;
  if (!Bytes(count, &bytes)) return false;
  if (sink == Sink::kNowhere) return true;
  if (type == '$') {
    Text(bytes);
    return true;
  }
  constexpr size_t kFormatBytes = 3;
  if (bytes.size() < kFormatBytes + 1) return false;
  lua_createtable(L_, 0, 1);
  lua_pushliteral(L_, "verbatim_string");
  lua_createtable(L_, 0, 2);
  SetText(L_, "string", bytes.substr(kFormatBytes + 1));
  SetText(L_, "format", bytes.substr(0, kFormatBytes));
  lua_rawset(L_, -3);
  return true;
}

bool ReplyReader::Scalar(char type, std::string_view line, Sink sink) {
  const bool wanted = sink == Sink::kLua;
  switch (type) {
    case ':': {
      int64_t value;
      if (!Number(line, &value)) return false;
      if (wanted) lua_pushnumber(L_, static_cast<lua_Number>(value));
      return true;
    }
    case '+':
      if (!wanted) return true;
      lua_createtable(L_, 0, 1);
      SetText(L_, "ok", line);
      return true;
    case '-':
      if (!wanted) return true;
      lua_pushliteral(L_, "-");
      Text(line);
      lua_concat(L_, 2);
      {
        size_t bytes;
        const char* const text = lua_tolstring(L_, -1, &bytes);
        PushCountedError(L_, {text, bytes});
      }
      lua_remove(L_, -2);
      return true;
    case '_':
      if (wanted) lua_pushnil(L_);
      return line.empty();
    case '#':
      if (line != "t" && line != "f") return false;
      if (wanted) lua_pushboolean(L_, line == "t");
      return true;
    case ',': {
      // Of a copy with an end: strtod knows inf and nan.
      char text[64];
      if (line.empty() || line.size() >= sizeof(text)) return false;
      text[line.copy(text, sizeof(text) - 1)] = '\0';
      char* end;
      const double value = strtod(text, &end);
      if (end != text + line.size()) return false;
      if (!wanted) return true;
      lua_createtable(L_, 0, 1);
      lua_pushliteral(L_, "double");
      lua_pushnumber(L_, value);
      lua_rawset(L_, -3);
      return true;
    }
    case '(':
      if (!wanted) return true;
      lua_createtable(L_, 0, 1);
      SetText(L_, "big_number", line);
      return true;
    default:
      return false;
  }
}

}  // namespace

bool PushReply(lua_State* L, std::string_view bytes) { return ReplyReader(L, bytes).Push(); }

// ---- Lua to RESP ----

namespace {

std::string_view TextAt(lua_State* L, int index) {
  size_t bytes;
  const char* const text = lua_tolstring(L, index, &bytes);
  return {text, bytes};
}

// As a C cast does on x86: what has no 64-bit integer is the smallest one.
int64_t Truncate(double value) {
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  return value >= -kLimit && value < kLimit ? static_cast<int64_t>(value) : INT64_MIN;
}

class ValueWriter {
 public:
  ValueWriter(lua_State* L, ReplyTarget* target)
      : L_(L), target_(target), reply_(target->reply), start_(target->reply.buffer().End()) {}

  // Of the value on top, which it pops.
  bool Write();

  WriteOutcome outcome() const { return outcome_; }

 private:
  static constexpr int kStackNeeded = 4;
  static constexpr uint32_t kValuesPerQuestion = 16 * 1024;

  bool Table();
  bool Array();
  bool Map();
  bool Set();
  bool Verbatim();
  void Bool(bool value);
  void Line(char type, std::string_view text);
  bool WithinLimits();

  // Pushes t[name] of the table on top. False, nothing pushed: it is not of that type.
  bool Field(const char* name, int type) {
    lua_pushstring(L_, name);
    lua_rawget(L_, -2);
    if (lua_type(L_, -1) == type) return true;
    lua_pop(L_, 1);
    return false;
  }
  bool Flag(const char* name) {
    if (!Field(name, LUA_TBOOLEAN)) return false;
    const bool value = lua_toboolean(L_, -1);
    lua_pop(L_, 1);
    return value;
  }
  // Elements of the table on top.
  uint64_t CountPairs() {
    uint64_t count = 0;
    lua_pushnil(L_);
    while (lua_next(L_, -2) != 0) {
      ++count;
      lua_pop(L_, 1);
    }
    return count;
  }

  lua_State* const L_;
  ReplyTarget* const target_;
  net::ReplyBuilder& reply_;
  const size_t start_;
  uint32_t values_ = 0;
  WriteOutcome outcome_ = WriteOutcome::kWritten;
};

bool ValueWriter::WithinLimits() {
  if (reply_.buffer().size() - start_ > kScriptReplyBytesMax) {
    outcome_ = WriteOutcome::kTooLarge;
  } else if (++values_ % kValuesPerQuestion == 0 && target_->host.MustUnwind()) {
    outcome_ = WriteOutcome::kUnwind;
  }
  return outcome_ == WriteOutcome::kWritten;
}

bool ValueWriter::Write() {
  constexpr std::string_view kStackLimit = "ERR reached lua stack limit";
  if (!WithinLimits()) return false;
  if (!lua_checkstack(L_, kStackNeeded)) {
    reply_.Error(kStackLimit);
    target_->host.OnErrorReply(kStackLimit, false);
    lua_pop(L_, 1);
    return true;
  }
  switch (lua_type(L_, -1)) {
    case LUA_TSTRING:
      reply_.Bulk(TextAt(L_, -1));
      break;
    case LUA_TBOOLEAN:
      Bool(lua_toboolean(L_, -1));
      break;
    case LUA_TNUMBER:
      reply_.Integer(Truncate(lua_tonumber(L_, -1)));
      break;
    case LUA_TTABLE:
      if (!Table()) return false;
      break;
    default:
      reply_.Null();
  }
  lua_pop(L_, 1);
  return true;
}

void ValueWriter::Bool(bool value) {
  if (target_->script_resp == net::RespVersion::kResp3) {
    reply_.Bool(value);
  } else if (value) {
    reply_.Integer(1);
  } else {
    reply_.Null();
  }
}

// Of the table on top, which stays there, as everything below.
bool ValueWriter::Table() {
  if (Field("err", LUA_TSTRING)) {
    const std::string_view line = UpToNul(TextAt(L_, -1));
    reply_.Error(line);
    lua_pop(L_, 1);  // the table still has it
    target_->host.OnErrorReply(line, Flag("ignore_error_stats_update"));
  } else if (Field("ok", LUA_TSTRING)) {
    Line('+', UpToNul(TextAt(L_, -1)));
    lua_pop(L_, 1);
  } else if (Field("double", LUA_TNUMBER)) {
    reply_.Double(lua_tonumber(L_, -1));
    lua_pop(L_, 1);
  } else if (Field("big_number", LUA_TSTRING)) {
    if (reply_.version() == net::RespVersion::kResp3) {
      Line('(', TextAt(L_, -1));
    } else {
      reply_.BulkHeader(lua_objlen(L_, -1));
      Line('\0', TextAt(L_, -1));
    }
    lua_pop(L_, 1);
  } else if (Field("verbatim_string", LUA_TTABLE)) {
    const bool is_one = Verbatim();
    lua_pop(L_, 1);
    return is_one || Map();
  } else {
    return Map();
  }
  return true;
}

// type, the text with blanks for CR and LF, CRLF.
void ValueWriter::Line(char type, std::string_view text) {
  if (type != '\0') reply_.Raw({&type, 1});
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    reply_.Raw(text.substr(0, end));
    text.remove_prefix(end);
    if (text.empty()) break;
    reply_.Raw(" ");
    text.remove_prefix(1);
  }
  reply_.Raw("\r\n");
}

bool ValueWriter::Verbatim() {
  if (!Field("format", LUA_TSTRING)) return false;
  lua_pushliteral(L_, "string");
  lua_rawget(L_, -3);
  const bool is_one = lua_type(L_, -1) == LUA_TSTRING;
  if (is_one) {
    constexpr size_t kFormatBytes = 3;
    char format[kFormatBytes] = {' ', ' ', ' '};
    TextAt(L_, -2).copy(format, kFormatBytes);
    reply_.Verbatim({format, kFormatBytes}, TextAt(L_, -1));
  }
  lua_pop(L_, 2);
  return is_one;
}

bool ValueWriter::Map() {
  if (!Field("map", LUA_TTABLE)) return Set();
  reply_.Map(CountPairs());
  lua_pushnil(L_);
  while (lua_next(L_, -2) != 0) {
    lua_pushvalue(L_, -2);
    if (!Write() || !Write()) return false;
  }
  lua_pop(L_, 1);
  return true;
}

bool ValueWriter::Set() {
  if (!Field("set", LUA_TTABLE)) return Array();
  reply_.Set(CountPairs());
  lua_pushnil(L_);
  while (lua_next(L_, -2) != 0) {
    lua_pop(L_, 1);
    lua_pushvalue(L_, -1);
    if (!Write()) return false;
  }
  lua_pop(L_, 1);
  return true;
}

// Up to the first nil.
bool ValueWriter::Array() {
  int count = 0;
  for (;; ++count) {
    lua_rawgeti(L_, -1, count + 1);
    const bool end = lua_isnil(L_, -1);
    lua_pop(L_, 1);
    if (end) break;
  }
  reply_.Array(static_cast<uint64_t>(count));
  for (int i = 1; i <= count; ++i) {
    lua_rawgeti(L_, -1, i);
    if (!Write()) return false;
  }
  return true;
}

}  // namespace

WriteOutcome WriteValue(lua_State* L, ReplyTarget* target) {
  ValueWriter writer(L, target);
  writer.Write();
  return writer.outcome();
}

char* WriteNumber(char* at, double value) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53: whole numbers below are what they look like
  if (std::isnan(value)) return std::copy_n("nan", 3, at);
  if (std::isinf(value)) return value < 0 ? std::copy_n("-inf", 4, at) : std::copy_n("inf", 3, at);
  if (value == 0) return std::signbit(value) ? std::copy_n("-0", 2, at) : std::copy_n("0", 1, at);
  if (value > -kExactMax && value < kExactMax && value == std::trunc(value)) {
    return std::to_chars(at, at + net::kDoubleBytesMax, static_cast<int64_t>(value)).ptr;
  }
  return net::WriteShortestDouble(at, value);
}

}  // namespace basalt
