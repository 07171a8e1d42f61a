#!/usr/bin/python3
"""kill -9 while scripts write: what one script has written is there as a whole or not at all, and all of it if it was
acknowledged. $BASALT_SEED replays a run."""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from case import SANITIZED, BasaltTest, main  # noqa: E402
from until_killed import UntilKilled  # noqa: E402

ROUNDS = 2 if SANITIZED else 5
WRITERS = 6
ACCOUNTS = ["account:%d" % i for i in range(6)]
JOURNALS = ["journal:%d" % i for i in range(3)]
# Moves an amount, and notes its name in every journal: in a list, a hash and a string, of keys that it declares or not.
STEP = """
local from, to, amount, name, padding = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], string.rep('x', tonumber(ARGV[5]))
redis.call('decrby', from, amount)
redis.call('rpush', 'journal:0', name .. ':' .. padding)
for i = 1, tonumber(ARGV[6]) do redis.call('incr', 'turns') end
redis.call('hset', 'journal:1', name, padding)
redis.call('append', 'journal:2', name .. ' ')
redis.call('incrby', to, amount)
return name
"""


class Writer(UntilKilled):
    def __init__(self, server, name, seed):
        super().__init__(server)
        self.name = name
        self.random = random.Random("%d/%s" % (seed, name))
        self.acknowledged, self.next = [], 0

    def step(self):
        name = "%s.%d" % (self.name, self.next)
        self.next += 1
        source, target = self.random.sample(ACCOUNTS, 2)
        size = self.random.choice((0, 0, 100, 3000))
        turns = self.random.choice((0, 0, 10, 2000))  # the last in the slow lane
        keys = [source, target, *JOURNALS] if self.random.random() < 0.5 else []
        script = ("EVAL", STEP, str(len(keys)), *keys, source, target, str(self.random.randrange(100)), name, str(size), str(turns))
        if self.random.random() < 0.2:
            replies = self.client.pipeline([("MULTI",), script, ("EXEC",)])[-1]
            reply = replies[0] if isinstance(replies, list) else replies
        else:
            reply = self.client.call(*script)
        if reply != name.encode():
            raise AssertionError("the script answered %r" % (reply,))
        self.acknowledged.append(name)


class ScriptKillTest(BasaltTest):
    def test_scripts_are_there_as_a_whole_or_not_at_all(self):
        seed = int(os.environ.get("BASALT_SEED", random.randrange(1 << 30)))
        print("BASALT_SEED=%d" % seed, flush=True)
        delays = random.Random(seed)
        self.client().call("MSET", *sum(([account, "0"] for account in ACCOUNTS), []))
        acknowledged = []
        for round_number in range(ROUNDS):
            writers = [Writer(self.server, "w%d.%d" % (round_number, i), seed) for i in range(WRITERS)]
            for writer in writers:
                writer.start()
            time.sleep(delays.uniform(0.2, 1.0))
            self.server.kill()
            for writer in writers:
                writer.join()
                if writer.failure:
                    raise writer.failure
                acknowledged += writer.acknowledged
            self.server = self.start(self.options)
            self.check(acknowledged)
        self.assertGreater(len(acknowledged), 20 * ROUNDS)

    def check(self, acknowledged):
        client = self.client()
        self.assertEqual(sum(int(value) for value in client.call("MGET", *ACCOUNTS)), 0)
        listed = [element.split(b":")[0].decode() for element in client.call("LRANGE", JOURNALS[0], "0", "-1")]
        hashed = [field.decode() for field in client.call("HKEYS", JOURNALS[1])]
        appended = (client.call("GET", JOURNALS[2]) or b"").decode().split()
        self.assertEqual(listed, appended, "the journals are of the same scripts in the same order")
        self.assertEqual(sorted(listed), sorted(hashed))
        self.assertEqual(len(set(listed)), len(listed), "a script has run twice")
        self.assertEqual(set(acknowledged) - set(listed), set(), "an acknowledged script is gone")


if __name__ == "__main__":
    main()
