"""A small RESP2/RESP3 client for tests: standard library only, one socket, no threads, no hidden retries.

Reply is one reply with its wire type kept, so that a test can tell `+OK` from `$2 OK`. Client.call() gives plain Python
values for tests that do not care.
"""

import socket
import time


class RespError(Exception):
    """An error reply (`-ERR ...`), raised by Client.call()."""


class Closed(Exception):
    """The server closed the connection."""


class Reply:
    """One reply. kind is RESP's type byte: + - : $ * _ , # ( = ! % ~ > |  value: bytes, or a list of Reply for the
    aggregates (% and | hold keys and values alternating; | is followed by the reply it belongs to), or None (null)."""

    __slots__ = ("kind", "value")

    def __init__(self, kind, value):
        self.kind = kind
        self.value = value

    def plain(self):
        """str for simple strings, bytes for bulk, int, float, bool, list, dict (%), None; an error becomes RespError."""
        kind, value = self.kind, self.value
        if value is None:
            return None
        if kind == "+":
            return value.decode("latin-1")
        if kind in "-!":
            return RespError(value.decode("latin-1"))
        if kind in ":(":
            return int(value)
        if kind == ",":
            return float(value)
        if kind == "#":
            return value == b"t"
        if kind in "*~>":
            return [item.plain() for item in value]
        if kind == "%":
            items = [item.plain() for item in value]
            return dict(zip(items[::2], items[1::2]))
        if kind == "|":
            return value[-1].plain()
        if kind == "=":
            return value[4:]
        return value


def encode(args):
    """One command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        if isinstance(arg, str):
            arg = arg.encode()
        elif not isinstance(arg, (bytes, bytearray)):
            arg = str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(parts)


class Client:
    """One connection. address: (host, port) or the path of a unix socket. timeout: seconds for each read and write."""

    def __init__(self, address, timeout=10.0):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self._buffer = bytearray()
        self._at = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    # ---- sending ----
    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, *args):
        self.send_raw(encode(args))

    def call(self, *args):
        """Sends one command and returns its plain reply; an error reply is raised as RespError."""
        self.send(*args)
        reply = self.read().plain()
        if isinstance(reply, RespError):
            raise reply
        return reply

    def pipeline(self, commands):
        """Sends all commands, then reads all replies; errors are values."""
        self.send_raw(b"".join(encode(command) for command in commands))
        return [self.read().plain() for _ in commands]

    # ---- receiving ----
    def _more(self):
        if self._at > 1 << 16:
            del self._buffer[: self._at]
            self._at = 0
        data = self.socket.recv(1 << 16)
        if not data:
            raise Closed("the server closed the connection")
        self._buffer += data

    def _line(self):
        start = self._at
        while True:
            end = self._buffer.find(b"\r\n", start)
            if end >= 0:
                line = bytes(self._buffer[self._at : end])
                self._at = end + 2
                return line
            before = len(self._buffer) - self._at
            self._more()
            start = self._at + max(0, before - 1)

    def _exactly(self, count):
        while len(self._buffer) - self._at < count:
            self._more()
        data = bytes(self._buffer[self._at : self._at + count])
        self._at += count
        return data

    def read(self):
        """The next reply or push message."""
        line = self._line()
        if not line:
            raise ValueError("empty line where a reply should be")
        kind, rest = chr(line[0]), line[1:]
        if kind in "+-:,#(":
            return Reply(kind, rest)
        if kind == "_":
            return Reply(kind, None)
        if kind in "$=!":
            size = int(rest)
            if size < 0:
                return Reply(kind, None)
            data = self._exactly(size + 2)
            if data[-2:] != b"\r\n":
                raise ValueError("a bulk reply of %d bytes does not end with CRLF" % size)
            return Reply(kind, data[:-2])
        if kind in "*~>%|":
            count = int(rest)
            if count < 0:
                return Reply(kind, None)
            if kind in "%|":
                count *= 2
            items = [self.read() for _ in range(count)]
            if kind == "|":
                items.append(self.read())
            return Reply(kind, items)
        raise ValueError("not a reply: %r" % line[:80])

    def pending(self, wait=0.0):
        """True if bytes of a reply are there, or arrive within `wait` seconds. The server's close also counts."""
        if self._at < len(self._buffer):
            return True
        self.socket.settimeout(wait if wait > 0 else 0.000001)
        try:
            data = self.socket.recv(1 << 16)
        except (socket.timeout, BlockingIOError):
            return False
        finally:
            self.socket.settimeout(self.timeout)
        self._buffer += data
        return True

    def wait_closed(self, seconds):
        """True if the server closes this connection within `seconds`; what it still sends is dropped."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self.socket.settimeout(left)
                if not self.socket.recv(1 << 16):
                    return True
        except socket.timeout:
            return False
        except ConnectionError:
            return True
        finally:
            self.socket.settimeout(self.timeout)
