#!/usr/bin/python3
"""Publish and subscribe as clients see it: nothing precedes a confirmation or follows the last one, the order of each
publisher, slow subscribers, many of them, and an ordinary client library. The same runs against a real Redis:
BASALT_ORACLE=/path/to/redis-server."""

import random
import threading
import time

from case import ORACLE, SANITIZED, OracleTest, main, unittest
from resp import Closed, encode

SECONDS = 60 if SANITIZED else 20
ROUNDS = 30 if SANITIZED else 150


class PubSubTest(OracleTest):
    options = {}

    def setUp(self):
        super().setUp()
        self.failures = []
        self.stopping = threading.Event()

    def subscriber(self, *channels, resp=2, command="SUBSCRIBE"):
        client = self.client(SECONDS)
        if resp == 3:
            client.call("HELLO", 3)
        client.send(command, *channels)
        for _ in channels:
            client.read()
        return client

    def in_thread(self, function, *args):
        def run():
            try:
                function(*args)
            except Exception as error:  # shown by join()
                self.failures.append("%s: %r" % (function.__name__, error))
                self.stopping.set()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def join(self, threads):
        for thread in threads:
            thread.join(6 * SECONDS)
            self.assertFalse(thread.is_alive())
        self.assertEqual(self.failures, [])

    def eventually(self, look, message):
        deadline = time.monotonic() + SECONDS
        while not look():
            self.assertLess(time.monotonic(), deadline, message)
            time.sleep(0.01)

    def publish_numbers(self, name, channels):
        """Numbered messages, each to one of the channels, in pipelines and transactions, until told to stop."""
        random_ = random.Random(name)
        number = 0
        with self.server.client(SECONDS) as client:
            while not self.stopping.is_set():
                commands = []
                in_exec = random_.random() < 0.3
                for _ in range(random_.randrange(1, 12)):
                    commands.append(("PUBLISH", random_.choice(channels), "%s %d" % (name, number)))
                    number += 1
                    if random_.random() < 0.3:
                        commands.append(("SET", "key:%d" % random_.randrange(5), number))
                if in_exec:
                    commands = [("MULTI",)] + commands + [("EXEC",)]
                client.pipeline(commands)


def text(reply):
    """A message or confirmation as words."""
    return [item.value.decode() if item.value is not None else None for item in reply.value]


class Order(PubSubTest):
    def test_publishers_that_listen_get_the_order_of_everybody(self):
        publishers = [self.subscriber("c", resp=3) for _ in range(3)]
        listener = self.subscriber("c")
        pipeline, rounds = 10, 2 * ROUNDS
        total = len(publishers) * pipeline * rounds
        received = [[] for _ in publishers]

        def publish(number):
            client, mine = publishers[number], received[number]
            for round_ in range(rounds):
                client.send_raw(b"".join(encode(("PUBLISH", "c", "%d %d" % (number, pipeline * round_ + i))) for i in range(pipeline)))
                replies = 0
                while replies < pipeline:
                    reply = client.read()
                    if reply.kind == ":":
                        replies += 1
                    else:
                        mine.append(text(reply)[2])
            while len(mine) < total:
                mine.append(text(client.read())[2])

        threads = [self.in_thread(publish, number) for number in range(len(publishers))]
        order = [text(listener.read())[2] for _ in range(total)]
        self.join(threads)
        for mine in received:
            self.assertEqual(mine, order)

    def come_and_go(self, seed, resp):
        """Subscribes and unsubscribes all the time. What arrives for a channel must lie between its confirmations, and
        each publisher's numbers must ascend."""
        random_ = random.Random(seed)
        channels = ["a", "b", "c"]
        with self.server.client(SECONDS) as client:
            if resp == 3:
                client.call("HELLO", 3)
            subscribed, last, messages = set(), {}, 0
            for round_ in range(ROUNDS):
                commands = []
                for _ in range(random_.randrange(1, 5)):
                    commands.append((random_.choice(["SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE"]), random_.choice(channels)))
                if random_.random() < 0.2:
                    commands.append(("SUBSCRIBE",) + tuple(channels))
                if random_.random() < 0.2:  # confirmations inside of EXEC's reply
                    commands = [("MULTI",)] + [c for c in commands if c[0] == "SUBSCRIBE"] + [("EXEC",)]
                    if subscribed and resp == 2:
                        commands = []
                commands.append(("PING", "end %d" % round_))
                client.send_raw(b"".join(encode(command) for command in commands))
                end = "end %d" % round_
                while True:
                    reply = client.read()
                    if reply.kind == "$" and reply.value.decode() == end:
                        break
                    if reply.kind in "+:":
                        continue
                    if reply.kind == "*" and (not reply.value or reply.value[0].kind in "*>"):  # of EXEC
                        items = reply.value
                    elif text(reply)[0] == "pong":  # a subscriber's PING on RESP2
                        if text(reply)[1] == end:
                            break
                        continue
                    else:
                        items = [reply]
                    for item in items:
                        words = text(item)
                        if words[0] == "subscribe":
                            subscribed.add(words[1])
                        elif words[0] == "unsubscribe":
                            subscribed.discard(words[1])
                        else:
                            assert words[0] == "message", words
                            assert words[1] in subscribed, "%r while subscribed to %r" % (words, subscribed)
                            publisher, number = words[2].split()
                            assert int(number) > last.get(publisher, -1), "%r after %d" % (words, last[publisher])
                            last[publisher] = int(number)
                            messages += 1
                if random_.random() < 0.1:
                    client.send("RESET")
                    while client.read().kind != "+":
                        pass
                    assert not client.pending(0.01), "after RESET: %r" % text(client.read())
                    subscribed.clear()
                    if resp == 3:
                        client.call("HELLO", 3)
            return messages


    def test_messages_lie_between_the_confirmations(self):
        publishers = [self.in_thread(self.publish_numbers, "p%d" % i, ["a", "b", "c"]) for i in range(3)]
        comers = [self.in_thread(self.come_and_go, seed, 2 + seed % 2) for seed in range(4)]
        self.join(comers)
        self.stopping.set()
        self.join(publishers)

    def test_no_message_of_a_publisher_is_lost_or_swapped(self):
        """Across pipelines and transactions, to RESP2 and RESP3, channel and pattern."""
        subscribers = [self.subscriber("a", "b", resp=2), self.subscriber("a", "b", resp=3),
                       self.subscriber("?", resp=2, command="PSUBSCRIBE")]
        publishers = [self.in_thread(self.publish_numbers, "p%d" % i, ["a", "b"]) for i in range(3)]

        def listen(client):
            next_ = {"p0": 0, "p1": 0, "p2": 0}
            while min(next_.values()) < 20 * ROUNDS:
                publisher, number = text(client.read())[-1].split()
                assert int(number) == next_[publisher], "%s %s instead of %d" % (publisher, number, next_[publisher])
                next_[publisher] += 1

        listeners = [self.in_thread(listen, client) for client in subscribers]
        self.join(listeners)
        self.stopping.set()
        self.join(publishers)

    def test_all_subscribers_see_one_order(self):
        """The messages of all publishers, in one order for everybody."""
        subscribers = [self.subscriber("a", "b", resp=2 + i % 2) for i in range(4)]
        publishers = [self.in_thread(self.publish_numbers, "p%d" % i, ["a", "b"]) for i in range(2)]
        seen = [[] for _ in subscribers]

        def listen(client, into):
            while len(into) < 20 * ROUNDS:
                into.append(text(client.read())[-1])

        self.join([self.in_thread(listen, client, into) for client, into in zip(subscribers, seen)])
        self.stopping.set()
        self.join(publishers)
        for other in seen[1:]:
            self.assertEqual(other, seen[0])

    def test_hello_changes_the_form_behind_its_reply(self):
        publisher = self.in_thread(self.publish_numbers, "p", ["a"])
        client = self.subscriber("a", resp=3)
        resp, messages = 3, 0
        for round_ in range(ROUNDS):
            resp = 5 - resp
            if resp == 3:  # RESP2's subscribers may not say HELLO
                client.send("RESET")
                while client.read().kind == "*":
                    pass
                client.send_raw(encode(("HELLO", 3)) + encode(("SUBSCRIBE", "a")))
                self.assertEqual(client.read().kind, "%")
                self.assertEqual(text(client.read())[0], "subscribe")
            else:
                client.send("HELLO", 2)
                while True:
                    reply = client.read()
                    if reply.kind != ">":
                        break
                    messages += 1
                self.assertEqual(reply.kind, "*")
                self.assertEqual(reply.value[0].value, b"server", "a message in the new form before the reply")
            for _ in range(3):
                self.assertEqual(client.read().kind, ">" if resp == 3 else "*")
        self.stopping.set()
        self.join([publisher])
        self.assertGreater(messages, 0)

    def test_nothing_is_heard_of_what_is_not_committed(self):
        client = self.subscriber("a")
        for end in (("DISCARD",), ("NOSUCH",), ("SET", "x")):
            self.control.pipeline([("MULTI",), ("PUBLISH", "a", "never"), end] + ([] if end[0] == "DISCARD" else [("EXEC",)]))
        self.control.call("WATCH", "k")
        self.client().call("SET", "k", "other")
        self.assertEqual(self.control.pipeline([("MULTI",), ("PUBLISH", "a", "never"), ("EXEC",)])[-1], None)
        self.control.call("PUBLISH", "a", "now")
        self.assertEqual(text(client.read()), ["message", "a", "now"])


class Limits(PubSubTest):
    def flood(self, channel, enough, bytes_=20_000):
        message = "x" * bytes_
        deadline = time.monotonic() + SECONDS
        sent = 0
        while not enough():
            self.assertLess(time.monotonic(), deadline)
            self.control.call("PUBLISH", channel, message)
            sent += 1
        return sent

    def receivers(self, channel):
        return self.control.call("PUBSUB", "NUMSUB", channel)[1]

    def test_the_hard_limit_cuts_off_whoever_does_not_read(self):
        self.control.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 200000 0 0")
        slow, quick = self.subscriber("c"), self.subscriber("c")
        got = []

        def listen():
            while not got or got[-1][-1] != "end":
                got.append(text(quick.read()))

        listener = self.in_thread(listen)
        before = self.server.rss_bytes()
        sent = self.flood("c", lambda: self.receivers("c") == 1)
        for _ in range(500):
            self.control.call("PUBLISH", "c", "x" * 20_000)
        self.control.call("PUBLISH", "c", "end")
        self.join([listener])
        self.assertEqual(len(got), sent + 501, "the quick one got all")
        self.assertTrue(slow.wait_closed(SECONDS))
        if not SANITIZED:
            self.assertLess(self.server.rss_bytes() - before, 30_000_000)
        if not ORACLE:
            self.assertEqual(int(self.server.info("stats")["client_output_buffer_limit_disconnections"]), 1)

    def test_the_soft_limit_waits(self):
        self.control.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 100000 1")
        slow = self.subscriber("c")
        # As much as the socket takes, and some more.
        self.flood("c", lambda: self.pending_output() > 300_000)
        self.assertEqual(self.receivers("c"), 1, "not yet")
        self.eventually(lambda: self.receivers("c") == 0, "the soft limit did not end the client")
        self.assertTrue(slow.wait_closed(SECONDS))

    def pending_output(self):
        line = self.control.call("CLIENT", "LIST", "TYPE", "pubsub").decode()
        return int(line.split("omem=")[1].split()[0]) if line else 1 << 30

    def test_a_new_limit_holds_for_those_who_are_subscribed(self):
        slow = self.subscriber("c")
        self.flood("c", lambda: self.pending_output() > 2_000_000)
        self.assertEqual(self.receivers("c"), 1)
        self.control.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1000000 0 0")
        self.control.call("PUBLISH", "c", "one more")
        self.eventually(lambda: self.receivers("c") == 0, "the new limit is not applied")
        self.assertTrue(slow.wait_closed(SECONDS))

    def test_the_class_begins_with_the_first_subscription_and_ends_with_the_last(self):
        self.control.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 100000 0 0")
        client = self.client()
        client.call("HELLO", 3)
        self.control.call("SET", "large", "x" * 1_000_000)
        client.call("SUBSCRIBE", "c")
        client.call("UNSUBSCRIBE", "c")
        self.assertEqual(len(client.call("GET", "large")), 1_000_000, "the normal class has no limit")
        client.call("SUBSCRIBE", "c")
        client.send("GET", "large")
        self.assertTrue(client.wait_closed(SECONDS))

    def test_idle_subscribers_stay(self):
        subscriber, other = self.subscriber("c"), self.client()
        other.call("PING")
        self.control.call("CONFIG", "SET", "timeout", "1")
        self.assertTrue(other.wait_closed(SECONDS))
        self.control = self.client()
        self.assertEqual(self.control.call("PUBLISH", "c", "x"), 1)
        self.assertEqual(text(subscriber.read()), ["message", "c", "x"])


class Many(PubSubTest):
    options = {"maxclients": "3000"}

    def test_a_thousand_subscribers(self):
        clients = [self.subscriber("all", resp=2 + i % 2) for i in range(1000)]
        for i in range(5):
            self.assertEqual(self.control.call("PUBLISH", "all", "message %d" % i), 1000)
        for client in clients:
            for i in range(5):
                self.assertEqual(text(client.read()), ["message", "all", "message %d" % i])
        self.assertEqual(self.control.call("CLIENT", "KILL", "TYPE", "pubsub"), 1000)
        self.assertEqual(self.control.call("PUBLISH", "all", "nobody"), 0, "they are hidden at once")
        self.assertEqual(self.control.call("PUBSUB", "CHANNELS"), [])
        for client in clients:
            self.assertTrue(client.wait_closed(SECONDS))

    def test_one_client_with_many_channels(self):
        client = self.client(SECONDS)
        names = ["channel:%d" % i for i in range(20_000)]
        client.send("SUBSCRIBE", *names)
        for i in range(len(names)):
            self.assertEqual(text(client.read()), ["subscribe", names[i], str(i + 1)])
        self.assertEqual(len(self.control.call("PUBSUB", "CHANNELS", "channel:1*")), 11_111)
        self.assertEqual(self.control.call("PUBLISH", names[777], "x"), 1)
        self.assertEqual(text(client.read())[1], names[777])
        client.send("UNSUBSCRIBE")
        left = {text(client.read())[1] for _ in names}
        self.assertEqual(left, set(names))
        client.send("SUBSCRIBE", *names)
        client.close()
        self.eventually(lambda: self.control.call("PUBSUB", "CHANNELS") == [], "the registry keeps a client that is gone")

    def test_subscribers_come_and_go_while_they_are_killed(self):
        """Nothing is left of anybody, and no one who stays misses a message."""
        stays = self.subscriber("a", "b", "c")
        publishers = [self.in_thread(self.publish_numbers, "p%d" % i, ["a", "b", "c"]) for i in range(2)]

        def come_and_go(seed):
            random_ = random.Random(seed)
            for _ in range(ROUNDS):
                try:
                    with self.server.client(SECONDS) as client:
                        if random_.random() < 0.5:
                            client.call("HELLO", 3)
                        client.call("CLIENT", "SETNAME", "goes")
                        for _ in range(random_.randrange(1, 6)):
                            client.send(random_.choice(["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE"]),
                                        random_.choice("abc"))
                            client.read()
                        if random_.random() < 0.2:
                            client.send("RESET")
                except (Closed, OSError):  # killed
                    pass

        def kill():
            with self.server.client(SECONDS) as client:
                while not self.stopping.is_set():
                    for line in client.call("CLIENT", "LIST").decode().splitlines():
                        if "name=goes" in line and random.random() < 0.3:
                            client.call("CLIENT", "KILL", "ID", line.split()[0].split("=")[1])

        def listen():
            next_ = {}
            while True:
                if not stays.pending(0.2):
                    if self.stopping.is_set():
                        return
                    continue
                publisher, number = text(stays.read())[2].split()
                assert int(number) == next_.get(publisher, 0)
                next_[publisher] = int(number) + 1

        others = publishers + [self.in_thread(kill), self.in_thread(listen)]
        self.join([self.in_thread(come_and_go, seed) for seed in range(4)])
        self.stopping.set()
        self.join(others)
        self.eventually(lambda: sorted(self.control.call("PUBSUB", "CHANNELS")) == [b"a", b"b", b"c"], "channels are left")
        self.eventually(lambda: self.control.call("PUBSUB", "NUMPAT") == 0, "patterns are left")
        self.assertEqual(self.control.call("PUBSUB", "SHARDCHANNELS"), [])
        self.assertEqual(self.control.call("PUBSUB", "NUMSUB", "a", "b", "c")[1::2], [1, 1, 1])


class Library(PubSubTest):
    """Debian's python3-redis."""

    def test_redis_py(self):
        import redis

        for protocol in (2,):  # its 4.x speaks RESP2
            connection = redis.Redis(port=self.server.port)
            listener = connection.pubsub()
            listener.subscribe("news")
            listener.psubscribe(**{"news.*": lambda message: handled.append(message["data"])})
            handled, got = [], []
            for i in range(100):
                self.assertEqual(connection.publish("news", i), 1)
                self.assertEqual(connection.publish("news.sport", i), 1)
            deadline = time.monotonic() + SECONDS
            while (len(handled) < 100 or len(got) < 100) and time.monotonic() < deadline:
                message = listener.get_message(timeout=1)
                if message and message["type"] == "message":
                    got.append(message["data"])
            self.assertEqual(got, [b"%d" % i for i in range(100)])
            self.assertEqual(handled, got)
            self.assertEqual(connection.pubsub_numsub("news"), [(b"news", 1)])
            self.assertEqual(connection.pubsub_numpat(), 1)
            self.assertTrue(listener.ping() is None)
            listener.unsubscribe()
            listener.punsubscribe()
            listener.close()
            connection.close()


if __name__ == "__main__":
    main()
