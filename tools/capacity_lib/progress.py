"""What the user sees while it runs: one line for each step that ended, with the time left."""

import sys
import time


class Progress:
    """total_s: the plan. Steps tell what they were planned to take, so that the time left follows the pace so far."""

    def __init__(self, total_s, out=None):
        self.total_s, self.planned_done = total_s, 0.0
        self.out = out or sys.stderr
        self.began = time.monotonic()
        self.live = self.out.isatty()

    def say(self, text):
        if self.live:
            self.out.write("\r\x1b[K")
        self.out.write(text + "\n")
        self.out.flush()

    def doing(self, text):
        """On a terminal: what runs now, on a line that the next one replaces."""
        if self.live:
            self.out.write("\r\x1b[K%s %s" % (self.clock(), text))
            self.out.flush()

    def done(self, text, planned_s):
        self.planned_done = min(self.total_s, self.planned_done + planned_s)
        self.say("%s %s" % (self.clock(), text))

    def skip(self, planned_s):
        """A part of the plan that turned out not to be needed."""
        self.total_s = max(self.planned_done, self.total_s - planned_s)

    def left_s(self):
        elapsed = time.monotonic() - self.began
        pace = elapsed / self.planned_done if self.planned_done > 20 else 1.0
        return max(0.0, (self.total_s - self.planned_done) * min(3.0, max(0.5, pace)))

    def clock(self):
        return "[%s, %s left]" % (minutes(time.monotonic() - self.began), minutes(self.left_s()))


def minutes(seconds):
    return "%d:%02d" % divmod(round(seconds), 60)
