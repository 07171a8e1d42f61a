#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace basalt {

// What the operating system and the allocator say about this process. Any thread; a few system calls each.
struct ProcessMemory {
  uint64_t used = 0;  // bytes handed out by the allocator (without jemalloc: resident bytes)
  uint64_t peak = 0;  // highest `used` seen by SampleProcessMemory
  uint64_t resident = 0;
  uint64_t allocator_active = 0, allocator_resident = 0;  // of jemalloc; without it as `used`
};
// Also remembers the peak. Call it now and then (a second apart is plenty) so that the peak means something.
ProcessMemory SampleProcessMemory();
std::string_view AllocatorName();  // "jemalloc-5.3.0" or "libc"
// Gives unused pages back. False: the allocator cannot.
bool PurgeAllocator();
// The allocator's own report; empty: it has none.
std::string AllocatorReport();

uint64_t TotalSystemMemory();

struct ProcessCpu {
  double system_s = 0, user_s = 0, children_system_s = 0, children_user_s = 0;
};
ProcessCpu ReadProcessCpu();

// "Linux 6.1.0 x86_64"
std::string OsName();
std::string ExecutablePath();

}  // namespace basalt
