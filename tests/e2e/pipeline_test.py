#!/usr/bin/python3
"""Pipelines: any length before the first read, any split, half-close, and clients that never read."""

import socket
import time

from case import SANITIZED, BasaltTest, main, os
from resp import Client, Closed, encode

MIB = 1 << 20
SECONDS_MAX = 60 if SANITIZED else 10


class Pipelines(BasaltTest):
    def test_100_mb_of_commands_before_the_first_read(self):
        total, value, batch = (10 if SANITIZED else 100) * MIB, b"v" * 1000, []
        client = self.client(timeout=60)
        sent = count = 0
        while sent < total:
            key = b"key:%d" % (count % 5000)
            batch.append(encode(("GET", key)) if count % 10 == 9 else encode(("SET", key, b"%d:" % count + value)))
            sent += len(batch[-1])
            count += 1
            if len(batch) == 1000:
                client.send_raw(b"".join(batch))
                batch = []
        client.send_raw(b"".join(batch))
        stored = {}
        for index in range(count):
            reply = client.read()
            key = index % 5000
            if index % 10 == 9:
                self.assertEqual(reply.value, stored.get(key), "GET, command %d" % index)
            else:
                self.assertEqual((reply.kind, reply.value), ("+", b"OK"), "SET, command %d" % index)
                stored[key] = b"%d:" % index + value
        self.assertEqual(client.call("PING"), "PONG")

    def test_many_tiny_commands_before_the_first_read(self):
        count = 50_000 if SANITIZED else 500_000
        client = self.client(timeout=60)
        client.send_raw(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" * count)
        for index in range(1, count + 1):
            if client.read().value != b"%d" % index:
                self.fail("reply %d is not %d" % (index, index))

    def test_commands_split_at_every_byte(self):
        client = self.client()
        data = encode(("SET", "split", "a\r\nb")) + b"PING inline\r\n" + encode(("GET", "split")) + b"\r\n" + encode(("ECHO", ""))
        for cut in range(1, len(data)):
            client.send_raw(data[:cut])
            time.sleep(0.0005)
            client.send_raw(data[cut:])
            self.assertEqual([client.read().value for _ in range(4)], [b"OK", b"inline", b"a\r\nb", b""], "cut at byte %d" % cut)

    def test_a_large_argument_arrives_in_pieces(self):
        client = self.client()
        value = os.urandom(MIB) * 8
        data = encode(("SET", "large", value))
        for start in range(0, len(data), 300_001):
            client.send_raw(data[start : start + 300_001])
        self.assertEqual(client.read().value, b"OK")
        client.send("GET", "large")
        self.assertEqual(client.read().value, value)

    def test_a_busy_pipeline_does_not_starve_another_client(self):
        busy, other = self.client(timeout=60), self.client()
        count = 20_000 if SANITIZED else 200_000
        busy.send_raw(encode(("SET", "k", "v" * 100)) * count)
        longest = 0.0
        for _ in range(200):
            started = time.monotonic()
            other.call("PING")
            longest = max(longest, time.monotonic() - started)
        self.assertLess(longest, 10 if SANITIZED else 1.0, "seconds that a PING took beside a pipeline")
        for _ in range(count):
            busy.read()


class ReadsBehindWrites(BasaltTest):
    options = {"pool-threads": "2"}

    def test_an_idle_client_holds_no_lock(self):
        """A read behind a pending write of its own connection waits for the lock of its key. Once it has it, the write is
        committed, and the read runs without: the lock must not stay with it."""
        writers, readers = [self.client() for _ in range(3)], [self.client() for _ in range(3)]
        other = self.client(timeout=SECONDS_MAX)
        writes = b"".join(encode(("SET", "ab"[i % 2], i)) for i in range(60))
        reads = b"".join(encode(("SET", "c%d" % i, i)) for i in range(5)) + b"".join(encode(("GET", "ab"[i % 2])) for i in range(5))
        for _ in range(100 if SANITIZED else 500):
            for writer, reader in zip(writers, readers):
                reader.send_raw(reads)
                writer.send_raw(writes)
            for client, count in [(client, 60) for client in writers] + [(client, 10) for client in readers]:
                for _ in range(count):
                    client.read()
            self.assertEqual(other.call("MSET", "a", 1, "b", 2), "OK")


class HalfClose(BasaltTest):
    def setUp(self):
        super().setUp()
        self.server.stop()
        self.path = os.path.join(self.folder, "sock")
        self.server = self.start({"unixsocket": self.path})

    def check(self, address):
        for data, replies in ((b"SET a 1\r\nGET a\r\n", [b"OK", b"1"]), (encode(("ECHO", "x" * MIB)), [b"x" * MIB]), (b"", [])):
            with Client(address) as client:
                client.send_raw(data)
                client.socket.shutdown(socket.SHUT_WR)
                self.assertEqual([client.read().value for _ in replies], replies)
                with self.assertRaises(Closed):
                    client.read()

    def test_tcp(self):
        self.check(("127.0.0.1", self.server.port))

    def test_unix_socket(self):
        self.check(self.path)

    def test_an_abrupt_end_with_a_pipeline_in_flight(self):
        for _ in range(50):
            client = self.server.client()
            client.send_raw(encode(("SET", "k", "v" * 1000)) * 200)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        self.assertEqual(self.client().call("PING"), "PONG")


class NeverReads(BasaltTest):
    """Replies of a client that never reads are limited, for one client and for all together."""

    def fill(self, client, seconds=20):
        """Asks for 1 MiB replies without reading until the server stops reading or cuts; True if it cut."""
        client.socket.settimeout(2)
        data = encode(("GET", "large")) * 100
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                client.send_raw(data)
        except socket.timeout:
            return False
        except ConnectionError:
            return True
        return False

    def test_cut_at_the_limit_of_its_class(self):
        control = self.client()
        control.call("CONFIG", "SET", "client-output-buffer-limit", "normal 16mb 0 0")
        control.call("SET", "large", b"x" * MIB)
        before = self.server.rss_bytes()
        client = self.client()
        client.send_raw(encode(("GET", "large")) * 2000)
        deadline, highest = time.monotonic() + 30, 0
        while len(control.call("CLIENT", "LIST").splitlines()) > 1:
            highest = max(highest, self.server.rss_bytes())
            self.assertLess(time.monotonic(), deadline, "the client that does not read was not cut")
            time.sleep(0.01)
        if not SANITIZED:
            self.assertLess(highest - before, 100 * MIB, "memory that one client's replies took")
        self.assertEqual(control.call("PING"), "PONG")

    def test_memory_stays_within_the_budget_of_all(self):
        control = self.client()
        control.call("CONFIG", "SET", "client-output-total-limit", str(32 * MIB))
        control.call("SET", "large", b"x" * MIB)
        before = self.server.rss_bytes()
        clients = [self.client() for _ in range(20)]
        for client in clients:
            try:
                client.send_raw(encode(("GET", "large")) * 200)
            except ConnectionError:
                pass  # cut already
        highest = 0
        for _ in range(100):
            highest = max(highest, self.server.rss_bytes())
            time.sleep(0.02)
        if not SANITIZED:
            self.assertLess(highest - before, 120 * MIB, "memory that 20 clients which ask for 4 GB took")
        self.assertEqual(control.call("PING"), "PONG")

    def test_a_slow_reader_gets_everything(self):
        control = self.client()
        control.call("SET", "large", os.urandom(MIB))
        value = control.call("GET", "large")
        client = self.client(timeout=30)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.send_raw(encode(("GET", "large")) * 50)
        time.sleep(0.5)
        for index in range(50):
            self.assertEqual(client.read().value, value, "reply %d" % index)


if __name__ == "__main__":
    main()
