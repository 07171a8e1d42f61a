// RocksDB's own rate for random reads of a Basalt data folder: what `tools/bench --larger-than-memory` sets beside
// Basalt's. Opens the folder read-only, picks keys of the column family `meta` at random, and reads them from several
// threads.
//   rocksdb_rate FOLDER CACHE_BYTES THREADS SECONDS      prints one line of JSON

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/counter_merge.h"

namespace {

using Clock = std::chrono::steady_clock;

int Fail(const std::string& text) {
  std::fprintf(stderr, "rocksdb_rate: %s\n", text.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return Fail("usage: rocksdb_rate FOLDER CACHE_BYTES THREADS SECONDS");
  const size_t cache_bytes = std::strtoull(argv[2], nullptr, 10);
  const int threads = std::atoi(argv[3]), seconds = std::atoi(argv[4]);

  const std::string path = std::string(argv[1]) + "/db";
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies({}, path, &names).ok()) return Fail("no RocksDB in " + path);

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(cache_bytes);
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.merge_operator = basalt::storage::MakeCounterMergeOperator();  // the log cannot be read without it
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) descriptors.emplace_back(name, options);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(rocksdb::DBOptions(), path, descriptors, &handles, &raw);
  if (!status.ok()) return Fail(status.ToString());
  std::unique_ptr<rocksdb::DB> db(raw);
  const auto meta_at = std::find(names.begin(), names.end(), "meta");
  if (meta_at == names.end()) return Fail("no column family meta");
  rocksdb::ColumnFamilyHandle* meta = handles[static_cast<size_t>(meta_at - names.begin())];

  std::vector<std::string> keys;
  {
    rocksdb::ReadOptions read;
    read.fill_cache = false;
    std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(read, meta));
    for (it->SeekToFirst(); it->Valid(); it->Next()) keys.push_back(it->key().ToString());
    if (!it->status().ok()) return Fail(it->status().ToString());
  }
  if (keys.empty()) return Fail("the column family meta is empty");

  std::vector<std::vector<float>> latencies(static_cast<size_t>(threads));
  std::vector<std::string> errors(static_cast<size_t>(threads));
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  std::vector<std::thread> workers;
  for (size_t worker = 0; worker < latencies.size(); worker++) {
    workers.emplace_back([&, worker] {
      std::mt19937_64 random(worker + 1);
      rocksdb::PinnableSlice value;
      for (auto before = Clock::now(); before < end;) {
        value.Reset();
        rocksdb::Status got = db->Get({}, meta, keys[random() % keys.size()], &value);
        if (!got.ok()) {
          errors[worker] = got.ToString();
          return;
        }
        const auto after = Clock::now();
        latencies[worker].push_back(std::chrono::duration<float, std::milli>(after - before).count());
        before = after;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::vector<float> all;
  for (size_t worker = 0; worker < latencies.size(); worker++) {
    if (!errors[worker].empty()) return Fail(errors[worker]);
    all.insert(all.end(), latencies[worker].begin(), latencies[worker].end());
  }
  std::sort(all.begin(), all.end());
  auto at = [&all](double part) {
    return all[std::min(all.size() - 1, static_cast<size_t>(part * static_cast<double>(all.size())))];
  };
  std::printf("{\"keys\": %zu, \"ops\": %.0f, \"p50\": %.4f, \"p99\": %.4f, \"p99.9\": %.4f}\n", keys.size(),
              static_cast<double>(all.size()) / seconds, at(0.5), at(0.99), at(0.999));
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  return 0;
}
