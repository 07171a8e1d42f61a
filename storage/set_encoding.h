#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "storage/metadata.h"

namespace basalt::storage {

// What OBJECT ENCODING says of sets: Redis 7.2's rules, by which a set is an intset, a listpack or a hashtable. They
// depend on the order in which members come and say nothing about how we store them. Pure functions; any thread.

// Redis' options set-max-intset-entries, set-max-listpack-entries and set-max-listpack-value (bytes).
struct SetLimits {
  uint64_t intset_entries = 512;
  uint64_t listpack_entries = 128;
  uint64_t listpack_value = 64;
};

// Longest text of an integer: "-9223372036854775808".
inline constexpr size_t kIntegerTextMax = 20;

// Whether a member can be in an intset: a signed 64-bit integer in the one form that Redis writes.
bool IsInteger(std::string_view member);
// Negative, 0, positive: the order of two members as numbers. REQUIRES: IsInteger() of both.
int CompareIntegers(std::string_view a, std::string_view b);

// The encoding of a set while members are added to it.
class SetEncoding {
 public:
  // A new set, to which about `members` will be added, `first` first.
  static SetEncoding ForNew(std::string_view first, uint64_t members, const SetLimits& limits);
  // One that has `count` members. `longest`: bytes of the longest of them when it is an intset.
  SetEncoding(Encoding encoding, uint64_t count, size_t longest, const SetLimits& limits)
      : limits_(limits), encoding_(encoding), count_(count), longest_(longest) {}

  // About so many members are going to be added to what is there.
  void Expect(uint64_t members);
  // A member that was not there.
  void Add(std::string_view member);
  // Every member is an integer, and the set was made in one go (SINTERSTORE): it is an intset if one may be so large.
  void MakeIntset();

  Encoding encoding() const { return encoding_; }
  uint64_t count() const { return count_; }

 private:
  uint64_t IntsetEntriesMax() const;

  SetLimits limits_;
  Encoding encoding_;
  uint64_t count_;
  size_t longest_;
};

}  // namespace basalt::storage
