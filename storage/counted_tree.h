#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace basalt::storage {

// Buckets of an ordered collection, each with its lower bound and how many members it holds: finds the bucket of a
// position or of a rank, and how many members stand before it, in O(log buckets). A B-tree of sums, in memory.
//
// The first bucket has the empty bound, so every position has a bucket. Not thread-safe.
class CountedTree {
 public:
  CountedTree();
  ~CountedTree();
  CountedTree(CountedTree&&) noexcept;
  CountedTree& operator=(CountedTree&&) noexcept;

  struct Bucket {
    std::string_view bound;  // lives until the tree is changed
    std::string_view next;   // of the bucket behind it; empty: there is none
    uint64_t before = 0;     // members in the buckets before it
    uint64_t count = 0;
    bool last() const { return next.empty(); }
  };

  uint64_t total() const;
  uint64_t buckets() const { return buckets_; }
  uint64_t memory_bytes() const { return memory_bytes_; }

  // REQUIRES, of both: buckets() != 0.
  Bucket Find(std::string_view position) const;
  Bucket FindRank(uint64_t rank) const;  // the last bucket when rank >= total()

  // Adds to the count of the bucket that `position` falls into. REQUIRES: it does not become negative.
  void Add(std::string_view position, int64_t delta);
  // REQUIRES: no bucket, or this bucket, has the bound.
  void Insert(std::string_view bound, uint64_t count);
  void Erase(std::string_view bound);

 private:
  struct Node;
  struct Entry;
  struct Split;

  template <typename Choose>
  Bucket Descend(Choose&& choose) const;
  Split InsertInto(Node* node, std::string_view bound, uint64_t count);
  void EraseFrom(Node* node, std::string_view bound, uint64_t* count);

  std::unique_ptr<Node> root_;
  uint64_t buckets_ = 0;
  uint64_t memory_bytes_ = 0;
};

}  // namespace basalt::storage
