#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "net/command_batch.h"
#include "net/request_handler.h"
#include "server/outbox.h"
#include "storage/write_txn.h"

namespace basalt {

namespace net {
class Transport;
}
struct Services;

// What happens to a batch once its replies may leave.
enum class Then : uint8_t {
  kReturn,    // all commands are executed
  kContinue,  // send the replies so far, then run the rest
  kResubmit,  // keep the replies and run the rest
};

// The batches whose writes one WriteTxn commits together, and which of their replies depend on it. Batches without a
// pending write do not join: they leave before that commit, when it begins.
//
// A batch is begun, run and ended; a commit may fall anywhere between two commands. If it fails, each reply that
// depended on it becomes the error. No reply that depends on a write leaves before the write is committed and, with
// `appendfsync always`, synced.
//
// One holder at a time: the pool thread that runs it, or a batch that carries a stalled commit to the slow lane.
class CommitGroup final : private storage::CommitObserver, private storage::ExpiryListener {
 public:
  CommitGroup(const Services& services, storage::CommitObserver& observer);
  ~CommitGroup() override;

  storage::WriteTxn& txn() { return txn_; }
  Outbox& outbox() { return outbox_; }

  void Begin(net::BatchPtr batch);
  net::CommandBatch& current() { return *members_.back().batch; }
  // Reply [from, End()) of the current batch depends on the pending writes. Empty: its write does, and nobody is told.
  void AddDependent(net::OutputBuffer::Position from);
  // The current batch has a reply that waits for the commit.
  bool CurrentDepends() const { return members_.back().dependents > 0; }
  void End(Then then, net::Lane lane);
  // A reply of the current batch waits for the sync of a commit. Such a batch does not wait for anything else: it ends
  // with kResubmit, and runs its next command again when they are synced.
  bool CurrentUnsynced() const;
  // Takes the current batch out again, to be parked. REQUIRES: nothing pending (Commit was called), !CurrentUnsynced().
  net::BatchPtr TakeCurrent();

  bool HasCurrent() const { return !members_.empty() && !members_.back().ended; }
  bool HasPending() const { return txn_.HasPendingWrites() || !outbox_.empty(); }
  // The group has become large or old enough.
  bool ShouldCommit(uint64_t now_ns) const;

  enum class Stall : uint8_t { kFail /* fast lane: give the commit back */, kWait };
  // Writes, unlocks, and sends the batches that have ended. False: RocksDB would stall; nothing has happened, and the
  // group must be carried to the slow lane.
  [[nodiscard]] bool Commit(Stall stall);
  // Takes out the first batch of a stalled group, which is to carry the group to the slow lane, and puts it back there.
  // REQUIRES: all batches have ended.
  net::BatchPtr TakeCarrier();
  void GiveBackCarrier(net::BatchPtr batch);

 private:
  struct Range {
    net::OutputBuffer::Position from, to;
  };
  struct Member {
    net::BatchPtr batch;  // null: it carries this group
    bool ended = false;
    Then then = Then::kReturn;
    net::Lane lane = net::Lane::kFast;
    uint32_t dependents = 0;       // replies that wait for the next commit
    uint64_t sequence = 0;         // of the last commit that one of its replies tells of; 0: none
    std::vector<Range> committed;  // replies whose write is not known to be synced
  };
  struct Dependent {
    uint32_t member;
    Range range;
  };

  void OnDatabasesReplaced(std::span<const storage::DbIndex> dbs) override { observer_.OnDatabasesReplaced(dbs); }
  void OnCommitted(std::span<const storage::Change> changes) override;
  void OnExpiryMet(storage::DbIndex db, std::string_view key, storage::ExpiredPart part) override;
  // Delivers the outbox; what concerns one of the members itself is appended to its replies.
  void Tell();

  // Sends the batches that have ended and do not depend on a commit.
  void FlushReady();
  static void ReplaceByError(net::CommandBatch& batch, const std::vector<Range>& ranges, storage::Status status);
  void FailDependents(storage::Status status);
  void KeepUnsynced(uint64_t sequence);
  static void Send(net::Transport& transport, Member member);

  const Services& services_;
  storage::CommitObserver& observer_;
  storage::WriteTxn txn_;
  Outbox outbox_;
  std::vector<Member> members_;        // in order; the last may be the current one
  std::vector<Dependent> dependents_;  // in order of execution
  std::vector<Member> ready_;
  uint64_t pending_since_ns_ = 0;
};

}  // namespace basalt
