// Writes of a child process that is killed with SIGKILL at random moments, and what the next start finds: every write that
// was acknowledged, multi-key writes as a whole or not at all, exact counters. With every appendfsync.
//
// The child is this program again. Its writes follow from a seed and a number, so that both sides know them, and it reports
// each acknowledgement by one number through a pipe: at the moment it dies one write per thread is in doubt, no more.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/keyspace.h"
#include "storage/storage.h"
#include "storage/string_store.h"
#include "storage/write_txn.h"

namespace basalt::storage {
namespace {

constexpr int kThreads = 2;
constexpr int kKeysPerThread = 40;
constexpr int64_t kFarAwayMs = 4'000'000'000'000;  // year 2096

enum class Verb { kSet, kSetExpiring, kSetLarge, kDel, kExpire, kPersist, kAppend, kGroup, kFlush, kLast = kFlush };

struct Op {
  Verb verb = Verb::kSet;
  std::vector<std::string> keys;
  std::string value;
  int64_t expire_ms = kNoExpire;
};

Op OpOf(uint64_t seed, int thread, uint32_t number) {
  std::mt19937_64 random(seed * 1'000'003 + static_cast<uint64_t>(thread) * 7919 + number);
  Op op;
  const uint64_t dice = random() % 100;
  op.verb = dice < 30   ? Verb::kSet
            : dice < 45 ? Verb::kSetExpiring
            : dice < 50 ? Verb::kSetLarge
            : dice < 62 ? Verb::kDel
            : dice < 70 ? Verb::kExpire
            : dice < 75 ? Verb::kPersist
            : dice < 83 ? Verb::kAppend
            : dice < 99 ? Verb::kGroup
                        : Verb::kFlush;
  const size_t keys = op.verb == Verb::kGroup ? 2 + random() % 4 : 1;
  while (op.keys.size() < keys) {
    std::string key = "t" + std::to_string(thread) + ":" + std::to_string(random() % kKeysPerThread);
    if (std::find(op.keys.begin(), op.keys.end(), key) == op.keys.end()) op.keys.push_back(std::move(key));
  }
  op.value = std::to_string(number) + std::string(random() % 200, 'v');
  if (op.verb == Verb::kSetLarge) op.value += std::string(5'000 + random() % 100'000, 'l');
  if (op.verb == Verb::kSetExpiring || op.verb == Verb::kExpire) {
    op.expire_ms = kFarAwayMs + static_cast<int64_t>(random() % 1'000'000);
  }
  return op;
}

// ---- what must be there ----

struct Value {
  std::string bytes;
  int64_t expire_ms = kNoExpire;
  bool operator==(const Value&) const = default;
};
using Model = std::map<std::string, Value>;

void ApplyTo(Model* model, const Op& op) {
  const std::string& key = op.keys.front();
  const auto found = model->find(key);
  switch (op.verb) {
    case Verb::kSet:
    case Verb::kSetLarge:
    case Verb::kSetExpiring: (*model)[key] = {op.value, op.expire_ms}; return;
    case Verb::kDel: model->erase(key); return;
    case Verb::kExpire:
    case Verb::kPersist:
      if (found != model->end()) found->second.expire_ms = op.expire_ms;
      return;
    case Verb::kAppend: (*model)[key].bytes += op.value; return;
    case Verb::kGroup:  // the last one is deleted, the others are set
      for (const std::string& each : op.keys) (*model)[each] = {op.value, kNoExpire};
      model->erase(op.keys.back());
      return;
    case Verb::kFlush: return;
  }
}

// ---- the child ----

Status Run(WriteTxn& txn, const Op& op) {
  Storage& storage = txn.storage();
  const HashedKey key = storage.Hash(op.keys.front());
  RecordPtr old;
  uint64_t length = 0;
  const Status found = txn.GetRecord(0, key, &old);
  switch (op.verb) {
    case Verb::kSet:
    case Verb::kSetLarge:
    case Verb::kSetExpiring: return StringStore::Set(txn, 0, key, op.value, op.expire_ms);
    case Verb::kDel:
      if (found == Status::kOk) txn.Erase(0, key);
      return Status::kOk;
    case Verb::kExpire:
    case Verb::kPersist:
      return found == Status::kNotFound ? Status::kOk : Keyspace::SetExpire(txn, 0, key, op.expire_ms);
    case Verb::kAppend: return StringStore::Append(txn, 0, key, op.value, &length);
    case Verb::kGroup:
      for (const std::string& name : op.keys) {
        const HashedKey each = storage.Hash(name);
        (void)txn.GetRecord(0, each, &old);
        const Status set = StringStore::Set(txn, 0, each, op.value, kNoExpire);
        if (set != Status::kOk) return set;
      }
      txn.Erase(0, storage.Hash(op.keys.back()));
      return Status::kOk;
    case Verb::kFlush: break;
  }
  return Status::kInvalid;
}

Status WaitForReply(Storage& storage, uint64_t sequence) {
  if (storage.ReplyMayLeave(sequence)) return Status::kOk;
  std::mutex mu;
  std::condition_variable changed;
  std::optional<Status> answer;
  storage.WhenReplyMayLeave(sequence, [&](Status status) {
    std::lock_guard lock(mu);
    answer = status;
    changed.notify_all();
  });
  std::unique_lock lock(mu);
  changed.wait(lock, [&] { return answer.has_value(); });
  return *answer;
}

void WriteForever(Storage& storage, uint64_t seed, int thread, uint32_t first, int pipe) {
  WriteTxn txn(storage);
  for (uint32_t number = first;; ++number) {
    const Op op = OpOf(seed, thread, number);
    if (op.verb == Verb::kFlush) {
      if (storage.Flush() != Status::kOk) _exit(10);
    } else {
      std::vector<HashedKey> keys;
      for (const std::string& key : op.keys) keys.push_back(storage.Hash(key));
      while (txn.LockKeys(keys) != Status::kOk) std::this_thread::yield();  // another key of the same stripe
      txn.BeginCommand(storage.NowMs(), ReadTier::kDisk);
      if (Run(txn, op) != Status::kOk) _exit(11);
      txn.EndCommand();
      uint64_t sequence = 0;
      if (txn.Commit(nullptr, false, &sequence) != Status::kOk) _exit(12);
      if (WaitForReply(storage, sequence) != Status::kOk) _exit(13);
    }
    if (write(pipe, &number, sizeof(number)) != sizeof(number)) _exit(14);
  }
}

StorageOptions OptionsAt(const std::string& dir, SyncPolicy policy) {
  StorageOptions options;
  options.dir = dir;
  options.memory_bytes = 32 << 20;
  options.sync_policy = policy;
  options.disk_free_stop_bytes = 0;
  options.ballast_bytes = 1 << 20;
  return options;
}

// argv: --child <dir> <policy> <seed> then per thread <first number> <pipe>
int ChildMain(char** argv) {
  std::string error;
  const auto policy = static_cast<SyncPolicy>(std::atoi(argv[3]));
  const std::unique_ptr<Storage> storage = Storage::Open(OptionsAt(argv[2], policy), &error);
  if (storage == nullptr) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 9;
  }
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back(WriteForever, std::ref(*storage), std::strtoull(argv[4], nullptr, 10), thread,
                         static_cast<uint32_t>(std::atoi(argv[5 + 2 * thread])), std::atoi(argv[6 + 2 * thread]));
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

// ---- the parent ----

class StorageCrashTest : public testing::TestWithParam<SyncPolicy> {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TMPDIR");
    std::string pattern = std::string(base != nullptr ? base : "/tmp") + "/basalt-crash-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // Lets a child write for a while and kills it. *acknowledged: how many writes of each thread in this round.
  void RunAndKill(std::array<uint32_t, kThreads>* acknowledged) {
    std::array<int, kThreads> read_ends;
    std::vector<std::string> arguments = {"storage_crash_test", "--child", root_ + "/data",
                                          std::to_string(static_cast<int>(GetParam())), std::to_string(seed_)};
    std::vector<int> write_ends;
    for (int thread = 0; thread < kThreads; ++thread) {
      int ends[2];
      ASSERT_EQ(pipe(ends), 0);
      fcntl(ends[0], F_SETFD, FD_CLOEXEC);
      read_ends[thread] = ends[0];
      write_ends.push_back(ends[1]);
      arguments.push_back(std::to_string(next_[thread]));
      arguments.push_back(std::to_string(ends[1]));
    }
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      execv("/proc/self/exe", argv.data());
      _exit(8);
    }
    for (const int end : write_ends) close(end);
    std::array<std::thread, kThreads> readers;
    std::mutex mu;
    std::condition_variable begun;
    int threads_begun = 0;
    for (int thread = 0; thread < kThreads; ++thread) {
      readers[thread] = std::thread([&, thread] {
        uint32_t number = 0;
        uint32_t count = 0;
        while (read(read_ends[thread], &number, sizeof(number)) == sizeof(number)) {
          EXPECT_EQ(number, next_[thread] + count);
          if (count++ == 0) {
            std::lock_guard lock(mu);
            ++threads_begun;
            begun.notify_all();
          }
        }
        (*acknowledged)[thread] = count;
        close(read_ends[thread]);
      });
    }
    {
      std::unique_lock lock(mu);
      begun.wait_for(lock, std::chrono::seconds(60), [&] { return threads_begun == kThreads; });
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 60'000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    for (std::thread& reader : readers) reader.join();
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
  }

  static Model ReadAll(Storage& storage) {
    Model found;
    ReadView view(storage, storage.NowMs(), ReadTier::kDisk);
    std::vector<std::string> keys;
    EXPECT_EQ(Keyspace::ForEach(view, 0,
                                [&](std::string_view key, const RecordPtr& record) {
                                  found[std::string(key)].expire_ms = record->expire_ms();
                                  return true;
                                }),
              Status::kOk);
    for (auto& [key, value] : found) {
      ReadView reading(storage, storage.NowMs(), ReadTier::kDisk);
      StringValue string;
      EXPECT_EQ(StringStore::Find(reading, 0, storage.Hash(key), StringStore::Rows::kNeeded, &string), Status::kOk);
      EXPECT_EQ(StringStore::Read(reading, string, 0, string.length, &value.bytes), Status::kOk);
    }
    return found;
  }

  static Model KeysOf(const Model& model, int thread) {
    Model keys;
    const std::string prefix = "t" + std::to_string(thread) + ":";
    for (const auto& [key, value] : model) {
      if (key.rfind(prefix, 0) == 0) keys.emplace(key, value);
    }
    return keys;
  }

  // What each thread acknowledged is there, and of the one write in doubt all or nothing.
  void Check(const std::array<uint32_t, kThreads>& acknowledged) {
    std::string error;
    const std::unique_ptr<Storage> storage = Storage::Open(OptionsAt(root_ + "/data", GetParam()), &error);
    ASSERT_NE(storage, nullptr) << error;
    const Model found = ReadAll(*storage);
    for (int thread = 0; thread < kThreads; ++thread) {
      for (uint32_t i = 0; i < acknowledged[thread]; ++i) ApplyTo(&model_[thread], OpOf(seed_, thread, next_[thread] + i));
      next_[thread] += acknowledged[thread];
      Model with_one_more = model_[thread];
      ApplyTo(&with_one_more, OpOf(seed_, thread, next_[thread]));
      const Model theirs = KeysOf(found, thread);
      if (theirs == with_one_more) {
        model_[thread] = with_one_more;
        ++next_[thread];
      } else {
        EXPECT_TRUE(theirs == model_[thread]) << "thread " << thread << " after write " << next_[thread] << ", seed " << seed_;
      }
    }
    uint64_t expires = 0;
    for (const auto& [key, value] : found) expires += value.expire_ms != kNoExpire;
    EXPECT_EQ(storage->Counts(0).keys, found.size());
    EXPECT_EQ(storage->Counts(0).expires, expires);
  }

  std::string root_;
  uint64_t seed_ = std::random_device()();
  std::mt19937_64 random_{seed_};
  std::array<uint32_t, kThreads> next_{};
  std::array<Model, kThreads> model_;
};

// ⚑ BASALT_CRASH_ROUNDS for more.
TEST_P(StorageCrashTest, KillingLosesNothingAcknowledged) {
  const char* rounds_wanted = std::getenv("BASALT_CRASH_ROUNDS");
  const int rounds = rounds_wanted != nullptr ? std::atoi(rounds_wanted) : 6;
  uint64_t writes = 0;
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::array<uint32_t, kThreads> acknowledged{};
    RunAndKill(&acknowledged);
    if (HasFatalFailure()) return;
    for (const uint32_t count : acknowledged) writes += count;
    Check(acknowledged);
  }
  EXPECT_GT(writes, 0u);
  std::printf("%d kills, %llu acknowledged writes, seed %llu\n", rounds, static_cast<unsigned long long>(writes),
              static_cast<unsigned long long>(seed_));
}

INSTANTIATE_TEST_SUITE_P(Policies, StorageCrashTest,
                         testing::Values(SyncPolicy::kAlways, SyncPolicy::kEverySecond, SyncPolicy::kNo),
                         [](const testing::TestParamInfo<SyncPolicy>& info) {
                           switch (info.param) {
                             case SyncPolicy::kAlways: return "Always";
                             case SyncPolicy::kEverySecond: return "EverySecond";
                             case SyncPolicy::kNo: return "No";
                           }
                           return "";
                         });

}  // namespace
}  // namespace basalt::storage

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--child") == 0) return basalt::storage::ChildMain(argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
