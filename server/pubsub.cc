#include "server/pubsub.h"

namespace basalt {

void PubSub::Deliver(const Outbox::Entry&, const Outbox::TellAuthor&) {}

}  // namespace basalt
