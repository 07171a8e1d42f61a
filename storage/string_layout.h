#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/metadata.h"
#include "storage/read_view.h"

namespace basalt::storage {

// Where the bytes of a string that has an object id are: its payload is [layout:1][length:8] (FORMAT.md).
enum class StringLayout : uint8_t {
  kWhole = 1,    // rows of 64 KiB in `big`: was set whole
  kInParts = 2,  // rows of 4 KiB in `data`: was changed in part
};

struct ChunkedString {
  StringLayout layout = StringLayout::kWhole;
  uint64_t length = 0;

  RowFamily family() const { return layout == StringLayout::kWhole ? RowFamily::kBig : RowFamily::kData; }
  uint64_t chunk_bytes() const { return layout == StringLayout::kWhole ? 64 << 10 : 4 << 10; }
  uint64_t chunks() const { return (length + chunk_bytes() - 1) / chunk_bytes(); }
};

std::string EncodeChunkedString(const ChunkedString& string);
std::optional<ChunkedString> ParseChunkedString(std::string_view payload);

}  // namespace basalt::storage
