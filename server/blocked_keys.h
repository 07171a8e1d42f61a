#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/command_context.h"
#include "storage/write_txn.h"

namespace basalt {

// Which commits a blocked command waits for.
enum class WakeOn : uint8_t {
  kValue,      // one of its keys holds the type
  kAnyChange,  // … or was deleted or replaced by another type (XREADGROUP, whose answer then is an error)
};

// Who waits for which key, in the order of arrival; decides whose turn it is. A turn means: the command runs again,
// with the locks of its keys handed to it before anybody else gets them. If it could not be served it waits on, in its
// old place, and the turn passes to the next; if it took something, that commit starts the next turn. So one pushed
// element costs one run, however many wait. Commands that take nothing (XREAD) have their turn all at once.
//
// Registering and telling of commits happen under the locks of the keys, so no commit can fall between a command's look
// at a key and its registration. Any thread.
class BlockedKeys {
 public:
  struct Key {
    storage::DbIndex db;
    std::string name;
    uint64_t hash;
  };
  struct Request {
    std::vector<Key> keys;
    storage::ValueType type;
    WakeOn wake_on = WakeOn::kValue;
    bool takes = true;  // what it is served with is gone for the others
  };

  // A command's place. Given up when destroyed; if it had the turn, the next one gets it: so destroy it after the
  // commit, or when that goes on elsewhere (the next one then waits for the locks).
  class Registration {
   public:
    Registration() = default;
    Registration(Registration&& other) noexcept : owner_(other.owner_), arrival_(other.arrival_) {
      other.owner_ = nullptr;
    }
    Registration& operator=(Registration&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(arrival_, other.arrival_);
      return *this;
    }
    ~Registration() {
      if (owner_ != nullptr) owner_->Remove(arrival_);
    }
    bool active() const { return owner_ != nullptr; }
    uint64_t arrival() const { return arrival_; }

   private:
    friend class BlockedKeys;
    BlockedKeys* owner_ = nullptr;
    uint64_t arrival_ = 0;
  };

  // `wake`: ParkedRegistry::WakeUp with Wake::kReady.
  explicit BlockedKeys(std::function<void(ParkTicket)> wake);
  ~BlockedKeys();

  // ---- REQUIRES: the locks of the keys ----
  Registration Register(Request request);
  // It has looked again, found nothing, and waits on.
  void WaitOn(uint64_t arrival);
  // A commit changed a key. Nearly free when nobody waits.
  void OnChange(const storage::Change& change) {
    if (MayWait(change.key)) OnAwaitedChange(change);
  }

  // With the exclusive gate closed: the contents of whole databases were replaced.
  void OnDatabasesReplaced(std::span<const storage::DbIndex> dbs);

  // The batch of a registered command is parked now (or about to be). It may be woken at once.
  void OnParked(uint64_t arrival, ParkTicket ticket);

  // Whether somebody may wait for a key of that name.
  bool MayWait(const storage::HashedKey& key) const {
    return waiting_[key.hash % kSlots].load(std::memory_order_relaxed) != 0;
  }

  struct Counts {
    uint64_t keys = 0;         // that somebody waits for
    uint64_t keys_any_change;  // … also for their end
  };
  Counts GetCounts() const;

 private:
  static constexpr size_t kSlots = 4096;
  struct Waiter;
  struct Queue;
  using QueueMap = std::unordered_map<std::string, std::unique_ptr<Queue>>;

  static std::string MapKey(storage::DbIndex db, std::string_view name);
  void OnAwaitedChange(const storage::Change& change);
  void Remove(uint64_t arrival);
  // REQUIRES: mu_. Give the turn to whoever is next; tickets to be woken go to *wake.
  void Advance(Queue& queue, std::vector<ParkTicket>* wake);
  void EndTurn(Waiter& waiter, std::vector<ParkTicket>* wake);
  void WakeAll(const std::vector<ParkTicket>& tickets) const;

  const std::function<void(ParkTicket)> wake_;
  // How many wait for keys of that hash; changed under the locks of the keys.
  std::array<std::atomic<uint32_t>, kSlots> waiting_{};
  mutable std::mutex mu_;
  // guarded by mu_:
  uint64_t next_arrival_ = 1;
  std::unordered_map<uint64_t, std::unique_ptr<Waiter>> waiters_;
  QueueMap queues_;              // no empty queue stays
  std::vector<Queue*> stalled_;  // whose next depends on how a turn for another key ends
};

}  // namespace basalt
