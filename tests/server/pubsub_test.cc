#include "server/pubsub.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "net/output_buffer.h"
#include "server/argument_parsing.h"
#include "server/client_registry.h"
#include "server/session.h"

namespace basalt {
namespace {

using Kind = TopicKind;

// Clients without sockets: what would be pushed is kept per connection, in order.
class PubSubTest : public ::testing::Test {
 protected:
  PubSubTest() {
    pubsub_.SetSink({.push_to_many =
                         [this](PubSub::Conns conns, PubSub::Bytes bytes) {
                           ++events_;
                           distinct_.insert(bytes);
                           for (const net::ConnId& conn : *conns) {
                             EXPECT_EQ(conn.worker, conns->front().worker);
                             received_[conn].push_back(*bytes);
                           }
                         },
                     .hold_pushes = [this](net::ConnId conn) { received_[conn].push_back("hold"); }});
  }

  std::unique_ptr<Session> Client(uint32_t worker = 0, net::RespVersion resp = net::RespVersion::kResp2) {
    net::ConnInfo conn;
    conn.id = {.worker = worker, .slot = ++slot_, .generation = slot_};
    auto session = std::make_unique<Session>(conn, slot_);
    session->resp = resp;
    return session;
  }
  std::string Subscribe(Session& session, Kind kind, std::vector<std::string_view> names) {
    net::OutputBuffer out;
    net::ReplyBuilder reply(&out, session.resp);
    pubsub_.Subscribe(session, kind, names, reply);
    return out.ToString();
  }
  std::string Unsubscribe(Session& session, Kind kind, std::vector<std::string_view> names) {
    net::OutputBuffer out;
    net::ReplyBuilder reply(&out, session.resp);
    if (names.empty()) {
      pubsub_.UnsubscribeAll(session, kind, reply);
    } else {
      pubsub_.Unsubscribe(session, kind, names, reply);
    }
    return out.ToString();
  }
  // What came since the last look, holds left out.
  std::vector<std::string> Take(const Session& session) {
    std::vector<std::string> got = std::exchange(received_[session.conn.id], {});
    std::erase(got, "hold");
    return got;
  }

  PubSub pubsub_;
  uint32_t slot_ = 0;
  std::map<net::ConnId, std::vector<std::string>> received_;
  std::set<PubSub::Bytes> distinct_;
  int events_ = 0;
};

using Messages = std::vector<std::string>;

TEST_F(PubSubTest, AThousandSubscribersShareOneCopy) {
  std::vector<std::unique_ptr<Session>> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(Client(i % 3, i % 2 == 0 ? net::RespVersion::kResp2 : net::RespVersion::kResp3));
    Subscribe(*clients.back(), Kind::kChannel, {"c"});
  }
  EXPECT_EQ(pubsub_.Publish(Kind::kChannel, "c", "hello"), 1000);
  EXPECT_EQ(distinct_.size(), 2u) << "one for each version of RESP";
  EXPECT_EQ(events_, 6) << "one for each worker and version";
  EXPECT_EQ(Take(*clients[0]), Messages{"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"});
  EXPECT_EQ(Take(*clients[1]), Messages{">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"});
  for (size_t i = 2; i < clients.size(); ++i) EXPECT_EQ(Take(*clients[i]).size(), 1u);
}

TEST_F(PubSubTest, PushesAreHeldBeforeTheFirstMessageCanCome) {
  auto client = Client();
  Subscribe(*client, Kind::kChannel, {"c"});
  EXPECT_TRUE(client->pushes_held);
  pubsub_.Publish(Kind::kChannel, "c", "x");
  ASSERT_EQ(received_[client->conn.id].size(), 2u);
  EXPECT_EQ(received_[client->conn.id][0], "hold");
}

TEST_F(PubSubTest, ANewVersionOfRespHoldsPushesAndChangesTheirForm) {
  auto client = Client();
  Subscribe(*client, Kind::kChannel, {"c"});
  pubsub_.Publish(Kind::kChannel, "c", "x");
  client->pushes_held = false;
  client->resp = net::RespVersion::kResp3;
  pubsub_.OnRespVersion(*client);
  EXPECT_TRUE(client->pushes_held);
  pubsub_.Publish(Kind::kChannel, "c", "x");
  const auto& got = received_[client->conn.id];
  ASSERT_EQ(got.size(), 4u);
  EXPECT_EQ(got[1][0], '*');
  EXPECT_EQ(got[2], "hold");
  EXPECT_EQ(got[3][0], '>');
}

TEST_F(PubSubTest, TheAuthorIsToldApart) {
  auto author = Client(0, net::RespVersion::kResp3), other = Client(0, net::RespVersion::kResp3);
  for (Session* client : {author.get(), other.get()}) {
    Subscribe(*client, Kind::kChannel, {"c"});
    Subscribe(*client, Kind::kPattern, {"*"});
  }
  EXPECT_EQ(pubsub_.Receivers(Kind::kChannel, "c"), 4);
  Messages told;
  pubsub_.Deliver({.kind = Outbox::Kind::kMessage,
                   .event_class = {},
                   .db = 0,
                   .author = author->conn.id,
                   .first = "c",
                   .second = "m"},
                  [&](net::ConnId conn, std::string_view resp) {
                    EXPECT_EQ(conn, author->conn.id);
                    told.emplace_back(resp);
                  });
  const Messages want = {">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n",
                         ">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$1\r\nm\r\n"};
  EXPECT_EQ(told, want);
  EXPECT_EQ(Take(*other), want);
  EXPECT_EQ(Take(*author), Messages());
}

TEST_F(PubSubTest, KeyEventsGoWhereTheyAreWanted) {
  auto client = Client();
  Subscribe(*client, Kind::kPattern, {"__key*"});
  const Outbox::TellAuthor nobody = [](net::ConnId, std::string_view) { ADD_FAILURE(); };
  const auto deliver = [&](uint32_t channels) {
    pubsub_.Deliver({.kind = Outbox::Kind::kKeyEvent,
                     .event_class = kEventString | channels,
                     .db = 3,
                     .author = {},
                     .first = "set",
                     .second = "k"},
                    nobody);
    return Take(*client);
  };
  const std::string keyspace = "*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$16\r\n__keyspace@3__:k\r\n$3\r\nset\r\n";
  const std::string keyevent = "*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$18\r\n__keyevent@3__:set\r\n$1\r\nk\r\n";
  EXPECT_EQ(deliver(0), Messages());
  EXPECT_EQ(deliver(kEventKeyspace), Messages{keyspace});
  EXPECT_EQ(deliver(kEventKeyevent), Messages{keyevent});
  EXPECT_EQ(deliver(kEventChannels), (Messages{keyspace, keyevent}));
}

TEST_F(PubSubTest, LargeMessagesHaveAllForms) {
  auto two = Client(), three = Client(0, net::RespVersion::kResp3);
  for (Session* client : {two.get(), three.get()}) {
    Subscribe(*client, Kind::kChannel, {"c"});
    Subscribe(*client, Kind::kPattern, {"c*", "?"});
  }
  const std::string large(100'000, 'x');
  EXPECT_EQ(pubsub_.Publish(Kind::kChannel, "c", large), 6);
  EXPECT_EQ(distinct_.size(), 6u);
  const std::string end = "$1\r\nc\r\n$100000\r\n" + large + "\r\n";
  for (Session* client : {two.get(), three.get()}) {
    Messages got = Take(*client);
    const std::string type(1, client == two.get() ? '*' : '>');
    ASSERT_EQ(got.size(), 3u);
    EXPECT_EQ(got[0], type + "3\r\n$7\r\nmessage\r\n" + end);
    std::sort(got.begin() + 1, got.end());
    EXPECT_EQ(got[1], type + "4\r\n$8\r\npmessage\r\n$1\r\n?\r\n" + end);
    EXPECT_EQ(got[2], type + "4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n" + end);
  }
}

TEST_F(PubSubTest, NothingIsLeftOfAClientThatIsGone) {
  auto stays = Client(), goes = Client();
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back("c" + std::to_string(i));
  const std::vector<std::string_view> views(names.begin(), names.end());
  for (const Kind kind : {Kind::kChannel, Kind::kPattern, Kind::kShardChannel}) Subscribe(*goes, kind, views);
  Subscribe(*stays, Kind::kChannel, {"c7", "own"});
  EXPECT_EQ(goes->info->subscriptions, 500u);
  EXPECT_GT(goes->info->subscription_bytes, 500u * 4);
  pubsub_.Drop(goes->conn.id);
  pubsub_.Drop(goes->conn.id);  // once is enough
  EXPECT_EQ(pubsub_.topics(Kind::kChannel), 2u);
  EXPECT_EQ(pubsub_.topics(Kind::kPattern), 0u);
  EXPECT_EQ(pubsub_.topics(Kind::kShardChannel), 0u);
  EXPECT_EQ(pubsub_.Publish(Kind::kChannel, "c7", "x"), 1);
  EXPECT_EQ(pubsub_.Publish(Kind::kChannel, "c8", "x"), 0);
  EXPECT_EQ(Take(*stays).size(), 1u);
  Unsubscribe(*stays, Kind::kChannel, {});
  EXPECT_EQ(pubsub_.topics(Kind::kChannel), 0u);
  EXPECT_FALSE(stays->info->subscribed());
  EXPECT_EQ(stays->info->subscription_bytes, 0u);
}

TEST_F(PubSubTest, NamesListsAllOfALargeRegistryOnce) {
  auto client = Client();
  std::set<std::string> want;
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = (i % 2 == 0 ? "even:" : "odd:") + std::to_string(i);
    want.insert(name);
    Subscribe(*client, Kind::kChannel, {name});
  }
  const std::vector<std::string> all = pubsub_.Names(Kind::kChannel, std::nullopt);
  EXPECT_EQ(all.size(), want.size());
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()), want);
  EXPECT_EQ(pubsub_.Names(Kind::kChannel, "even:*").size(), 10'000u);
  EXPECT_EQ(pubsub_.Names(Kind::kPattern, std::nullopt).size(), 0u);
}

// Against a model: random calls of many clients, and every message goes exactly to whom it should.
TEST_F(PubSubTest, AgreesWithAModel) {
  std::mt19937_64 random(20260117);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  constexpr Kind kKinds[] = {Kind::kChannel, Kind::kPattern, Kind::kShardChannel};
  const std::string kNames[] = {"a", "b", "ab", "a*", "*b", "?", "[ab]", ""};
  struct Modelled {
    std::unique_ptr<Session> session;
    std::set<std::string> topics[3];
  };
  std::vector<Modelled> clients(12);
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i].session = Client(i % 2, i % 3 == 0 ? net::RespVersion::kResp3 : net::RespVersion::kResp2);
  }
  for (int step = 0; step < 20'000; ++step) {
    Modelled& client = clients[below(clients.size())];
    Session& session = *client.session;
    const size_t kind = below(3);
    const std::string& name = kNames[below(std::size(kNames))];
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        Subscribe(session, kKinds[kind], {name});
        client.topics[kind].insert(name);
        break;
      case 3:
      case 4:
        Unsubscribe(session, kKinds[kind], {name});
        client.topics[kind].erase(name);
        break;
      case 5:
        if (below(4) == 0) {
          Unsubscribe(session, kKinds[kind], {});
          client.topics[kind].clear();
        } else if (below(4) == 0) {
          pubsub_.Forget(session);
          for (auto& topics : client.topics) topics.clear();
        }
        break;
      case 6:
        session.resp = session.resp == net::RespVersion::kResp2 ? net::RespVersion::kResp3 : net::RespVersion::kResp2;
        pubsub_.OnRespVersion(session);
        break;
      default: {
        const bool shard = below(3) == 0;
        int64_t receivers = 0;
        std::vector<size_t> want;
        for (Modelled& each : clients) {
          Take(*each.session);
          size_t n = each.topics[shard ? 2 : 0].count(name);
          for (const std::string& pattern : each.topics[1]) n += !shard && GlobMatch(pattern, name);
          want.push_back(n);
          receivers += static_cast<int64_t>(n);
        }
        const Kind to = shard ? Kind::kShardChannel : Kind::kChannel;
        ASSERT_EQ(pubsub_.Receivers(to, name), receivers);
        ASSERT_EQ(pubsub_.Publish(to, name, "m"), receivers);
        for (size_t i = 0; i < clients.size(); ++i) {
          const Messages got = Take(*clients[i].session);
          ASSERT_EQ(got.size(), want[i]) << "step " << step;
          const char type = clients[i].session->resp == net::RespVersion::kResp3 ? '>' : '*';
          for (const std::string& bytes : got) ASSERT_EQ(bytes[0], type);
        }
      }
    }
    ASSERT_EQ(session.info->subscriptions, client.topics[0].size());
    ASSERT_EQ(session.info->pattern_subscriptions, client.topics[1].size());
    ASSERT_EQ(session.info->shard_subscriptions, client.topics[2].size());
    if (step % 100 == 0) {
      for (size_t k = 0; k < 3; ++k) {
        std::set<std::string> all;
        for (const Modelled& each : clients) all.insert(each.topics[k].begin(), each.topics[k].end());
        ASSERT_EQ(pubsub_.topics(kKinds[k]), all.size());
      }
    }
  }
}

// For TSan: publishers, comers and goers, killers and lookers at once.
TEST(PubSubStress, ManyThreads) {
  PubSub pubsub;
  std::atomic<uint64_t> pushed{0};
  pubsub.SetSink(
      {.push_to_many = [&](PubSub::Conns conns, PubSub::Bytes bytes) { pushed += conns->size() * (bytes->size() > 0); },
       .hold_pushes = [](net::ConnId) {}});
  constexpr int kRounds = 2000;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        net::ConnInfo conn;
        conn.id = {.worker = t, .slot = static_cast<uint32_t>(i % 8), .generation = static_cast<uint64_t>(i) + 1};
        Session session(conn, 1);
        net::OutputBuffer out;
        net::ReplyBuilder reply(&out, session.resp);
        const std::string_view names[] = {"a", "b", "c"};
        pubsub.Subscribe(session, Kind::kChannel, names, reply);
        pubsub.Subscribe(session, Kind::kPattern, std::span(names).first(1), reply);
        session.resp = net::RespVersion::kResp3;
        pubsub.OnRespVersion(session);
        if (i % 2 == 0) pubsub.Unsubscribe(session, Kind::kChannel, std::span(names).first(2), reply);
        pubsub.Drop(conn.id);
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < kRounds; ++i) {
      pubsub.Publish(Kind::kChannel, i % 2 == 0 ? "a" : "c", i % 64 == 0 ? std::string(20'000, 'x') : "m");
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; i < kRounds; ++i) {
      pubsub.Drop({.worker = 1, .slot = static_cast<uint32_t>(i % 8), .generation = static_cast<uint64_t>(i) + 1});
      EXPECT_LE(pubsub.Names(Kind::kChannel, "*").size(), 3u);
      EXPECT_LE(pubsub.Subscribers(Kind::kChannel, "b"), 3u);
    }
  });
  for (std::thread& thread : threads) thread.join();
  for (const Kind kind : {Kind::kChannel, Kind::kPattern, Kind::kShardChannel}) EXPECT_EQ(pubsub.topics(kind), 0u);
}

}  // namespace
}  // namespace basalt
