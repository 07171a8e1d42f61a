"""The search for the knee: the highest rate at which the server keeps its promise."""


FLOOR = 16  # a knee that far below what was expected is none: something else delays every request


class KneeSearch:
    """Asks for one rate after another and is told whether the promise held. Climbs by `growth` from `start` until it breaks (or
    falls by halves, to a sixteenth of `start`, while it never held), then halves the gap between the highest rate that held and the lowest that broke.

    One bad answer may be the machine's: a rate is bad after two bad answers, and holds after one good answer or, once it had a
    bad one, after two. Ends when the gap is below `resolution` or after `steps_max` answers, so it always ends.
    """

    def __init__(self, start, steps_max, growth=1.5, resolution=0.04, lowest=1.0):
        """lowest: the generator cannot offer less."""
        self.next = max(lowest, start)
        self.floor = max(lowest, self.next / FLOOR)
        self.steps_left = steps_max
        self.growth = growth
        self.resolution = resolution
        self.votes = {}
        self.highest_good = None
        self.lowest_bad = None

    def next_rate(self):
        """The rate to measure now; None when the search is over."""
        return self.next if self.steps_left > 0 else None

    def record(self, good):
        """The answer for next_rate()."""
        rate = self.next
        votes = self.votes.setdefault(rate, [])
        votes.append(bool(good))
        self.steps_left -= 1
        verdict = self.verdict(votes)
        if verdict is None:
            return
        if verdict:
            self.highest_good = max(rate, self.highest_good or 0)
        else:
            self.lowest_bad = min(rate, self.lowest_bad or rate)
        self.next = self.choose()
        if self.next is None:
            self.steps_left = 0

    @staticmethod
    def verdict(votes):
        if votes[0] or votes.count(True) >= 2:
            return True
        return False if votes.count(False) >= 2 else None

    def choose(self):
        if self.lowest_bad is None:
            return self.highest_good * self.growth
        if self.highest_good is None:
            return self.lowest_bad / 2 if self.lowest_bad / 2 >= self.floor else None
        if self.lowest_bad / self.highest_good - 1 < self.resolution:
            return None
        return (self.lowest_bad * self.highest_good) ** 0.5

    @property
    def knee(self):
        """The highest rate that held; None: none did."""
        return self.highest_good
