#include "net/output_buffer.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

namespace basalt::net {
namespace {

// What FillIov shows, whole.
std::string Gather(const OutputBuffer& buffer) {
  iovec iov[1024];
  const int n = buffer.FillIov(iov, 1024);
  std::string all;
  for (int i = 0; i < n; ++i) {
    EXPECT_GT(iov[i].iov_len, 0u);
    all.append(static_cast<const char*>(iov[i].iov_base), iov[i].iov_len);
  }
  return all;
}

TEST(OutputBufferTest, SmallRepliesAreOnePiece) {
  OutputBuffer buffer;
  for (int i = 0; i < 128; ++i) buffer.Append("+OK\r\n");
  iovec iov[4];
  EXPECT_EQ(buffer.FillIov(iov, 4), 1);
  EXPECT_EQ(iov[0].iov_len, 640u);
}

TEST(OutputBufferTest, PinnedBytesAreNotCopiedAndLiveUntilConsumed) {
  auto value = std::make_shared<const std::string>(100'000, 'v');
  std::weak_ptr<const std::string> alive = value;
  const char* const at = value->data();
  OutputBuffer buffer;
  buffer.Append("$100000\r\n");
  buffer.AppendPinned(*value, value);
  buffer.Append("\r\n");
  value.reset();
  iovec iov[4];
  ASSERT_EQ(buffer.FillIov(iov, 4), 3);
  EXPECT_EQ(iov[1].iov_base, at);
  EXPECT_GE(buffer.memory_bytes(), 100'000u);
  buffer.Consume(9 + 99'999);
  EXPECT_FALSE(alive.expired());
  buffer.Consume(1);
  EXPECT_TRUE(alive.expired());
  EXPECT_EQ(buffer.ToString(), "\r\n");
}

TEST(OutputBufferTest, SlowClientsCostWhatTheyAreOwed) {
  OutputBuffer pending;
  for (int i = 0; i < 10'000; ++i) {
    OutputBuffer reply;
    reply.Append("+OK\r\n");
    pending.AppendBuffer(std::move(reply));
    EXPECT_TRUE(reply.empty());
  }
  EXPECT_EQ(pending.size(), 50'000u);
  EXPECT_LT(pending.memory_bytes(), 80'000u);
}

TEST(OutputBufferTest, ClearKeepsABlockReleaseNone) {
  OutputBuffer buffer;
  buffer.Append(std::string(10'000, 'x'));
  buffer.Clear();
  EXPECT_TRUE(buffer.empty());
  EXPECT_GT(buffer.memory_bytes(), 0u);
  EXPECT_LE(buffer.memory_bytes(), 16u * 1024);
  buffer.Release();
  EXPECT_EQ(buffer.memory_bytes(), 0u);
  buffer.Append("again");
  EXPECT_EQ(buffer.ToString(), "again");
}

TEST(OutputBufferTest, AgreesWithAString) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto below = [&random](size_t n) { return static_cast<size_t>(random() % n); };
  const auto bytes = [&] {
    static const size_t kSizes[] = {3, 30, 900, 5'000, 20'000};
    std::string text(below(kSizes[below(5)]) + 1, 'x');
    for (char& c : text) c = static_cast<char>('a' + below(26));
    return text;
  };
  for (int round = 0; round < 200; ++round) {
    OutputBuffer buffer;
    std::string model;
    for (int step = 0; step < 60; ++step) {
      switch (below(9)) {
        case 0:
        case 1: {
          const std::string text = bytes();
          buffer.Append(text);
          model += text;
          break;
        }
        case 2: {
          auto text = std::make_shared<const std::string>(bytes());
          buffer.AppendPinned(*text, text);
          model += *text;
          break;
        }
        case 3: {
          OutputBuffer other;
          for (size_t i = below(3); i > 0; --i) {
            auto text = std::make_shared<const std::string>(bytes());
            other.AppendPinned(*text, text);
            const std::string more = bytes();
            other.Append(more);
            model += *text + more;
          }
          buffer.AppendBuffer(std::move(other));
          break;
        }
        case 4: {
          const size_t from = below(model.size() + 1), to = from + below(model.size() - from + 1);
          const std::string text = below(3) ? bytes() : "";
          buffer.Replace(from, to, text);
          model.replace(from, to - from, text);
          break;
        }
        case 5: {
          const size_t at = model.size() - below(std::min<size_t>(model.size(), 50) + 1);
          buffer.Replace(at, at, "*12\r\n");
          model.insert(at, "*12\r\n");
          break;
        }
        case 6: {
          const size_t at = below(model.size() + 1);
          buffer.Truncate(at);
          model.resize(at);
          break;
        }
        case 7: {
          const size_t n = below(3) ? below(model.size() + 1) : model.size();
          buffer.Consume(n);
          model.erase(0, n);
          break;
        }
        case 8: {
          const std::string text = bytes();
          char* const at = buffer.Prepare(text.size() + 10);
          text.copy(at, text.size());
          buffer.Commit(text.size());
          model += text;
          break;
        }
      }
      ASSERT_EQ(buffer.size(), model.size()) << "round " << round << " step " << step;
      ASSERT_TRUE(buffer.ToString() == model) << "round " << round << " step " << step;
      ASSERT_TRUE(Gather(buffer) == model);
      ASSERT_GE(buffer.memory_bytes(), buffer.size());
    }
    buffer.Clear();
    ASSERT_TRUE(buffer.empty());
  }
}

}  // namespace
}  // namespace basalt::net
