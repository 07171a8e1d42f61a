#!/usr/bin/python3
"""kill -9 while lists are used as queues: producers push, consumers wait and pop, movers carry elements on with BLMOVE. Afterwards
every acknowledged push was served once or is still there, and nothing is there twice. $BASALT_SEED replays a run."""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from case import SANITIZED, BasaltTest, main  # noqa: E402
from until_killed import UntilKilled  # noqa: E402

ROUNDS = 2 if SANITIZED else 5
PRODUCERS, CONSUMERS, MOVERS = 3, 4, 2
QUEUES = ["queue:%d" % i for i in range(3)]
DONE = "done"
POP_MAX = 20  # elements that one command pops


class Worker(UntilKilled):
    """Keeps what was acknowledged, and what was on its way at the end."""

    def __init__(self, server, name, seed):
        super().__init__(server)
        self.name = name
        self.random = random.Random("%d/%s" % (seed, name))


class Producer(Worker):
    def __init__(self, server, name, seed):
        super().__init__(server, name, seed)
        self.pushed, self.on_its_way, self.next = set(), set(), 0

    def step(self):
        """A few elements; some large enough that the queue has a row for each, some in a transaction over two queues."""
        size = self.random.choice((0, 0, 50, 2000))
        values = []
        for _ in range(self.random.randrange(1, 6)):
            values.append(b"%s:%d:" % (self.name.encode(), self.next) + b"x" * size)
            self.next += 1
        self.on_its_way = set(values)
        push = self.random.choice(("LPUSH", "RPUSH"))
        if self.random.random() < 0.3:
            half = len(values) // 2 + 1
            commands = [(push, queue, *part) for queue, part in zip(self.random.sample(QUEUES, 2), (values[:half], values[half:])) if part]
            replies = self.client.pipeline([("MULTI",)] + commands + [("EXEC",)])
            if not isinstance(replies[-1], list):
                raise AssertionError("EXEC answered %r" % (replies[-1],))
        else:
            self.client.call(push, self.random.choice(QUEUES), *values)
        self.pushed |= self.on_its_way
        self.on_its_way = set()
        time.sleep(self.random.choice((0, 0, 0.001)))


class Consumer(Worker):
    def __init__(self, server, name, seed):
        super().__init__(server, name, seed)
        self.served = []

    def step(self):
        queues = self.random.sample(QUEUES, self.random.randrange(1, 4))
        if self.random.random() < 0.5:
            reply = self.client.call(self.random.choice(("BLPOP", "BRPOP")), *queues, 1)
            self.served += [reply[1]] if reply else []
        else:
            reply = self.client.call("BLMPOP", 1, len(queues), *queues, self.random.choice(("LEFT", "RIGHT")), "COUNT", self.random.randrange(1, POP_MAX + 1))
            self.served += reply[1] if reply else []


class Mover(Worker):
    def step(self):
        """From a queue to another one, or to where nobody takes it from."""
        source, target = self.random.choice(QUEUES), self.random.choice(QUEUES + [DONE])
        self.client.call("BLMOVE", source, target, self.random.choice(("LEFT", "RIGHT")), self.random.choice(("LEFT", "RIGHT")), 1)


class KillQueues(BasaltTest):
    def rounds(self, appendfsync):
        seed = int(os.environ.get("BASALT_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 31)
        print("appendfsync %s, BASALT_SEED=%d" % (appendfsync, seed), flush=True)
        chance = random.Random(seed)
        options = {"appendfsync": appendfsync}
        self.client().call("CONFIG", "SET", "appendfsync", appendfsync)
        pushed, unknown, served = set(), set(), []
        for round_number in range(ROUNDS):
            name = "r%d" % round_number
            workers = [kind(self.server, "%s.%s%d" % (name, kind.__name__, i), seed)
                       for kind, count in ((Consumer, CONSUMERS), (Mover, MOVERS), (Producer, PRODUCERS)) for i in range(count)]
            for worker in workers:
                worker.start()
            time.sleep(chance.uniform(0.2, 0.9))
            self.server.kill()
            for worker in workers:
                worker.join(30)
                self.assertFalse(worker.is_alive(), "a client hangs")
                if worker.failure is not None:
                    raise worker.failure
            for worker in workers:
                if isinstance(worker, Producer):
                    pushed |= worker.pushed
                    unknown |= worker.on_its_way
                    self.assertGreater(len(worker.pushed), 0)
                elif isinstance(worker, Consumer):
                    served += worker.served
            self.server = self.start(options)
            self.check(round_number, pushed, unknown, served)

    def check(self, round_number, pushed, unknown, served):
        client = self.client()
        left = []
        for key in QUEUES + [DONE]:
            elements = client.call("LRANGE", key, 0, -1)
            self.assertEqual(client.call("LLEN", key), len(elements))
            for index in (0, len(elements) // 2, -1):
                if elements:
                    self.assertEqual(client.call("LINDEX", key, index), elements[index])
            left += elements
        context = "round %d: %d pushed, %d served, %d left" % (round_number, len(pushed), len(served), len(left))
        self.assertEqual(len(served), len(set(served)), "served twice; " + context)
        self.assertEqual(len(left), len(set(left)), "there twice; " + context)
        self.assertFalse(set(served) & set(left), "served, and there again; " + context)
        self.assertLessEqual(set(served) | set(left), pushed | unknown, "never pushed; " + context)
        missing = pushed - set(served) - set(left)
        # Popped, but the kill came before the reply: by one command of each consumer.
        self.assertLessEqual(len(missing), CONSUMERS * POP_MAX, "lost; " + context)
        # What was on its way at the kill has been decided: it is there, or never will be.
        pushed -= missing
        unknown.clear()
        pushed |= set(left) | set(served)

    def test_always(self):
        self.rounds("always")

    def test_everysec(self):
        self.rounds("everysec")


if __name__ == "__main__":
    main()
