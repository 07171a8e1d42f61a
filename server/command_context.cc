#include "server/command_context.h"

#include <glog/logging.h>

#include <chrono>
#include <utility>

#include "server/session.h"

namespace basalt {

CommandContext::CommandContext(const CommandSpec& spec, std::span<const std::string_view> argv,
                               net::ReplyBuilder& reply, Session& session, const Services& services,
                               storage::ReadView& view, storage::WriteTxn* txn, Outbox& outbox, net::Lane lane)
    : spec(spec),
      argv(argv),
      reply(reply),
      session(session),
      services(services),
      lane(lane),
      outbox(outbox),
      view_(view),
      txn_(txn) {}

storage::DbIndex CommandContext::db() const { return session.db; }

int64_t CommandContext::now_us() const {
  if (outer != nullptr) return outer->now_us();
  if (now_us_ == 0) {
    using namespace std::chrono;
    now_us_ = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  }
  return now_us_;
}

Status CommandContext::Park(ParkRequest request) {
  CHECK(!deny_blocking) << spec.name << " must not wait here";
  park_ = std::move(request);
  return ErrorCode::kParked;
}

}  // namespace basalt
