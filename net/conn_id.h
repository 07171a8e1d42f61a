#pragma once

#include <compare>
#include <cstdint>

namespace basalt::net {

// Names one connection for as long as it lives, and nothing afterwards: a slot of a worker is reused under the next
// generation. A plain value; registries hold these, never pointers or fd numbers. Any thread.
struct ConnId {
  uint32_t worker = 0;
  uint32_t slot = 0;
  uint64_t generation = 0;  // 0 names no connection

  auto operator<=>(const ConnId&) const = default;
  explicit operator bool() const { return generation != 0; }
};

}  // namespace basalt::net
