#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/status.h"

namespace basalt {

enum class ScriptKind : uint8_t { kEval, kFunction };

// Scripts that may take long (those in the slow lane), and the commands that must run without any of them (those that
// close the exclusive gate). Decides who runs: scripts beside each other, as many as there are places; an exclusive
// command when no script runs. First come, first served; who has to wait does so without a thread. So closing the gate
// never means to wait for a script with the gate half closed.
//
// A script that runs longer than `busy-reply-threshold` is overdue: its place is free for another script (a stand-in
// thread takes its thread's, see HeldThreads), SCRIPT KILL finds it, and who waits for it is refused with BUSY.
//
// Any thread.
class RunningScripts {
  struct Entry;

 public:
  enum class Part : uint8_t { kScript, kExclusive };

  // The right to run. Given up when destroyed.
  class Turn {
   public:
    Turn() = default;
    Turn(Turn&& other) noexcept { *this = std::move(other); }
    Turn& operator=(Turn&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(entry_, other.entry_);
      return *this;
    }
    ~Turn() { Release(); }
    void Release();
    bool active() const { return owner_ != nullptr; }
    Part part() const;

    // ---- for the thread that runs a script. REQUIRES: active() ----
    void ScriptBegins(ScriptKind kind, std::string_view name, std::vector<std::string> command, uint64_t now_ns);
    void ScriptEnds();
    // From here on it cannot be killed.
    void SetWrote();
    // The time is up. Whoever waits for this turn to end is refused now and with each further call.
    void Overdue();
    // Whether SCRIPT KILL or FUNCTION KILL asked for its end.
    bool killed() const;

   private:
    friend class RunningScripts;
    Turn(RunningScripts* owner, std::list<Entry>::iterator entry) : owner_(owner), entry_(entry) {}
    RunningScripts* owner_ = nullptr;
    std::list<Entry>::iterator entry_;
  };

  // `places`: scripts that run at one time, overdue ones not counted. `overdue_max`: … those.
  RunningScripts(int places, int overdue_max);
  ~RunningScripts();

  // The turn, if it is there at once. `first`: before all who wait (it has waited for its keys already, and has them).
  Turn TryEnter(Part part, bool first);
  // Waits for one. Exactly one of the two is called, on any thread, perhaps before this returns.
  void Wait(Part part, bool first, std::function<void(Turn)> granted, std::function<void()> refused);

  // SCRIPT KILL, FUNCTION KILL: asks every overdue script of the kind that has not written to end. Not kOk: Redis'
  // error, when there is none.
  Status Kill(ScriptKind kind);
  // The server stops: scripts end when they have run until `deadline_ns`, at once if they are overdue.
  void EndAll(uint64_t deadline_ns);
  // Whether a script has to end because the server stops.
  bool MustEnd(bool overdue, uint64_t now_ns) const {
    const uint64_t deadline_ns = end_at_ns_.load(std::memory_order_relaxed);
    return deadline_ns != 0 && (overdue || now_ns >= deadline_ns);
  }

  // The text of BUSY, which names the way to end the one that is overdue.
  Status BusyError() const;

  // The script that has run longest (FUNCTION STATS).
  struct Current {
    std::string name;
    std::vector<std::string> command;
    uint64_t duration_ms = 0;
    bool overdue = false;
  };
  std::optional<Current> Longest(ScriptKind kind, uint64_t now_ns) const;

 private:
  struct Entry {
    Part part = Part::kScript;
    bool has_place = false;
    bool overdue = false;
    bool wrote = false;
    std::atomic<bool> killed{false};
    ScriptKind kind = ScriptKind::kEval;
    std::string name;  // digest, or the function's; empty: no script runs in this turn now
    std::vector<std::string> command;
    uint64_t started_ns = 0;
  };
  struct Waiter {
    Part part;
    std::function<void(Turn)> granted;
    std::function<void()> refused;
  };
  using Granted = std::vector<std::pair<std::function<void(Turn)>, Turn>>;

  // REQUIRES: mu_.
  bool MayEnter(Part part) const;
  Turn Enter(Part part);
  // Whether those who wait for a place wait for overdue scripts only.
  bool NoPlaceInSight() const;
  void Admit(Granted* granted);
  static void Tell(Granted granted);
  void Leave(std::list<Entry>::iterator entry);
  void FreePlace(Entry& entry);
  void RefuseWaiters(std::vector<std::function<void()>>* refused);

  const int places_;
  const int overdue_max_;
  std::atomic<uint64_t> end_at_ns_{0};  // 0: the server runs on

  mutable std::mutex mu_;
  // guarded by mu_:
  std::list<Entry> entries_;
  std::deque<Waiter> waiting_;
  int places_taken_ = 0;
  int overdue_without_place_ = 0;
};

}  // namespace basalt
