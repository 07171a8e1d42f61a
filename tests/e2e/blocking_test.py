#!/usr/bin/python3
"""Commands that wait for an element of a list, as seen by several clients: who is served by what, in which order, and that
nothing is lost or served twice. The same runs against a real Redis: BASALT_ORACLE=/path/to/redis-server."""

import random
import threading
import time

from case import ORACLE, SANITIZED, OracleTest, main, os
from resp import Closed, RespError, encode

SECONDS = 60 if SANITIZED else 20


class BlockingTest(OracleTest):
    options = {"enable-debug-command": "yes"}

    def blocked(self):
        return int(self.server.info("clients", client=self.control)["blocked_clients"])

    def wait_blocked(self, count):
        deadline = time.monotonic() + SECONDS
        while self.blocked() != count:
            self.assertLess(time.monotonic(), deadline, "%d clients are blocked, not %d" % (self.blocked(), count))
            time.sleep(0.002)

    def waiter(self, *command):
        """A client that waits."""
        client = self.client(SECONDS)
        before = self.blocked()
        client.send(*command)
        self.wait_blocked(before + 1)
        return client

    def reply(self, client):
        return client.read().plain()

    def assert_waits(self, *clients):
        for client in clients:
            self.assertFalse(client.pending(0.05), "is still waiting")


class Order(BlockingTest):
    def test_one_push_serves_in_order_of_arrival(self):
        waiters = [self.waiter(*command) for command in (("BLPOP", "k", 0), ("BRPOP", "k", 0), ("BLMPOP", 0, 1, "k", "LEFT", "COUNT", 2),
                                                         ("BLMOVE", "k", "to", "RIGHT", "LEFT", 0), ("BLPOP", "k", 0), ("BLPOP", "k", 0))]
        self.assertEqual(self.control.call("RPUSH", "k", *"abcdef"), 6)
        self.assertEqual([self.reply(waiter) for waiter in waiters[:5]],
                         [[b"k", b"a"], [b"k", b"f"], [b"k", [b"b", b"c"]], b"e", [b"k", b"d"]])
        self.assert_waits(waiters[5])
        self.control.call("RPUSH", "k", "g")
        self.assertEqual(self.reply(waiters[5]), [b"k", b"g"])
        self.assertEqual(self.control.call("EXISTS", "k"), 0)

    def test_pushes_of_one_pipeline_serve_before_what_follows_them(self):
        first, second = self.waiter("BLPOP", "k", 0), self.waiter("BLPOP", "k", 0)
        replies = self.control.pipeline([("RPUSH", "k", "1"), ("LLEN", "k"), ("RPUSH", "k", "2", "3"), ("LRANGE", "k", 0, -1), ("LPOP", "k")])
        self.assertEqual(replies, [1, 0, 2, [b"3"], b"3"])
        self.assertEqual([self.reply(first), self.reply(second)], [[b"k", b"1"], [b"k", b"2"]])

    def test_a_waiter_comes_before_a_later_pop_of_the_same_pipeline(self):
        waiter = self.waiter("BLPOP", "k", 0)
        other = self.client(SECONDS)
        other.send_raw(encode(("RPUSH", "k", "1")) + encode(("BLPOP", "k", "0")))
        self.assertEqual(self.reply(waiter), [b"k", b"1"])
        self.assertEqual(self.reply(other), 1)
        self.wait_blocked(1)
        self.control.call("RPUSH", "k", "2")
        self.assertEqual(self.reply(other), [b"k", b"2"])

    def test_commands_behind_a_blocked_one_wait_as_well(self):
        client = self.client(SECONDS)
        client.send_raw(encode(("BLPOP", "k", "0")) + encode(("RPUSH", "l", "x")) + encode(("BLPOP", "l", "0")) + encode(("PING",)))
        self.wait_blocked(1)
        self.assertEqual(self.control.call("EXISTS", "l"), 0)
        self.control.call("RPUSH", "k", "1")
        self.assertEqual([self.reply(client) for _ in range(4)], [[b"k", b"1"], 1, [b"l", b"x"], "PONG"])

    def test_one_who_could_not_be_served_keeps_its_place(self):
        if ORACLE:
            self.skipTest("Redis sends it to the end of the queue")
        first = self.waiter("BLMOVE", "k", "to", "LEFT", "RIGHT", 0)
        second = self.waiter("BLPOP", "k", 0)
        replies = self.control.pipeline([("MULTI",), ("RPUSH", "k", "x"), ("PEXPIRE", "k", 5), ("DEBUG", "SLEEP", "0.05"), ("EXEC",)])
        self.assertEqual(len(replies[-1]), 3)
        self.assert_waits(first, second)
        self.assertEqual(self.control.call("EXISTS", "k"), 0)
        self.control.call("RPUSH", "k", "a", "b")
        self.assertEqual([self.reply(first), self.reply(second)], [b"a", [b"k", b"b"]])


class Keys(BlockingTest):
    def test_of_several_keys_the_first_that_has_a_list_counts(self):
        waiter = self.waiter("BLPOP", "a", "b", "c", 0)
        self.control.pipeline([("MULTI",), ("RPUSH", "c", "3"), ("RPUSH", "b", "2"), ("EXEC",)])
        self.assertEqual(self.reply(waiter), [b"b", b"2"])
        self.assertEqual(self.control.call("LRANGE", "c", 0, -1), [b"3"])
        waiter = self.waiter("BLPOP", "a", "b", "a", 0)
        self.control.call("RPUSH", "a", "1")
        self.assertEqual(self.reply(waiter), [b"a", b"1"])

    def test_clients_that_share_some_of_their_keys(self):
        """All of one key are served before those of the next, though some wait for both."""
        ab = [self.waiter("BLMPOP", 0, 2, "a", "b", "LEFT", "COUNT", count) for count in (1, 10)]
        b = self.waiter("BLMPOP", 0, 1, "b", "RIGHT", "COUNT", 2)
        ba = self.waiter("BLMPOP", 0, 2, "b", "a", "LEFT", "COUNT", 10)
        self.control.pipeline([("MULTI",), ("RPUSH", "a", *"12345"), ("RPUSH", "b", *"6789"), ("EXEC",)])
        self.assertEqual([self.reply(client) for client in (*ab, b, ba)],
                         [[b"a", [b"1"]], [b"a", [b"2", b"3", b"4", b"5"]], [b"b", [b"9", b"8"]], [b"b", [b"6", b"7"]]])

    def test_databases_are_apart(self):
        waiter = self.client(SECONDS)
        waiter.call("SELECT", 3)
        waiter.send("BLPOP", "k", 0)
        self.wait_blocked(1)
        self.control.call("RPUSH", "k", "x")
        self.assert_waits(waiter)
        self.control.call("SELECT", 3)
        self.control.call("RPUSH", "k", "y")
        self.assertEqual(self.reply(waiter), [b"k", b"y"])

    def test_whatever_makes_a_list_of_the_key_serves(self):
        ways = [
            [("RPUSH", "other", "x"), ("RENAME", "other", "k")],
            [("RPUSH", "other", "x"), ("RENAMENX", "other", "k")],
            [("RPUSH", "other", "x"), ("COPY", "other", "k"), ("DEL", "other")],
            [("RPUSH", "other", "x"), ("LMOVE", "other", "k", "LEFT", "LEFT")],
            [("RPUSH", "other", "x"), ("RPOPLPUSH", "other", "k")],
            [("SELECT", 1), ("RPUSH", "k", "x"), ("MOVE", "k", 0), ("SELECT", 0)],
            [("SELECT", 1), ("RPUSH", "k", "x"), ("SWAPDB", 0, 1), ("FLUSHDB",), ("SELECT", 0)],
            [("MULTI",), ("SET", "k", "string"), ("DEL", "k"), ("RPUSH", "k", "x"), ("EXEC",)],
            [("RPUSH", "other", "x"), ("SORT", "other", "ALPHA", "STORE", "k"), ("DEL", "other")],
        ]
        for way in ways:
            with self.subTest(way[-1] if way[-1][0] == "RENAME" else way):
                waiter = self.waiter("BLPOP", "k", 0)
                replies = self.control.pipeline(way)
                if any("unknown command" in str(reply) for reply in replies):
                    self.control.pipeline([("RPUSH", "k", "x")])  # not there yet
                self.assertEqual(self.reply(waiter), [b"k", b"x"])
                self.assertEqual(self.control.call("EXISTS", "k"), 0)
                self.control.call("FLUSHALL")

    def test_what_is_no_list_serves_nobody(self):
        waiter = self.waiter("BLPOP", "k", 0)
        self.control.call("SET", "k", "string")
        self.assert_waits(waiter)
        self.control.call("DEL", "k")
        replies = self.control.pipeline([("MULTI",), ("RPUSH", "k", "x"), ("LPOP", "k"), ("EXEC",)])
        self.assertEqual(replies[-1], [1, b"x"])
        self.control.pipeline([("MULTI",), ("RPUSH", "k", "x"), ("DEL", "k"), ("EXEC",)])
        self.control.pipeline([("MULTI",), ("RPUSH", "k", "x"), ("SET", "k", "string"), ("EXEC",)])
        self.assert_waits(waiter)
        self.control.call("FLUSHALL")
        self.assert_waits(waiter)
        self.control.call("RPUSH", "k", "y")
        self.assertEqual(self.reply(waiter), [b"k", b"y"])


class Chains(BlockingTest):
    def test_a_move_serves_the_next_one(self):
        moves = [self.waiter("BLMOVE", "l%d" % i, "l%d" % (i + 1), "RIGHT", "LEFT", 0) for i in range(5)]
        last = self.waiter("BLPOP", "l5", 0)
        self.assertEqual(self.control.pipeline([("RPUSH", "l0", "x"), ("EXISTS", "l0")]), [1, 0])
        self.assertEqual([self.reply(client) for client in moves], [b"x"] * 5)
        self.assertEqual(self.reply(last), [b"l5", b"x"])
        self.assertEqual(self.control.call("DBSIZE"), 0)

    def test_moves_in_a_circle(self):
        there, back = self.waiter("BLMOVE", "a", "b", "LEFT", "LEFT", 0), self.waiter("BRPOPLPUSH", "b", "a", 0)
        self.control.call("RPUSH", "a", "x")
        self.assertEqual([self.reply(there), self.reply(back)], [b"x", b"x"])
        self.assertEqual(self.control.pipeline([("LRANGE", "a", 0, -1), ("EXISTS", "b")]), [[b"x"], 0])

    def test_a_move_onto_itself(self):
        client, other = self.waiter("BRPOPLPUSH", "k", "k", 0), self.waiter("BLPOP", "k", 0)
        self.control.call("RPUSH", "k", "a", "b")
        self.assertEqual(self.reply(client), b"b")
        self.assertEqual(self.reply(other), [b"k", b"b"])
        self.assertEqual(self.control.call("LRANGE", "k", 0, -1), [b"a"])

    def test_a_target_that_is_no_list_is_an_error_and_the_element_goes_to_the_next(self):
        first, second, third = (self.waiter("BLMOVE", "k", "to", "LEFT", "LEFT", 0), self.waiter("BRPOPLPUSH", "k", "to", 0),
                                self.waiter("BLPOP", "k", 0))
        self.control.call("SET", "to", "string")
        self.control.call("RPUSH", "k", "x")
        for client in (first, second):
            self.assertRegex(str(self.reply(client)), "^WRONGTYPE ")
        self.assertEqual(self.reply(third), [b"k", b"x"])
        first.send("BLMOVE", "k", "to", "LEFT", "LEFT", 0)
        self.wait_blocked(1)
        self.control.call("RPUSH", "k", "y")
        self.assertRegex(str(self.reply(first)), "^WRONGTYPE ")
        self.assertEqual(self.control.call("LRANGE", "k", 0, -1), [b"y"])

    def test_a_transaction_serves_once_when_it_is_done(self):
        pop, move = self.waiter("BLPOP", "a", 0), self.waiter("BLMOVE", "b", "a", "LEFT", "LEFT", 0)
        replies = self.control.pipeline([("MULTI",), ("RPUSH", "a", "1", "2"), ("LPOP", "a"), ("RPUSH", "b", "3"), ("LLEN", "b"), ("BLPOP", "none", 0),
                                         ("EXEC",)])
        self.assertEqual(replies[-1], [2, b"1", 1, 1, None])
        self.assertEqual([self.reply(pop), self.reply(move)], [[b"a", b"2"], b"3"])
        self.assertEqual(self.control.call("LRANGE", "a", 0, -1), [b"3"])


class Ends(BlockingTest):
    def test_timeouts(self):
        forever = self.waiter("BLPOP", "k", 0)
        started = time.monotonic()
        clients = []
        for command in (("BLPOP", "k", "0.3"), ("BLMPOP", "0.3", 1, "k", "LEFT"), ("BLMOVE", "k", "l", "LEFT", "LEFT", "0.3"), ("BRPOPLPUSH", "k", "l", "0.3")):
            clients.append(self.client(SECONDS))
            clients[-1].send(*command)
        self.assertEqual([client.read().kind for client in clients], ["*"] * 4)
        self.assertGreaterEqual(time.monotonic() - started, 0.29)
        self.assert_waits(forever)
        self.wait_blocked(1)
        self.control.call("RPUSH", "k", "x")
        self.assertEqual(self.reply(forever), [b"k", b"x"])

    def test_being_woken_in_vain_does_not_put_off_the_end(self):
        started = time.monotonic()
        client = self.waiter("BLPOP", "k", "0.6")
        while time.monotonic() - started < 0.4:
            self.control.pipeline([("MULTI",), ("RPUSH", "k", "x"), ("PEXPIRE", "k", 1), ("DEBUG", "SLEEP", "0.01"), ("EXEC",)])
        self.assertIsNone(self.reply(client))
        self.assertLess(time.monotonic() - started, 5 if SANITIZED else 2)

    def test_client_unblock(self):
        client = self.client(SECONDS)
        number = client.call("CLIENT", "ID")
        for option, expected in (((), None), (("TIMEOUT",), None), (("ERROR",), "UNBLOCKED client unblocked via CLIENT UNBLOCK")):
            client.send("BLPOP", "k", 0)
            self.wait_blocked(1)
            self.assertEqual(self.control.call("CLIENT", "UNBLOCK", number, *option), 1)
            reply = self.reply(client)
            self.assertEqual(str(reply) if isinstance(reply, RespError) else reply, expected)
        self.assertEqual(self.control.call("CLIENT", "UNBLOCK", number), 0)
        self.assertEqual(self.control.call("RPUSH", "k", "x"), 1)
        self.assertEqual(self.control.call("LLEN", "k"), 1)

    def test_after_client_unblock_with_an_error_the_next_command_runs_for_the_first_time(self):
        client = self.client(SECONDS)
        number = client.call("CLIENT", "ID")
        client.send("BLPOP", "k", 0)
        self.wait_blocked(1)
        self.control.call("SWAPDB", 0, 1)  # it looks, and waits on
        self.wait_blocked(1)
        self.control.call("CLIENT", "UNBLOCK", number, "ERROR")
        self.assertIsInstance(self.reply(client), RespError)
        client.send("WAIT", 1, 0)
        self.assert_waits(client)
        self.control.call("CLIENT", "UNBLOCK", number)
        self.assertEqual(self.reply(client), 0)

    def test_client_unblock_of_one_who_wants_no_reply(self):
        self.control.call("CONFIG", "RESETSTAT")
        client = self.client(SECONDS)
        number = client.call("CLIENT", "ID")
        client.send_raw(encode(("CLIENT", "REPLY", "SKIP")) + encode(("BLPOP", "k", "0")))
        self.wait_blocked(1)
        self.control.call("CLIENT", "UNBLOCK", number, "ERROR")
        self.assertEqual(client.call("PING"), "PONG")
        self.assertEqual(self.server.info("errorstats", client=self.control)["errorstat_UNBLOCKED"], "count=1")

    def test_an_element_is_not_for_one_who_has_gone(self):
        for end in ("close", "kill"):
            gone, stays = self.client(SECONDS), None
            number = gone.call("CLIENT", "ID")
            gone.send("BLMOVE", "k", "to", "LEFT", "LEFT", 0)
            self.wait_blocked(1)
            stays = self.waiter("BLPOP", "k", 0)
            if end == "close":
                gone.close()
            else:
                self.control.call("CLIENT", "KILL", "ID", number)
            self.wait_blocked(1)
            self.control.call("RPUSH", "k", "x", "y")
            self.assertEqual(self.reply(stays), [b"k", b"x"])
            self.assertEqual(self.control.call("LRANGE", "k", 0, -1), [b"y"])
            self.assertEqual(self.control.call("EXISTS", "to"), 0)
            self.control.call("DEL", "k")

    def test_one_who_leaves_at_the_moment_of_a_push_takes_one_element_or_none(self):
        for round_number in range(60):
            gone, stays = self.waiter("BLPOP", "k", 0), None
            stays = self.waiter("BLPOP", "k", 0)
            other = self.client(SECONDS)
            other.send("RPUSH", "k", "x", "y")
            gone.close()
            self.assertEqual(self.reply(other), 2)
            self.assertIn(self.reply(stays), ([b"k", b"x"], [b"k", b"y"]))
            self.wait_blocked(0)
            self.assertIn(self.control.call("LRANGE", "k", 0, -1), ([], [b"y"]), "round %d" % round_number)
            self.control.call("DEL", "k")
            other.close()

    def test_the_server_ends_with_clients_that_wait(self):
        clients = [self.waiter("BLPOP", "k", "l", 0) for _ in range(5)]
        self.assertIn(self.server.stop(), (0, None))
        for client in clients:
            with self.assertRaises((Closed, OSError)):
                client.read()


class Stress(BlockingTest):
    """Many producers and consumers: every element comes out exactly once, in the order in which its list had it."""

    def test_nothing_is_lost_or_served_twice(self):
        seed = int(os.environ.get("BASALT_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 31)
        print("BASALT_SEED=%d" % seed, flush=True)
        lists = ["l%d" % i for i in range(4)]
        per_producer, producers, consumers = (150 if SANITIZED else 600), 3, 6
        popped, failures = [[] for _ in range(consumers)], []
        stop = threading.Event()

        def guarded(body):
            def run(*args):
                try:
                    body(*args)
                except Exception as error:  # noqa: BLE001 - told to the test's thread
                    failures.append(error)
            return run

        @guarded
        def produce(number):
            chance, client = random.Random("%d/p%d" % (seed, number)), self.client(SECONDS)
            at = 0
            while at < per_producer:
                count = min(chance.randrange(1, 5), per_producer - at)
                values = ["%d:%d" % (number, at + i) for i in range(count)]
                if chance.random() < 0.3:
                    client.pipeline([("MULTI",)] + [("RPUSH", chance.choice(lists), value) for value in values] + [("EXEC",)])
                else:
                    client.call("RPUSH", chance.choice(lists), *values)
                at += count

        @guarded
        def move():
            """Between the lists, and sometimes the client goes away; what it moved stays."""
            chance = random.Random("%d/m" % seed)
            client = self.client(SECONDS)
            while not stop.is_set():
                client.send("BLMOVE", chance.choice(lists), chance.choice(lists), "LEFT", "RIGHT", "0.01")
                if chance.random() < 0.05:
                    client.close()
                    client = self.client(SECONDS)
                else:
                    client.read()

        @guarded
        def consume(number):
            chance, client = random.Random("%d/c%d" % (seed, number)), self.client(SECONDS)
            idle = 0
            while not stop.is_set() or idle < 3:
                keys = chance.sample(lists, chance.randrange(1, 5))
                if chance.random() < 0.5:
                    reply = client.call("BLMPOP", "0.2", len(keys), *keys, "LEFT", "COUNT", chance.randrange(1, 4))
                    found = reply[1] if reply else []
                else:
                    reply = client.call(chance.choice(("BLPOP", "BRPOP")), *keys, "0.2")
                    found = [reply[1]] if reply else []
                popped[number] += found
                idle = 0 if found else idle + 1

        threads = [threading.Thread(target=produce, args=(i,), daemon=True) for i in range(producers)]
        others = [threading.Thread(target=consume, args=(i,), daemon=True) for i in range(consumers)]
        mover = threading.Thread(target=move, daemon=True)
        for thread in threads + others + [mover]:
            thread.start()
        for thread in threads:
            thread.join(SECONDS * 3)
        stop.set()
        for thread in others + [mover]:
            thread.join(SECONDS * 3)
        self.assertEqual(failures, [])
        left = [element for name in lists for element in self.control.call("LRANGE", name, 0, -1)]
        everything = sorted(left + [element for part in popped for element in part])
        expected = sorted(b"%d:%d" % (number, i) for number in range(producers) for i in range(per_producer))
        self.assertEqual(len(everything), len(expected))
        self.assertEqual(everything, expected)
        self.wait_blocked(0)

    def test_one_list_is_handed_out_in_order(self):
        waiters = [self.client(SECONDS) for _ in range(40)]
        for waiter in waiters:
            before = self.blocked()
            waiter.send("BLPOP", "k", 0)
            self.wait_blocked(before + 1)
        self.control.pipeline([("RPUSH", "k", *[str(i * 4 + j) for j in range(4)]) for i in range(10)])
        self.assertEqual([self.reply(waiter) for waiter in waiters], [[b"k", b"%d" % i] for i in range(40)])


if __name__ == "__main__":
    main()
