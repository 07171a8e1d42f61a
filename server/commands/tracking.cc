// CLIENT TRACKING, TRACKINGINFO, CACHING, GETREDIR.
#include "server/commands/tracking.h"

#include "server/client_registry.h"
#include "server/client_tracking.h"
#include "server/session.h"

namespace basalt {

namespace {

// The option at argv[*at] and its value, if it has one; *at moves on to the last word of it.
Status ParseOption(const CommandContext& ctx, size_t* at, TrackingOptions* options) {
  const std::string_view option = ctx.arg(*at);
  const bool has_value = *at + 1 < ctx.argc();
  if (EqualsIgnoreCase(option, "redirect") && has_value) {
    if (options->redirect != 0) return Status::Message("ERR A client can only redirect to a single other client");
    int64_t id = 0;
    if (!ParseInteger(ctx.arg(++*at), &id)) return ErrorCode::kNotInteger;
    options->redirect = static_cast<uint64_t>(id);
    if (ctx.services.clients.Find(options->redirect) == nullptr) {
      return Status::Message("ERR The client ID you want redirect to does not exist");
    }
  } else if (EqualsIgnoreCase(option, "bcast")) {
    options->mode |= kTrackingBroadcast;
  } else if (EqualsIgnoreCase(option, "optin")) {
    options->mode |= kTrackingOptIn;
  } else if (EqualsIgnoreCase(option, "optout")) {
    options->mode |= kTrackingOptOut;
  } else if (EqualsIgnoreCase(option, "noloop")) {
    options->mode |= kTrackingNoLoop;
  } else if (EqualsIgnoreCase(option, "prefix") && has_value) {
    options->prefixes.push_back(ctx.arg(++*at));
  } else {
    return ErrorCode::kSyntax;
  }
  return Ok();
}

Status Overlap(std::string_view prefix, std::string_view kind, std::string_view other) {
  return Status::Message("ERR Prefix '" + std::string(prefix) + "' overlaps with " + std::string(kind) + " prefix '" +
                         std::string(other) + "'. Prefixes for a single client must not overlap.");
}

bool Overlaps(std::string_view a, std::string_view b) { return a.starts_with(b) || b.starts_with(a); }

// A key shall be told once to a client.
Status CheckPrefixes(std::span<const std::string_view> prefixes, const std::vector<std::string>& earlier) {
  for (size_t i = 0; i < prefixes.size(); ++i) {
    for (const std::string& other : earlier) {
      if (Overlaps(prefixes[i], other)) return Overlap(prefixes[i], "an existing", other);
    }
    for (const std::string_view other : prefixes.subspan(i + 1)) {
      if (Overlaps(prefixes[i], other)) return Overlap(prefixes[i], "another provided", other);
    }
  }
  return Ok();
}

// Whether the options fit each other and how the client tracks already.
Status CheckOptions(const CommandContext& ctx, const TrackingOptions& options) {
  constexpr std::string_view kOff =
      " before disabling tracking for this client, and then re-enabling it with a different mode.";
  const uint8_t now = ctx.session.tracking, mode = options.mode;
  const auto has = [](uint8_t of, uint8_t bit) { return (of & bit) != 0; };
  const bool broadcast = has(mode, kTrackingBroadcast), opt_in = has(mode, kTrackingOptIn),
             opt_out = has(mode, kTrackingOptOut);
  if (!broadcast && !options.prefixes.empty()) {
    return Status::Message("ERR PREFIX option requires BCAST mode to be enabled");
  }
  if (now != 0 && has(now, kTrackingBroadcast) != broadcast) {
    return Status::Message("ERR You can't switch BCAST mode on/off" + std::string(kOff));
  }
  if (broadcast && (opt_in || opt_out)) return Status::Message("ERR OPTIN and OPTOUT are not compatible with BCAST");
  if (opt_in && opt_out) return Status::Message("ERR You can't specify both OPTIN mode and OPTOUT mode");
  if ((opt_in && has(now, kTrackingOptOut)) || (opt_out && has(now, kTrackingOptIn))) {
    return Status::Message("ERR You can't switch OPTIN/OPTOUT mode" + std::string(kOff));
  }
  return broadcast ? CheckPrefixes(options.prefixes, ctx.services.tracking.Prefixes(ctx.session)) : Ok();
}

int64_t RedirectOf(const Session& session) {
  return session.tracking == 0 ? -1
                               : static_cast<int64_t>(session.info->tracking_redirect.load(std::memory_order_relaxed));
}

}  // namespace

Status TrackingCommand(CommandContext& ctx) {
  TrackingOptions options;
  for (size_t i = 3; i < ctx.argc(); ++i) BASALT_RETURN_IF_ERROR(ParseOption(ctx, &i, &options));
  if (EqualsIgnoreCase(ctx.arg(2), "on")) {
    BASALT_RETURN_IF_ERROR(CheckOptions(ctx, options));
    // The first client that tracks begins while no write is pending: what was written unheeded is committed by then.
    const bool exclusive = ctx.can_write() && ctx.txn().exclusive();
    if (!ctx.services.tracking.Enable(ctx.session, options, exclusive)) return ErrorCode::kNeedGate;
  } else if (EqualsIgnoreCase(ctx.arg(2), "off")) {
    ctx.services.tracking.Disable(ctx.session);
  } else {
    return ErrorCode::kSyntax;
  }
  ctx.reply.Ok();
  return Ok();
}

Status TrackingInfo(CommandContext& ctx) {
  const Session& session = ctx.session;
  const uint8_t mode = session.info->tracking.load(std::memory_order_relaxed);
  std::vector<std::string_view> flags = {mode != 0 ? "on" : "off"};
  if ((mode & kTrackingBroadcast) != 0) flags.push_back("bcast");
  if ((mode & kTrackingOptIn) != 0) flags.push_back("optin");
  if ((mode & kTrackingOptIn) != 0 && session.caching_said) flags.push_back("caching-yes");
  if ((mode & kTrackingOptOut) != 0) flags.push_back("optout");
  if ((mode & kTrackingOptOut) != 0 && session.caching_said) flags.push_back("caching-no");
  if ((mode & kTrackingNoLoop) != 0) flags.push_back("noloop");
  if ((mode & kTrackingRedirectBroken) != 0) flags.push_back("broken_redirect");
  ctx.reply.Map(3);
  ctx.reply.Bulk("flags");
  ctx.reply.Set(flags.size());
  for (const std::string_view flag : flags) ctx.reply.Bulk(flag);
  ctx.reply.Bulk("redirect");
  ctx.reply.Integer(RedirectOf(session));
  ctx.reply.Bulk("prefixes");
  const std::vector<std::string> prefixes = ctx.services.tracking.Prefixes(session);
  ctx.reply.Array(prefixes.size());
  for (const std::string& prefix : prefixes) ctx.reply.Bulk(prefix);
  return Ok();
}

Status Caching(CommandContext& ctx) {
  const uint8_t mode = ctx.session.tracking;
  if (mode == 0) {
    return Status::Message(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
  }
  if (EqualsIgnoreCase(ctx.arg(2), "yes")) {
    if ((mode & kTrackingOptIn) == 0) {
      return Status::Message("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    }
  } else if (EqualsIgnoreCase(ctx.arg(2), "no")) {
    if ((mode & kTrackingOptOut) == 0) {
      return Status::Message("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    }
  } else {
    return ErrorCode::kSyntax;
  }
  ctx.session.caching_said = true;
  ctx.reply.Ok();
  return Ok();
}

Status GetRedir(CommandContext& ctx) {
  ctx.reply.Integer(RedirectOf(ctx.session));
  return Ok();
}

}  // namespace basalt
