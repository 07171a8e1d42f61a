// Makes the mistake it is asked for. A build whose checks are on dies with the report that the test expects; a build
// whose checks are off ends with "not noticed".

#include <unistd.h>

#include <cassert>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

namespace {

volatile int one = 1;
int shared = 0;

int UseAfterFree() {
  int* volatile value = new int(one);
  delete value;
  return *value;
}

int SignedOverflow() {
  int big = INT_MAX - 1 + one;
  return big + one;
}

int Leak() {
  char* volatile lost = new char[100];
  lost[0] = 1;
  lost = nullptr;
  return 0;
}

int Race() {
  std::thread other([] { shared = one; });
  shared = one + 1;
  other.join();
  return shared;
}

int OutOfRange() {
  std::vector<int> values(static_cast<size_t>(one));
  return values[static_cast<size_t>(one)];
}

int FailedAssertion() {
  assert(one == 2 && "canary");
  return 0;
}

int Optimised() {
#if defined(__OPTIMIZE__) && !defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  std::puts("optimised, assertions on, no sanitizer");
#endif
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const struct {
    const char* name;
    int (*run)();
  } mistakes[] = {
      {"use-after-free", UseAfterFree}, {"signed-overflow", SignedOverflow}, {"leak", Leak},          {"race", Race},
      {"out-of-range", OutOfRange},     {"assertion", FailedAssertion},      {"optimised", Optimised}};
  std::signal(SIGABRT, [](int) { _exit(3); });  // ctest takes a signal for a failure, whatever was printed
  for (const auto& mistake : mistakes) {
    if (argc == 2 && std::strcmp(argv[1], mistake.name) == 0) {
      int value = mistake.run();
      std::printf("%s: not noticed (%d)\n", mistake.name, value);
      return 0;
    }
  }
  std::fprintf(stderr, "canary: name one mistake\n");
  return 2;
}
