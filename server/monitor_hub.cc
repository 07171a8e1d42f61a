#include "server/monitor_hub.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>

#include "server/command_table.h"

namespace basalt {

void AppendQuoted(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    switch (c) {
      case '\\':
      case '"':
        *out += '\\', *out += c;
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      case '\a':
        *out += "\\a";
        break;
      case '\b':
        *out += "\\b";
        break;
      default:
        if (std::isprint(static_cast<unsigned char>(c))) {
          *out += c;
        } else {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
          *out += escape;
        }
    }
  }
  *out += '"';
}

void MonitorHub::SetSink(Sink sink) { sink_ = std::move(sink); }

void MonitorHub::Add(net::ConnId conn) {
  const std::lock_guard lock(mu_);
  if (std::find(conns_.begin(), conns_.end(), conn) != conns_.end()) return;
  conns_.push_back(conn);
  watchers_.store(conns_.size(), std::memory_order_relaxed);
}

void MonitorHub::Remove(net::ConnId conn) {
  const std::lock_guard lock(mu_);
  std::erase(conns_, conn);
  watchers_.store(conns_.size(), std::memory_order_relaxed);
}

std::string MonitorHub::Line(int64_t unix_us, storage::DbIndex db, std::string_view peer, bool unix_socket,
                             const CommandSpec& spec, std::span<const std::string_view> argv) {
  char head[64];
  std::snprintf(head, sizeof head, "+%lld.%06lld [%u ", static_cast<long long>(unix_us / 1000000),
                static_cast<long long>(unix_us % 1000000), static_cast<unsigned>(db));
  std::string line = head;
  if (unix_socket) {
    // The peer of a unix socket is shown as "path:0" elsewhere.
    line += "unix:";
    if (peer.ends_with(":0")) peer.remove_suffix(2);
  }
  line += peer;
  line += ']';
  for (size_t i = 0; i < argv.size(); ++i) {
    line += ' ';
    AppendQuoted(IsRedacted(spec, argv, i) ? kRedacted : argv[i], &line);
  }
  line += "\r\n";
  return line;
}

void MonitorHub::Feed(const CommandSpec& spec, std::span<const std::string_view> argv, storage::DbIndex db,
                      std::string_view peer, bool unix_socket) {
  const std::lock_guard lock(mu_);
  if (conns_.empty() || !sink_) return;
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const auto line = std::make_shared<const std::string>(Line(now, db, peer, unix_socket, spec, argv));
  sink_(conns_, line);
}

}  // namespace basalt
