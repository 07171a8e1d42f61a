#include "server/expiry_effects.h"

#include "server/config_table.h"
#include "server/outbox.h"
#include "server/services.h"

namespace basalt {

void ExpiryEffects::OnCommitted(std::span<const storage::Change> changes) {
  using storage::ChangeKind;
  using storage::ExpiredPart;
  effects_.OnCommitted(changes);
  const uint32_t configured = services_.config.current().notify_keyspace_events;
  if (configured == 0) return;
  Outbox outbox;
  for (const storage::Change& change : changes) {
    if (change.kind == ChangeKind::kExpired) {
      outbox.Expired(configured, {}, change.db, change.key.key, ExpiredPart::kKey);
    } else if (change.fields_expired) {
      const bool all = change.kind == ChangeKind::kDeleted;
      outbox.Expired(configured, {}, change.db, change.key.key, all ? ExpiredPart::kAllFields : ExpiredPart::kFields);
    }
  }
  outbox.Deliver(services_, [](net::ConnId, std::string_view) {});
}

}  // namespace basalt
