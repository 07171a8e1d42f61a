#include "server/lcs.h"

#include <algorithm>

namespace basalt {
namespace {

// Where the better neighbour of a cell with different bytes lies: one bit per cell, set for "one byte less of a".
class Directions {
 public:
  Directions(size_t rows, size_t columns) : columns_(columns), bits_(rows * columns) {}
  void SetUp(size_t row, size_t column) { bits_[row * columns_ + column] = true; }
  bool Up(size_t row, size_t column) const { return bits_[row * columns_ + column]; }

 private:
  size_t columns_;
  std::vector<bool> bits_;
};

// Fills the table row by row; only the last row is kept. Returns the length; `directions` may be null.
uint32_t FillTable(std::string_view a, std::string_view b, Directions* directions) {
  std::vector<uint32_t> row(b.size() + 1, 0);
  for (size_t i = 0; i < a.size(); ++i) {
    uint32_t diagonal = 0;  // of the row above
    for (size_t j = 0; j < b.size(); ++j) {
      const uint32_t up = row[j + 1];
      if (a[i] == b[j]) {
        row[j + 1] = diagonal + 1;
      } else if (up > row[j]) {
        if (directions != nullptr) directions->SetUp(i, j);
      } else {
        row[j + 1] = row[j];
      }
      diagonal = up;
    }
  }
  return row.back();
}

// Joins equal bytes that are met from the end into runs.
class MatchCollector {
 public:
  explicit MatchCollector(std::vector<LcsMatch>* matches) : matches_(matches) {}

  void Add(uint32_t a, uint32_t b) {
    if (open_ && current_.a_first == a + 1 && current_.b_first == b + 1) {
      current_.a_first = a;
      current_.b_first = b;
    } else {
      Close();
      current_ = {a, a, b, b};
      open_ = true;
    }
  }
  void Close() {
    if (open_) matches_->push_back(current_);
    open_ = false;
  }

 private:
  std::vector<LcsMatch>* matches_;
  LcsMatch current_ = {};
  bool open_ = false;
};

}  // namespace

uint32_t LcsLength(std::string_view a, std::string_view b) { return FillTable(a, b, nullptr); }

Lcs ComputeLcs(std::string_view a, std::string_view b) {
  Directions directions(a.size(), b.size());
  Lcs result;
  result.text.reserve(FillTable(a, b, &directions));
  MatchCollector collector(&result.matches);
  size_t i = a.size(), j = b.size();
  while (i > 0 && j > 0) {
    if (a[i - 1] == b[j - 1]) {
      --i, --j;
      result.text.push_back(a[i]);
      collector.Add(static_cast<uint32_t>(i), static_cast<uint32_t>(j));
    } else {
      collector.Close();
      directions.Up(i - 1, j - 1) ? --i : --j;
    }
  }
  collector.Close();
  std::reverse(result.text.begin(), result.text.end());
  return result;
}

}  // namespace basalt
