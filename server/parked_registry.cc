#include "server/parked_registry.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "net/transport.h"
#include "server/client_registry.h"
#include "server/session.h"
#include "server/stats.h"

namespace basalt {

void ParkedRegistry::Park(net::BatchPtr batch, net::Lane lane, ParkKind kind, ParkRequest request) {
  Session& session = SessionOf(*batch);
  ParkTicket ticket;
  {
    std::lock_guard lock(mu_);
    ticket = next_ticket_++;
    Entry entry{.batch = nullptr,
                .conn = batch->conn,
                .sequence = batch->sequence,
                .client_id = session.id,
                .deadline_ms = request.deadline_ms,
                .lane = lane,
                .kind = kind,
                .resubmit = std::move(request.resubmit)};
    if (closed_) entry.end = Entry::End::kHangup;
    entries_.emplace(ticket, std::move(entry));
    by_conn_[batch->conn] = ticket;
    by_client_[session.id] = ticket;
    ++blocked_;
  }
  session.info->blocked.store(true, std::memory_order_relaxed);

  // From here on the worker may report the client's end, and others may wake: all of them find the entry.
  transport_->Park(*batch, request.deadline_ms);
  if (request.on_parked) request.on_parked(ticket);

  std::unique_lock lock(mu_);
  Entry& entry = entries_.at(ticket);
  entry.batch = std::move(batch);
  if (entry.end == Entry::End::kNone) return;
  Entry ended = Take(ticket);
  lock.unlock();
  const Entry::End end = ended.end;
  Resume(std::move(ended), end);
}

ParkedRegistry::Entry ParkedRegistry::Take(ParkTicket ticket) {
  auto it = entries_.find(ticket);
  Entry entry = std::move(it->second);
  entries_.erase(it);
  by_conn_.erase(entry.conn);
  by_client_.erase(entry.client_id);
  --blocked_;
  return entry;
}

bool ParkedRegistry::Finish(ParkTicket ticket, Entry::End end) {
  std::unique_lock lock(mu_);
  auto it = entries_.find(ticket);
  if (it == entries_.end() || it->second.end != Entry::End::kNone) return false;
  if (it->second.batch == nullptr) {
    it->second.end = end;
    return true;
  }
  Entry entry = Take(ticket);
  lock.unlock();
  Resume(std::move(entry), end);
  return true;
}

// The command is over, with an error; what it kept between its runs goes as when it ends by itself.
void ParkedRegistry::AnswerUnblocked(net::CommandBatch& batch) {
  constexpr std::string_view kError = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
  Session& session = SessionOf(batch);
  stats_.RecordError(kError);
  if (session.reply_mode == ReplyMode::kOn) net::ReplyBuilder(&batch.replies, session.resp).Error(kError);
  if (session.reply_mode == ReplyMode::kSkipNext) session.reply_mode = ReplyMode::kOn;
  ++batch.next;
  session.wake = Wake::kFirstRun;
  session.rerun.Clear();
  session.blocked = {};
}

void ParkedRegistry::Resume(Entry entry, Entry::End end) {
  Session& session = SessionOf(*entry.batch);
  session.info->blocked.store(false, std::memory_order_relaxed);
  switch (end) {
    case Entry::End::kReady:
      // A postponed command has not run yet.
      session.wake = entry.kind == ParkKind::kPostponed ? Wake::kFirstRun : Wake::kReady;
      break;
    case Entry::End::kTimeout:
      session.wake = entry.kind == ParkKind::kPostponed ? Wake::kFirstRun : Wake::kTimeout;
      break;
    case Entry::End::kUnblocked:
      AnswerUnblocked(*entry.batch);
      break;
    case Entry::End::kHangup:
      entry.batch->next = static_cast<uint32_t>(entry.batch->commands.size());
      entry.batch->settings.close_after_reply = true;
      session.blocked = {};
      break;
    case Entry::End::kNone:
      LOG(FATAL) << "a parked batch ends for a reason";
  }
  if (entry.batch->finished()) {
    transport_->Return(std::move(entry.batch));
  } else if (end == Entry::End::kReady && entry.resubmit) {
    entry.resubmit(std::move(entry.batch), entry.lane);
  } else {
    transport_->Resubmit(std::move(entry.batch), entry.lane);
  }
}

bool ParkedRegistry::WakeUp(ParkTicket ticket, Wake reason) {
  return Finish(ticket, reason == Wake::kTimeout ? Entry::End::kTimeout : Entry::End::kReady);
}

void ParkedRegistry::WakeAllPostponed() {
  std::vector<ParkTicket> tickets;
  {
    std::lock_guard lock(mu_);
    for (const auto& [ticket, entry] : entries_) {
      if (entry.kind == ParkKind::kPostponed) tickets.push_back(ticket);
    }
  }
  std::sort(tickets.begin(), tickets.end());  // in the order they came
  for (ParkTicket ticket : tickets) Finish(ticket, Entry::End::kReady);
}

bool ParkedRegistry::Unblock(uint64_t client_id, bool with_error) {
  ParkTicket ticket;
  {
    std::lock_guard lock(mu_);
    auto it = by_client_.find(client_id);
    if (it == by_client_.end() || entries_.at(it->second).kind != ParkKind::kBlocked) return false;
    ticket = it->second;
  }
  return Finish(ticket, with_error ? Entry::End::kUnblocked : Entry::End::kTimeout);
}

ParkTicket ParkedRegistry::FindTicket(net::ConnId conn, uint64_t sequence, std::optional<int64_t> deadline_ms) const {
  std::lock_guard lock(mu_);
  auto it = by_conn_.find(conn);
  if (it == by_conn_.end()) return 0;
  const Entry& entry = entries_.at(it->second);
  if (entry.sequence != sequence || (deadline_ms && entry.deadline_ms != *deadline_ms)) return 0;
  return it->second;
}

void ParkedRegistry::OnDeadline(net::ConnId conn, uint64_t sequence, int64_t deadline_ms) {
  if (ParkTicket ticket = FindTicket(conn, sequence, deadline_ms)) Finish(ticket, Entry::End::kTimeout);
}

void ParkedRegistry::OnHangup(net::ConnId conn, uint64_t sequence) {
  if (ParkTicket ticket = FindTicket(conn, sequence, std::nullopt)) Finish(ticket, Entry::End::kHangup);
}

uint64_t ParkedRegistry::blocked_clients() const {
  std::lock_guard lock(mu_);
  return blocked_;
}

void ParkedRegistry::DropAll() {
  std::vector<ParkTicket> tickets;
  {
    std::lock_guard lock(mu_);
    closed_ = true;
    for (const auto& [ticket, entry] : entries_) tickets.push_back(ticket);
  }
  for (ParkTicket ticket : tickets) Finish(ticket, Entry::End::kHangup);
}

}  // namespace basalt
