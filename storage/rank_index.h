#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/counted_tree.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// Order statistics of large sorted sets (DESIGN §4). Their members are divided into buckets of at most kBucketMax,
// whose counts are rows of `score` (ScoreTag::kBucket); over those stands a counted tree in memory, loaded when first
// used and given up when memory is short.
//
// A tree belongs to an object id. It is changed under the lock of the object's key, ahead of the commit, and is not
// for readers until that has happened. A reader has taken its snapshot; it uses a tree that was not changed since,
// which is one that is not pending and whose last commit is not younger than the snapshot. Any other is kNeedLocks.
inline constexpr uint64_t kRankedMembersMin = 1024;  // sorted sets of more members than this have buckets
// A rank is counted inside its bucket row by row: at 256, ZRANK takes 40 µs, at 128 it takes 26.
inline constexpr uint64_t kBucketMax = 128;
inline constexpr uint64_t kBucketFill = 96;  // of buckets that are made at once
inline constexpr uint64_t kBucketMin = 16;   // smaller ones are merged with a neighbour, where that fits

class RankTree;

// Any thread. Owned by Storage::Impl.
class RankIndex {
 public:
  explicit RankIndex(uint64_t budget_bytes) : budget_bytes_(budget_bytes) {}

  void SetBudget(uint64_t bytes);
  uint64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
  uint64_t trees() const { return trees_.load(std::memory_order_relaxed); }
  // Forgets all trees. REQUIRES: no commit group.
  void Clear();

  struct Place {
    std::string bound;    // of the bucket
    std::string next;     // of the one behind; empty: there is none
    uint64_t before = 0;  // members in the buckets before it
    uint64_t count = 0;   // … in it
  };
  // The bucket of a position, or of a rank, as of the view's moment. `members`: of the whole sorted set.
  // kNeedLocks; kIncomplete when loading would take the fast lane too long.
  Status Find(ReadView& view, uint64_t object_id, uint64_t members, std::string_view position, Place* place);
  Status FindRank(ReadView& view, uint64_t object_id, uint64_t members, uint64_t rank, Place* place);

  // ---- in a group that holds the key's lock; both write the bucket rows too ----
  // Loads the tree. Before the rows of the members are changed by this command.
  Status Open(WriteTxn& txn, uint64_t object_id, uint64_t members, std::shared_ptr<RankTree>* tree);
  // Writes the buckets of a sorted set that has just come to need them, from its member rows.
  static Status Create(WriteTxn& txn, uint64_t object_id);

 private:
  friend class RankTree;
  static constexpr size_t kShards = 64;
  struct Shard {
    std::mutex mu;
    std::unordered_map<uint64_t, std::shared_ptr<RankTree>> trees;  // guarded by mu
  };
  Shard& ShardOf(uint64_t object_id) { return shards_[object_id % kShards]; }
  std::shared_ptr<RankTree> Lookup(uint64_t object_id);
  void Install(uint64_t object_id, std::shared_ptr<RankTree> tree);
  void Forget(uint64_t object_id, const RankTree* tree);
  void Shrink();
  template <typename Query>
  Status Read(ReadView& view, uint64_t object_id, uint64_t members, Query&& query, Place* place);

  std::atomic<uint64_t> budget_bytes_;
  std::atomic<uint64_t> memory_bytes_{0};
  std::atomic<uint64_t> trees_{0};
  std::atomic<size_t> hand_{0};  // the shard that Shrink looks at next
  std::array<Shard, kShards> shards_;
};

// The tree of one sorted set. What changes it is called by the group that holds the key's lock.
class RankTree : public CommitParticipant, public std::enable_shared_from_this<RankTree> {
 public:
  RankTree(RankIndex& index, uint64_t object_id) : index_(index), object_id_(object_id) {}
  ~RankTree() override;

  // A member was put, or deleted, at the position: its row is already in the group. kIncomplete, …
  Status Added(WriteTxn& txn, std::string_view position);
  Status Removed(WriteTxn& txn, std::string_view position, uint64_t count = 1);
  Status Moved(WriteTxn& txn, std::string_view from, std::string_view to);
  // The members at these positions, in ascending order, were deleted.
  Status RemovedRun(WriteTxn& txn, const std::vector<std::string>& positions);
  // Whether the position is in the first, or the last bucket.
  bool InFirst(std::string_view position) const;
  bool InLast(std::string_view position) const;

  void OnCommitted(uint64_t sequence) override;
  void OnDropped() override;
  bool OnRolledBack(size_t row_operations) override;

 private:
  friend class RankIndex;

  // One step, and how to take it back.
  struct Change {
    enum Kind : uint8_t { kAdd, kInsert, kErase };
    Kind kind;
    size_t row_operations;  // of the group, before it
    std::string bound;
    int64_t count;
  };

  Status Load(WriteTxn& txn, uint64_t members);
  Status Split(WriteTxn& txn, std::string_view position);
  void MergeIfSmall(WriteTxn& txn, std::string_view position);
  // Each changes the tree, notes how, and writes the row.
  void Add(WriteTxn& txn, const std::string& bound, int64_t delta);
  void Insert(WriteTxn& txn, const std::string& bound, uint64_t count);
  void Erase(WriteTxn& txn, const std::string& bound, uint64_t count);
  void Note(WriteTxn& txn, Change change);
  RankIndex::Place FindLocked(std::string_view position) const;
  void CountMemory();

  RankIndex& index_;
  const uint64_t object_id_;
  std::atomic<bool> used_{true};  // since Shrink last came by

  mutable std::shared_mutex mu_;
  // Guarded by mu_; changed only by who holds the key's lock.
  CountedTree tree_;
  bool pending_ = false;
  uint64_t sequence_ = 0;       // of the last commit that changed it
  size_t base_operations_ = 0;  // it was loaded when the group had come so far
  std::vector<Change> journal_;
  std::atomic<uint64_t> counted_bytes_{0};  // in the index's memory_bytes_
};

// The shortest beginning of `right` that is greater than `left`. REQUIRES: left < right.
std::string_view ShortestBound(std::string_view left, std::string_view right);
// A bucket's row.
void PutBucket(WriteTxn& txn, uint64_t object_id, std::string_view bound, uint64_t count);

}  // namespace basalt::storage
