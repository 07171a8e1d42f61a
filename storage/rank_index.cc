#include "storage/rank_index.h"

#include <algorithm>
#include <cassert>

#include "storage/key_codec.h"
#include "storage/storage.h"
#include "storage/storage_impl.h"

namespace basalt::storage {
namespace {

// Loading a tree of more members than this is not for the fast lane: a thousand rows.
constexpr uint64_t kFastLoadMembersMax = 1000 * kBucketFill;

constexpr size_t kCountBytes = 4;

}  // namespace

std::string_view ShortestBound(std::string_view left, std::string_view right) {
  assert(left < right);
  size_t same = 0;
  while (same < left.size() && left[same] == right[same]) ++same;
  return right.substr(0, same + 1);
}

void PutBucket(WriteTxn& txn, uint64_t object_id, std::string_view bound, uint64_t count) {
  KeyBuffer key;
  EncodeScoreKey(object_id, ScoreTag::kBucket, bound, &key);
  char value[kCountBytes];
  PutBig32(value, static_cast<uint32_t>(count));
  txn.PutRow(RowFamily::kScore, key.view(), {value, kCountBytes});
}

// ---- the index ----

std::shared_ptr<RankTree> RankIndex::Lookup(uint64_t object_id) {
  Shard& shard = ShardOf(object_id);
  const std::lock_guard lock(shard.mu);
  const auto found = shard.trees.find(object_id);
  if (found == shard.trees.end()) return nullptr;
  if (!found->second->used_.load(std::memory_order_relaxed)) {
    found->second->used_.store(true, std::memory_order_relaxed);
  }
  return found->second;
}

void RankIndex::Install(uint64_t object_id, std::shared_ptr<RankTree> tree) {
  Shard& shard = ShardOf(object_id);
  {
    const std::lock_guard lock(shard.mu);
    std::shared_ptr<RankTree>& place = shard.trees[object_id];
    if (place == nullptr) trees_.fetch_add(1, std::memory_order_relaxed);
    place.swap(tree);
  }
  Shrink();
}

void RankIndex::Forget(uint64_t object_id, const RankTree* tree) {
  std::shared_ptr<RankTree> last;  // freed outside of the lock
  Shard& shard = ShardOf(object_id);
  const std::lock_guard lock(shard.mu);
  const auto found = shard.trees.find(object_id);
  if (found == shard.trees.end() || found->second.get() != tree) return;
  last = std::move(found->second);
  shard.trees.erase(found);
  trees_.fetch_sub(1, std::memory_order_relaxed);
}

void RankIndex::SetBudget(uint64_t bytes) {
  budget_bytes_.store(bytes, std::memory_order_relaxed);
  Shrink();
}

void RankIndex::Clear() {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mu);
    trees_.fetch_sub(shard.trees.size(), std::memory_order_relaxed);
    shard.trees.clear();
  }
}

// A clock over the shards: what was not used since it last came by goes. Trees with changes that are not committed
// stay.
void RankIndex::Shrink() {
  const uint64_t budget = budget_bytes_.load(std::memory_order_relaxed);
  for (size_t step = 0; step < 2 * kShards && memory_bytes() > budget; ++step) {
    Shard& shard = shards_[hand_.fetch_add(1, std::memory_order_relaxed) % kShards];
    std::vector<std::shared_ptr<RankTree>> dropped;  // freed outside of the lock
    const std::lock_guard lock(shard.mu);
    for (auto each = shard.trees.begin(); each != shard.trees.end() && memory_bytes() > budget;) {
      RankTree& tree = *each->second;
      if (tree.used_.exchange(false, std::memory_order_relaxed)) {
        ++each;
        continue;
      }
      {
        const std::shared_lock tree_lock(tree.mu_);
        if (tree.pending_) {
          ++each;
          continue;
        }
      }
      memory_bytes_.fetch_sub(tree.counted_bytes_.exchange(0), std::memory_order_relaxed);
      dropped.push_back(std::move(each->second));
      each = shard.trees.erase(each);
      trees_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
}

template <typename Query>
Status RankIndex::Read(ReadView& view, uint64_t object_id, uint64_t members, Query&& query, Place* place) {
  std::shared_ptr<RankTree> tree = Lookup(object_id);
  WriteTxn* const txn = view.AsWriteTxn();
  if (tree == nullptr) {
    if (txn == nullptr) return Status::kNeedLocks;
    const Status status = Open(*txn, object_id, members, &tree);
    if (status != Status::kOk) return status;
  }
  const std::shared_lock lock(tree->mu_);
  if (txn == nullptr && (tree->pending_ || tree->sequence_ > view.snapshot_sequence())) return Status::kNeedLocks;
  const CountedTree::Bucket bucket = query(tree->tree_);
  place->bound = bucket.bound;
  place->next = bucket.next;
  place->before = bucket.before;
  place->count = bucket.count;
  return Status::kOk;
}

Status RankIndex::Find(ReadView& view, uint64_t object_id, uint64_t members, std::string_view position, Place* place) {
  return Read(
      view, object_id, members, [position](const CountedTree& tree) { return tree.Find(position); }, place);
}

Status RankIndex::FindRank(ReadView& view, uint64_t object_id, uint64_t members, uint64_t rank, Place* place) {
  return Read(
      view, object_id, members, [rank](const CountedTree& tree) { return tree.FindRank(rank); }, place);
}

Status RankIndex::Open(WriteTxn& txn, uint64_t object_id, uint64_t members, std::shared_ptr<RankTree>* tree) {
  *tree = Lookup(object_id);
  if (*tree != nullptr) return Status::kOk;
  if (members > kFastLoadMembersMax && txn.tier() == ReadTier::kMemory) return Status::kIncomplete;
  auto loaded = std::make_shared<RankTree>(*this, object_id);
  const Status status = loaded->Load(txn, members);
  if (status != Status::kOk) return status;
  Install(object_id, loaded);
  *tree = std::move(loaded);
  return Status::kOk;
}

Status RankIndex::Create(WriteTxn& txn, uint64_t object_id) {
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeScoreKey(object_id, ScoreTag::kMember, {}, &lower);
  EncodeScoreEnd(object_id, ScoreTag::kMember, &upper);
  struct Bucket {
    std::string bound;
    uint64_t count;
  };
  std::vector<Bucket> buckets;
  std::string last;
  const auto visit = [&](std::string_view key, std::string_view) {
    const std::string_view position = key.substr(kScoreKeyPrefixBytes);
    if (buckets.empty()) {
      buckets.push_back({{}, 0});
    } else if (buckets.back().count == kBucketFill) {
      buckets.push_back({std::string(ShortestBound(last, position)), 0});
    }
    ++buckets.back().count;
    last = position;
    return true;
  };
  const Status status = ScanRows(txn, RowFamily::kScore, lower.view(), upper.view(), visit);
  if (status != Status::kOk) return status;
  for (const Bucket& bucket : buckets) PutBucket(txn, object_id, bucket.bound, bucket.count);
  return Status::kOk;
}

// ---- a tree ----

RankTree::~RankTree() {
  index_.memory_bytes_.fetch_sub(counted_bytes_.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

void RankTree::CountMemory() {
  const uint64_t bytes = sizeof(RankTree) + tree_.memory_bytes();
  const uint64_t before = counted_bytes_.exchange(bytes, std::memory_order_relaxed);
  index_.memory_bytes_.fetch_add(bytes - before, std::memory_order_relaxed);
}

Status RankTree::Load(WriteTxn& txn, uint64_t members) {
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeScoreKey(object_id_, ScoreTag::kBucket, {}, &lower);
  EncodeScoreEnd(object_id_, ScoreTag::kBucket, &upper);
  bool damaged = false;
  const auto visit = [&](std::string_view key, std::string_view value) {
    const std::string_view bound = key.substr(kScoreKeyPrefixBytes);
    damaged = value.size() != kCountBytes || (tree_.buckets() == 0) != bound.empty();
    if (!damaged) tree_.Insert(bound, GetBig32(value.data()));
    return !damaged;
  };
  const Status status = ScanRows(txn, RowFamily::kScore, lower.view(), upper.view(), visit);
  if (status != Status::kOk) return status;
  if (damaged || tree_.buckets() == 0 || tree_.total() != members) return Status::kCorruption;
  sequence_ = txn.storage().LastSequence();
  if (txn.HasPendingWrites()) {
    // Some of them may be this object's: readers see it when they are committed. If none is, and what this group still
    // does to the tree is taken back, it is as of the sequence above.
    pending_ = true;
    base_operations_ = txn.RowOperations();
    txn.Enlist(shared_from_this());
  }
  CountMemory();
  return Status::kOk;
}

RankIndex::Place RankTree::FindLocked(std::string_view position) const {
  // Only the holder of the key's lock changes the tree, and it is the one that asks.
  const CountedTree::Bucket bucket = tree_.Find(position);
  return {std::string(bucket.bound), std::string(bucket.next), bucket.before, bucket.count};
}

void RankTree::Note(WriteTxn& txn, Change change) {
  if (!pending_) {
    pending_ = true;
    base_operations_ = 0;
    txn.Enlist(shared_from_this());
  }
  journal_.push_back(std::move(change));
}

void RankTree::Add(WriteTxn& txn, const std::string& bound, int64_t delta) {
  uint64_t count;
  {
    const std::unique_lock lock(mu_);
    Note(txn, {Change::kAdd, txn.RowOperations(), bound, delta});
    tree_.Add(bound, delta);
    count = tree_.Find(bound).count;
  }
  PutBucket(txn, object_id_, bound, count);
}

void RankTree::Insert(WriteTxn& txn, const std::string& bound, uint64_t count) {
  {
    const std::unique_lock lock(mu_);
    Note(txn, {Change::kInsert, txn.RowOperations(), bound, static_cast<int64_t>(count)});
    tree_.Insert(bound, count);
  }
  PutBucket(txn, object_id_, bound, count);
}

void RankTree::Erase(WriteTxn& txn, const std::string& bound, uint64_t count) {
  {
    const std::unique_lock lock(mu_);
    Note(txn, {Change::kErase, txn.RowOperations(), bound, static_cast<int64_t>(count)});
    tree_.Erase(bound);
  }
  KeyBuffer key;
  EncodeScoreKey(object_id_, ScoreTag::kBucket, bound, &key);
  txn.DeleteRow(RowFamily::kScore, key.view());
}

Status RankTree::Added(WriteTxn& txn, std::string_view position) {
  const CountedTree::Bucket bucket = tree_.Find(position);
  const std::string bound(bucket.bound);
  const bool full = bucket.count + 1 > kBucketMax;
  Add(txn, bound, 1);
  return full ? Split(txn, position) : Status::kOk;
}

Status RankTree::Removed(WriteTxn& txn, std::string_view position, uint64_t count) {
  const CountedTree::Bucket bucket = tree_.Find(position);
  if (bucket.count < count) return Status::kCorruption;
  const bool small = bucket.count - count < kBucketMin;
  Add(txn, std::string(bucket.bound), -static_cast<int64_t>(count));
  if (small) MergeIfSmall(txn, position);
  return Status::kOk;
}

Status RankTree::Moved(WriteTxn& txn, std::string_view from, std::string_view to) {
  if (tree_.Find(from).bound == tree_.Find(to).bound) return Status::kOk;
  const Status status = Removed(txn, from);
  return status == Status::kOk ? Added(txn, to) : status;
}

Status RankTree::RemovedRun(WriteTxn& txn, const std::vector<std::string>& positions) {
  for (size_t i = 0; i < positions.size();) {
    const RankIndex::Place place = FindLocked(positions[i]);
    size_t end = i + 1;
    while (end < positions.size() && (place.next.empty() || positions[end] < place.next)) ++end;
    const uint64_t count = end - i;
    if (place.count < count) return Status::kCorruption;
    if (place.count == count && !place.bound.empty()) {
      Erase(txn, place.bound, place.count);
    } else {
      Add(txn, place.bound, -static_cast<int64_t>(count));
    }
    i = end;
  }
  if (!positions.empty()) {
    MergeIfSmall(txn, positions.back());
    MergeIfSmall(txn, positions.front());
  }
  return Status::kOk;
}

// A bucket has become too large: its rows, with the one just put among them, are looked at.
Status RankTree::Split(WriteTxn& txn, std::string_view position) {
  const RankIndex::Place place = FindLocked(position);
  KeyBuffer lower;
  KeyBuffer upper;
  EncodeScoreKey(object_id_, ScoreTag::kMember, place.bound, &lower);
  if (place.next.empty()) {
    EncodeScoreEnd(object_id_, ScoreTag::kMember, &upper);
  } else {
    EncodeScoreKey(object_id_, ScoreTag::kMember, place.next, &upper);
  }
  std::vector<std::string> positions;
  const auto visit = [&](std::string_view key, std::string_view) {
    positions.emplace_back(key.substr(kScoreKeyPrefixBytes));
    return true;
  };
  const Status status = ScanRows(txn, RowFamily::kScore, lower.view(), upper.view(), visit);
  if (status != Status::kOk) return status;
  if (positions.size() != place.count) return Status::kCorruption;
  // What grows at its end (timestamps) leaves full buckets behind.
  const bool appended = place.next.empty() && positions.back() == position;
  const size_t at = appended ? positions.size() - 1 : positions.size() / 2;
  const uint64_t moved = positions.size() - at;
  Add(txn, place.bound, -static_cast<int64_t>(moved));
  Insert(txn, std::string(ShortestBound(positions[at - 1], positions[at])), moved);
  return Status::kOk;
}

void RankTree::MergeIfSmall(WriteTxn& txn, std::string_view position) {
  const RankIndex::Place place = FindLocked(position);
  if (place.count >= kBucketMin) return;
  const uint64_t together_max = place.count == 0 ? kBucketMax : kBucketFill;
  if (!place.next.empty()) {
    const RankIndex::Place right = FindLocked(place.next);
    if (place.count + right.count <= together_max) {
      Erase(txn, right.bound, right.count);
      Add(txn, place.bound, static_cast<int64_t>(right.count));
      return;
    }
  }
  if (place.before == 0) return;
  const std::string left(tree_.FindRank(place.before - 1).bound);
  if (place.count + FindLocked(left).count > together_max) return;
  Erase(txn, place.bound, place.count);
  if (place.count != 0) Add(txn, left, static_cast<int64_t>(place.count));
}

bool RankTree::InFirst(std::string_view position) const { return tree_.Find(position).bound.empty(); }
bool RankTree::InLast(std::string_view position) const { return tree_.Find(position).last(); }

void RankTree::OnCommitted(uint64_t sequence) {
  const std::unique_lock lock(mu_);
  sequence_ = sequence;
  pending_ = false;
  base_operations_ = 0;
  journal_.clear();
  CountMemory();
}

void RankTree::OnDropped() {
  {
    const std::unique_lock lock(mu_);
    pending_ = true;  // for whoever has found it already
    journal_.clear();
  }
  index_.Forget(object_id_, this);
}

bool RankTree::OnRolledBack(size_t row_operations) {
  if (row_operations < base_operations_) {
    OnDropped();
    return false;
  }
  const std::unique_lock lock(mu_);
  for (; !journal_.empty() && journal_.back().row_operations >= row_operations; journal_.pop_back()) {
    const Change& change = journal_.back();
    switch (change.kind) {
      case Change::kAdd:
        tree_.Add(change.bound, -change.count);
        break;
      case Change::kInsert:
        tree_.Erase(change.bound);
        break;
      case Change::kErase:
        tree_.Insert(change.bound, static_cast<uint64_t>(change.count));
        break;
    }
  }
  if (!journal_.empty() || base_operations_ != 0) return true;
  pending_ = false;  // as it was committed last
  return false;
}

}  // namespace basalt::storage
