#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace basalt::net {

// Deadlines of one event loop: its epoll timeout is the nearest one. A binary heap whose entries know their place, so
// that cancelling is O(log n) and a deadline that is always cancelled (a blocking pop that is served) leaves nothing.
//
// Owner: a WorkerThread. That thread only.
class TimerQueue {
 public:
  // Names a timer until it fires or is cancelled. 0 names none.
  using Id = uint64_t;
  using Task = std::function<void()>;

  Id Add(uint64_t deadline_ns, Task task);
  // An id that has fired or is 0 is not an error.
  void Cancel(Id id);
  // CLOCK_MONOTONIC of the nearest deadline.
  std::optional<uint64_t> Next() const;
  // Runs what is due, oldest first. A task may add and cancel timers; what it adds runs at the earliest next time.
  void RunDue(uint64_t now_ns);

  size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    uint64_t deadline_ns;
    uint64_t order;  // equal deadlines fire in the order they were added
    uint32_t slot;
  };
  struct Slot {
    uint32_t position = 0;    // in heap_
    uint32_t generation = 0;  // odd while in use
    Task task;
  };

  static bool Before(const Entry& a, const Entry& b) {
    return a.deadline_ns != b.deadline_ns ? a.deadline_ns < b.deadline_ns : a.order < b.order;
  }
  void Place(size_t position, const Entry& entry);
  void SiftUp(size_t position);
  void SiftDown(size_t position);
  Task RemoveAt(size_t position);

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  uint64_t added_ = 0;
};

}  // namespace basalt::net
