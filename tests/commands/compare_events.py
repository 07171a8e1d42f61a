#!/usr/bin/python3
"""Compares the keyspace events of Basalt with those of a real Redis, for every command of command scripts (*.test).

  compare_events.py --basalt build/release/basalt --redis PATH/redis-server [FILE...]      all scripts without FILE

Not a test of ctest: it needs a Redis 7.2.4. What it found is kept in key_events.test.
"""

import argparse
import difflib
import glob
import os
import sys
import time

import run as runner
import script as scripts
from resp import Client
from server import Server, StartError

# Commands of Basalt's own (or of a later Redis) are no errors here, nor are replies that differ: run.py looks at those.
SKIPPED_DIRECTIVES = ("closed", "silent")


class Listener(runner.Run):
    """Runs a script and notes what each step set off: self.heard."""

    def __init__(self, script, address, classes):
        super().__init__(script, address, record=False)
        with Client(address) as client:
            client.call("CONFIG", "SET", "notify-keyspace-events", classes)
        self.listener = Client(address)
        self.listener.send("PSUBSCRIBE", "__key*__:*")
        self.listener.read()
        self.heard = []

    def step(self, step):
        if step.is_directive and step.text[1:].split(" ")[0] in SKIPPED_DIRECTIVES:
            return
        super().step(step)
        if step.text.startswith(("!send ", "!raw ")):
            time.sleep(0.05)  # nobody waits for what they do
        self.heard.append("%d: %s%s" % (step.line_number, "@%s " % step.client if step.client != "main" else "", step.text[:90]))
        self.heard += ["    " + event for event in runner.read_messages(self.listener)]

    def compare(self, step, expected, reply):
        if expected and expected.node is not None:
            scripts.matches(expected, reply, self.captured)  # for what it captures


def listen(path, kind, program, classes):
    script = scripts.Script(path)
    with Server(program, kind, runner.server_options(script)) as server:
        listener = Listener(script, ("127.0.0.1", server.port), classes)
        try:
            listener.run(flush=False)
        except (runner.Failure, scripts.ScriptError) as error:
            listener.heard.append("ended: %s" % str(error).split("\n", maxsplit=1)[0])
    return listener.heard


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--basalt", required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--classes", default="AEnm", help="notify-keyspace-events (default: %(default)s)")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    differences = events = 0
    for path in args.files or sorted(glob.glob(os.path.join(runner.HERE, "*.test"))):
        try:
            redis = listen(path, "redis", args.redis, args.classes)
            basalt = listen(path, "basalt", args.basalt, args.classes)
        except StartError as error:
            print("%s: %s" % (path, error))
            differences += 1
            continue
        events += sum(line.startswith("    ") for line in redis)
        if redis != basalt:
            differences += 1
            print("%s (- Redis, + Basalt)" % path)
            print("\n".join(list(difflib.unified_diff(redis, basalt, lineterm="", n=1))[2:]))
    print("%d events compared, %d files differ" % (events, differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
