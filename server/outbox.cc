#include "server/outbox.h"

#include "server/client_tracking.h"
#include "server/pubsub.h"
#include "server/services.h"

namespace basalt {

void Outbox::Add(Kind kind, KeyEventClass event_class, storage::DbIndex db, net::ConnId author, std::string_view first,
                 std::string_view second, uint64_t client) {
  slots_.push_back({kind, event_class, db, author, client, bytes_.size(), first.size(), second.size()});
  bytes_ += first;
  bytes_ += second;
}

void Outbox::RollbackTo(size_t mark) {
  if (mark == slots_.size()) return;
  bytes_.resize(slots_[mark].at);
  slots_.resize(mark);
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
}

void Outbox::Broadcast(const Services& services) const {
  std::vector<Entry> changed;
  for (const Slot& slot : slots_) {
    if (slot.kind == Kind::kInvalidate) changed.push_back(EntryOf(slot));
  }
  if (!changed.empty()) services.tracking.Broadcast(changed);
}

}  // namespace basalt
