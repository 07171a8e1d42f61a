#include "server/pubsub.h"

namespace basalt {

void PubSub::Deliver(const Outbox::Entry&, const Outbox::TellAuthor&) {}

void PubSub::OnExpired(const storage::Change&) {}

}  // namespace basalt
