#pragma once

#include "server/outbox.h"

namespace basalt {

// Who is subscribed to which channel, pattern and shard channel, and the way of a message to them. A confirmation is
// pushed under the same lock as the registration, through the same queue as messages: so none can precede a
// subscribe's, or follow an unsubscribe's. Any thread.
class PubSub {
 public:
  void Deliver(const Outbox::Entry& entry, const Outbox::TellAuthor& tell_author);
};

}  // namespace basalt
