# Defines basalt_rocksdb, and BASALT_ROCKSDB_BUILD: a phrase for INFO and the start-up log.
if(BASALT_ROCKSDB STREQUAL "")
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/tools/build-rocksdb --where
                  OUTPUT_VARIABLE cached OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  if(EXISTS ${cached}/lib/librocksdb.a)
    set(rocksdb_root ${cached})
  endif()
elseif(NOT BASALT_ROCKSDB STREQUAL "system")
  set(rocksdb_root ${BASALT_ROCKSDB})
endif()

add_library(basalt_rocksdb INTERFACE)
if(rocksdb_root)
  set(BASALT_ROCKSDB_BUILD "optimized (${rocksdb_root})")
  pkg_check_modules(ROCKSDB_CODECS REQUIRED IMPORTED_TARGET zlib liblz4 libzstd)
  find_library(SNAPPY_LIBRARY snappy REQUIRED)
  target_include_directories(basalt_rocksdb SYSTEM BEFORE INTERFACE ${rocksdb_root}/include)
  target_link_libraries(basalt_rocksdb INTERFACE ${rocksdb_root}/lib/librocksdb.a PkgConfig::ROCKSDB_CODECS
                        ${SNAPPY_LIBRARY} Threads::Threads ${CMAKE_DL_LIBS})
else()
  set(BASALT_ROCKSDB_BUILD "Debian package")
  target_compile_definitions(basalt_rocksdb INTERFACE BASALT_ROCKSDB_ASSERTS)  # it is built without NDEBUG
  find_library(ROCKSDB_LIBRARY rocksdb REQUIRED)
  target_link_libraries(basalt_rocksdb INTERFACE ${ROCKSDB_LIBRARY})
endif()
message(STATUS "RocksDB: ${BASALT_ROCKSDB_BUILD}")
