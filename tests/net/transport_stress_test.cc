// Hands batches between all threads as fast as they go: for the thread sanitizer above all.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/net/test_server.h"

namespace basalt::net {
namespace {

// One client's life: commands of all kinds in pieces, each answered in order, some clients gone in the middle.
void Live(TestServer& server, uint64_t seed, std::atomic<bool>& stop) {
  std::mt19937_64 random(seed);
  while (!stop) {
    TestClient client = random() % 3 ? server.Client() : TestClient(server.options.unix_socket);
    ASSERT_TRUE(client.connected());
    for (uint64_t rounds = random() % 20; rounds > 0 && !stop; --rounds) {
      std::string request, reply;
      for (uint64_t commands = 1 + random() % 40; commands > 0; --commands) {
        switch (random() % 8) {
          case 0:
            request += "SLOW\r\n", reply += "+SLOW\r\n";
            break;
          case 1:
            request += "BIG 40000\r\n", reply += "$40000\r\n" + std::string(40'000, 'x') + "\r\n";
            break;
          case 2:
            request += "PARK 1 WAIT\r\n", reply += "*-1\r\n";
            break;
          default:
            request += "*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n", reply += "$3\r\nabc\r\n";
            break;
        }
      }
      const size_t cut = random() % request.size();
      ASSERT_TRUE(client.Send(std::string_view(request).substr(0, cut)));
      ASSERT_TRUE(client.Send(std::string_view(request).substr(cut)));
      if (random() % 30 == 0) break;  // leaves without reading
      ASSERT_TRUE(client.Receive(reply.size()) == reply) << "seed " << seed;
    }
    if (random() % 2) client.Reset();
  }
}

TEST(TransportStressTest, HandOffs) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  TransportOptions options;
  options.workers = 2;
  options.fast_threads = 2;
  options.slow_threads = 2;
  TestServer server(options);
  server.Start();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 8; ++i) threads.emplace_back([&, i] { Live(server, seed + i, stop); });
  threads.emplace_back([&] {  // someone who kills, pushes to and configures whoever came last, and looks at the numbers
    std::mt19937_64 random(seed);
    TestClient victim = server.Client();
    while (!stop) {
      if (!victim.Send("PARK 0\r\nPING\r\n")) victim = server.Client();
      const ConnId ghost{static_cast<uint32_t>(random() % 2), static_cast<uint32_t>(random() % 20), 1'000'000};
      server.transport->Push(ghost, std::make_shared<const std::string>("+no one\r\n"));
      server.transport->SetOutputLimit(ghost, {});
      server.transport->Kill(ghost, CloseReason::kAskedFor);
      server.transport->SetTunables({});
      (void)server.transport->Stats();
      if (random() % 50 == 0) server.transport->ResetStats();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  server.transport->Stop(std::chrono::milliseconds(5000));
  EXPECT_EQ(server.handler.connected, server.handler.disconnected);
  EXPECT_GT(server.handler.executed, 100u);
  EXPECT_EQ(server.transport->Stats().output_pending_bytes, 0u);
  EXPECT_EQ(server.transport->Stats().connections_open, 0u);
}

}  // namespace
}  // namespace basalt::net
