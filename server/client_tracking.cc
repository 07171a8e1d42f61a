#include "server/client_tracking.h"

namespace basalt {

void ClientTracking::Deliver(const Outbox::Entry&, const Outbox::TellAuthor&) {}

void ClientTracking::OnExpired(const storage::Change&) {}

}  // namespace basalt
