#include "server/acl/categories.h"

#include "server/command_context.h"

namespace basalt {

namespace {

constexpr AclCategoryName kCategories[] = {
    {kAclKeyspace, "keyspace"},
    {kAclRead, "read"},
    {kAclWrite, "write"},
    {kAclSet, "set"},
    {kAclSortedSet, "sortedset"},
    {kAclList, "list"},
    {kAclHash, "hash"},
    {kAclString, "string"},
    {kAclBitmap, "bitmap"},
    {kAclHyperloglog, "hyperloglog"},
    {kAclGeo, "geo"},
    {kAclStream, "stream"},
    {kAclPubsub, "pubsub"},
    {kAclAdmin, "admin"},
    {kAclFast, "fast"},
    {kAclSlow, "slow"},
    {kAclBlocking, "blocking"},
    {kAclDangerous, "dangerous"},
    {kAclConnection, "connection"},
    {kAclTransaction, "transaction"},
    {kAclScripting, "scripting"},
};

uint32_t CategoryOfGroup(CommandGroup group) {
  switch (group) {
    case CommandGroup::kGeneric:
      return kAclKeyspace;
    case CommandGroup::kString:
      return kAclString;
    case CommandGroup::kList:
      return kAclList;
    case CommandGroup::kSet:
      return kAclSet;
    case CommandGroup::kSortedSet:
      return kAclSortedSet;
    case CommandGroup::kHash:
      return kAclHash;
    case CommandGroup::kTransactions:
      return kAclTransaction;
    case CommandGroup::kConnection:
      return kAclConnection;
    case CommandGroup::kScripting:
      return kAclScripting;
    case CommandGroup::kHyperloglog:
      return kAclHyperloglog;
    case CommandGroup::kGeo:
      return kAclGeo;
    case CommandGroup::kStream:
      return kAclStream;
    case CommandGroup::kBitmap:
      return kAclBitmap;
    case CommandGroup::kPubsub:  // follows from the flag
    case CommandGroup::kServer:
    case CommandGroup::kCluster:
      return 0;
  }
  return 0;
}

}  // namespace

std::span<const AclCategoryName> AclCategories() { return kCategories; }

uint32_t AclCategoryByName(std::string_view name) {
  for (const AclCategoryName& category : kCategories) {
    if (EqualsIgnoreCase(category.name, name)) return category.bit;
  }
  return 0;
}

uint32_t AclCategoriesOf(const CommandSpec& spec) {
  uint32_t categories = spec.acl_categories & ~kAclNotOfGroup;
  // A container that only names its subcommands belongs to nothing.
  if (spec.handler != nullptr && (spec.acl_categories & kAclNotOfGroup) == 0) categories |= CategoryOfGroup(spec.group);
  if (spec.Has(kCmdWrite)) categories |= kAclWrite;
  if (spec.Has(kCmdReadonly) && (categories & kAclScripting) == 0) categories |= kAclRead;
  if (spec.Has(kCmdAdmin)) categories |= kAclAdmin | kAclDangerous;
  if (spec.Has(kCmdPubsub)) categories |= kAclPubsub;
  if (spec.Has(kCmdFast)) categories |= kAclFast;
  if (spec.Has(kCmdBlocking)) categories |= kAclBlocking;
  if ((categories & kAclFast) == 0) categories |= kAclSlow;
  return categories;
}

std::string_view GroupName(CommandGroup group) {
  switch (group) {
    case CommandGroup::kGeneric:
      return "generic";
    case CommandGroup::kString:
      return "string";
    case CommandGroup::kList:
      return "list";
    case CommandGroup::kSet:
      return "set";
    case CommandGroup::kSortedSet:
      return "sorted-set";
    case CommandGroup::kHash:
      return "hash";
    case CommandGroup::kPubsub:
      return "pubsub";
    case CommandGroup::kTransactions:
      return "transactions";
    case CommandGroup::kConnection:
      return "connection";
    case CommandGroup::kServer:
      return "server";
    case CommandGroup::kScripting:
      return "scripting";
    case CommandGroup::kHyperloglog:
      return "hyperloglog";
    case CommandGroup::kCluster:
      return "cluster";
    case CommandGroup::kGeo:
      return "geo";
    case CommandGroup::kStream:
      return "stream";
    case CommandGroup::kBitmap:
      return "bitmap";
  }
  return "";
}

}  // namespace basalt
