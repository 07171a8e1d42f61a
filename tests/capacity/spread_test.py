#!/usr/bin/python3
"""Which differences are larger than the noise."""

import unittest

import library  # noqa: F401 (the path)
from capacity_lib import spread


class Spread(unittest.TestCase):
    def test_of_repeats(self):
        self.assertEqual({"median": 2, "low": 1, "high": 9, "n": 3}, spread.of([9, None, 1, 2]))
        self.assertIsNone(spread.of([None]))

    def test_figures_far_apart_differ(self):
        found = spread.ratio([200, 205, 210], [100, 102, 104])
        self.assertTrue(found["differs"])
        self.assertAlmostEqual(2.0, found["ratio"], delta=0.02)
        self.assertLess(found["low"], found["ratio"])
        self.assertGreater(found["high"], found["ratio"])

    def test_figures_that_overlap_do_not(self):
        self.assertFalse(spread.ratio([100, 140, 120], [110, 130, 115])["differs"])
        self.assertFalse(spread.ratio([100, 130], [110, 140])["differs"])

    def test_one_figure_each_is_never_a_difference(self):
        found = spread.ratio([300], [100])
        self.assertEqual((3.0, 3.0, 3.0, False), (found["ratio"], found["low"], found["high"], found["differs"]))

    def test_one_against_a_range_is_a_difference_outside_of_it(self):
        self.assertTrue(spread.ratio([300], [100, 120])["differs"])
        self.assertFalse(spread.ratio([110], [100, 120])["differs"])

    def test_the_verdict_is_the_same_each_time(self):
        self.assertEqual(spread.ratio([5, 6, 7], [4, 5, 6]), spread.ratio([5, 6, 7], [4, 5, 6]))

    def test_nothing_to_compare(self):
        self.assertIsNone(spread.ratio([], [1]))
        self.assertIsNone(spread.ratio([1], [None, 0]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
