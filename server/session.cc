#include "server/session.h"

#include "net/clock.h"
#include "server/acl/user.h"
#include "server/client_registry.h"
#include "server/commit_group.h"

namespace basalt {

Session::Session(net::ConnInfo conn_info, uint64_t id)
    : conn(std::move(conn_info)), id(id), info(std::make_shared<ClientInfo>(conn, id, net::RealtimeMs())) {}

Session::~Session() = default;

void Session::DiscardTransaction() {
  in_multi = false;
  dirty_exec = false;
  queued.clear();
  queued_bytes = 0;
  queued_flags = 0;
  Publish();
}

void Session::Publish() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  info->db.store(db, kRelaxed);
  info->resp.store(static_cast<uint8_t>(resp), kRelaxed);
  info->queued_commands.store(in_multi ? static_cast<int32_t>(queued.size()) : -1, kRelaxed);
  info->queued_bytes.store(queued_bytes, kRelaxed);
  info->no_evict.store(no_evict, kRelaxed);
  info->no_touch.store(no_touch, kRelaxed);
  info->monitor.store(monitor, kRelaxed);
  info->reply_off.store(reply_mode == ReplyMode::kOff, kRelaxed);
}

}  // namespace basalt
