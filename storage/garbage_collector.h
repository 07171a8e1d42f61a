#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "storage/engine.h"
#include "storage/key.h"
#include "storage/key_ranges.h"
#include "storage/metadata.h"
#include "storage/read_view.h"
#include "storage/status.h"

namespace rocksdb {
class WriteBatch;
}

namespace basalt::storage {

class RecordCache;

// Rows that nothing refers to any more: those of one object.
struct Garbage {
  uint64_t object_id = 0;
  uint8_t families = 0;  // bits by RowFamily
  uint64_t rows = 0;     // at most, as far as is known; in `big`, no chunk has this number or a higher one

  static constexpr uint8_t kAllFamilies = 7;
  // Of the object under a record; nullopt when it has none.
  static std::optional<Garbage> Of(const Record& record);
};

std::string EncodeGarbage(const Garbage& garbage);  // the value of its row in `sys`
std::optional<Garbage> ParseGarbage(uint64_t object_id, std::string_view value);

// A name space that no database has any more, and how far the collector got with it.
struct DeadNamespace {
  bool objects_left =
      true;              // objects that its records own are still to be found; else a "garbage below" record has them
  std::string next_key;  // in `meta`; empty: from the start
};
std::string EncodeDeadNamespace(const DeadNamespace& dead);
std::optional<DeadNamespace> ParseDeadNamespace(std::string_view value);

// Removes garbage: what commits put on record in `sys`, in the order of ids, at a bounded pace. Safe for readers
// without their help: whoever reads rows took a snapshot before the header, and RocksDB keeps what a snapshot can see.
// Owned by Storage::Impl; Run by one thread at a time, the rest by any.
class GarbageCollector {
 public:
  struct Stats {
    uint64_t objects_pending = 0;
    uint64_t rows_pending = 0;     // estimate
    uint64_t rows_removed = 0;     // estimate
    uint64_t objects_removed = 0;  // those of more than kLargeObjectRows
  };
  static constexpr uint64_t kLargeObjectRows = 64;  // from here on Redis frees in the background, too

  GarbageCollector(Engine& engine, RecordCache& cache) : engine_(engine), cache_(cache) {}

  // Counts what is on record. REQUIRES: no one else inside.
  Status Load();

  // Rows of `object_id` are being streamed under a garbage record that must not be acted upon yet. From before the
  // record is written until it has been deleted, or is to be acted upon.
  void Protect(uint64_t object_id);
  void Unprotect(uint64_t object_id, bool is_garbage);

  // A commit has put this on record / taken it off.
  void Added(const Garbage& garbage);
  void AddedWhole();  // a dead name space, or "everything below"

  // Removes about `rows_max` rows (a DeleteRange counts as kRangeDeleteRows); returns how many it accounts for. 0:
  // there is nothing to do.
  uint64_t Run(uint64_t rows_max);
  // Compacts what DeleteRange has emptied since, so that the space comes back, but not what is alive in between. Slow.
  // False: nothing to do.
  bool CompactFreed();

  // Objects of up to so many rows are deleted row by row, larger ones by DeleteRange.
  static constexpr uint64_t kPointDeleteRowsMax = 4000;
  static constexpr uint64_t kRangeDeleteRows = 1000;

  void ResetStats() { objects_removed_.store(0); }
  Stats GetStats() const;

 private:
  void Lower(uint64_t object_id);
  // Each runs one pass and adds to *rows. False on error (logged).
  bool RunBelow(uint64_t* rows);
  bool RunDeadNamespaces(uint64_t rows_max, uint64_t* rows);
  bool RunDeadNamespace(Namespace ns, DeadNamespace dead, uint64_t rows_max, uint64_t* rows);
  bool RunObjects(uint64_t rows_max, uint64_t* rows);
  // Deletes of all rows in [lower, upper) are added to *batch: one by one when there are at most kPointDeleteRowsMax,
  // with keys that are not too long.
  bool DeleteAll(Family family, std::string_view lower, std::string_view upper, bool try_points,
                 rocksdb::WriteBatch* batch, uint64_t* rows);
  // The same of the rows of a string in `big`: their keys are known, so their values are not read.
  void DeleteChunks(const Garbage& garbage, rocksdb::WriteBatch* batch, uint64_t* rows);
  void CountRemoved(uint64_t removed, uint64_t* rows);
  bool Write(rocksdb::WriteBatch* batch);

  Engine& engine_;
  RecordCache& cache_;
  std::atomic<uint64_t> objects_pending_{0};
  std::atomic<uint64_t> rows_pending_{0};
  std::atomic<uint64_t> rows_removed_{0};
  std::atomic<uint64_t> objects_removed_{0};
  std::atomic<bool> whole_pending_{false};
  std::atomic<uint64_t> low_water_{0};  // smallest id put on record since the last pass

  std::mutex run_mu_;
  uint64_t floor_ = 0;                      // guarded by run_mu_: no older record has a lower id
  std::array<KeyRanges, kFamilies> freed_;  // guarded by run_mu_: emptied by DeleteRange, to be compacted

  std::mutex mu_;
  std::unordered_set<uint64_t> protected_;  // guarded by mu_
};

}  // namespace basalt::storage
