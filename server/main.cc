#include <gflags/gflags.h>
#include <signal.h>

#include <cstdio>
#include <string>

#include "server/command_table.h"
#include "server/config_table.h"
#include "server/logging.h"
#include "server/server.h"

DEFINE_string(config, "", "Configuration file; a file name given without --config means the same");
DEFINE_bool(print_config, false, "Print the explained default configuration (conf/basalt.conf) and exit");
DEFINE_bool(print_commands_markdown, false, "Print the command table of README.md and exit");

#ifdef BASALT_JEMALLOC
// Read by jemalloc before main. Caches and memtables are reached at random: with huge pages each access costs fewer
// misses of the address translation. (SET in pipelines of 16: 10 to 18 % less CPU.) Nothing here forks, which is what
// huge pages are bad for.
extern "C" const char* malloc_conf;
const char* malloc_conf = "thp:always,metadata_thp:auto,background_thread:true";
#endif

namespace {

int Fail(const std::string& line) {
  fprintf(stderr, "basalt: %s\n", line.c_str());
  return 1;
}

// Signals belong to Server::Run, which waits for them; a write to a closed socket is an error, not a signal.
void BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  for (int crash : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&all, crash);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  gflags::SetUsageMessage(
      "a persistent database that speaks the Redis protocol\n  basalt [conf file] [--option value ...]");
  gflags::SetVersionString(BASALT_VERSION);
  basalt::ConfigTable::DefineFlags();
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  if (FLAGS_print_config) return fputs(basalt::ConfigTable::ConfFileText().c_str(), stdout) < 0;
  if (FLAGS_print_commands_markdown) return fputs(basalt::CommandsMarkdown(basalt::CommandTable()).c_str(), stdout) < 0;
  if (argc > 2 || (argc == 2 && !FLAGS_config.empty())) return Fail("one configuration file at most");
  if (argc == 2) FLAGS_config = argv[1];

  basalt::ConfigTable config;
  std::string error;
  if (!FLAGS_config.empty() && !config.LoadFile(FLAGS_config, &error)) return Fail(error);
  if (!config.LoadFlags(&error)) return Fail(error);
  if (!basalt::StartLogging(argv[0], config.current(), &error)) return Fail(error);

  BlockSignals();
  std::unique_ptr<basalt::Server> server = basalt::Server::Create(config, &error);
  if (server == nullptr) return Fail(error);
  return server->Run();
}
