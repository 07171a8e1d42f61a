#!/usr/bin/python3
"""memtier_benchmark's output, recorded from a real one: its JSON, its complaints; and what its command line becomes."""

import os
import stat
import tempfile
import unittest
from types import SimpleNamespace

from library import RECORDED, recorded
from capacity_lib import load, memtier, memtier_output, profile
from capacity_lib.failure import Failure

SERVER = SimpleNamespace(name="basalt", host="127.0.0.1", port=6379, user=None, password=None)
HELP = " ".join(memtier.REQUIRED) + " --rate-limiting --hdr-file-prefix"


def complaints(name):
    seen = memtier_output.Complaints()
    for line in recorded(name).replace("\r", "\n").split("\n"):
        seen.line(line)
    return seen


def pretend(folder, version, usage):
    """A program that answers --version and --help as told."""
    path = os.path.join(folder, "memtier_benchmark")
    with open(path, "w") as file:
        file.write("#!/bin/sh\ncase $1 in --version) echo '%s';; --help) echo '%s';; esac\n" % (version, usage))
    os.chmod(path, stat.S_IRWXU)
    return path


class Json(unittest.TestCase):
    def test_one_process_is_read_as_memtier_itself_counts(self):
        document = memtier_output.read_json(os.path.join(RECORDED, "rate.json.recorded"))
        totals = document["ALL STATS"]["Totals"]
        found = memtier_output.merge([document], 2.0)
        self.assertEqual(totals["Count"], found["count"])
        self.assertAlmostEqual(totals["Ops/sec"], found["ops_per_s"], delta=0.01 * totals["Ops/sec"])
        for name, key in (("p50", "p50.00"), ("p90", "p90.00"), ("p99", "p99.00"), ("p99.9", "p99.90")):
            self.assertAlmostEqual(totals["Percentile Latencies"][key], found["latency_ms"][name], places=3, msg=name)
        self.assertAlmostEqual(totals["Max Latency"], found["latency_ms"]["max"], places=3)
        self.assertEqual({"SET", "GET"}, set(found["by_command"]))
        self.assertEqual(2, len(found["per_second"]["t"]))
        self.assertEqual(
            [percentile for percentile, _ in found["distribution"]], sorted(p for p, _ in found["distribution"])
        )

    def test_two_processes_add_up(self):
        document = memtier_output.read_json(os.path.join(RECORDED, "rate.json.recorded"))
        one, two = memtier_output.merge([document], 2.0), memtier_output.merge([document, document], 2.0)
        self.assertEqual(2 * one["count"], two["count"])
        self.assertAlmostEqual(2 * one["ops_per_s"], two["ops_per_s"], delta=0.2)
        self.assertEqual(one["latency_ms"], two["latency_ms"])
        self.assertEqual([2 * ops for ops in one["per_second"]["ops"]], two["per_second"]["ops"])

    def test_commands_have_figures_of_their_own(self):
        found = memtier_output.merge([memtier_output.read_json(os.path.join(RECORDED, "commands.json.recorded"))], 2.0)
        self.assertEqual({"HSET", "HGETALL"}, set(found["by_command"]))
        self.assertAlmostEqual(
            2, found["by_command"]["HSET"]["ops_per_s"] / found["by_command"]["HGETALL"]["ops_per_s"], delta=0.1
        )
        self.assertGreater(found["by_command"]["HSET"]["bytes_sent"], 100 * found["by_command"]["HSET"]["ops_per_s"])

    def test_a_run_in_which_nothing_was_answered_has_no_latencies(self):
        found = memtier_output.merge([memtier_output.read_json(os.path.join(RECORDED, "lost.json.recorded"))], 2.0)
        self.assertEqual((0, None, None), (found["count"], found["latency_ms"]["p99"], found["latency_ms"]["max"]))

    def test_no_number_is_no_json(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"a": -nan, "b": inf, "c": "nan"}')
            file.flush()
            self.assertEqual({"a": None, "b": None, "c": "nan"}, memtier_output.read_json(file.name))
            file.write("{")
            file.flush()
            self.assertIsNone(memtier_output.read_json(file.name))
        self.assertIsNone(memtier_output.read_json("/no/such/file"))


class Stderr(unittest.TestCase):
    def test_a_fine_run_complains_of_nothing(self):
        seen = complaints("fine.stderr.recorded")
        self.assertFalse(seen.seen)
        self.assertFalse(seen.enough())
        self.assertEqual("", seen.last)

    def test_error_replies_are_counted_one_by_one(self):
        seen = complaints("errors.stderr.recorded")
        self.assertEqual(20, seen.seen.replies)
        self.assertEqual({"WRONGTYPE Operation against a key holding the wrong kind of value": 20}, seen.seen.texts)
        self.assertFalse(seen.enough(), "twenty do not end a step")

    def test_a_lost_connection_ends_the_step(self):
        seen = complaints("lost.stderr.recorded")
        self.assertGreaterEqual(seen.seen.lost_connections, 1)
        self.assertTrue(seen.enough())
        self.assertIn("Connection error: Connection reset by peer", seen.seen.texts)

    def test_a_refused_password_is_one_line(self):
        seen = complaints("password.stderr.recorded")
        self.assertEqual(
            "authentication failed: WRONGPASS invalid username-password pair or user is disabled.", seen.refused
        )
        self.assertTrue(seen.enough())

    def test_many_error_replies_end_a_step_early(self):
        seen = memtier_output.Complaints()
        for _ in range(memtier_output.REPLIES_MAX):
            seen.line("server 127.0.0.1:1 handle error response: -MISCONF no space")
        self.assertTrue(seen.enough())


class Versions(unittest.TestCase):
    def test_missing_is_a_line_that_says_how_to_get_it(self):
        path, os.environ["PATH"] = os.environ["PATH"], "/nowhere"
        try:
            with self.assertRaisesRegex(Failure, r"not on PATH; get it with .*--with redis-benchmark"):
                memtier.Memtier(None)
        finally:
            os.environ["PATH"] = path
        with self.assertRaisesRegex(Failure, "no memtier_benchmark at /no/such"):
            memtier.Memtier("/no/such")

    def test_an_old_one_is_a_line_that_names_what_it_lacks(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pretend(
                folder,
                "memtier_benchmark 1.2.17",
                HELP.replace("--print-percentiles", "").replace("--distinct-client-seed", ""),
            )
            with self.assertRaisesRegex(
                Failure, r"too old: version 1\.2\.17 has no --print-percentiles, --distinct-client-seed; version 2\.0"
            ):
                memtier.Memtier(path)

    def test_one_without_rates_measures_closed_loops_and_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            old = memtier.Memtier(pretend(folder, "memtier_benchmark 1.4.0", HELP.replace("--rate-limiting", "")))
            self.assertFalse(old.open_loop)
            self.assertIn("--rate-limiting", old.document()["lost"][0])

    def test_versions_of_releases_and_of_builds_from_git(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual("2.1.1", memtier.Memtier(pretend(folder, "memtier_benchmark 2.1.1", HELP)).version)
            self.assertEqual(
                "git 2f74d611",
                memtier.Memtier(
                    pretend(folder, "memtier_benchmark v=255.255.255 sha=2f74d611:0 bits=64", HELP)
                ).version,
            )

    def test_something_else_is_not_taken_for_it(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(Failure, "does not seem to be memtier_benchmark"):
                memtier.Memtier(pretend(folder, "hello", HELP))


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.memtier = memtier.Memtier(pretend(self.folder.name, "memtier_benchmark 2.1.1", HELP), threads=2)
        self.addCleanup(self.folder.cleanup)

    def words(self, step, server=SERVER):
        return self.memtier.command(step, server, "/tmp/x.json")

    def test_a_closed_loop_shares_its_clients_among_threads(self):
        words, rate = self.words(load.of(profile.named("cache"), 1000, 200, 50, 16, 5))
        self.assertIsNone(rate)
        self.assertEqual(("2", "25", "16"), tuple(words[words.index(o) + 1] for o in ("-t", "-c", "--pipeline")))
        self.assertEqual("1:9", words[words.index("--ratio") + 1])
        self.assertEqual("G:G", words[words.index("--key-pattern") + 1])
        self.assertNotIn("--rate-limiting", words)

    def test_an_offered_rate_is_what_memtier_makes_of_it(self):
        words, rate = self.words(load.of(profile.named("cache"), 1000, 200, 48, 1, 5, rate=20_000))
        each = int(words[words.index("--rate-limiting") + 1])
        self.assertEqual(417, each)
        self.assertAlmostEqual(20_000, rate, delta=200)
        self.assertGreaterEqual(int(words[words.index("--pipeline") + 1]), each)

    def test_rates_of_a_connection_as_memtier_rounds_them(self):
        # burst requests at once, floor(rate / burst) times a second
        self.assertEqual((50, 50.0, 1), memtier.connection_rate(50))
        self.assertEqual((55, 2 * 1e6 / 37037, 2), memtier.connection_rate(55))
        self.assertEqual((1000, 1000.0, 20), memtier.connection_rate(1000))
        self.assertEqual(2, memtier.connection_rate(0.1)[0])

    def test_preload_draws_each_key_once(self):
        words, _ = self.words(load.preload(profile.named("types"), 1000, 64)[0])
        self.assertEqual("allkeys", words[words.index("-n") + 1])
        self.assertEqual("P", words[words.index("--command-key-pattern") + 1])
        self.assertNotIn("--test-time", words)

    def test_a_shown_command_has_no_password(self):
        server = SimpleNamespace(**{**vars(SERVER), "password": "geheim", "user": "ada"})
        words, _ = self.words(load.of(profile.named("quick"), 1000, 100, 10, 1, 5), server)
        self.assertIn("ada:geheim", words)
        self.assertNotIn("geheim", " ".join(memtier.without_secrets(words)))
        self.assertNotIn("/tmp/x.json", memtier.without_secrets(words))

    def test_an_offered_rate_is_shared_out_evenly(self):
        found = memtier.parts(load.of(profile.named("cache"), 1000, 200, 50, 1, 5, rate=10_000))
        self.assertEqual(memtier.STAGGERED, len(found))
        self.assertEqual(50, sum(one.clients for one in found))
        self.assertAlmostEqual(10_000, sum(one.rate for one in found))
        self.assertEqual({200.0}, {one.rate / one.clients for one in found})


if __name__ == "__main__":
    unittest.main(verbosity=2)
