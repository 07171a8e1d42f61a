#pragma once

#include <cstdint>

namespace basalt {

// Redis' ACL categories, in the order of ACL CAT. A row names only those that follow neither from its flags (read,
// write, admin, fast, slow, blocking, dangerous of admin commands) nor from its group (string, bitmap, hyperloglog, …);
// keyspace is always named.
enum AclCategory : uint32_t {
  kAclKeyspace = 1u << 0,
  kAclRead = 1u << 1,
  kAclWrite = 1u << 2,
  kAclSet = 1u << 3,
  kAclSortedSet = 1u << 4,
  kAclList = 1u << 5,
  kAclHash = 1u << 6,
  kAclString = 1u << 7,
  kAclBitmap = 1u << 8,
  kAclHyperloglog = 1u << 9,
  kAclGeo = 1u << 10,
  kAclStream = 1u << 11,
  kAclPubsub = 1u << 12,
  kAclAdmin = 1u << 13,
  kAclFast = 1u << 14,
  kAclSlow = 1u << 15,
  kAclBlocking = 1u << 16,
  kAclDangerous = 1u << 17,
  kAclConnection = 1u << 18,
  kAclTransaction = 1u << 19,
  kAclScripting = 1u << 20,
  // In CommandSpec::acl_categories: the group's own category does not apply (SORT is generic, but not @keyspace).
  kAclNotOfGroup = 1u << 31,
};

}  // namespace basalt
