#include "server/info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "server/acl/user_registry.h"
#include "server/blocked_keys.h"
#include "server/client_registry.h"
#include "server/client_tracking.h"
#include "server/command_table.h"
#include "server/config_table.h"
#include "server/latency_monitor.h"
#include "server/monitor_hub.h"
#include "server/parked_registry.h"
#include "server/pubsub.h"
#include "server/scripting/scripting.h"
#include "server/slowlog.h"
#include "server/stats.h"
#include "storage/storage.h"

namespace basalt {
namespace {

using testing::HasSubstr;
using testing::Not;

// INFO of a server without sockets; what asks class Server (sections server and persistence) is left to the tests over
// TCP.
class InfoTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/basalt-info-XXXXXX";
    folder_ = ::mkdtemp(name);
    storage::StorageOptions options;
    options.dir = folder_ + "/data";
    options.memory_bytes = 64 << 20;
    options.background = false;
    std::string error;
    storage_ = storage::Storage::Open(options, &error);
    ASSERT_NE(storage_, nullptr) << error;
    services_ = std::make_unique<Services>(Services{.storage = *storage_,
                                                    .config = config_,
                                                    .commands = table_,
                                                    .clients = clients_,
                                                    .stats = stats_,
                                                    .slowlog = slowlog_,
                                                    .latency = latency_,
                                                    .watches = Absent<WatchTable>(),
                                                    .parked = parked_,
                                                    .blocked_keys = blocked_keys_,
                                                    .monitors = monitors_,
                                                    .pubsub = pubsub_,
                                                    .tracking = tracking_,
                                                    .users = users_,
                                                    .scripting = scripting_,
                                                    .backups = Absent<BackupRunner>(),
                                                    .executor = Absent<CommandExecutor>(),
                                                    .server = Absent<Server>()});
  }
  void TearDown() override {
    storage_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::string Info(std::vector<std::string_view> names) { return InfoText(*services_, names); }
  template <typename T>
  static T& Absent() {
    alignas(64) static char nothing[64];
    return reinterpret_cast<T&>(nothing);
  }

  std::string folder_;
  ConfigTable config_;
  CommandTable table_;
  ClientRegistry clients_;
  Stats stats_{table_.size()};
  SlowLog slowlog_;
  LatencyMonitor latency_;
  ParkedRegistry parked_{stats_};
  BlockedKeys blocked_keys_{[](ParkTicket) {}};
  MonitorHub monitors_;
  PubSub pubsub_;
  ClientTracking tracking_{clients_};
  UserRegistry users_{table_, config_};
  Scripting scripting_{1, 1};
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<Services> services_;
};

TEST_F(InfoTest, SectionsAreChosenByName) {
  EXPECT_THAT(Info({"cpu"}), HasSubstr("used_cpu_user:"));
  EXPECT_THAT(Info({"cpu"}), Not(HasSubstr("used_memory:")));
  EXPECT_THAT(Info({"commandSTATS"}), HasSubstr("# Commandstats\r\n"));
  EXPECT_EQ(Info({"sentinel"}), "");
  const std::string two = Info({"cluster", "cpu", "cpu"});
  EXPECT_THAT(two, HasSubstr("\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n"));
  EXPECT_EQ(two.find("used_cpu_user:"), two.rfind("used_cpu_user:"));
  EXPECT_EQ(Info({"modules"}), "# Modules\r\n");
}

TEST_F(InfoTest, CommandAndErrorFiguresAreShown) {
  const Command& get = *table_.Find("get");
  stats_.RecordCall(get.index, 3000, CallOutcome::kOk, true);
  stats_.RecordCall(get.index, 5000, CallOutcome::kFailed, true);
  stats_.RecordCall(get.index, 0, CallOutcome::kRejected, true);
  stats_.RecordError("-odd:name x");
  EXPECT_THAT(Info({"commandstats"}),
              HasSubstr("cmdstat_get:calls=2,usec=8,usec_per_call=4.00,rejected_calls=1,failed_calls=1\r\n"));
  EXPECT_THAT(Info({"errorstats"}), HasSubstr("errorstat_odd_name:count=1\r\n"));
  EXPECT_THAT(Info({"latencystats"}), HasSubstr("latency_percentiles_usec_get:p50=3.0"));
  EXPECT_THAT(Info({"latencystats"}), HasSubstr(",p99.9=5."));
  EXPECT_TRUE(config_.Set(std::vector<std::string_view>{"latency-tracking", "no"}, true).ok());
  EXPECT_THAT(Info({"latencystats"}), Not(HasSubstr("percentiles")));
}

TEST_F(InfoTest, MemoryIsThatOfTheProcess) {
  const std::string memory = Info({"memory"});
  EXPECT_THAT(memory, HasSubstr("maxmemory_policy:noeviction\r\n"));
  EXPECT_THAT(memory, Not(HasSubstr("used_memory:0\r\n")));
  EXPECT_THAT(memory, Not(HasSubstr("used_memory_rss:0\r\n")));
}

TEST_F(InfoTest, ReplicationHasTheFieldsThatSentinelReads) {
  const std::string text = Info({"replication"});
  EXPECT_THAT(text, HasSubstr("role:master\r\n"));
  EXPECT_THAT(text, HasSubstr("master_replid:" + storage_->identity() + "\r\n"));
  EXPECT_EQ(storage_->identity().size(), 40u);
}

TEST_F(InfoTest, OurOwnSectionShowsLanesAndRocksdb) {
  for (const char* name : {"basalt", "rocksdb"}) {
    EXPECT_THAT(Info({name}), HasSubstr("fast_lane_queue_wait_usec_avg:"));
    EXPECT_THAT(Info({name}), HasSubstr("block_cache_hit_rate:"));
    // What a rate over a time of one's own needs: tools/capacity takes differences.
    for (const char* counter : {"record_cache_hits:", "record_cache_misses:", "block_cache_hits:",
                                "block_cache_misses:", "flush_bytes_written:"})
      EXPECT_THAT(Info({name}), HasSubstr(counter));
  }
}

TEST(HumanBytes, ReadsLikeRedis) {
  EXPECT_EQ(HumanBytes(0), "0B");
  EXPECT_EQ(HumanBytes(1023), "1023B");
  EXPECT_EQ(HumanBytes(1024), "1.00K");
  EXPECT_EQ(HumanBytes(955632), "933.23K");
  EXPECT_EQ(HumanBytes(3ull << 30), "3.00G");
}

}  // namespace
}  // namespace basalt
