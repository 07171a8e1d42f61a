#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/acl/user.h"

namespace basalt {

// The file of `aclfile`: a line "user <name> <rules>" for each user, as ACL LIST shows them; blank lines, no comments.

// False: *error is one line with everything that is wrong, as ACL LOAD answers it.
bool ReadAclFile(const std::string& path, const AclDefaults& defaults, std::vector<User>* users, std::string* error);
bool ParseAclFile(std::string_view text, const std::string& path, const AclDefaults& defaults, std::vector<User>* users,
                  std::string* error);

// Replaces the file as a whole.
bool WriteAclFile(const std::string& path, std::span<const UserPtr> users, std::string* error);

}  // namespace basalt
