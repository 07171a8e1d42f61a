#include "server/scripting/function_registry.h"

#include <glog/logging.h>

#include "server/argument_parsing.h"
#include "server/scripting/interpreter.h"
#include "server/scripting/script_flags.h"

namespace basalt {

namespace {

std::atomic<uint64_t> last_version{0};

// The name that the first line of a library states.
Status ReadMetadata(std::string_view code, std::string* name) {
  if (!code.starts_with("#!")) return Status::Message("ERR Missing library metadata");
  Shebang shebang;
  if (!ReadShebang(code, &shebang) || shebang.words.empty()) return Status::Message("ERR Invalid library metadata");
  const std::string engine = shebang.words[0].substr(2);
  constexpr std::string_view kName = "name=";
  bool named = false;
  for (size_t i = 1; i < shebang.words.size(); ++i) {
    const std::string_view word = shebang.words[i];
    if (!EqualsIgnoreCase(word.substr(0, kName.size()), kName)) {
      return Status::Message("ERR Invalid metadata value given: " + shebang.words[i]);
    }
    if (named) return Status::Message("ERR Invalid metadata value, name argument was given multiple times");
    named = true;
    *name = word.substr(kName.size());
  }
  if (!named) return Status::Message("ERR Library name was not given");
  if (!IsFunctionName(*name)) return Status::Message(std::string("ERR ") + kBadFunctionName);
  if (!EqualsIgnoreCase(engine, "lua")) return Status::Message("ERR Engine '" + engine + "' not found");
  return Ok();
}

}  // namespace

// ---- FunctionSet ----

FunctionSet::Found FunctionSet::FindFunction(std::string_view name) const {
  const auto found = functions_.find(ToLower(name));
  if (found == functions_.end()) return {};
  const auto& [library, index] = found->second;
  return {library.get(), &library->functions[index]};
}

const FunctionLibrary* FunctionSet::FindLibrary(std::string_view name) const {
  const auto found = libraries_.find(name);
  return found == libraries_.end() ? nullptr : found->second.get();
}

const LibraryFunction* FunctionSet::FindTaken(const FunctionLibrary& library) const {
  for (const LibraryFunction& function : library.functions) {
    if (functions_.contains(ToLower(function.name))) return &function;
  }
  return nullptr;
}

void FunctionSet::Link(FunctionLibraryPtr library) {
  // Of functions of one library whose names differ in case only, the first is found.
  for (size_t i = 0; i < library->functions.size(); ++i) {
    functions_.try_emplace(ToLower(library->functions[i].name), library, i);
  }
  libraries_.emplace(library->name, std::move(library));
}

bool FunctionSet::Remove(std::string_view name) {
  const auto found = libraries_.find(name);
  if (found == libraries_.end()) return false;
  for (const LibraryFunction& function : found->second->functions) functions_.erase(ToLower(function.name));
  libraries_.erase(found);
  return true;
}

Status FunctionSet::Load(std::string_view code, IfExists if_exists, std::string* name) {
  auto library = std::make_shared<FunctionLibrary>();
  BASALT_RETURN_IF_ERROR(ReadMetadata(code, &library->name));
  const auto old = libraries_.find(library->name);
  const FunctionLibraryPtr replaced = old == libraries_.end() ? nullptr : old->second;
  if (replaced != nullptr && if_exists == IfExists::kFail) {
    return Status::Message("ERR Library '" + library->name + "' already exists");
  }
  library->code = code;
  library->version = last_version.fetch_add(1) + 1;
  BASALT_RETURN_IF_ERROR(Interpreter().LoadLibrary(library.get()));
  if (library->functions.empty()) return Status::Message("ERR No functions registered");

  if (replaced != nullptr) Remove(library->name);
  if (const LibraryFunction* const taken = FindTaken(*library); taken != nullptr) {
    Status error = Status::Message("ERR Function " + taken->name + " already exists");
    if (replaced != nullptr) Link(replaced);
    return error;
  }
  *name = library->name;
  Link(std::move(library));
  return Ok();
}

Status FunctionSet::Merge(const FunctionSet& others, IfExists if_exists) {
  FunctionSet merged = *this;
  for (const auto& [name, library] : others.libraries_) {
    if (merged.Remove(name) && if_exists == IfExists::kFail) {
      return Status::Message("ERR Library " + name + " already exists");
    }
  }
  for (const auto& [name, library] : others.libraries_) {
    if (const LibraryFunction* const taken = merged.FindTaken(*library); taken != nullptr) {
      return Status::Message("ERR Function " + taken->name + " already exists");
    }
    merged.Link(library);
  }
  *this = std::move(merged);
  return Ok();
}

size_t FunctionSet::function_count() const {
  size_t count = 0;
  for (const auto& [name, library] : libraries_) count += library->functions.size();
  return count;
}

// ---- FunctionRegistry ----

// What the command that has the gate closed has changed so far: part of its commit.
class FunctionRegistry::Change : public storage::CommitParticipant {
 public:
  explicit Change(FunctionRegistry& registry) : registry_(registry) {}

  void Add(size_t row_operations, Snapshot next) { steps_.push_back({row_operations, std::move(next)}); }
  const Snapshot& latest() const { return steps_.back().next; }

  void OnCommitted(uint64_t) override {
    {
      std::lock_guard lock(registry_.mu_);
      registry_.current_.swap(steps_.back().next);
    }
    OnDropped();
  }
  void OnDropped() override { registry_.pending_.reset(); }
  bool OnRolledBack(size_t row_operations) override {
    while (!steps_.empty() && steps_.back().row_operations >= row_operations) steps_.pop_back();
    if (steps_.empty()) OnDropped();
    return !steps_.empty();
  }

 private:
  struct Step {
    size_t row_operations;  // when it was made
    Snapshot next;
  };
  FunctionRegistry& registry_;
  std::vector<Step> steps_;
};

FunctionRegistry::Snapshot FunctionRegistry::Current(const storage::WriteTxn* txn) const {
  if (txn != nullptr && txn->exclusive() && pending_ != nullptr) return pending_->latest();
  std::lock_guard lock(mu_);
  return current_;
}

void FunctionRegistry::Replace(storage::WriteTxn* txn, Snapshot next) {
  CHECK(txn->exclusive());
  const Snapshot before = Current(txn);
  if (pending_ == nullptr) pending_ = std::make_shared<Change>(*this);
  pending_->Add(txn->RowOperations(), next);
  txn->Enlist(pending_);
  for (const auto& [name, library] : before->libraries()) {
    if (next->FindLibrary(name) == nullptr) txn->DeleteLibrary(name);
  }
  for (const auto& [name, library] : next->libraries()) {
    if (before->FindLibrary(name) != library.get()) txn->PutLibrary(name, library->code);
  }
}

storage::Status FunctionRegistry::Load(const storage::Storage& storage) {
  auto loaded = std::make_shared<FunctionSet>();
  const storage::Status status = storage.VisitLibraries([&](std::string_view name, std::string_view code) {
    std::string stated;
    const Status error = loaded->Load(code, FunctionSet::IfExists::kFail, &stated);
    if (!error.ok()) {
      LOG(ERROR) << "The library of functions '" << name
                 << "' stays on disk, but does not load: " << ErrorText(error, {});
    }
  });
  std::lock_guard lock(mu_);
  current_ = std::move(loaded);
  return status;
}

}  // namespace basalt
