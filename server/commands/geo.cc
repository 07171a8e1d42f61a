// GEO…: positions in sorted sets (server/geohash.h).

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>
#include <vector>

#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/config_table.h"
#include "server/geohash.h"
#include "storage/zset_store.h"
#include "storage/zset_writer.h"

namespace basalt {
namespace {

using storage::RecordPtr;
using storage::ZsetStore;

storage::ZsetLimits LimitsOf(const CommandContext& ctx) {
  const ConfigSnapshot& config = ctx.services.config.current();
  return {.listpack_entries_max = static_cast<uint64_t>(config.zset_max_listpack_entries),
          .listpack_value_max = static_cast<uint64_t>(config.zset_max_listpack_value)};
}

// The sorted set of positions; null when there is none.
Status FindPositions(CommandContext& ctx, storage::ReadView& view, size_t i, RecordPtr* record) {
  const storage::Status found = LookupCollection(ctx, view, ctx.key(i), storage::ValueType::kZset, record);
  if (found == storage::Status::kNotFound) {
    *record = nullptr;
    return Ok();
  }
  return found;
}

Status PositionOf(storage::ReadView& view, const RecordPtr& record, std::string_view member,
                  std::optional<double>* score) {
  score->reset();
  if (record == nullptr) return Ok();
  double found;
  const storage::Status status = ZsetStore::Score(view, *record, member, &found);
  if (status == storage::Status::kNotFound) return Ok();
  BASALT_RETURN_IF_ERROR(status);
  *score = found;
  return Ok();
}

// ---- arguments ----

Status ParsePoint(std::string_view longitude, std::string_view latitude, GeoPoint* point) {
  if (!ParseDouble(longitude, &point->longitude) || !ParseDouble(latitude, &point->latitude))
    return ErrorCode::kNotFloat;
  if (IsGeoPoint(*point)) return Ok();
  char text[800];
  std::snprintf(text, sizeof text, "ERR invalid longitude,latitude pair %f,%f", point->longitude, point->latitude);
  return Status::Message(text);
}

Status ParseUnit(std::string_view text, double* metres) {
  if (EqualsIgnoreCase(text, "m")) {
    *metres = 1;
  } else if (EqualsIgnoreCase(text, "km")) {
    *metres = 1000;
  } else if (EqualsIgnoreCase(text, "ft")) {
    *metres = 0.3048;
  } else if (EqualsIgnoreCase(text, "mi")) {
    *metres = 1609.34;
  } else {
    return Status::Message("ERR unsupported unit provided. please use M, KM, FT, MI");
  }
  return Ok();
}

Status ParseRadius(std::string_view radius, std::string_view unit, GeoShape* shape) {
  shape->kind = GeoShape::Kind::kCircle;
  if (!ParseDouble(radius, &shape->radius)) return Status::Message("ERR need numeric radius");
  if (shape->radius < 0) return Status::Message("ERR radius cannot be negative");
  return ParseUnit(unit, &shape->unit);
}

Status ParseBox(std::string_view width, std::string_view height, std::string_view unit, GeoShape* shape) {
  shape->kind = GeoShape::Kind::kBox;
  if (!ParseDouble(width, &shape->width)) return Status::Message("ERR need numeric width");
  if (!ParseDouble(height, &shape->height)) return Status::Message("ERR need numeric height");
  if (shape->height < 0 || shape->width < 0) return Status::Message("ERR height or width cannot be negative");
  return ParseUnit(unit, &shape->unit);
}

// ---- replies ----

// Four digits behind the point.
void ReplyDistance(net::ReplyBuilder& reply, double distance) {
  constexpr double kScale = 10000;
  const auto scaled = static_cast<uint64_t>(std::llrint(distance * kScale));
  char text[40];
  const int size = std::snprintf(text, sizeof text, "%llu.%04llu", static_cast<unsigned long long>(scaled / 10000),
                                 static_cast<unsigned long long>(scaled % 10000));
  reply.Bulk({text, static_cast<size_t>(size)});
}

void ReplyCoordinate(net::ReplyBuilder& reply, double degrees) {
  char buffer[kLongDoubleTextMax];
  const std::string_view text = FormatLongDouble(degrees, buffer);
  if (reply.version() == net::RespVersion::kResp2) return reply.Bulk(text);
  reply.Raw(",");
  reply.Raw(text);
  reply.Raw("\r\n");
}

void ReplyPoint(net::ReplyBuilder& reply, const GeoPoint& point) {
  reply.Array(2);
  ReplyCoordinate(reply, point.longitude);
  ReplyCoordinate(reply, point.latitude);
}

// ---- GEOADD ----

Status GeoAdd(CommandContext& ctx) {
  ZsetStore::AddOptions options;
  bool counts_changed = false;
  size_t at = 2;
  for (; at < ctx.argc(); ++at) {
    if (EqualsIgnoreCase(ctx.arg(at), "nx")) {
      options.nx = true;
    } else if (EqualsIgnoreCase(ctx.arg(at), "xx")) {
      options.xx = true;
    } else if (EqualsIgnoreCase(ctx.arg(at), "ch")) {
      counts_changed = true;
    } else {
      break;
    }
  }
  const size_t count = (ctx.argc() - at) / 3;
  if ((ctx.argc() - at) % 3 != 0 || (options.nx && options.xx)) return ErrorCode::kSyntax;
  std::vector<ZsetStore::AddItem> items;
  items.reserve(count);
  for (; at < ctx.argc(); at += 3) {
    GeoPoint point;
    BASALT_RETURN_IF_ERROR(ParsePoint(ctx.arg(at), ctx.arg(at + 1), &point));
    items.push_back({static_cast<double>(EncodeGeoScore(point)), ctx.arg(at + 2)});
  }
  if (items.empty()) return ErrorCode::kSyntax;
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, items.size()));
  ZsetStore::AddOutcome outcome;
  BASALT_RETURN_IF_ERROR(ZsetStore::Add(ctx.txn(), ctx.db(), ctx.key(1), items, options, LimitsOf(ctx), &outcome));
  if (outcome.added + outcome.updated > 0) NotifyKey(ctx, kEventZset, "zadd", ctx.arg(1));
  ctx.reply.Integer(static_cast<int64_t>(outcome.added + (counts_changed ? outcome.updated : 0)));
  return Ok();
}

// ---- GEOHASH, GEOPOS, GEODIST ----

// An element for each member asked for; `absent` writes what stands for one that isn't there.
template <typename Present, typename Absent>
Status ReplyMembers(CommandContext& ctx, Present present, Absent absent) {
  RecordPtr record;
  BASALT_RETURN_IF_ERROR(FindPositions(ctx, ctx.view(), 1, &record));
  BASALT_RETURN_IF_ERROR(CheckLaneKeys(ctx, ctx.argc() - 2));
  ctx.reply.Array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) {
    std::optional<double> score;
    BASALT_RETURN_IF_ERROR(PositionOf(ctx.view(), record, ctx.arg(i), &score));
    if (score) {
      present(DecodeGeoScore(*score));
    } else {
      absent();
    }
  }
  return Ok();
}

Status GeoHash(CommandContext& ctx) {
  return ReplyMembers(
      ctx, [&](const GeoPoint& point) { ctx.reply.Bulk(StandardGeohash(point)); }, [&] { ctx.reply.Null(); });
}

Status GeoPos(CommandContext& ctx) {
  return ReplyMembers(
      ctx, [&](const GeoPoint& point) { ReplyPoint(ctx.reply, point); }, [&] { ctx.reply.NullArray(); });
}

Status GeoDist(CommandContext& ctx) {
  double unit = 1;
  if (ctx.argc() == 5) BASALT_RETURN_IF_ERROR(ParseUnit(ctx.arg(4), &unit));
  if (ctx.argc() > 5) return ErrorCode::kSyntax;
  RecordPtr record;
  BASALT_RETURN_IF_ERROR(FindPositions(ctx, ctx.view(), 1, &record));
  std::optional<double> a, b;
  BASALT_RETURN_IF_ERROR(PositionOf(ctx.view(), record, ctx.arg(2), &a));
  BASALT_RETURN_IF_ERROR(PositionOf(ctx.view(), record, ctx.arg(3), &b));
  if (a && b) {
    ReplyDistance(ctx.reply, GeoDistance(DecodeGeoScore(*a), DecodeGeoScore(*b)) / unit);
  } else {
    ctx.reply.Null();
  }
  return Ok();
}

// ---- GEORADIUS…, GEOSEARCH… ----

enum class Form : uint8_t { kRadius, kRadiusByMember, kSearch, kSearchStore };

struct SearchOptions {
  GeoShape shape;
  bool with_distance = false, with_hash = false, with_coordinates = false;
  bool from_member = false, from_point = false, by_radius = false, by_box = false;
  enum class Sort : uint8_t { kNone, kAscending, kDescending } sort = Sort::kNone;
  int64_t count = 0;  // 0: all
  bool any = false;
  size_t store_at = 0;  // argument that names the target; 0: none
  bool store_distance = false;
};

class Search {
 public:
  Search(CommandContext& ctx, Form form, bool may_store)
      : ctx_(ctx),
        view_(ctx.can_write() ? static_cast<storage::ReadView&>(ctx.txn()) : ctx.view()),
        form_(form),
        may_store_(may_store) {}

  Status Run();

 private:
  struct Found {
    GeoPoint point;
    double distance;  // in metres
    double score;
    std::string member;
  };

  bool searches() const { return form_ == Form::kSearch || form_ == Form::kSearchStore; }
  Status ParseBeginning(size_t* options_at);
  Status ParseOptions(size_t at);
  Status ParseSearchOption(size_t* at, bool* known);
  Status CheckOptions() const;
  Status CenterOnMember(std::string_view member);
  Status Collect();
  void Sort();
  void Reply();
  Status Store();
  std::string_view arg(size_t i) const { return ctx_.arg(i); }

  CommandContext& ctx_;
  storage::ReadView& view_;
  const Form form_;
  const bool may_store_;
  RecordPtr record_;  // null: there is none
  SearchOptions options_;
  std::vector<Found> found_;
};

Status Search::CenterOnMember(std::string_view member) {
  std::optional<double> score;
  BASALT_RETURN_IF_ERROR(PositionOf(view_, record_, member, &score));
  if (!score) return Status::Message("ERR could not decode requested zset member");
  options_.shape.center = DecodeGeoScore(*score);
  return Ok();
}

// What stands before the options.
Status Search::ParseBeginning(size_t* options_at) {
  switch (form_) {
    case Form::kRadius:
      *options_at = 6;
      BASALT_RETURN_IF_ERROR(ParsePoint(arg(2), arg(3), &options_.shape.center));
      return ParseRadius(arg(4), arg(5), &options_.shape);
    case Form::kRadiusByMember:
      *options_at = 5;
      if (record_ == nullptr) return Ok();  // the options are looked at nevertheless
      BASALT_RETURN_IF_ERROR(CenterOnMember(arg(2)));
      return ParseRadius(arg(3), arg(4), &options_.shape);
    case Form::kSearch:
      *options_at = 2;
      return Ok();
    case Form::kSearchStore:
      *options_at = 3;
      options_.store_at = 1;
      return Ok();
  }
  return Ok();
}

// Options that only GEOSEARCH and GEOSEARCHSTORE have.
Status Search::ParseSearchOption(size_t* at, bool* known) {
  const std::string_view word = arg(*at);
  const size_t left = ctx_.argc() - *at - 1;
  *known = true;
  if (EqualsIgnoreCase(word, "storedist") && form_ == Form::kSearchStore) {
    options_.store_distance = true;
  } else if (EqualsIgnoreCase(word, "frommember") && left >= 1 && !options_.from_point) {
    options_.from_member = true;
    ++*at;
    if (record_ != nullptr) return CenterOnMember(arg(*at));
  } else if (EqualsIgnoreCase(word, "fromlonlat") && left >= 2 && !options_.from_member) {
    options_.from_point = true;
    *at += 2;
    return ParsePoint(arg(*at - 1), arg(*at), &options_.shape.center);
  } else if (EqualsIgnoreCase(word, "byradius") && left >= 2 && !options_.by_box) {
    options_.by_radius = true;
    *at += 2;
    return ParseRadius(arg(*at - 1), arg(*at), &options_.shape);
  } else if (EqualsIgnoreCase(word, "bybox") && left >= 3 && !options_.by_radius) {
    options_.by_box = true;
    *at += 3;
    return ParseBox(arg(*at - 2), arg(*at - 1), arg(*at), &options_.shape);
  } else {
    *known = false;
  }
  return Ok();
}

Status Search::ParseOptions(size_t at) {
  for (; at < ctx_.argc(); ++at) {
    const std::string_view word = arg(at);
    const bool has_value = at + 1 < ctx_.argc();
    const bool store_distance = EqualsIgnoreCase(word, "storedist");
    if (EqualsIgnoreCase(word, "withdist")) {
      options_.with_distance = true;
    } else if (EqualsIgnoreCase(word, "withhash")) {
      options_.with_hash = true;
    } else if (EqualsIgnoreCase(word, "withcoord")) {
      options_.with_coordinates = true;
    } else if (EqualsIgnoreCase(word, "any")) {
      options_.any = true;
    } else if (EqualsIgnoreCase(word, "asc")) {
      options_.sort = SearchOptions::Sort::kAscending;
    } else if (EqualsIgnoreCase(word, "desc")) {
      options_.sort = SearchOptions::Sort::kDescending;
    } else if (EqualsIgnoreCase(word, "count") && has_value) {
      if (!ParseInteger(arg(++at), &options_.count)) return ErrorCode::kNotInteger;
      if (options_.count <= 0) return Status::Message("ERR COUNT must be > 0");
    } else if ((store_distance || EqualsIgnoreCase(word, "store")) && has_value && may_store_ && !searches()) {
      options_.store_at = ++at;
      options_.store_distance = store_distance;
    } else {
      bool known = false;
      if (searches()) BASALT_RETURN_IF_ERROR(ParseSearchOption(&at, &known));
      if (!known) return ErrorCode::kSyntax;
    }
  }
  return Ok();
}

Status Search::CheckOptions() const {
  if (options_.store_at != 0 && (options_.with_distance || options_.with_hash || options_.with_coordinates)) {
    const std::string_view what = form_ == Form::kSearchStore ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS";
    return Status::Message("ERR " + std::string(what) +
                           " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
  }
  const std::string name(arg(0));
  if (searches() && !options_.from_member && !options_.from_point) {
    return Status::Message("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name);
  }
  if (searches() && !options_.by_radius && !options_.by_box) {
    return Status::Message("ERR exactly one of BYRADIUS and BYBOX can be specified for " + name);
  }
  if (options_.any && options_.count == 0) return Status::Message("ERR the ANY argument requires COUNT argument");
  return Ok();
}

Status Search::Collect() {
  const uint64_t enough = options_.any ? static_cast<uint64_t>(options_.count) : UINT64_MAX;
  const GeoCells cells = CellsOf(options_.shape);
  for (size_t i = 0; i < cells.count && found_.size() < enough; ++i) {
    storage::ZsetRange range =
        storage::ZsetRange::Scores(static_cast<double>(cells.ranges[i].min), static_cast<double>(cells.ranges[i].max));
    range.max_open = true;
    BASALT_RETURN_IF_ERROR(ZsetStore::Visit(view_, *record_, range, storage::ScanOrder::kForward, 0, UINT64_MAX,
                                            [&](double score, std::string_view member) {
                                              const GeoPoint point = DecodeGeoScore(score);
                                              double distance;
                                              if (options_.shape.Contains(point, &distance)) {
                                                found_.push_back({point, distance, score, std::string(member)});
                                              }
                                              return found_.size() < enough;
                                            }));
  }
  return Ok();
}

void Search::Sort() {
  using Order = SearchOptions::Sort;
  // Only the nearest of all can be meant by a count.
  if (options_.count != 0 && options_.sort == Order::kNone && !options_.any) options_.sort = Order::kAscending;
  const size_t kept =
      options_.count == 0 ? found_.size() : std::min<size_t>(found_.size(), static_cast<size_t>(options_.count));
  const auto before = [&](const Found& a, const Found& b) {
    return options_.sort == Order::kAscending ? a.distance < b.distance : a.distance > b.distance;
  };
  if (options_.sort != Order::kNone) {
    if (kept == found_.size()) {
      std::stable_sort(found_.begin(), found_.end(), before);
    } else {
      std::partial_sort(found_.begin(), found_.begin() + static_cast<ptrdiff_t>(kept), found_.end(), before);
    }
  }
  found_.erase(found_.begin() + static_cast<ptrdiff_t>(kept), found_.end());
}

void Search::Reply() {
  net::ReplyBuilder& reply = ctx_.reply;
  const int details = options_.with_distance + options_.with_hash + options_.with_coordinates;
  reply.Array(found_.size());
  for (const Found& each : found_) {
    if (details > 0) reply.Array(static_cast<uint64_t>(details) + 1);
    reply.Bulk(each.member);
    if (options_.with_distance) ReplyDistance(reply, each.distance / options_.shape.unit);
    if (options_.with_hash) reply.Integer(static_cast<int64_t>(each.score));
    if (options_.with_coordinates) ReplyPoint(reply, each.point);
  }
}

Status Search::Store() {
  const storage::HashedKey target = ctx_.key(options_.store_at);
  RecordPtr old;
  const storage::Status status = ctx_.txn().GetRecord(ctx_.db(), target, &old);
  if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
  storage::ZsetWriter writer(ctx_.txn(), found_.size());
  for (const Found& each : found_) {
    const double score = options_.store_distance ? each.distance / options_.shape.unit : each.score;
    BASALT_RETURN_IF_ERROR(writer.Add(score, each.member));
  }
  const storage::Encoding encoding =
      ZsetStore::EncodingOf(writer.count(), writer.longest_member_bytes(), LimitsOf(ctx_));
  BASALT_RETURN_IF_ERROR(writer.Finish(ctx_.db(), target, encoding, storage::kNoExpire));
  const std::string_view event = form_ == Form::kSearchStore ? "geosearchstore" : "georadiusstore";
  NotifyStored(ctx_, kEventZset, event, target.key, found_.size());
  ctx_.reply.Integer(static_cast<int64_t>(found_.size()));
  return Ok();
}

Status Search::Run() {
  BASALT_RETURN_IF_ERROR(FindPositions(ctx_, view_, form_ == Form::kSearchStore ? 2 : 1, &record_));
  size_t options_at = 0;
  BASALT_RETURN_IF_ERROR(ParseBeginning(&options_at));
  BASALT_RETURN_IF_ERROR(ParseOptions(options_at));
  BASALT_RETURN_IF_ERROR(CheckOptions());
  if (record_ != nullptr) {
    BASALT_RETURN_IF_ERROR(Collect());
    Sort();
  }
  if (options_.store_at != 0) return Store();
  Reply();
  return Ok();
}

Status GeoRadius(CommandContext& ctx) { return Search(ctx, Form::kRadius, true).Run(); }
Status GeoRadiusRo(CommandContext& ctx) { return Search(ctx, Form::kRadius, false).Run(); }
Status GeoRadiusByMember(CommandContext& ctx) { return Search(ctx, Form::kRadiusByMember, true).Run(); }
Status GeoRadiusByMemberRo(CommandContext& ctx) { return Search(ctx, Form::kRadiusByMember, false).Run(); }
Status GeoSearch(CommandContext& ctx) { return Search(ctx, Form::kSearch, false).Run(); }
Status GeoSearchStore(CommandContext& ctx) { return Search(ctx, Form::kSearchStore, true).Run(); }

// ---- rows ----

// The set, and the target of the last STORE or STOREDIST, which is the one that counts.
bool RadiusKeys(std::span<const std::string_view> argv, void* out) {
  auto& keys = *static_cast<KeyPositions*>(out);
  keys.Add(1, kKeyRO | kKeyAccess);
  size_t store_at = 0;
  for (size_t i = 5; i + 1 < argv.size(); ++i) {
    if (EqualsIgnoreCase(argv[i], "STORE") || EqualsIgnoreCase(argv[i], "STOREDIST")) store_at = ++i;
  }
  if (store_at != 0) keys.Add(static_cast<uint32_t>(store_at), kKeyOW | kKeyUpdate);
  return true;
}

constexpr KeySpec StoreKey(std::string_view keyword, int16_t from) {
  return {.flags = kKeyOW | kKeyUpdate,
          .begin = KeySpec::Begin::kKeyword,
          .index = from,
          .keyword = keyword,
          .find = KeySpec::Find::kRange,
          .last_key = 0,
          .step = 1};
}

constexpr CommandHistory kAddHistory[] = {{"6.2.0", "Added the `CH`, `NX` and `XX` options."}};
constexpr CommandHistory kUnitHistory[] = {{"7.0.0", "Added support for uppercase unit names."}};
constexpr CommandHistory kAnyHistory[] = {{"6.2.0", "Added the `ANY` option for `COUNT`."}};
constexpr CommandHistory kAnyUnitHistory[] = {{"6.2.0", "Added the `ANY` option for `COUNT`."},
                                              {"7.0.0", "Added support for uppercase unit names."}};

constexpr std::string_view kComplexity =
    "O(N+log(M)), N positions in the cells around the area that is searched, M in the whole set.";

constexpr CommandSpec kGeoCommands[] = {
    {.name = "geoadd",
     .arity = -5,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRW | kKeyUpdate)},
     .syntax = "key [NX | XX] [CH] (longitude:double latitude:double member)…",
     .since = "3.2.0",
     .complexity = "O(log(N)) for each position, N in the set.",
     .summary = "Adds positions to a sorted set, or moves them.",
     .handler = GeoAdd,
     .history = kAddHistory},
    {.name = "geodist",
     .arity = -4,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key member1 member2 [M | KM | FT | MI]",
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Answers how far two members are from each other.",
     .handler = GeoDist},
    {.name = "geohash",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key [member…]",
     .since = "3.2.0",
     .complexity = "O(1) for each member.",
     .summary = "Answers the geohashes of members.",
     .handler = GeoHash},
    {.name = "geopos",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key [member…]",
     .since = "3.2.0",
     .complexity = "O(1) for each member.",
     .summary = "Answers longitude and latitude of members.",
     .handler = GeoPos},
    {.name = "georadius",
     .arity = -6,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess), StoreKey("STORE", 6), StoreKey("STOREDIST", 6)},
     .syntax =
         "key longitude:double latitude:double radius:double (M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] "
         "[COUNT count:integer [ANY]] [ASC | DESC] [STORE storekey=key | STOREDIST storedistkey=key]",
     .since = "3.2.0",
     .complexity = kComplexity,
     .summary = "Answers or stores the members within a distance of a point.",
     .handler = GeoRadius,
     .history = kAnyUnitHistory,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
     .get_keys = RadiusKeys},
    {.name = "georadius_ro",
     .arity = -6,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax =
         "key longitude:double latitude:double radius:double (M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] "
         "[COUNT count:integer [ANY]] [ASC | DESC]",
     .since = "3.2.10",
     .complexity = kComplexity,
     .summary = "Answers the members within a distance of a point.",
     .handler = GeoRadiusRo,
     .history = kAnyHistory,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` with the `BYRADIUS` argument"},
    {.name = "georadiusbymember",
     .arity = -5,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess), StoreKey("STORE", 5), StoreKey("STOREDIST", 5)},
     .syntax = "key member radius:double (M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] "
               "[COUNT count:integer [ANY]] [ASC | DESC] [STORE storekey=key | STOREDIST storedistkey=key]",
     .since = "3.2.0",
     .complexity = kComplexity,
     .summary = "Answers or stores the members within a distance of a member.",
     .handler = GeoRadiusByMember,
     .history = kUnitHistory,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
     .get_keys = RadiusKeys},
    {.name = "georadiusbymember_ro",
     .arity = -5,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key member radius:double (M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] "
               "[COUNT count:integer [ANY]] [ASC | DESC]",
     .since = "3.2.10",
     .complexity = kComplexity,
     .summary = "Answers the members within a distance of a member.",
     .handler = GeoRadiusByMemberRo,
     .doc_flags = "deprecated",
     .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"},
    {.name = "geosearch",
     .arity = -7,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key (FROMMEMBER member | FROMLONLAT longitude:double latitude:double) "
               "(BYRADIUS radius:double (M | KM | FT | MI) | BYBOX width:double height:double (M | KM | FT | MI)) "
               "[ASC | DESC] [COUNT count:integer [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
     .since = "6.2.0",
     .complexity = kComplexity,
     .summary = "Answers the members within a circle or a box.",
     .handler = GeoSearch,
     .history = kUnitHistory},
    {.name = "geosearchstore",
     .arity = -8,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kGeo,
     .keys = {KeySpec::One(kKeyOW | kKeyUpdate, 1), KeySpec::One(kKeyRO | kKeyAccess, 2)},
     .syntax = "destination:key source:key (FROMMEMBER member | FROMLONLAT longitude:double latitude:double) "
               "(BYRADIUS radius:double (M | KM | FT | MI) | BYBOX width:double height:double (M | KM | FT | MI)) "
               "[ASC | DESC] [COUNT count:integer [ANY]] [STOREDIST]",
     .since = "6.2.0",
     .complexity = kComplexity,
     .summary = "Stores the members within a circle or a box as a sorted set.",
     .handler = GeoSearchStore,
     .history = kUnitHistory},
};

}  // namespace

std::span<const CommandSpec> GeoCommands() { return kGeoCommands; }

}  // namespace basalt
