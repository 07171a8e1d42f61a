"""What went wrong while a generator ran: counted and shown, never averaged into the figures."""

TEXTS_MAX = 5


class ErrorsSeen:
    """Counts of error replies, of lost connections and of what else a generator complained about."""

    def __init__(self):
        self.replies = 0
        self.lost_connections = 0
        self.texts = {}

    def reply(self, text, count=1):
        self.replies += count
        self._note(text.strip().lstrip("-"), count)

    def lost(self, text):
        self.lost_connections += 1
        self._note(text.strip())

    def _note(self, text, count=1):
        if text in self.texts or len(self.texts) < TEXTS_MAX:
            self.texts[text] = self.texts.get(text, 0) + count

    def add(self, other):
        self.replies += other.replies
        self.lost_connections += other.lost_connections
        for text, count in other.texts.items():
            self._note(text, count)

    def __bool__(self):
        return bool(self.replies or self.lost_connections)

    def document(self):
        return {"replies": self.replies, "lost_connections": self.lost_connections, "texts": self.texts}


def line(document):
    """One line about an `errors` object of the results; empty when there were none."""
    parts = []
    if document["replies"]:
        parts.append(
            "%s error %s" % (format(document["replies"], ","), "reply" if document["replies"] == 1 else "replies")
        )
    if document["lost_connections"]:
        parts.append(
            "%d lost connection%s" % (document["lost_connections"], "" if document["lost_connections"] == 1 else "s")
        )
    if not parts:
        return ""
    first = next(iter(document["texts"]), "")
    return " and ".join(parts) + (", first: %s" % first if first else "")
