"""Child processes of a load generator: started in a group of their own, watched, ended by their pid."""

import os
import re
import resource
import signal
import subprocess
import threading
import time

POLL_S = 0.05


class Stop:
    """Set by a signal handler; who waits looks at it. reason: None, or the signal's name."""

    def __init__(self):
        self.reason = None

    def __bool__(self):
        return self.reason is not None


class Child:
    """One generator process. on_line(text) is called for each line of its stderr (\\r ends one too), on a thread of its own."""

    def __init__(self, command, on_line):
        # A session of its own: Ctrl-C reaches us only, and we decide what becomes of the measurement.
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        self.output = b""
        self.readers = [
            threading.Thread(target=self._read_errors, args=(on_line,), daemon=True),
            threading.Thread(target=self._read_output, daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    def _read_errors(self, on_line):
        rest = b""
        while True:
            block = self.process.stderr.read1(65536)
            if not block:
                break
            *lines, rest = re.split(rb"[\r\n]", rest + block)
            for line in lines:
                on_line(line.decode(errors="replace"))
        on_line(rest.decode(errors="replace"))

    def _read_output(self):
        self.output = self.process.stdout.read()

    def signal(self, number):
        if self.process.poll() is None:
            os.kill(self.process.pid, number)

    def ended(self):
        return self.process.poll() is not None

    def close(self):
        """The process is gone, and all that it wrote is read."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


def wait(children, seconds, give_up):
    """Waits until all children ended. After `seconds`, or when give_up() says so, they get SIGINT (they write what they have),
    and SIGKILL three seconds later. True: they ended by themselves."""
    deadline = time.monotonic() + seconds
    interrupted_at = None
    while not all(child.ended() for child in children):
        now = time.monotonic()
        if interrupted_at is None and (now > deadline or give_up()):
            interrupted_at = now
            for child in children:
                child.signal(signal.SIGINT)
        if interrupted_at is not None and now > interrupted_at + 3:
            for child in children:
                child.signal(signal.SIGKILL)
        time.sleep(POLL_S)
    for child in children:
        child.close()
    return interrupted_at is None


def cpu_seconds():
    """User and system time of all children that ended."""
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime
