#pragma once

#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "storage/value_sink.h"

namespace basalt::storage {

// Letters and digits as they are, other bytes as %xx; nothing is "%". As record_rdb_payloads.py writes it.
inline std::string Quoted(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    char hex[4];
    std::snprintf(hex, sizeof hex, "%%%02x", byte);
    if (byte < 0x80 && std::isalnum(byte)) {
      text += c;
    } else {
      text += hex;
    }
  }
  return text.empty() ? "%" : text;
}

// A value as lines of text, to be compared.
class ValueText : public ValueSink {
 public:
  const std::vector<std::string>& lines() const { return lines_; }
  bool ended() const { return ended_; }

  Status String(std::string_view bytes) override {
    lines_ = {"string", "value " + Quoted(bytes)};
    ended_ = true;
    return Status::kOk;
  }
  Status Begin(ValueType type, Encoding encoding, uint64_t) override {
    return Line(std::string(TypeName(type)) + " " + std::string(EncodingName(encoding)));
  }
  Status Element(std::string_view element) override { return Line("element " + Quoted(element)); }
  Status Scored(std::string_view member, double score) override {
    return Line("scored " + Quoted(member) + " " + Python(score));
  }
  Status Field(std::string_view field, std::string_view value) override {
    return Line("field " + Quoted(field) + " " + Quoted(value));
  }
  Status Entry(StreamId id, std::span<const std::string_view> fields_and_values) override {
    std::string line = "entry " + Text(id);
    for (const std::string_view text : fields_and_values) line += " " + Quoted(text);
    return Line(line);
  }
  Status Facts(const StreamFacts& facts) override {
    return Line("stream " + std::to_string(facts.length) + " " + Text(facts.last_id) + " " + Text(facts.first_id) +
                " " + Text(facts.max_deleted_id) + " " + std::to_string(facts.entries_added));
  }
  Status Group(const GroupFacts& facts) override {
    return Line("group " + Quoted(facts.name) + " " + Text(facts.last_id) + " " + std::to_string(facts.entries_read));
  }
  Status Consumer(const ConsumerFacts& facts) override {
    return Line("consumer " + Quoted(facts.name) + " " + std::to_string(facts.seen_ms) + " " +
                std::to_string(facts.active_ms));
  }
  Status Pending(StreamId id, int64_t delivered_ms, uint64_t deliveries) override {
    return Line("pending " + Text(id) + " " + std::to_string(delivered_ms) + " " + std::to_string(deliveries));
  }
  Status End() override {
    ended_ = true;
    return Status::kOk;
  }

 private:
  Status Line(std::string line) {
    lines_.push_back(std::move(line));
    return Status::kOk;
  }
  static std::string Text(StreamId id) { return std::to_string(id.ms) + "-" + std::to_string(id.seq); }
  // As Python's repr of a float.
  static std::string Python(double score) {
    if (std::isinf(score)) return score < 0 ? "-inf" : "inf";
    char text[32];
    std::string shortest(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, score).ptr - text));
    if (shortest.find_first_of(".e") == std::string::npos) shortest += ".0";
    return shortest;
  }

  std::vector<std::string> lines_;
  bool ended_ = false;
};

}  // namespace basalt::storage
