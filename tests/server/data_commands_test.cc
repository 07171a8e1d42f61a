// Commands on strings, bits and keys against naive models, by seed. Replies and errors one by one are in
// tests/commands.

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/server/command_fixture.h"

namespace basalt {
namespace {

constexpr std::string_view kOk = "+OK\r\n", kNil = "$-1\r\n";

class DataCommandsTest : public CommandTest {
 protected:
  std::string RandomBytes(size_t size) {
    std::string bytes(size, '\0');
    if (random_() % 4 == 0) return bytes;
    for (char& c : bytes) c = static_cast<char>(random_());
    return bytes;
  }
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  std::mt19937_64 random_{2024};
};

// Around every size at which the storage changes its layout.
TEST_F(DataCommandsTest, RangesOfAStringAgreeWithAModel) {
  std::string model;
  for (int round = 0; round < 600; ++round) {
    switch (Below(8)) {
      case 0: {
        model = RandomBytes(Below(2) == 0 ? Below(100) : Below(200'000));
        EXPECT_EQ(Run({"SET", "k", model}), kOk);
        break;
      }
      case 1:
      case 2: {
        const size_t offset = Below(4) == 0 ? Below(300'000) : Below(model.size() + 10);
        const std::string bytes = RandomBytes(1 + Below(Below(2) == 0 ? 20 : 10'000));
        if (model.size() < offset + bytes.size()) model.resize(offset + bytes.size(), '\0');
        model.replace(offset, bytes.size(), bytes);
        EXPECT_EQ(Integer({"SETRANGE", "k", std::to_string(offset), bytes}), static_cast<int64_t>(model.size()));
        break;
      }
      case 3: {
        const std::string bytes = RandomBytes(Below(5'000));
        model += bytes;
        EXPECT_EQ(Integer({"APPEND", "k", bytes}), static_cast<int64_t>(model.size()));
        break;
      }
      case 4: {
        const uint64_t bit = Below((model.size() + 2) * 8);
        const bool on = Below(2) != 0;
        if (model.size() < bit / 8 + 1) model.resize(bit / 8 + 1, '\0');
        const unsigned mask = 0x80u >> bit % 8;
        const bool old = (static_cast<uint8_t>(model[bit / 8]) & mask) != 0;
        model[bit / 8] = static_cast<char>(on ? model[bit / 8] | mask : model[bit / 8] & ~mask);
        EXPECT_EQ(Integer({"SETBIT", "k", std::to_string(bit), on ? "1" : "0"}), old);
        break;
      }
      default: {
        const size_t first = Below(model.size() + 1);
        const size_t last = first + Below(Below(2) == 0 ? 50 : 100'000);
        EXPECT_EQ(Bulk({"GETRANGE", "k", std::to_string(first), std::to_string(last)}),
                  first < model.size() ? model.substr(first, last - first + 1) : "");
      }
    }
    EXPECT_EQ(Integer({"STRLEN", "k"}), static_cast<int64_t>(model.size()));
  }
  EXPECT_EQ(Bulk({"GET", "k"}), model);
}

bool BitAt(const std::string& bytes, uint64_t bit) {
  return bit / 8 < bytes.size() && (static_cast<uint8_t>(bytes[bit / 8]) & 0x80u >> bit % 8) != 0;
}

TEST_F(DataCommandsTest, CountingAndFindingBitsAgreesWithAModel) {
  for (int round = 0; round < 60; ++round) {
    std::string model = RandomBytes(1 + Below(round % 3 == 0 ? 20'000 : 40));
    std::fill_n(model.begin() + static_cast<ptrdiff_t>(Below(model.size())), 1, '\xff');
    EXPECT_EQ(Run({"SET", "k", model}), kOk);
    for (int i = 0; i < 20; ++i) {
      const int64_t bits = static_cast<int64_t>(model.size()) * 8;
      int64_t first = static_cast<int64_t>(Below(model.size() * 8)),
              last = static_cast<int64_t>(Below(model.size() * 8));
      if (first > last) std::swap(first, last);
      const bool from_end = Below(2) != 0;
      const std::string start = std::to_string(from_end ? first - bits : first);
      const std::string end = std::to_string(from_end ? last - bits : last);
      int64_t ones = 0, found[2] = {-1, -1};
      for (int64_t bit = first; bit <= last; ++bit) {
        const bool on = BitAt(model, static_cast<uint64_t>(bit));
        ones += on;
        if (found[on] < 0) found[on] = bit;
      }
      EXPECT_EQ(Integer({"BITCOUNT", "k", start, end, "BIT"}), ones);
      EXPECT_EQ(Integer({"BITPOS", "k", "0", start, end, "BIT"}), found[0]);
      EXPECT_EQ(Integer({"BITPOS", "k", "1", start, end, "BIT"}), found[1]);
    }
  }
}

TEST_F(DataCommandsTest, BitOperationsAgreeWithAModel) {
  for (int round = 0; round < 80; ++round) {
    std::vector<std::string> argv = {"BITOP", "", "target"}, sources;
    const size_t count = 1 + Below(4);
    for (size_t i = 0; i < count; ++i) {
      const std::string key = "s" + std::to_string(i);
      sources.push_back(Below(5) == 0 ? "" : RandomBytes(Below(round % 4 == 0 ? 400'000 : 300)));
      if (sources[i].empty()) {
        Run({"DEL", key});
      } else {
        EXPECT_EQ(Run({"SET", key, sources[i]}), kOk);
      }
      argv.push_back(key);
    }
    argv[1] = count == 1 && Below(2) == 0 ? "not" : std::vector<std::string>{"AND", "or", "XOR"}[Below(3)];
    if (Below(4) == 0) argv[2] = "s0";  // the target is a source
    size_t length = 0;
    for (const std::string& source : sources) length = std::max(length, source.size());
    std::string expected(length, '\0');
    for (size_t i = 0; i < length; ++i) {
      const auto byte = [&](size_t s) { return i < sources[s].size() ? static_cast<uint8_t>(sources[s][i]) : 0; };
      unsigned result = byte(0);
      if (argv[1] == "not") result = ~result;
      for (size_t s = 1; s < count; ++s) {
        result = argv[1] == "AND" ? result & byte(s) : argv[1] == "or" ? result | byte(s) : result ^ byte(s);
      }
      expected[i] = static_cast<char>(result);
    }
    EXPECT_EQ(runner_.Run(argv), ":" + std::to_string(length) + "\r\n");
    if (length == 0) {
      EXPECT_EQ(Run({"EXISTS", argv[2]}), ":0\r\n");
    } else {
      EXPECT_EQ(Bulk({"GET", argv[2]}), expected) << argv[1] << " of " << count;
    }
  }
}

// A bit at the far end costs a row, and so does the result of an operation on it.
TEST_F(DataCommandsTest, SparseBitmapsStaySparse) {
  EXPECT_EQ(Integer({"SETBIT", "a", "4294967295", "1"}), 0);
  EXPECT_EQ(Integer({"SETBIT", "b", "7", "1"}), 0);
  EXPECT_EQ(Integer({"STRLEN", "a"}), 536'870'912);
  EXPECT_EQ(Integer({"GETBIT", "a", "4294967295"}), 1);
  EXPECT_EQ(Integer({"BITCOUNT", "a"}), 1);
  EXPECT_EQ(Integer({"BITPOS", "a", "1"}), 4294967295);
  EXPECT_EQ(Integer({"BITOP", "OR", "c", "a", "b"}), 536'870'912);
  EXPECT_EQ(Integer({"BITCOUNT", "c"}), 2);
  EXPECT_EQ(Integer({"BITPOS", "c", "1"}), 7);
  EXPECT_LT(runner_.storage().Stats().memtable_bytes, 64u << 20);
}

TEST_F(DataCommandsTest, FieldsOfAnyWidthAgreeWithAModel) {
  std::string model;
  for (int round = 0; round < 2000; ++round) {
    if (round % 500 == 0) {
      model = RandomBytes(round % 1000 == 0 ? 10 : 6000);  // inline, and in chunks
      EXPECT_EQ(Run({"SET", "k", model}), kOk);
    }
    const unsigned bits = 1 + static_cast<unsigned>(Below(63));
    const uint64_t offset = Below(model.size() * 8 + 100);
    uint64_t old = 0;
    for (unsigned i = 0; i < bits; ++i) old = old << 1 | BitAt(model, offset + i);
    const std::string type = "u" + std::to_string(bits), at = std::to_string(offset);
    EXPECT_EQ(Run({"BITFIELD_RO", "k", "GET", type, at}), "*1\r\n:" + std::to_string(old) + "\r\n");
    if (Below(2) == 0) continue;
    const uint64_t value = random_() >> (64 - bits);
    model.resize(std::max<size_t>(model.size(), (offset + bits - 1) / 8 + 1), '\0');
    for (unsigned i = 0; i < bits; ++i) {
      char& byte = model[(offset + i) / 8];
      const unsigned mask = 0x80u >> (offset + i) % 8;
      byte = static_cast<char>((value >> (bits - 1 - i) & 1) != 0 ? byte | mask : byte & ~mask);
    }
    EXPECT_EQ(Run({"BITFIELD", "k", "SET", type, at, std::to_string(value)}), "*1\r\n:" + std::to_string(old) + "\r\n");
    EXPECT_EQ(Integer({"STRLEN", "k"}), static_cast<int64_t>(model.size()));
  }
  EXPECT_EQ(Bulk({"GET", "k"}), model);
}

TEST_F(DataCommandsTest, AScanMeetsEveryKeyOnceAndEndsWithZero) {
  std::set<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    expected.insert("key:" + std::to_string(i));
    EXPECT_EQ(Run({"SET", "key:" + std::to_string(i), "v"}), kOk);
  }
  std::multiset<std::string> met;
  std::string cursor = "0";
  do {
    const std::string reply = Run({"SCAN", cursor, "COUNT", "50"});
    ASSERT_TRUE(reply.starts_with("*2\r\n$")) << reply;
    std::vector<std::string> lines;
    for (size_t at = 0; at < reply.size();) {
      const size_t end = reply.find("\r\n", at);
      lines.push_back(reply.substr(at, end - at));
      at = end + 2;
    }
    cursor = lines[2];
    for (size_t i = 5; i < lines.size(); i += 2) met.insert(lines[i]);
  } while (cursor != "0");
  EXPECT_EQ(met.size(), 1000u);
  EXPECT_EQ(std::set<std::string>(met.begin(), met.end()), expected);
  EXPECT_EQ(Run({"SCAN", "18446744073709551615"}), "*2\r\n$1\r\n0\r\n*0\r\n");
}

TEST_F(DataCommandsTest, AKeyIsGoneWhenItsTimeHasCome) {
  EXPECT_EQ(Line("SET k v PX 1000"), kOk);
  EXPECT_EQ(Line("SET other v"), kOk);
  EXPECT_EQ(Integer({"PTTL", "k"}), 1000);
  EXPECT_EQ(Integer({"TTL", "k"}), 1);
  runner_.AdvanceClock(501);
  EXPECT_EQ(Integer({"TTL", "k"}), 0);  // rounded
  EXPECT_EQ(Integer({"PTTL", "k"}), 499);
  runner_.AdvanceClock(499);
  EXPECT_EQ(Line("GET k"), kNil);
  EXPECT_EQ(Integer({"TTL", "k"}), -2);
  EXPECT_EQ(Integer({"EXISTS", "k"}), 0);
  EXPECT_EQ(Integer({"DEL", "k"}), 0);
  EXPECT_EQ(Line("TYPE k"), "+none\r\n");
  EXPECT_EQ(Line("KEYS *"), "*1\r\n$5\r\nother\r\n");
  EXPECT_EQ(Line("SET k w XX"), kNil);
  EXPECT_EQ(Line("SET k w NX KEEPTTL"), kOk);
  EXPECT_EQ(Integer({"TTL", "k"}), -1);
}

TEST_F(DataCommandsTest, OverwritingForgetsTheExpiryAndChangingKeepsIt) {
  for (const std::string_view change : {"APPEND k x", "INCR k", "INCRBYFLOAT k 1", "SETRANGE k 0 1", "SETBIT k 0 0",
                                        "BITFIELD k INCRBY u8 0 1", "SET k 5 KEEPTTL", "RENAME k l", "COPY k l"}) {
    EXPECT_EQ(Line("SET k 1 EX 100"), kOk);
    Run({"DEL", "l"});
    Line(change);
    const std::string_view key = change.ends_with(" l") ? "l" : "k";
    EXPECT_EQ(Integer({"TTL", key}), 100) << change;
  }
  for (const std::string_view change : {"SET k 5", "GETSET k 5", "MSET k 5", "BITOP OR k k k", "GETEX k PERSIST"}) {
    EXPECT_EQ(Line("SET k 1 EX 100"), kOk);
    Line(change);
    EXPECT_EQ(Integer({"TTL", "k"}), -1) << change;
  }
}

TEST_F(DataCommandsTest, ReadsCountAsHitsAndMissesAndWritesDoNot) {
  Line("SET k v");
  Line("INCR n");
  const Stats::Totals before = runner_.stats().Read();
  Line("GET k");
  Line("GET missing");
  Line("MGET k missing k");
  Line("EXISTS k missing");
  Line("TTL k");
  Line("SET k w");
  Line("APPEND k x");
  Line("DEL missing");
  const Stats::Totals after = runner_.stats().Read();
  EXPECT_EQ(after.hits - before.hits, 5u);
  EXPECT_EQ(after.misses - before.misses, 3u);
}

TEST_F(DataCommandsTest, LookingAtAKeyIsNoUseOfIt) {
  const auto idle = [this] { return Integer({"OBJECT", "IDLETIME", "k"}); };
  Line("SET k v");
  Line("GET k");
  runner_.AdvanceClock(10'000);
  for (const std::string_view look : {"TTL k", "TYPE k", "EXISTS k", "OBJECT ENCODING k", "PEXPIRETIME k"}) Line(look);
  EXPECT_EQ(idle(), 10);
  runner_.session().no_touch = true;
  Line("GET k");
  EXPECT_EQ(idle(), 10);
  Line("TOUCH k");
  EXPECT_EQ(idle(), 0);
  runner_.session().no_touch = false;
  runner_.AdvanceClock(5'000);
  Line("GET k");
  EXPECT_EQ(idle(), 0);
}

TEST_F(DataCommandsTest, LargeWorkMovesToTheSlowLane) {
  const std::string large(400'000, 'x');
  const int before = runner_.slow_runs();
  EXPECT_EQ(Run({"SET", "k", large}), kOk);
  EXPECT_EQ(runner_.slow_runs(), before + 1);
  EXPECT_EQ(Bulk({"GET", "k"}), large);
  EXPECT_EQ(runner_.slow_runs(), before + 2);
  EXPECT_EQ(Bulk({"GETRANGE", "k", "0", "9"}), "xxxxxxxxxx");
  EXPECT_EQ(Integer({"STRLEN", "k"}), 400'000);
  EXPECT_EQ(Integer({"SETRANGE", "k", "399999", "y"}), 400'000);
}

TEST_F(DataCommandsTest, DatabasesAreFlushedSwappedAndMovedBetween) {
  Line("SET k v");
  Line("SET l w EX 100");
  EXPECT_EQ(Line("MOVE k 1"), ":1\r\n");
  EXPECT_EQ(Line("MOVE k 1"), ":0\r\n");
  EXPECT_EQ(Line("DBSIZE"), ":1\r\n");
  EXPECT_EQ(Line("SWAPDB 0 1"), kOk);
  EXPECT_EQ(Line("GET k"), "$1\r\nv\r\n");
  EXPECT_EQ(Line("COPY k m DB 1"), ":1\r\n");
  runner_.session().db = 1;
  EXPECT_EQ(Line("DBSIZE"), ":2\r\n");
  EXPECT_EQ(Line("TTL l"), ":100\r\n");
  EXPECT_EQ(Line("FLUSHDB ASYNC"), kOk);
  EXPECT_EQ(Line("DBSIZE"), ":0\r\n");
  EXPECT_EQ(Line("RANDOMKEY"), kNil);
  runner_.session().db = 0;
  EXPECT_EQ(Line("RANDOMKEY"), "$1\r\nk\r\n");
  EXPECT_EQ(Line("FLUSHALL SYNC"), kOk);
  EXPECT_EQ(Line("GET k"), kNil);
}

}  // namespace
}  // namespace basalt
