#!/usr/bin/python3
"""Clients that cache what they read and believe the server's messages: once writers have stopped and a PING came back, no
cache holds what is not the server's any more."""

import random
import threading

from case import SANITIZED, BasaltTest, main
from resp import encode

ROUNDS = 150 if SANITIZED else 600
KEYS = ["k%d" % i for i in range(12)]


class CachingClient:
    """Reads keys, keeps what it read, forgets what it is told. Sends and receives in one thread, pipelined."""

    def __init__(self, client, seed, *tracking):
        self.client = client
        self.random = random.Random(seed)
        self.cache = {}
        self.told = 0
        self.client.call("HELLO", 3)
        self.client.call("CLIENT", "TRACKING", "ON", *tracking)

    def reply(self):
        while True:
            reply = self.client.read()
            if reply.kind != ">":
                return reply.plain()
            what, keys = reply.plain()
            assert what == b"invalidate", what
            self.told += 1
            for key in list(self.cache) if keys is None else [key.decode() for key in keys]:
                self.cache.pop(key, None)

    def read_some(self):
        """A pipeline of reads, alone and in transactions, with a write or a wait between them now and then."""
        commands, keys = [], []  # keys: what the replies are values of
        for _ in range(self.random.randint(1, 12)):
            key = self.random.choice(KEYS)
            what = self.random.randrange(12)
            if what == 0:
                commands.append(("SET", key, self.random.random()))
                keys.append(None)
            elif what == 1:
                others = self.random.sample(KEYS, 3)
                commands.append(("MGET", *others))
                keys.append(others)
            elif what == 2:
                commands += [("MULTI",), ("GET", key), ("INCR", "counter"), ("EXEC",)]
                keys += [None, None, None, (key,)]
            elif what == 3:
                commands.append(("BLPOP", "queue", 0.01))
                keys.append(None)
            else:
                commands.append(("GET", key))
                keys.append(key)
        self.client.send_raw(b"".join(encode(command) for command in commands))
        for key in keys:
            reply = self.reply()
            if isinstance(key, str):
                self.cache[key] = reply
            elif isinstance(key, list):
                for each, value in zip(key, reply):
                    self.cache[each] = value
            elif isinstance(key, tuple):
                self.cache[key[0]] = reply[0]


def write(client, seed, stop, flush):
    """All ways to change a key, pipelined, until told to stop."""
    source = random.Random(seed)
    while not stop.is_set():
        commands = []
        for _ in range(source.randint(1, 20)):
            key, value = source.choice(KEYS), source.random()
            commands += source.choice([
                [("SET", key, value)], [("SET", key, value, "PX", source.randint(1, 5))], [("DEL", key)],
                [("APPEND", key, "x")], [("MSET", key, value, source.choice(KEYS), value)],
                [("RENAME", key, source.choice(KEYS))], [("GETEX", key, "PX", 2)], [("GETDEL", key)],
                [("MULTI",), ("SET", key, value), ("DEL", source.choice(KEYS)), ("EXEC",)],
                [("RPUSH", "queue", value)], [("SETRANGE", key, 3, "y")], [("COPY", key, source.choice(KEYS), "REPLACE")],
            ])
        if flush and source.randrange(40) == 0:
            commands.append((source.choice(["FLUSHALL", "FLUSHDB"]),))
        client.pipeline(commands)


class Caching(BasaltTest):
    options = {"workers": "2", "pool-threads": "2"}

    def run_clients(self, modes, flush=False):
        stop = threading.Event()
        writers = [threading.Thread(target=write, args=(self.client(60), seed, stop, flush)) for seed in range(3)]
        cachers = [CachingClient(self.client(60), seed, *mode) for seed, mode in enumerate(modes)]
        failures = []

        def cache(cacher):
            try:
                for _ in range(ROUNDS):
                    cacher.read_some()
            except Exception as error:  # shown by the test
                failures.append(error)

        readers = [threading.Thread(target=cache, args=(each,)) for each in cachers]
        for thread in writers + readers:
            thread.start()
        for thread in readers:
            thread.join()
        stop.set()
        for thread in writers:
            thread.join()
        self.assertEqual(failures, [])
        control = self.client()
        control.call("PING")
        self.wait_expired(control)
        cached = 0
        for cacher in cachers:
            cacher.client.send("PING")
            self.assertEqual(cacher.reply(), "PONG")
            for key, value in cacher.cache.items():
                self.assertEqual(value, control.call("GET", key), key)
            cached += len(cacher.cache)
            self.assertGreater(cacher.told, 0)
        return cached

    def wait_expired(self, control):
        """Until nothing has a time any more: what expires later is told later."""
        for _ in range(500):
            if all(control.call("PTTL", key) < 0 for key in KEYS):
                return
        self.fail("keys do not expire")

    def test_what_was_read(self):
        self.run_clients([()] * 4)

    def test_prefixes(self):
        self.run_clients([("BCAST",), ("BCAST", "PREFIX", "k"), ("BCAST", "PREFIX", "k1", "PREFIX", "k2", "PREFIX", "k0")
                          + tuple(word for i in range(3, 10) for word in ("PREFIX", "k%d" % i))])

    def test_flushes(self):
        self.run_clients([()] * 2 + [("BCAST",)], flush=True)

    def test_a_table_that_is_too_small(self):
        self.client().call("CONFIG", "SET", "tracking-table-max-keys", 4)
        self.run_clients([()] * 3)
        self.assertLessEqual(int(self.server.info("stats")["tracking_total_keys"]), 4)

    def test_the_first_client_that_tracks_misses_no_write_under_way(self):
        control = self.client()
        writers = [self.client() for _ in range(3)]
        writes = [b"".join(encode(("SET", key, "%s%d" % (key, i))) for key in KEYS * 4) for i in range(3)]
        for turn in range(30 if SANITIZED else 200):
            for writer, commands in zip(writers, writes):
                writer.send_raw(commands)
            client = self.client()
            client.send_raw(b"".join(encode(command) for command in [("HELLO", 3), ("CLIENT", "TRACKING", "ON")]
                                     + [("GET", key) for key in KEYS]))
            for writer in writers:
                for _ in range(4 * len(KEYS)):
                    writer.read()
            client.send("PING")
            cache, replies = {}, 0
            while replies < len(KEYS) + 3:
                reply = client.read()
                if reply.kind == ">":
                    cache.pop(reply.plain()[1][0].decode(), None)
                    continue
                if 2 <= replies < len(KEYS) + 2:
                    cache[KEYS[replies - 2]] = reply.value
                replies += 1
            for key, value in cache.items():
                self.assertEqual(value, control.call("GET", key), "turn %d" % turn)
            client.close()

    def test_everything_leaves_with_the_client(self):
        client = CachingClient(self.client(), 1)
        client.read_some()
        self.assertEqual(self.server.info("clients")["tracking_clients"], "1")
        client.client.close()
        control = self.client()
        for _ in range(1000):
            if self.server.info("clients", client=control)["tracking_clients"] == "0":
                break
        else:
            self.fail("the client is still there")
        for key in KEYS:
            control.call("SET", key, 1)
        self.assertEqual(self.server.info("stats", client=control)["tracking_total_items"], "0")


class Slow(BasaltTest):
    options = {"client-output-buffer-limit": "normal 1000000 0 0"}

    def test_a_client_that_does_not_read_its_messages_is_cut_at_its_limit(self):
        client = self.client()
        client.call("HELLO", 3)
        client.call("CLIENT", "TRACKING", "ON", "BCAST")
        writer = self.client()
        value = "x" * 5000
        for i in range(100_000):
            writer.pipeline([("SET", "%s%d" % (value, j), 1) for j in range(20)])
            if i % 20 == 0 and self.server.info("clients", client=writer)["tracking_clients"] == "0":
                break
        else:
            self.fail("is still there")
        self.assertTrue(client.wait_closed(10))


if __name__ == "__main__":
    main()
