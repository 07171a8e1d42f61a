#!/usr/bin/python3
"""Writers that are faster than RocksDB's background work: it slows them down, and nothing else happens to them, nor to who
waits beside them."""

import threading

from case import BasaltTest, main

WRITERS, PIPELINE, VALUE = 16, 32, 4000
CONSUMERS = 4
WRITTEN_MAX = 1_500_000_000  # bytes without a stall after which the test gives up


class Stalls(BasaltTest):
    # Small write buffers and one background thread: flushes and compactions fall behind within a second or two.
    options = {"memory": "16mb", "background-jobs": "1"}
    swappers = 0

    def setUp(self):
        super().setUp()
        self.ending = threading.Event()
        self.addCleanup(self.ending.set)
        self.acknowledged = [0] * WRITERS
        self.wrong = []

    def write(self, number):
        """Overwrites its keys over and over; each reply must be OK."""
        try:
            with self.server.client(60) as client:
                while not self.ending.is_set():
                    base = self.acknowledged[number]
                    values = [str(base + i).zfill(VALUE) for i in range(PIPELINE)]
                    replies = client.pipeline([("SET", "w:%d:%d" % (number, (base + i) % 1000), values[i]) for i in range(PIPELINE)])
                    bad = [reply for reply in replies if reply != "OK"]
                    if bad:
                        self.wrong.append(bad[0])
                        return
                    self.acknowledged[number] += PIPELINE
        except Exception as error:  # told to the test's own thread
            self.wrong.append(error)

    def poll(self, number):
        """Reads a stream that stays empty, over and over: each wait begins with a write, of when the consumer was seen."""
        try:
            with self.server.client(60) as client:
                while not self.ending.is_set():
                    reply = client.call("XREADGROUP", "GROUP", "g", "consumer%d" % number, "BLOCK", 1, "STREAMS", "stream", ">")
                    if reply is not None:
                        self.wrong.append(reply)
                        return
        except Exception as error:
            self.wrong.append(error)

    def swap(self):
        """Closes the gate, over and over, and waits with it for the commits that are inside."""
        try:
            with self.server.client(60) as client:
                while not self.ending.is_set():
                    client.call("SWAPDB", 8, 9)
        except Exception as error:
            self.wrong.append(error)

    def test_writers_wait_and_lose_nothing(self):
        self.client().call("XGROUP", "CREATE", "stream", "g", "$", "MKSTREAM")
        threads = [threading.Thread(target=self.write, args=(number,)) for number in range(WRITERS)]
        threads += [threading.Thread(target=self.poll, args=(number,)) for number in range(CONSUMERS)]
        threads += [threading.Thread(target=self.swap) for _ in range(self.swappers)]
        for thread in threads:
            thread.start()
        client = self.client(60)
        stalled = False
        while not stalled and not self.wrong and sum(self.acknowledged) * VALUE < WRITTEN_MAX:
            stalled = self.ending.wait(0.05) or int(self.server.info(client=client)["write_stall_usec"]) > 0
        self.ending.wait(1)  # some more of it
        self.ending.set()
        for thread in threads:
            thread.join()
        self.assertEqual([], self.wrong)
        self.assertTrue(stalled, "RocksDB never slowed a write down: this test shows nothing")
        for number in range(WRITERS):
            last = self.acknowledged[number] - 1
            self.assertEqual(client.call("GET", "w:%d:%d" % (number, last % 1000)), str(last).zfill(VALUE).encode())


class StallsWithFewThreads(Stalls):
    """What finishes a stalled commit must not be where somebody waits for that commit."""

    options = Stalls.options | {"slow-threads": "1"}
    swappers = 2


if __name__ == "__main__":
    main()
