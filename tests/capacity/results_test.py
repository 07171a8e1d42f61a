#!/usr/bin/python3
"""Results, and what is made of them: the schema, saving, the words, the tables, the comparison."""

import copy
import json
import os
import tempfile
import unittest

import jsonschema

from library import measurement, part, point, recorded_run
from capacity_lib import charts, compare, figures, page, results, summary
from capacity_lib.failure import Failure

KNEE = {
    "how": "open loop",
    "p99_ms_target": 5,
    "asked_rate": 41_000,
    "ops_per_s": 41_000,
    "p50_ms": 1.0,
    "p99_ms": 4.0,
    "clients": 48,
    "pipeline": 1,
    "broke_at": 43_000,
    "broke_by": "p99",
}
PROFILE = {
    "name": "quick",
    "title": "Quick",
    "about": "a",
    "p99_ms": 5,
    "stages": [],
    "settings": {"set_get": "1:1", "commands": [], "key_pattern": "R:R"},
}


def document(**parts):
    """Results with one stage; a server for each keyword."""
    stage = {"value_bytes": 100, "keys": 1000, "servers": parts}
    out = results.new(
        {"cpu": "c", "cores": 2, "memory_bytes": 1 << 30, "kernel": "6", "os": "Debian", "load_at_start": 0.1},
        {"name": "memtier_benchmark", "version": "2", "path": "/m", "threads": 1, "lost": []},
        [
            {
                "name": name,
                "host": "h",
                "port": 1,
                "kind": "redis",
                "version": "7.2.4",
                "pid": None,
                "facts": {},
                "config": {},
            }
            for name in parts
        ],
        "",
        "capacity run",
    )
    out["profiles"].append({**PROFILE, "stages": [stage]})
    out.update(complete=True, ended_by=None)
    return out


def validate(value):
    with open(results.SCHEMA_PATH, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(value)


class Schema(unittest.TestCase):
    def test_a_recorded_run_keeps_it(self):
        validate(recorded_run())

    def test_it_says_no(self):
        broken = recorded_run()
        broken["profiles"][0]["stages"][0]["servers"]["basalt"]["points"][0]["phase"] = "guess"
        with self.assertRaises(jsonschema.ValidationError):
            validate(broken)

    def test_each_figure_of_the_schema_is_explained_or_plain(self):
        validate(document(a=part([point(measurement())], KNEE)))


class Saving(unittest.TestCase):
    def test_a_save_that_fails_leaves_the_last_whole_document(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "results.json")
            results.save(document(), path)
            with self.assertRaises(TypeError):
                results.save({"schema_version": 1, "bad": object()}, path)
            self.assertEqual(1, results.load(path)["schema_version"])

    def test_files_that_are_none(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.json")
            for text, pattern in (
                ("{", "is no JSON"),
                ("[]", "not the results.json"),
                ('{"schema_version": 9, "profiles": []}', "version 9"),
            ):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                with self.assertRaisesRegex(Failure, pattern):
                    results.load(path)
        with self.assertRaisesRegex(Failure, "No such file"):
            results.load("/no/such/results.json")


class Counting(unittest.TestCase):
    def test_what_went_wrong_is_never_averaged_in(self):
        mixed = point(
            measurement(1000, p99=2),
            measurement(9000, p99=90, replies=3),
            measurement(8000, lost=1),
            measurement(7000, interrupted=True),
            measurement(1200, p99=3),
        )
        self.assertEqual({"median": 1100, "low": 1000, "high": 1200, "n": 2}, figures.ops(mixed))
        self.assertEqual((3, 1), figures.errors(mixed))
        self.assertIsNone(figures.ops(point(measurement(replies=1))))

    def test_and_it_is_shown(self):
        shown = page.render(document(a=part([point(measurement(replies=3))])))
        self.assertIn("3 replies", shown)
        self.assertIn("What went wrong", shown)


class Words(unittest.TestCase):
    def sentence(self, **more):
        return summary.sentence(PROFILE, "basalt", part(**more))

    def test_the_knee_and_what_gives_first(self):
        self.assertEqual(
            "basalt carries 41k mixed operations a second under 5 ms p99; CPU of the worker threads (sockets) gives first.",
            self.sentence(knee=KNEE, limit={"what": "CPU of the worker threads (sockets)", "why": "", "evidence": {}}),
        )

    def test_a_server_that_does_not_keep_its_promise(self):
        self.assertIn(
            "does not keep 5 ms p99, not even at 2,000 a second",
            self.sentence(knee={**KNEE, "ops_per_s": None, "broke_at": 2000}),
        )

    def test_a_failure_is_part_of_it(self):
        self.assertIn("was not measured to an end; it is gone.", self.sentence(failure="it is gone"))

    def test_why_a_run_is_not_complete(self):
        for reason, pattern in (("killed", "was killed"), ("SIGINT", "interrupted"), ("no space", "no space")):
            self.assertIn(pattern, summary.incomplete({"ended_by": reason}))


class Page(unittest.TestCase):
    def test_nothing_of_a_servers_text_becomes_html(self):
        evil = document(**{"a": part(failure="<script>alert(1)</script>")})
        evil["note"] = "</script><b>"
        evil["servers"][0]["config"] = {"dir": "<img src=x>"}
        shown = page.render(evil)
        self.assertNotIn("<script>alert", shown)
        self.assertNotIn("<img", shown)

    def test_no_network(self):
        shown = page.render(recorded_run()).split("<script")[0]
        self.assertNotRegex(shown, r"(src|href)=\"(https?:)?//")

    def test_a_run_that_had_measured_nothing_yet(self):
        empty = document()
        empty["profiles"].clear()
        self.assertIn("How much does it carry?", page.render(empty))
        self.assertIn("How much does it carry?", page.render(document(a=part())))

    def test_a_run_cut_off_anywhere_still_reports(self):
        whole = recorded_run()
        for name in ("sustained", "limit", "knee", "preload"):
            cut = copy.deepcopy(whole)
            for _, _, _, one in results.stages(cut):
                one[name] = None
            cut.update(complete=False, ended_by="killed")
            self.assertIn("was killed", page.render(cut), name)


class Charts(unittest.TestCase):
    def test_spans_of_compactions(self):
        samples = {"t": [10, 11, 12, 13, 14], "compactions_running": [0, 1, 1, 0, 2]}
        self.assertEqual([(0.5, 3.0), (3.5, 5)], charts.spans(samples, 10, "compactions_running", 5))

    def test_rates_leave_out_restarts_and_gaps(self):
        samples = {"t": [1, 2, 3, 4, 5], "cpu": [1, 3, None, 2, 3]}
        self.assertEqual([(1, 2.0), (4, 1.0)], list(charts.rate("cpu")(samples, 1)))
        self.assertEqual([], list(charts.rate("absent")(samples, 1)))

    def test_stalls(self):
        self.assertEqual([2], charts.stall_seconds({"t": [1, 2, 3], "stall_us": [5, 5, 9]}, 1))

    def test_a_long_series_is_thinned_and_keeps_its_end(self):
        found = charts.thinned([[i, i] for i in range(5000)])
        self.assertLessEqual(len(found), 601)
        self.assertEqual([4999, 4999], found[-1])


class Compare(unittest.TestCase):
    def table(self, **parts):
        return compare.of([(name, document(s=value)) for name, value in parts.items()])

    def cell(self, table, figure, column):
        return next(row["cells"][column] for row in table["rows"] if row["figure"] == figure)

    def test_differences_larger_than_the_noise_are_named(self):
        slow = part([point(*(measurement(ops) for ops in (1000, 1010, 1020)))])
        fast = part([point(*(measurement(ops) for ops in (2000, 2010, 2020)))])
        same = part([point(*(measurement(ops) for ops in (1005, 1010, 1030)))])
        table = self.table(slow=slow, fast=fast, same=same)
        better, equal = self.cell(table, "most, ops/s", 1), self.cell(table, "most, ops/s", 2)
        self.assertTrue(better["ratio"]["differs"] and better["better"])
        self.assertFalse(equal["ratio"]["differs"])
        shown = compare.text(table)
        self.assertIn("×1.99", shown)
        self.assertIn("better", shown)
        self.assertIn("≈", shown)

    def test_knees_differ_only_when_their_ranges_are_apart(self):
        far = self.table(a=part(knee=KNEE), b=part(knee={**KNEE, "ops_per_s": 60_000, "broke_at": 62_000}))
        near = self.table(a=part(knee=KNEE), b=part(knee={**KNEE, "ops_per_s": 42_000, "broke_at": 44_000}))
        self.assertTrue(self.cell(far, "carries, ops/s", 1)["ratio"]["differs"])
        self.assertFalse(self.cell(near, "carries, ops/s", 1)["ratio"]["differs"])

    def test_a_server_is_compared_with_itself_in_an_earlier_file(self):
        run = recorded_run()
        table = compare.of([("a", run), ("b", run)])
        for row in table["rows"]:
            for cell in row["cells"][2:]:
                if cell and cell["ratio"]:
                    self.assertAlmostEqual(1.0, cell["ratio"]["ratio"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
