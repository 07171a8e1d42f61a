#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/conn_id.h"
#include "net/reply_builder.h"
#include "server/command_spec.h"
#include "server/outbox.h"
#include "server/status.h"

namespace basalt {

class Session;

// What clients subscribe to. Confirmations count channels and patterns together, shard channels by themselves.
enum class TopicKind : uint8_t { kChannel, kPattern, kShardChannel };
inline constexpr size_t kTopicKinds = 3;

// Who is subscribed to what, and the way of a message to them. One lock for all, so everyone sees the messages of all
// publishers in one order.
//
// A confirmation is a reply, messages come through the queue of the worker, and in this order the client sees them:
//   - Messages pushed before an unsubscribe are in the queue in front of the batch with its confirmation.
//   - Before a subscribe registers, the pushes of its connection are held until the batch has come back: no message
//     overtakes the confirmation. While they are held nothing may unsubscribe (kCmdAfterPushes), or they would come
//     late. (The one exception is a transaction that both subscribes to a channel and unsubscribes from it.)
//
// A message is encoded once per form (RESP version, pattern) and handed to each worker as one event, with the list of
// its subscribers, which is kept until someone comes or goes.
//
// Any thread. The lock is held for short stretches: long lists and large messages are worked on outside of it.
class PubSub {
 public:
  using Bytes = std::shared_ptr<const std::string>;
  using Conns = std::shared_ptr<const std::vector<net::ConnId>>;
  // Where bytes go: net::Transport.
  struct Sink {
    std::function<void(Conns, Bytes)> push_to_many;
    std::function<void(net::ConnId)> hold_pushes;
  };

  void SetSink(Sink sink);  // set-up only

  // Why a connection that has subscriptions may not run the command, if so: RESP2 cannot tell messages from replies.
  static Status CheckMayRun(const Session& session, const CommandSpec& spec);

  // ---- For the holder of the Session; its ClientInfo shows the new counts afterwards ----
  // Subscribes to each name, and confirms each.
  void Subscribe(Session& session, TopicKind kind, std::span<const std::string_view> names, net::ReplyBuilder& reply);
  void Unsubscribe(Session& session, TopicKind kind, std::span<const std::string_view> names, net::ReplyBuilder& reply);
  // From everything of the kind, in no order.
  void UnsubscribeAll(Session& session, TopicKind kind, net::ReplyBuilder& reply);
  // Messages take the form of session.resp from now on: behind HELLO's reply.
  void OnRespVersion(Session& session);
  // Ends all subscriptions without a word: RESET.
  void Forget(Session& session);

  // The same for a client that is gone, or as good as gone; harmless when it has none.
  void Drop(net::ConnId conn);

  // ---- Messages ----
  // Sends at once. Returns how many times it was received: a client counts once for its channel and once for each
  // pattern that matches. The publisher must not be a subscriber: what concerns itself has to wait for its reply.
  int64_t Publish(TopicKind kind, std::string_view channel, std::string_view message);
  // How many would receive it.
  int64_t Receivers(TopicKind kind, std::string_view channel);
  void Deliver(const Outbox::Entry& entry, const Outbox::TellAuthor& tell_author);

  // ---- For PUBSUB and INFO ----
  // Channels or patterns that someone is subscribed to.
  size_t topics(TopicKind kind) const { return counts_[Index(kind)].load(std::memory_order_relaxed); }
  // Their names, in no order. One that is there throughout is named once.
  std::vector<std::string> Names(TopicKind kind, std::optional<std::string_view> pattern) const;
  size_t Subscribers(TopicKind kind, std::string_view name) const;
  // What one connection is subscribed to, for ACL rules that change.
  struct Subscription {
    TopicKind kind;
    std::string name;
  };
  std::vector<Subscription> SubscriptionsOf(net::ConnId conn) const;

 private:
  struct Topic;
  // One connection with at least one subscription.
  struct Subscriber {
    net::ConnId conn;
    net::RespVersion resp;
    std::array<std::unordered_map<Topic*, size_t>, kTopicKinds> topics;  // and its place in Topic::subscribers
    size_t topic_bytes = 0;

    bool empty() const;
    uint32_t ConfirmedCount(TopicKind kind) const;
  };
  // A channel or pattern with at least one subscriber.
  struct Topic {
    // Subscribers that get the same bytes by the same event.
    struct Group {
      uint32_t worker;
      net::RespVersion resp;
      Conns conns;
    };
    TopicKind kind;
    const std::string* name;  // the key in Topics
    std::vector<Subscriber*> subscribers;
    std::vector<Group> groups;  // of all subscribers; empty: to be made for the next message
  };
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  struct ConnHash {
    size_t operator()(const net::ConnId& conn) const {
      return (conn.generation << 8 | conn.worker) * 0x9e3779b97f4a7c15u;
    }
  };
  using Topics = std::unordered_map<std::string, Topic, NameHash, std::equal_to<>>;
  struct Message {
    TopicKind kind;
    std::string_view channel, text;
  };
  class Forms;

  static constexpr size_t Index(TopicKind kind) { return static_cast<size_t>(kind); }
  bool NobodyListens(TopicKind kind) const;
  void HoldPushes(Session& session);
  int64_t Send(const Message& message, net::ConnId author, const Outbox::TellAuthor* tell_author);
  void SendKeyEvent(const Outbox::Entry& entry, const Outbox::TellAuthor& tell_author);

  // ---- Under mu_ ----
  Subscriber* Find(const net::ConnId& conn) const;
  void Add(Subscriber& subscriber, TopicKind kind, std::string_view name);
  void Remove(Subscriber& subscriber, Topic& topic);
  void EraseIfEmpty(Subscriber* subscriber);
  void ShowCounts(const Session& session) const;
  static const std::vector<Topic::Group>& GroupsOf(Topic& topic);
  template <typename Visit>
  void VisitReceiving(TopicKind kind, std::string_view channel, Visit visit);

  Sink sink_;                                     // constant after set-up
  std::atomic<size_t> counts_[kTopicKinds] = {};  // sizes of topics_; written under mu_

  mutable std::mutex mu_;
  // Guarded by mu_.
  std::array<Topics, kTopicKinds> topics_;
  std::unordered_map<net::ConnId, std::unique_ptr<Subscriber>, ConnHash> subscribers_;
};

}  // namespace basalt
