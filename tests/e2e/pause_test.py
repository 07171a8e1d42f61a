#!/usr/bin/python3
"""CLIENT PAUSE beside busy clients: who was held back goes on when it ends, whenever that is."""

import shutil

from case import SANITIZED, BasaltTest, main, subprocess, unittest

ROUNDS = 300 if SANITIZED else 1500
REQUESTS = 50_000 if SANITIZED else 300_000
HOUR_MS = 3_600_000


@unittest.skipIf(shutil.which("redis-benchmark") is None, "redis-benchmark is not here")
class Pause(BasaltTest):
    options = {"workers": "1", "pool-threads": "2"}

    def test_nobody_is_forgotten_when_it_ends(self):
        """A client that is would wait for an hour."""
        busy = subprocess.Popen(["redis-benchmark", "-p", str(self.server.port), "-t", "set", "-c", "50", "-n", str(REQUESTS), "-q"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(busy.stdout.close)
        self.addCleanup(busy.wait)
        self.addCleanup(busy.kill)
        # An end soon after its beginning meets those who have just looked.
        control = self.client()
        for round_ in range(ROUNDS):
            soon = round_ % 100
            replies = control.pipeline([("CLIENT", "PAUSE", HOUR_MS, "WRITE"), *[("PING",)] * soon, ("CLIENT", "UNPAUSE")])
            self.assertEqual(replies, ["OK"] + ["PONG"] * soon + ["OK"])
        try:
            self.assertEqual(busy.wait(60), 0)
        except subprocess.TimeoutExpired:
            self.fail("it waits: %s clients are blocked" % self.server.info("clients")["blocked_clients"])


if __name__ == "__main__":
    main()
