#include "net/poller.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/clock.h"

namespace basalt::net {
namespace {

constexpr uint64_t kToken = 7;
constexpr uint64_t kNsPerMs = 1'000'000;

// As in the sandbox of an old container runtime.
bool ForbidPwait2(int error_number) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error_number)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool WaitsAsAsked() {
  Poller poller;
  const uint64_t started_ns = MonotonicNs();
  if (!poller.Wait(20 * kNsPerMs + 1).empty() || MonotonicNs() < started_ns + 20 * kNsPerMs) return false;
  if (!poller.Wait(0).empty()) return false;
  const int fd = eventfd(1, EFD_CLOEXEC);
  poller.Watch(fd, kPollRead, kToken);
  for (const std::optional<uint64_t> timeout_ns : {std::optional<uint64_t>(), std::optional<uint64_t>(UINT64_MAX)}) {
    const auto events = poller.Wait(timeout_ns);
    if (events.size() != 1 || events[0].token != kToken || events[0].events != kPollRead) return false;
  }
  close(fd);
  return true;
}

TEST(PollerTest, WaitsAsAsked) { EXPECT_TRUE(WaitsAsAsked()); }

TEST(PollerTest, WaitsWithoutTheNewestSystemCall) {
  for (const int error_number : {ENOSYS, EPERM}) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(!ForbidPwait2(error_number) ? 2 : WaitsAsAsked() ? 0 : 1);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "no seccomp here";
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
}

}  // namespace
}  // namespace basalt::net
