#!/usr/bin/python3
"""How scripts run beside everything else: one step each, whatever meets; endless ones take nothing down that does not need
what they hold; what a script has written is there as a whole or not at all."""

import random
import threading
import time

from case import SANITIZED, BasaltTest, main
from resp import RespError, encode

SECONDS = 60 if SANITIZED else 20
BUSY_MS = 200
ENDLESS = "while true do end"
MOVE = "local n = tonumber(ARGV[1]) redis.call('decrby', KEYS[1], n) redis.call('incrby', KEYS[2], n) return n"
# The same on keys that it does not declare.
MOVE_UNDECLARED = MOVE.replace("KEYS[1]", "ARGV[2]").replace("KEYS[2]", "ARGV[3]")
SUM = "local s = 0 for _, k in ipairs(KEYS) do s = s + tonumber(redis.call('get', k)) end return s"
SUM_UNDECLARED = ("local s = 0 for i = 1, tonumber(ARGV[1]) do s = s + tonumber(redis.call('get', 'account:' .. i)) end "
                  "return s")


class Scripts(BasaltTest):
    def setUp(self):
        super().setUp()
        self.control = self.client()

    def running(self, *command):
        """A client that has sent the command and does not wait for the reply."""
        client = self.client(SECONDS)
        client.send_raw(encode(command))
        return client

    def wait_until(self, condition, what):
        deadline = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.01)

    def assert_busy(self, *command):
        with self.assertRaisesRegex(RespError, "^BUSY .*SCRIPT KILL"):
            self.client(SECONDS).call(*command)

    def kill_all(self, clients):
        """SCRIPT KILL until all of them have their answer."""
        answers = []

        def read(client):
            answers.append(client.read().plain())

        readers = [threading.Thread(target=read, args=(client,)) for client in clients]
        for reader in readers:
            reader.start()
        deadline = time.monotonic() + SECONDS
        while any(reader.is_alive() for reader in readers):
            self.assertLess(time.monotonic(), deadline, "scripts that SCRIPT KILL does not end")
            try:
                self.control.call("SCRIPT", "KILL")
            except RespError as error:
                self.assertRegex(str(error), "^NOTBUSY")
            time.sleep(0.02)
        for answer in answers:
            self.assertRegex(str(answer), "^ERR .*Script killed by user with SCRIPT KILL")


class Endless(Scripts):
    options = {"busy-reply-threshold": str(BUSY_MS)}

    def wait_busy(self, key):
        """Until a script that holds the key is overdue. Who finds the key free was quicker than the script."""
        self.wait_until(lambda: str(self.running("SET", key, "1").read().plain()).startswith("BUSY"), "never busy")

    def test_endless_scripts_leave_everyone_else_alone(self):
        self.control.call("MSET", "a", "1", "b", "2")
        self.control.call("RPUSH", "list", *range(3000))
        scripts = [self.running("EVAL", ENDLESS, "1", "key:%d" % i) for i in range(8)]
        until = time.monotonic() + 3 * BUSY_MS / 1000
        worst = 0.0
        while time.monotonic() < until:
            began = time.monotonic()
            self.assertEqual(self.control.call("PING"), "PONG")
            self.assertEqual(self.control.call("GET", "a"), b"1")
            self.assertEqual(self.control.call("SET", "b", "3"), "OK")
            worst = max(worst, time.monotonic() - began)
        # The slow lane too.
        for command in (("KEYS", "*"), ("SCAN", "0"), ("CONFIG", "GET", "*"), ("EVAL", "return 1", "1", "other")):
            self.control.call(*command)
        self.assertEqual(len(self.control.call("SORT", "list")), 3000)
        self.kill_all(scripts)
        if not SANITIZED:
            self.assertLess(worst, 1.0)

    def test_the_key_of_an_overdue_script_is_busy(self):
        self.control.call("MSET", "held", "1", "free", "1")
        script = self.running("EVAL", ENDLESS, "1", "held")
        self.wait_busy("held")  # who comes before the script's time is up waits, and is refused then
        self.assert_busy("SET", "held", "3")
        self.assert_busy("EVAL", "return 1", "1", "held")
        self.assert_busy("FLUSHALL")  # needs the exclusive gate
        self.assertEqual(self.control.call("GET", "held"), b"1")
        self.assertEqual(self.control.call("SET", "free", "2"), "OK")
        self.kill_all([script])
        self.assertEqual(self.control.call("SET", "held", "4"), "OK")
        self.assertEqual(self.control.call("FLUSHALL"), "OK")

    def test_a_transaction_that_needs_the_key_is_refused(self):
        script = self.running("EVAL", ENDLESS, "1", "held")
        self.wait_busy("held")
        other = self.client(SECONDS)
        other.call("MULTI")
        other.call("SET", "free", "1")
        other.call("SET", "held", "1")
        with self.assertRaisesRegex(RespError, "^EXECABORT Transaction discarded because of: BUSY"):
            other.call("EXEC")
        self.assertIsNone(other.call("GET", "free"))
        self.assertEqual(other.call("SET", "free", "2"), "OK")  # no longer in MULTI
        self.kill_all([script])

    def test_an_overdue_script_under_the_gate_is_in_the_way_of_writes_only(self):
        self.control.call("SET", "a", "1")
        script = self.running("EVAL", "redis.call('dbsize') " + ENDLESS, "0")
        self.wait_busy("a")
        self.assert_busy("SET", "a", "2")
        self.assertEqual(self.control.call("GET", "a"), b"1")
        self.assertEqual(self.control.call("PING"), "PONG")
        self.kill_all([script])
        self.assertEqual(self.control.call("SET", "a", "2"), "OK")

    def test_a_script_that_has_written_is_not_killed(self):
        self.running("EVAL", "redis.call('set', KEYS[1], 'x') " + ENDLESS, "1", "a")
        self.wait_busy("a")
        with self.assertRaisesRegex(RespError, "^UNKILLABLE Sorry the script already executed write commands"):
            self.control.call("SCRIPT", "KILL")
        self.assertNotEqual(self.control.call("GET", "a"), b"x")
        # SHUTDOWN ends it, and what it wrote is undone: BasaltTest sees the server end with status 0.
        self.control.send_raw(encode(("SHUTDOWN", "NOSAVE")))
        self.assertEqual(self.server.process.wait(SECONDS), 0)
        again = self.start(self.options)
        self.assertNotEqual(self.client(server=again).call("GET", "a"), b"x")

    def test_pcall_cannot_catch_a_kill(self):
        script = self.running("EVAL", "while true do pcall(function() while true do end end) end", "0")
        self.kill_all([script])

    def test_kill_without_a_script(self):
        with self.assertRaisesRegex(RespError, "^NOTBUSY No scripts in execution right now."):
            self.control.call("SCRIPT", "KILL")

    def test_a_script_goes_on_without_its_client(self):
        script = self.running("EVAL", "local n = 0 while n < 3e7 do n = n + 1 end redis.call('set', KEYS[1], n)", "1", "a")
        time.sleep(0.05)
        script.close()
        self.wait_until(lambda: self.control.call("GET", "a") == b"30000000", "the script did not finish")

    def test_what_runs_in_one_call_of_a_library_ends_too(self):
        for body in ("return string.find(string.rep('a', 3000), '.-.-.-.-.-.-b')",
                     "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.sort(t, function(a, b) return a > b end) end"):
            script = self.running("EVAL", body, "0")
            for i in range(100):
                self.assertEqual(self.control.call("ECHO", str(i)), str(i).encode())
            self.kill_all([script])


class FewSlowThreads(Scripts):
    options = {"busy-reply-threshold": str(BUSY_MS), "slow-threads": "1"}

    def test_endless_scripts_do_not_keep_the_slow_threads(self):
        scripts = [self.running("EVAL", ENDLESS, "0") for _ in range(3)]
        for _ in range(5):
            self.assertEqual(self.control.call("KEYS", "*"), [])
            time.sleep(BUSY_MS / 1000)
        self.kill_all(scripts)


class OneStep(Scripts):
    ACCOUNTS = 8

    def test_sums_stay_exact_whatever_runs_at_once(self):
        accounts = ["account:%d" % (i + 1) for i in range(self.ACCOUNTS)]
        self.control.call("MSET", *sum(([name, "1000"] for name in accounts), []))
        until = time.monotonic() + (6 if SANITIZED else 3)
        failures = []
        moves = [0]

        def work(seed, kind):
            rng = random.Random(seed)
            client = self.client(SECONDS)
            try:
                while time.monotonic() < until:
                    source, target = rng.sample(accounts, 2)
                    amount = str(rng.randrange(1, 50))
                    if kind == "declared":
                        client.call("EVAL", MOVE, "2", source, target, amount)
                    elif kind == "undeclared":
                        client.call("EVAL", MOVE_UNDECLARED, "0", amount, source, target)
                    elif kind == "half":
                        client.call("EVAL", MOVE.replace("KEYS[2]", "ARGV[2]"), "1", source, amount, target)
                    elif kind == "exec":
                        client.call("MULTI")
                        client.call("EVAL", MOVE_UNDECLARED, "0", amount, source, target)
                        client.call("DECRBY", source, "1")
                        client.call("INCRBY", target, "1")
                        client.call("EXEC")
                    elif kind == "plain":
                        client.call("APPEND", "log", "x")
                        if rng.random() < 0.05:
                            client.call("SWAPDB", "5", "6")
                    elif kind == "slow":
                        client.call("EVAL", "for i = 1, 3e5 do end " + MOVE_UNDECLARED, "0", amount, source, target)
                    elif kind == "sum":
                        total = client.call("EVAL", SUM, str(self.ACCOUNTS), *accounts)
                        if total != 1000 * self.ACCOUNTS:
                            failures.append(("declared", total))
                    else:
                        total = client.call("EVAL", SUM_UNDECLARED, "0", str(self.ACCOUNTS))
                        if total != 1000 * self.ACCOUNTS:
                            failures.append(("undeclared", total))
                    moves[0] += 1
            except Exception as error:  # noqa: BLE001 - told below
                failures.append((kind, repr(error)))

        kinds = ("declared", "undeclared", "half", "exec", "plain", "slow", "sum", "sum undeclared") * 2
        threads = [threading.Thread(target=work, args=(i, kind)) for i, kind in enumerate(kinds)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(sum(int(value) for value in self.control.call("MGET", *accounts)), 1000 * self.ACCOUNTS)
        self.assertGreater(moves[0], 100)

    def test_a_failing_script_keeps_what_it_wrote_before(self):
        with self.assertRaisesRegex(RespError, "^ERR Unknown Redis command called from script script: "):
            self.control.call("EVAL", "redis.call('set', KEYS[1], '1') redis.call('nosuch')", "1", "a")
        self.assertEqual(self.control.call("GET", "a"), b"1")

    def test_a_script_that_fills_memory_is_undone(self):
        if SANITIZED:
            self.skipTest("takes too long")
        client = self.client(60)
        body = "local v = string.rep('x', 1000000) local i = 0 while true do i = i + 1 redis.call('set', 'k' .. i, v) end"
        with self.assertRaisesRegex(RespError, "^ERR The script was ended and what it did was undone"):
            client.call("EVAL", body, "0")
        self.assertEqual(client.call("DBSIZE"), 0)

    def test_waiting_clients_are_served_by_a_script_on_an_undeclared_key(self):
        waiter = self.running("BLPOP", "queue", "0")
        self.wait_until(lambda: self.server.info("clients", client=self.control)["blocked_clients"] == "1", "no waiter")
        self.assertEqual(self.control.call("EVAL", "return redis.call('rpush', ARGV[1], 'x')", "0", "queue"), 1)
        self.assertEqual(waiter.read().plain(), [b"queue", b"x"])


if __name__ == "__main__":
    main()
