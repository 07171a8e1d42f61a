#include "server/process_info.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef BASALT_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

#include <atomic>
#include <climits>
#include <cstdio>

namespace basalt {

namespace {

std::atomic<uint64_t> peak_used{0};

uint64_t ResidentBytes() {
  FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long size = 0, resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &size, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

#ifdef BASALT_JEMALLOC
uint64_t ReadJemalloc(const char* name) {
  size_t value = 0, size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

// jemalloc counts in epochs: figures move when a new one is begun.
void RefreshJemalloc() {
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  (void)mallctl("epoch", &epoch, &size, &epoch, size);
}
#endif

}  // namespace

ProcessMemory SampleProcessMemory() {
  ProcessMemory memory;
  memory.resident = ResidentBytes();
#ifdef BASALT_JEMALLOC
  RefreshJemalloc();
  memory.used = ReadJemalloc("stats.allocated");
  memory.allocator_active = ReadJemalloc("stats.active");
  memory.allocator_resident = ReadJemalloc("stats.resident");
#else
  memory.used = memory.allocator_active = memory.allocator_resident = memory.resident;
#endif
  uint64_t peak = peak_used.load(std::memory_order_relaxed);
  while (memory.used > peak && !peak_used.compare_exchange_weak(peak, memory.used, std::memory_order_relaxed)) {
  }
  memory.peak = peak_used.load(std::memory_order_relaxed);
  return memory;
}

std::string_view AllocatorName() {
#ifdef BASALT_JEMALLOC
#define BASALT_TEXT_(x) #x
#define BASALT_TEXT(x) BASALT_TEXT_(x)
  return "jemalloc-" BASALT_TEXT(JEMALLOC_VERSION_MAJOR) "." BASALT_TEXT(JEMALLOC_VERSION_MINOR) "." BASALT_TEXT(
      JEMALLOC_VERSION_BUGFIX);
#undef BASALT_TEXT
#undef BASALT_TEXT_
#else
  return "libc";
#endif
}

bool PurgeAllocator() {
#ifdef BASALT_JEMALLOC
  char name[64];
  std::snprintf(name, sizeof name, "arena.%u.purge", static_cast<unsigned>(MALLCTL_ARENAS_ALL));
  return mallctl(name, nullptr, nullptr, nullptr, 0) == 0;
#else
  return false;
#endif
}

std::string AllocatorReport() {
  std::string report;
#ifdef BASALT_JEMALLOC
  malloc_stats_print([](void* to, const char* text) { *static_cast<std::string*>(to) += text; }, &report, nullptr);
#endif
  return report;
}

uint64_t TotalSystemMemory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

ProcessCpu ReadProcessCpu() {
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  rusage self = {}, children = {};
  ::getrusage(RUSAGE_SELF, &self);
  ::getrusage(RUSAGE_CHILDREN, &children);
  return {seconds(self.ru_stime), seconds(self.ru_utime), seconds(children.ru_stime), seconds(children.ru_utime)};
}

std::string OsName() {
  utsname name = {};
  ::uname(&name);
  return std::string(name.sysname) + ' ' + name.release + ' ' + name.machine;
}

std::string ExecutablePath() {
  char path[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : "";
}

}  // namespace basalt
