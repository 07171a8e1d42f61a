#!/usr/bin/python3
"""The programs that people use: redis-cli in its modes, redis-benchmark, memtier_benchmark, redis-py."""

import fcntl
import pty
import select
import shutil
import struct
import termios
import time

from case import BasaltTest, main, os, re, subprocess, unittest


class Programs(BasaltTest):
    def run_program(self, *command, stdin=b"", seconds=60):
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
        text = done.stdout.decode("utf-8", "replace")
        self.assertEqual(done.returncode, 0, "%s:\n%s" % (" ".join(command), text))
        self.assertNotRegex(text, r"(?i)\bERR\b|error|WARNING: Could not fetch", " ".join(command))
        return text

    def cli(self, *args, **more):
        return self.run_program("redis-cli", "-p", str(self.server.port), *args, **more)

    def fill(self, count=300):
        self.client().pipeline([("SET", "key:%d" % i, "v" * (i + 1)) for i in range(count)])


class RedisCli(Programs):
    def test_one_command_and_a_script_of_commands(self):
        self.assertEqual(self.cli("SET", "a b", "c\nd"), "OK\n")
        self.assertEqual(self.cli("--no-raw", "GET", "a b"), '"c\\nd"\n')
        self.assertEqual(self.cli(stdin=b"INCR n\nINCR n\n"), "1\n2\n")
        self.assertEqual(self.cli("-3", "GET", "none"), "\n")
        self.assertEqual(self.cli("-n", "3", "DBSIZE"), "0\n")

    def test_stat(self):
        self.fill()
        text = self.limited("--stat", "-i", "0.1", seconds=0.8)
        self.assertRegex(text, r"keys +mem +clients +blocked +requests +connections")
        self.assertRegex(text, r"(?m)^300 ")

    def test_bigkeys_and_memkeys(self):
        self.fill()
        for mode in ("--bigkeys", "--memkeys"):
            text = self.cli(mode)
            self.assertRegex(text, r"Sampled 300 keys in the keyspace!")
            self.assertRegex(text, "Biggest string found '\"key:%s\"'" % ("299" if mode == "--bigkeys" else r"\d+"))

    def test_scan(self):
        self.fill()
        keys = self.cli("--scan").split()
        self.assertEqual(sorted(keys), sorted("key:%d" % i for i in range(300)))
        self.assertEqual(sorted(self.cli("--scan", "--pattern", "key:1?").split()), sorted("key:1%d" % i for i in range(10)))

    def test_latency(self):
        self.assertRegex(self.cli("--latency", "-i", "0.5"), r"^\d+ \d+ [\d.]+ \d+")
        self.assertRegex(self.limited("--latency-history", "-i", "0.5"), r"min: \d+, max: \d+, avg: [\d.]+ \(\d+ samples\)")
        self.assertTrue(self.limited("--latency-dist", "-i", "0.5"))

    def at_terminal(self, *args):
        """redis-cli at a terminal of its own: the terminal's file descriptor and the process."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        environment = dict(os.environ, TERM="xterm", REDISCLI_HISTFILE="/dev/null")
        process = subprocess.Popen(["redis-cli", "-p", str(self.server.port), *args], stdin=slave, stdout=slave, stderr=slave,
                                   env=environment, start_new_session=True)
        os.close(slave)
        self.addCleanup(os.close, master)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return master, process

    def until(self, master, pattern, seconds=10):
        """What the terminal shows, without colours, up to the pattern."""
        text, deadline = "", time.monotonic() + seconds
        while True:
            plain = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", text)
            if pattern and re.search(pattern, plain):
                return plain
            if time.monotonic() > deadline:
                if pattern:
                    self.fail("no %r at the prompt:\n%s" % (pattern, plain))
                return plain
            if select.select([master], [], [], 0.1)[0]:
                text += os.read(master, 1 << 16).decode("utf-8", "replace")

    def limited(self, *args, seconds=1.2):
        """Modes that run until they are stopped: what they show meanwhile."""
        master, process = self.at_terminal(*args)
        text = self.until(master, None, seconds)
        self.assertIsNone(process.poll(), "redis-cli %s ended:\n%s" % (" ".join(args), text))
        self.assertNotRegex(text, r"(?i)\berr\b|error|refused")
        return text

    def test_pipe(self):
        commands = b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\np:%d\r\n$1\r\n1\r\n" % (len(b"p:%d" % i), i) for i in range(5000))
        done = subprocess.run(["redis-cli", "-p", str(self.server.port), "--pipe"], input=commands, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        self.assertIn(b"errors: 0, replies: 5000", done.stdout)
        self.assertEqual(self.client().call("DBSIZE"), 5000)

    def test_info_and_monitor(self):
        info = subprocess.run(["redis-cli", "-p", str(self.server.port), "INFO"], stdout=subprocess.PIPE, timeout=20).stdout
        self.assertIn(b"redis_version:7.2.4", info)
        process = subprocess.Popen(["redis-cli", "-p", str(self.server.port), "MONITOR"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.assertEqual(process.stdout.readline(), b"OK\n")
        self.client().call("SET", "seen", "1")
        deadline, lines = time.monotonic() + 10, b""
        while b'"SET" "seen" "1"' not in lines:
            self.assertLess(time.monotonic(), deadline, lines)
            lines += process.stdout.readline()

    def test_help_and_completion_at_the_prompt(self):
        """In a terminal: `help set` prints the server's own documentation, and tab completes a command's name."""
        master, _ = self.at_terminal()
        self.until(master, r"%d> " % self.server.port)
        os.write(master, b"help set\r")
        text = self.until(master, r"group: string[\s\S]*%d> " % self.server.port)
        self.assertRegex(text, r"summary: \S+")
        self.assertRegex(text, r"since: 1\.0\.0")
        os.write(master, b"getra\t")
        self.until(master, r"(?i)getrange")


class LoadGenerators(Programs):
    def test_redis_benchmark_in_its_usual_forms(self):
        program = ["redis-benchmark", "-p", str(self.server.port), "-q", "-n", "2000"]
        for more in (["-t", "ping,set,get,incr,mset"], ["-t", "set,get", "-P", "16", "-r", "1000", "-d", "100"],
                     ["-t", "set,get", "-c", "100", "-3"], ["-r", "100", "SETEX", "k:__rand_int__", "100", "v"],
                     ["-t", "set", "--threads", "2"]):
            with self.subTest(" ".join(more)):
                self.assertIn("requests per second", self.run_program(*program, *more))

    @unittest.skipUnless(shutil.which("memtier_benchmark"), "memtier_benchmark is not on PATH")
    def test_memtier_benchmark_in_its_usual_forms(self):
        program = ["memtier_benchmark", "-s", "127.0.0.1", "-p", str(self.server.port), "-t", "1", "-c", "10", "-n", "200",
                   "--hide-histogram"]
        for more in ([], ["--ratio", "1:1", "-d", "100", "--pipeline", "16"], ["--protocol", "resp3"],
                     ["--expiry-range", "10-20", "--ratio", "1:0"], ["--select-db", "3"], ["--data-offset", "10"],
                     ["--command", "INCR __key__", "--key-prefix", "counter-"],
                     ["--wait-ratio", "1:5", "--num-slaves", "0-1", "--wait-timeout", "1-2"]):
            with self.subTest(" ".join(more)):
                done = subprocess.run(program + more, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      timeout=60)
                text = done.stdout.decode("utf-8", "replace")
                self.assertEqual(done.returncode, 0, text)
                self.assertIn("ALL STATS", text)
                self.assertNotIn("error response", text)
                self.assertNotIn("handle error", text)


class RedisPy(Programs):
    """An ordinary client library (Debian's python3-redis)."""

    def setUp(self):
        super().setUp()
        import redis
        self.redis = redis
        self.client_of_library = redis.Redis(port=self.server.port, client_name="library")
        self.addCleanup(self.client_of_library.close)

    def test_values_pipelines_and_transactions(self):
        r = self.client_of_library
        self.assertTrue(r.ping())
        self.assertTrue(r.set("k", b"\0\xff", ex=100))
        self.assertEqual(r.get("k"), b"\0\xff")
        self.assertLessEqual(r.ttl("k"), 100)
        with r.pipeline(transaction=True) as pipe:
            self.assertEqual(pipe.set("a", 1).incr("a").get("a").execute(), [True, 2, b"2"])
        with r.pipeline(transaction=False) as pipe:
            self.assertEqual(pipe.mset({"x": 1, "y": 2}).mget("x", "y", "z").execute(), [True, [b"1", b"2", None]])

    def test_watch_notices_another_writer(self):
        r = self.client_of_library
        r.set("balance", 10)
        with r.pipeline() as pipe:
            pipe.watch("balance")
            self.client().call("SET", "balance", "11")
            pipe.multi()
            pipe.set("balance", 0)
            with self.assertRaises(self.redis.WatchError):
                pipe.execute()
        self.assertEqual(r.get("balance"), b"11")

    def test_iteration_and_information(self):
        r = self.client_of_library
        self.fill(1500)
        self.assertEqual(len(set(r.scan_iter(match="key:*", count=100))), 1500)
        self.assertEqual(r.info()["redis_version"], "7.2.4")
        self.assertEqual(r.info("keyspace")["db0"]["keys"], 1500)
        self.assertIn("library", [client["name"] for client in r.client_list()])
        self.assertIn("maxclients", r.config_get("max*"))
        self.assertEqual(r.command_count(), len(r.command()))


if __name__ == "__main__":
    main()
