#!/usr/bin/python3
"""The whole tool against a running Basalt, with a generator that pretends and with redis-benchmark: what a user gets, and the one
line for each thing that is wrong."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from library import HERE, ROOT, TOOL

sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from server import Server, free_port  # noqa: E402
import jsonschema  # noqa: E402

BASALT = os.environ.get("BASALT", os.path.join(ROOT, "build/release/basalt"))
FAKE = os.path.join(HERE, "fake_memtier.py")
TINY = """
title = "Tiny"
about = "as little as can be"
[data]
keys = 200
preload = false
[sweep]
clients = [4]
[knee]
connections = 2
p99_ms = 1000
steps = 6
[sustain]
seconds = 2
[time]
warmup_s = 0
step_s = 1
repeats = 1
"""


class RunCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BASALT)
        cls.folder = tempfile.TemporaryDirectory(prefix="capacity-test.")
        cls.profile = os.path.join(cls.folder.name, "tiny.toml")
        with open(cls.profile, "w", encoding="utf-8") as file:
            file.write(TINY)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.remove()
        cls.folder.cleanup()

    def setUp(self):
        with self.server.client() as client:
            client.call("FLUSHALL")
        self.out = os.path.join(self.folder.name, self.id().rsplit(".", 1)[1])

    def words(self, *more, port=None, generator=("--memtier", FAKE)):
        return [
            "/usr/bin/python3",
            TOOL,
            "run",
            "--port",
            str(port or self.server.port),
            "--profile-file",
            self.profile,
            "--out",
            self.out,
            *generator,
            *more,
        ]

    def run_tool(self, words, status, **environment):
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment}
        )
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done

    def results(self):
        with open(os.path.join(self.out, "results.json"), encoding="utf-8") as file:
            document = json.load(file)
        with open(os.path.join(ROOT, "tools/capacity_lib/results.schema.json"), encoding="utf-8") as file:
            jsonschema.Draft202012Validator(json.load(file)).validate(document)
        return document

    def report(self):
        with open(os.path.join(self.out, "report.html"), encoding="utf-8") as file:
            return file.read()

    def part(self, document, name="basalt"):
        return document["profiles"][0]["stages"][0]["servers"][name]


class Runs(RunCase):
    def test_a_run_finds_the_knee_and_writes_results_and_report(self):
        done = self.run_tool(self.words(), 0, FAKE_CAPACITY="3000", FAKE_SPEED="2")  # long enough to look at the server
        document = self.results()
        part = self.part(document)
        self.assertTrue(document["complete"])
        # One process gets 3000 a second, two that offer a rate together get 6000.
        self.assertEqual("open loop", part["knee"]["how"])
        self.assertGreater(part["knee"]["ops_per_s"], 2000)
        self.assertLessEqual(part["knee"]["ops_per_s"], 6100)
        self.assertIsNotNone(part["sustained"]["measurement"]["server"])
        self.assertIn("basalt carries", done.stdout)
        self.assertIn("<h1>How much does it carry?</h1>", self.report())
        self.assertIn("left]", done.stderr)

    def test_redis_benchmark_takes_over_and_what_is_lost_is_said(self):
        done = self.run_tool(self.words(generator=("--with", "redis-benchmark")), 0)
        self.assertIn("lost with this redis-benchmark: no offered rates", done.stderr)
        document = self.results()
        part = self.part(document)
        self.assertEqual("closed loop", part["knee"]["how"])
        self.assertGreater(part["points"][0]["repeats"][0]["server"]["commands_per_s"], 0)
        self.assertIn("no offered rates", self.report())

    def test_two_servers_are_in_one_report(self):
        with Server(BASALT) as other:
            words = self.words(
                "--server",
                "one=127.0.0.1:%d" % self.server.port,
                "--server",
                "two=127.0.0.1:%d,pid=%d" % (other.port, other.pid),
            )
            index = words.index("--port")
            self.run_tool(words[:index] + words[index + 2 :], 0)
            document = self.results()
        self.assertEqual(["one", "two"], [server["name"] for server in document["servers"]])
        self.assertEqual(other.pid, document["servers"][1]["pid"])
        self.assertTrue(self.part(document, "one")["points"] and self.part(document, "two")["points"])

    def test_passwords_are_nowhere(self):
        with Server(BASALT, options={"requirepass": "geheim123"}, password="geheim123") as locked:
            self.run_tool(self.words("--password", "geheim123", port=locked.port), 0)
        for name in ("results.json", "report.html"):
            with open(os.path.join(self.out, name), encoding="utf-8") as file:
                self.assertNotIn("geheim123", file.read(), name)


class Trouble(RunCase):
    def line(self, words, pattern, status=2, **environment):
        """The tool ends with one line that matches."""
        done = self.run_tool(words, status, **environment)
        self.assertEqual(1, len(done.stderr.strip().split("\n")), done.stderr)
        self.assertRegex(done.stderr, pattern)

    def test_a_wrong_port(self):
        self.line(
            self.words(port=free_port()),
            r"^capacity: server \(127.0.0.1:\d+\): nothing listens there \(connection refused\)",
        )

    def test_something_else_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer():
                connection, _ = listener.accept()
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.close()

            threading.Thread(target=answer, daemon=True).start()
            self.line(self.words(port=listener.getsockname()[1]), r"^capacity: server \(127.0.0.1:\d+\)")

    def test_passwords_that_are_wrong_or_missing(self):
        with Server(BASALT, options={"requirepass": "geheim"}, password="geheim") as locked:
            self.line(self.words("--password", "falsch", port=locked.port), "refuses the password: ")
            self.line(self.words(port=locked.port), "wants a password: give --password")

    def test_data_is_not_removed_unasked(self):
        with self.server.client() as client:
            client.call("SET", "mine", "1")
        self.line(self.words(), r"holds 1 keys, and a run removes all data: give --flush")
        with self.server.client() as client:
            self.assertEqual(b"1", client.call("GET", "mine"))

    def test_a_process_that_is_not_there(self):
        self.line(self.words("--server-pid", "4194303"), "no process 4194303 on this machine")

    def test_options_that_are_wrong(self):
        self.line(self.words("--budget", "soon"), "soon is no duration")
        self.line(self.words("--profile", "fast"), "no profile fast; there are: quick")
        self.line(self.words("--server", "x=127.0.0.1:1"), "give --server, or --host and --port, not both")
        self.line(self.words("--memtier", "/no/such"), "no memtier_benchmark at /no/such")

    def test_error_replies_are_counted_and_never_averaged_in(self):
        done = self.run_tool(
            self.words(),
            1,
            FAKE_TROUBLE="errors",
            FAKE_COUNT=self.out + ".count",
            FAKE_TROUBLE_AFTER="2",
            FAKE_CAPACITY="200",
        )
        part = self.part(self.results())
        self.assertIn("error replies, first: MISCONF Errors writing to the disk", part["failure"])
        self.assertIsNone(part["knee"])
        self.assertIn("NOT COUNTED", done.stderr)
        self.assertIn("What went wrong", self.report())

    def test_a_lost_connection_ends_the_servers_part(self):
        self.run_tool(self.words(), 1, FAKE_TROUBLE="lost", FAKE_COUNT=self.out + ".count", FAKE_TROUBLE_AFTER="2")
        part = self.part(self.results())
        self.assertIn("lost connection", part["failure"])
        self.assertEqual(1, len(part["points"][0]["repeats"]))

    def test_a_server_that_dies_half_way(self):
        with Server(BASALT) as mortal:
            words = self.words(port=mortal.port)
            tool = subprocess.Popen(
                words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "FAKE_SPEED": "1"}
            )
            self.wait_for_points()
            mortal.kill()
            out, err = tool.communicate(timeout=60)
        self.assertEqual(1, tool.returncode, err)
        self.assertNotIn("Traceback", err)
        self.assertRegex(self.results()["failures"][0], "nothing listens there|lost connection")
        self.assertIn("Not complete", out)

    def wait_for_points(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if self.part(self.results())["points"]:
                    return
            except (OSError, ValueError, IndexError, KeyError):
                pass
            time.sleep(0.02)
        self.fail("no point was measured")

    def interrupted(self, number):
        tool = subprocess.Popen(
            self.words(),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "FAKE_SPEED": "1"},
        )
        self.wait_for_points()
        tool.send_signal(number)
        out, err = tool.communicate(timeout=30)
        return tool.returncode, out, err

    def test_ctrl_c_keeps_what_was_measured(self):
        for number, name in ((signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")):
            status, out, err = self.interrupted(number)
            self.assertEqual(1, status, err)
            document = self.results()
            self.assertEqual((False, name), (document["complete"], document["ended_by"]))
            self.assertTrue(self.part(document)["points"])
            self.assertIn("the run was interrupted (%s)" % name, out)
            self.assertIn('class="warning"', self.report())
            shutil.rmtree(self.out)

    def test_a_killed_run_still_reports(self):
        status, _, _ = self.interrupted(signal.SIGKILL)
        self.assertEqual(-signal.SIGKILL, status)
        document = self.results()
        self.assertEqual((False, "killed"), (document["complete"], document["ended_by"]))
        self.assertFalse(os.path.exists(os.path.join(self.out, "report.html")))
        self.run_tool(["/usr/bin/python3", TOOL, "report", self.out], 0)
        self.assertIn("The run was killed, or is still going on".lower(), self.report().lower())
        self.assertTrue(re.search(r"carries|was not measured", self.report()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
