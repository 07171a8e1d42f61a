// COMMAND and its subcommands: what the table says of itself.
#include <algorithm>
#include <functional>

#include "server/command_context.h"
#include "server/command_syntax.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/help.h"

namespace basalt {

namespace {

struct FlagName {
  uint64_t flag;
  std::string_view name;
};

// In Redis' order; flags that Redis keeps to itself are not named.
constexpr FlagName kFlagNames[] = {
    {kCmdWrite, "write"},
    {kCmdReadonly, "readonly"},
    {kCmdDenyOom, "denyoom"},
    {kCmdAdmin, "admin"},
    {kCmdPubsub, "pubsub"},
    {kCmdNoScript, "noscript"},
    {kCmdBlocking, "blocking"},
    {kCmdLoading, "loading"},
    {kCmdStale, "stale"},
    {kCmdSkipMonitor, "skip_monitor"},
    {kCmdSkipSlowlog, "skip_slowlog"},
    {kCmdAsking, "asking"},
    {kCmdFast, "fast"},
    {kCmdNoAuth, "no_auth"},
    {kCmdNoMandatoryKeys, "no_mandatory_keys"},
    {kCmdNoAsyncLoading, "no_async_loading"},
    {kCmdNoMulti, "no_multi"},
};
constexpr FlagName kFlagNamesAfterMovableKeys[] = {{kCmdAllowBusy, "allow_busy"}};
constexpr FlagName kKeyFlagNames[] = {
    {kKeyRO, "RO"},
    {kKeyRW, "RW"},
    {kKeyOW, "OW"},
    {kKeyRM, "RM"},
    {kKeyAccess, "access"},
    {kKeyUpdate, "update"},
    {kKeyInsert, "insert"},
    {kKeyDelete, "delete"},
    {kKeyNotKey, "not_key"},
    {kKeyIncomplete, "incomplete"},
    {kKeyVariableFlags, "variable_flags"},
};

void WriteNames(net::ReplyBuilder& reply, const std::vector<std::string_view>& names) {
  reply.Set(names.size());
  for (const std::string_view name : names) reply.Simple(name);
}

void CollectNames(uint64_t flags, std::span<const FlagName> table, std::vector<std::string_view>* names) {
  for (const FlagName& entry : table) {
    if (flags & entry.flag) names->push_back(entry.name);
  }
}

void WriteKeyFlags(net::ReplyBuilder& reply, uint32_t flags) {
  std::vector<std::string_view> names;
  CollectNames(flags, kKeyFlagNames, &names);
  WriteNames(reply, names);
}

size_t KeySpecCount(const CommandSpec& spec) {
  return static_cast<size_t>(std::count_if(spec.keys.begin(), spec.keys.end(),
                                           [](const KeySpec& key) { return key.begin != KeySpec::Begin::kNone; }));
}

void WriteUnknownSpec(net::ReplyBuilder& reply) {
  reply.Bulk("unknown");
  reply.Bulk("spec");
  reply.Map(0);
}

void WriteKeySpec(net::ReplyBuilder& reply, const KeySpec& key) {
  reply.Map(key.notes.empty() ? 3 : 4);
  if (!key.notes.empty()) {
    reply.Bulk("notes");
    reply.Bulk(key.notes);
  }
  reply.Bulk("flags");
  WriteKeyFlags(reply, key.flags);
  reply.Bulk("begin_search");
  reply.Map(2);
  reply.Bulk("type");
  if (key.begin == KeySpec::Begin::kIndex) {
    reply.Bulk("index");
    reply.Bulk("spec");
    reply.Map(1);
    reply.Bulk("index");
    reply.Integer(key.index);
  } else if (key.begin == KeySpec::Begin::kUnknown) {
    WriteUnknownSpec(reply);
    reply.Bulk("find_keys");
    reply.Map(2);
    reply.Bulk("type");
    WriteUnknownSpec(reply);
    return;
  } else {
    reply.Bulk("keyword");
    reply.Bulk("spec");
    reply.Map(2);
    reply.Bulk("keyword");
    reply.Bulk(key.keyword);
    reply.Bulk("startfrom");
    reply.Integer(key.index);
  }
  reply.Bulk("find_keys");
  reply.Map(2);
  reply.Bulk("type");
  const bool range = key.find == KeySpec::Find::kRange;
  reply.Bulk(range ? "range" : "keynum");
  reply.Bulk("spec");
  reply.Map(3);
  reply.Bulk(range ? "lastkey" : "keynumidx");
  reply.Integer(key.last_key);
  if (range) {
    reply.Bulk("keystep");
    reply.Integer(key.step);
    reply.Bulk("limit");
    reply.Integer(key.limit);
  } else {
    reply.Bulk("firstkey");
    reply.Integer(key.first_key);
    reply.Bulk("keystep");
    reply.Integer(key.step);
  }
}

void WriteTips(net::ReplyBuilder& reply, const CommandSpec& spec) {
  std::vector<std::string_view> tips;
  for (const std::string_view tip : spec.tips) {
    if (!tip.empty()) tips.push_back(tip);
  }
  reply.Set(tips.size());
  for (const std::string_view tip : tips) reply.Bulk(tip);
}

// COMMAND INFO's ten fields.
void WriteInfo(net::ReplyBuilder& reply, const Command& command) {
  const CommandSpec& spec = *command.spec;
  reply.Array(10);
  reply.Bulk(spec.name);
  reply.Integer(spec.arity);
  std::vector<std::string_view> names;
  CollectNames(spec.flags, kFlagNames, &names);
  if (command.movable_keys) names.push_back("movablekeys");
  CollectNames(spec.flags, kFlagNamesAfterMovableKeys, &names);
  WriteNames(reply, names);
  reply.Integer(command.first_key);
  reply.Integer(command.last_key);
  reply.Integer(command.key_step);

  std::vector<std::string> categories;
  for (const AclCategoryName& category : AclCategories()) {
    if (command.acl_categories & category.bit) categories.push_back('@' + std::string(category.name));
  }
  reply.Set(categories.size());
  for (const std::string& category : categories) reply.Simple(category);
  WriteTips(reply, spec);
  reply.Set(KeySpecCount(spec));
  for (const KeySpec& key : spec.keys) {
    if (key.begin != KeySpec::Begin::kNone) WriteKeySpec(reply, key);
  }
  if (command.is_container())
    reply.Array(command.subcommands.size());
  else
    reply.Set(0);
  for (const Command* subcommand : command.subcommands) WriteInfo(reply, *subcommand);
}

void WriteArguments(net::ReplyBuilder& reply, const std::vector<SyntaxArgument>& arguments) {
  reply.Array(arguments.size());
  for (const SyntaxArgument& argument : arguments) {
    const bool nested = argument.type == SyntaxArgument::Type::kOneOf || argument.type == SyntaxArgument::Type::kBlock;
    std::vector<std::string_view> flags;
    if (argument.optional) flags.push_back("optional");
    if (argument.multiple) flags.push_back("multiple");
    if (argument.multiple_token) flags.push_back("multiple_token");
    reply.Map(3 + (argument.key_spec_index >= 0) + !argument.token.empty() + !flags.empty());
    reply.Bulk("name");
    reply.Bulk(argument.name);
    reply.Bulk("type");
    reply.Bulk(TypeName(argument.type));
    if (!nested) {
      reply.Bulk("display_text");
      reply.Bulk(argument.shown.empty() ? argument.name : argument.shown);
    }
    if (argument.key_spec_index >= 0) {
      reply.Bulk("key_spec_index");
      reply.Integer(argument.key_spec_index);
    }
    if (!argument.token.empty()) {
      reply.Bulk("token");
      reply.Bulk(argument.token);
    }
    if (!flags.empty()) {
      reply.Bulk("flags");
      WriteNames(reply, flags);
    }
    if (nested) {
      reply.Bulk("arguments");
      WriteArguments(reply, argument.arguments);
    }
  }
}

void WriteDocs(net::ReplyBuilder& reply, const Command& command) {
  const CommandSpec& spec = *command.spec;
  const auto arguments = ParseSyntax(spec.syntax, KeySpecCount(spec));
  const bool has_arguments = arguments && !arguments->empty();
  reply.Map(2u + !spec.since.empty() + !spec.complexity.empty() + !spec.doc_flags.empty() +
            !spec.deprecated_since.empty() + !spec.replaced_by.empty() + !spec.history.empty() + has_arguments +
            command.is_container());
  const auto text = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    reply.Bulk(name);
    reply.Bulk(value);
  };
  reply.Bulk("summary");
  reply.Bulk(spec.summary);
  text("since", spec.since);
  text("group", GroupName(spec.group));
  text("complexity", spec.complexity);
  if (!spec.doc_flags.empty()) {
    reply.Bulk("doc_flags");
    WriteNames(reply, {spec.doc_flags});
  }
  text("deprecated_since", spec.deprecated_since);
  text("replaced_by", spec.replaced_by);
  if (!spec.history.empty()) {
    reply.Bulk("history");
    reply.Set(spec.history.size());
    for (const CommandHistory& entry : spec.history) {
      reply.Array(2);
      reply.Bulk(entry.version);
      reply.Bulk(entry.change);
    }
  }
  if (has_arguments) {
    reply.Bulk("arguments");
    WriteArguments(reply, *arguments);
  }
  if (command.is_container()) {
    reply.Bulk("subcommands");
    reply.Map(command.subcommands.size());
    for (const Command* subcommand : command.subcommands) {
      reply.Bulk(subcommand->name());
      WriteDocs(reply, *subcommand);
    }
  }
}

Status CommandAll(CommandContext& ctx) {
  const auto& commands = ctx.services.commands.top_level();
  ctx.reply.Array(commands.size());
  for (const Command* command : commands) WriteInfo(ctx.reply, *command);
  return Ok();
}

Status Count(CommandContext& ctx) {
  ctx.reply.Integer(static_cast<int64_t>(ctx.services.commands.top_level().size()));
  return Ok();
}

Status Info(CommandContext& ctx) {
  if (ctx.argc() == 2) return CommandAll(ctx);
  ctx.reply.Array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) {
    const Command* command = ctx.services.commands.FindFullName(ctx.arg(i));
    if (command != nullptr)
      WriteInfo(ctx.reply, *command);
    else
      ctx.reply.Null();
  }
  return Ok();
}

Status Docs(CommandContext& ctx) {
  std::vector<const Command*> commands;
  for (size_t i = 2; i < ctx.argc(); ++i) {
    if (const Command* command = ctx.services.commands.FindFullName(ctx.arg(i))) commands.push_back(command);
  }
  if (ctx.argc() == 2) commands = ctx.services.commands.top_level();
  ctx.reply.Map(commands.size());
  for (const Command* command : commands) {
    ctx.reply.Bulk(command->name());
    WriteDocs(ctx.reply, *command);
  }
  return Ok();
}

using Filter = std::function<bool(const Command&)>;

Status ParseFilter(CommandContext& ctx, Filter* filter) {
  const std::string_view kind = ctx.arg(3), value = ctx.arg(4);
  if (EqualsIgnoreCase(kind, "module")) {
    *filter = [](const Command&) { return false; };  // no command comes from a module
  } else if (EqualsIgnoreCase(kind, "aclcat")) {
    *filter = [bit = AclCategoryByName(value)](const Command& command) { return (command.acl_categories & bit) != 0; };
  } else if (EqualsIgnoreCase(kind, "pattern")) {
    *filter = [value](const Command& command) { return GlobMatch(value, command.name(), true); };
  } else {
    return ErrorCode::kSyntax;
  }
  return Ok();
}

Status List(CommandContext& ctx) {
  std::vector<std::string_view> names;
  if (ctx.argc() == 2) {
    for (const Command& command : ctx.services.commands.all()) {
      if (command.can_be_called()) names.push_back(command.name());
    }
  } else if (ctx.argc() == 5 && EqualsIgnoreCase(ctx.arg(2), "filterby")) {
    Filter filter;
    BASALT_RETURN_IF_ERROR(ParseFilter(ctx, &filter));
    for (const Command& command : ctx.services.commands.all()) {
      if (command.can_be_called() && filter(command)) names.push_back(command.name());
    }
  } else {
    return ErrorCode::kSyntax;
  }
  ctx.reply.Array(names.size());  // not a set, although the order means nothing
  for (const std::string_view name : names) ctx.reply.Bulk(name);
  return Ok();
}

enum class WithFlags : uint8_t { kNo, kYes };

Status WriteKeysOf(CommandContext& ctx, WithFlags with_flags) {
  const std::span<const std::string_view> argv = ctx.argv.subspan(2);
  Status ignored;
  const Command* command = ctx.services.commands.Resolve(argv, &ignored);
  if (command == nullptr) return Status::Message("ERR Invalid command specified");
  const CommandSpec& spec = *command->spec;
  if (!CommandTable::HasKeys(spec)) return Status::Message("ERR The command has no key arguments");
  if (!CommandTable::CheckArity(spec, argv.size()).ok())
    return Status::Message("ERR Invalid number of arguments specified for command");
  KeyPositions keys;
  if (!CommandTable::Keys(spec, argv, &keys) || keys.empty()) {
    if (!spec.Has(kCmdNoMandatoryKeys)) return Status::Message("ERR Invalid arguments specified for command");
    ctx.reply.Array(0);
    return Ok();
  }
  ctx.reply.Array(keys.size());
  for (const KeyPosition& key : keys) {
    if (with_flags == WithFlags::kYes) ctx.reply.Array(2);
    ctx.reply.Bulk(argv[key.index]);
    if (with_flags == WithFlags::kYes) WriteKeyFlags(ctx.reply, KeyFlagsOfCall(spec, argv, key.flags));
  }
  return Ok();
}

Status GetKeys(CommandContext& ctx) { return WriteKeysOf(ctx, WithFlags::kNo); }
Status GetKeysAndFlags(CommandContext& ctx) { return WriteKeysOf(ctx, WithFlags::kYes); }

Status Help(CommandContext& ctx) {
  constexpr std::string_view kLines[] = {
      "(no subcommand)",
      "    What COMMAND INFO says, about every command.",
      "COUNT",
      "    How many commands there are.",
      "DOCS [<command> ...]",
      "    Documentation of all or some commands.",
      "GETKEYS <command> [<arg> ...]",
      "    The keys in a full command.",
      "GETKEYSANDFLAGS <command> [<arg> ...]",
      "    The keys in a full command, and what it does with each.",
      "INFO [<command> ...]",
      "    Arity, flags, keys and categories of all or some commands.",
      "LIST [FILTERBY (MODULE <module>|ACLCAT <category>|PATTERN <pattern>)]",
      "    The names of commands.",
  };
  return WriteHelp(ctx, kLines);
}

constexpr uint64_t kFlags = kCmdLoading | kCmdStale | kCmdSentinel;
constexpr CommandGroup kGroup = CommandGroup::kServer;

constexpr CommandSpec kCommands[] = {
    {.name = "command",
     .arity = -1,
     .flags = kFlags,
     .group = kGroup,
     .since = "2.8.13",
     .complexity = "O(N) where N is the total number of Redis commands",
     .summary = "Tells about every command.",
     .handler = CommandAll,
     .acl_categories = kAclConnection,
     .tips = {"nondeterministic_output_order"}},
    {.name = "command|count",
     .arity = 2,
     .flags = kFlags,
     .group = kGroup,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "How many commands there are.",
     .handler = Count,
     .acl_categories = kAclConnection},
    {.name = "command|docs",
     .arity = -2,
     .flags = kFlags,
     .group = kGroup,
     .syntax = "[command-name…]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of commands to look up",
     .summary = "Documentation of commands.",
     .handler = Docs,
     .acl_categories = kAclConnection,
     .tips = {"nondeterministic_output_order"}},
    {.name = "command|getkeys",
     .arity = -3,
     .flags = kFlags,
     .group = kGroup,
     .syntax = "command [arg…]",
     .since = "2.8.13",
     .complexity = "O(N) where N is the number of arguments to the command",
     .summary = "The keys in a full command.",
     .handler = GetKeys,
     .acl_categories = kAclConnection},
    {.name = "command|getkeysandflags",
     .arity = -3,
     .flags = kFlags,
     .group = kGroup,
     .syntax = "command [arg…]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of arguments to the command",
     .summary = "The keys in a full command, and what it does with each.",
     .handler = GetKeysAndFlags,
     .acl_categories = kAclConnection},
    {.name = "command|help",
     .arity = 2,
     .flags = kFlags,
     .group = kGroup,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = Help,
     .acl_categories = kAclConnection},
    {.name = "command|info",
     .arity = -2,
     .flags = kFlags,
     .group = kGroup,
     .syntax = "[command-name…]",
     .since = "2.8.13",
     .complexity = "O(N) where N is the number of commands to look up",
     .summary = "Arity, flags, keys and categories of commands.",
     .handler = Info,
     .acl_categories = kAclConnection,
     .tips = {"nondeterministic_output_order"}},
    {.name = "command|list",
     .arity = -2,
     .flags = kFlags,
     .group = kGroup,
     .syntax = "[FILTERBY (MODULE module-name | ACLCAT category | PATTERN pattern:pattern)]",
     .since = "7.0.0",
     .complexity = "O(N) where N is the total number of Redis commands",
     .summary = "The names of commands.",
     .handler = List,
     .acl_categories = kAclConnection,
     .tips = {"nondeterministic_output_order"}},
};

}  // namespace

std::span<const CommandSpec> CommandCommands() { return kCommands; }

}  // namespace basalt
