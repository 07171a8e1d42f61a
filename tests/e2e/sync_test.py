#!/usr/bin/python3
"""`appendfsync always` on a disk whose syncs do not end: no reply to a write leaves before, whatever the client does next."""

import time
import unittest.mock

from case import ROOT, SANITIZED, BasaltTest, main, os, unittest
from resp import encode

HELD_SYNC = os.environ.get("HELD_SYNC_LIBRARY", os.path.join(ROOT, "build/release/tests/libheld_sync.so"))
# About half a second in the slow lane.
SLOW_SCRIPT = "local n = 0 for i = 1, 50000000 do n = n + i end return redis.call('GET', KEYS[1])"


@unittest.skipIf(SANITIZED, "a sanitizer wants to be the first library")
class Always(BasaltTest):
    options = {"appendfsync": "always"}

    def start(self, *args, **more):
        self.mark = os.path.join(self.folder, "held")
        with unittest.mock.patch.dict(os.environ, LD_PRELOAD=HELD_SYNC, HELD_SYNC=self.mark):
            return super().start(*args, **more)

    def setUp(self):
        super().setUp()
        self.addCleanup(self.release)

    def hold(self):
        with open(self.mark, "w"):
            pass

    def release(self):
        if os.path.exists(self.mark):
            os.unlink(self.mark)

    def send(self, *commands):
        client = self.client()
        client.send_raw(b"".join(encode(command) for command in commands))
        return client

    def test_a_write_is_not_acknowledged_before_its_sync(self):
        self.hold()
        client = self.send(("SET", "a", 1))
        self.assertFalse(client.pending(0.3))
        self.release()
        self.assertEqual(client.read().plain(), "OK")

    def test_nor_when_the_next_command_blocks(self):
        self.client().call("XGROUP", "CREATE", "stream", "g", "$", "MKSTREAM")
        self.hold()
        waiting = [self.send(("SET", "a%d" % i, 1), command) for i, command in enumerate((
            ("BLPOP", "q", 0), ("WAIT", 1, 0), ("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "stream", ">")))]
        for client in waiting:
            self.assertFalse(client.pending(0.3))
        self.release()
        for client in waiting:
            self.assertEqual(client.read().plain(), "OK")
            self.assertFalse(client.pending(0.05), "it waits")
        control = self.client()
        control.pipeline([("RPUSH", "q", "x"), ("XADD", "stream", "1-1", "f", "v")])
        self.assertEqual(waiting[0].read().plain(), [b"q", b"x"])
        self.assertEqual(waiting[2].read().plain(), [[b"stream", [[b"1-1", [b"f", b"v"]]]]])

    def test_nor_when_the_next_command_waits_for_a_key(self):
        control = self.client()
        control.call("SET", "b", 2)
        script = self.send(("EVAL", SLOW_SCRIPT, 1, "b"))
        self.assertFalse(script.pending(0.1))  # it runs, and has the key
        self.hold()
        client = self.send(("SET", "a", 1), ("GET", "b"))
        self.assertEqual(script.read().plain(), b"2")
        self.assertFalse(client.pending(0.3))
        self.release()
        self.assertEqual([client.read().plain(), client.read().plain()], ["OK", b"2"])

    def test_a_wait_begins_without_the_sync_of_what_nobody_is_told(self):
        self.client().call("XGROUP", "CREATE", "stream", "g", "$", "MKSTREAM")
        self.hold()
        client = self.send(("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "stream", ">"))
        deadline = time.monotonic() + 10
        while self.server.info("clients")["blocked_clients"] != "1":
            self.assertLess(time.monotonic(), deadline)
        client.close()


if __name__ == "__main__":
    main()
