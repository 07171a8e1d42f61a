#pragma once

#include <cstdint>
#include <string_view>

namespace basalt::storage {

// CRC-64 with Jones' polynomial 0xad93d23594c935a9, reflected, starting from 0: the checksum of DUMP payloads and RDB
// files. "123456789" is 0xe9c6d914c4b8d9ca.
uint64_t Crc64(std::string_view bytes);

}  // namespace basalt::storage
