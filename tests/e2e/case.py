"""The base of tests that start Basalt. $BASALT names the program (default: build/release/basalt)."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from resp import Client
from server import Server

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASALT = os.environ.get("BASALT", os.path.join(ROOT, "build/release/basalt"))
ORACLE = os.environ.get("BASALT_ORACLE")  # a redis-server that OracleTests run against instead
SANITIZED = bool(os.environ.get("BASALT_SANITIZE"))  # memory and time are not what they are in Release


class BasaltTest(unittest.TestCase):
    """Each test gets a fresh server as self.server, which must end cleanly with status 0."""

    options = {}

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="basalt-test.")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.servers = []
        self.addCleanup(self.end_servers)
        self.server = self.start(self.options)

    def start(self, options=None, folder=None, wait=True, **more):
        """A further server, or the same data again: folder is below self.folder."""
        server = Server(BASALT, options=options or {}, folder=os.path.join(self.folder, folder or "data"), wait=wait, **more)
        self.servers.append(server)
        return server

    def end_servers(self):
        outcome = [(server, server.stop()) for server in self.servers]
        for server, status in outcome:
            text = server.output()
            self.assertNotRegex(text, r"Sanitizer|Assertion .* failed|Check failed", "the server's output")
            wanted = -signal.SIGKILL if server.killed and status is not None else 0
            self.assertEqual(status, wanted, "the server's exit status (None: it did not end); its output:\n" + text[-4000:])

    def client(self, timeout=20.0, server=None):
        client = (server or self.server).client(timeout)
        self.addCleanup(client.close)
        return client

    def run_to_end(self, *args, seconds=20):
        """Runs the program with these arguments as a command: (exit status, its output)."""
        done = subprocess.run([BASALT, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds, cwd=self.folder, text=True, errors="replace")
        return done.returncode, done.stdout


class OracleTest(BasaltTest):
    """What holds for a real Redis too: BASALT_ORACLE=/path/to/redis-server. self.control is a client for looking."""

    def start(self, options=None, folder=None, wait=True, **more):
        if not ORACLE:
            return super().start(options, folder, wait, **more)
        server = Server(ORACLE, kind="redis", options=options or {})
        self.addCleanup(server.stop)
        return server

    def setUp(self):
        super().setUp()
        self.control = self.client()


def main():
    unittest.main(verbosity=2)


__all__ = ["BASALT", "ORACLE", "ROOT", "SANITIZED", "BasaltTest", "OracleTest", "Client", "Server", "main", "os", "re", "signal", "subprocess", "unittest"]
