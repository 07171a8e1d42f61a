#include "server/outbox.h"

#include <algorithm>
#include <map>
#include <utility>

#include "server/client_tracking.h"
#include "server/pubsub.h"
#include "server/services.h"

namespace basalt {

namespace {

constexpr size_t kKeptBytesMax = 64 * 1024;  // of a large message nothing is kept

}  // namespace

void Outbox::Add(Kind kind, uint32_t event_class, storage::DbIndex db, net::ConnId author, std::string_view first,
                 std::string_view second, uint64_t client) {
  slots_.push_back({kind, event_class, db, author, client, bytes_.size(), first.size(), second.size()});
  bytes_ += first;
  bytes_ += second;
}

void Outbox::Expired(uint32_t configured, net::ConnId author, storage::DbIndex db, std::string_view key,
                     storage::ExpiredPart part) {
  const auto tell = [&](KeyEventClass event_class, std::string_view event) {
    if (!WantsKeyEvent(configured, event_class)) return;
    Add(Kind::kKeyEvent, event_class | kEventExpired | (configured & kEventChannels), db, author, event, key);
  };
  if (part == storage::ExpiredPart::kKey) return tell(kEventExpired, "expired");
  tell(kEventHash, "hexpired");
  if (part == storage::ExpiredPart::kAllFields) tell(kEventGeneric, "del");
}

void Outbox::AnnounceNewKeys(uint32_t configured, net::ConnId author, const storage::WriteTxn& txn, size_t mark) {
  if (!WantsKeyEvent(configured, kEventNew)) return;
  std::map<std::pair<storage::DbIndex, std::string_view>, bool> created;  // and whether that is still to be told
  storage::VisitCommandChanges(txn, [&created](const storage::CommandChange& change) {
    if (!change.existed && change.exists) created.emplace(std::pair(change.db, change.key.key), true);
  });
  if (created.empty()) return;
  // Of a key that is not there yet these are told.
  constexpr uint32_t kBeforeCreation = kEventExpired | kEventKeyMiss;
  const std::vector<Slot> told(slots_.begin() + static_cast<ptrdiff_t>(mark), slots_.end());
  slots_.resize(mark);
  const auto announce = [&](decltype(created)::value_type& key) {
    const auto& [db, name] = key.first;
    if (std::exchange(key.second, false)) KeyEvent(configured, kEventNew, author, db, "new", name);
  };
  for (const Slot& slot : told) {
    if (slot.kind == Kind::kKeyEvent && (slot.event_class & kBeforeCreation) == 0) {
      const auto key = created.find({slot.db, Second(slot)});
      if (key != created.end() && (slot.event_class & kEventNew) != 0) key->second = false;
      if (key != created.end()) announce(*key);
    }
    slots_.push_back(slot);
  }
  for (auto& key : created) announce(key);
}

void Outbox::RollbackTo(size_t mark) {
  if (mark == slots_.size()) return;
  bytes_.resize(slots_[mark].at);  // of those after the mark, all bytes or, when "new" was put first, all but some
  slots_.resize(mark);
}

void Outbox::RollbackChangesTo(size_t mark) {
  if (mark == slots_.size()) return;
  const auto changes = std::remove_if(
      slots_.begin() + static_cast<ptrdiff_t>(mark), slots_.end(),
      [](const Slot& slot) { return slot.kind != Kind::kKeyEvent || (slot.event_class & kEventKeyMiss) == 0; });
  if (changes == slots_.begin() + static_cast<ptrdiff_t>(mark)) return RollbackTo(mark);
  slots_.erase(changes, slots_.end());
}

Outbox::Entry Outbox::EntryOf(const Slot& slot) const {
  const std::string_view bytes = bytes_;
  return {slot.kind,
          slot.event_class,
          slot.db,
          slot.author,
          bytes.substr(slot.at, slot.first_bytes),
          bytes.substr(slot.at + slot.first_bytes, slot.second_bytes),
          slot.client};
}

void Outbox::Deliver(const Services& services, const TellAuthor& tell_author) {
  for (const Slot& slot : slots_) {
    switch (slot.kind) {
      case Kind::kMessage:
      case Kind::kShardMessage:
      case Kind::kKeyEvent:
        services.pubsub.Deliver(EntryOf(slot), tell_author);
        break;
      case Kind::kTrack:
      case Kind::kInvalidate:
      case Kind::kInvalidateAll:
        services.tracking.Deliver(services.storage, EntryOf(slot));
        break;
    }
  }
  if (services.tracking.broadcasts()) Broadcast(services);
  slots_.clear();
  bytes_.clear();
  if (bytes_.capacity() > kKeptBytesMax) bytes_.shrink_to_fit();
}

void Outbox::Broadcast(const Services& services) const {
  std::vector<Entry> changed;
  for (const Slot& slot : slots_) {
    if (slot.kind == Kind::kInvalidate) changed.push_back(EntryOf(slot));
  }
  if (!changed.empty()) services.tracking.Broadcast(changed);
}

}  // namespace basalt
