#!/usr/bin/python3
"""kill -9 while a consumer group works on a stream: every acknowledged XADD is there afterwards, in order; what was delivered
and not acknowledged is pending for exactly the consumer that got it; and all counters agree with what is there.
$BASALT_SEED replays a run."""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from case import SANITIZED, BasaltTest, main  # noqa: E402
from until_killed import UntilKilled  # noqa: E402

ROUNDS = 2 if SANITIZED else 4
PRODUCERS = 2
CONSUMERS = 3
STREAM, GROUP = "stream", "group"


def id_of(text):
    ms, seq = text.split(b"-")
    return int(ms), int(seq)


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


class Client(UntilKilled):
    def __init__(self, server, seed):
        super().__init__(server)
        self.random = random.Random(seed)


class Producer(Client):
    """Adds numbered entries, alone, in pipelines and in transactions. `sent` may be there, `added` must be."""

    def __init__(self, server, seed, name, sent=0):
        super().__init__(server, seed)
        self.name = name
        self.sent = sent
        self.added = {}  # number -> id

    def step(self):
        count = self.random.choice((1, 1, 5, 40))
        numbers = list(range(self.sent, self.sent + count))
        self.sent += count
        commands = [("XADD", STREAM, "*", self.name, str(number)) for number in numbers]
        whole = self.random.random() < 0.3
        if whole:
            replies = self.client.pipeline([("MULTI",), *commands, ("EXEC",)])[-1]
        else:
            replies = self.client.pipeline(commands)
        for number, reply in zip(numbers, replies):
            if not isinstance(reply, bytes):
                raise AssertionError("XADD answered %r" % reply)
            self.added[number] = id_of(reply)


class Consumer(Client):
    """Takes entries and acknowledges some of them. What a command without an answer did is not known: `maybe`."""

    def __init__(self, server, seed, name, pending):
        super().__init__(server, seed)
        self.name = name
        self.pending = set(pending)
        self.acknowledged = set()
        self.in_doubt = set()  # of an XACK that was not answered
        self.reading = False  # an XREADGROUP was not answered

    def step(self):
        if self.random.random() < 0.6 or not self.pending:
            self.reading = True
            reply = self.client.call("XREADGROUP", "GROUP", GROUP, self.name, "COUNT", str(self.random.choice((1, 10, 50))),
                                     "BLOCK", "20", "STREAMS", STREAM, ">")
            self.reading = False
            for _, entries in reply or ():
                self.pending.update(id_of(entry) for entry, _ in entries)
            return
        ids = self.random.sample(sorted(self.pending), min(len(self.pending), self.random.choice((1, 1, 20))))
        self.in_doubt = set(ids)
        reply = self.client.call("XACK", STREAM, GROUP, *("%d-%d" % each for each in ids))
        if reply != len(ids):
            raise AssertionError("XACK of %d entries answered %r" % (len(ids), reply))
        self.in_doubt = set()
        self.pending.difference_update(ids)
        self.acknowledged.update(ids)


class StreamKillMinus9(BasaltTest):
    def test_consumer_group(self):
        seed = int(os.environ.get("BASALT_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 31)
        print("BASALT_SEED=%d" % seed, flush=True)
        rng = random.Random(seed)
        client = self.client()
        client.call("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
        sent = [0] * PRODUCERS
        owned = [set() for _ in range(CONSUMERS)]
        self.known = {}  # id -> (producer, number), of all entries ever seen
        self.acknowledged = set()
        added = 0
        for _ in range(ROUNDS):
            producers = [Producer(self.server, rng.random(), "p%d" % i, sent[i]) for i in range(PRODUCERS)]
            consumers = [Consumer(self.server, rng.random(), "c%d" % i, owned[i]) for i in range(CONSUMERS)]
            for thread in producers + consumers:
                thread.start()
            time.sleep(rng.uniform(0.3, 1.2))
            self.server.kill()
            for thread in producers + consumers:
                thread.join(20)
                self.assertFalse(thread.is_alive(), "a client hangs")
                if thread.failure is not None:
                    raise thread.failure
            added += sum(len(producer.added) for producer in producers)
            self.server = self.start(self.options)
            self.check_entries(producers)
            owned = self.check_pending(consumers)
            sent = [producer.sent for producer in producers]
        print("%d entries added, %d acknowledged" % (added, len(self.acknowledged)), flush=True)
        self.assertGreater(added, 50)

    def check_entries(self, producers):
        client = self.client()
        entries = client.call("XRANGE", STREAM, "-", "+")
        ids = [id_of(entry) for entry, _ in entries]
        self.assertEqual(ids, sorted(set(ids)), "entries are in the order of their ids")
        there = {id_of(entry): (fields[0].decode(), int(fields[1])) for entry, fields in entries}
        for known, what in self.known.items():
            self.assertEqual(there.get(known), what, "an entry from before an earlier crash")
        for producer in producers:
            numbers = [number for name, number in there.values() if name == producer.name]
            self.assertEqual(len(numbers), len(set(numbers)), "an entry is there twice")
            for number, entry in producer.added.items():
                self.assertEqual(there.get(entry), (producer.name, number), "an acknowledged XADD")
            self.assertLess(max(numbers, default=-1), producer.sent)
        self.known = there
        info = pairs(client.call("XINFO", "STREAM", STREAM))
        self.assertEqual(info[b"length"], len(entries))
        self.assertEqual(info[b"entries-added"], len(entries))
        self.assertEqual(client.call("XLEN", STREAM), len(entries))
        if entries:
            self.assertEqual(info[b"first-entry"], entries[0])
            self.assertEqual(info[b"last-entry"], entries[-1])
            self.assertEqual(info[b"last-generated-id"], entries[-1][0])
            self.assertEqual(info[b"recorded-first-entry-id"], entries[0][0])

    def check_pending(self, consumers):
        """What each consumer has pending now."""
        client = self.client()
        (group,) = [pairs(each) for each in client.call("XINFO", "GROUPS", STREAM)]
        delivered = id_of(group[b"last-delivered-id"])
        read = sorted(entry for entry in self.known if entry <= delivered)
        self.assertEqual(group[b"entries-read"] or 0, len(read))
        self.assertEqual(group[b"lag"], len(self.known) - len(read))
        rows = client.call("XPENDING", STREAM, GROUP, "-", "+", "10000000")
        pending = {id_of(entry): owner.decode() for entry, owner, _, _ in rows}
        self.assertEqual(group[b"pending"], len(pending))
        summary = client.call("XPENDING", STREAM, GROUP)
        self.assertEqual(summary[0], len(pending))
        counts = {owner.decode(): int(count) for owner, count in summary[3] or ()}
        owned = []
        surprises = set()
        for consumer in consumers:
            mine = {entry for entry, owner in pending.items() if owner == consumer.name}
            self.assertEqual(counts.get(consumer.name, 0), len(mine))
            rows = client.call("XPENDING", STREAM, GROUP, "-", "+", "10000000", consumer.name)
            self.assertEqual([id_of(row[0]) for row in rows], sorted(mine), "the consumer's own order")
            self.assertLessEqual(consumer.pending - mine, consumer.in_doubt, "delivered, not acknowledged, and gone")
            new = mine - consumer.pending
            self.assertTrue(not new or consumer.reading, "pending though never delivered, or acknowledged")
            self.assertFalse(mine & consumer.acknowledged, "acknowledged, and pending again")
            surprises |= new
            self.acknowledged |= consumer.acknowledged | (consumer.pending - mine)
            owned.append(mine)
        # Everything that was read is either pending or acknowledged.
        self.assertEqual(set(read), set(pending) | self.acknowledged)
        self.assertFalse(set(pending) & self.acknowledged)
        return owned


if __name__ == "__main__":
    main()
