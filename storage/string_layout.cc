#include "storage/string_layout.h"

#include "storage/key_codec.h"

namespace basalt::storage {

std::string EncodeChunkedString(const ChunkedString& string) {
  std::string payload(9, '\0');
  payload[0] = static_cast<char>(string.layout);
  PutBig64(payload.data() + 1, string.length);
  return payload;
}

std::optional<ChunkedString> ParseChunkedString(std::string_view payload) {
  if (payload.size() != 9) return std::nullopt;
  const auto layout = static_cast<StringLayout>(payload[0]);
  if (layout != StringLayout::kWhole && layout != StringLayout::kInParts) return std::nullopt;
  ChunkedString string{layout, GetBig64(payload.data() + 1)};
  if (string.length == 0 || string.length > UINT32_MAX * string.chunk_bytes()) return std::nullopt;
  return string;
}

}  // namespace basalt::storage
