#include "server/file_limit.h"

#include <glog/logging.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>

namespace basalt {

namespace {

constexpr int64_t kSpareFilesMin = 512;  // for what is not a client, beyond what it has open: 16 GiB more of tables
// What others have open counts in steps, so that a number of clients that was found to fit still fits a moment later.
constexpr int64_t kFilesStep = 64;
constexpr int64_t kLimitMax = int64_t{1} << 32;  // more than a kernel allows

int64_t OpenFiles() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  return error ? 0 : std::distance(begin(files), end(files));
}

int64_t Bounded(rlim_t limit) { return static_cast<int64_t>(std::min<rlim_t>(limit, kLimitMax)); }

}  // namespace

int64_t FileLimit() {
  rlimit limit;
  PCHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  return Bounded(limit.rlim_cur);
}

void RaiseFileLimit(int64_t files) {
  rlimit limit;
  PCHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (Bounded(limit.rlim_max) < files) {
    const rlimit enough{static_cast<rlim_t>(files), static_cast<rlim_t>(files)};
    if (setrlimit(RLIMIT_NOFILE, &enough) == 0) return;
  }
  if (limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  PLOG_IF(WARNING, setrlimit(RLIMIT_NOFILE, &limit) != 0) << "cannot raise the limit of open files";
}

int64_t ClientsWithinFileLimit(int64_t wanted, int64_t connected) {
  const int64_t others = (std::max<int64_t>(0, OpenFiles() - connected) / kFilesStep + 1) * kFilesStep;
  const int64_t spare = std::max(kSpareFilesMin, others);
  const int64_t needed = wanted + others + spare;
  RaiseFileLimit(needed);
  const int64_t limit = FileLimit();
  if (limit >= needed) return wanted;
  // Where there is little, clients and the rest share it.
  const int64_t left = std::max<int64_t>(0, limit - others);
  return std::min(wanted, left - std::min(spare, left / 2));
}

}  // namespace basalt
