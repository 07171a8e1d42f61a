#!/usr/bin/python3
"""Many keys that expire at one moment, while GETs go on."""

import time

from case import SANITIZED, BasaltTest, main

KEYS = 10_000 if SANITIZED else 100_000
STAYING = 1000


class MassExpiry(BasaltTest):
    def gets(self, client, seconds):
        """Latencies of GETs of keys that stay, sorted."""
        latencies, number, end = [], 0, time.monotonic() + seconds
        while time.monotonic() < end:
            number = (number + 7) % STAYING
            started = time.perf_counter()
            value = client.call("GET", "stay:%d" % number)
            latencies.append(time.perf_counter() - started)
            self.assertEqual(value, b"v" * 100)
        latencies.sort()
        return latencies

    def test_counts_are_exact_space_comes_back_and_reads_go_on(self):
        client, control = self.client(timeout=60), self.client(timeout=60)
        client.pipeline([("SET", "stay:%d" % i, "v" * 100) for i in range(STAYING)])
        self.gets(client, 0.3)
        quiet = self.gets(client, 2)

        moment = int(time.time() * 1000) + (20_000 if SANITIZED else 6_000)
        for start in range(0, KEYS, 5000):
            for reply in control.pipeline([("SET", "go:%d" % i, "x" * 100, "PXAT", moment) for i in range(start, start + 5000)]):
                self.assertEqual(reply, "OK")
        self.assertLess(time.time() * 1000, moment, "the machine is too slow for this test's timing")
        self.assertEqual(control.call("DBSIZE"), STAYING + KEYS)
        self.assertRegex(self.server.info("keyspace", client=control)["db0"], "keys=%d,expires=%d," % (STAYING + KEYS, KEYS))
        time.sleep(max(0.0, moment / 1000 - time.time()))
        time.sleep(0.01)
        self.assertIsNone(control.call("GET", "go:5"), "an expired key must be invisible at once")

        busy = self.gets(client, 2)
        deadline = time.monotonic() + 60
        while control.call("DBSIZE") != STAYING:
            self.assertLess(time.monotonic(), deadline, "expired keys are still counted")
            time.sleep(0.05)
        stats = self.server.info("stats", client=control)
        self.assertEqual(int(stats["expired_keys"]), KEYS)
        self.assertRegex(self.server.info("keyspace", client=control)["db0"], "keys=%d,expires=0," % STAYING)

        def p999(latencies):
            return latencies[int(len(latencies) * 0.999)]

        print("p99.9 of GET: %.2f ms quiet, %.2f ms while %d keys expired" % (p999(quiet) * 1e3, p999(busy) * 1e3, KEYS))
        # Three times the quiet value is the goal (measured in README's way); here other tests share the machine's two cores.
        self.assertLess(p999(busy), max(3 * p999(quiet), 0.5 if SANITIZED else 0.05))

    def test_expiry_times_survive_a_restart(self):
        client = self.client()
        moment = int(time.time() * 1000) + 1500
        client.call("SET", "soon", "1", "PXAT", moment)
        client.call("SET", "later", "1", "EX", 1000)
        client.call("SET", "never", "1")
        self.assertEqual(self.server.stop(), 0)
        self.server = self.start(self.options)
        client = self.client()
        self.assertGreater(client.call("TTL", "later"), 990)
        self.assertEqual(client.call("TTL", "never"), -1)
        time.sleep(max(0.0, moment / 1000 - time.time()) + 0.05)
        self.assertIsNone(client.call("GET", "soon"))
        deadline = time.monotonic() + 10
        while client.call("DBSIZE") != 2:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)


if __name__ == "__main__":
    main()
