#include "server/file_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace basalt {
namespace {

constexpr uid_t kNobody = 65534;

// In a child of its own: limits that are lowered stay lowered. As nobody, who may not raise them again.
void InChildWithLimits(rlim_t soft, rlim_t hard, const std::function<bool()>& holds) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit limit{soft, hard};
    const bool ready =
        setrlimit(RLIMIT_NOFILE, &limit) == 0 && (geteuid() != 0 || setresuid(kNobody, kNobody, kNobody) == 0);
    _exit(!ready ? 2 : holds() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "2: the limits could not be set";
}

TEST(FileLimitTest, IsRaisedToWhatIsAllowed) {
  InChildWithLimits(256, 4096, [] {
    RaiseFileLimit(1000);
    return FileLimit() == 4096;
  });
}

TEST(FileLimitTest, ClientsFitWhenThereIsRoom) {
  InChildWithLimits(256, 4096, [] { return ClientsWithinFileLimit(3000, 0) == 3000 && FileLimit() == 4096; });
}

TEST(FileLimitTest, ClientsLeaveRoomForTables) {
  InChildWithLimits(2048, 2048, [] {
    const int64_t most = ClientsWithinFileLimit(10'000, 0);
    return most > 1024 && most <= 2048 - 512 && ClientsWithinFileLimit(most, 0) == most;
  });
}

TEST(FileLimitTest, LittleIsShared) {
  InChildWithLimits(300, 300, [] {
    const int64_t most = ClientsWithinFileLimit(10'000, 0);
    return most >= 32 && most <= 150 && ClientsWithinFileLimit(20, 0) == 20;
  });
}

TEST(FileLimitTest, ConnectedClientsAreNotCountedTwice) {
  InChildWithLimits(2048, 2048, [] {
    const int64_t most = ClientsWithinFileLimit(10'000, 0);
    for (int i = 0; i < 1000; ++i) {
      if (dup(STDERR_FILENO) < 0) return false;
    }
    return ClientsWithinFileLimit(10'000, 1000) == most;
  });
}

}  // namespace
}  // namespace basalt
