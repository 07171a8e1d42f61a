#pragma once

#include <string>

#include "server/config_snapshot.h"

namespace basalt {

struct Services;

// Sends glog's lines to `logfile` (with rotation by logfile-max-size) or to standard error, in one format:
//
//   2026-11-22 03:04:05.123456 NOTICE message
//
// LOG(INFO) is notice, LOG(WARNING) and above warning, VLOG(1) verbose, VLOG(2) debug. Once, in main, before other
// threads start. When the file cannot be opened: false, one line in *error, and standard error is used.
bool StartLogging(const char* program, const ConfigSnapshot& config, std::string* error = nullptr);

// `loglevel`. Any thread.
void SetLogLevel(LogLevel level);

// One readable summary of what runs: version, RocksDB build, threads, memory, durability, addresses.
void LogStartup(const Services& services);

// "RocksDB 7.8.3 (system)", for INFO and the log.
std::string RocksdbDescription();
// Which RocksDB this was built with, as CMake found it.
std::string_view RocksdbBuild();
std::string_view BasaltVersion();

}  // namespace basalt
