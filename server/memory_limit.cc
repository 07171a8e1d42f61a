#include "server/memory_limit.h"

#include "server/process_info.h"

namespace basalt {

void MemoryLimit::Sample(uint64_t limit_bytes) {
  exceeded_.store(limit_bytes != 0 && SampleProcessMemory().used > limit_bytes, std::memory_order_relaxed);
}

}  // namespace basalt
