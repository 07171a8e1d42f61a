#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace basalt {

class ConfigTable;
struct Services;

// Composition root: builds the parts, wires them, starts and stops them.
class Server {
 public:
  // Opens data folder and sockets. Null and one clear line in *error. `config` outlives the server.
  static std::unique_ptr<Server> Create(ConfigTable& config, std::string* error);
  ~Server();

  // Serves until RequestShutdown. REQUIRES: all signals blocked, by the calling thread, before it started any other.
  // SIGTERM and SIGINT ask for the same as SHUTDOWN. Returns the process' exit code.
  int Run();

  // ---- any thread, for command handlers ----
  // Returns at once; clients are closed without a reply. What SHUTDOWN's options ask for beyond that (a backup first)
  // its handler has done.
  void RequestShutdown();
  // CLIENT PAUSE / UNPAUSE. REQUIRES: Pause is called with the exclusive gate closed.
  void Pause(int64_t until_ms, bool all);
  void Unpause();

  int64_t start_unix_s() const;
  const std::string& run_id() const;  // 40 hex digits, new at each start
  const Services& services() const;

 private:
  class Impl;
  Server();
  std::unique_ptr<Impl> impl_;
};

}  // namespace basalt
