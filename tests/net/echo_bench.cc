// A server of the net library alone that answers every command with +OK (PING: +PONG): what the three tiers cost.
//
//   echo_bench PORT WORKERS FAST_THREADS     then: redis-benchmark -p PORT -t set -n 1000000 [-P 16]
//
// SIGUSR1 prints CPU time and system calls per batch since the last time; SIGTERM ends it.
#include <glog/logging.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>

#include "net/reply_builder.h"
#include "net/transport.h"

namespace basalt::net {
namespace {

class NoState : public ClientState {};

class EchoHandler : public RequestHandler {
 public:
  Transport* transport = nullptr;

  Admission OnConnect(const ConnInfo&) override { return {std::make_unique<NoState>(), "", {}}; }
  void OnDisconnect(std::unique_ptr<ClientState>, CloseReason) override {}
  void Execute(std::vector<BatchPtr> batches, Lane, int) override {
    for (const BatchPtr& batch : batches) {
      ReplyBuilder reply(&batch->replies, RespVersion::kResp2);
      for (; !batch->finished(); ++batch->next) {
        const auto argv = batch->Argv(batch->commands[batch->next]);
        if (argv[0] == "PING") {
          reply.Simple("PONG");
        } else {
          reply.Ok();
        }
      }
    }
    transport->Return(std::move(batches));
  }
  void OnParkedDeadline(ConnId, uint64_t, int64_t) override {}
  void OnParkedHangup(ConnId, uint64_t) override {}
};

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void Report(Transport& transport, double cpu_s) {
  const TransportStats s = transport.Stats();
  const double batches = static_cast<double>(s.batches ? s.batches : 1);
  const double commands = static_cast<double>(s.commands ? s.commands : 1);
  const auto per_batch = [batches](uint64_t n) { return static_cast<double>(n) / batches; };
  std::printf(
      "%.0f commands, %.0f batches, cpu %.2f us/command; per batch: calls %.2f (read %.2f write %.2f ctl %.2f wait "
      "%.2f pipe %.2f futex %.2f), queue wait %.1f us\n",
      commands, batches, cpu_s * 1e6 / commands,
      per_batch(s.read_calls + s.write_calls + s.epoll_ctl_calls + s.epoll_wait_calls + s.pipe_calls + s.futex_wakes),
      per_batch(s.read_calls), per_batch(s.write_calls), per_batch(s.epoll_ctl_calls), per_batch(s.epoll_wait_calls),
      per_batch(s.pipe_calls), per_batch(s.futex_wakes), per_batch(s.lanes[0].queue_wait_ns_sum) / 1e3);
  std::fflush(stdout);
  transport.ResetStats();
}

int Main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: echo_bench PORT WORKERS FAST_THREADS\n");
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGUSR1, SIGTERM, SIGINT}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  TransportOptions options;
  options.bind = {"127.0.0.1"};
  options.port = static_cast<uint16_t>(std::atoi(argv[1]));
  options.workers = std::atoi(argv[2]);
  options.fast_threads = std::atoi(argv[3]);
  EchoHandler handler;
  std::string error;
  auto transport = Transport::Open(options, {}, &handler, &error);
  if (!transport) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }
  handler.transport = transport.get();
  transport->Start();
  double before = CpuSeconds();
  for (;;) {
    int number = 0;
    sigwait(&signals, &number);
    if (number != SIGUSR1) break;
    const double now = CpuSeconds();
    Report(*transport, now - before);
    before = now;
  }
  transport->Stop(std::chrono::milliseconds(100));
  return 0;
}

}  // namespace
}  // namespace basalt::net

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  return basalt::net::Main(argc, argv);
}
