// Publish and subscribe.
#include "server/pubsub.h"

#include <algorithm>

#include "net/transport.h"
#include "server/client_handler.h"
#include "server/client_registry.h"
#include "server/command_context.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/config_table.h"
#include "server/session.h"

namespace basalt {

namespace {

// More names than these are no work for the fast lane.
constexpr size_t kFastNamesMax = 256;

// A subscriber has an output limit of its own, which holds for the first message already.
void ApplyOutputLimit(CommandContext& ctx, bool was_subscribed) {
  const ClientInfo& client = *ctx.session.info;
  if (client.subscribed() == was_subscribed || ctx.services.transport == nullptr) return;
  ctx.services.transport->SetOutputLimit(client.conn.id, OutputLimitOf(ctx.services.config.current(), client));
}

template <TopicKind kind>
Status Subscribe(CommandContext& ctx) {
  // Transactions may subscribe to the older kinds for compatibility.
  if (ctx.deny_blocking && kind == TopicKind::kShardChannel) {
    return Status::Message("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
  }
  const bool was_subscribed = ctx.session.info->subscribed();
  ctx.services.pubsub.Subscribe(ctx.session, kind, ctx.argv.subspan(1), ctx.reply);
  ApplyOutputLimit(ctx, was_subscribed);
  return Ok();
}

template <TopicKind kind>
Status Unsubscribe(CommandContext& ctx) {
  const bool was_subscribed = ctx.session.info->subscribed();
  if (ctx.argc() == 1) {
    ctx.services.pubsub.UnsubscribeAll(ctx.session, kind, ctx.reply);
  } else {
    ctx.services.pubsub.Unsubscribe(ctx.session, kind, ctx.argv.subspan(1), ctx.reply);
  }
  ApplyOutputLimit(ctx, was_subscribed);
  return Ok();
}

void PrepareNames(const PrepareInput& input, Preparation* preparation) {
  const ClientInfo& client = *input.session.info;
  const size_t subscribed = client.subscriptions.load(std::memory_order_relaxed) +
                            client.pattern_subscriptions.load(std::memory_order_relaxed) +
                            client.shard_subscriptions.load(std::memory_order_relaxed);
  preparation->slow = std::max(input.argv.size(), subscribed) > kFastNamesMax;
}

void PrepareList(const PrepareInput& input, Preparation* preparation) {
  const PubSub& pubsub = input.services.pubsub;
  preparation->slow = pubsub.topics(TopicKind::kChannel) + pubsub.topics(TopicKind::kShardChannel) > kFastNamesMax;
}

// What is published inside a transaction is sent when that is committed, and what concerns the publisher itself must
// stand behind its reply: both wait in the outbox. All else is sent at once.
template <TopicKind kind>
Status Publish(CommandContext& ctx) {
  const std::string_view channel = ctx.arg(1), message = ctx.arg(2);
  if (!ctx.can_write() && !ctx.session.info->subscribed()) {
    ctx.reply.Integer(ctx.services.pubsub.Publish(kind, channel, message));
    return Ok();
  }
  const int64_t receivers = ctx.services.pubsub.Receivers(kind, channel);
  if (receivers > 0) {
    ctx.outbox.Publish(kind == TopicKind::kShardChannel ? Outbox::Kind::kShardMessage : Outbox::Kind::kMessage,
                       ctx.session.conn.id, channel, message);
  }
  ctx.reply.Integer(receivers);
  return Ok();
}

template <TopicKind kind>
Status Channels(CommandContext& ctx) {
  if (ctx.argc() > 3) return SubcommandSyntaxError(ctx);
  std::optional<std::string_view> pattern;
  if (ctx.argc() == 3) pattern = ctx.arg(2);
  const std::vector<std::string> names = ctx.services.pubsub.Names(kind, pattern);
  ctx.reply.Array(names.size());
  for (const std::string& name : names) ctx.reply.Bulk(name);
  return Ok();
}

template <TopicKind kind>
Status NumSub(CommandContext& ctx) {
  ctx.reply.Array(2 * (ctx.argc() - 2));
  for (const std::string_view name : ctx.argv.subspan(2)) {
    ctx.reply.Bulk(name);
    ctx.reply.Integer(static_cast<int64_t>(ctx.services.pubsub.Subscribers(kind, name)));
  }
  return Ok();
}

Status NumPat(CommandContext& ctx) {
  ctx.reply.Integer(static_cast<int64_t>(ctx.services.pubsub.topics(TopicKind::kPattern)));
  return Ok();
}

Status Help(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "CHANNELS [<pattern>]",
      "    The channels that somebody is subscribed to, all or those that match.",
      "NUMPAT",
      "    How many different patterns there are subscriptions to.",
      "NUMSUB [<channel> ...]",
      "    How many clients are subscribed to each channel; patterns do not count.",
      "SHARDCHANNELS [<pattern>]",
      "    The shard channels that somebody is subscribed to, all or those that match.",
      "SHARDNUMSUB [<shardchannel> ...]",
      "    How many clients are subscribed to each shard channel.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr CommandGroup kGroup = CommandGroup::kPubsub;
constexpr uint64_t kPlain = kCmdPubsub | kCmdLoading | kCmdStale;
constexpr uint64_t kSubscriber = kPlain | kCmdNoScript | kCmdRepliesByPush | kCmdForSubscribers;
using Use = ChannelSpec::Use;

constexpr CommandSpec kCommands[] = {
    {.name = "psubscribe",
     .arity = -2,
     .flags = kSubscriber | kCmdSentinel,
     .group = kGroup,
     .channels = ChannelSpec::All(Use::kSubscribe, true),
     .syntax = "pattern:pattern…",
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of patterns",
     .summary = "Listens to all channels that match a pattern.",
     .handler = Subscribe<TopicKind::kPattern>,
     .prepare = PrepareNames},
    {.name = "publish",
     .arity = 3,
     .flags = kPlain | kCmdFast | kCmdMayReplicate | kCmdSentinel,
     .group = kGroup,
     .channels = ChannelSpec::One(Use::kPublish),
     .syntax = "channel message",
     .since = "2.0.0",
     .complexity =
         "O(N+M) where N is the number of subscribers of the channel and M the number of patterns of all clients",
     .summary = "Sends a message to all who listen to a channel, and answers how many got it.",
     .handler = Publish<TopicKind::kChannel>},
    {.name = "pubsub",
     .arity = -2,
     .group = kGroup,
     .since = "2.8.0",
     .complexity = "Depends on subcommand.",
     .summary = "Commands that look at subscriptions."},
    {.name = "pubsub|channels",
     .arity = -2,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "[pattern:pattern]",
     .since = "2.8.0",
     .complexity = "O(N) where N is the number of channels with subscribers",
     .summary = "The channels that somebody is subscribed to.",
     .handler = Channels<TopicKind::kChannel>,
     .prepare = PrepareList},
    {.name = "pubsub|help",
     .arity = 2,
     .flags = kCmdLoading | kCmdStale,
     .group = kGroup,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = Help},
    {.name = "pubsub|numpat",
     .arity = 2,
     .flags = kPlain,
     .group = kGroup,
     .since = "2.8.0",
     .complexity = "O(1)",
     .summary = "How many different patterns there are subscriptions to.",
     .handler = NumPat},
    {.name = "pubsub|numsub",
     .arity = -2,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "[channel…]",
     .since = "2.8.0",
     .complexity = "O(N) where N is the number of channels asked for",
     .summary = "How many clients are subscribed to each channel.",
     .handler = NumSub<TopicKind::kChannel>},
    {.name = "pubsub|shardchannels",
     .arity = -2,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "[pattern:pattern]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of shard channels with subscribers",
     .summary = "The shard channels that somebody is subscribed to.",
     .handler = Channels<TopicKind::kShardChannel>,
     .prepare = PrepareList},
    {.name = "pubsub|shardnumsub",
     .arity = -2,
     .flags = kPlain,
     .group = kGroup,
     .syntax = "[shardchannel…]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of shard channels asked for",
     .summary = "How many clients are subscribed to each shard channel.",
     .handler = NumSub<TopicKind::kShardChannel>},
    {.name = "punsubscribe",
     .arity = -1,
     .flags = kSubscriber | kCmdAfterPushes | kCmdSentinel,
     .group = kGroup,
     .channels = ChannelSpec::All(Use::kUnsubscribe, true),
     .syntax = "[pattern:pattern…]",
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of patterns",
     .summary = "Ends subscriptions to patterns, all or those named.",
     .handler = Unsubscribe<TopicKind::kPattern>,
     .prepare = PrepareNames},
    {.name = "spublish",
     .arity = 3,
     .flags = kPlain | kCmdFast | kCmdMayReplicate,
     .group = kGroup,
     .keys = {KeySpec::One(kKeyNotKey)},
     .channels = ChannelSpec::One(Use::kPublish),
     .syntax = "shardchannel message",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of subscribers of the shard channel",
     .summary = "Sends a message to all who listen to a shard channel, and answers how many got it.",
     .handler = Publish<TopicKind::kShardChannel>},
    {.name = "ssubscribe",
     .arity = -2,
     .flags = kSubscriber,
     .group = kGroup,
     .keys = {KeySpec::Range(kKeyNotKey, 1, -1, 1)},
     .channels = ChannelSpec::All(Use::kSubscribe),
     .syntax = "shardchannel…",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of shard channels",
     .summary = "Listens to shard channels.",
     .handler = Subscribe<TopicKind::kShardChannel>,
     .prepare = PrepareNames},
    {.name = "subscribe",
     .arity = -2,
     .flags = kSubscriber | kCmdSentinel,
     .group = kGroup,
     .channels = ChannelSpec::All(Use::kSubscribe),
     .syntax = "channel…",
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of channels",
     .summary = "Listens to channels.",
     .handler = Subscribe<TopicKind::kChannel>,
     .prepare = PrepareNames},
    {.name = "sunsubscribe",
     .arity = -1,
     .flags = kSubscriber | kCmdAfterPushes,
     .group = kGroup,
     .keys = {KeySpec::Range(kKeyNotKey, 1, -1, 1)},
     .channels = ChannelSpec::All(Use::kUnsubscribe),
     .syntax = "[shardchannel…]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of shard channels",
     .summary = "Ends subscriptions to shard channels, all or those named.",
     .handler = Unsubscribe<TopicKind::kShardChannel>,
     .prepare = PrepareNames},
    {.name = "unsubscribe",
     .arity = -1,
     .flags = kSubscriber | kCmdAfterPushes | kCmdSentinel,
     .group = kGroup,
     .channels = ChannelSpec::All(Use::kUnsubscribe),
     .syntax = "[channel…]",
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of channels",
     .summary = "Ends subscriptions to channels, all or those named.",
     .handler = Unsubscribe<TopicKind::kChannel>,
     .prepare = PrepareNames},
};

}  // namespace

std::span<const CommandSpec> PubsubCommands() { return kCommands; }

}  // namespace basalt
