#include "net/connection.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "net/poller.h"
#include "net/reply_builder.h"

namespace basalt::net {

namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

}  // namespace

Connection::Connection(ConnId id, std::unique_ptr<ClientState> client, const ConnSettings& settings,
                       std::shared_ptr<ConnCounters> counters, uint64_t now_ns)
    : id_(id),
      counters_(std::move(counters)),
      client_(std::move(client)),
      settings_(settings),
      last_interaction_ns_(now_ns),
      last_progress_ns_(now_ns) {
  CHECK(id_);
  CHECK(client_);
}

Connection::~Connection() { CHECK(!batch_out_) << "a connection is freed while its batch is out"; }

std::span<char> Connection::ReadSpan(BlockPool& blocks) {
  DCHECK(!batch_out_ || parked_);
  return input_.WritableSpan(blocks);
}

void Connection::OnBytes(size_t bytes, uint64_t now_ns) {
  DCHECK(!batch_out_ || parked_) << "bytes are read into a lent buffer";
  DCHECK(!closed_);
  input_.Commit(bytes);
  bytes_in_ += bytes;
  last_interaction_ns_ = now_ns;
}

Connection::Submission Connection::NextBatch(BatchPool& batches, BlockPool& blocks, uint64_t query_bytes_max) {
  if (batch_out_ || closed_ || ending_ != Ending::kNo || HoldsBack()) return {};
  if (continued_) {
    continued_ = false;
    batch_out_ = true;
    return {std::move(resting_), rest_lane_, false};
  }
  if (input_.size() == 0 && !input_.big_arg_open()) return {};

  BatchPtr batch = batches.Take();
  DCHECK(batch->commands.empty());
  // The limits of a stranger end with the command that introduces him: such a client gets one command a batch.
  const uint32_t commands_max = settings_.parser.authenticated ? CommandBatch::kBatchCommandsMax : 1;
  parser_.Parse(input_, settings_.parser, commands_max, batch.get());
  if (batch->commands.empty()) {
    if (batch->protocol_error) {
      FailProtocol(*batch->protocol_error);
    } else {
      input_.Shrink(blocks);
      query_limit_ = input_.pending_bytes() > query_bytes_max;
    }
    batches.Put(std::move(batch));
    return {};
  }
  batch->conn = id_;
  batch->sequence = ++sequence_;
  batch->client = std::move(client_);
  batch->settings = settings_;
  batch->input = std::move(input_);
  batch_out_ = true;
  return {std::move(batch), Lane::kFast};
}

void Connection::OnReturned(BatchPtr batch, BlockPool& blocks) {
  const bool was_parked = parked_;
  TakeBack(*batch);
  CHECK(batch->client) << "a batch came back without its client";
  client_ = std::move(batch->client);
  if (!was_parked) input_ = std::move(batch->input);
  input_.Settle(blocks);
  if (!closed_) {
    CHECK(batch->finished() || settings_.close_after_reply) << "a batch came back with commands left";
    TakeReplies(*batch);
    if (settings_.close_after_reply) {
      ending_ = Ending::kAskedFor;
    } else if (batch->protocol_error) {
      FailProtocol(*batch->protocol_error);
    }
  }
  DCHECK(!resting_);
  resting_ = std::move(batch);
}

void Connection::OnContinued(BatchPtr batch, Lane lane) {
  CHECK(!batch->finished()) << "a finished batch is continued";
  const bool was_parked = parked_;
  TakeBack(*batch);
  // A batch that was parked owns its arguments by now; what came after it is here, and is lent again so that there is
  // one way back.
  if (was_parked) batch->input = std::move(input_);
  if (closed_) {
    client_ = std::move(batch->client);
  } else {
    TakeReplies(*batch);
    if (settings_.close_after_reply) {
      client_ = std::move(batch->client);
      ending_ = Ending::kAskedFor;
    } else {
      continued_ = true;
      rest_lane_ = lane;
    }
  }
  DCHECK(!resting_);
  resting_ = std::move(batch);
}

bool Connection::OnParked(uint64_t sequence, InputBuffer input, OutputBuffer replies, const ConnSettings& settings,
                          PeerEnd peer_end, BlockPool& blocks) {
  CHECK(batch_out_ && sequence == sequence_) << "parked under a foreign sequence number";
  if (!parked_) {
    input_ = std::move(input);
    input_.Settle(blocks);
  } else {
    CHECK_EQ(input.size(), 0u);  // parked again without having come back: the first time gave us the buffer
  }
  parked_ = true;
  peer_end_ = peer_end;
  if (closed_) return false;
  settings_ = settings;
  output_.AppendBuffer(std::move(replies));
  ReleaseHeldPushes();
  return true;
}

void Connection::TakeBack(CommandBatch& batch) {
  CHECK(batch_out_) << "a batch came back twice";
  CHECK(batch.conn == id_ && batch.sequence == sequence_) << "a foreign batch came back";
  CHECK(client_ == nullptr);
  batch_out_ = parked_ = false;
  if (!closed_) settings_ = batch.settings;
}

void Connection::TakeReplies(CommandBatch& batch) {
  if (output_.empty()) {
    output_.Swap(batch.replies);
  } else {
    output_.AppendBuffer(std::move(batch.replies));
  }
  ReleaseHeldPushes();
}

void Connection::ReleaseHeldPushes() {
  holds_pushes_ = false;
  if (!held_pushes_.empty()) output_.AppendBuffer(std::move(held_pushes_));
}

void Connection::Recycle(BatchPool& batches) {
  if (resting_ && !continued_) {
    if (output_.empty()) output_.Swap(resting_->replies);  // the block goes with the batch
    batches.Put(std::move(resting_));
  }
  if (output_.empty()) output_.Release();
}

void Connection::OnWritten(size_t bytes, uint64_t now_ns) {
  output_.Consume(bytes);
  bytes_out_ += bytes;
  last_interaction_ns_ = last_progress_ns_ = now_ns;
  hold_bytes_ = kHoldBytes;
}

void Connection::OnPush(const std::shared_ptr<const std::string>& bytes, PushOrder order) {
  if (closed_ || ending_ != Ending::kNo) return;
  const bool behind = holds_pushes_ || (order == PushOrder::kBehindReplies && batch_out_ && !parked_);
  OutputBuffer& to = behind ? held_pushes_ : output_;
  // A message that is alone goes out from where it lies. More of them are better copied than written in many pieces.
  if (to.empty() || bytes->size() >= OutputBuffer::kPinBytesMin) {
    to.AppendPinned(*bytes, bytes);
  } else {
    to.Append(*bytes);
  }
}

void Connection::FailProtocol(const std::string& text) {
  ReplyBuilder(&output_, RespVersion::kResp2).Error("ERR " + text);
  ending_ = Ending::kProtocolError;
}

bool Connection::HoldsBack() {
  holding_ = output_.size() > hold_bytes_;
  return holding_;
}

std::optional<uint64_t> Connection::OnHoldTimer(uint64_t now_ns) {
  if (!holding_) return std::nullopt;
  if (now_ns < last_progress_ns_ + kHoldStallNs) return last_progress_ns_ + kHoldStallNs;
  hold_bytes_ = 2 * std::max<uint64_t>(hold_bytes_, output_.size());
  last_progress_ns_ = now_ns;
  return std::nullopt;
}

bool Connection::MayRead(uint64_t query_bytes_max) const {
  if (closed_ || peer_ended_ || ending_ != Ending::kNo || holding_) return false;
  if (batch_out_) return parked_ && input_.pending_bytes() < query_bytes_max;
  return !continued_;
}

uint32_t Connection::Wants(uint64_t query_bytes_max) const {
  uint32_t events = output_.empty() ? kPollNone : kPollWrite;
  if (MayRead(query_bytes_max)) events |= kPollRead;
  if (peer_end_closes()) events |= kPollPeerEnd;
  return events;
}

std::optional<CloseReason> Connection::Verdict(uint64_t now_ns) {
  if (closed_) return std::nullopt;
  if (query_limit_) return CloseReason::kQueryBufferLimit;
  if (peer_ended_ && peer_end_closes()) return CloseReason::kPeerClosed;
  if (over_hard_limit()) return CloseReason::kOutputLimit;
  CheckSoftLimit(now_ns);
  if (soft_since_ns_ != 0 && now_ns > soft_since_ns_ + settings_.output.soft_seconds * kNsPerSecond) {
    return CloseReason::kOutputLimit;
  }
  if (batch_out_ || continued_ || !output_.empty()) return std::nullopt;
  if (ending_ == Ending::kAskedFor) return CloseReason::kAskedFor;
  if (ending_ == Ending::kProtocolError) return CloseReason::kProtocolError;
  if (peer_ended_) return CloseReason::kPeerClosed;
  return std::nullopt;
}

void Connection::CheckSoftLimit(uint64_t now_ns) {
  const uint64_t limit = settings_.output.soft_bytes;
  const bool above = limit > 0 && output_bytes() >= limit;
  if (!above) {
    soft_since_ns_ = 0;
  } else if (soft_since_ns_ == 0) {
    soft_since_ns_ = now_ns;
  }
}

std::optional<uint64_t> Connection::soft_limit_deadline_ns() const {
  if (soft_since_ns_ == 0) return std::nullopt;
  return soft_since_ns_ + settings_.output.soft_seconds * kNsPerSecond + 1;
}

void Connection::PublishCounters(uint32_t armed) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  counters_->query_buffer_bytes.store(input_.pending_bytes(), kRelaxed);
  counters_->query_buffer_free_bytes.store(input_.free_bytes(), kRelaxed);
  counters_->output_pending_bytes.store(output_bytes(), kRelaxed);
  counters_->output_segments.store(output_.empty() ? 0 : output_.segment_count(), kRelaxed);
  counters_->bytes_in.store(bytes_in_, kRelaxed);
  counters_->bytes_out.store(bytes_out_, kRelaxed);
  counters_->last_interaction_s.store(static_cast<int64_t>(last_interaction_ns_ / kNsPerSecond), kRelaxed);
  counters_->readable_armed.store((armed & kPollRead) != 0, kRelaxed);
  counters_->writable_armed.store((armed & kPollWrite) != 0, kRelaxed);
}

void Connection::Close(CloseReason reason) {
  CHECK(!closed_);
  closed_ = reason;
  output_.Release();
  held_pushes_.Release();
  if (!batch_out_ && resting_) {
    if (continued_) client_ = std::move(resting_->client);
    continued_ = false;
  }
  if (!batch_out_ || parked_) input_ = InputBuffer();
}

std::unique_ptr<ClientState> Connection::TakeClient() {
  CHECK(closed_ && !batch_out_);
  CHECK(client_) << "the client is taken twice";
  resting_.reset();
  return std::move(client_);
}

}  // namespace basalt::net
