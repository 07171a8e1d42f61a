#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "storage/metadata.h"
#include "storage/read_view.h"

namespace basalt::storage {

// Goes through the members of one set or sorted set in the order of their hash, in which all of them are stored: what
// is merged needs no table in memory. Between two calls the view may be read and written otherwise.
//
// On one command's stack; the view outlives it, and so does the record.
class MemberCursor {
 public:
  // Memory for up to `rows_max` members, or kBytesPerRow for each, and one member.
  MemberCursor(ReadView& view, const Record& record, size_t rows_max);
  MemberCursor(MemberCursor&&) = default;
  // For so many cursors at once: together they stay within some MB.
  static size_t RowsEach(size_t cursors);

  // To the first member, and to each next.
  Status Next();
  // To the first member that is not before `place`.
  Status SkipTo(std::string_view place);
  bool done() const { return at_ == places_.size(); }
  // What the order is by: hash and member. Lives until the next call of Next().
  std::string_view place() const { return std::string_view(bytes_).substr(places_[at_].offset, places_[at_].size); }
  std::string_view member() const { return MemberOf(place()); }
  double score() const { return places_[at_].score; }  // 1 in a set

  static std::string_view MemberOf(std::string_view place);

 private:
  static constexpr size_t kBytesPerRow = 128;

  struct Place {
    size_t offset, size;
    double score;
  };
  void Append(std::string_view place, double score);
  Status FillFromPacked();
  Status FillFromRows();

  ReadView* view_;
  const Record* record_;
  size_t rows_max_;
  bool started_ = false;
  bool more_ = true;   // there may be rows behind the batch
  std::string lower_;  // … from this key on
  std::string bytes_;  // the batch
  std::vector<Place> places_;
  size_t at_ = 0;
};

}  // namespace basalt::storage
