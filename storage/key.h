#pragma once

#include <cstdint>
#include <string_view>

namespace basalt::storage {

// A logical database as Redis numbers them (SELECT), and its current name space on disk: FLUSHDB gives a database a new
// one, SWAPDB exchanges two.
using DbIndex = uint16_t;
using Namespace = uint32_t;

// A user key with its seeded 64-bit hash (Storage::Hash), computed once per command and argument: lock stripe, cache
// shard and hash-ordered disk key all come from it. A view: the bytes belong to the caller.
struct HashedKey {
  std::string_view key;
  uint64_t hash = 0;
};

}  // namespace basalt::storage
