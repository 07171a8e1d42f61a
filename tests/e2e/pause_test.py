#!/usr/bin/python3
"""CLIENT PAUSE beside busy clients: who was held back goes on when it ends, whenever that is."""

import threading
import time

from case import SANITIZED, BasaltTest, main
from resp import encode

CLIENTS, ROUNDS = 8, 100 if SANITIZED else 400
HOUR_MS = 3_600_000


class Pause(BasaltTest):
    options = {"workers": "1", "pool-threads": "2"}

    def setUp(self):
        super().setUp()
        self.ending = threading.Event()
        self.addCleanup(self.ending.set)
        self.wrong = []

    def busy(self, number):
        """Every request is answered, although pauses come and go; one that hangs is an error of the socket's timeout."""
        request = b"".join(encode(("INCR", "k%d" % number)) for _ in range(8))
        try:
            with self.server.client(20) as client:
                while not self.ending.is_set():
                    client.send_raw(request)
                    for _ in range(8):
                        client.read()
        except Exception as error:  # told to the test's own thread
            self.wrong.append(error)

    def test_nobody_is_forgotten_when_it_ends(self):
        threads = [threading.Thread(target=self.busy, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        # An end in the same read as its beginning meets those who have just looked.
        request = b"".join(encode(command) for command in (("CLIENT", "PAUSE", HOUR_MS, "WRITE"), ("CLIENT", "UNPAUSE")))
        control = self.client(20)
        for _ in range(ROUNDS):
            control.send_raw(request)
            self.assertEqual([control.read().plain(), control.read().plain()], ["OK", "OK"])
            time.sleep(0.001)
        self.ending.set()
        for thread in threads:
            thread.join()
        self.assertEqual([], self.wrong)


if __name__ == "__main__":
    main()
