#include "server/pubsub.h"

#include <algorithm>
#include <map>
#include <utility>

#include "server/argument_parsing.h"
#include "server/client_registry.h"
#include "server/key_events.h"
#include "server/session.h"

namespace basalt {

namespace {

// How many names are worked on before the lock is given up for a moment.
constexpr size_t kNamesPerLock = 64;
constexpr size_t kBucketsPerLock = 1024;
// Messages from here on are encoded outside of the lock. (A copy of so much takes about as long as a system call.)
constexpr size_t kLargeMessageBytes = 16 * 1024;
// What CLIENT LIST tot-mem counts for a subscription besides its name: a hash node and a place in the topic's list.
constexpr size_t kSubscriptionBytes = 48;

void AppendBulk(std::string_view bytes, std::string* out) {
  *out += '$';
  *out += std::to_string(bytes.size());
  *out += "\r\n";
  *out += bytes;
  *out += "\r\n";
}

// A push of `items` items; in RESP2 an array.
void AppendHeader(net::RespVersion version, char items, std::string* out) {
  *out += version == net::RespVersion::kResp3 ? '>' : '*';
  *out += items;
  *out += "\r\n";
}

// What a confirmation says first.
constexpr std::string_view kSubscribed[kTopicKinds] = {"subscribe", "psubscribe", "ssubscribe"};
constexpr std::string_view kUnsubscribed[kTopicKinds] = {"unsubscribe", "punsubscribe", "sunsubscribe"};

}  // namespace

// The bytes of one message in each form that somebody gets. Each is made once.
class PubSub::Forms {
 public:
  explicit Forms(const Message& message) : message_(message) {}

  // `pattern`: through which it is received; null: through the channel itself.
  const Bytes& Get(const std::string* pattern, net::RespVersion version) {
    Bytes& bytes = (pattern == nullptr ? plain_ : by_pattern_[*pattern])[version == net::RespVersion::kResp3];
    if (bytes == nullptr) bytes = Encode(pattern, version);
    return bytes;
  }

 private:
  Bytes Encode(const std::string* pattern, net::RespVersion version) const {
    auto bytes = std::make_shared<std::string>();
    bytes->reserve(96 + message_.channel.size() + message_.text.size() + (pattern != nullptr ? pattern->size() : 0));
    if (pattern != nullptr) {
      AppendHeader(version, '4', bytes.get());
      AppendBulk("pmessage", bytes.get());
      AppendBulk(*pattern, bytes.get());
    } else {
      AppendHeader(version, '3', bytes.get());
      AppendBulk(message_.kind == TopicKind::kShardChannel ? "smessage" : "message", bytes.get());
    }
    AppendBulk(message_.channel, bytes.get());
    AppendBulk(message_.text, bytes.get());
    return bytes;
  }

  const Message& message_;
  std::array<Bytes, 2> plain_;  // RESP2, RESP3
  std::map<std::string, std::array<Bytes, 2>> by_pattern_;
};

// ---- Subscriptions ----

bool PubSub::Subscriber::empty() const {
  return std::all_of(topics.begin(), topics.end(), [](const auto& of_kind) { return of_kind.empty(); });
}

uint32_t PubSub::Subscriber::ConfirmedCount(TopicKind kind) const {
  if (kind == TopicKind::kShardChannel) return static_cast<uint32_t>(topics[Index(kind)].size());
  return static_cast<uint32_t>(topics[Index(TopicKind::kChannel)].size() + topics[Index(TopicKind::kPattern)].size());
}

Status PubSub::CheckMayRun(const Session& session, const CommandSpec& spec) {
  if (session.resp != net::RespVersion::kResp2 || !session.info->subscribed() || spec.Has(kCmdForSubscribers)) {
    return Ok();
  }
  return Status::Message("ERR Can't execute '" + std::string(spec.name) +
                         "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
}

void PubSub::SetSink(Sink sink) { sink_ = std::move(sink); }

PubSub::Subscriber* PubSub::Find(const net::ConnId& conn) const {
  const auto it = subscribers_.find(conn);
  return it != subscribers_.end() ? it->second.get() : nullptr;
}

void PubSub::Add(Subscriber& subscriber, TopicKind kind, std::string_view name) {
  Topics& topics = topics_[Index(kind)];
  auto it = topics.find(name);
  if (it == topics.end()) {
    it = topics.emplace(std::string(name), Topic()).first;
    it->second.kind = kind;
    it->second.name = &it->first;
    counts_[Index(kind)].store(topics.size(), std::memory_order_relaxed);
  }
  Topic& topic = it->second;
  if (!subscriber.topics[Index(kind)].try_emplace(&topic, topic.subscribers.size()).second) return;
  topic.subscribers.push_back(&subscriber);
  topic.groups.clear();
  subscriber.topic_bytes += kSubscriptionBytes + name.size();
}

// The last one takes the place that becomes free.
void PubSub::Remove(Subscriber& subscriber, Topic& topic) {
  const size_t kind = Index(topic.kind);
  const auto mine = subscriber.topics[kind].find(&topic);
  const size_t place = mine->second;
  Subscriber* const last = topic.subscribers.back();
  last->topics[kind].find(&topic)->second = place;
  topic.subscribers[place] = last;
  topic.subscribers.pop_back();
  topic.groups.clear();
  subscriber.topics[kind].erase(mine);
  subscriber.topic_bytes -= kSubscriptionBytes + topic.name->size();
  if (!topic.subscribers.empty()) return;
  topics_[kind].erase(topics_[kind].find(*topic.name));
  counts_[kind].store(topics_[kind].size(), std::memory_order_relaxed);
}

void PubSub::EraseIfEmpty(Subscriber* subscriber) {
  if (subscriber != nullptr && subscriber->empty()) subscribers_.erase(subscriber->conn);
}

void PubSub::ShowCounts(const Session& session) const {
  const Subscriber* subscriber = Find(session.conn.id);
  const auto count = [subscriber](TopicKind kind) {
    return subscriber != nullptr ? static_cast<uint32_t>(subscriber->topics[Index(kind)].size()) : 0;
  };
  session.info->ShowSubscriptions(count(TopicKind::kChannel), count(TopicKind::kPattern),
                                  count(TopicKind::kShardChannel), subscriber != nullptr ? subscriber->topic_bytes : 0);
}

void PubSub::HoldPushes(Session& session) {
  if (!std::exchange(session.pushes_held, true) && sink_.hold_pushes) sink_.hold_pushes(session.conn.id);
}

void PubSub::Subscribe(Session& session, TopicKind kind, std::span<const std::string_view> names,
                       net::ReplyBuilder& reply) {
  HoldPushes(session);
  while (!names.empty()) {
    const std::lock_guard lock(mu_);
    std::unique_ptr<Subscriber>& subscriber = subscribers_[session.conn.id];
    if (subscriber == nullptr) {
      subscriber = std::make_unique<Subscriber>();
      subscriber->conn = session.conn.id;
      subscriber->resp = session.resp;
    }
    for (const std::string_view name : names.first(std::min(names.size(), kNamesPerLock))) {
      Add(*subscriber, kind, name);
      reply.Push(3);
      reply.Bulk(kSubscribed[Index(kind)]);
      reply.Bulk(name);
      reply.Integer(subscriber->ConfirmedCount(kind));
    }
    ShowCounts(session);
    names = names.subspan(std::min(names.size(), kNamesPerLock));
  }
}

void PubSub::Unsubscribe(Session& session, TopicKind kind, std::span<const std::string_view> names,
                         net::ReplyBuilder& reply) {
  while (!names.empty()) {
    const std::lock_guard lock(mu_);
    Subscriber* const subscriber = Find(session.conn.id);
    for (const std::string_view name : names.first(std::min(names.size(), kNamesPerLock))) {
      const auto it = topics_[Index(kind)].find(name);
      const bool found = subscriber != nullptr && it != topics_[Index(kind)].end() &&
                         subscriber->topics[Index(kind)].contains(&it->second);
      if (found) Remove(*subscriber, it->second);
      reply.Push(3);
      reply.Bulk(kUnsubscribed[Index(kind)]);
      reply.Bulk(name);
      reply.Integer(subscriber != nullptr ? subscriber->ConfirmedCount(kind) : 0);
    }
    EraseIfEmpty(subscriber);
    ShowCounts(session);
    names = names.subspan(std::min(names.size(), kNamesPerLock));
  }
}

void PubSub::UnsubscribeAll(Session& session, TopicKind kind, net::ReplyBuilder& reply) {
  bool any = false;
  for (bool more = true; more;) {
    const std::lock_guard lock(mu_);
    Subscriber* const subscriber = Find(session.conn.id);
    for (size_t left = kNamesPerLock; left > 0 && subscriber != nullptr; --left) {
      const auto& mine = subscriber->topics[Index(kind)];
      if (mine.empty()) break;
      Topic& topic = *mine.begin()->first;
      reply.Push(3);
      reply.Bulk(kUnsubscribed[Index(kind)]);
      reply.Bulk(*topic.name);
      Remove(*subscriber, topic);
      reply.Integer(subscriber->ConfirmedCount(kind));
      any = true;
    }
    more = subscriber != nullptr && !subscriber->topics[Index(kind)].empty();
    if (!any) {  // there is a confirmation nevertheless
      reply.Push(3);
      reply.Bulk(kUnsubscribed[Index(kind)]);
      reply.Null();
      reply.Integer(subscriber != nullptr ? subscriber->ConfirmedCount(kind) : 0);
    }
    EraseIfEmpty(subscriber);
    ShowCounts(session);
  }
}

void PubSub::OnRespVersion(Session& session) {
  if (!session.info->subscribed()) return;
  const std::lock_guard lock(mu_);
  Subscriber* const subscriber = Find(session.conn.id);
  if (subscriber == nullptr || subscriber->resp == session.resp) return;
  HoldPushes(session);  // under the lock: none in the old form is among them
  subscriber->resp = session.resp;
  for (const auto& of_kind : subscriber->topics) {
    for (const auto& [topic, place] : of_kind) topic->groups.clear();
  }
}

void PubSub::Forget(Session& session) {
  if (!session.info->subscribed()) return;
  Drop(session.conn.id);
  session.info->ShowSubscriptions(0, 0, 0, 0);
}

void PubSub::Drop(net::ConnId conn) {
  while (true) {
    const std::lock_guard lock(mu_);
    Subscriber* const subscriber = Find(conn);
    if (subscriber == nullptr) return;
    size_t left = kNamesPerLock;
    for (auto& mine : subscriber->topics) {
      for (; left > 0 && !mine.empty(); --left) Remove(*subscriber, *mine.begin()->first);
    }
    EraseIfEmpty(subscriber);
  }
}

// ---- Messages ----

bool PubSub::NobodyListens(TopicKind kind) const {
  return topics(kind) == 0 && (kind == TopicKind::kShardChannel || topics(TopicKind::kPattern) == 0);
}

const std::vector<PubSub::Topic::Group>& PubSub::GroupsOf(Topic& topic) {
  if (!topic.groups.empty()) return topic.groups;
  std::vector<std::shared_ptr<std::vector<net::ConnId>>> lists;  // of topic.groups
  for (const Subscriber* subscriber : topic.subscribers) {
    size_t i = 0;
    while (i < lists.size() &&
           (topic.groups[i].worker != subscriber->conn.worker || topic.groups[i].resp != subscriber->resp)) {
      ++i;
    }
    if (i == lists.size()) {
      lists.push_back(std::make_shared<std::vector<net::ConnId>>());
      topic.groups.push_back({subscriber->conn.worker, subscriber->resp, lists.back()});
    }
    lists[i]->push_back(subscriber->conn);
  }
  return topic.groups;
}

// The channel first, then the patterns that match it.
template <typename Visit>
void PubSub::VisitReceiving(TopicKind kind, std::string_view channel, Visit visit) {
  Topics& topics = topics_[Index(kind)];
  const auto it = topics.find(channel);
  if (it != topics.end()) visit(it->second);
  if (kind == TopicKind::kShardChannel) return;
  for (auto& [pattern, topic] : topics_[Index(TopicKind::kPattern)]) {
    if (GlobMatch(pattern, channel)) visit(topic);
  }
}

int64_t PubSub::Publish(TopicKind kind, std::string_view channel, std::string_view message) {
  return Send({kind, channel, message}, {}, nullptr);
}

int64_t PubSub::Receivers(TopicKind kind, std::string_view channel) {
  if (NobodyListens(kind)) return 0;
  int64_t receivers = 0;
  const std::lock_guard lock(mu_);
  VisitReceiving(kind, channel,
                 [&](const Topic& topic) { receivers += static_cast<int64_t>(topic.subscribers.size()); });
  return receivers;
}

int64_t PubSub::Send(const Message& message, net::ConnId author, const Outbox::TellAuthor* tell_author) {
  if (NobodyListens(message.kind)) return 0;
  const auto pattern_of = [](const Topic& topic) { return topic.kind == TopicKind::kPattern ? topic.name : nullptr; };
  Forms forms(message);
  if (message.text.size() >= kLargeMessageBytes) {
    // Who comes in between has its form made under the lock; that is rare.
    std::vector<std::pair<std::optional<std::string>, net::RespVersion>> wanted;
    {
      const std::lock_guard lock(mu_);
      VisitReceiving(message.kind, message.channel, [&](Topic& topic) {
        const std::string* pattern = pattern_of(topic);
        for (const Topic::Group& group : GroupsOf(topic)) {
          wanted.emplace_back(pattern != nullptr ? std::optional(*pattern) : std::nullopt, group.resp);
        }
      });
    }
    for (const auto& [pattern, version] : wanted) forms.Get(pattern ? &*pattern : nullptr, version);
  }

  int64_t receivers = 0;
  const std::lock_guard lock(mu_);
  const Subscriber* const own = tell_author != nullptr ? Find(author) : nullptr;
  VisitReceiving(message.kind, message.channel, [&](Topic& topic) {
    receivers += static_cast<int64_t>(topic.subscribers.size());
    const bool hears_itself = own != nullptr && own->topics[Index(topic.kind)].contains(&topic);
    for (const Topic::Group& group : GroupsOf(topic)) {
      const Bytes& bytes = forms.Get(pattern_of(topic), group.resp);
      Conns conns = group.conns;
      if (hears_itself && group.worker == author.worker && group.resp == own->resp) {
        (*tell_author)(author, *bytes);
        if (sink_.hold_pushes) sink_.hold_pushes(author);  // whatever others publish after this comes behind it
        auto others = std::make_shared<std::vector<net::ConnId>>(*conns);
        std::erase(*others, author);
        conns = std::move(others);
      }
      if (!conns->empty() && sink_.push_to_many) sink_.push_to_many(std::move(conns), bytes);
    }
  });
  return receivers;
}

void PubSub::Deliver(const Outbox::Entry& entry, const Outbox::TellAuthor& tell_author) {
  switch (entry.kind) {
    case Outbox::Kind::kMessage:
      Send({TopicKind::kChannel, entry.first, entry.second}, entry.author, &tell_author);
      break;
    case Outbox::Kind::kShardMessage:
      Send({TopicKind::kShardChannel, entry.first, entry.second}, entry.author, &tell_author);
      break;
    case Outbox::Kind::kKeyEvent:
      SendKeyEvent(entry, tell_author);
      break;
    case Outbox::Kind::kTrack:
    case Outbox::Kind::kInvalidate:
    case Outbox::Kind::kInvalidateAll:
      break;  // not ours
  }
}

void PubSub::SendKeyEvent(const Outbox::Entry& entry, const Outbox::TellAuthor& tell_author) {
  if (NobodyListens(TopicKind::kChannel)) return;
  PublishKeyEvent(entry.event_class, entry.db, entry.first, entry.second,
                  [&](std::string_view channel, std::string_view message) {
                    Send({TopicKind::kChannel, channel, message}, entry.author, &tell_author);
                  });
}

// ---- Looks ----

std::vector<std::string> PubSub::Names(TopicKind kind, std::optional<std::string_view> pattern) const {
  const Topics& topics = topics_[Index(kind)];
  std::vector<std::string> names;
  size_t buckets = 0;
  for (size_t next = 0;;) {
    std::vector<std::string> some;
    {
      const std::lock_guard lock(mu_);
      if (topics.bucket_count() != buckets) {  // it has grown, and everything lies elsewhere
        buckets = topics.bucket_count();
        next = 0;
        names.clear();
      }
      const size_t end = std::min(buckets, next + kBucketsPerLock);
      for (; next < end; ++next) {
        for (auto it = topics.begin(next); it != topics.end(next); ++it) some.push_back(it->first);
      }
    }
    for (std::string& name : some) {
      if (!pattern || GlobMatch(*pattern, name)) names.push_back(std::move(name));
    }
    if (next >= buckets) return names;
  }
}

std::vector<PubSub::Subscription> PubSub::SubscriptionsOf(net::ConnId conn) const {
  const std::lock_guard lock(mu_);
  std::vector<Subscription> subscriptions;
  const Subscriber* subscriber = Find(conn);
  if (subscriber == nullptr) return subscriptions;
  for (const auto& topics : subscriber->topics) {
    for (const auto& [topic, place] : topics) subscriptions.push_back({topic->kind, *topic->name});
  }
  return subscriptions;
}

size_t PubSub::Subscribers(TopicKind kind, std::string_view name) const {
  const std::lock_guard lock(mu_);
  const auto it = topics_[Index(kind)].find(name);
  return it != topics_[Index(kind)].end() ? it->second.subscribers.size() : 0;
}

}  // namespace basalt
