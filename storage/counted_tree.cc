#include "storage/counted_tree.h"

#include <algorithm>
#include <cassert>

namespace basalt::storage {
namespace {

constexpr size_t kEntriesMax = 64;

}  // namespace

// Of a leaf: a bucket. Of an inner node: a child, the bound of its first bucket and the sum of its counts.
struct CountedTree::Entry {
  std::string bound;
  uint64_t count = 0;
  std::unique_ptr<Node> child;
};

struct CountedTree::Node {
  bool leaf = true;
  std::vector<Entry> entries;

  // The entry whose range holds the position. (Before the first bound: the first.)
  size_t Find(std::string_view position) const {
    const auto behind = std::upper_bound(entries.begin(), entries.end(), position,
                                         [](std::string_view at, const Entry& entry) { return at < entry.bound; });
    return behind == entries.begin() ? 0 : static_cast<size_t>(behind - entries.begin()) - 1;
  }
  uint64_t Sum() const {
    uint64_t sum = 0;
    for (const Entry& entry : entries) sum += entry.count;
    return sum;
  }
};

// The upper half of a node that became too large; null when it did not.
struct CountedTree::Split {
  std::unique_ptr<Node> right;
};

CountedTree::CountedTree() : root_(std::make_unique<Node>()) {}
CountedTree::~CountedTree() = default;
CountedTree::CountedTree(CountedTree&&) noexcept = default;
CountedTree& CountedTree::operator=(CountedTree&&) noexcept = default;

uint64_t CountedTree::total() const { return root_->Sum(); }

// `choose(node, &before)`: which entry to go down into, adding to `before` what the entries left of it hold.
template <typename Choose>
CountedTree::Bucket CountedTree::Descend(Choose&& choose) const {
  assert(buckets_ != 0);
  Bucket bucket;
  const Node* node = root_.get();
  while (true) {
    const size_t at = choose(*node);
    for (size_t i = 0; i < at; ++i) bucket.before += node->entries[i].count;
    if (at + 1 < node->entries.size()) bucket.next = node->entries[at + 1].bound;
    const Entry& entry = node->entries[at];
    if (node->leaf) {
      bucket.bound = entry.bound;
      bucket.count = entry.count;
      return bucket;
    }
    node = entry.child.get();
  }
}

CountedTree::Bucket CountedTree::Find(std::string_view position) const {
  return Descend([position](const Node& node) { return node.Find(position); });
}

CountedTree::Bucket CountedTree::FindRank(uint64_t rank) const {
  return Descend([&rank](const Node& node) {
    size_t at = 0;
    for (; at + 1 < node.entries.size() && rank >= node.entries[at].count; ++at) rank -= node.entries[at].count;
    return at;
  });
}

void CountedTree::Add(std::string_view position, int64_t delta) {
  assert(buckets_ != 0);
  for (Node* node = root_.get(); node != nullptr;) {
    Entry& entry = node->entries[node->Find(position)];
    assert(delta >= 0 || entry.count >= static_cast<uint64_t>(-delta));
    entry.count += static_cast<uint64_t>(delta);
    node = entry.child.get();
  }
}

void CountedTree::Insert(std::string_view bound, uint64_t count) {
  ++buckets_;
  memory_bytes_ += sizeof(Entry) + (bound.size() > 15 ? bound.size() : 0);
  Split split = InsertInto(root_.get(), bound, count);
  if (split.right == nullptr) return;
  auto root = std::make_unique<Node>();
  root->leaf = false;
  std::unique_ptr<Node> left = std::move(root_);
  for (std::unique_ptr<Node>* half : {&left, &split.right}) {
    std::string first = (*half)->entries.front().bound;
    const uint64_t sum = (*half)->Sum();
    root->entries.push_back({std::move(first), sum, std::move(*half)});
  }
  root_ = std::move(root);
}

CountedTree::Split CountedTree::InsertInto(Node* node, std::string_view bound, uint64_t count) {
  size_t grown;
  if (node->leaf) {
    const auto at = std::lower_bound(node->entries.begin(), node->entries.end(), bound,
                                     [](const Entry& entry, std::string_view key) { return entry.bound < key; });
    assert(at == node->entries.end() || at->bound != bound);
    grown = static_cast<size_t>(at - node->entries.begin());
    node->entries.insert(at, Entry{std::string(bound), count, nullptr});
  } else {
    const size_t at = node->Find(bound);
    grown = at + 1;
    Entry& entry = node->entries[at];
    entry.count += count;
    if (bound < entry.bound) entry.bound = bound;
    Split split = InsertInto(entry.child.get(), bound, count);
    if (split.right == nullptr) return {};
    const uint64_t moved = split.right->Sum();
    entry.count -= moved;
    std::string first = split.right->entries.front().bound;
    node->entries.insert(node->entries.begin() + static_cast<ptrdiff_t>(grown),
                         Entry{std::move(first), moved, std::move(split.right)});
  }
  if (node->entries.size() <= kEntriesMax) return {};
  // What grows at its end (timestamps, and loading) leaves full nodes behind.
  const bool appended = grown + 1 == node->entries.size();
  const auto from = node->entries.begin() + static_cast<ptrdiff_t>(appended ? kEntriesMax : kEntriesMax / 2);
  Split split{std::make_unique<Node>()};
  split.right->leaf = node->leaf;
  split.right->entries.assign(std::make_move_iterator(from), std::make_move_iterator(node->entries.end()));
  node->entries.erase(from, node->entries.end());
  return split;
}

void CountedTree::Erase(std::string_view bound) {
  uint64_t count = 0;
  EraseFrom(root_.get(), bound, &count);
  --buckets_;
  memory_bytes_ -= sizeof(Entry) + (bound.size() > 15 ? bound.size() : 0);
  while (!root_->leaf && root_->entries.size() == 1) {
    std::unique_ptr<Node> child = std::move(root_->entries.front().child);
    root_ = std::move(child);
  }
  if (root_->entries.empty()) root_->leaf = true;
}

void CountedTree::EraseFrom(Node* node, std::string_view bound, uint64_t* count) {
  const size_t at = node->Find(bound);
  Entry& entry = node->entries[at];
  const auto place = node->entries.begin() + static_cast<ptrdiff_t>(at);
  if (node->leaf) {
    assert(entry.bound == bound);
    *count = entry.count;
    node->entries.erase(place);
    return;
  }
  EraseFrom(entry.child.get(), bound, count);
  entry.count -= *count;
  if (entry.child->entries.empty()) {
    node->entries.erase(place);
  } else {
    entry.bound = entry.child->entries.front().bound;  // positions before it are now the left neighbour's
  }
}

}  // namespace basalt::storage
