"""Looks at a server once a second, on a thread of its own."""

import threading
import time

from . import sample
from .failure import Failure
from .server import Server

PERIOD_S = 1.0
PLOTTED = (
    "commands",
    "cpu",
    "rss",
    "used_memory",
    "clients",
    "disk_used",
    "disk_read",
    "disk_written",
    "record_hits",
    "record_misses",
    "block_hits",
    "block_misses",
    "fast_wait_us",
    "fast_batches",
    "slow_wait_us",
    "slow_batches",
    "fast_queued",
    "slow_queued",
    "compactions_running",
    "compactions",
    "flushes_running",
    "write_delayed",
    "write_stopped",
    "stall_us",
    "wal_syncs",
    "error_replies",
)


class Sampler:
    """Between start() and stop() it keeps samples; columns() may be called at any time, from the thread that started it."""

    def __init__(self, server):
        self.server = Server(server.name, server.host, server.port, server.user, server.password, server.pid)
        self.server.process = server.process
        self.samples = []
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.thread = None

    def start(self):
        self.server.connect()
        self.ending.clear()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        due = time.monotonic()
        while not self.ending.is_set():
            try:
                taken = sample.take(self.server)
                with self.lock:
                    self.samples.append({name: taken[name] for name in ("t",) + PLOTTED if name in taken})
            except Failure:
                pass  # a server that does not answer leaves a gap; the step that runs tells about it
            due = max(due + PERIOD_S, time.monotonic())  # after a pause of the server it does not catch up
            self.ending.wait(max(0.0, due - time.monotonic()))

    def stop(self):
        self.ending.set()
        if self.thread is not None:
            self.thread.join()

    def columns(self, since=0.0):
        """{"t": [Unix seconds], "name": [values or None]}; what the server never told is left out."""
        with self.lock:
            samples = [one for one in self.samples if one["t"] >= since]
        names = [name for name in PLOTTED if any(name in one for one in samples)]
        out = {"t": [round(one["t"], 3) for one in samples]}
        for name in names:
            out[name] = [round(one[name], 3) if name in one else None for one in samples]
        return out
