#!/usr/bin/python3
"""Limits on clients: maxclients, protected mode, idle timeout, ten thousand idle ones."""

import fcntl
import resource
import socket
import struct
import time

from case import BASALT, SANITIZED, BasaltTest, main, os, subprocess
from resp import Client, RespError, encode

IDLE_CLIENTS = 10_000
IDLE_BYTES_MAX = 4096
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1


class Limits(BasaltTest):
    def test_maxclients(self):
        control = self.client()
        control.call("CONFIG", "SET", "maxclients", "3")
        others = [self.client() for _ in range(2)]
        for other in others:
            other.call("PING")
        with Client(("127.0.0.1", self.server.port)) as refused:
            reply = refused.read()
            self.assertEqual((reply.kind, reply.value), ("-", b"ERR max number of clients reached"))
            self.assertTrue(refused.wait_closed(5))
        self.assertEqual(int(self.server.info("stats", client=control)["rejected_connections"]), 1)
        others[0].close()
        deadline = time.monotonic() + 5
        while control.call("CLIENT", "LIST").count(b"id=") > 2:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.client().call("PING"), "PONG")

    def test_idle_clients_are_closed_and_busy_ones_are_not(self):
        control, idle = self.client(), self.client()
        idle.call("PING")
        control.call("CONFIG", "SET", "timeout", "1")
        deadline, closed = time.monotonic() + 8, False
        while not closed and time.monotonic() < deadline:
            control.call("PING")
            closed = idle.wait_closed(0.1)
        self.assertTrue(closed, "the idle client was not closed")
        self.assertEqual(control.call("PING"), "PONG")

    def test_before_authentication_only_small_requests(self):
        self.client().call("CONFIG", "SET", "requirepass", "secret")
        client = self.client()
        with self.assertRaisesRegex(RespError, "NOAUTH Authentication required."):
            client.call("GET", "k")
        client.send_raw(b"*11\r\n")
        self.assertEqual(client.read().value, b"ERR Protocol error: unauthenticated multibulk length")
        self.assertTrue(client.wait_closed(5))
        client = self.client()
        client.send_raw(b"*2\r\n$3\r\nGET\r\n$16385\r\n")
        self.assertEqual(client.read().value, b"ERR Protocol error: unauthenticated bulk length")
        self.assertTrue(client.wait_closed(5))

    def test_protected_mode_refuses_other_hosts(self):
        """In a network of its own, where 10.99.0.1 is this host by a name other than loopback."""
        program = os.path.join(self.folder, "inside.py")
        with open(program, "w") as file:
            file.write(INSIDE % {"here": os.path.dirname(os.path.abspath(__file__)), "basalt": BASALT,
                                 "folder": os.path.join(self.folder, "inside")})
        done = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "/usr/bin/python3", program], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        if "unshare failed" in done.stdout or "cannot open" in done.stdout:
            self.skipTest("this machine allows no network namespaces: " + done.stdout.strip())
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("refused, then served", done.stdout)


INSIDE = """
import sys
sys.path.insert(0, %(here)r)
from clients_test import loopback_with
from resp import Client
from server import Server

loopback_with("10.99.0.1")
with Server(%(basalt)r, options={"bind": "127.0.0.1 10.99.0.1"}, folder=%(folder)r) as server:
    with Client(("10.99.0.1", server.port)) as other:
        reply = other.read()
        assert reply.kind == "-" and reply.value.startswith(b"DENIED"), reply.value
        assert other.wait_closed(5)
    with server.client() as local:
        assert local.call("CONFIG", "SET", "protected-mode", "no") == "OK"
    with Client(("10.99.0.1", server.port)) as other:
        assert other.call("PING") == "PONG"
print("refused, then served")
"""


def loopback_with(address):
    """Brings the loopback device of this network namespace up, and gives it one more address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
        fcntl.ioctl(control, SIOCSIFADDR, struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address)))


class FewFiles(BasaltTest):
    options = {"memory": "16mb"}
    SOFT, HARD = 256, 700

    def start(self, *args, **more):
        return super().start(*args, files=(self.SOFT, self.HARD), **more)

    def test_clients_leave_files_for_the_data(self):
        control = self.client()
        most = int(control.call("CONFIG", "GET", "maxclients")[1])
        self.assertTrue(32 <= most <= self.HARD // 2, most)
        self.assertEqual(resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE), (self.HARD, self.HARD))
        self.assertIn("maxclients is %d instead of 10000" % most, self.server.output())
        with self.assertRaisesRegex(RespError, "^ERR CONFIG SET failed \\(possibly related to argument 'maxclients'\\) - The operating "
                                               "system is not able to handle the specified number of clients, try with %d$" % most):
            control.call("CONFIG", "SET", "maxclients", 10000)
        control.call("CONFIG", "SET", "maxclients", most - 1)
        control.call("CONFIG", "SET", "maxclients", most)
        # All that are let in, and more; then writes need new files.
        idle = [self.client() for _ in range(most + 20)]
        self.assertEqual(idle[-1].read().value, b"ERR max number of clients reached")
        value = b"x" * 100_000
        for start in range(0, 600, 20):
            replies = control.pipeline([("SET", "k%d" % i, value) for i in range(start, start + 20)])
            self.assertEqual(replies, ["OK"] * 20)
        self.assertGreater(int(self.server.info(client=control)["flush_bytes_written"]), 0)


class TenThousandIdle(BasaltTest):
    options = {"maxclients": "20000"}

    def open_clients(self, count):
        sockets = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", self.server.port))
            sockets.append(client)
            self.addCleanup(client.close)
        return sockets

    def ping_all(self, sockets):
        """Each client has been busy once: what it keeps afterwards is what an idle client costs."""
        ping = encode(("PING",))
        for start in range(0, len(sockets), 500):
            for client in sockets[start : start + 500]:
                client.sendall(ping)
            for client in sockets[start : start + 500]:
                self.assertEqual(client.recv(100), b"+PONG\r\n")

    def rate(self, client, seconds=1.0):
        latencies, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            started = time.perf_counter()
            client.call("GET", "k")
            latencies.append(time.perf_counter() - started)
        return sorted(latencies)[len(latencies) // 2]

    def test_they_cost_little_memory_and_do_not_slow_a_busy_one(self):
        busy = self.client()
        busy.call("SET", "k", "v" * 100)
        self.ping_all(self.open_clients(500))
        self.rate(busy, 0.2)
        alone = self.rate(busy)
        before = self.server.rss_bytes()
        count = 2000 if SANITIZED else IDLE_CLIENTS
        self.ping_all(self.open_clients(count))
        # What their first command took is free again, and goes back to the system a little later.
        deadline = time.monotonic() + 15
        while True:
            time.sleep(0.5)
            each = (self.server.rss_bytes() - before) / count
            if each <= IDLE_BYTES_MAX or time.monotonic() > deadline:
                break
        crowded = self.rate(busy)
        print("idle clients: %.0f bytes each; median GET %.0f us alone, %.0f us beside %d" % (
            each, alone * 1e6, crowded * 1e6, count))
        if not SANITIZED:
            self.assertLessEqual(each, IDLE_BYTES_MAX, "resident bytes of an idle client")
            self.assertLess(crowded, max(3 * alone, 0.002), "median seconds of a GET beside idle clients")
        self.assertGreaterEqual(int(self.server.info("clients", client=busy)["connected_clients"]), count)


if __name__ == "__main__":
    main()
