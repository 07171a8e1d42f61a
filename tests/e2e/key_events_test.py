#!/usr/bin/python3
"""Keyspace events that depend on time, threads or the subscriber; of what each command tells there is
tests/commands/key_events.test."""

import collections
import threading
import time

from case import SANITIZED, BasaltTest, main

ON_TIME_SECONDS = 10 if SANITIZED else 2


class KeyEvents(BasaltTest):
    options = {"enable-debug-command": "yes", "notify-keyspace-events": "AEnm"}

    def setUp(self):
        super().setUp()
        self.main = self.client()
        self.listener = self.client()
        self.listener.send("PSUBSCRIBE", "__key*__:*")
        self.listener.read()

    def heard(self):
        """What came so far: "event key"."""
        self.listener.send("PING")
        events = []
        while True:
            reply = self.listener.read().value
            if reply[0].value == b"pong":
                return events
            event = reply[2].value.decode().split("__:")[1]
            events.append("%s %s" % (event, reply[3].value.decode()))

    def wait_for(self, count, seconds=ON_TIME_SECONDS):
        """As many events, or more when there are; they must come by themselves."""
        events, deadline = [], time.monotonic() + seconds
        while len(events) < count and time.monotonic() < deadline:
            time.sleep(0.01)
            events += self.heard()
        return events

    def expire_only_on_access(self):
        self.main.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")

    def test_expired_comes_on_time_and_once(self):
        for i in range(300):
            self.main.call("SET", "k%d" % i, "v", "PX", 200)
        self.heard()
        events = self.wait_for(300)
        time.sleep(0.3)
        self.main.pipeline([("GET", "k%d" % i) for i in range(300)])
        events += [event for event in self.heard() if not event.startswith("keymiss")]
        self.assertEqual(sorted(events), sorted("expired k%d" % i for i in range(300)))

    def test_expired_comes_before_what_the_command_does_with_the_key(self):
        self.expire_only_on_access()
        for key in "abcdefgh":
            self.main.call("SET", key, "v", "PX", 1)
        self.main.call("SET", "stays", "v")
        time.sleep(0.05)
        self.heard()
        for command, events in [
            (("GET", "a"), ["expired a", "keymiss a"]),
            (("GET", "a"), ["keymiss a"]),
            (("SET", "b", "v"), ["expired b", "new b", "set b"]),
            (("MSET", "x", "v", "c", "v"), ["new x", "set x", "expired c", "new c", "set c"]),
            (("RENAME", "stays", "d"), ["expired d", "new d", "rename_from stays", "rename_to d"]),
            (("DEL", "e"), ["expired e"]),
            (("EXISTS", "f", "f"), ["expired f", "keymiss f", "keymiss f"]),
            (("MULTI",), []), (("SET", "y", "v"), []), (("INCR", "g"), []), (("SET", "x", "v"), []),
            (("EXEC",), ["new y", "set y", "expired g", "new g", "incrby g", "set x"]),
        ]:
            self.main.call(*command)
            self.assertEqual(self.heard(), events, command)
        self.main.call("SCAN", "0", "COUNT", "1000")
        self.assertEqual(self.heard(), ["expired h"])

    def test_a_pipeline_is_told_in_its_order(self):
        commands = []
        for i in range(500):
            commands += [("SET", "s%d" % i, "v"), ("RPUSH", "l", i), ("GET", "none")]
        self.main.pipeline(commands)
        wanted = []
        for i in range(500):
            wanted += ["new s%d" % i, "set s%d" % i] + (["new l"] if i == 0 else []) + ["rpush l", "keymiss none"]
        self.assertEqual(self.heard(), wanted)

    def test_clients_at_the_same_keys_are_told_in_the_order_of_their_commits(self):
        # Of each key the events must be those of a list that grows and goes: never a pop of what was not pushed.
        def work(number):
            client = self.client()
            for i in range(300):
                client.pipeline([("RPUSH", "q%d" % (i % 3), number), ("LPOP", "q%d" % (i % 3))])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        length = collections.Counter()
        exists = collections.Counter()
        for event in self.heard():
            name, key = event.split(" ")
            if name == "new":
                self.assertEqual((length[key], exists[key]), (0, 0))
                exists[key] = 1
            elif name == "del":
                self.assertEqual((length[key], exists[key]), (0, 1))
                exists[key] = 0
            else:
                self.assertEqual(exists[key], 1, event)
                length[key] += {"rpush": 1, "lpop": -1}[name]
                self.assertGreaterEqual(length[key], 0)
        self.assertEqual(sum(length.values()), 0)

    def test_fields_of_hashes(self):  # as Redis 7.4
        self.main.call("HSET", "h", "a", 1, "b", 2, "c", 3, "d", 4)
        self.heard()
        for command, events in [
            (("HEXPIRE", "h", 100, "FIELDS", 2, "a", "none"), ["hexpire h"]),
            (("HEXPIRE", "h", 100, "NX", "FIELDS", 1, "a"), []),
            (("HEXPIRE", "none", 100, "FIELDS", 1, "a"), []),
            (("HPERSIST", "h", "FIELDS", 2, "a", "b"), ["hpersist h"]),
            (("HPERSIST", "h", "FIELDS", 1, "b"), []),
            (("HEXPIREAT", "h", 1, "FIELDS", 1, "a"), ["hdel h"]),
            (("HPEXPIRE", "h", 0, "FIELDS", 3, "b", "c", "d"), ["hdel h", "del h"]),
        ]:
            self.main.call(*command)
            self.assertEqual(self.heard(), events, command)

    def test_fields_expire_on_time(self):
        for key in ("small", "large"):
            for i in range(400 if key == "large" else 3):
                self.main.call("HSET", key, "f%d" % i, "v" * 20)
        self.main.call("HPEXPIRE", "small", 100, "FIELDS", 1, "f1")
        self.main.call("HPEXPIRE", "large", 100, "FIELDS", 1, "f1")
        self.heard()
        self.assertEqual(sorted(self.wait_for(2)), ["hexpired large", "hexpired small"])
        self.main.call("HPEXPIRE", "small", 100, "FIELDS", 2, "f0", "f2")
        self.assertEqual(self.heard(), ["hexpire small"])
        self.assertEqual(self.wait_for(2), ["hexpired small", "del small"])
        time.sleep(0.2)
        self.main.call("HLEN", "small")
        self.main.call("HLEN", "large")
        self.assertEqual(self.heard(), ["keymiss small"])

    def test_fields_that_a_command_meets(self):
        self.expire_only_on_access()
        self.main.call("HSET", "h", "a", 1, "b", 2, "c", 3)
        self.main.call("HPEXPIRE", "h", 1, "FIELDS", 1, "a")
        time.sleep(0.05)
        self.heard()
        self.main.call("HGET", "h", "b")
        self.assertEqual(self.heard(), ["hexpired h"])
        self.main.call("HPEXPIRE", "h", 1, "FIELDS", 2, "b", "c")
        time.sleep(0.05)
        self.heard()
        self.assertEqual(self.main.call("HGETALL", "h"), [])
        self.assertEqual(self.heard(), ["hexpired h", "del h"])
        self.main.call("HSET", "h", "a", 1)
        self.main.call("HPEXPIRE", "h", 1, "FIELDS", 1, "a")
        time.sleep(0.05)
        self.heard()
        self.main.call("HINCRBY", "h", "a", 1)
        self.assertEqual(self.heard(), ["hexpired h", "del h", "new h", "hincrby h"])

    def test_a_subscriber_hears_its_own_commands_behind_their_replies(self):
        client = self.client()
        client.call("HELLO", 3)
        client.send("SUBSCRIBE", "__keyevent@0__:set")
        self.assertEqual(client.read().kind, ">")
        client.send_raw(b"SET k v\r\nGET k\r\nSET l v\r\n")
        kinds = [client.read() for _ in range(5)]
        plain = [reply.plain() for reply in kinds]
        message = [b"message", b"__keyevent@0__:set"]
        self.assertEqual(sorted(plain, key=str), sorted(["OK", b"v", "OK", message + [b"k"], message + [b"l"]], key=str))
        self.assertEqual(plain[0], "OK", "the reply comes first")

    def test_nothing_is_told_of_what_is_rolled_back(self):
        self.main.call("SET", "s", "v")
        self.heard()
        replies = self.main.pipeline([("LPUSH", "s", "x"), ("INCR", "s"), ("SUNIONSTORE", "d", "s"), ("SETRANGE", "s", -1, "x"),
                                      ("XADD", "x", "0-0", "f", "v")])
        self.assertEqual([type(reply).__name__ for reply in replies], ["RespError"] * 5)
        self.assertEqual(self.heard(), [])


if __name__ == "__main__":
    main()
