#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/read_view.h"
#include "storage/write_txn.h"

namespace basalt::storage {

// Verbs on keys of any type.
class Keyspace {
 public:
  struct Entry {
    std::string key;
    RecordPtr record;
  };

  // SCAN: visits the live keys of whole buckets from `cursor` on until about `count` were *looked at*; returns the next
  // cursor, 0 at the end (always < 2^40). Stateless: no key present throughout is missed or repeated, across restarts
  // too. `visit` gets every live key; filtering is the caller's. *expired: those met whose time has come
  // (Storage::RemoveExpired takes them away).
  static Status Scan(ReadView& view, DbIndex db, uint64_t cursor, uint64_t count,
                     const std::function<void(std::string_view key, const RecordPtr& record)>& visit,
                     std::vector<std::string>* expired, uint64_t* next);
  // All live keys, in bounded windows; `visit` returns false to stop.
  static Status ForEach(ReadView& view, DbIndex db,
                        const std::function<bool(std::string_view key, const RecordPtr& record)>& visit);
  // A live key, each with the same chance as far as the hash order allows (DESIGN §4, fair random). kNotFound when
  // empty.
  static Status Random(ReadView& view, DbIndex db, std::string* key);

  // Sets or clears (kNoExpire) the expiry of a live key. kNotFound.
  static Status SetExpire(WriteTxn& txn, DbIndex db, const HashedKey& key, int64_t expire_ms);
  // Moves a live record and its expiry, O(1) whatever its size, replacing the target. kNotFound. RENAME, MOVE.
  static Status Rename(WriteTxn& txn, DbIndex from_db, const HashedKey& from, DbIndex to_db, const HashedKey& to);
  // Copies a live value and its expiry, rows included, replacing the target. kNotFound. COPY.
  static Status Copy(WriteTxn& txn, DbIndex from_db, const HashedKey& from, DbIndex to_db, const HashedKey& to);

  // About how many bytes a key takes in memory and on disk (MEMORY USAGE): record, key, and rows. Of a collection's
  // rows the first `samples` of each kind are measured, 0: all.
  static Status Usage(ReadView& view, DbIndex db, const HashedKey& key, uint64_t samples, uint64_t* bytes);
};

}  // namespace basalt::storage
