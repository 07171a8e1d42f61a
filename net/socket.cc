#include "net/socket.h"

#include <arpa/inet.h>
#include <glog/logging.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace basalt::net {

namespace {

constexpr int kKeepaliveProbes = 3;
constexpr int kKeepaliveMaxS = 32767;  // the kernel's own limit

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

ListenAddress AnyAddress(int family, uint16_t port, bool optional) {
  ListenAddress any;
  any.optional = optional;
  if (family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&any.address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    any.length = sizeof(*v4);
    any.text = "0.0.0.0";
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&any.address);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    any.length = sizeof(*v6);
    any.text = "::";
  }
  return any;
}

void AddUnique(ListenAddress address, std::vector<ListenAddress>* addresses) {
  auto same = std::find(addresses->begin(), addresses->end(), address);
  if (same == addresses->end()) {
    addresses->push_back(std::move(address));
  } else {
    same->optional = same->optional && address.optional;
  }
}

int Fail(int fd, int error_number) {
  if (fd >= 0) close(fd);
  errno = error_number;
  return -1;
}

}  // namespace

bool ListenAddress::operator==(const ListenAddress& other) const {
  return length == other.length && std::memcmp(&address, &other.address, length) == 0;
}

bool ResolveBind(const std::vector<std::string>& bind, uint16_t port, std::vector<ListenAddress>* addresses,
                 std::string* error) {
  addresses->clear();
  for (const std::string& entry : bind) {
    const bool optional = !entry.empty() && entry[0] == '-';
    const std::string host = optional ? entry.substr(1) : entry;
    if (host == "*") {
      AddUnique(AnyAddress(AF_INET, port, optional), addresses);
      AddUnique(AnyAddress(AF_INET6, port, true), addresses);
      continue;
    }
    if (host == "::*") {
      AddUnique(AnyAddress(AF_INET6, port, optional), addresses);
      continue;
    }
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); code != 0) {
      if (optional) continue;
      *error = "cannot resolve bind address '" + host + "': " + gai_strerror(code);
      return false;
    }
    for (const addrinfo* info = found; info; info = info->ai_next) {
      ListenAddress address;
      std::memcpy(&address.address, info->ai_addr, info->ai_addrlen);
      address.length = info->ai_addrlen;
      address.optional = optional;
      address.text = host;
      AddUnique(std::move(address), addresses);
    }
    freeaddrinfo(found);
  }
  return true;
}

bool UnixAddress(const std::string& path, ListenAddress* address, std::string* error) {
  auto* name = reinterpret_cast<sockaddr_un*>(&address->address);
  if (path.size() >= sizeof(name->sun_path)) {
    *error = "unix socket path is longer than " + std::to_string(sizeof(name->sun_path) - 1) + " bytes: " + path;
    return false;
  }
  name->sun_family = AF_UNIX;
  std::memcpy(name->sun_path, path.c_str(), path.size() + 1);
  address->length = sizeof(*name);
  address->text = path;
  return true;
}

int Listen(const ListenAddress& address, uint16_t port, int backlog, std::string* error) {
  const int family = address.address.ss_family;
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool ok = fd >= 0 && SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                  (family != AF_INET6 || SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
                  bind(fd, reinterpret_cast<const sockaddr*>(&address.address), address.length) == 0 &&
                  listen(fd, backlog) == 0;
  if (ok) return fd;
  const int error_number = errno;
  if (error_number == EADDRINUSE) {
    *error = "port " + std::to_string(port) + " is already in use on " + address.text;
  } else {
    *error = "cannot listen on " + address.text + " port " + std::to_string(port) + ": " + std::strerror(error_number);
  }
  return Fail(fd, error_number);
}

int ListenUnix(const ListenAddress& address, uint32_t mode, int backlog, std::string* error) {
  unlink(address.text.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool ok = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address.address), address.length) == 0 &&
                  (mode == 0 || chmod(address.text.c_str(), mode) == 0) && listen(fd, backlog) == 0;
  if (ok) return fd;
  const int error_number = errno;
  *error = "cannot listen on unix socket " + address.text + ": " + std::strerror(error_number);
  return Fail(fd, error_number);
}

bool IsUnavailable(int error_number) {
  switch (error_number) {
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EPFNOSUPPORT:
    case ENOPROTOOPT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
      return true;
    default:
      return false;
  }
}

std::string FormatAddress(const sockaddr_storage& address) {
  char host[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
  return std::string(host) + ":" + std::to_string(ntohs(v4.sin_port));
}

bool IsLoopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  }
  return address.ss_family == AF_INET &&
         ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

void ConfigureSocket(int fd, bool unix_socket, int keepalive_s) {
  if (unix_socket) return;
  bool ok = SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (keepalive_s > 0) {
    keepalive_s = std::min(keepalive_s, kKeepaliveMaxS);
    ok = ok && SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1) && SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_s) &&
         SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, keepalive_s / kKeepaliveProbes)) &&
         SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
  }
  PLOG_IF(WARNING, !ok) << "setsockopt";
}

void AcknowledgeNow(int fd) {
  if (!SetOption(fd, IPPROTO_TCP, TCP_QUICKACK, 1)) VLOG(1) << "TCP_QUICKACK refused";
}

void CloseGently(int fd) {
  constexpr int kReadsMax = 64;  // 1 MiB
  char scratch[16 * 1024];
  shutdown(fd, SHUT_WR);
  for (int i = 0; i < kReadsMax; ++i) {
    if (recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT) <= 0) break;
  }
  close(fd);
}

}  // namespace basalt::net
