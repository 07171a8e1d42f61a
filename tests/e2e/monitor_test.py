#!/usr/bin/python3
"""MONITOR beside busy clients: every command once, those of one key in the order in which they were executed, also those of
a transaction that had to run again; and a monitor that does not read."""

import re
import threading

from case import SANITIZED, BasaltTest, main
from resp import encode

PIPELINES = 20 if SANITIZED else 100


class Monitor(BasaltTest):
    options = {"workers": "2", "pool-threads": "2"}

    def monitor(self):
        client = self.client(60)
        client.call("MONITOR")
        return client

    def test_the_lines_of_a_key_are_in_the_order_of_execution(self):
        monitors = [self.monitor(), self.monitor()]
        writers = [self.client(60) for _ in range(4)]

        def write(writer, name):
            for _ in range(PIPELINES):
                writer.send_raw(b"".join(encode(command) for i in range(5) for command in
                                         (("APPEND", "log", name), ("MULTI",), ("APPEND", "log", name.upper()), ("EXEC",))))
                for _ in range(20):
                    writer.read()

        threads = [threading.Thread(target=write, args=(writer, name)) for writer, name in zip(writers, "abcd")]
        for thread in threads:
            thread.start()
        appended, seen = [[], []], []
        for monitor, log in zip(monitors, appended):
            times = []
            for _ in range(4 * PIPELINES * 20):
                line = monitor.read().value
                times.append(line.split(b" ", 1)[0])
                words = re.findall(rb'"([^"]*)"', line)
                if words[0] == b"APPEND":
                    log.append(words[2])
            self.assertEqual(times, sorted(times))
            seen.append(times)
        for thread in threads:
            thread.join()
        self.assertEqual(seen[0], seen[1], "all monitors get the same lines")
        self.assertEqual(appended[0], appended[1])
        self.assertEqual(b"".join(appended[0]), self.client().call("GET", "log"))

    def test_the_first_line_is_the_reply(self):
        """Also beside busy clients, and when the batch of MONITOR has to wait for other commands in it."""
        ending = threading.Event()
        self.addCleanup(ending.set)

        def write():
            with self.server.client(60) as client:
                while not ending.is_set():
                    client.pipeline([("INCR", "counter")] * 50)

        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()
        first = []
        for _ in range(PIPELINES):
            client = self.client(60)
            client.send_raw(encode(("SET", "mine", "1")) + encode(("MONITOR",)))
            self.assertEqual(client.read().value, b"OK")
            first.append(client.read().value)
            client.close()
        ending.set()
        for thread in threads:
            thread.join()
        self.assertEqual(first, [b"OK"] * PIPELINES)

    def test_what_runs_again_is_shown_once(self):
        client = self.client()
        for i in range(100):
            client.call("HSET", "large", *[word for j in range(100) for word in ("field%d" % (100 * i + j), "v" * 20)])
        client.call("SET", "k", 0)
        monitor = self.monitor()
        client.pipeline([("MULTI",), ("INCR", "k"), ("HGETALL", "large"), ("INCR", "k"), ("EXEC",)])  # too large for the fast lane
        shown = [re.findall(rb'"([^"]*)"', monitor.read().value)[0] for _ in range(5)]
        self.assertEqual(shown, [b"MULTI", b"INCR", b"HGETALL", b"INCR", b"EXEC"])
        client.call("PING")
        self.assertIn(b'"PING"', monitor.read().value)
        stats = self.server.info("commandstats", client=client)["cmdstat_incr"]
        self.assertIn("calls=2,", stats)

    def test_a_monitor_that_does_not_read_is_cut_at_its_limit(self):
        client = self.client()
        client.call("CONFIG", "SET", "client-output-buffer-limit", "replica 1000000 0 0")
        monitor = self.monitor()
        value = b"x" * 10_000
        for _ in range(10_000):
            client.pipeline([("SET", "k", value)] * 10)
            if b"cmd=monitor" not in client.call("CLIENT", "LIST"):
                break
        else:
            self.fail("it is still there")
        self.assertTrue(monitor.wait_closed(10))


if __name__ == "__main__":
    main()
