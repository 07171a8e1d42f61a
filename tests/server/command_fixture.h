#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/output_buffer.h"
#include "net/reply_builder.h"
#include "server/blocked_keys.h"
#include "server/client_registry.h"
#include "server/client_tracking.h"
#include "server/command_context.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/config_table.h"
#include "server/pubsub.h"
#include "server/session.h"
#include "server/stats.h"
#include "storage/exclusive_gate.h"
#include "storage/storage.h"
#include "storage/write_txn.h"

namespace basalt {

// Runs commands of the data families against a real Storage in a folder of its own, without sockets, threads or the
// executor: what is tested is the handlers. Each command is a commit of its own. As in the server it starts in the fast
// lane, with memory only, and runs again in the slow lane when it asks for that.
class CommandRunner {
 public:
  explicit CommandRunner(std::string dir) : dir_(std::move(dir)) {
    storage::StorageOptions options;
    options.dir = dir_ + "/data";
    options.memory_bytes = 256 << 20;
    options.background = false;
    options.sync_policy = storage::SyncPolicy::kNo;
    options.now_ms = [this] { return now_ms_; };
    std::string error;
    storage_ = storage::Storage::Open(options, &error);
    EXPECT_NE(storage_, nullptr) << error;
    services_ = std::make_unique<Services>(Services{.storage = *storage_,
                                                    .config = config_,
                                                    .commands = table_,
                                                    .clients = clients_,
                                                    .stats = stats_,
                                                    .slowlog = Absent<SlowLog>(),
                                                    .latency = Absent<LatencyMonitor>(),
                                                    .watches = Absent<WatchTable>(),
                                                    .parked = Absent<ParkedRegistry>(),
                                                    .blocked_keys = blocked_keys_,
                                                    .monitors = Absent<MonitorHub>(),
                                                    .pubsub = pubsub_,
                                                    .tracking = tracking_,
                                                    .users = Absent<UserRegistry>(),
                                                    .scripting = Absent<Scripting>(),
                                                    .backups = Absent<BackupRunner>(),
                                                    .executor = Absent<CommandExecutor>(),
                                                    .server = Absent<Server>()});
  }

  // The RESP bytes of the reply, errors included.
  std::string Run(std::span<const std::string_view> argv) {
    Status error;
    const Command* command = table_.Resolve(argv, &error);
    if (error.ok()) error = CommandTable::CheckArity(*command->spec, argv.size());
    net::OutputBuffer output;
    net::ReplyBuilder reply(&output, session_.resp);
    if (!error.ok()) {
      reply.Error(ErrorText(error, command != nullptr ? command->name() : ""));
      return output.ToString();
    }
    Needs needs;
    Status status = RunWith(*command->spec, argv, reply, needs);
    while (needs.Learn(status)) {
      slow_runs_ += status.code() == ErrorCode::kNeedSlowLane;
      output.Truncate(0);
      status = RunWith(*command->spec, argv, reply, needs);
    }
    if (!status.ok()) {
      output.Truncate(0);
      reply.Error(ErrorText(status, command->name()));
    }
    return output.ToString();
  }
  std::string Run(std::initializer_list<std::string_view> argv) { return Run(std::span(argv.begin(), argv.size())); }
  std::string Run(const std::vector<std::string>& argv) {
    const std::vector<std::string_view> views(argv.begin(), argv.end());
    return Run(std::span<const std::string_view>(views));
  }
  // Words separated by blanks.
  std::string Line(std::string_view line) {
    std::vector<std::string_view> argv;
    while (!line.empty()) {
      const size_t end = std::min(line.find(' '), line.size());
      if (end > 0) argv.push_back(line.substr(0, end));
      line.remove_prefix(std::min(end + 1, line.size()));
    }
    return Run(std::span<const std::string_view>(argv));
  }

  storage::Storage& storage() { return *storage_; }
  Session& session() { return session_; }
  ConfigTable& config() { return config_; }
  Stats& stats() { return stats_; }
  void AdvanceClock(int64_t ms) { now_ms_ += ms; }
  void SetClock(int64_t unix_ms) { now_ms_ = unix_ms; }
  int64_t now_ms() const { return now_ms_; }
  int slow_runs() const { return slow_runs_; }

  // The families whose commands need no other service than the storage.
  static std::span<const std::span<const CommandSpec>> Families() {
    static const std::span<const CommandSpec> kFamilies[] = {
        StringCommands(), BitmapCommands(),   HyperloglogCommands(), HashCommands(),  ListCommands(),
        SetCommands(),    ZsetCommands(),     StreamCommands(),      GeoCommands(),   SortCommands(),
        DumpCommands(),   KeyspaceCommands(), ExpiryCommands(),      ObjectCommands()};
    return kFamilies;
  }

 private:
  // Services that no data command may touch: bytes that are no object, so that AddressSanitizer and valgrind tell.
  template <typename T>
  T& Absent() {
    return reinterpret_cast<T&>(absent_);
  }

  // What a command asked for when it ran before; the executor does the same.
  struct Needs {
    net::Lane lane = net::Lane::kFast;
    bool locks = false;
    bool gate = false;

    // False: it did not ask for anything.
    bool Learn(const Status& status) {
      switch (status.code()) {
        case ErrorCode::kNeedSlowLane:
          lane = net::Lane::kSlow;
          return true;
        case ErrorCode::kNeedLocks:
          return std::exchange(locks, true) == false;
        case ErrorCode::kNeedGate:
          lane = net::Lane::kSlow;
          return std::exchange(gate, true) == false;
        default:
          return false;
      }
    }
  };

  Status RunWith(const CommandSpec& spec, std::span<const std::string_view> argv, net::ReplyBuilder& reply,
                 const Needs& needs) {
    const net::Lane lane = needs.lane;
    const storage::ReadTier tier = lane == net::Lane::kFast ? storage::ReadTier::kMemory : storage::ReadTier::kDisk;
    if (!spec.Has(kCmdWrite) && !spec.Has(kCmdLockKeys) && !needs.locks && !needs.gate) {
      storage::ReadView view(*storage_, now_ms_, tier);
      CommandContext ctx(spec, argv, reply, session_, *services_, view, nullptr, outbox_, lane);
      ctx.deny_blocking = true;
      const Status status = spec.handler(ctx);
      CountLookups(ctx, status);
      return status;
    }
    std::unique_ptr<storage::ExclusiveGate::Closed> closed;
    if (spec.Has(kCmdExclusive) || needs.gate)
      closed = std::make_unique<storage::ExclusiveGate::Closed>(storage_->gate());
    storage::WriteTxn txn(*storage_);
    if (closed != nullptr) {
      txn.RunExclusive();
    } else {
      KeyPositions positions;
      CommandTable::Keys(spec, argv, &positions);
      std::vector<storage::HashedKey> keys;
      for (const KeyPosition& position : positions) keys.push_back(storage_->Hash(argv[position.index]));
      EXPECT_EQ(txn.LockKeys(keys), storage::Status::kOk);
    }
    txn.BeginCommand(now_ms_, tier);
    CommandContext ctx(spec, argv, reply, session_, *services_, txn, &txn, outbox_, lane);
    ctx.deny_blocking = true;
    const Status status = spec.handler(ctx);
    CountLookups(ctx, status);
    status.ok() ? txn.EndCommand() : txn.RollbackCommand();
    uint64_t sequence = 0;
    const storage::Status committed = txn.Commit(nullptr, false, &sequence);
    return status.ok() ? Status(committed) : status;
  }

  void CountLookups(const CommandContext& ctx, const Status& status) {
    if (status.code() == ErrorCode::kNeedSlowLane || status.code() == ErrorCode::kNeedLocks ||
        status.code() == ErrorCode::kNeedGate) {
      return;
    }
    stats_.KeyspaceHit(ctx.keyspace_hits);
    stats_.KeyspaceMiss(ctx.keyspace_misses);
  }

  const std::string dir_;
  int64_t now_ms_ = 1'700'000'000'000;
  std::unique_ptr<storage::Storage> storage_;
  ConfigTable config_;
  CommandTable table_{Families()};
  BlockedKeys blocked_keys_{[](ParkTicket) {}};
  ClientRegistry clients_;
  PubSub pubsub_;
  ClientTracking tracking_{clients_};
  Outbox outbox_;
  Stats stats_{table_.size()};
  alignas(64) char absent_[64] = {};
  Session session_{net::ConnInfo{}, 1};
  std::unique_ptr<Services> services_;
  int slow_runs_ = 0;
};

// A temporary folder, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/basalt-commands-XXXXXX";
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class CommandTest : public ::testing::Test {
 protected:
  std::string Run(std::initializer_list<std::string_view> argv) { return runner_.Run(argv); }
  std::string Line(std::string_view line) { return runner_.Line(line); }

  // What the reply says, for comparison with a model.
  int64_t Integer(std::initializer_list<std::string_view> argv) {
    const std::string reply = Run(argv);
    int64_t value = 0;
    EXPECT_TRUE(reply.starts_with(':')) << reply;
    std::from_chars(reply.data() + 1, reply.data() + reply.size(), value);
    return value;
  }
  std::string Bulk(std::initializer_list<std::string_view> argv) {
    const std::string reply = Run(argv);
    EXPECT_TRUE(reply.starts_with('$') && reply.find("\r\n") != std::string::npos) << reply;
    const size_t start = reply.find("\r\n") + 2;
    return reply.substr(start, reply.size() - start - 2);
  }

  TemporaryFolder folder_;
  CommandRunner runner_{folder_.path()};
};

}  // namespace basalt
