#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/scripting/function_library.h"
#include "server/status.h"
#include "storage/storage.h"
#include "storage/write_txn.h"

namespace basalt {

using FunctionLibraryPtr = std::shared_ptr<const FunctionLibrary>;

// All libraries at one moment. A value; immutable once it is in a FunctionRegistry.
class FunctionSet {
 public:
  struct Found {
    const FunctionLibrary* library = nullptr;
    const LibraryFunction* function = nullptr;  // null: there is none
  };
  // Of any case, as Redis.
  Found FindFunction(std::string_view name) const;
  const FunctionLibrary* FindLibrary(std::string_view name) const;

  enum class IfExists : uint8_t { kFail, kReplace };
  // Compiles a library and adds it. Not kOk, and nothing has changed: FUNCTION LOAD's error. Takes half a second at
  // most.
  Status Load(std::string_view code, IfExists if_exists, std::string* name);
  // All of them or none, with the errors of FUNCTION RESTORE.
  Status Merge(const FunctionSet& others, IfExists if_exists);
  bool Remove(std::string_view library);

  const std::map<std::string, FunctionLibraryPtr, std::less<>>& libraries() const { return libraries_; }
  size_t function_count() const;

 private:
  void Link(FunctionLibraryPtr library);
  // The first of its functions that another library has.
  const LibraryFunction* FindTaken(const FunctionLibrary& library) const;

  std::map<std::string, FunctionLibraryPtr, std::less<>> libraries_;
  std::unordered_map<std::string, std::pair<FunctionLibraryPtr, size_t>> functions_;  // by lower-case name
};

// The libraries of the server. They are changed with the exclusive gate closed, one command at a time: what that
// command (or the EXEC around it) sees at once, others see after its commit, which writes it to disk.
class FunctionRegistry {
 public:
  using Snapshot = std::shared_ptr<const FunctionSet>;

  // What is on disk. A library that does not load any more is left where it is, and the log says so. Before clients
  // come.
  storage::Status Load(const storage::Storage& storage);

  // Any thread. `txn`: of the command that asks, or null.
  Snapshot Current(const storage::WriteTxn* txn) const;
  // Makes `next` current when `txn` commits. REQUIRES: txn->exclusive().
  void Replace(storage::WriteTxn* txn, Snapshot next);

 private:
  class Change;

  mutable std::mutex mu_;
  Snapshot current_ = std::make_shared<FunctionSet>();  // guarded by mu_
  // Of the command that has the gate closed; nobody else looks.
  std::shared_ptr<Change> pending_;
};

}  // namespace basalt
