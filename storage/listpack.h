#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace basalt::storage {

// Redis' listpack, the compact form inside RDB payloads (https://github.com/antirez/listpack):
//
//   [bytes in all:4 LE][elements:2 LE, 65535: not known] { [encoding, data][its length, backwards] }… [ff]
//
// An element is a string or a 64-bit integer; a string that prints as an integer is kept as one. Pure; any thread.

// The text of an element that is kept as an integer, or the bytes in the listpack.
struct ListpackElement {
  std::string_view bytes;  // when it is a string
  int64_t number = 0;      // when it is not
  bool is_number = false;

  // As a string. `buffer` holds kIntegerTextMax bytes.
  static constexpr size_t kIntegerTextMax = 24;
  std::string_view Text(char* buffer) const;
};

// Reads bytes that anyone may have made up: nothing outside of them is touched, whatever they say.
class ListpackReader {
 public:
  // False: no listpack (its header or its end are wrong).
  bool Open(std::string_view bytes);
  // How many elements it says it has; kUnknown when there are too many for the header.
  static constexpr uint16_t kUnknown = 65535;
  uint16_t stated_count() const { return stated_count_; }

  // False: at the end, or damaged; `ok()` tells the two apart.
  bool Next(ListpackElement* element);
  // The next one must be an integer.
  bool NextInteger(int64_t* number);
  bool at_end() const { return at_ == end_; }
  // After Next said false: all of it was read, and as many as it stated.
  bool ok() const { return !damaged_ && at_end() && (stated_count_ == kUnknown || stated_count_ == read_); }

 private:
  bool Damaged() {
    damaged_ = true;
    return false;
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;  // the ff
  uint16_t stated_count_ = 0;
  uint64_t read_ = 0;
  bool damaged_ = false;
};

class ListpackBuilder {
 public:
  ListpackBuilder() { Clear(); }

  void Clear();
  void Append(std::string_view element);
  void AppendInteger(int64_t number);
  // The elements of another one.
  void AppendAll(const ListpackBuilder& other);
  uint64_t count() const { return count_; }
  // What the whole takes, the end included.
  size_t bytes() const { return out_.size() + (finished_ ? 0 : 1); }
  // What Append(element) would add.
  static size_t ElementBytes(std::string_view element);

  // The finished listpack; a view of this builder, until the next Append or Clear.
  std::string_view Finish();

 private:
  void AppendBacklen(size_t length);
  void Reopen() {
    if (finished_) out_.pop_back();
    finished_ = false;
  }

  std::string out_;
  uint64_t count_ = 0;
  bool finished_ = false;
};

}  // namespace basalt::storage
