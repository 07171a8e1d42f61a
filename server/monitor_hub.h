#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/conn_id.h"
#include "server/command_spec.h"
#include "storage/key.h"

namespace basalt {

// Clients in MONITOR, and the lines they get. While there are none a command costs one relaxed load. Any thread.
class MonitorHub {
 public:
  // Where lines go: Transport::PushToEach.
  using Sink = std::function<void(std::span<const net::ConnId>, const std::shared_ptr<const std::string>&)>;
  void SetSink(Sink sink);  // set-up only

  void Add(net::ConnId conn);
  void Remove(net::ConnId conn);  // harmless when absent
  size_t size() const { return watchers_.load(std::memory_order_relaxed); }

  bool watched() const { return watchers_.load(std::memory_order_relaxed) != 0; }
  // Administration is not shown, nor what asks not to be.
  static bool Shows(const CommandSpec& spec) { return !spec.Has(kCmdAdmin | kCmdSkipMonitor); }

  // Tells the watchers of one command; call it with the key locks still held, so that lines are in the order of
  // execution. REQUIRES: watched(), Shows(spec). `peer`: as CLIENT LIST's addr; "lua" inside a script.
  void Feed(const CommandSpec& spec, std::span<const std::string_view> argv, storage::DbIndex db, std::string_view peer,
            bool unix_socket);

  // `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"\r\n`
  static std::string Line(int64_t unix_us, storage::DbIndex db, std::string_view peer, bool unix_socket,
                          const CommandSpec& spec, std::span<const std::string_view> argv);

 private:
  std::atomic<size_t> watchers_{0};
  Sink sink_;
  std::mutex mu_;                   // also orders the lines
  std::vector<net::ConnId> conns_;  // guarded by mu_
};

// Appends the text in double quotes, escaped as Redis shows bytes: \" \\ \n \r \t \a \b \xHH.
void AppendQuoted(std::string_view text, std::string* out);

}  // namespace basalt
