#include "server/client_tracking.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "server/client_registry.h"
#include "server/command_spec.h"
#include "server/session.h"
#include "tests/server/command_fixture.h"

namespace basalt {
namespace {

constexpr CommandSpec kGet = {
    .name = "get", .arity = 2, .flags = kCmdReadonly, .keys = {KeySpec::One(kKeyRO | kKeyAccess)}};
constexpr CommandSpec kSet = {
    .name = "set", .arity = 3, .flags = kCmdWrite, .keys = {KeySpec::One(kKeyOW | kKeyInsert)}};

std::string Invalidation(std::string_view key) {
  return ">2\r\n$10\r\ninvalidate\r\n*1\r\n$" + std::to_string(key.size()) + "\r\n" + std::string(key) + "\r\n";
}

class ClientTrackingTest : public testing::Test {
 protected:
  ClientTrackingTest() {
    tracking_.SetSink([this](std::span<const net::ConnId> conns, std::shared_ptr<const std::string> message) {
      for (const net::ConnId conn : conns) sent_[conn.slot].push_back(message);
    });
  }
  ~ClientTrackingTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Session> Connect() {
    const uint64_t id = clients_.NextId();
    net::ConnInfo conn;
    conn.id = {.worker = 0, .slot = static_cast<uint32_t>(id), .generation = id};
    auto session = std::make_unique<Session>(conn, id);
    session->resp = net::RespVersion::kResp3;
    session->Publish();
    clients_.Add(session->info);
    return session;
  }
  std::unique_ptr<Session> Connect(const TrackingOptions& options) {
    auto session = Connect();
    EXPECT_TRUE(tracking_.Enable(*session, options, true));
    return session;
  }
  void Read(Session& session, std::string_view key, const CommandSpec& spec = kGet) {
    tracking_.BeforeCommand(runner_.storage(), session, spec, std::vector<std::string_view>{spec.name, key}, nullptr);
  }
  void Change(std::string_view key, net::ConnId author = {}) {
    const Outbox::Entry entry{.kind = Outbox::Kind::kInvalidate, .author = author, .first = key};
    tracking_.Deliver(runner_.storage(), entry);
    if (tracking_.broadcasts()) tracking_.Broadcast({&entry, 1});
  }
  void Expire(std::string_view key) {
    const storage::Change change{.db = 0, .kind = storage::ChangeKind::kExpired, .key = runner_.storage().Hash(key)};
    tracking_.OnCommitted({&change, 1});
  }
  // What was sent since the last call.
  std::vector<std::string> Sent(const Session& session) {
    std::vector<std::string> messages;
    for (const auto& message : std::exchange(sent_[session.conn.id.slot], {})) messages.push_back(*message);
    return messages;
  }
  using Messages = std::vector<std::string>;

  const std::string folder_ = testing::TempDir() + "client_tracking." + std::to_string(getpid());
  const bool made_ = std::filesystem::create_directories(folder_);
  CommandRunner runner_{folder_};
  ClientRegistry clients_;
  ClientTracking tracking_{clients_};
  std::map<uint32_t, std::vector<std::shared_ptr<const std::string>>> sent_;
};

TEST_F(ClientTrackingTest, AKeyThatWasReadIsToldOnce) {
  EXPECT_FALSE(tracking_.active());
  auto a = Connect({}), b = Connect({});
  EXPECT_TRUE(tracking_.active());
  Read(*a, "k");
  Read(*a, "k");
  Read(*b, "written", kSet);
  EXPECT_EQ(tracking_.GetCounts().items, 1u);
  Change("other");
  Change("written");
  Change("k");
  Change("k");
  EXPECT_EQ(Sent(*a), Messages{Invalidation("k")});
  EXPECT_EQ(Sent(*b), Messages{});
  EXPECT_EQ(tracking_.GetCounts().keys, 0u);
  tracking_.Disable(*a);
  tracking_.Disable(*a);
  Read(*b, "left behind");
  tracking_.Disable(*b);
  EXPECT_FALSE(tracking_.active());
  EXPECT_EQ(tracking_.GetCounts().items, 0u);
}

TEST_F(ClientTrackingTest, TheFirstClientWaitsForTheGate) {
  auto a = Connect(), b = Connect();
  EXPECT_FALSE(tracking_.Enable(*a, {}, false));
  EXPECT_FALSE(tracking_.active());
  EXPECT_EQ(a->tracking, 0);
  EXPECT_TRUE(tracking_.Enable(*a, {}, true));
  EXPECT_TRUE(tracking_.Enable(*b, {}, false));
  tracking_.Disable(*a);
  tracking_.Disable(*b);
  EXPECT_FALSE(tracking_.Enable(*b, {}, false));
}

TEST_F(ClientTrackingTest, AThousandReadersShareOneMessage) {
  std::vector<std::unique_ptr<Session>> readers;
  for (int i = 0; i < 1000; ++i) Read(*readers.emplace_back(Connect({})), "k");
  EXPECT_EQ(tracking_.GetCounts().keys, 1u);
  EXPECT_EQ(tracking_.GetCounts().items, 1000u);
  Change("k");
  std::set<const std::string*> messages;
  for (const auto& reader : readers) {
    ASSERT_EQ(sent_[reader->conn.id.slot].size(), 1u);
    messages.insert(sent_[reader->conn.id.slot][0].get());
  }
  EXPECT_EQ(messages.size(), 1u);
}

TEST_F(ClientTrackingTest, WhoHasLeftOrChangedItsModeIsNotTold) {
  auto left = Connect({}), broadcast = Connect({}), again = Connect({});
  for (Session* each : {left.get(), broadcast.get(), again.get()}) Read(*each, "k");
  tracking_.Disable(*left);
  tracking_.Disable(*broadcast);
  EXPECT_TRUE(tracking_.Enable(*broadcast, {.mode = kTracking | kTrackingBroadcast, .prefixes = {"other"}}, false));
  EXPECT_TRUE(tracking_.Enable(*again, {.mode = kTracking | kTrackingNoLoop}, false));
  Change("k");
  EXPECT_EQ(Sent(*left), Messages{});
  EXPECT_EQ(Sent(*broadcast), Messages{});
  EXPECT_EQ(Sent(*again), Messages{Invalidation("k")});
  tracking_.Disable(*broadcast);
  EXPECT_EQ(tracking_.GetCounts().prefixes, 0u);
}

TEST_F(ClientTrackingTest, PrefixesOfAllLengthsAreFound) {
  auto all = Connect({.mode = kTracking | kTrackingBroadcast});
  auto some = Connect({.mode = kTracking | kTrackingBroadcast | kTrackingNoLoop, .prefixes = {"user:", "a"}});
  EXPECT_EQ(tracking_.Prefixes(*some), (std::vector<std::string>{"a", "user:"}));
  EXPECT_EQ(tracking_.GetCounts().prefixes, 3u);
  Change("user:1");
  Change("user");
  Change("a", some->conn.id);
  Expire("a2");
  EXPECT_EQ(Sent(*all),
            (Messages{Invalidation("user:1"), Invalidation("user"), Invalidation("a"), Invalidation("a2")}));
  EXPECT_EQ(Sent(*some), (Messages{Invalidation("user:1"), Invalidation("a2")}));
}

TEST_F(ClientTrackingTest, OneCommitIsOneMessagePerPrefixWithoutWhatNoLoopChangedItself) {
  auto all = Connect({.mode = kTracking | kTrackingBroadcast});
  auto own = Connect({.mode = kTracking | kTrackingBroadcast | kTrackingNoLoop});
  const auto changed = [](std::string_view key, net::ConnId author) {
    return Outbox::Entry{.kind = Outbox::Kind::kInvalidate, .author = author, .first = key};
  };
  const net::ConnId me = own->conn.id, other = all->conn.id;
  tracking_.Broadcast(std::vector<Outbox::Entry>{changed("b", me), changed("a", other), changed("b", other),
                                                 changed("c", other), changed("c", me)});
  EXPECT_EQ(Sent(*all), Messages{">2\r\n$10\r\ninvalidate\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"});
  EXPECT_EQ(Sent(*own), Messages{">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"})
      << "who changed it last counts";
  tracking_.Broadcast(std::vector<Outbox::Entry>{changed("c", me)});
  EXPECT_EQ(Sent(*own), Messages{});
}

TEST_F(ClientTrackingTest, MessagesGoWhereTheyWereRedirected) {
  auto sink = Connect();
  auto reader = Connect({.mode = kTracking, .redirect = sink->id});
  const auto change = [&] {
    Read(*reader, "k");
    Change("k");
  };
  change();
  EXPECT_EQ(Sent(*sink), Messages{Invalidation("k")});
  sink->info->resp = 2;
  change();
  EXPECT_EQ(Sent(*sink), Messages{}) << "RESP2 has no push";
  sink->info->subscriptions = 1;
  change();
  EXPECT_EQ(Sent(*sink), Messages{"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n"});
  tracking_.Deliver(runner_.storage(), {.kind = Outbox::Kind::kInvalidateAll});
  EXPECT_EQ(Sent(*sink), Messages{"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n_\r\n"})
      << "the reader's null";
  EXPECT_EQ(Sent(*reader), Messages{});
  clients_.Remove(sink->id);
  change();
  EXPECT_EQ(Sent(*reader), Messages{">2\r\n$21\r\ntracking-redir-broken\r\n:" + std::to_string(sink->id) + "\r\n"});
  EXPECT_NE(reader->info->tracking & kTrackingRedirectBroken, 0);
}

TEST_F(ClientTrackingTest, WhatTheTableCannotHoldIsToldAsChanged) {
  auto reader = Connect({});
  tracking_.SetMaxKeys(100);
  for (int i = 0; i < 1000; ++i) Read(*reader, "k" + std::to_string(i));
  EXPECT_EQ(tracking_.GetCounts().keys, 100u);
  EXPECT_EQ(Sent(*reader).size(), 900u);
  tracking_.SetMaxKeys(10);
  EXPECT_EQ(Sent(*reader).size(), 90u);
  tracking_.SetMaxKeys(0);
  for (int i = 0; i < 1000; ++i) Read(*reader, "k" + std::to_string(i));
  EXPECT_GE(tracking_.GetCounts().keys, 1000u);
  EXPECT_EQ(Sent(*reader), Messages{});
}

TEST_F(ClientTrackingTest, NothingIsSureAfterAFailureOfTheDisk) {
  auto reader = Connect({});
  Read(*reader, "k");
  tracking_.Tick(true);
  tracking_.OnCommitFailed();
  tracking_.Tick(false);
  EXPECT_EQ(Sent(*reader), Messages{});
  tracking_.Tick(true);
  tracking_.Tick(true);
  EXPECT_EQ(Sent(*reader), Messages{">2\r\n$10\r\ninvalidate\r\n_\r\n"});
}

TEST_F(ClientTrackingTest, AClearedTableIsFreedInParts) {
  auto reader = Connect({});
  for (int i = 0; i < 1000; ++i) Read(*reader, "k" + std::to_string(i));
  tracking_.Deliver(runner_.storage(), {.kind = Outbox::Kind::kInvalidateAll});
  EXPECT_EQ(tracking_.GetCounts().keys, 0u);
  EXPECT_EQ(tracking_.GetCounts().items, 0u);
  for (int i = 0; i < 300; ++i) tracking_.Tick(true);
  Change("k1");
  EXPECT_EQ(Sent(*reader), Messages{">2\r\n$10\r\ninvalidate\r\n_\r\n"});
}

// Clients that read, cache, write and expire keys at random, with every step between the parts of a command: a reader's
// registration, its look and its reply; a writer's commit and its message. A message waits for the reply of a batch
// that is out, as in the connection. When all is said, no cache holds what is not the server's.
class CachingModel : public ClientTrackingTest {
 protected:
  static constexpr int kKeys = 6;

  struct Caching {
    std::unique_ptr<Session> session;
    std::map<std::string, int> cache;
    std::vector<std::shared_ptr<const std::string>> waiting;  // for the reply
    // The command under way.
    bool out = false, looked = false;
    std::string key;
    int seen = 0;
  };
  struct Writing {
    std::string key;
    bool visible = false;
    net::ConnId author;
  };

  explicit CachingModel() {
    tracking_.SetSink([this](std::span<const net::ConnId> conns, std::shared_ptr<const std::string> message) {
      for (const net::ConnId conn : conns)
        Push(*std::find_if(readers_.begin(), readers_.end(),
                           [&](const auto& each) { return each.session->conn.id == conn; }),
             message);
    });
  }

  size_t Below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  std::string AnyKey() { return "k" + std::to_string(Below(kKeys)); }

  void Push(Caching& reader, const std::shared_ptr<const std::string>& message) {
    reader.out ? reader.waiting.push_back(message) : Receive(reader, *message);
  }
  static void Receive(Caching& reader, const std::string& message) {
    if (message.ends_with("_\r\n")) return reader.cache.clear();
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = "k" + std::to_string(i);
      if (message.find("\r\n" + key + "\r\n") != std::string::npos) reader.cache.erase(key);
    }
  }
  void StepReader(Caching& reader) {
    const bool tracks = reader.session->tracking != 0;
    if (!reader.out) {
      if (Below(30) == 0) return Toggle(reader);
      reader.key = AnyKey();
      reader.out = true;
      reader.looked = false;
      if (tracks) Read(*reader.session, reader.key);
    } else if (!reader.looked) {
      reader.seen = values_[reader.key];
      reader.looked = true;
    } else {
      if (tracks) reader.cache[reader.key] = reader.seen;
      reader.out = false;
      for (const auto& message : std::exchange(reader.waiting, {})) Receive(reader, *message);
    }
  }
  void Toggle(Caching& reader) {
    if (reader.session->tracking != 0) {
      tracking_.Disable(*reader.session);
    } else {
      EXPECT_TRUE(tracking_.Enable(*reader.session, {.mode = mode_}, true));
    }
    reader.cache.clear();
  }
  // One writer per key at a time: its lock.
  void StepWriter() {
    const size_t at = Below(writing_.size() + 1);
    if (at == writing_.size()) {
      const std::string key = AnyKey();
      for (const Writing& each : writing_) {
        if (each.key == key) return;
      }
      writing_.push_back(
          {.key = key, .author = Below(2) == 0 ? readers_[Below(readers_.size())].session->conn.id : net::ConnId{}});
    } else if (!writing_[at].visible) {
      values_[writing_[at].key] = ++last_;
      writing_[at].visible = true;
    } else {
      Below(4) == 0 ? Expire(writing_[at].key) : Change(writing_[at].key, writing_[at].author);
      writing_.erase(writing_.begin() + static_cast<ptrdiff_t>(at));
    }
  }

  void Run(uint64_t seed) {
    random_.seed(seed);
    mode_ = Below(3) == 0 ? kTracking | kTrackingBroadcast : kTracking;
    tracking_.SetMaxKeys(Below(2) == 0 ? 3 : 0);
    readers_.clear();
    writing_.clear();
    for (int i = 0; i < 4; ++i) readers_.push_back({.session = Connect({.mode = mode_})});
    for (int step = 0; step < 400; ++step) {
      const size_t what = Below(100);
      if (what < 60) {
        StepReader(readers_[Below(readers_.size())]);
      } else if (what < 99) {
        StepWriter();
      } else if (writing_.empty()) {
        for (auto& [key, value] : values_) value = ++last_;
        tracking_.Deliver(runner_.storage(), {.kind = Outbox::Kind::kInvalidateAll});
      }
    }
    while (!writing_.empty()) StepWriter();
    for (Caching& reader : readers_) {
      while (reader.out) StepReader(reader);
      for (const auto& [key, value] : reader.cache) ASSERT_EQ(value, values_[key]) << key << ", seed " << seed;
      cached_ += reader.cache.size();
      tracking_.Disable(*reader.session);
    }
  }

  std::mt19937_64 random_;
  uint8_t mode_ = kTracking;
  std::vector<Caching> readers_;
  std::vector<Writing> writing_;
  std::map<std::string, int> values_;
  int last_ = 0;
  size_t cached_ = 0;
};

TEST_F(CachingModel, NoCacheKeepsWhatIsNotTheServersAnyMore) {
  const char* given = std::getenv("BASALT_SEED");
  for (uint64_t seed = 0; seed < 2000 && !HasFatalFailure(); ++seed) Run(given != nullptr ? std::stoull(given) : seed);
  EXPECT_GT(cached_, 2000u) << "the model caches next to nothing";
}

// For the thread sanitizer: readers, writers, broadcasts, comings and goings at once.
TEST_F(ClientTrackingTest, ManyThreadsAtOnce) {
  std::atomic<uint64_t> messages{0};
  tracking_.SetSink(
      [&](std::span<const net::ConnId> conns, const std::shared_ptr<const std::string>&) { messages += conns.size(); });
  tracking_.SetMaxKeys(50);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      auto session = Connect();
      for (int i = 0; i < 5000; ++i) {
        const std::string key = "k" + std::to_string(random() % 100);
        switch (random() % 8) {
          case 0:
            tracking_.Disable(*session);
            EXPECT_TRUE(tracking_.Enable(
                *session, {.mode = t == 0 ? uint8_t{kTracking | kTrackingBroadcast} : uint8_t{kTracking}}, true));
            break;
          case 1:
            tracking_.Tick(true);
            break;
          case 2:
            if (i % 100 == 0) tracking_.Deliver(runner_.storage(), {.kind = Outbox::Kind::kInvalidateAll});
            break;
          case 3:
          case 4:
            Change(key);
            break;
          default:
            if (session->tracking != 0) Read(*session, key);
        }
      }
      tracking_.Disable(*session);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(messages, 0u);
  EXPECT_FALSE(tracking_.active());
  EXPECT_EQ(tracking_.GetCounts().prefixes, 0u);
}

}  // namespace
}  // namespace basalt
