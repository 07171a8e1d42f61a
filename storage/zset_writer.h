#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/new_object.h"
#include "storage/zset_packed.h"
#include "storage/zset_store.h"

namespace basalt::storage {

// Writes a whole sorted set: packed, or as a new object. In memory while it is small; a large one goes to the disk as
// it comes (NewObject), so that its size does not matter.
//
//   ZsetWriter writer(txn, most); … status = writer.Add(score, member) …;
//   status = writer.Finish(db, key, encoding, expire_ms);
//
// On the caller's stack; one command's. The key's lock is held.
class ZsetWriter {
 public:
  // `members_max`: as many as will come, or more.
  ZsetWriter(WriteTxn& txn, uint64_t members_max);
  ~ZsetWriter();

  // Different members, in any order. May be called by a visitor of a scan. kIncomplete: it is large, and so the slow
  // lane's work.
  Status Add(double score, std::string_view member);
  uint64_t count() const { return count_; }
  size_t longest_member_bytes() const { return longest_; }

  // Puts it in place of whatever the key holds; none: the key is erased. REQUIRES: the key was read by GetRecord in
  // this group; no scan is under way.
  Status Finish(DbIndex db, const HashedKey& key, Encoding encoding, int64_t expire_ms);

  // The same of members that are in memory, under `header` but for its type and object id. Sorts them.
  static Status Write(WriteTxn& txn, DbIndex db, const HashedKey& key, RecordHeader header,
                      std::span<ZsetEntry> entries);

 private:
  class Rows;
  Status Spill();

  WriteTxn& txn_;
  const uint64_t members_max_;
  uint64_t count_ = 0;
  uint64_t bytes_ = 0;  // of the members kept
  size_t longest_ = 0;
  std::vector<ScoredMember> kept_;  // while it is small
  std::unique_ptr<Rows> rows_;      // once it is large
};

}  // namespace basalt::storage
