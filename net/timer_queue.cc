#include "net/timer_queue.h"

#include <glog/logging.h>

#include <utility>

namespace basalt::net {

TimerQueue::Id TimerQueue::Add(uint64_t deadline_ns, Task task) {
  uint32_t slot;
  if (free_slots_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[slot].generation++;
  slots_[slot].task = std::move(task);
  heap_.push_back({deadline_ns, added_++, slot});
  slots_[slot].position = static_cast<uint32_t>(heap_.size() - 1);
  SiftUp(heap_.size() - 1);
  return static_cast<uint64_t>(slots_[slot].generation) << 32 | slot;
}

void TimerQueue::Cancel(Id id) {
  const uint32_t slot = static_cast<uint32_t>(id);
  const uint32_t generation = static_cast<uint32_t>(id >> 32);
  if (id == 0 || slots_[slot].generation != generation) return;
  RemoveAt(slots_[slot].position);
}

std::optional<uint64_t> TimerQueue::Next() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().deadline_ns;
}

void TimerQueue::RunDue(uint64_t now_ns) {
  const uint64_t added_before = added_;
  while (!heap_.empty() && heap_.front().deadline_ns <= now_ns) {
    if (heap_.front().order >= added_before) return;  // added by a task of this call
    RemoveAt(0)();
  }
}

void TimerQueue::Place(size_t position, const Entry& entry) {
  heap_[position] = entry;
  slots_[entry.slot].position = static_cast<uint32_t>(position);
}

void TimerQueue::SiftUp(size_t position) {
  const Entry entry = heap_[position];
  while (position > 0) {
    const size_t parent = (position - 1) / 2;
    if (!Before(entry, heap_[parent])) break;
    Place(position, heap_[parent]);
    position = parent;
  }
  Place(position, entry);
}

void TimerQueue::SiftDown(size_t position) {
  const Entry entry = heap_[position];
  for (;;) {
    size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && Before(heap_[child + 1], heap_[child])) ++child;
    if (!Before(heap_[child], entry)) break;
    Place(position, heap_[child]);
    position = child;
  }
  Place(position, entry);
}

TimerQueue::Task TimerQueue::RemoveAt(size_t position) {
  CHECK_LT(position, heap_.size());
  const uint32_t slot = heap_[position].slot;
  CHECK_EQ(slots_[slot].generation % 2, 1u);
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position < heap_.size()) {
    Place(position, last);
    SiftUp(position);
    SiftDown(slots_[last.slot].position);
  }
  slots_[slot].generation++;
  free_slots_.push_back(slot);
  return std::exchange(slots_[slot].task, nullptr);
}

}  // namespace basalt::net
