#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "net/output_buffer.h"

namespace basalt::net {

enum class RespVersion : uint8_t { kResp2 = 2, kResp3 = 3 };

// Writes RESP into an OutputBuffer, in the version the client asked for
// (https://redis.io/docs/latest/develop/reference/protocol-spec/). Types that RESP2 lacks take the form Redis gives
// them there: Map -> flat array of 2n, Set and Push -> array, Double -> bulk string, Bool -> integer 0/1,
// Verbatim and BigNumber -> bulk string, Null -> "$-1", NullArray -> "*-1" (both "_" in RESP3).
//
// A small value; not thread-safe; keeps a pointer to a buffer it does not own.
class ReplyBuilder {
 public:
  ReplyBuilder(OutputBuffer* out, RespVersion version) : out_(out), version_(version) {}

  RespVersion version() const { return version_; }
  OutputBuffer& buffer() { return *out_; }

  // "+text". REQUIRES: no CR or LF in text.
  void Simple(std::string_view text);
  void Ok() { Simple("OK"); }
  // "-text": starts with the code word ("ERR …", "WRONGTYPE …"). CR and LF become spaces, as in Redis.
  void Error(std::string_view text);
  void Integer(int64_t value);
  void Bulk(std::string_view bytes);
  // As Bulk; large values are pinned through `owner` instead of copied.
  void BulkPinned(std::string_view bytes, std::shared_ptr<const void> owner);
  // The header of a bulk string whose `bytes` body bytes and closing CRLF the caller appends with Raw().
  void BulkHeader(uint64_t bytes);
  // An integer as a bulk string.
  void BulkInteger(int64_t value);
  void Null();
  void NullArray();
  void Bool(bool value);
  // Shortest text that reads back as `value` ("%.17g" form of Redis 7.2; "inf", "-inf", "nan").
  void Double(double value);
  void BigNumber(std::string_view digits);
  // `format` is three bytes: "txt" or "mkd".
  void Verbatim(std::string_view format, std::string_view text);

  // Headers; the caller then writes n elements (2n for Map).
  void Array(uint64_t n);
  void Map(uint64_t n);
  void Set(uint64_t n);
  void Push(uint64_t n);
  void Attribute(uint64_t n);

  // An aggregate whose length is known only after its elements:
  //   auto at = reply.Mark(); … elements …; reply.InsertArray(at, n);
  OutputBuffer::Position Mark() const { return out_->End(); }
  void InsertArray(OutputBuffer::Position at, uint64_t n);
  void InsertMap(OutputBuffer::Position at, uint64_t n);
  void InsertSet(OutputBuffer::Position at, uint64_t n);

  void Raw(std::string_view bytes) { out_->Append(bytes); }

 private:
  void Header(char type, int64_t n);
  void InsertHeader(OutputBuffer::Position at, char type, uint64_t n);

  OutputBuffer* out_;
  RespVersion version_;
};

}  // namespace basalt::net
