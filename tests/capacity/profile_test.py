#!/usr/bin/python3
"""Profiles: those that we have, and what is said about mistakes in one's own."""

import os
import tempfile
import unittest

from library import ROOT
from capacity_lib import load, plan, profile
from capacity_lib.failure import Failure

GOOD = {"title": "T", "about": "a", "data": {"keys": 10}}


def with_(**sections):
    return {**GOOD, **sections}


class Ours(unittest.TestCase):
    def test_all_are_there_and_can_be_run(self):
        self.assertEqual(
            ["quick", "cache", "session", "write-heavy", "pipeline", "big-values", "types", "larger-than-memory"],
            profile.known(),
        )
        for name in profile.known():
            one = profile.named(name)
            self.assertTrue(one.title and one.about, name)
            self.assertGreater(one.key_count(1 << 30), 0)

    def test_quick_takes_about_two_minutes(self):
        self.assertLess(plan.profile_s(profile.named("quick"), None, True), 140)

    def test_larger_than_memory_is_several_times_the_setting(self):
        one = profile.named("larger-than-memory")
        self.assertGreaterEqual(one.key_count(1 << 28) * max(one.value_bytes), 3 * (1 << 28))
        with self.assertRaisesRegex(Failure, "give --memory"):
            one.key_count(None)

    def test_the_guide_names_each_setting(self):
        with open(os.path.join(ROOT, "tools/capacity-profiles/README.md"), encoding="utf-8") as file:
            guide = file.read()
        for section, names in profile.SECTIONS.items():
            for name in names:
                self.assertIn("`%s`" % name, guide, "%s.%s" % (section, name))


class Mistakes(unittest.TestCase):
    def refused(self, document, pattern):
        with self.assertRaisesRegex(Failure, pattern):
            profile.parse(document, "mine")

    def test_each_is_one_line(self):
        self.refused({"title": "T"}, "mine: about is missing")
        self.refused({"title": "T", "about": "a"}, r"data\.keys or data\.memory_times")
        self.refused(with_(data={"keys": 1, "memory_times": 2}), "not both")
        self.refused(with_(laod={}), r"no section \[laod\]; there are: data, load")
        self.refused(with_(data={"keyz": 1}), r"unknown name data\.keyz")
        self.refused(with_(data={"keys": "many"}), r"data\.keys must be a whole number")
        self.refused(with_(data={"keys": True}), r"data\.keys must be a whole number")
        self.refused(with_(data={"keys": -1}), "must not be negative")
        self.refused(with_(sweep={"clients": []}), r"sweep\.clients must be positive whole numbers")
        self.refused(with_(sweep={"clients": [0]}), "positive whole numbers")
        self.refused(with_(load={"set_get": "1-9"}), "must be as 1:9")
        self.refused(with_(load={"key_pattern": "Q:R"}), "key_pattern")
        self.refused(with_(load={"command": [{"txt": "GET x"}]}), "list of tables with a text")
        self.refused(with_(load={"command": [{"text": "GET x", "rato": 1}]}), r"unknown name load\.command\.rato")
        self.refused(with_(load={"command": [{"text": "GET x", "keys": "Q"}]}), "keys must be")
        self.refused(with_(sustain={"load": "half"}), "knee or full")

    def test_files_that_are_none(self):
        with self.assertRaisesRegex(Failure, "cannot read profile /no/such.toml: No such file"):
            profile.read("/no/such.toml")
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write("title = \n")
            file.flush()
            with self.assertRaisesRegex(Failure, "line 1"):
                profile.read(file.name)
        with self.assertRaisesRegex(Failure, "no profile fast; there are: quick, cache"):
            profile.named("fast")


class OwnWorkloads(unittest.TestCase):
    def test_a_file_is_enough(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(
                'title = "Mine"\nabout = "counts"\n[data]\nkeys = 5\npreload = false\n[[load.command]]\ntext = "INCR __key__"\n'
            )
            file.flush()
            one = profile.read(file.name)
        self.assertEqual(("INCR __key__",), tuple(command.text for command in one.commands))
        self.assertEqual([], load.preload(one, 5, 100))


class Plans(unittest.TestCase):
    def test_a_budget_shortens_steps_before_it_drops_repeats(self):
        one = [profile.named("cache")]
        whole, seconds = plan.fit(one, 1, None, True, None)
        self.assertEqual(one, whole)
        shorter, less = plan.fit(one, 1, None, True, 0.7 * seconds)
        self.assertLessEqual(less, 0.7 * seconds)
        self.assertLess(shorter[0].step_s, one[0].step_s)
        self.assertEqual(3, shorter[0].repeats)
        shortest, least = plan.fit(one, 1, None, True, 10)
        self.assertEqual(1, shortest[0].repeats)
        self.assertGreater(least, 10, "a budget that cannot be kept gives the shortest plan")

    def test_two_servers_take_twice_as_long(self):
        one = [profile.named("quick")]
        self.assertAlmostEqual(2 * plan.fit(one, 1, None, True, None)[1], plan.fit(one, 2, None, True, None)[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
