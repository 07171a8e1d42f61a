#include "net/connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <random>
#include <string>

#include "net/poller.h"
#include "net/reply_builder.h"

namespace basalt::net {
namespace {

constexpr uint64_t kQueryBytesMax = 200'000;

std::shared_ptr<const std::string> Shared(std::string_view text) { return std::make_shared<const std::string>(text); }

class NoState : public ClientState {};

// A worker, a socket and a pool in one thread, driven by a seed: reads and writes are cut anywhere, batches come back
// late, whole or in parts, are parked and unparked; pushes and the end of the client come when they come. The client
// sends numbered commands and expects numbered replies.
class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed), conn_({0, 0, 1}, std::make_unique<NoState>(), {}, counters_, 1) {
    const uint64_t commands = 1 + Below(600);
    for (uint64_t i = 0; i < commands; ++i) {
      const std::string number = std::to_string(i);
      if (Below(4) == 0) {
        unsent_ += "N " + number + "\r\n";
      } else {
        const std::string padding(Below(20) == 0 ? Below(60'000) : Below(50), 'p');
        unsent_ += "*3\r\n$1\r\nN\r\n$" + std::to_string(number.size()) + "\r\n" + number + "\r\n$" +
                   std::to_string(padding.size()) + "\r\n" + padding + "\r\n";
      }
      expected_ += "$" + std::to_string(number.size()) + "\r\n" + number + "\r\n";
    }
    switch (Below(4)) {
      case 0:
        quits_ = true, unsent_ += "QUIT\r\nN 1\r\n", expected_ += "+OK\r\n";
        break;
      case 1:
        errs_ = true, unsent_ += "*1\r\n$x\r\nN 1\r\n", expected_ += "-ERR Protocol error: invalid bulk length\r\n";
        break;
      case 2:
        kill_after_ = Below(3000);
        break;
      default:
        break;  // ends by closing its side
    }
  }

  void Run() {
    for (int step = 0; !over_; ++step) {
      ASSERT_LT(step, 200'000) << "it does not come to an end";
      now_ns_ += Below(3'000'000);
      switch (Below(8)) {
        case 0:
        case 1:
          Read();
          break;
        case 2:
        case 3:
          Write();
          break;
        case 4:
        case 5:
          Execute();
          break;
        case 6:
          DeliverParked();
          break;
        case 7:
          if (Below(10) == 0) Push();
          break;
      }
      if (killed_at_step(step) && !conn_.closed()) Close(CloseReason::kAskedFor);
      if (conn_.closed() && !conn_.batch_out()) over_ = true;
      if (testing::Test::HasFatalFailure()) return;
    }
    ASSERT_NE(conn_.TakeClient(), nullptr);
    if (kill_after_) {
      EXPECT_TRUE(expected_.starts_with(received_) || Whole(received_)) << "a killed client read garbage";
      return;
    }
    EXPECT_EQ(received_, expected_);
    EXPECT_EQ(conn_.close_reason(), quits_  ? CloseReason::kAskedFor
                                    : errs_ ? CloseReason::kProtocolError
                                            : CloseReason::kPeerClosed);
  }

 private:
  struct Away {  // a batch in the pool or parked
    BatchPtr batch;
    bool parked = false;
    bool park_delivered = false;
    std::unique_ptr<InputBuffer> input;
    OutputBuffer replies;
  };

  size_t Below(size_t n) { return static_cast<size_t>(random_() % n); }
  bool killed_at_step(int step) const { return kill_after_ && step >= static_cast<int>(*kill_after_); }
  bool Whole(const std::string& text) const { return text.empty() || expected_.find(text) == 0; }

  void Read() {
    if (conn_.closed() || !(conn_.Wants(kQueryBytesMax) & kPollRead)) return;
    if (unsent_.empty()) {
      if (!quits_ && !errs_) conn_.OnPeerEnd();
      return Update();
    }
    const std::span<char> span = conn_.ReadSpan(blocks_);
    ASSERT_FALSE(span.empty());
    const size_t n = std::min({span.size(), unsent_.size(), 1 + Below(Below(2) ? 40'000 : 60)});
    std::memcpy(span.data(), unsent_.data(), n);
    conn_.OnBytes(n, now_ns_);
    unsent_.erase(0, n);
    Update();
  }

  void Write() {
    if (conn_.closed() || !(conn_.Wants(kQueryBytesMax) & kPollWrite)) return;
    iovec iov[8];
    const int count = conn_.output().FillIov(iov, 8);
    ASSERT_GT(count, 0);
    size_t n = 1 + Below(Below(2) ? 5'000 : 20), written = 0;
    for (int i = 0; i < count && n > 0; ++i) {
      const size_t piece = std::min(n, iov[i].iov_len);
      received_raw_.append(static_cast<const char*>(iov[i].iov_base), piece);
      n -= piece;
      written += piece;
    }
    conn_.OnWritten(written, now_ns_);
    TakeOutPushes();
    Update();
  }

  // Pushes may come only between replies: they are whole lines that start with '>'.
  void TakeOutPushes() {
    for (;;) {
      const size_t line = received_raw_.find("\r\n");
      if (line == std::string::npos) return;
      const char type = received_raw_[0];
      size_t length = line + 2;
      if (type == '$') {
        length += std::stoul(received_raw_.substr(1)) + 2;
        if (received_raw_.size() < length) return;
      }
      ASSERT_TRUE(type == '$' || type == '+' || type == '-' || type == '>')
          << "inside a reply: " << received_raw_.substr(0, 30);
      if (type != '>') received_ += received_raw_.substr(0, length);
      received_raw_.erase(0, length);
    }
  }

  void Update() {
    if (conn_.closed()) return;
    conn_.Recycle(batches_);
    if (Connection::Submission next = conn_.NextBatch(batches_, blocks_, kQueryBytesMax)) {
      ASSERT_FALSE(away_.batch) << "two batches out";
      ASSERT_LE(next.batch->commands.size(), CommandBatch::kBatchCommandsMax);
      away_.batch = std::move(next.batch);
    }
    if (conn_.holding()) {
      now_ns_ += Connection::kHoldStallNs;
      conn_.OnHoldTimer(now_ns_);
    }
    if (const auto reason = conn_.Verdict(now_ns_)) Close(*reason);
    conn_.PublishCounters(0);
  }

  void Close(CloseReason reason) { conn_.Close(reason); }

  void Execute() {
    if (!away_.batch || (away_.parked && !away_.park_delivered)) return;
    CommandBatch& batch = *away_.batch;
    ReplyBuilder reply(&batch.replies, RespVersion::kResp2);
    size_t commands = 1 + Below(200);
    while (!batch.finished() && commands-- > 0) {
      const auto argv = batch.Argv(batch.commands[batch.next++]);
      if (argv[0] == "QUIT") {
        reply.Ok();
        batch.settings.close_after_reply = true;
        break;
      }
      ASSERT_EQ(argv[0], "N");
      reply.Bulk(argv[1]);
    }
    if (!batch.finished() && !batch.settings.close_after_reply) {
      switch (Below(3)) {
        case 0:
          return;  // resubmitted: the worker does not hear of it
        case 1:
          conn_.OnContinued(ReturnAway(), Lane::kSlow);
          return Update();
        default:  // parked; the worker hears of it later
          away_.input = std::make_unique<InputBuffer>(batch.Detach());
          away_.replies.Swap(batch.replies);
          away_.parked = true;
          away_.park_delivered = false;
          return;
      }
    }
    conn_.OnReturned(ReturnAway(), blocks_);
    Update();
  }

  BatchPtr ReturnAway() {
    away_.parked = false;
    return std::move(away_.batch);
  }

  void DeliverParked() {
    if (!away_.parked || away_.park_delivered) return;
    away_.park_delivered = true;
    const CommandBatch& batch = *away_.batch;
    conn_.OnParked(batch.sequence, std::move(*away_.input), std::move(away_.replies), batch.settings,
                   PeerEnd::kIsIgnored, blocks_);
    Update();
  }

  void Push() {
    if (conn_.closed()) return;
    auto bytes = std::make_shared<const std::string>(">" + std::string(Below(50) == 0 ? 40'000 : 5, 'm') + "\r\n");
    conn_.OnPush(bytes, Below(2) == 0 ? PushOrder::kAtOnce : PushOrder::kBehindReplies);
    Update();
  }

  std::mt19937_64 random_;
  std::shared_ptr<ConnCounters> counters_ = std::make_shared<ConnCounters>();
  BlockPool blocks_;
  BatchPool batches_;
  Connection conn_;
  Away away_;
  std::string unsent_, received_raw_, received_, expected_;
  bool quits_ = false, errs_ = false, over_ = false;
  std::optional<uint64_t> kill_after_;
  uint64_t now_ns_ = 1;
};

TEST(ConnectionTest, EverySeedKeepsOrderAndLosesNothing) {
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation simulation(seed);
    simulation.Run();
    if (testing::Test::HasFailure()) return;
  }
}

// One command at a time, to look at single rules.
class ConnectionRules : public testing::Test {
 protected:
  BatchPtr Feed(std::string_view bytes) {
    const std::span<char> span = conn_.ReadSpan(blocks_);
    std::memcpy(span.data(), bytes.data(), bytes.size());
    conn_.OnBytes(bytes.size(), 1);
    return conn_.NextBatch(batches_, blocks_, kQueryBytesMax).batch;
  }
  void Return(BatchPtr batch, std::string_view replies) {
    batch->next = static_cast<uint32_t>(batch->commands.size());
    batch->replies.Append(replies);
    conn_.OnReturned(std::move(batch), blocks_);
  }

  BlockPool blocks_;
  BatchPool batches_;
  Connection conn_{{0, 3, 7}, std::make_unique<NoState>(), {}, std::make_shared<ConnCounters>(), 1};
};

TEST_F(ConnectionRules, NothingIsReadWhileTheBatchIsOut) {
  EXPECT_EQ(conn_.Wants(kQueryBytesMax), kPollRead);
  BatchPtr batch = Feed("PING\r\n");
  ASSERT_TRUE(batch);
  EXPECT_EQ(conn_.Wants(kQueryBytesMax), kPollNone);
  EXPECT_FALSE(conn_.NextBatch(batches_, blocks_, kQueryBytesMax));
  conn_.OnPush(Shared("+push\r\n"), PushOrder::kAtOnce);
  EXPECT_EQ(conn_.Wants(kQueryBytesMax), kPollWrite);
  Return(std::move(batch), "+PONG\r\n");
  EXPECT_EQ(conn_.output().ToString(), "+push\r\n+PONG\r\n");
  EXPECT_EQ(conn_.Wants(kQueryBytesMax), kPollRead | kPollWrite);
}

TEST_F(ConnectionRules, WhatConcernsRepliesIsPushedBehindThem) {
  conn_.OnPush(Shared("+0\r\n"), PushOrder::kBehindReplies);
  BatchPtr batch = Feed("GET k\r\n");
  conn_.OnPush(Shared("+2\r\n"), PushOrder::kBehindReplies);
  conn_.OnPush(Shared("+1\r\n"), PushOrder::kAtOnce);
  EXPECT_EQ(conn_.output().ToString(), "+0\r\n+1\r\n");
  Return(std::move(batch), "+value\r\n");
  EXPECT_EQ(conn_.output().ToString(), "+0\r\n+1\r\n+value\r\n+2\r\n");
  conn_.Recycle(batches_);
  batch = Feed("GET k\r\n");
  conn_.OnPush(Shared("+lost\r\n"), PushOrder::kBehindReplies);
  conn_.Close(CloseReason::kIdle);
  Return(std::move(batch), "+value\r\n");
  EXPECT_TRUE(conn_.output().empty());
}

TEST_F(ConnectionRules, AParkedBatchKeepsNoPushBackUntilTheyAreHeld) {
  BatchPtr batch = Feed("BLPOP k 0\r\n");
  InputBuffer input = batch->Detach();
  conn_.OnPush(Shared("+1\r\n"), PushOrder::kBehindReplies);
  ASSERT_TRUE(conn_.OnParked(batch->sequence, std::move(input), {}, batch->settings, PeerEnd::kIsIgnored, blocks_));
  conn_.OnPush(Shared("+2\r\n"), PushOrder::kBehindReplies);
  EXPECT_EQ(conn_.output().ToString(), "+1\r\n+2\r\n");
  conn_.OnHoldPushes();
  conn_.OnPush(Shared("+3\r\n"), PushOrder::kBehindReplies);
  Return(std::move(batch), "+value\r\n");
  EXPECT_EQ(conn_.output().ToString(), "+1\r\n+2\r\n+value\r\n+3\r\n");
}

TEST_F(ConnectionRules, PushesThatWaitCountAsOutput) {
  conn_.SetOutputLimit({.hard_bytes = 3000});
  BatchPtr batch = Feed("GET k\r\n");
  conn_.OnPush(Shared("x"), PushOrder::kBehindReplies);
  EXPECT_FALSE(conn_.over_hard_limit());
  conn_.OnPush(Shared(std::string(3000, 'x')), PushOrder::kBehindReplies);
  EXPECT_TRUE(conn_.over_hard_limit());
  conn_.Close(CloseReason::kOutputLimit);
  Return(std::move(batch), "");
}

TEST_F(ConnectionRules, AClosedClientWaitsForItsBatch) {
  BatchPtr batch = Feed("PING\r\n");
  conn_.Close(CloseReason::kIdle);
  EXPECT_TRUE(conn_.batch_out());
  Return(std::move(batch), "+PONG\r\n");
  EXPECT_TRUE(conn_.output().empty());
  EXPECT_TRUE(conn_.TakeClient());
}

TEST_F(ConnectionRules, AForeignBatchIsABug) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  BatchPtr batch = Feed("PING\r\n");
  batch->sequence++;
  EXPECT_DEATH(Return(std::move(batch), ""), "foreign batch");
  batch = BatchPtr();
  conn_.Abandon();
}

TEST_F(ConnectionRules, SlowReadersAreHeldBackAndThenAllowedMore) {
  Return(Feed("PING\r\n"), std::string(2 * Connection::kHoldBytes, 'x'));
  EXPECT_FALSE(Feed("PING\r\n"));
  EXPECT_TRUE(conn_.holding());
  EXPECT_EQ(conn_.Wants(kQueryBytesMax), kPollWrite);
  EXPECT_EQ(conn_.OnHoldTimer(2), 1 + Connection::kHoldStallNs);
  EXPECT_EQ(conn_.OnHoldTimer(1 + Connection::kHoldStallNs), std::nullopt);
  conn_.Recycle(batches_);
  BatchPtr batch = conn_.NextBatch(batches_, blocks_, kQueryBytesMax).batch;
  ASSERT_TRUE(batch);
  Return(std::move(batch), std::string(Connection::kHoldBytes, 'y'));
  conn_.OnWritten(2 * Connection::kHoldBytes, 5);
  EXPECT_FALSE(conn_.NextBatch(batches_, blocks_, kQueryBytesMax));
  EXPECT_FALSE(conn_.holding()) << "it reads again";
}

TEST_F(ConnectionRules, CountersTellWhatClientListShows) {
  auto counters = std::make_shared<ConnCounters>();
  Connection conn({0, 1, 1}, std::make_unique<NoState>(), {}, counters, 5'000'000'000);
  const std::string_view bytes = "*2\r\n$3\r\nGE";
  std::memcpy(conn.ReadSpan(blocks_).data(), bytes.data(), bytes.size());
  conn.OnBytes(bytes.size(), 7'000'000'000);
  EXPECT_FALSE(conn.NextBatch(batches_, blocks_, kQueryBytesMax));
  conn.OnPush(Shared("+x\r\n"), PushOrder::kAtOnce);
  conn.PublishCounters(kPollRead);
  EXPECT_EQ(counters->query_buffer_bytes, 10u);
  EXPECT_EQ(counters->bytes_in, 10u);
  EXPECT_EQ(counters->last_interaction_s, 7);
  EXPECT_GT(counters->output_pending_bytes, 0u);
  EXPECT_EQ(counters->output_segments, 1u);
  EXPECT_TRUE(counters->readable_armed);
  EXPECT_FALSE(counters->writable_armed);
}

}  // namespace
}  // namespace basalt::net
