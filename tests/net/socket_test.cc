#include "net/socket.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <climits>

namespace basalt::net {
namespace {

int Option(int fd, int name) {
  int value = -1;
  socklen_t length = sizeof(value);
  return getsockopt(fd, IPPROTO_TCP, name, &value, &length) == 0 ? value : -1;
}

TEST(SocketTest, KeepaliveIsAsLongAsTheKernelAllows) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  ConfigureSocket(fd, false, INT_MAX);
  EXPECT_EQ(Option(fd, TCP_KEEPIDLE), 32767);
  EXPECT_EQ(Option(fd, TCP_KEEPINTVL), 32767 / 3);
  EXPECT_EQ(Option(fd, TCP_KEEPCNT), 3);
  close(fd);
}

}  // namespace
}  // namespace basalt::net
