#include "server/scripting/running_scripts.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

namespace basalt {

RunningScripts::RunningScripts(int places, int overdue_max) : places_(places), overdue_max_(overdue_max) {}

RunningScripts::~RunningScripts() { assert(entries_.empty() && waiting_.empty()); }

bool RunningScripts::MayEnter(Part part) const {
  if (part == Part::kExclusive) return entries_.empty();
  const bool exclusive = !entries_.empty() && entries_.front().part == Part::kExclusive;
  return !exclusive && places_taken_ < places_;
}

RunningScripts::Turn RunningScripts::Enter(Part part) {
  Entry& entry = entries_.emplace_back();
  entry.part = part;
  entry.has_place = true;
  ++places_taken_;
  return Turn(this, std::prev(entries_.end()));
}

RunningScripts::Turn RunningScripts::TryEnter(Part part, bool first) {
  std::lock_guard lock(mu_);
  if ((!waiting_.empty() && !first) || !MayEnter(part)) return {};
  return Enter(part);
}

void RunningScripts::Wait(Part part, bool first, std::function<void(Turn)> granted, std::function<void()> refused) {
  Granted now;
  {
    std::lock_guard lock(mu_);
    waiting_.insert(first ? waiting_.begin() : waiting_.end(), Waiter{part, std::move(granted), std::move(refused)});
    Admit(&now);
  }
  Tell(std::move(now));
}

void RunningScripts::Admit(Granted* granted) {
  while (!waiting_.empty() && MayEnter(waiting_.front().part)) {
    granted->emplace_back(std::move(waiting_.front().granted), Enter(waiting_.front().part));
    waiting_.pop_front();
  }
}

void RunningScripts::Tell(Granted granted) {
  for (auto& [tell, turn] : granted) tell(std::move(turn));
}

void RunningScripts::FreePlace(Entry& entry) {
  if (std::exchange(entry.has_place, false)) --places_taken_;
}

void RunningScripts::Leave(std::list<Entry>::iterator entry) {
  Granted granted;
  {
    std::lock_guard lock(mu_);
    if (!entry->has_place) --overdue_without_place_;
    FreePlace(*entry);
    entries_.erase(entry);
    Admit(&granted);
  }
  Tell(std::move(granted));
}

bool RunningScripts::NoPlaceInSight() const {
  if (!entries_.empty() && entries_.front().part == Part::kExclusive) return entries_.front().overdue;
  return places_taken_ >= places_ && std::all_of(entries_.begin(), entries_.end(),
                                                 [](const Entry& each) { return !each.has_place || each.overdue; });
}

void RunningScripts::RefuseWaiters(std::vector<std::function<void()>>* refused) {
  const bool scripts_too = NoPlaceInSight();
  std::deque<Waiter> stay;
  for (Waiter& waiter : waiting_) {
    if (waiter.part == Part::kExclusive || scripts_too) {
      refused->push_back(std::move(waiter.refused));
    } else {
      stay.push_back(std::move(waiter));
    }
  }
  waiting_.swap(stay);
}

Status RunningScripts::Kill(ScriptKind kind) {
  std::lock_guard lock(mu_);
  bool killed = false, wrote = false, other_kind = false;
  for (Entry& entry : entries_) {
    if (!entry.overdue || entry.name.empty()) continue;
    if (entry.wrote) {
      wrote = true;
    } else if (entry.kind != kind) {
      other_kind = true;
    } else {
      entry.killed.store(true, std::memory_order_relaxed);
      killed = true;
    }
  }
  if (killed) return Ok();
  if (wrote) {
    return Status::Message(
        "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the "
        "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.");
  }
  if (other_kind) return ErrorCode(kind == ScriptKind::kEval ? ErrorCode::kBusyFunction : ErrorCode::kBusyScript);
  return Status::Message("NOTBUSY No scripts in execution right now.");
}

void RunningScripts::EndAll(uint64_t deadline_ns) { end_at_ns_.store(deadline_ns, std::memory_order_relaxed); }

Status RunningScripts::BusyError() const {
  std::lock_guard lock(mu_);
  const bool function = std::any_of(entries_.begin(), entries_.end(), [](const Entry& each) {
    return each.overdue && each.kind == ScriptKind::kFunction;
  });
  return function ? ErrorCode::kBusyFunction : ErrorCode::kBusyScript;
}

std::optional<RunningScripts::Current> RunningScripts::Longest(ScriptKind kind, uint64_t now_ns) const {
  std::lock_guard lock(mu_);
  const Entry* longest = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.name.empty() || entry.kind != kind) continue;
    if (longest == nullptr || entry.started_ns < longest->started_ns) longest = &entry;
  }
  if (longest == nullptr) return std::nullopt;
  return Current{longest->name, longest->command, (now_ns - std::min(now_ns, longest->started_ns)) / 1'000'000,
                 longest->overdue};
}

// ---- Turn ----

void RunningScripts::Turn::Release() {
  if (owner_ == nullptr) return;
  std::exchange(owner_, nullptr)->Leave(entry_);
}

RunningScripts::Part RunningScripts::Turn::part() const { return entry_->part; }

void RunningScripts::Turn::ScriptBegins(ScriptKind kind, std::string_view name, std::vector<std::string> command,
                                        uint64_t now_ns) {
  std::lock_guard lock(owner_->mu_);
  entry_->kind = kind;
  entry_->name = name;
  entry_->command = std::move(command);
  entry_->started_ns = now_ns;
  entry_->wrote = false;
  entry_->killed.store(false, std::memory_order_relaxed);
}

void RunningScripts::Turn::ScriptEnds() {
  std::lock_guard lock(owner_->mu_);
  entry_->name.clear();
  entry_->command.clear();
}

void RunningScripts::Turn::SetWrote() {
  std::lock_guard lock(owner_->mu_);
  entry_->wrote = true;
}

void RunningScripts::Turn::Overdue() {
  Granted granted;
  std::vector<std::function<void()>> refused;
  {
    std::lock_guard lock(owner_->mu_);
    entry_->overdue = true;
    if (entry_->part == Part::kScript && entry_->has_place && owner_->overdue_without_place_ < owner_->overdue_max_) {
      owner_->FreePlace(*entry_);
      ++owner_->overdue_without_place_;
    }
    owner_->Admit(&granted);
    owner_->RefuseWaiters(&refused);
    owner_->Admit(&granted);  // those who stood behind one that was refused
  }
  for (const std::function<void()>& each : refused) each();
  Tell(std::move(granted));
}

bool RunningScripts::Turn::killed() const { return entry_->killed.load(std::memory_order_relaxed); }

}  // namespace basalt
