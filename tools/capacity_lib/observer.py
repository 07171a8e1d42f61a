"""Looks at a server at the beginning and at the end of a step, from within it: generators take a while to start and to end."""

import threading
import time

from . import sample
from .failure import Failure
from .server import Server

EDGE_S = 0.3  # what is left out at either end


class Observer:
    """`with Observer(server, seconds) as seen:` around the step; afterwards seen.side() is the server's side of it.

    seconds None: of unknown length; then the second look is taken when the step has ended.
    """

    def __init__(self, server, seconds):
        self.server = Server(server.name, server.host, server.port, server.user, server.password, server.pid)
        self.server.process = server.process
        self.seconds = seconds
        self.looks = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.server.connect()
        self.thread.start()
        return self

    def _run(self):
        began = time.monotonic()
        try:
            if not self.ended.wait(EDGE_S):
                self.looks.append(sample.take(self.server))
            self.ended.wait(max(0.0, began + self.seconds - EDGE_S - time.monotonic()) if self.seconds else None)
            self.looks.append(sample.take(self.server))
        except Failure:
            self.looks.clear()  # it went away within the step, and the step's errors say so

    def __exit__(self, *unused):
        self.ended.set()
        self.thread.join()

    def side(self):
        """`server_side` of results.schema.json; None when the server did not answer twice."""
        return sample.between(*self.looks) if len(self.looks) == 2 else None
