#include "storage/counter_merge.h"

#include "storage/key_codec.h"

namespace basalt::storage {
namespace {

class CounterMergeOperator : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice&, const rocksdb::Slice* existing, const rocksdb::Slice& operand, std::string* result,
             rocksdb::Logger*) const override {
    std::optional<CountsDelta> sum = CountsDelta{};
    if (existing != nullptr) sum = ParseCounts({existing->data(), existing->size()});
    const std::optional<CountsDelta> delta = ParseCounts({operand.data(), operand.size()});
    if (!sum || !delta) return false;  // RocksDB reports corruption
    *result = EncodeCounts({sum->keys + delta->keys, sum->expires + delta->expires});
    return true;
  }
  const char* Name() const override { return "basalt.counts.1"; }
};

}  // namespace

std::string EncodeCounts(const CountsDelta& counts) {
  std::string bytes(16, '\0');
  PutBig64(bytes.data(), static_cast<uint64_t>(counts.keys));
  PutBig64(bytes.data() + 8, static_cast<uint64_t>(counts.expires));
  return bytes;
}

std::optional<CountsDelta> ParseCounts(std::string_view bytes) {
  if (bytes.size() != 16) return std::nullopt;
  return CountsDelta{static_cast<int64_t>(GetBig64(bytes.data())), static_cast<int64_t>(GetBig64(bytes.data() + 8))};
}

std::shared_ptr<rocksdb::MergeOperator> MakeCounterMergeOperator() { return std::make_shared<CounterMergeOperator>(); }

}  // namespace basalt::storage
