#include "net/reply_builder.h"

#include <glog/logging.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "net/double_text.h"

namespace basalt::net {

namespace {

constexpr size_t kIntBytesMax = 20;       // "-9223372036854775808"
constexpr size_t kSmallBulkBytes = 1024;  // header and body of a bulk up to this size are written as one piece

char* WriteInt(char* at, int64_t value) { return std::to_chars(at, at + kIntBytesMax, value).ptr; }

char* WriteCrlf(char* at) {
  at[0] = '\r';
  at[1] = '\n';
  return at + 2;
}

char* WriteDouble(char* at, double value) {
  if (std::isnan(value)) return std::copy_n("nan", 3, at);
  if (std::isinf(value)) return value < 0 ? std::copy_n("-inf", 4, at) : std::copy_n("inf", 3, at);
  if (value == 0) return std::signbit(value) ? std::copy_n("-0", 2, at) : std::copy_n("0", 1, at);
  constexpr double kWholeMax = static_cast<double>(INT64_MAX / 2);
  if (value >= -kWholeMax && value <= kWholeMax) {
    const int64_t whole = static_cast<int64_t>(value);
    if (static_cast<double>(whole) == value) return WriteInt(at, whole);
  }
  return WriteShortestDouble(at, value);
}

}  // namespace

void ReplyBuilder::Header(char type, int64_t n) {
  char* const begin = out_->Prepare(kIntBytesMax + 3);
  *begin = type;
  out_->Commit(static_cast<size_t>(WriteCrlf(WriteInt(begin + 1, n)) - begin));
}

void ReplyBuilder::Simple(std::string_view text) {
  char* const begin = out_->Prepare(text.size() + 3);
  *begin = '+';
  out_->Commit(static_cast<size_t>(WriteCrlf(std::copy(text.begin(), text.end(), begin + 1)) - begin));
}

void ReplyBuilder::Error(std::string_view text) {
  while (!text.empty() && (text.front() == '\r' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  char* const begin = out_->Prepare(text.size() + 3);
  *begin = '-';
  char* at =
      std::transform(text.begin(), text.end(), begin + 1, [](char c) { return c == '\r' || c == '\n' ? ' ' : c; });
  out_->Commit(static_cast<size_t>(WriteCrlf(at) - begin));
}

void ReplyBuilder::Integer(int64_t value) { Header(':', value); }

void ReplyBuilder::Bulk(std::string_view bytes) {
  if (bytes.size() <= kSmallBulkBytes) {
    char* const begin = out_->Prepare(bytes.size() + kIntBytesMax + 5);
    *begin = '$';
    char* at = WriteCrlf(WriteInt(begin + 1, static_cast<int64_t>(bytes.size())));
    at = WriteCrlf(std::copy(bytes.begin(), bytes.end(), at));
    out_->Commit(static_cast<size_t>(at - begin));
    return;
  }
  Header('$', static_cast<int64_t>(bytes.size()));
  out_->Append(bytes);
  out_->Append("\r\n");
}

void ReplyBuilder::BulkPinned(std::string_view bytes, std::shared_ptr<const void> owner) {
  if (bytes.size() < OutputBuffer::kPinBytesMin) return Bulk(bytes);
  Header('$', static_cast<int64_t>(bytes.size()));
  out_->AppendPinned(bytes, std::move(owner));
  out_->Append("\r\n");
}

void ReplyBuilder::BulkHeader(uint64_t bytes) { Header('$', static_cast<int64_t>(bytes)); }

void ReplyBuilder::BulkInteger(int64_t value) {
  char text[kIntBytesMax];
  Bulk({text, static_cast<size_t>(WriteInt(text, value) - text)});
}

void ReplyBuilder::Null() { out_->Append(version_ == RespVersion::kResp2 ? "$-1\r\n" : "_\r\n"); }

void ReplyBuilder::NullArray() { out_->Append(version_ == RespVersion::kResp2 ? "*-1\r\n" : "_\r\n"); }

void ReplyBuilder::Bool(bool value) {
  if (version_ == RespVersion::kResp2) return Integer(value ? 1 : 0);
  out_->Append(value ? "#t\r\n" : "#f\r\n");
}

void ReplyBuilder::Double(double value) {
  char text[kDoubleBytesMax + 3];
  char* const end = WriteDouble(text + 1, value);
  if (version_ == RespVersion::kResp2) return Bulk({text + 1, static_cast<size_t>(end - text - 1)});
  text[0] = ',';
  out_->Append({text, static_cast<size_t>(WriteCrlf(end) - text)});
}

void ReplyBuilder::BigNumber(std::string_view digits) {
  if (version_ == RespVersion::kResp2) return Bulk(digits);
  out_->Append("(");
  out_->Append(digits);
  out_->Append("\r\n");
}

void ReplyBuilder::Verbatim(std::string_view format, std::string_view text) {
  if (version_ == RespVersion::kResp2) return Bulk(text);
  CHECK_EQ(format.size(), 3u);
  Header('=', static_cast<int64_t>(text.size()) + 4);
  out_->Append(format);
  out_->Append(":");
  out_->Append(text);
  out_->Append("\r\n");
}

void ReplyBuilder::Array(uint64_t n) { Header('*', static_cast<int64_t>(n)); }

void ReplyBuilder::Map(uint64_t n) {
  if (version_ == RespVersion::kResp2) return Array(2 * n);
  Header('%', static_cast<int64_t>(n));
}

void ReplyBuilder::Set(uint64_t n) { Header(version_ == RespVersion::kResp2 ? '*' : '~', static_cast<int64_t>(n)); }

void ReplyBuilder::Push(uint64_t n) { Header(version_ == RespVersion::kResp2 ? '*' : '>', static_cast<int64_t>(n)); }

void ReplyBuilder::Attribute(uint64_t n) {
  CHECK(version_ == RespVersion::kResp3) << "RESP2 has no attributes";
  Header('|', static_cast<int64_t>(n));
}

void ReplyBuilder::InsertHeader(OutputBuffer::Position at, char type, uint64_t n) {
  char header[kIntBytesMax + 3];
  header[0] = type;
  const char* end = WriteCrlf(WriteInt(header + 1, static_cast<int64_t>(n)));
  out_->Replace(at, at, {header, static_cast<size_t>(end - header)});
}

void ReplyBuilder::InsertArray(OutputBuffer::Position at, uint64_t n) { InsertHeader(at, '*', n); }

void ReplyBuilder::InsertMap(OutputBuffer::Position at, uint64_t n) {
  if (version_ == RespVersion::kResp2) return InsertArray(at, 2 * n);
  InsertHeader(at, '%', n);
}

void ReplyBuilder::InsertSet(OutputBuffer::Position at, uint64_t n) {
  InsertHeader(at, version_ == RespVersion::kResp2 ? '*' : '~', n);
}

}  // namespace basalt::net
