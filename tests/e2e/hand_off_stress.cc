// Publishers, subscribers, caching clients, scripts and transactions at once, through hiredis. Each thread checks what
// it is told:
//
//   subscribers   messages of a publisher come in order, without a gap; none precedes the confirmation of a
//   subscription or
//                 follows that of its end
//   caches        once writing has stopped, nothing is cached that is no longer the server's (CLIENT TRACKING,
//   redirected) accounts      scripts, with declared and undeclared keys, and transactions move money; the sum never
//   changes
//
//   hand_off_stress PORT SECONDS SEED     exit status 1 and a line for the first thing that was wrong
#include <hiredis/hiredis.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

constexpr int kPublishers = 2;
constexpr int kKeys = 50;      // that are cached and written
constexpr int kAccounts = 20;  // of kMoney each at first
constexpr long long kMoney = 1000;

int g_port = 0;
std::atomic<bool> g_stop{false};
std::atomic<bool> g_wrong{false};
std::atomic<long long> g_published[kPublishers];

void Wrong(const std::string& what) {
  if (!g_wrong.exchange(true)) std::fprintf(stderr, "WRONG: %s\n", what.c_str());
  g_stop = true;
}

struct Reply {
  redisReply* raw = nullptr;
  explicit Reply(void* reply) : raw(static_cast<redisReply*>(reply)) {}
  Reply(Reply&& other) noexcept : raw(std::exchange(other.raw, nullptr)) {}
  ~Reply() {
    if (raw != nullptr) freeReplyObject(raw);
  }
  bool ok() const { return raw != nullptr && raw->type != REDIS_REPLY_ERROR; }
  std::string text() const {
    return raw != nullptr && raw->str != nullptr ? std::string(raw->str, raw->len) : std::string();
  }
  std::string text(size_t i) const {
    return raw != nullptr && i < raw->elements && raw->element[i]->str != nullptr
               ? std::string(raw->element[i]->str, raw->element[i]->len)
               : std::string();
  }
  size_t size() const { return raw != nullptr ? raw->elements : 0; }
};

class Client {
 public:
  Client() : context_(redisConnect("127.0.0.1", g_port)) {
    if (context_ == nullptr || context_->err != 0) {
      std::fprintf(stderr, "cannot connect\n");
      std::exit(2);
    }
  }
  ~Client() { redisFree(context_); }

  void Send(std::vector<std::string> args) {
    std::vector<const char*> argv;
    std::vector<size_t> sizes;
    for (const std::string& arg : args) {
      argv.push_back(arg.data());
      sizes.push_back(arg.size());
    }
    redisAppendCommandArgv(context_, static_cast<int>(argv.size()), argv.data(), sizes.data());
  }
  Reply Read() {
    void* reply = nullptr;
    if (redisGetReply(context_, &reply) != REDIS_OK) Wrong("the connection was lost: " + std::string(context_->errstr));
    return Reply(reply);
  }
  Reply Call(std::vector<std::string> args) {
    Send(std::move(args));
    return Read();
  }
  // Must be answered without an error.
  Reply Must(std::vector<std::string> args) {
    const std::string name = args[0];
    Reply reply = Call(std::move(args));
    if (!reply.ok()) Wrong(name + ": " + reply.text());
    return reply;
  }
  // A reply that is there within `ms`.
  std::optional<Reply> Poll(int ms) {
    void* reply = nullptr;
    if (redisGetReplyFromReader(context_, &reply) != REDIS_OK) Wrong("not RESP");
    if (reply == nullptr) {
      pollfd fd{context_->fd, POLLIN, 0};
      if (poll(&fd, 1, ms) <= 0) return std::nullopt;
      if (redisBufferRead(context_) != REDIS_OK) {
        Wrong("the connection was lost: " + std::string(context_->errstr));
        return std::nullopt;
      }
      redisGetReplyFromReader(context_, &reply);
      if (reply == nullptr) return std::nullopt;
    }
    return Reply(reply);
  }
  void Flush() {
    int done = 0;
    while (done == 0 && redisBufferWrite(context_, &done) == REDIS_OK) {
    }
  }

 private:
  redisContext* context_;
};

using Random = std::mt19937_64;

std::string Channel(int publisher) { return "ch:" + std::to_string(publisher); }

// Every second message alone, the others inside a transaction or a script.
void Publish(int publisher, Random random) {
  Client client;
  long long number = 0;
  while (!g_stop) {
    const std::string message = std::to_string(++number);
    switch (random() % 4) {
      case 0:
        client.Must({"MULTI"});
        client.Must({"SET", "p:" + std::to_string(publisher), message});
        client.Must({"PUBLISH", Channel(publisher), message});
        client.Must({"EXEC"});
        break;
      case 1:
        client.Must({"EVAL", "redis.call('set', KEYS[1], ARGV[2]) return redis.call('publish', ARGV[1], ARGV[2])", "1",
                     "p:" + std::to_string(publisher), Channel(publisher), message});
        break;
      default:
        client.Must({"PUBLISH", Channel(publisher), message});
    }
    g_published[publisher] = number;
  }
}

// In order, no gap.
class Sequence {
 public:
  void Take(const std::string& channel, const std::string& message) {
    const long long number = std::atoll(message.c_str());
    long long& last = last_[channel];
    if (last != 0 && number != last + 1) {
      Wrong("after message " + std::to_string(last) + " of " + channel + " came " + message);
    }
    last = number;
  }
  void Forget(const std::string& channel) { last_.erase(channel); }
  long long last(const std::string& channel) { return last_[channel]; }

 private:
  std::map<std::string, long long> last_;
};

void ListenSteadily(bool pattern) {
  Client client;
  if (pattern) {
    client.Must({"PSUBSCRIBE", "ch:*"});
  } else {
    client.Send({"SUBSCRIBE", Channel(0), Channel(1)});
    client.Read();
    client.Read();
  }
  Sequence sequence;
  const auto take = [&](const Reply& reply) {
    if (reply.text(0) == "message") sequence.Take(reply.text(1), reply.text(2));
    if (reply.text(0) == "pmessage") sequence.Take(reply.text(2), reply.text(3));
  };
  while (!g_stop) {
    if (const std::optional<Reply> reply = client.Poll(50)) take(*reply);
  }
  // What was published before is there before the answer to a PING that is sent after.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  client.Send({"PING"});
  while (!g_wrong) {
    const Reply reply = client.Read();
    if (reply.text(0) == "pong") break;
    take(reply);
  }
  for (int publisher = 0; publisher < kPublishers; ++publisher) {
    if (!g_wrong && sequence.last(Channel(publisher)) < g_published[publisher]) Wrong("the last messages are missing");
  }
}

void ComeAndGo(Random random) {
  auto client = std::make_unique<Client>();
  Sequence sequence;
  while (!g_stop) {
    const std::string channel = Channel(static_cast<int>(random() % kPublishers));
    const bool pattern = random() % 2;
    sequence.Forget(channel);
    if (const Reply first = client->Call({pattern ? "PSUBSCRIBE" : "SUBSCRIBE", channel});
        first.text(0) != (pattern ? "psubscribe" : "subscribe")) {
      Wrong("before the confirmation came " + first.text(0));
    }
    for (auto messages = random() % 20; messages > 0 && !g_stop; --messages) {
      const std::optional<Reply> reply = client->Poll(20);
      if (reply && reply->text(0) == "message") sequence.Take(channel, reply->text(2));
    }
    if (random() % 8 == 0) {  // gone without a word
      client = std::make_unique<Client>();
      continue;
    }
    client->Send({pattern ? "PUNSUBSCRIBE" : "UNSUBSCRIBE", channel});
    client->Send({"PING"});
    while (!g_wrong && client->Read().text(0) != (pattern ? "punsubscribe" : "unsubscribe")) {
    }
    if (const Reply pong = client->Read(); !g_wrong && pong.text() != "PONG")
      Wrong("after the end of a subscription came " + pong.text(0));
  }
}

std::string Key(uint64_t i) { return "k:" + std::to_string(i % kKeys); }

void Write(Random random) {
  Client client;
  while (!g_stop) {
    const std::string key = Key(random()), value = std::to_string(random());
    switch (random() % 6) {
      case 0:
        client.Must({"DEL", key});
        break;
      case 1:
        client.Must({"SET", key, value, "PX", std::to_string(1 + random() % 20)});
        break;
      case 2:
        client.Must({"EVAL", "return redis.call('set', KEYS[1], ARGV[1])", "1", key, value});
        break;
      case 3:
        client.Must({"MULTI"});
        client.Must({"SET", key, value});
        client.Must({"SET", Key(random()), value});
        client.Must({"EXEC"});
        break;
      default:
        client.Must({"SET", key, value});
    }
  }
}

void Cache(bool broadcast, Random random) {
  Client invalidations, client;
  const Reply id = invalidations.Must({"CLIENT", "ID"});
  invalidations.Must({"SUBSCRIBE", "__redis__:invalidate"});
  std::vector<std::string> on = {"CLIENT", "TRACKING", "ON", "REDIRECT", std::to_string(id.raw->integer)};
  if (broadcast) on.insert(on.end(), {"BCAST", "PREFIX", "k:"});
  client.Must(on);
  std::map<std::string, std::string> cache;
  const auto take = [&](const Reply& reply) {
    if (reply.text(0) != "message" || reply.size() < 3) return;
    const redisReply* keys = reply.raw->element[2];
    if (keys->type == REDIS_REPLY_NIL) cache.clear();
    for (size_t i = 0; i < keys->elements; ++i) cache.erase(std::string(keys->element[i]->str, keys->element[i]->len));
  };
  while (!g_stop) {
    const std::string key = Key(random());
    // An invalidation that is read before the reply takes the mark away, and the reply is not kept.
    cache[key] = "?";
    client.Send({"GET", key});
    client.Flush();
    while (const std::optional<Reply> reply = invalidations.Poll(0)) take(*reply);
    const Reply value = client.Read();
    if (auto mark = cache.find(key); mark != cache.end()) {
      if (value.raw != nullptr && value.raw->type == REDIS_REPLY_STRING) {
        mark->second = value.text();
      } else {
        cache.erase(mark);
      }
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // writing has stopped, and what expires has
  invalidations.Send({"PING"});
  while (!g_wrong) {
    const Reply reply = invalidations.Read();
    if (reply.text(0) == "pong") break;
    take(reply);
  }
  Client fresh;
  for (const auto& [key, value] : cache) {
    if (g_wrong) return;
    const std::string now = fresh.Call({"GET", key}).text();
    if (now != value)
      Wrong(std::string(broadcast ? "broadcast" : "tracked") + " cache holds " + key + " = " + value + ", the server " +
            now);
  }
}

std::string Account(uint64_t i) { return "account:" + std::to_string(i % kAccounts); }

void MoveMoney(Random random) {
  Client client;
  constexpr const char* kMove =
      "redis.call('decrby', KEYS[1], ARGV[1]) redis.call('incrby', KEYS[2], ARGV[1]) return 1";
  constexpr const char* kMoveUndeclared =
      "redis.call('decrby', ARGV[2], ARGV[1]) redis.call('incrby', ARGV[3], ARGV[1]) return 1";
  while (!g_stop) {
    const std::string from = Account(random()), to = Account(random()), sum = std::to_string(random() % 50);
    switch (random() % 3) {
      case 0:
        client.Must({"EVAL", kMove, "2", from, to, sum});
        break;
      case 1:
        client.Must({"EVAL", kMoveUndeclared, "0", sum, from, to});
        break;
      default:
        client.Must({"MULTI"});
        client.Must({"DECRBY", from, sum});
        client.Must({"INCRBY", to, sum});
        client.Must({"EXEC"});
    }
  }
}

void CountMoney(Random random) {
  Client client;
  std::vector<std::string> all = {"MGET"},
                           script = {"EVAL",
                                     "local s = 0 for i = 1, #KEYS do s = s + redis.call('get', KEYS[i]) end return s",
                                     std::to_string(kAccounts)};
  for (int i = 0; i < kAccounts; ++i) {
    all.push_back(Account(static_cast<uint64_t>(i)));
    script.push_back(Account(static_cast<uint64_t>(i)));
  }
  while (!g_stop) {
    long long sum = 0;
    if (random() % 2) {
      const Reply reply = client.Must(all);
      for (size_t i = 0; i < reply.size(); ++i) sum += std::atoll(reply.text(i).c_str());
    } else {
      const Reply reply = client.Must(script);
      sum = reply.raw != nullptr ? reply.raw->integer : 0;
    }
    if (!g_wrong && sum != kAccounts * kMoney) Wrong("the accounts hold " + std::to_string(sum));
  }
}

void Watch() {
  Client client;
  client.Must({"MONITOR"});
  while (!g_stop) client.Poll(50);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: hand_off_stress PORT SECONDS SEED\n");
    return 2;
  }
  g_port = std::atoi(argv[1]);
  Random seeds(std::strtoull(argv[3], nullptr, 10));
  {
    Client client;
    for (int i = 0; i < kAccounts; ++i) client.Must({"SET", Account(static_cast<uint64_t>(i)), std::to_string(kMoney)});
  }
  std::vector<std::thread> threads;
  const auto run = [&](auto task) { threads.emplace_back(std::move(task)); };
  for (const bool pattern : {false, true}) run([pattern] { ListenSteadily(pattern); });
  for (int i = 0; i < 2; ++i) run([random = Random(seeds())] { ComeAndGo(random); });
  for (const bool broadcast : {false, true}) run([broadcast, random = Random(seeds())] { Cache(broadcast, random); });
  for (int i = 0; i < 2; ++i) run([random = Random(seeds())] { Write(random); });
  for (int i = 0; i < 2; ++i) run([random = Random(seeds())] { MoveMoney(random); });
  run([random = Random(seeds())] { CountMoney(random); });
  run([] { Watch(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // the steady ones are subscribed
  for (int i = 0; i < kPublishers; ++i) run([i, random = Random(seeds())] { Publish(i, random); });

  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(argv[2]));
  while (!g_stop && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  g_stop = true;
  for (std::thread& thread : threads) thread.join();
  std::printf("%lld and %lld messages published\n", g_published[0].load(), g_published[1].load());
  return g_wrong ? 1 : 0;
}
