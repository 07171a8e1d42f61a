#pragma once

#include <rocksdb/merge_operator.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace basalt::storage {

// Keys and expires of one name space, as stored and as merged: [keys:8][expires:8], two's complement, big-endian.
struct CountsDelta {
  int64_t keys = 0;
  int64_t expires = 0;
  bool operator==(const CountsDelta&) const = default;
};

std::string EncodeCounts(const CountsDelta& counts);
std::optional<CountsDelta> ParseCounts(std::string_view bytes);

// Adds them up, on disk.
std::shared_ptr<rocksdb::MergeOperator> MakeCounterMergeOperator();

}  // namespace basalt::storage
