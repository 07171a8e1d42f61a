#pragma once

#include <cstdint>
#include <random>

namespace basalt::storage {

// A generator of this thread, seeded by the machine. For fairness, not for secrets.
inline std::mt19937_64& Random64() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return generator;
}

// A number in [0, bound), each with the same chance. REQUIRES: bound > 0.
inline uint64_t RandomBelow(uint64_t bound) {
  return std::uniform_int_distribution<uint64_t>(0, bound - 1)(Random64());
}

}  // namespace basalt::storage
