# Defines basalt_lua: Redis' Lua 5.1 and its libraries, as tools/build-lua compiles them (once, in seconds).
execute_process(COMMAND ${PROJECT_SOURCE_DIR}/tools/build-lua OUTPUT_VARIABLE lua_root OUTPUT_STRIP_TRAILING_WHITESPACE
                COMMAND_ERROR_IS_FATAL ANY)
# By a name that stays when the recipe changes, so that only what includes it is compiled again.
file(CREATE_LINK ${lua_root} ${CMAKE_BINARY_DIR}/lua SYMBOLIC)
add_library(basalt_lua INTERFACE)
target_include_directories(basalt_lua SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/lua/include)
target_link_libraries(basalt_lua INTERFACE ${CMAKE_BINARY_DIR}/lua/lib/libbasalt_lua.a m)
message(STATUS "Lua: ${lua_root}")
