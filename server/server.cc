#include "server/server.h"

#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>

#include "net/clock.h"
#include "net/transport.h"
#include "server/acl/user_registry.h"
#include "server/backup_runner.h"
#include "server/blocked_keys.h"
#include "server/client_handler.h"
#include "server/client_pause.h"
#include "server/client_registry.h"
#include "server/client_tracking.h"
#include "server/command_executor.h"
#include "server/command_table.h"
#include "server/commit_effects.h"
#include "server/config_table.h"
#include "server/expiry_effects.h"
#include "server/file_limit.h"
#include "server/latency_monitor.h"
#include "server/logging.h"
#include "server/memory_limit.h"
#include "server/monitor_hub.h"
#include "server/parked_registry.h"
#include "server/process_info.h"
#include "server/pubsub.h"
#include "server/scripting/scripting.h"
#include "server/services.h"
#include "server/slowlog.h"
#include "server/stats.h"
#include "server/watch_table.h"
#include "storage/storage.h"

namespace basalt {

namespace {

constexpr uint64_t kScriptGraceNs = 1'000'000'000;  // that scripts get when the server stops

constexpr std::chrono::milliseconds kPeriod{Stats::kSamplePeriodMs};

storage::SyncPolicy SyncPolicyOf(const ConfigSnapshot& config) {
  switch (config.appendfsync) {
    case AppendFsync::kAlways:
      return storage::SyncPolicy::kAlways;
    case AppendFsync::kNo:
      return storage::SyncPolicy::kNo;
    case AppendFsync::kEverySecond:
      break;
  }
  return storage::SyncPolicy::kEverySecond;
}

std::string_view CompressionName(Compression compression) {
  constexpr std::string_view kNames[] = {"none", "snappy", "lz4", "zstd"};
  return kNames[static_cast<size_t>(compression)];
}

storage::StorageOptions StorageOptionsOf(const ConfigSnapshot& config) {
  storage::StorageOptions options;
  options.dir = config.dir;
  options.databases = static_cast<int>(config.databases);
  options.memory_bytes = static_cast<uint64_t>(config.memory);
  options.sync_policy = SyncPolicyOf(config);
  options.compression = CompressionName(config.compression);
  options.blob_files = config.blob_files;
  options.blob_bytes_min = static_cast<uint64_t>(config.blob_min_size);
  options.background_jobs = static_cast<int>(config.background_jobs);
  options.disk_free_warn_bytes = static_cast<uint64_t>(config.disk_free_warn);
  options.disk_free_stop_bytes = static_cast<uint64_t>(config.disk_free_stop);
  options.ballast_bytes = static_cast<uint64_t>(config.disk_ballast);
  options.string_bytes_max = static_cast<uint64_t>(config.proto_max_bulk_len);
  return options;
}

net::TransportOptions TransportOptionsOf(const ConfigSnapshot& config) {
  const ThreadCounts threads = ThreadsOf(config);
  net::TransportOptions options;
  options.bind = config.bind;
  options.port = static_cast<uint16_t>(config.port);
  options.unix_socket = config.unixsocket;
  options.unix_socket_mode = static_cast<uint32_t>(config.unixsocketperm);
  options.backlog = static_cast<int>(config.tcp_backlog);
  options.workers = threads.workers;
  options.fast_threads = threads.fast;
  options.slow_threads = threads.slow;
  return options;
}

net::TransportTunables TunablesOf(const ConfigSnapshot& config) {
  net::TransportTunables tunables;
  tunables.tcp_keepalive_s = static_cast<int>(config.tcp_keepalive);
  tunables.idle_timeout_s = static_cast<int>(config.timeout);
  tunables.query_buffer_bytes_max = static_cast<uint64_t>(config.client_query_buffer_limit);
  tunables.output_bytes_total_max = static_cast<uint64_t>(config.client_output_total_limit);
  return tunables;
}

// All there can be, stand-ins included.
int PoolThreads(const ConfigSnapshot& config) {
  const ThreadCounts threads = ThreadsOf(config);
  return threads.fast + threads.slow + net::kStandInThreadsMax;
}

// Fewer clients than the configuration asks for, when the system does not give us files for them.
void FitClientsToFileLimit(ConfigTable& config) {
  const int64_t wanted = config.current().maxclients;
  const int64_t most = std::max<int64_t>(1, ClientsWithinFileLimit(wanted, 0));
  if (most >= wanted) return;
  LOG(WARNING) << "maxclients is " << most << " instead of " << wanted << ": the process may open " << FileLimit()
               << " files (ulimit -n), of which the data need their part";
  const std::string text = std::to_string(most);
  const Status lowered = config.Set(std::array<std::string_view, 2>{"maxclients", text}, true);
  CHECK(lowered.ok()) << lowered.text();
}

std::string NewRunId() {
  std::random_device random;
  std::string id;
  while (id.size() < 40) {
    char hex[9];
    snprintf(hex, sizeof(hex), "%08x", random());
    id += hex;
  }
  return id;
}

}  // namespace

// Parts in the order of their dependence: destroyed from the last to the first.
class Server::Impl {
 public:
  Impl(Server& server, ConfigTable& config, std::unique_ptr<storage::Storage> opened)
      : storage(std::move(opened)),
        stats(commands.size()),
        parked(stats),
        blocked_keys([this](ParkTicket ticket) { parked.WakeUp(ticket, Wake::kReady); }),
        tracking(clients),
        users(commands, config),
        effects(watches, blocked_keys, tracking),
        pause(*storage, parked),
        scripting(PoolThreads(config.current()), ThreadsOf(config.current()).slow),
        backups(*storage, stats),
        services{.storage = *storage,
                 .config = config,
                 .commands = commands,
                 .clients = clients,
                 .stats = stats,
                 .slowlog = slowlog,
                 .latency = latency,
                 .watches = watches,
                 .parked = parked,
                 .blocked_keys = blocked_keys,
                 .monitors = monitors,
                 .pubsub = pubsub,
                 .tracking = tracking,
                 .users = users,
                 .scripting = scripting,
                 .backups = backups,
                 .executor = executor,
                 .server = server,
                 .transport = nullptr},
        expiry_effects(services, effects),
        executor(services, pause, memory_limit, effects, PoolThreads(config.current())),
        handler(services) {}
  ~Impl() { storage->SetExpireObserver(nullptr); }  // what it tells of goes before the storage

  bool OpenTransport(std::string* error) {
    transport = net::Transport::Open(TransportOptionsOf(services.config.current()),
                                     TunablesOf(services.config.current()), &handler, error);
    if (transport == nullptr) return false;
    services.transport = transport.get();
    parked.SetTransport(transport.get());
    pubsub.SetSink(
        {.push_to_many = [this](PubSub::Conns conns,
                                PubSub::Bytes bytes) { transport->PushToMany(std::move(conns), std::move(bytes)); },
         .hold_pushes = [this](net::ConnId conn) { transport->HoldPushes(conn); }});
    tracking.SetSink([this](std::span<const net::ConnId> conns, const std::shared_ptr<const std::string>& message) {
      transport->PushToEach(conns, message, net::PushOrder::kBehindReplies);
    });
    monitors.SetSink([this](std::span<const net::ConnId> conns, const std::shared_ptr<const std::string>& line) {
      transport->PushToEach(conns, line, net::PushOrder::kAtOnce);
    });
    return true;
  }

  // What CONFIG SET makes effective outside of the snapshot, or must ask somebody for.
  void RegisterAppliers() {
    ConfigTable& config = services.config;
    tracking.SetMaxKeys(static_cast<uint64_t>(config.current().tracking_table_max_keys));
    config.OnChange({"appendfsync"}, [this](const ConfigSnapshot& next, std::string*) {
      storage->SetSyncPolicy(SyncPolicyOf(next));
      return true;
    });
    config.OnChange({"maxclients"}, [this](const ConfigSnapshot& next, std::string* error) {
      const int64_t most = ClientsWithinFileLimit(next.maxclients, static_cast<int64_t>(clients.size()));
      if (most >= next.maxclients) return true;
      *error = "The operating system is not able to handle the specified number of clients, try with " +
               std::to_string(most);  // Redis' words
      return false;
    });
    config.OnChange({"maxmemory"}, [this](const ConfigSnapshot& next, std::string*) {
      memory_limit.Sample(static_cast<uint64_t>(next.maxmemory));
      return true;
    });
    config.OnChange({"memory"}, [this](const ConfigSnapshot& next, std::string*) {
      storage->SetMemoryBytes(static_cast<uint64_t>(next.memory));
      return true;
    });
    config.OnChange({"tcp-keepalive", "timeout", "client-query-buffer-limit", "client-output-total-limit"},
                    [this](const ConfigSnapshot& next, std::string*) {
                      transport->SetTunables(TunablesOf(next));
                      return true;
                    });
    config.OnChange({"tracking-table-max-keys"}, [this](const ConfigSnapshot& next, std::string*) {
      tracking.SetMaxKeys(static_cast<uint64_t>(next.tracking_table_max_keys));
      return true;
    });
    config.OnChange({"bind", "port"}, [this](const ConfigSnapshot& next, std::string* error) {
      std::string reason;
      if (transport->Rebind(next.bind, static_cast<uint16_t>(next.port), &reason)) return true;
      *error = "Unable to listen on this port. " + reason;  // begins as Redis' does
      return false;
    });
    config.OnChange({"requirepass"}, [this](const ConfigSnapshot& next, std::string* error) {
      return users.SetDefaultPassword(next.requirepass, error);
    });
    config.SetUserLinesSource([this] { return users.ConfigLines(); });
    config.OnChange({"client-output-buffer-limit"}, [this](const ConfigSnapshot& next, std::string*) {
      for (const auto& client : clients.All()) transport->SetOutputLimit(client->conn.id, OutputLimitOf(next, *client));
      return true;
    });
    config.OnChange({"loglevel"}, [](const ConfigSnapshot& next, std::string*) {
      SetLogLevel(next.loglevel);
      return true;
    });
  }

  void StartPeriodicWork() {
    transport->AddPeriodic(std::chrono::seconds(1), [] { SampleProcessMemory(); });  // used_memory_peak
    transport->AddPeriodic(kPeriod, [this] {
      const net::TransportStats totals = transport->Stats();
      stats.Sample(static_cast<int64_t>(net::MonotonicNs()), totals.bytes_in, totals.bytes_out);
      pause.Tick(storage->NowMs());
      tracking.Tick(storage->health() != storage::Health::kFailed);
      memory_limit.Sample(static_cast<uint64_t>(services.config.current().maxmemory));
      executor.WatchThreads();
    });
  }

  std::unique_ptr<storage::Storage> storage;
  const CommandTable commands;
  ClientRegistry clients;
  Stats stats;
  SlowLog slowlog;
  LatencyMonitor latency;
  WatchTable watches;
  ParkedRegistry parked;
  BlockedKeys blocked_keys;
  PubSub pubsub;
  ClientTracking tracking;
  UserRegistry users;
  CommitEffects effects;
  ClientPause pause;
  MemoryLimit memory_limit;
  MonitorHub monitors;
  Scripting scripting;
  BackupRunner backups;
  Services services;
  ExpiryEffects expiry_effects;
  CommandExecutor executor;
  ClientHandler handler;
  std::unique_ptr<net::Transport> transport;

  const std::string run_id = NewRunId();
  const int64_t start_unix_s = time(nullptr);
};

Server::Server() = default;
Server::~Server() = default;

std::unique_ptr<Server> Server::Create(ConfigTable& config, std::string* error) {
  RaiseFileLimit(config.current().maxclients);  // tables may be many
  std::unique_ptr<storage::Storage> storage = storage::Storage::Open(StorageOptionsOf(config.current()), error);
  if (storage == nullptr) return nullptr;
  FitClientsToFileLimit(config);
  std::unique_ptr<Server> server(new Server());
  server->impl_ = std::make_unique<Impl>(*server, config, std::move(storage));
  Impl& impl = *server->impl_;
  impl.storage->SetExpireObserver(&impl.expiry_effects);
  if (!impl.users.LoadAtStart(error)) return nullptr;
  if (const storage::Status loaded = impl.scripting.functions().Load(*impl.storage); loaded != storage::Status::kOk) {
    *error = std::string("cannot read the libraries of functions: ") + std::string(storage::StatusName(loaded));
    return nullptr;
  }
  if (!impl.OpenTransport(error)) return nullptr;
  impl.RegisterAppliers();
  return server;
}

int Server::Run() {
  impl_->transport->Start();
  impl_->StartPeriodicWork();
  LogStartup(impl_->services);

  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  int signal_number = 0;
  sigwait(&wanted, &signal_number);
  LOG(INFO) << "Shutting down (" << (signal_number == SIGINT ? "SIGINT" : "SIGTERM or SHUTDOWN") << ")";

  impl_->parked.DropAll();
  impl_->scripting.running().EndAll(net::MonotonicNs() + kScriptGraceNs);
  impl_->transport->Stop(std::chrono::seconds(impl_->services.config.current().shutdown_timeout));
  impl_->storage->StopThreads();  // replies that wait for a sync go to the transport, which goes before the storage
  const storage::Status synced = impl_->storage->SyncNow();
  if (synced != storage::Status::kOk) {
    LOG(ERROR) << "The last sync before the end failed: " << storage::StatusName(synced);
    return 1;
  }
  LOG(INFO) << "Bye";
  return 0;
}

void Server::RequestShutdown() { kill(getpid(), SIGTERM); }

void Server::Pause(int64_t until_ms, bool all) {
  impl_->pause.Pause(until_ms, all ? ClientPause::Scope::kAll : ClientPause::Scope::kWrites);
}

void Server::Unpause() { impl_->pause.Unpause(); }

int64_t Server::start_unix_s() const { return impl_->start_unix_s; }
const std::string& Server::run_id() const { return impl_->run_id; }
const Services& Server::services() const { return impl_->services; }

}  // namespace basalt
