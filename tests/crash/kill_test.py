#!/usr/bin/python3
"""kill -9 while clients write: every acknowledged write is there afterwards, transactions are whole, and the counters and
the TTL index agree with the keys. Once for each setting of appendfsync. $BASALT_SEED replays a run."""

import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from case import SANITIZED, BasaltTest, main  # noqa: E402
from resp import Closed  # noqa: E402

ROUNDS = 2 if SANITIZED else 4
WRITERS = 4
KEYS_PER_WRITER = 40


class Writer(threading.Thread):
    """One client that owns its keys, and so knows what each must hold: after a crash a key has the value of its last
    acknowledged write, or of the one that was on its way."""

    def __init__(self, server, number, seed):
        super().__init__(daemon=True)
        self.client = server.client(timeout=20)
        self.number = number
        self.random = random.Random("%d/%d" % (seed, number))
        self.known = {}  # key -> set of possible values; a value is (bytes or None, expires at ms or None)
        self.pair = 0  # last acknowledged transaction
        self.pair_sent = 0
        self.count = 0  # last acknowledged INCR
        self.count_sent = 0
        self.acknowledged = 0
        self.failure = None

    def key(self):
        return "w%d:%d" % (self.number, self.random.randrange(KEYS_PER_WRITER))

    def known_one(self, key):
        (value,) = self.known.get(key, {(None, None)})
        return value

    def run(self):
        try:
            while True:
                self.random.choice((self.set, self.set, self.set_with_ttl, self.persist, self.delete, self.pipeline, self.increment,
                                    self.transaction, self.append))()
        except (Closed, OSError):
            pass  # the kill
        except Exception as error:  # noqa: BLE001 - told to the test's thread
            self.failure = error
        finally:
            self.client.close()

    def change(self, key, command, after, expect):
        """One write: until its reply is there, the key holds the old or the new value."""
        before = self.known_one(key)
        self.known[key] = {before, after}
        reply = self.client.call(*command)
        if expect is not None and reply != expect:
            raise AssertionError("%r answered %r" % (command, reply))
        self.known[key] = {after}
        self.acknowledged += 1

    def set(self):
        key, value = self.key(), self.random.randbytes(self.random.choice((3, 100, 5000)))
        self.change(key, ("SET", key, value), (value, None), "OK")

    def set_with_ttl(self):
        key, at = self.key(), int(time.time() * 1000) + self.random.choice((300, 1_000_000))
        self.change(key, ("SET", key, "ttl", "PXAT", at), (b"ttl", at), "OK")

    def persist(self):
        key = self.key()
        value, at = self.known_one(key)
        if at is None or at - time.time() * 1000 > 100_000:  # not one that may expire on the way
            self.change(key, ("PERSIST", key), (value, None), 0 if at is None else 1)

    def delete(self):
        key = self.key()
        self.change(key, ("DEL", key), (None, None), None)

    def append(self):
        key = self.key()
        value, at = self.known_one(key)
        if at is None:
            new = (value or b"") + b"+tail"
            self.change(key, ("APPEND", key, "+tail"), (new, None), len(new))

    def pipeline(self):
        keys = ["p%d:%d" % (self.number, i) for i in range(20)]
        new = b"%d" % self.random.randrange(1 << 40)
        for key in keys:
            self.known[key] = {self.known_one(key), (new, None)}
        for reply in self.client.pipeline([("SET", key, new) for key in keys]):
            if reply != "OK":
                raise AssertionError("a pipelined SET answered %r" % reply)
        for key in keys:
            self.known[key] = {(new, None)}
        self.acknowledged += len(keys)

    def increment(self):
        self.count_sent = self.count + 1
        reply = self.client.call("INCR", "count:%d" % self.number)
        if reply != self.count + 1:
            raise AssertionError("INCR answered %r after %r" % (reply, self.count))
        self.count = reply
        self.acknowledged += 1

    def transaction(self):
        """Three keys that are always equal."""
        self.pair_sent = self.pair + 1
        replies = self.client.pipeline([("MULTI",)] + [("SET", "m%d:%s" % (self.number, name), self.pair_sent) for name in "abc"]
                                       + [("EXEC",)])
        if replies[-1] != ["OK", "OK", "OK"]:
            raise AssertionError("EXEC answered %r" % (replies,))
        self.pair = self.pair_sent
        self.acknowledged += 3

    def resume(self, server, test):
        """After the crash: checks all keys of this writer, and takes what it finds as known."""
        client = server.client(timeout=20)
        now = time.time() * 1000
        for key, possible in self.known.items():
            value = client.call("GET", key)
            at = client.call("PEXPIRETIME", key)
            found = (value, at if at > 0 else None)
            fine = found in possible or any(at is not None and at <= time.time() * 1000 and found == (None, None) for _, at in possible)
            test.assertTrue(fine, "key %s holds %.60r, possible are %.300r (now %d)" % (key, found, possible, now))
            self.known[key] = {found}
        values = client.call("MGET", *["m%d:%s" % (self.number, name) for name in "abc"])
        test.assertEqual(len(set(values)), 1, "a transaction is there in part: %r" % values)
        number = int(values[0] or 0)
        test.assertIn(number, (self.pair, self.pair_sent), "last transaction of writer %d" % self.number)
        self.pair = number
        count = int(client.call("GET", "count:%d" % self.number) or 0)
        test.assertIn(count, (self.count, self.count_sent), "counter of writer %d" % self.number)
        self.count = count
        client.close()
        successor = Writer(server, self.number, self.random.randrange(1 << 30))
        successor.known, successor.pair, successor.count = self.known, self.pair, self.count
        return successor


class KillMinus9(BasaltTest):
    def crash_rounds(self, appendfsync):
        seed = int(os.environ.get("BASALT_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 31)
        print("appendfsync %s, BASALT_SEED=%d" % (appendfsync, seed), flush=True)
        chance = random.Random(seed)
        control = self.client()
        control.call("CONFIG", "SET", "appendfsync", appendfsync)
        options = {"appendfsync": appendfsync}
        writers = [Writer(self.server, number, seed) for number in range(WRITERS)]
        for round_number in range(ROUNDS):
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.1, 0.9))
            self.server.kill()
            for writer in writers:
                writer.join(30)
                self.assertFalse(writer.is_alive(), "a writer hangs")
                if writer.failure is not None:
                    raise writer.failure
            self.assertGreater(sum(writer.acknowledged for writer in writers), 0)
            self.server = self.start(options)
            writers = [writer.resume(self.server, self) for writer in writers]
            self.check_counters(round_number)
        for writer in writers:
            writer.client.close()

    def check_counters(self, round_number):
        """DBSIZE and INFO's expires are what a walk over all keys finds, once what is due has gone."""
        client = self.client()
        deadline = time.monotonic() + 10
        while True:
            keys, cursor = [], b"0"
            while True:
                cursor, part = client.call("SCAN", cursor, "COUNT", 1000)
                keys += part
                if cursor == b"0":
                    break
            self.assertEqual(len(keys), len(set(keys)), "SCAN repeats a key")
            ttls = client.pipeline([("PTTL", key) for key in keys])
            alive = [ttl for ttl in ttls if ttl != -2]
            expires = [ttl for ttl in alive if ttl >= 0]
            size = client.call("DBSIZE")
            told = self.server.info("keyspace", client=client).get("db0", "keys=0,expires=0,")
            due = any(0 <= ttl < 500 for ttl in alive) or len(alive) != len(ttls)
            if size == len(keys) and told.startswith("keys=%d,expires=%d," % (len(keys), len(expires))) and not due:
                return
            if time.monotonic() > deadline:
                self.fail("round %d: DBSIZE %d, INFO %s, but SCAN finds %d keys, %d with a TTL" % (
                    round_number, size, told, len(keys), len(expires)))
            time.sleep(0.1)

    def test_always(self):
        self.crash_rounds("always")

    def test_everysec(self):
        self.crash_rounds("everysec")

    def test_no(self):
        self.crash_rounds("no")

    def test_a_crash_during_flushall_leaves_all_or_nothing(self):
        seed = int(os.environ.get("BASALT_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 31)
        print("BASALT_SEED=%d" % seed, flush=True)
        chance = random.Random(seed)
        for round_number in range(ROUNDS):
            client = self.client()
            client.pipeline([("SET", "k%d" % i, "v", "EX", "1000") for i in range(2000)])
            before = client.call("DBSIZE")
            client.send("FLUSHALL")
            time.sleep(chance.uniform(0, 0.01))
            answered = client.pending()
            self.server.kill()
            self.server = self.start(self.options)
            client = self.client()
            size = client.call("DBSIZE")
            self.assertIn(size, (0,) if answered else (0, before), "round %d" % round_number)
            self.check_counters(round_number)

    def test_a_crash_in_the_middle_of_a_large_value(self):
        client = self.client()
        client.call("SET", "large", b"a" * 3_000_000)
        for letter in (b"b", b"c", b"d"):
            client.send("SETRANGE", "large", 1_000_000, letter * 1_000_000)
            answered = client.pending(0.002)
            self.server.kill()
            self.server = self.start(self.options)
            client = self.client()
            value = client.call("GET", "large")
            self.assertEqual(len(value), 3_000_000)
            middle = set(value[1_000_000:2_000_000])
            self.assertEqual(len(middle), 1, "the change is there in part")
            if answered:
                self.assertEqual(middle, set(letter))


if __name__ == "__main__":
    main()
