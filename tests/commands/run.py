#!/usr/bin/python3
"""Runs command scripts (*.test) over TCP and compares the replies, or records them from a real Redis.

  run.py --basalt build/release/basalt FILE...     start Basalt for each file and compare
  run.py --redis PATH/redis-server FILE...         the same against a real Redis
  run.py --server 127.0.0.1:6379 FILE...           against a running server (FLUSHALL first; no !server lines)
  run.py --record --redis PATH/redis-server FILE   write the replies into the files
"""

import argparse
import difflib
import os
import shlex
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import script as scripts  # noqa: E402
from resp import Client, Closed, Reply, encode  # noqa: E402
from server import Server, StartError  # noqa: E402

READ_SECONDS = 10
CLOSED_SECONDS = 5
MAX_DIFFS = 10
RECORD_VERSION = "7.2"


class Failure(Exception):
    pass


def read_messages(client):
    """The messages that a subscribed client has been sent so far: "channel message". PING's answer stands behind them."""
    client.send("PING")
    messages = []
    while True:
        reply = client.read()
        if reply.value == b"PONG" or reply.value[0].value == b"pong":
            return messages
        messages.append(b" ".join(item.value for item in reply.value[-2:]).decode("latin-1"))


class Run:
    """One file against one server."""

    def __init__(self, script, address, record):
        self.script = script
        self.address = address
        self.record = record
        self.clients = {}
        self.captured = {}
        self.diffs = []
        self.compared = 0
        self.eventually_ms = 0
        self.version = (0, 0)
        self.against_redis = False  # then replies in which Basalt differs on purpose do not count

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = Client(self.address, timeout=READ_SECONDS)
        return self.clients[name]

    def run(self, flush):
        try:
            with Client(self.address, timeout=READ_SECONDS) as client:
                if flush:
                    client.call("FLUSHALL")
                self.version = self.read_version(client)
            for step in self.script.steps():
                try:
                    self.step(step)
                except (scripts.ScriptError, ValueError) as error:
                    raise Failure("%s:%d: %s" % (self.script.path, step.line_number, error)) from None
                except Closed:
                    raise Failure("%s:%d: the server closed the connection of client %s" % (
                        self.script.path, step.line_number, step.client)) from None
                except OSError as error:
                    raise Failure("%s:%d: client %s: %s" % (self.script.path, step.line_number, step.client, error)) from None
            for name, client in self.clients.items():
                if client.pending():
                    raise Failure("%s: client %s has a reply that the script does not read: %s" % (
                        self.script.path, name, " ".join(scripts.render(client.read())[:3])))
        finally:
            for client in self.clients.values():
                client.close()

    @staticmethod
    def read_version(client):
        client.send("INFO", "server")
        reply = client.read()
        if reply.kind == "-":  # a password is set: the file's own business
            return (7, 2)
        for line in reply.value.decode().splitlines():
            if line.startswith("redis_version:"):
                return tuple(int(part) for part in line.split(":")[1].split(".")[:2])
        raise Failure("INFO server does not tell a redis_version")

    def step(self, step):
        if step.is_directive:
            name, _, rest = step.text[1:].partition(" ")
            handler = getattr(self, "do_" + name, None)
            if handler is None:
                raise scripts.ScriptError("unknown directive !%s" % name)
            if step.reply_lines and name not in ("read", "messages"):
                raise scripts.ScriptError("!%s has no reply" % name)
            handler(step, rest)
            return
        words = scripts.expand(scripts.split_words(step.text), self.captured)
        client = self.client(step.client)
        expected = scripts.parse_expected(step.reply_lines)
        if self.too_old(expected):
            return
        wait_ms, self.eventually_ms = self.eventually_ms, 0
        deadline = time.monotonic() + wait_ms / 1000
        while True:
            client.send_raw(encode(words))
            reply = client.read()
            if wait_ms == 0 or time.monotonic() >= deadline:
                break
            if expected and expected.node is not None and scripts.matches(expected, reply, {}):
                break
            time.sleep(0.02)
        self.compare(step, expected, reply)

    def too_old(self, expected):
        for flag in expected.flags if expected else []:
            if flag.startswith("since ") and self.version < tuple(int(p) for p in flag[6:].split(".")):
                return True
        return False

    def compare(self, step, expected, reply):
        self.compared += 1
        if self.record:
            self.take(step, expected, reply)
            return
        if expected is None or expected.node is None:
            raise scripts.ScriptError("no reply is recorded for: %s (see tests/commands/README.md)" % step.text)
        if self.against_redis and any(flag.startswith("differs") for flag in expected.flags):
            return
        if not scripts.matches(expected, reply, self.captured):
            self.report(step, expected, reply)

    def report(self, step, expected, reply):
        lines = ["%s:%d: %s%s" % (self.script.path, step.line_number, "@%s " % step.client if step.client != "main" else "",
                                  step.text)]
        diff = difflib.unified_diff(scripts.render_expected(expected), scripts.align(expected, reply), lineterm="", n=2)
        lines += ["    " + line for line in list(diff)[2:] if not line.startswith("@@")]
        self.diffs.append("\n".join(lines))

    def take(self, step, expected, reply):
        if expected and any(flag.startswith("differs") for flag in expected.flags):
            if expected.node is None:
                raise scripts.ScriptError("a reply with <differs: …> is written by hand; it is missing")
            return
        if expected and expected.node is not None and expected.has_matchers():
            if not scripts.matches(expected, reply, self.captured):
                self.report(step, expected, reply)
            return
        flags = ["  <%s>" % flag for flag in (expected.flags if expected else [])]
        lines = scripts.render(scripts.sorted_for_recording(expected, reply), "  ")
        step.reply_lines = [(step.line_number, line) for line in flags + lines]

    # ---- directives ----
    def do_server(self, step, rest):
        """Read before the server is started."""

    def do_since(self, step, rest):
        """Read before the server is started."""

    def do_resp(self, step, rest):
        client = self.client(step.client)
        client.send("HELLO", rest)
        reply = client.read()
        if reply.kind == "-":
            raise scripts.ScriptError("HELLO %s: %s" % (rest, reply.value.decode()))

    def do_sleep(self, step, rest):
        time.sleep(int(rest) / 1000)

    def do_send(self, step, rest):
        self.client(step.client).send_raw(encode(scripts.expand(scripts.split_words(rest), self.captured)))

    def do_raw(self, step, rest):
        self.client(step.client).send_raw(b"".join(scripts.expand(scripts.split_words(rest), self.captured)))

    def do_read(self, step, rest):
        expected = scripts.parse_expected(step.reply_lines)
        self.compare(step, expected, self.client(step.client).read())

    def do_messages(self, step, rest):
        messages = [Reply("$", message.encode("latin-1")) for message in read_messages(self.client(step.client))]
        self.compare(step, scripts.parse_expected(step.reply_lines), Reply("*", messages))

    def do_silent(self, step, rest):
        client = self.client(step.client)
        if client.pending(int(rest or "100") / 1000):
            raise scripts.ScriptError("client %s should get nothing, but got: %s" % (
                step.client, " ".join(scripts.render(client.read())[:5])))

    def do_close(self, step, rest):
        self.client(step.client).close()
        del self.clients[step.client]

    def do_closed(self, step, rest):
        client = self.client(step.client)
        if client.pending(0.001):
            try:
                got = " ".join(scripts.render(client.read())[:5])
            except Closed:
                got = None
            if got:
                raise scripts.ScriptError("the connection should end here, but a reply came: %s" % got)
        elif not client.wait_closed(CLOSED_SECONDS):
            raise scripts.ScriptError("the server did not close the connection within %d s" % CLOSED_SECONDS)
        del self.clients[step.client]

    def do_fill(self, step, rest):
        count, _, command = rest.partition(" ")
        client = self.client(step.client)
        batch = []
        for index in range(int(count)):
            line = command.replace("{i}", str(index))
            batch.append(scripts.expand(scripts.split_words(line), self.captured))
        for start in range(0, len(batch), 1000):
            part = batch[start : start + 1000]
            client.send_raw(b"".join(encode(words) for words in part))
            for _ in part:
                reply = client.read()
                if reply.kind == "-":
                    raise scripts.ScriptError("!fill: %s" % reply.value.decode())

    def do_eventually(self, step, rest):
        self.eventually_ms = int(rest)


def header(script, name):
    return [step.text[len(name) + 1 :].strip() for step in script.steps() if step.text.split(" ")[0] == "!" + name]


def server_options(script):
    """Options of the !server lines: --name value pairs."""
    options = {}
    for line in header(script, "server"):
        words = shlex.split(line)
        if len(words) % 2 or any(not word.startswith("--") for word in words[::2]):
            raise Failure("%s: !server takes --name value pairs: %s" % (script.path, line))
        options.update({name[2:]: value for name, value in zip(words[::2], words[1::2])})
    return options


def run_file(path, args):
    """Number of replies compared, list of differences."""
    script = scripts.Script(path)
    options = server_options(script)
    if args.server:
        if options:
            raise Failure("%s: has a !server line; give --basalt or --redis instead of --server" % path)
        host, _, port = args.server.rpartition(":")
        run = Run(script, (host or "127.0.0.1", int(port)), args.record)
        run.run(flush=True)
    else:
        with Server(args.redis or args.basalt, "redis" if args.redis else "basalt", options) as server:
            run = Run(script, ("127.0.0.1", server.port), args.record)
            run.against_redis = bool(args.redis)
            try:
                since = header(script, "since")
                if since:
                    with Client(run.address) as client:
                        if Run.read_version(client) < tuple(int(p) for p in since[0].split(".")):
                            return 0, []
                run.run(flush=False)
            except Failure as error:
                if server.process.poll() is not None:
                    raise Failure("%s\nthe server ended with status %s:\n%s" % (
                        error, server.process.returncode, server.output()[-4000:])) from None
                raise
    if args.record:
        if run.version != tuple(int(p) for p in RECORD_VERSION.split(".")) and not args.any_version:
            raise Failure("replies are recorded from Redis %s, this server says %s" % (
                RECORD_VERSION, ".".join(map(str, run.version))))
        script.write()
    return run.compared, run.diffs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--basalt", help="path of the basalt program")
    which.add_argument("--redis", help="path of a redis-server program")
    which.add_argument("--server", help="HOST:PORT of a running server")
    parser.add_argument("--record", action="store_true", help="write the replies into the files")
    parser.add_argument("--any-version", action="store_true", help="record from a server that is not Redis %s" % RECORD_VERSION)
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()

    total, failed = 0, 0
    for path in args.files:
        try:
            compared, diffs = run_file(path, args)
        except (Failure, StartError, scripts.ScriptError, OSError) as error:
            print("FAILED %s\n%s" % (path, error))
            failed += 1
            continue
        total += compared
        if diffs:
            failed += 1
            print("FAILED %s: %d of %d replies differ (- expected, + got)" % (path, len(diffs), compared))
            print("\n".join(diffs[:MAX_DIFFS]))
            if len(diffs) > MAX_DIFFS:
                print("... and %d more" % (len(diffs) - MAX_DIFFS))
    print("%d replies %s in %d files, %d files failed" % (
        total, "recorded" if args.record else "compared", len(args.files), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
