#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "storage/value_sink.h"

namespace basalt {

// The digest of a data set that DEBUG DIGEST and DEBUG DIGEST-VALUE answer: twenty bytes, made of SHA-1 as Redis makes
// them, so that equal data has equal digests on both. A value.
class Digest {
 public:
  static constexpr size_t kBytes = 20;

  // digest ^= SHA1(bytes): the order of such steps does not matter.
  void Xor(std::string_view bytes);
  // digest = SHA1(digest ^ SHA1(bytes)): it does.
  void Mix(std::string_view bytes);
  void MixBig32(uint32_t number);
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), kBytes}; }
  std::string Hex() const;

 private:
  std::array<unsigned char, kBytes> bytes_ = {};
};

// Adds a value, told piece by piece, to a digest: where order matters to the type it matters here.
class ValueDigest : public storage::ValueSink {
 public:
  explicit ValueDigest(Digest* digest) : digest_(*digest) {}

  storage::Status String(std::string_view bytes) override;
  storage::Status Begin(storage::ValueType type, storage::Encoding encoding, uint64_t count) override;
  storage::Status Element(std::string_view element) override;
  storage::Status Scored(std::string_view member, double score) override;
  storage::Status Field(std::string_view field, std::string_view value) override;
  storage::Status Entry(storage::StreamId id, std::span<const std::string_view> fields_and_values) override;
  storage::Status Facts(const StreamFacts&) override { return storage::Status::kOk; }
  storage::Status Group(const GroupFacts&) override { return storage::Status::kOk; }
  storage::Status Consumer(const ConsumerFacts&) override { return storage::Status::kOk; }
  storage::Status Pending(storage::StreamId, int64_t, uint64_t) override { return storage::Status::kOk; }
  storage::Status End() override { return storage::Status::kOk; }

 private:
  storage::Status XorPair(std::string_view first, std::string_view second);

  Digest& digest_;
  storage::ValueType type_ = storage::ValueType::kString;
};

}  // namespace basalt
