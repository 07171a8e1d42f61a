// Whatever a payload says, reading it ends, touches nothing outside of it, and tells a value that can be written and
// read again as the same. Input: a payload without its footer.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "storage/rdb_reader.h"
#include "storage/rdb_writer.h"
#include "tests/storage/value_text.h"

using namespace basalt::storage;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 1 << 16) return 0;
  const std::string payload = std::string(reinterpret_cast<const char*>(data), size) + std::string(10, '\0');
  ValueText first;
  if (ReadRdbPayload(payload, &first) != Status::kOk) return 0;
  RdbWriter writer({});
  ValueText second;
  if (ReadRdbPayload(payload, &writer) != Status::kOk || ReadRdbPayload(writer.TakePayload(), &second) != Status::kOk ||
      first.lines().size() != second.lines().size()) {
    std::fprintf(stderr, "a value that was read cannot be written and read again\n");
    std::abort();
  }
  return 0;
}
