#include "server/outbox.h"

#include "server/client_tracking.h"
#include "server/pubsub.h"
#include "server/services.h"

namespace basalt {

namespace {

constexpr size_t kKeptBytesMax = 64 * 1024;  // of a large message nothing is kept

}  // namespace

void Outbox::Add(Kind kind, KeyEventClass event_class, storage::DbIndex db, net::ConnId author, std::string_view first,
                 std::string_view second) {
  slots_.push_back({kind, event_class, db, author, bytes_.size(), first.size(), second.size()});
  bytes_ += first;
  bytes_ += second;
}

void Outbox::RollbackTo(size_t mark) {
  if (mark == slots_.size()) return;
  bytes_.resize(slots_[mark].at);
  slots_.resize(mark);
}

void Outbox::Deliver(const Services& services, const TellAuthor& tell_author) {
  const std::string_view bytes = bytes_;
  for (const Slot& slot : slots_) {
    const Entry entry{slot.kind,
                      slot.event_class,
                      slot.db,
                      slot.author,
                      bytes.substr(slot.at, slot.first_bytes),
                      bytes.substr(slot.at + slot.first_bytes, slot.second_bytes)};
    switch (entry.kind) {
      case Kind::kMessage:
      case Kind::kShardMessage:
      case Kind::kKeyEvent:
        services.pubsub.Deliver(entry, tell_author);
        break;
      case Kind::kInvalidate:
      case Kind::kInvalidateAll:
        services.tracking.Deliver(entry, tell_author);
        break;
    }
  }
  slots_.clear();
  bytes_.clear();
  if (bytes_.capacity() > kKeptBytesMax) bytes_.shrink_to_fit();
}

}  // namespace basalt
