// What the sanitizers read at start-up, in place of environment variables. Empty in a build without them.

#if defined(__SANITIZE_THREAD__)
#define BASALT_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define BASALT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BASALT_TSAN 1
#elif __has_feature(address_sanitizer)
#define BASALT_ASAN 1
#endif
#endif

#if defined(BASALT_TSAN)
extern "C" const char* __tsan_default_options() { return "halt_on_error=1:second_deadlock_stack=1:exitcode=66"; }

// RocksDB and glog come from Debian without instrumentation: their atomics are not seen, so what they order looks
// unordered.
extern "C" const char* __tsan_default_suppressions() {
  return "race:librocksdb\n"
         "race:libglog\n"
         "mutex:librocksdb\n"
         "deadlock:librocksdb\n";
}
#endif

#if defined(BASALT_ASAN)
extern "C" const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:allocator_may_return_"
         "null=1";
}
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }
#endif
