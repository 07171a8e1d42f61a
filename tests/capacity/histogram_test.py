#!/usr/bin/python3
"""HdrHistograms as memtier writes them: decoded, added up, asked."""

import json
import os
import unittest

from library import RECORDED
from capacity_lib.histogram import Histogram, zigzag_numbers


class Decoding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(RECORDED, "rate.json.recorded"), encoding="utf-8") as file:
            cls.totals = json.load(file)["ALL STATS"]["Totals"]
        cls.text = cls.totals["Percentile Latencies"]["Histogram log format"]["Compressed Histogram"]

    def test_it_holds_each_request_and_memtiers_own_percentiles(self):
        found = Histogram.decode(self.text)
        self.assertEqual(self.totals["Count"], found.count)
        for key, value in self.totals["Percentile Latencies"].items():
            if key.startswith("p"):
                self.assertAlmostEqual(value, found.percentile_ms(float(key[1:])), places=3, msg=key)
        self.assertAlmostEqual(self.totals["Accumulated Latency"] / self.totals["Count"], found.mean_ms(), delta=0.02)

    def test_what_is_none_is_an_error(self):
        for text in ("", "AAAA", "not base64!", self.text[:20], "HISTFAAAACF4nJNpmSzMw"):
            with self.assertRaises(ValueError, msg=text):
                Histogram.decode(text)


class Asking(unittest.TestCase):
    def test_percentiles_of_known_counts(self):
        found = Histogram({1000: 90, 5000: 9, 20000: 1})
        self.assertEqual([1.0, 1.0, 5.0, 5.0, 20.0], [found.percentile_ms(p) for p in (0, 90, 91, 99, 100)])

    def test_none_of_nothing(self):
        self.assertIsNone(Histogram().percentile_ms(99))
        self.assertIsNone(Histogram().mean_ms())
        self.assertEqual([], Histogram().distribution())

    def test_sums_are_those_of_all_requests(self):
        fast, slow = Histogram({1000: 99}), Histogram({9000: 99})
        fast.add(slow)
        self.assertEqual((198, 1.0, 9.0), (fast.count, fast.percentile_ms(50), fast.percentile_ms(51)))

    def test_a_distribution_leaves_out_what_less_than_one_request_decides(self):
        self.assertEqual(
            [0, 10, 25, 50, 75, 90, 95, 98, 99, 100], [p for p, _ in Histogram({1000: 100}).distribution()]
        )

    def test_zigzag(self):
        self.assertEqual([0, -1, 1, -2, 2, 300, -300], list(zigzag_numbers(bytes([0, 1, 2, 3, 4, 0xD8, 4, 0xD7, 4]))))
        with self.assertRaises(ValueError):
            list(zigzag_numbers(b"\x80"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
