#!/usr/bin/python3
"""Fields of hashes that expire: with the cycle, under a pause, across restarts."""

import time

from case import SANITIZED, BasaltTest, main

FIELDS = 5_000 if SANITIZED else 50_000


class FieldExpiry(BasaltTest):
    def eventually(self, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_many_fields_of_one_hash_at_one_moment(self):
        client = self.client(timeout=60)
        fields = ["f%d" % i for i in range(FIELDS)]
        for start in range(0, FIELDS, 1000):
            client.call("HSET", "h", *[word for name in fields[start:start + 1000] for word in (name, "v" * 20)])
        client.call("HSET", "h", "stays", "1", "later", "2")
        moment = int(time.time() * 1000) + (20_000 if SANITIZED else 4_000)
        for start in range(0, FIELDS, 1000):
            part = fields[start:start + 1000]
            self.assertEqual(client.call("HPEXPIREAT", "h", moment, "FIELDS", len(part), *part), [1] * len(part))
        client.call("HPEXPIREAT", "h", moment + 1000, "FIELDS", 1, "later")
        self.assertLess(time.time() * 1000, moment, "the machine is too slow for this test's timing")
        self.assertEqual(client.call("HLEN", "h"), FIELDS + 2)
        self.assertRegex(self.server.info("keyspace", client=client)["db0"], "keys=1,expires=0,")
        time.sleep(max(0.0, moment / 1000 - time.time()) + 0.005)
        self.assertEqual(client.call("HLEN", "h"), 2, "fields must be invisible at once")
        self.assertEqual(client.call("HMGET", "h", "f0", "stays", fields[-1]), [None, b"1", None])
        self.assertEqual(sorted(client.call("HKEYS", "h")), [b"later", b"stays"])
        client.call("HSET", "h", "f1", "again")
        self.assertEqual(client.call("HLEN", "h"), 3)
        self.eventually(lambda: client.call("HLEN", "h") == 2)
        self.assertEqual(client.call("HEXISTS", "h", "later"), 0)
        client.call("HPEXPIRE", "h", 1, "FIELDS", 2, "stays", "f1")
        self.eventually(lambda: client.call("DBSIZE") == 0)

    def test_nothing_is_removed_while_clients_are_paused(self):
        client = self.client()
        for name, count in (("packed", 3), ("rows", 300)):
            client.call("HSET", name, *[word for i in range(count) for word in ("f%d" % i, "v" * 20)])
            client.call("HPEXPIRE", name, 150, "FIELDS", count, *["f%d" % i for i in range(count)])
        client.call("CLIENT", "PAUSE", 700, "WRITE")
        time.sleep(0.3)
        for name in ("packed", "rows"):
            self.assertEqual(client.call("HLEN", name), 0)
            self.assertIsNone(client.call("HGET", name, "f0"))
            self.assertEqual(client.call("HGETALL", name), [])
            client.call("MULTI")
            client.call("HVALS", name)
            self.assertEqual(client.call("EXEC"), [[]])
        self.assertEqual(client.call("DBSIZE"), 2)
        client.call("CLIENT", "UNPAUSE")
        self.eventually(lambda: client.call("DBSIZE") == 0)

    def test_times_survive_kill_and_restart(self):
        client = self.client()
        client.call("HSET", "packed", "a", 1, "b", 2, "c", 3)
        client.call("HSET", "rows", *[word for i in range(300) for word in ("f%d" % i, "v" * 20)])
        moment = int(time.time() * 1000) + 3000
        for name, soon, later in (("packed", "a", "b"), ("rows", "f1", "f2")):
            self.assertEqual(client.call("HPEXPIREAT", name, moment, "FIELDS", 1, soon), [1])
            self.assertEqual(client.call("HEXPIRE", name, 1000, "FIELDS", 1, later), [1])
        self.server.kill()
        self.server = self.start(self.options)
        client = self.client()
        self.assertEqual(client.call("HPEXPIRETIME", "packed", "FIELDS", 3, "a", "x", "c"), [moment, -2, -1])
        self.assertEqual(client.call("HPEXPIRETIME", "rows", "FIELDS", 2, "f1", "f3"), [moment, -1])
        time.sleep(max(0.0, moment / 1000 - time.time()) + 0.005)
        self.assertEqual(client.call("HLEN", "packed"), 2)
        self.assertEqual(client.call("HLEN", "rows"), 299)
        self.assertGreater(client.call("HTTL", "rows", "FIELDS", 1, "f2")[0], 900)


if __name__ == "__main__":
    main()
