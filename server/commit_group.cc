#include "server/commit_group.h"

#include <glog/logging.h>

#include <utility>

#include "net/clock.h"
#include "net/reply_builder.h"
#include "net/transport.h"
#include "server/client_handler.h"
#include "server/client_tracking.h"
#include "server/config_table.h"
#include "server/services.h"
#include "server/session.h"
#include "server/status.h"
#include "storage/storage.h"

namespace basalt {

namespace {

// A group ends at whichever comes first. Larger groups would save little more and make each waiter later.
constexpr size_t kGroupBytesMax = 64 * 1024;
constexpr uint64_t kGroupAgeMaxNs = 150'000;

}  // namespace

CommitGroup::CommitGroup(const Services& services, storage::CommitObserver& observer)
    : services_(services), observer_(observer), txn_(services.storage) {
  txn_.SetExpiryListener(this);
}

CommitGroup::~CommitGroup() {
  CHECK(members_.empty() && ready_.empty()) << "a commit group ends with its batches sent";
}

void CommitGroup::Begin(net::BatchPtr batch) { members_.push_back(Member{.batch = std::move(batch)}); }

void CommitGroup::AddDependent(net::OutputBuffer::Position from) {
  Member& member = members_.back();
  if (dependents_.empty()) pending_since_ns_ = net::MonotonicNs();
  dependents_.push_back({static_cast<uint32_t>(members_.size() - 1), {from, member.batch->replies.End()}});
  ++member.dependents;
}

void CommitGroup::End(Then then, net::Lane lane) {
  Member& member = members_.back();
  member.ended = true;
  member.then = then;
  member.lane = lane;
  if (then != Then::kResubmit) AboutToSend(services_, *member.batch);
  if (member.dependents > 0) return;
  ready_.push_back(std::move(member));
  members_.pop_back();
}

bool CommitGroup::CurrentUnsynced() const {
  const Member& member = members_.back();
  return member.sequence != 0 && !services_.storage.ReplyMayLeave(member.sequence);
}

net::BatchPtr CommitGroup::TakeCurrent() {
  CHECK(!HasPending() && members_.size() == 1 && !members_.back().ended);
  net::BatchPtr batch = std::move(members_.back().batch);
  members_.pop_back();
  return batch;
}

bool CommitGroup::ShouldCommit(uint64_t now_ns) const {
  if (dependents_.empty()) return false;
  return txn_.PendingBytes() >= kGroupBytesMax || now_ns >= pending_since_ns_ + kGroupAgeMaxNs;
}

bool CommitGroup::Commit(Stall stall) {
  FlushReady();
  if (txn_.HasPendingWrites()) {
    uint64_t sequence = 0;
    const storage::Status status = txn_.Commit(this, stall == Stall::kFail, &sequence);
    if (status == storage::Status::kIncomplete) return false;
    if (status == storage::Status::kOk) {
      KeepUnsynced(sequence);
    } else {
      LOG(ERROR) << "commit failed: " << storage::StatusName(status);
      outbox_.RollbackTo(0);
      services_.tracking.OnCommitFailed();
      FailDependents(status);
    }
  } else {
    Tell();
    txn_.Abort();  // only locks
  }
  if (dependents_.empty()) return true;
  dependents_.clear();

  std::vector<Member> members = std::exchange(members_, {});
  for (Member& member : members) {
    member.dependents = 0;
    if (member.ended) {
      ready_.push_back(std::move(member));
    } else {
      members_.push_back(std::move(member));
    }
  }
  FlushReady();
  return true;
}

void CommitGroup::OnCommitted(std::span<const storage::Change> changes) {
  observer_.OnCommitted(changes);
  Tell();
}

void CommitGroup::OnExpiryMet(storage::DbIndex db, std::string_view key, storage::ExpiredPart part) {
  const uint32_t configured = services_.config.current().notify_keyspace_events;
  outbox_.Expired(configured, current().conn, db, key, part);
}

void CommitGroup::Tell() {
  if (outbox_.empty()) return;
  outbox_.Deliver(services_, [this](net::ConnId author, std::string_view resp) {
    for (Member& member : members_) {
      if (member.batch->conn != author) continue;
      member.batch->replies.Append(resp);
      if (!member.ended || member.then == Then::kResubmit) SessionOf(*member.batch).pushes_held = true;
    }
  });
}

void CommitGroup::KeepUnsynced(uint64_t sequence) {
  const bool may_leave = services_.storage.ReplyMayLeave(sequence);
  for (const Dependent& dependent : dependents_) {
    if (dependent.range.from == dependent.range.to) continue;
    Member& member = members_[dependent.member];
    member.sequence = sequence;
    if (!may_leave) member.committed.push_back(dependent.range);
  }
}

void CommitGroup::ReplaceByError(net::CommandBatch& batch, const std::vector<Range>& ranges, storage::Status status) {
  net::OutputBuffer line;
  net::ReplyBuilder(&line, net::RespVersion::kResp2).Error(ErrorText(Status(status), ""));
  const std::string error = line.ToString();
  // From the last to the first, so that the earlier positions stay true. An empty range is a reply that CLIENT REPLY
  // suppressed, or one that comes later.
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {
    if (range->from != range->to) batch.replies.Replace(range->from, range->to, error);
  }
}

void CommitGroup::FailDependents(storage::Status status) {
  std::vector<std::vector<Range>> by_member(members_.size());
  for (const Dependent& dependent : dependents_) by_member[dependent.member].push_back(dependent.range);
  for (size_t i = 0; i < members_.size(); ++i) ReplaceByError(*members_[i].batch, by_member[i], status);
}

void CommitGroup::FlushReady() {
  if (ready_.empty()) return;
  std::vector<net::BatchPtr> returns;
  for (Member& member : ready_) {
    if (member.sequence != 0 && !services_.storage.ReplyMayLeave(member.sequence)) {
      auto waiting = std::make_shared<Member>(std::move(member));
      auto* transport = services_.transport;
      services_.storage.WhenReplyMayLeave(waiting->sequence, [waiting, transport](storage::Status status) {
        if (status != storage::Status::kOk) ReplaceByError(*waiting->batch, waiting->committed, status);
        Send(*transport, std::move(*waiting));
      });
    } else if (member.then == Then::kReturn) {
      returns.push_back(std::move(member.batch));
    } else {
      Send(*services_.transport, std::move(member));
    }
  }
  ready_.clear();
  if (!returns.empty()) services_.transport->Return(std::move(returns));
}

void CommitGroup::Send(net::Transport& transport, Member member) {
  switch (member.then) {
    case Then::kReturn:
      return transport.Return(std::move(member.batch));
    case Then::kContinue:
      return transport.Continue(std::move(member.batch), member.lane);
    case Then::kResubmit:
      return transport.Resubmit(std::move(member.batch), member.lane);
  }
}

net::BatchPtr CommitGroup::TakeCarrier() {
  CHECK(!members_.empty() && members_.front().batch != nullptr);
  return std::move(members_.front().batch);
}

void CommitGroup::GiveBackCarrier(net::BatchPtr batch) { members_.front().batch = std::move(batch); }

}  // namespace basalt
