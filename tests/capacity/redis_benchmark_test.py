#!/usr/bin/python3
"""redis-benchmark as fallback: its CSV, recorded from a real one, and what a mix becomes."""

import shutil
import unittest
from types import SimpleNamespace

from library import recorded
from capacity_lib import load, profile, redis_benchmark
from capacity_lib.failure import Failure


class Csv(unittest.TestCase):
    def test_a_recorded_run(self):
        found = redis_benchmark.parse_csv(recorded("redis-benchmark.csv.recorded"))
        self.assertEqual({"rps": 24096.39, "mean": 0.134, "p50": 0.127, "p99": 0.311, "max": 3.591}, found)

    def test_no_result_and_an_old_one(self):
        self.assertIsNone(redis_benchmark.parse_csv(recorded("redis-benchmark.csv.recorded").splitlines()[0]))
        self.assertIsNone(redis_benchmark.parse_csv("Error from server: WRONGTYPE"))
        with self.assertRaisesRegex(Failure, "too old"):
            redis_benchmark.parse_csv('"SET","24096.39"\n')

    def test_commands_one_after_another_make_the_rate_of_the_mix(self):
        rows = [
            (1000, "SET", {"rps": 1000.0, "mean": 2.0, "p50": 2.0, "p99": 9.0, "max": 20.0}),
            (3000, "GET", {"rps": 3000.0, "mean": 1.0, "p50": 1.0, "p99": 3.0, "max": 5.0}),
        ]
        found = redis_benchmark.summed(rows)
        self.assertEqual(
            (2000.0, 9.0, 1.25), (found["ops_per_s"], found["latency_ms"]["p99"], found["latency_ms"]["mean"])
        )
        self.assertEqual(0, redis_benchmark.summed([])["count"])


class CommandLine(unittest.TestCase):
    def test_a_profile_becomes_its_commands(self):
        bench = redis_benchmark.RedisBenchmark(shutil.which("redis-benchmark"))
        mix = bench.commands(load.of(profile.named("session"), 100, 8, 10, 1, 5))
        self.assertEqual([0.2, 0.8], [share for share, _ in mix])
        self.assertEqual(["SETEX", "session:__rand_int__", "900", "xxxxxxxx"], mix[0][1])
        types = bench.commands(load.of(profile.named("types"), 100, 8, 10, 1, 5))
        self.assertAlmostEqual(1.0, sum(share for share, _ in types))

    def test_a_shown_command_has_no_password(self):
        bench = redis_benchmark.RedisBenchmark(shutil.which("redis-benchmark"))
        server = SimpleNamespace(host="h", port=1, user=None, password="geheim")
        step = load.of(profile.named("quick"), 100, 8, 10, 1, 5)
        self.assertIn("geheim", bench.command(step, server, 10, ["GET", "x"], server.password))
        self.assertNotIn("geheim", bench.shown(step, server, ["GET", "x"]))

    def test_missing(self):
        with self.assertRaisesRegex(Failure, "redis-tools"):
            redis_benchmark.RedisBenchmark("/no/such")


if __name__ == "__main__":
    unittest.main(verbosity=2)
