#include "net/transport.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/net/test_server.h"

namespace basalt::net {
namespace {

using std::chrono::milliseconds;

TEST(TransportTest, AnswersThroughAllTiers) {
  TestServer server;
  server.Start();
  TestClient tcp = server.Client();
  EXPECT_EQ(tcp.Ask("PING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n", 15), "+PONG\r\n$2\r\nhi\r\n");
  TestClient local(server.options.unix_socket);
  EXPECT_EQ(local.Ask("PING\r\n", 7), "+PONG\r\n");
  std::lock_guard lock(server.handler.mu);
  EXPECT_TRUE(server.handler.last_info.unix_socket && server.handler.last_info.loopback);
  EXPECT_EQ(server.handler.last_info.peer, server.options.unix_socket + ":0");
}

TEST(TransportTest, DataFollowedByTheEndIsAnsweredWhole) {
  TestServer server;
  server.Start();
  std::vector<TestClient> clients;
  clients.push_back(server.Client());
  clients.emplace_back(server.options.unix_socket);
  for (TestClient& client : clients) {
    ASSERT_TRUE(client.Send(Repeat("ECHO a\r\n", 500) + "SLOW\r\nSLEEP 20\r\nPING\r\n*1\r\n$4\r\nPI"));
    client.EndWriting();
    EXPECT_EQ(client.ReceiveAll(), Repeat("$1\r\na\r\n", 500) + "+SLOW\r\n+OK\r\n+PONG\r\n");
  }
  EXPECT_TRUE(Eventually([&] { return server.handler.disconnected == 2; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kPeerClosed);
}

TEST(TransportTest, BatchesEndAt128CommandsAndOrderStays) {
  TestServer server;
  server.Start();
  TestClient client = server.Client();
  std::string requests, replies;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = std::to_string(10'000 + i);
    requests += (i % 100 == 99 ? "SLOW\r\n" : "") + ("ECHO " + text + "\r\n");
    replies += (i % 100 == 99 ? "+SLOW\r\n" : "") + ("$5\r\n" + text + "\r\n");
  }
  EXPECT_EQ(client.Ask(requests, replies.size()), replies);
  EXPECT_GE(server.transport->Stats().batches, 2020u / 128);
  EXPECT_EQ(server.handler.slow_executed, 20u);
  EXPECT_EQ(server.transport->Stats().commands, 2020u);
}

TEST(TransportTest, SystemCallsPerBatchStayWithinTheBudget) {
  TestServer server;
  server.Start();
  std::vector<TestClient> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(server.Client());
    ASSERT_EQ(clients.back().Ask("PING\r\n", 7), "+PONG\r\n");
  }
  // Rounds of many events: the requests arrive while the worker greets someone.
  server.handler.connect_delay_ms = 30;
  server.transport->ResetStats();
  for (int round = 0; round < 5; ++round) {
    const int connected = server.handler.connected;
    TestClient greeted = server.Client();
    for (TestClient& client : clients) ASSERT_TRUE(client.Send("PING\r\n"));
    for (TestClient& client : clients) ASSERT_EQ(client.Receive(7), "+PONG\r\n");
    ASSERT_TRUE(Eventually([&] { return server.handler.connected > connected; }));
  }
  const TransportStats stats = server.transport->Stats();
  const double calls = static_cast<double>(stats.read_calls + stats.write_calls + stats.epoll_wait_calls +
                                           stats.epoll_ctl_calls + stats.pipe_calls + stats.futex_wakes);
  EXPECT_EQ(stats.batches, 5u * 64);
  EXPECT_LE(calls / static_cast<double>(stats.batches), 3.5);
}

TEST(TransportTest, HundredMegabytesBeforeTheFirstReadDoNotDeadlock) {
  TestServer server;
  server.Start();
  TestClient client = server.Client();
  const std::string block = Repeat("*2\r\n$4\r\nECHO\r\n$32\r\n" + std::string(32, 'e') + "\r\n", 10'000);
  const size_t blocks = 100'000'000 / block.size() + 1;
  for (size_t i = 0; i < blocks; ++i) ASSERT_TRUE(client.Send(block)) << "after " << i << " blocks";
  const std::string reply = "$32\r\n" + std::string(32, 'e') + "\r\n";
  const std::string replies = Repeat(reply, 10'000);
  for (size_t i = 0; i < blocks; ++i) ASSERT_TRUE(client.Receive(replies.size()) == replies) << "block " << i;
  EXPECT_EQ(server.handler.executed, blocks * 10'000);
}

TEST(TransportTest, AReaderIsHeldBackNotCut) {
  TransportTunables tunables;
  tunables.output_bytes_total_max = 16 << 20;
  TestServer server({}, tunables);
  server.Start();
  TestClient client = server.Client();
  constexpr size_t kReplies = 100;  // 100 MB through a budget of 16
  ASSERT_TRUE(client.Send(Repeat("BIG 1000000\r\n", kReplies)));
  for (size_t i = 0; i < kReplies; ++i) ASSERT_EQ(client.Receive(10 + 1000000 + 2).size(), 10u + 1000000 + 2) << i;
  EXPECT_EQ(server.handler.disconnected, 0);
}

TEST(TransportTest, AClientThatNeverReadsIsCutByTheBudget) {
  TransportTunables tunables;
  tunables.output_bytes_total_max = 8 << 20;
  TransportOptions options;
  options.workers = 2;
  TestServer server(options, tunables);
  server.Start();
  TestClient modest = server.Client();
  TestClient greedy = server.Client();
  ASSERT_EQ(modest.Ask("PING\r\n", 7), "+PONG\r\n");
  ASSERT_TRUE(greedy.Send(Repeat("BIG 1000000\r\n", 100)));
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 1; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kOutputBudget);
  EXPECT_EQ(server.transport->Stats().closed_output_budget, 1u);
  EXPECT_EQ(server.transport->Stats().output_pending_bytes, 0u);
  EXPECT_EQ(modest.Ask("PING\r\n", 7), "+PONG\r\n");
}

TEST(TransportTest, HardAndSoftOutputLimits) {
  TestServer server;
  server.handler.settings.output = {2'000'000, 0, 0};
  server.Start();
  TestClient hard = server.Client();
  ASSERT_TRUE(hard.Send("BIG 2000000\r\n"));
  EXPECT_TRUE(hard.Closed());
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 1; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kOutputLimit);

  server.handler.settings.output = {0, 100'000, 1};
  TestClient soft(server.options.port, 4096);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(soft.Send(Repeat("BIG 1000000\r\n", 10)));
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 2; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kOutputLimit);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(950));
  EXPECT_EQ(server.transport->Stats().closed_output_limit, 2u);
}

TEST(TransportTest, ProtocolErrorsAreToldAfterTheReplies) {
  TestServer server;
  server.Start();
  TestClient client = server.Client();
  ASSERT_TRUE(client.Send("PING\r\nPING\r\n*1\r\n$x\r\nPING\r\n"));
  EXPECT_EQ(client.ReceiveAll(), "+PONG\r\n+PONG\r\n-ERR Protocol error: invalid bulk length\r\n");
  TestClient other = server.Client();
  ASSERT_TRUE(other.Send("*1\r\n\rx\r\n" + std::string(100'000, 'x')));
  EXPECT_EQ(other.ReceiveAll(), "-ERR Protocol error: expected '$', got ' '\r\n");
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 2; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kProtocolError);
}

TEST(TransportTest, TheLimitsOfStrangersEndWithAuthInOnePipeline) {
  TestServer server;
  server.handler.settings.parser.authenticated = false;
  server.Start();
  std::string long_command = "*12\r\n";
  for (int i = 0; i < 12; ++i) long_command += "$4\r\nPING\r\n";
  TestClient client = server.Client();
  EXPECT_EQ(client.Ask("*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n" + long_command, 12), "+OK\r\n+PONG\r\n");
  TestClient stranger = server.Client();
  ASSERT_TRUE(stranger.Send(long_command));
  EXPECT_EQ(stranger.ReceiveAll(), "-ERR Protocol error: unauthenticated multibulk length\r\n");
}

TEST(TransportTest, QuitAndRefusal) {
  TestServer server;
  server.Start();
  TestClient client = server.Client();
  ASSERT_TRUE(client.Send("PING\r\nQUIT\r\nPING\r\n"));
  EXPECT_EQ(client.ReceiveAll(), "+PONG\r\n+OK\r\n");
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 1; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kAskedFor);
  server.handler.refusal = "-ERR max number of clients reached\r\n";
  TestClient refused = server.Client();
  EXPECT_EQ(refused.ReceiveAll(), server.handler.refusal);
}

TEST(TransportTest, ParkedClientsAnswerAtTheDeadlineAndReadAhead) {
  TestServer server;
  server.Start();
  TestClient client = server.Client();
  ASSERT_TRUE(client.Send("PING\r\nPARK 100\r\nECHO a\r\n"));
  EXPECT_EQ(client.Receive(7), "+PONG\r\n");  // the replies so far do not wait
  ASSERT_TRUE(Eventually([&] { return server.transport->Stats().read_calls >= 1; }));
  ASSERT_TRUE(client.Send("ECHO b\r\n"));  // read ahead, answered in order
  EXPECT_EQ(client.Receive(5 + 7 + 7), "*-1\r\n$1\r\na\r\n$1\r\nb\r\n");
}

TEST(TransportTest, ADeadlineCenturiesAwayIsNotNow) {
  TestServer server;
  server.Start();
  TestClient waiter = server.Client(), other = server.Client();
  ASSERT_TRUE(waiter.Send("PARK 18446744073750\r\n"));  // in nanoseconds: 2^64 and 40 ms
  ASSERT_TRUE(Eventually([&] { return server.handler.executed == 1; }));
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(other.Ask("UNPARK\r\n", 4), ":1\r\n");
  EXPECT_EQ(waiter.Receive(11), "+UNPARKED\r\n");
}

TEST(TransportTest, ParkedTwiceAndUnparkedByAnother) {
  TestServer server;
  server.Start();
  TestClient waiter = server.Client(), other = server.Client();
  ASSERT_TRUE(waiter.Send("PARK 0\r\nPARK 0\r\nECHO x\r\n"));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Eventually([&] {
      std::lock_guard lock(server.handler.mu);
      return server.handler.parked.size() == 1;
    }));
    EXPECT_EQ(other.Ask("UNPARK\r\n", 4), ":1\r\n");
  }
  EXPECT_EQ(waiter.Receive(22 + 7), "+UNPARKED\r\n+UNPARKED\r\n$1\r\nx\r\n");
}

TEST(TransportTest, TheEndOfAParkedPeerIsNoticed) {
  TestServer server;
  server.Start();
  TestClient half = server.Client();
  ASSERT_TRUE(half.Send("PARK 0\r\nPING\r\n"));
  half.EndWriting();
  EXPECT_EQ(half.ReceiveAll(), "");
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 1; }));
  EXPECT_EQ(server.handler.hangups, 1);

  TestClient whole(server.options.unix_socket);
  ASSERT_TRUE(whole.Send("PARK 0\r\n"));
  ASSERT_TRUE(Eventually([&] {
    std::lock_guard lock(server.handler.mu);
    return server.handler.parked.size() == 1;
  }));
  whole.Close();
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 2; }));

  TestClient waits = server.Client();  // for a lock, say: it is still owed its replies
  ASSERT_TRUE(waits.Send("PARK 50 WAIT\r\nPING\r\n"));
  waits.EndWriting();
  EXPECT_EQ(waits.ReceiveAll(), "*-1\r\n+PONG\r\n");
}

TEST(TransportTest, ParkedClientsReadAheadUpToTheQueryBufferLimit) {
  TransportTunables tunables;
  tunables.query_buffer_bytes_max = 100'000;
  TestServer server({}, tunables);
  server.Start();
  TestClient client = server.Client(), other = server.Client();
  ASSERT_TRUE(client.Send("PARK 0\r\n"));
  std::thread sender([&] { client.Send(Repeat("PING\r\n", 1'000'000)); });
  EXPECT_TRUE(Eventually([&] { return server.transport->Stats().query_buffer_bytes >= 100'000; }));
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_LT(server.transport->Stats().query_buffer_bytes, 400'000u);
  EXPECT_EQ(other.Ask("UNPARK\r\n", 4), ":1\r\n");
  EXPECT_EQ(client.Receive(11 + 7'000'000).size(), 7'000'011u);
  sender.join();
}

TEST(TransportTest, AnEndlessCommandIsCutAtTheQueryBufferLimit) {
  TransportTunables tunables;
  tunables.query_buffer_bytes_max = 1'000'000;
  TestServer server({}, tunables);
  server.Start();
  TestClient client = server.Client();
  client.Send("*2\r\n$4\r\nECHO\r\n$100000000\r\n" + std::string(3'000'000, 'x'));
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 1; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kQueryBufferLimit);
  EXPECT_EQ(server.transport->Stats().query_buffer_bytes, 0u);
}

TEST(TransportTest, KillIdleParkedAndExecuting) {
  TestServer server;
  server.Start();
  int gone = 0;
  for (const char* command : {"PING\r\n", "PARK 0\r\n", "SLEEP 100\r\n"}) {
    TestClient client = server.Client();
    ASSERT_TRUE(client.Send(command));
    ASSERT_TRUE(Eventually([&] { return server.handler.executed == static_cast<uint64_t>(gone) + 1; }));
    std::this_thread::sleep_for(milliseconds(5));
    server.transport->Kill(server.LastConn(), CloseReason::kAskedFor);
    EXPECT_EQ(client.ReceiveAll(), gone == 0 ? "+PONG\r\n" : "") << command;
    ++gone;
    ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == gone; })) << command;
    server.transport->Kill(server.LastConn(), CloseReason::kAskedFor);  // gone is not an error
  }
  EXPECT_EQ(server.transport->Stats().connections_open, 0u);
}

TEST(TransportTest, PushesComeBetweenReplies) {
  TestServer server;
  server.Start();
  TestClient client = server.Client();
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += "PUSH m 3\r\nECHO reply\r\n";
  ASSERT_TRUE(client.Send(requests));
  std::string all = client.Receive(200 * (3 * 4 + 5 + 11));
  size_t pushes = 0, replies = 0;
  while (!all.empty()) {
    if (all.starts_with("+m\r\n")) {
      all.erase(0, 4);
      ++pushes;
    } else if (all.starts_with("+OK\r\n$5\r\nreply\r\n")) {
      all.erase(0, 16);
      ++replies;
    } else if (all.starts_with("$5\r\nreply\r\n")) {
      all.erase(0, 11);
      ++replies;
    } else if (all.starts_with("+OK\r\n")) {
      all.erase(0, 5);
    } else {
      FAIL() << "a push inside a reply: " << all.substr(0, 40);
    }
  }
  EXPECT_EQ(pushes, 600u);
  EXPECT_EQ(replies, 200u);
  server.transport->Push(server.LastConn(), std::make_shared<const std::string>(std::string(1 << 20, 'p')));
  EXPECT_EQ(client.Receive(1 << 20), std::string(1 << 20, 'p'));
}

TEST(TransportTest, IdleClientsAreClosedExemptAndParkedOnesAreNot) {
  TransportTunables tunables;
  tunables.idle_timeout_s = 1;
  TestServer server({}, tunables);
  server.Start();
  TestClient idle = server.Client(), parked = server.Client();
  ASSERT_EQ(idle.Ask("PING\r\n", 7), "+PONG\r\n");
  ASSERT_TRUE(parked.Send("PARK 1600\r\n"));
  ASSERT_TRUE(Eventually([&] { return server.handler.connected == 2; }));
  server.handler.settings.idle_timeout_exempt = true;
  TestClient exempt = server.Client();
  ASSERT_EQ(exempt.Ask("PING\r\n", 7), "+PONG\r\n");
  EXPECT_TRUE(idle.Closed());
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 1; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kIdle);
  EXPECT_EQ(parked.Receive(5), "*-1\r\n");
  EXPECT_EQ(exempt.Ask("PING\r\n", 7), "+PONG\r\n");
  EXPECT_EQ(server.transport->Stats().closed_idle, 1u);
}

TEST(TransportTest, PeriodicTasksAndTunablesAtRunTime) {
  TestServer server;
  std::atomic<int> runs{0};
  server.transport->AddPeriodic(milliseconds(5), [&] { ++runs; });
  server.Start();
  TestClient idle = server.Client();
  ASSERT_EQ(idle.Ask("PING\r\n", 7), "+PONG\r\n");
  EXPECT_TRUE(Eventually([&] { return runs >= 5; }));
  TransportTunables tunables;
  tunables.idle_timeout_s = 1;
  server.transport->SetTunables(tunables);
  EXPECT_TRUE(idle.Closed());
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 1; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kIdle);
}

// More clients than a worker writes to in one round.
TEST(TransportTest, OneEventReachesManyClients) {
  constexpr size_t kClients = 300;
  TestServer server;
  server.Start();
  std::vector<TestClient> clients;
  auto conns = std::make_shared<std::vector<ConnId>>();
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(server.Client());
    ASSERT_EQ(clients.back().Ask("PING\r\n", 7), "+PONG\r\n");
    conns->push_back(server.LastConn());
  }
  clients[7].Close();  // gone is not an error
  server.transport->PushToMany(conns, std::make_shared<const std::string>("+one\r\n"));
  server.transport->PushToMany(conns, std::make_shared<const std::string>("+two\r\n"));
  for (size_t i = 0; i < kClients; ++i) {
    if (i == 7) continue;
    EXPECT_EQ(clients[i].Receive(12), "+one\r\n+two\r\n");
  }
}

TEST(TransportTest, AnOutputLimitChangesWithoutABatch) {
  TestServer server;
  server.Start();
  TestClient client(server.options.port, 4096);
  ASSERT_EQ(client.Ask("PING\r\n", 7), "+PONG\r\n");
  server.transport->SetOutputLimit(server.LastConn(), {.hard_bytes = 1'000'000});
  server.transport->Push(server.LastConn(), std::make_shared<const std::string>(2'000'000, 'x'));
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 1; }));
  EXPECT_EQ(server.handler.last_reason, CloseReason::kOutputLimit);
}

TEST(TransportTest, APortInUseIsOneClearLine) {
  TestServer server;
  TransportOptions options;
  options.bind = {"127.0.0.1"};
  options.port = server.options.port;
  std::string error;
  EXPECT_EQ(Transport::Open(options, {}, &server.handler, &error), nullptr);
  EXPECT_EQ(error, "port " + std::to_string(options.port) + " is already in use on 127.0.0.1");
  options.bind = {"no.such.host.invalid"};
  EXPECT_EQ(Transport::Open(options, {}, &server.handler, &error), nullptr);
  EXPECT_NE(error.find("no.such.host.invalid"), std::string::npos);
  options.port = 0;
  EXPECT_EQ(Transport::Open(options, {}, &server.handler, &error), nullptr);
  EXPECT_EQ(error, "no address to listen on");
}

TEST(TransportTest, TwoWhoResetTheStatsTakeOffOnce) {
  TestServer server;
  server.Start();
  TestClient client = server.Client();
  std::atomic<bool> ending{false};
  const auto reset = [&] {
    while (!ending) server.transport->ResetStats();
  };
  std::thread one(reset), other(reset);
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(client.Ask("PING\r\n", 7), "+PONG\r\n");
    ASSERT_LT(server.transport->Stats().bytes_in, uint64_t{1} << 32) << "below zero";
  }
  ending = true;
  one.join();
  other.join();
}

TEST(TransportTest, WhoRebindsWhileItStopsIsAnswered) {
  for (int i = 0; i < 30; ++i) {
    TestServer server;
    server.Start();
    std::atomic<bool> begun{false};
    std::thread rebinds([&] {
      std::string error;
      bool bound = true;
      for (int turn = 0; bound; ++turn) {
        bound = server.transport->Rebind({turn % 2 == 0 ? "127.0.0.2" : "127.0.0.1"}, server.options.port, &error);
        begun = true;
      }
      EXPECT_EQ(error, "the server is shutting down");
    });
    while (!begun) std::this_thread::yield();
    server.transport->Stop(milliseconds(2000));
    rebinds.join();
  }
}

TEST(TransportTest, RebindsAndKeepsTheOldSocketsWhenItCannot) {
  TestServer server, other;
  server.Start();
  TestClient client = server.Client();
  ASSERT_EQ(client.Ask("PING\r\n", 7), "+PONG\r\n");
  std::string error;
  EXPECT_FALSE(server.transport->Rebind({"127.0.0.1"}, other.options.port, &error));
  EXPECT_NE(error.find("already in use"), std::string::npos) << error;
  EXPECT_EQ(server.Client().Ask("PING\r\n", 7), "+PONG\r\n");

  EXPECT_TRUE(server.transport->Rebind({"*", "-::*"}, server.options.port, &error))
      << error;  // takes the place of one of its own
  EXPECT_EQ(server.Client().Ask("PING\r\n", 7), "+PONG\r\n");

  const uint16_t old_port = server.options.port, new_port = FreePort();
  EXPECT_TRUE(server.transport->Rebind({"127.0.0.1", "-::1"}, new_port, &error)) << error;
  EXPECT_EQ(TestClient(new_port).Ask("PING\r\n", 7), "+PONG\r\n");
  EXPECT_FALSE(TestClient(old_port).connected());
  EXPECT_EQ(client.Ask("PING\r\n", 7), "+PONG\r\n");  // clients stay
  EXPECT_EQ(TestClient(server.options.unix_socket).Ask("PING\r\n", 7), "+PONG\r\n");
}

TEST(TransportTest, WithoutDescriptorsItWaitsInsteadOfSpinning) {
  TestServer server;
  server.Start();
  ASSERT_EQ(server.Client().Ask("PING\r\n", 7), "+PONG\r\n");
  ASSERT_TRUE(Eventually([&] { return server.handler.disconnected == 1; }));
  TestClient waiting = server.Client();  // its own descriptor comes first
  ASSERT_EQ(waiting.Ask("PING\r\n", 7), "+PONG\r\n");
  std::vector<int> filler;
  rlimit old_limit, small;
  getrlimit(RLIMIT_NOFILE, &old_limit);
  small = old_limit;
  const int next = dup(0);
  small.rlim_cur = static_cast<rlim_t>(next) + 1;  // one more than this one: the client below
  close(next);
  setrlimit(RLIMIT_NOFILE, &small);
  TestClient late = server.Client();
  const auto cpu_before = std::clock();
  std::this_thread::sleep_for(milliseconds(250));
  const auto cpu_spent = std::clock() - cpu_before;
  EXPECT_EQ(waiting.Ask("PING\r\n", 7), "+PONG\r\n");
  EXPECT_LT(cpu_spent, CLOCKS_PER_SEC / 10);
  setrlimit(RLIMIT_NOFILE, &old_limit);
  EXPECT_EQ(late.Ask("PING\r\n", 7), "+PONG\r\n");
}

TEST(TransportTest, StopLetsRunningBatchesFinish) {
  TestServer server;
  server.Start();
  TestClient busy = server.Client(), idle = server.Client(), parked = server.Client();
  ASSERT_EQ(idle.Ask("PING\r\n", 7), "+PONG\r\n");
  ASSERT_TRUE(parked.Send("PARK 0\r\n"));
  ASSERT_TRUE(Eventually([&] { return server.handler.executed == 2; }));
  ASSERT_TRUE(busy.Send("SLEEP 100\r\n"));
  ASSERT_TRUE(Eventually([&] { return server.handler.executed == 3; }));
  const auto begin = std::chrono::steady_clock::now();
  server.transport->Stop(milliseconds(5000));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(2000));
  EXPECT_EQ(busy.ReceiveAll(), "+OK\r\n");
  EXPECT_EQ(idle.ReceiveAll(), "");
  EXPECT_EQ(parked.ReceiveAll(), "");
  EXPECT_EQ(server.handler.disconnected, 3);
}

TEST(TransportTest, StopWithAReaderThatDoesNotReadEndsAfterTheGrace) {
  TestServer server;
  server.Start();
  TestClient client(server.options.port, 4096);
  ASSERT_TRUE(client.Send("BIG 20000000\r\n"));
  ASSERT_TRUE(Eventually([&] { return server.transport->Stats().output_pending_bytes > 0; }));
  server.transport->Stop(milliseconds(100));
  EXPECT_EQ(server.handler.disconnected, 1);
  EXPECT_EQ(server.handler.last_reason, CloseReason::kShutdown);
}

uint64_t ResidentBytes() {
  uint64_t pages_total = 0, pages_resident = 0;
  std::ifstream("/proc/self/statm") >> pages_total >> pages_resident;
  return pages_resident * static_cast<uint64_t>(getpagesize());
}

TEST(TransportTest, IdleClientsAreCheap) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have memory of their own";
#endif
  constexpr size_t kClients = 4000;  // both ends are this process
  TestServer server;
  server.Start();
  ASSERT_EQ(server.Client().Ask("PING\r\n", 7), "+PONG\r\n");
  std::vector<TestClient> clients;
  clients.reserve(kClients);
  const uint64_t before = ResidentBytes();
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(server.Client());
    ASSERT_TRUE(clients.back().Send("PING\r\n*1\r\n$4\r\nPI"));
  }
  for (TestClient& client : clients) ASSERT_EQ(client.Receive(7), "+PONG\r\n");
  const uint64_t each = (ResidentBytes() - before) / kClients;
  RecordProperty("resident_bytes_per_idle_client", static_cast<int>(each));
  EXPECT_LE(each, 4096u);
  std::printf("%zu resident bytes per idle client\n", static_cast<size_t>(each));
}

}  // namespace
}  // namespace basalt::net
