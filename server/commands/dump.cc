// DUMP and RESTORE: values in Redis' own serialized form (storage/rdb_format.h).

#include <memory>
#include <optional>

#include "server/acl/categories.h"
#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/commands/tell_value.h"
#include "server/config_table.h"
#include "storage/collection.h"
#include "storage/rdb_reader.h"
#include "storage/rdb_writer.h"
#include "storage/value_loader.h"

namespace basalt {
namespace {

using storage::HashedKey;
using storage::RecordPtr;

// In the fast lane, a value of more elements or a payload of more bytes would hold up others.
constexpr uint64_t kFastLaneElementsMax = kFastLaneKeysMax;
constexpr uint64_t kFastLanePayloadMax = 16 * 1024;

Status Dump(CommandContext& ctx) {
  RecordPtr record;
  const storage::Status found = LookupKey(ctx, ctx.view(), ctx.key(1), &record);
  if (found == storage::Status::kNotFound) {
    ctx.reply.Null();
    return Ok();
  }
  BASALT_RETURN_IF_ERROR(found);
  if (record->header().object_id != 0 && !ctx.in_slow_lane()) {
    const bool few = record->type() != storage::ValueType::kString && record->type() != storage::ValueType::kStream &&
                     storage::ElementCount(*record) <= kFastLaneElementsMax;
    if (!few) return ErrorCode::kNeedSlowLane;
  }
  const ConfigSnapshot& config = ctx.services.config.current();
  storage::RdbWriter writer({.list_max_listpack_size = config.list_max_listpack_size,
                             .stream_node_max_bytes = config.stream_node_max_bytes,
                             .stream_node_max_entries = config.stream_node_max_entries,
                             .bytes_max = ctx.services.storage.string_bytes_max()});
  const storage::Status told = TellWithoutUse(ctx.view(), ctx.db(), ctx.key(1), &writer);
  if (told == storage::Status::kNotFound) {  // a hash whose last fields have expired
    ctx.reply.Null();
    return Ok();
  }
  BASALT_RETURN_IF_ERROR(told);
  const auto payload = std::make_shared<const std::string>(writer.TakePayload());
  ctx.reply.BulkPinned(*payload, payload);
  return Ok();
}

struct RestoreOptions {
  bool replace = false;
  bool absolute_ttl = false;
  std::optional<int64_t> idle_seconds;
  std::optional<int64_t> frequency;
};

Status ParseRestoreOptions(const CommandContext& ctx, RestoreOptions* options) {
  for (size_t i = 4; i < ctx.argc(); ++i) {
    const std::string_view word = ctx.arg(i);
    const bool has_value = i + 1 < ctx.argc();
    int64_t value = 0;
    if (EqualsIgnoreCase(word, "replace")) {
      options->replace = true;
    } else if (EqualsIgnoreCase(word, "absttl")) {
      options->absolute_ttl = true;
    } else if (EqualsIgnoreCase(word, "idletime") && has_value && !options->frequency) {
      if (!ParseInteger(ctx.arg(++i), &value)) return ErrorCode::kNotInteger;
      if (value < 0) return Status::Message("ERR Invalid IDLETIME value, must be >= 0");
      options->idle_seconds = value;
    } else if (EqualsIgnoreCase(word, "freq") && has_value && !options->idle_seconds) {
      if (!ParseInteger(ctx.arg(++i), &value)) return ErrorCode::kNotInteger;
      if (value < 0 || value > 255) return Status::Message("ERR Invalid FREQ value, must be >= 0 and <= 255");
      options->frequency = value;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return Ok();
}

storage::ValueLimits ValueLimitsOf(const ConfigSnapshot& config) {
  const auto limit = [](int64_t value) { return static_cast<uint64_t>(value); };
  return {.hash = {.listpack_entries = limit(config.hash_max_listpack_entries),
                   .listpack_value = limit(config.hash_max_listpack_value)},
          .set = {.intset_entries = limit(config.set_max_intset_entries),
                  .listpack_entries = limit(config.set_max_listpack_entries),
                  .listpack_value = limit(config.set_max_listpack_value)},
          .zset = {.listpack_entries_max = limit(config.zset_max_listpack_entries),
                   .listpack_value_max = limit(config.zset_max_listpack_value)},
          .list_max_listpack_size = config.list_max_listpack_size,
          .stream = {.entries_max = limit(config.stream_node_max_entries),
                     .bytes_max = limit(config.stream_node_max_bytes)}};
}

// Tells the record cache, once the key is there, how long it has been idle or how often it was used.
class AccessSetter : public storage::CommitParticipant {
 public:
  AccessSetter(CommandContext& ctx, const RestoreOptions& options)
      : storage_(ctx.services.storage),
        db_(ctx.db()),
        key_(ctx.arg(1)),
        options_(options),
        row_operations_(ctx.txn().RowOperations()) {}
  void OnCommitted(uint64_t) override {
    const bool lfu = options_.frequency.has_value();
    storage_.SetAccess(db_, storage_.Hash(key_),
                       lfu ? std::nullopt : std::optional<uint64_t>(static_cast<uint64_t>(*options_.idle_seconds)),
                       lfu ? std::optional<uint8_t>(static_cast<uint8_t>(*options_.frequency)) : std::nullopt);
  }
  void OnDropped() override {}
  // Stays when it is a later command of the group that is rolled back.
  bool OnRolledBack(size_t row_operations) override { return row_operations >= row_operations_; }

 private:
  storage::Storage& storage_;
  const storage::DbIndex db_;
  const std::string key_;
  const RestoreOptions options_;
  const size_t row_operations_;  // of the group, with those of the RESTORE
};

// A value that is only looked at: for a payload whose time to live is over, which must be sound all the same.
class NoSink : public storage::ValueSink {
 public:
  using Status = storage::Status;
  Status String(std::string_view) override { return Status::kOk; }
  Status Begin(storage::ValueType, storage::Encoding, uint64_t) override { return Status::kOk; }
  Status Element(std::string_view) override { return Status::kOk; }
  Status Scored(std::string_view, double) override { return Status::kOk; }
  Status Field(std::string_view, std::string_view) override { return Status::kOk; }
  Status Entry(storage::StreamId, std::span<const std::string_view>) override { return Status::kOk; }
  Status Facts(const StreamFacts&) override { return Status::kOk; }
  Status Group(const GroupFacts&) override { return Status::kOk; }
  Status Consumer(const ConsumerFacts&) override { return Status::kOk; }
  Status Pending(storage::StreamId, int64_t, uint64_t) override { return Status::kOk; }
  Status End() override { return Status::kOk; }
};

Status Restore(CommandContext& ctx) {
  RestoreOptions options;
  BASALT_RETURN_IF_ERROR(ParseRestoreOptions(ctx, &options));
  const HashedKey key = ctx.key(1);
  RecordPtr old;
  const storage::Status found = ctx.txn().GetRecord(ctx.db(), key, &old);
  if (found != storage::Status::kOk && found != storage::Status::kNotFound) return found;
  if (found == storage::Status::kOk && !options.replace)
    return Status::Message("BUSYKEY Target key name already exists.");
  int64_t ttl = 0;
  if (!ParseInteger(ctx.arg(2), &ttl)) return ErrorCode::kNotInteger;
  if (ttl < 0) return Status::Message("ERR Invalid TTL value, must be >= 0");

  const std::string_view payload = ctx.arg(3);
  if (payload.size() > kFastLanePayloadMax && !ctx.in_slow_lane()) return ErrorCode::kNeedSlowLane;
  if (storage::VerifyRdbPayload(payload, storage::RdbChecksum::kChecked) != storage::Status::kOk) {
    return Status::Message("ERR DUMP payload version or checksum are wrong");
  }

  int64_t expire_ms = ttl == 0 ? storage::kNoExpire : ttl;
  if (ttl != 0 && !options.absolute_ttl && __builtin_add_overflow(ttl, ctx.now_ms(), &expire_ms)) {
    return Status::Message("ERR Invalid TTL value, must be >= 0");
  }
  storage::Status status;
  const bool expired = ttl != 0 && expire_ms <= ctx.now_ms();
  if (expired) {
    NoSink sink;
    status = storage::ReadRdbPayload(payload, &sink);
    if (status == storage::Status::kOk && found == storage::Status::kOk) ctx.txn().Erase(ctx.db(), key);
  } else {
    storage::ValueLoader loader(ctx.txn(), ctx.db(), key, expire_ms, ValueLimitsOf(ctx.services.config.current()));
    status = storage::ReadRdbPayload(payload, &loader);
  }
  if (status == storage::Status::kInvalid) return Status::Message("ERR Bad data format");
  BASALT_RETURN_IF_ERROR(status);
  if (!expired && (options.idle_seconds || options.frequency)) {
    ctx.txn().Enlist(std::make_shared<AccessSetter>(ctx, options));
  }
  if (!expired) {
    NotifyKey(ctx, kEventNew, "new", key.key);  // also when something was replaced
    NotifyKey(ctx, kEventGeneric, "restore", key.key);
  } else if (found == storage::Status::kOk) {
    NotifyKey(ctx, kEventGeneric, "del", key.key);
  }
  ctx.reply.Ok();
  return Ok();
}

// ---- rows ----

constexpr CommandHistory kRestoreHistory[] = {
    {"3.0.0", "Added the `REPLACE` modifier."},
    {"5.0.0", "Added the `ABSTTL` modifier."},
    {"5.0.0", "Added the `IDLETIME` and `FREQ` options."},
};

constexpr std::string_view kRestoreSyntax =
    "key ttl:integer serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds:integer] [FREQ frequency:integer]";
constexpr std::string_view kRestoreComplexity = "O(N*M) for N elements of average size M; sorted sets O(N*M*log(N)).";

constexpr CommandSpec kDumpCommands[] = {
    {.name = "dump",
     .arity = 2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess)},
     .syntax = "key",
     .since = "2.6.0",
     .complexity = "O(1) to find the key, O(N*M) to serialize N elements of average size M.",
     .summary = "Answers the value of a key in a form that RESTORE takes, here and in Redis.",
     .handler = Dump,
     .acl_categories = kAclKeyspace,
     .tips = {"nondeterministic_output"}},
    {.name = "restore",
     .arity = -4,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyOW | kKeyUpdate)},
     .syntax = kRestoreSyntax,
     .since = "2.6.0",
     .complexity = kRestoreComplexity,
     .summary = "Makes a key from what DUMP answered.",
     .handler = Restore,
     .acl_categories = kAclKeyspace | kAclDangerous,
     .history = kRestoreHistory},
    {.name = "restore-asking",
     .arity = -4,
     .flags = kCmdWrite | kCmdDenyOom | kCmdAsking,
     .group = CommandGroup::kServer,
     .keys = {KeySpec::One(kKeyOW | kKeyUpdate)},
     .syntax = kRestoreSyntax,
     .since = "3.0.0",
     .complexity = kRestoreComplexity,
     .summary = "As RESTORE; nodes of a cluster send it to each other.",
     .handler = Restore,
     .acl_categories = kAclKeyspace | kAclDangerous,
     .history = kRestoreHistory,
     .doc_flags = "syscmd"},
};

}  // namespace

std::span<const CommandSpec> DumpCommands() { return kDumpCommands; }

}  // namespace basalt
