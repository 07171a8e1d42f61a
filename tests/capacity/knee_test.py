#!/usr/bin/python3
"""The search for the knee, on simulated servers."""

import random
import unittest

import library  # noqa: F401 (the path)
from capacity_lib.knee import KneeSearch


def search(holds, start, steps=40, **options):
    """Runs a search on a server for which holds(rate) says whether it keeps its promise. The search, and the rates asked."""
    found, asked = KneeSearch(start, steps, **options), []
    while found.next_rate() is not None:
        asked.append(found.next_rate())
        found.record(holds(asked[-1]))
        if len(asked) > 1000:
            raise AssertionError("it does not end")
    return found, asked


class Search(unittest.TestCase):
    def test_it_finds_the_knee_from_wherever_it_starts(self):
        for knee in (50, 1000, 41_000, 2_000_000):
            for start in (knee / 50, knee / 3, knee * 0.99, knee * 1.01, knee * 7):
                found, _ = search(lambda rate: rate <= knee, start, steps=200)
                self.assertLessEqual(found.knee, knee)
                self.assertGreater(found.knee, knee / 1.05, (knee, start))

    def test_a_usual_search_takes_a_dozen_steps(self):
        # From 15 % of the closed-loop rate, as runner.py starts it, to a knee at 60 % of it.
        found, asked = search(lambda rate: rate <= 60_000, 15_000)
        self.assertLessEqual(len(asked), 16)
        self.assertGreater(found.knee, 57_000)

    def test_it_never_asks_more_than_it_may(self):
        for steps in range(1, 12):
            _, asked = search(lambda rate: rate <= 41_000, 1000, steps=steps)
            self.assertLessEqual(len(asked), steps)

    def test_what_it_found_when_it_had_to_stop_still_held(self):
        for steps in range(3, 12):
            found, _ = search(lambda rate: rate <= 41_000, 20_000, steps=steps)
            self.assertIsNotNone(found.knee)
            self.assertLessEqual(found.knee, 41_000)

    def test_a_server_that_never_keeps_its_promise_has_none(self):
        found, asked = search(lambda rate: False, 1000)
        self.assertIsNone(found.knee)
        self.assertEqual(1000 / 16, min(asked))

    def test_it_never_asks_less_than_can_be_offered(self):
        for start in (1, 150, 400):
            _, asked = search(lambda rate: False, start, lowest=96)
            self.assertGreaterEqual(min(asked), 96)

    def test_one_hiccup_does_not_move_the_knee(self):
        for at in range(12):
            state = {"asked": 0}

            def holds(rate):
                state["asked"] += 1
                return rate <= 41_000 and state["asked"] != at + 1

            found, _ = search(holds, 10_000)
            self.assertGreater(found.knee, 38_000, "hiccup at answer %d" % at)

    def test_on_a_noisy_server_it_ends_close_to_the_knee(self):
        for seed in range(50):
            draw = random.Random(seed)

            def holds(rate):
                p99 = 1.0 / max(0.02, 1 - rate / 45_000) * draw.lognormvariate(0, 0.15) if rate < 45_000 else 1000
                return p99 <= 5

            found, asked = search(holds, 9_000)
            self.assertTrue(28_000 < found.knee < 42_000, (seed, found.knee))
            self.assertLessEqual(len(asked), 30)

    def test_the_gap_at_the_end_is_what_was_asked_for(self):
        found, _ = search(lambda rate: rate <= 41_000, 10_000, resolution=0.01)
        self.assertLess(found.lowest_bad / found.highest_good, 1.01)


if __name__ == "__main__":
    unittest.main(verbosity=2)
