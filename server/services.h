#pragma once

namespace basalt {

namespace net {
class Transport;
}
namespace storage {
class Storage;
}

class BackupRunner;
class BlockedKeys;
class ClientRegistry;
class ClientTracking;
class CommandTable;
class CommandExecutor;
class ConfigTable;
class LatencyMonitor;
class MonitorHub;
class ParkedRegistry;
class PubSub;
class Scripting;
class Server;
class SlowLog;
class Stats;
class UserRegistry;
class WatchTable;

// The parts that command handlers may ask for. Built by Server, outlives every command. Not a place for state.
struct Services {
  storage::Storage& storage;
  ConfigTable& config;
  const CommandTable& commands;
  ClientRegistry& clients;
  Stats& stats;
  SlowLog& slowlog;
  LatencyMonitor& latency;
  WatchTable& watches;
  ParkedRegistry& parked;
  BlockedKeys& blocked_keys;
  MonitorHub& monitors;
  PubSub& pubsub;
  ClientTracking& tracking;
  UserRegistry& users;
  Scripting& scripting;
  BackupRunner& backups;
  CommandExecutor& executor;            // RunNested
  Server& server;                       // only for what concerns the process: shutdown, start time, run id
  net::Transport* transport = nullptr;  // null in tests without sockets
};

}  // namespace basalt
