// Preloaded into a server by sync_test.py: while the file that $HELD_SYNC names is there, no sync ends.

#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

namespace {

void AwaitRelease() {
  const char* held = std::getenv("HELD_SYNC");
  const timespec pause = {.tv_sec = 0, .tv_nsec = 5'000'000};
  while (held != nullptr && access(held, F_OK) == 0) nanosleep(&pause, nullptr);
}

using Sync = int (*)(int);

Sync Next(const char* name) { return reinterpret_cast<Sync>(dlsym(RTLD_NEXT, name)); }

}  // namespace

extern "C" int fsync(int fd) {
  static const Sync next = Next("fsync");
  AwaitRelease();
  return next(fd);
}

extern "C" int fdatasync(int fd) {
  static const Sync next = Next("fdatasync");
  AwaitRelease();
  return next(fd);
}
