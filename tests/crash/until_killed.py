"""A client that works until its server is killed."""

import threading

from resp import Closed


class UntilKilled(threading.Thread):
    """Calls step() until the server is gone; `failure` is what else ended it. A subclass keeps what was acknowledged."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client = server.client(timeout=20)
        self.failure = None

    def step(self):
        raise NotImplementedError

    def run(self):
        try:
            while True:
                self.step()
        except (Closed, OSError):
            pass  # the kill
        except Exception as error:  # noqa: BLE001 - told to the test's thread
            self.failure = error
        finally:
            self.client.close()
