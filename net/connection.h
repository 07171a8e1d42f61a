#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "net/command_batch.h"
#include "net/conn_id.h"
#include "net/input_buffer.h"
#include "net/output_buffer.h"
#include "net/request_handler.h"
#include "net/resp_parser.h"

namespace basalt::net {

// One client: what it sent and we did not parse, what we owe it, and where its one batch is. A state machine without
// system calls: its worker feeds it bytes, batches and time, and asks what to submit, to write, to wait for, and
// whether it is over. So a test with a seed can be the worker.
//
//   reading ──NextBatch──▶ batch out ──OnReturned──▶ reading
//                            │   ▲ └──OnContinued──▶ to be resubmitted (NextBatch) ──▶ batch out
//                            └OnParked─▶ parked: reads ahead, parses nothing; then OnReturned or OnContinued
//
// Replies stay in order because there is one batch; a push goes in front of the replies of a batch that is out, unless
// its PushOrder says behind them, or pushes are held. A parked batch keeps no push back until they are.
//
// Owner: a slot of its WorkerThread. That thread only. Not destroyed while its batch is out.
class Connection {
 public:
  // More pending output than this holds the next batch back, as long as the client takes what it is sent.
  static constexpr uint64_t kHoldBytes = 1024 * 1024;
  // A client that takes nothing for this long may be one that writes its whole pipeline before it reads: it is allowed
  // twice the output. So 256 MiB take it under a second, and a reader that only paused has not been given them all.
  static constexpr uint64_t kHoldStallNs = 100'000'000;

  // A batch to submit, and where.
  struct Submission {
    BatchPtr batch;
    Lane lane = Lane::kFast;
    bool fresh = true;  // parsed just now
    explicit operator bool() const { return batch != nullptr; }
  };

  Connection(ConnId id, std::unique_ptr<ClientState> client, const ConnSettings& settings,
             std::shared_ptr<ConnCounters> counters, uint64_t now_ns);
  ~Connection();

  const ConnId& id() const { return id_; }
  uint64_t sequence() const { return sequence_; }
  const ConnSettings& settings() const { return settings_; }

  // ---- Input ----
  // Where the next bytes go; empty: no memory. REQUIRES: reading() or parked.
  std::span<char> ReadSpan(BlockPool& blocks);
  void OnBytes(size_t bytes, uint64_t now_ns);
  void OnPeerEnd() { peer_ended_ = true; }

  // ---- Batches ----
  // Parses on, and gives the next batch when there is one to submit: a new one, or the rest of a continued one.
  Submission NextBatch(BatchPool& batches, BlockPool& blocks, uint64_t query_bytes_max);
  // The batch is back. Its replies are taken over, and it is kept for Recycle().
  void OnReturned(BatchPtr batch, BlockPool& blocks);
  void OnContinued(BatchPtr batch, Lane lane);
  // The batch stays away; its input buffer and the replies so far came back. False: it is back already.
  bool OnParked(uint64_t sequence, InputBuffer input, OutputBuffer replies, const ConnSettings& settings,
                PeerEnd peer_end, BlockPool& blocks);
  // Gives an empty batch and blocks back to the pools. Call when the output has been offered to the socket.
  void Recycle(BatchPool& batches);

  bool batch_out() const { return batch_out_; }
  // A batch waits here to be submitted again.
  bool continued() const { return continued_; }
  bool parked() const { return parked_; }
  bool peer_end_closes() const { return parked_ && peer_end_ == PeerEnd::kClosesClient; }

  // ---- Output ----
  const OutputBuffer& output() const { return output_; }
  void OnWritten(size_t bytes, uint64_t now_ns);
  void OnPush(const std::shared_ptr<const std::string>& bytes, PushOrder order);
  // Pushes wait from now on until the batch that is out has come back with its replies.
  void OnHoldPushes() { holds_pushes_ = batch_out_; }
  void SetOutputLimit(const OutputLimit& limit) { settings_.output = limit; }

  // ---- Verdicts, after every event ----
  // What was asked is answered: the next thing to wait for is the next request.
  bool awaits_request(uint64_t query_bytes_max) const {
    return !batch_out_ && input_.size() == 0 && !input_.big_arg_open() && MayRead(query_bytes_max);
  }
  // The rest of a command is still to come.
  bool has_part_of_request() const { return !batch_out_ && !holding_ && (input_.size() != 0 || input_.big_arg_open()); }
  // PollEvents to wait for.
  uint32_t Wants(uint64_t query_bytes_max) const;
  // More output is pending than the client's class allows at all. Asked before writing, so that one reply above the
  // limit ends the client as it does in Redis, whatever the kernel would have buffered.
  bool over_hard_limit() const {
    return settings_.output.hard_bytes > 0 && output_bytes() >= settings_.output.hard_bytes;
  }
  // Why the connection is over, if it is.
  std::optional<CloseReason> Verdict(uint64_t now_ns);
  // A batch is held back for a client that is slow to read; a timer has to call OnHoldTimer.
  bool holding() const { return holding_; }
  // If nothing was written for kHoldStallNs, raises what holds the client back; else says when to ask again.
  std::optional<uint64_t> OnHoldTimer(uint64_t now_ns);
  // When the soft output limit cuts this client off unless it falls below it.
  std::optional<uint64_t> soft_limit_deadline_ns() const;

  uint64_t last_interaction_ns() const { return last_interaction_ns_; }
  uint64_t query_bytes() const { return input_.pending_bytes(); }
  uint64_t output_bytes() const {
    return (output_.empty() ? 0 : output_.memory_bytes()) + (held_pushes_.empty() ? 0 : held_pushes_.memory_bytes());
  }
  void PublishCounters(uint32_t armed) const;

  // The end: no batch is given any more, and one that comes back is only stripped of its client.
  void Close(CloseReason reason);
  bool closed() const { return closed_.has_value(); }
  CloseReason close_reason() const { return *closed_; }
  // The process ends without waiting for the batch.
  void Abandon() { batch_out_ = false; }
  // REQUIRES: closed(), no batch out.
  std::unique_ptr<ClientState> TakeClient();

 private:
  enum class Ending : uint8_t { kNo, kAskedFor, kProtocolError };  // once the output is out

  void TakeBack(CommandBatch& batch);
  void TakeReplies(CommandBatch& batch);
  void ReleaseHeldPushes();
  bool MayRead(uint64_t query_bytes_max) const;
  bool HoldsBack();
  void FailProtocol(const std::string& text);
  void CheckSoftLimit(uint64_t now_ns);

  const ConnId id_;
  const std::shared_ptr<ConnCounters> counters_;

  std::unique_ptr<ClientState> client_;  // here while no batch is out
  ConnSettings settings_;
  RespParser parser_;
  InputBuffer input_;  // lent to the batch while that is out and not parked
  OutputBuffer output_;
  OutputBuffer held_pushes_;  // go behind the replies of the batch that is out

  BatchPtr resting_;       // continued, waiting to be submitted again; or returned, waiting for Recycle
  uint64_t sequence_ = 0;  // of the last batch
  Lane rest_lane_ = Lane::kFast;
  bool batch_out_ = false;
  bool continued_ = false;  // resting_ has work left
  bool parked_ = false;
  PeerEnd peer_end_ = PeerEnd::kClosesClient;

  bool peer_ended_ = false;
  bool holding_ = false;
  bool holds_pushes_ = false;
  bool query_limit_ = false;  // an incomplete command outgrew the query buffer
  Ending ending_ = Ending::kNo;
  std::optional<CloseReason> closed_;

  uint64_t last_interaction_ns_;
  uint64_t last_progress_ns_;         // of the output
  uint64_t hold_bytes_ = kHoldBytes;  // what holds the next batch back now
  uint64_t soft_since_ns_ = 0;
  uint64_t bytes_in_ = 0, bytes_out_ = 0;
};

}  // namespace basalt::net
