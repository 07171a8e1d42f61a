#!/usr/bin/python3
"""kill -9 while libraries of functions are loaded and deleted, alone and in transactions beside a key: what was
acknowledged is there afterwards, as it was last; what was under way is there as a whole or not at all.
$BASALT_SEED replays a run."""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from case import SANITIZED, BasaltTest, main  # noqa: E402
from until_killed import UntilKilled  # noqa: E402

ROUNDS = 2 if SANITIZED else 6
LIBRARIES = 5


class Loader(UntilKilled):
    """Counts up: version n of a library returns n, and the transaction that loads it sets the key of its name to n."""

    def __init__(self, server, seed, state, version):
        super().__init__(server)
        self.random = random.Random(seed)
        self.state = state  # name -> version, None: deleted
        self.version = version
        self.under_way = None
        self.acknowledged = 0

    def step(self):
        name = "lib%d" % self.random.randrange(LIBRARIES)
        self.version += 1
        version = self.version
        delete = self.state.get(name) is not None and self.random.random() < 0.2
        self.under_way = (name, None if delete else version)
        if delete:
            commands = [("FUNCTION", "DELETE", name), ("DEL", name)]
        else:
            code = "#!lua name=%s\nredis.register_function('%s', function() return %d end)" % (name, name, version)
            commands = [("FUNCTION", "LOAD", "REPLACE", code), ("SET", name, str(version))]
        replies = self.client.pipeline([("MULTI",), *commands, ("EXEC",)])[-1]
        if not isinstance(replies, list) or len(replies) != 2:
            raise AssertionError("EXEC answered %r" % (replies,))
        self.state[name] = self.under_way[1]
        self.under_way = None
        self.acknowledged += 1


class FunctionKillMinus9(BasaltTest):
    def test_libraries(self):
        seed = int(os.environ.get("BASALT_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 31)
        print("BASALT_SEED=%d" % seed, flush=True)
        rng = random.Random(seed)
        state, version, acknowledged = {}, 0, 0
        for _ in range(ROUNDS):
            loader = Loader(self.server, rng.random(), state, version)
            loader.start()
            time.sleep(rng.uniform(0.2, 0.8))
            self.server.kill()
            loader.join(20)
            self.assertFalse(loader.is_alive(), "the client hangs")
            if loader.failure is not None:
                raise loader.failure
            version, acknowledged = loader.version, acknowledged + loader.acknowledged
            self.server = self.start(self.options)
            client = self.client()
            listed = {each[1].decode() for each in client.call("FUNCTION", "LIST")}
            there = {name: client.call("FCALL", name, "0") for name in listed}
            for name in ("lib%d" % i for i in range(LIBRARIES)):
                key = client.call("GET", name)
                self.assertEqual(None if key is None else int(key), there.get(name), "the library and the key of " + name)
            if loader.under_way is not None and there.get(loader.under_way[0]) == loader.under_way[1]:
                state[loader.under_way[0]] = loader.under_way[1]
            self.assertEqual(there, {name: number for name, number in state.items() if number is not None})
        print("%d changes acknowledged" % acknowledged, flush=True)
        self.assertGreater(acknowledged, 20)


if __name__ == "__main__":
    main()
