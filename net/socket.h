#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

namespace basalt::net {

// What this library asks of sockets beyond reading and writing. Free functions, any thread.

// One address to listen on.
struct ListenAddress {
  sockaddr_storage address = {};
  socklen_t length = 0;
  bool optional = false;  // not being available is not an error
  std::string text;       // for messages: "127.0.0.1", "::1", "/run/basalt.sock"

  bool operator==(const ListenAddress& other) const;
};

// "127.0.0.1", "::1", "host.name", "-::1" (optional), "*" (all; IPv6 if there is any), "::*" (all of IPv6). No
// duplicates.
bool ResolveBind(const std::vector<std::string>& bind, uint16_t port, std::vector<ListenAddress>* addresses,
                 std::string* error);
bool UnixAddress(const std::string& path, ListenAddress* address, std::string* error);

// A listening, non-blocking socket, or -1, errno and one clear line in *error. Without SO_REUSEPORT, which would hide
// that another process has the port.
int Listen(const ListenAddress& address, uint16_t port, int backlog, std::string* error);
// As Listen; a stale socket file is replaced. mode 0: as umask gives.
int ListenUnix(const ListenAddress& address, uint32_t mode, int backlog, std::string* error);
// Whether Listen failed because the machine does not have that address or family.
bool IsUnavailable(int error_number);

// "127.0.0.1:6379", "[::1]:6379".
std::string FormatAddress(const sockaddr_storage& address);
bool IsLoopback(const sockaddr_storage& address);

// No Nagle; keepalive probes after `keepalive_s` seconds of silence (0: none), or as many as the kernel allows.
void ConfigureSocket(int fd, bool unix_socket, int keepalive_s);
// Has the kernel acknowledge at once what was received: a peer with Nagle's algorithm on, that has sent a part of a
// request, sends the rest only then, and the kernel would wait 40 ms. Without effect on a unix socket.
void AcknowledgeNow(int fd);
// Closes so that the last bytes written have a chance to be read: the kernel resets a connection that is closed with
// unread input, and the reset overtakes them.
void CloseGently(int fd);

}  // namespace basalt::net
