#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace basalt::storage {

// Bytes that live until Reset, taken from large blocks. One thread.
class Arena {
 public:
  std::string_view Copy(std::string_view bytes) {
    if (bytes.empty()) return std::string_view("", 0);  // not null: callers copy from it
    char* out = Allocate(bytes.size());
    std::memcpy(out, bytes.data(), bytes.size());
    return {out, bytes.size()};
  }

  size_t bytes() const { return bytes_; }

  void Reset() {
    others_.clear();  // one block is kept for the next group
    used_ = 0;
    bytes_ = 0;
  }

 private:
  static constexpr size_t kBlockBytes = 16 << 10;

  char* Allocate(size_t size) {
    bytes_ += size;
    if (size > kBlockBytes / 4) {
      others_.push_back(std::make_unique_for_overwrite<char[]>(size));
      return others_.back().get();
    }
    if (block_ == nullptr || size > kBlockBytes - used_) {
      if (block_ != nullptr) others_.push_back(std::move(block_));
      block_ = std::make_unique_for_overwrite<char[]>(kBlockBytes);
      used_ = 0;
    }
    char* out = block_.get() + used_;
    used_ += size;
    return out;
  }

  std::unique_ptr<char[]> block_;  // being filled
  std::vector<std::unique_ptr<char[]>> others_;
  size_t used_ = 0;
  size_t bytes_ = 0;
};

}  // namespace basalt::storage
