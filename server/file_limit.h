#pragma once

#include <cstdint>

namespace basalt {

// How many files the process may have open (RLIMIT_NOFILE), and how many of them clients may take. RocksDB keeps every
// table open, a file for each 32 MiB of data, and wants more as data grows: without one it can neither flush nor begin
// a new log, and writes stop. So clients leave it room. Any thread; a few system calls each.

// Raises the limit to what the administrator allows; if that is less than `files` and the process is privileged, to
// these.
void RaiseFileLimit(int64_t files);

// How many of `wanted` clients there may be, with the limit raised for them if need be. Of the files that are open now,
// `connected` are clients.
int64_t ClientsWithinFileLimit(int64_t wanted, int64_t connected);

int64_t FileLimit();

}  // namespace basalt
