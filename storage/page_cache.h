#pragma once

#include <rocksdb/env.h>

#include <memory>

namespace basalt::storage {

// While one of them lives, its thread's reads of files that were opened through MakePageCacheEnv's Env do not wait for
// the disk: what the kernel's page cache does not hold is an Incomplete status. Does not nest.
class PageCacheOnly {
 public:
  PageCacheOnly();
  ~PageCacheOnly();
  PageCacheOnly(const PageCacheOnly&) = delete;
  PageCacheOnly& operator=(const PageCacheOnly&) = delete;
};

// RocksDB's default Env, but for the files that it reads at random (tables and blobs). A file system that cannot say
// whether a read would wait (preadv2's RWF_NOWAIT) always answers Incomplete.
std::unique_ptr<rocksdb::Env> MakePageCacheEnv();

}  // namespace basalt::storage
