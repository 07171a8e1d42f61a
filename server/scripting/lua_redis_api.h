#pragma once

#include <lua.hpp>

#include "server/scripting/lua_state.h"

namespace basalt {

// The table `redis` of a sandbox (https://redis.io/docs/latest/develop/interact/programmability/lua-api/). Both push
// it.
void PushRedisTable(lua_State* L, LuaState::Kind kind);
// … as a library's code sees it while it loads: register_function, log and the version.
void PushLoadTable(lua_State* L);

}  // namespace basalt
