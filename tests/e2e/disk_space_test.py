#!/usr/bin/python3
"""Below the watermark: writes are refused, and what makes room is not."""

import time

from case import BasaltTest, main


class LowDisk(BasaltTest):
    def test_keys_can_be_removed_and_expire(self):
        client = self.client()
        for number in range(20):
            client.call("SET", "key:%d" % number, "v" * 10_000)
        client.call("SELECT", 1)
        client.call("SET", "flushed", "1")
        client.call("SELECT", 0)
        client.call("SET", "soon", "1", "PX", 2000)
        client.call("SET", "read", "1", "PX", 2000)
        stop = 2 * int(self.server.info("basalt", client=client)["disk_free_bytes"])
        self.assertEqual(self.server.stop(), 0)
        self.server = self.start({"disk-free-warn": stop, "disk-free-stop": stop})
        client = self.client()
        for command in (("SET", "key:0", "1"), ("EXPIRE", "key:0", 100), ("RENAME", "key:0", "x"), ("LPUSH", "l", "1")):
            with self.assertRaisesRegex(Exception, "^MISCONF disk nearly full"):
                client.call(*command)
        self.assertEqual(client.call("DEL", "key:0", "key:1"), 2)
        self.assertEqual(client.call("UNLINK", "key:2"), 1)
        self.assertEqual(client.call("GETDEL", "key:3"), b"v" * 10_000)
        client.call("SELECT", 1)
        self.assertEqual(client.call("FLUSHDB"), "OK")
        self.assertEqual(client.call("DBSIZE"), 0)
        client.call("SELECT", 0)
        time.sleep(2.2)
        # A read of an expired key removes it, and takes nothing of its pipeline along.
        replies = client.pipeline([("GET", "read"), ("GET", "key:4"), ("DBSIZE",)])
        self.assertEqual(replies[:2], [None, b"v" * 10_000])
        deadline = time.monotonic() + 10
        while client.call("DBSIZE") != 16:
            self.assertLess(time.monotonic(), deadline, "expired keys stay")
            time.sleep(0.05)
        # Among others it is no more than they are.
        client.call("MULTI")
        client.call("DEL", "key:5")
        with self.assertRaisesRegex(Exception, "EXECABORT.*disk nearly full"):
            client.call("EXEC")
        self.assertEqual(client.call("EXISTS", "key:5"), 1)
        self.assertEqual(client.call("FLUSHALL"), "OK")
        self.assertEqual(client.call("DBSIZE"), 0)


if __name__ == "__main__":
    main()
