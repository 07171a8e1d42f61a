#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "server/acl/category.h"
#include "server/command_spec.h"

namespace basalt {

struct AclCategoryName {
  uint32_t bit;
  std::string_view name;
};
std::span<const AclCategoryName> AclCategories();
// 0: no such category. Any case.
uint32_t AclCategoryByName(std::string_view name);

// All categories of a command: of its row, its group and its flags, by Redis' rules.
uint32_t AclCategoriesOf(const CommandSpec& spec);

std::string_view GroupName(CommandGroup group);  // "sorted-set", as COMMAND DOCS says it

}  // namespace basalt
