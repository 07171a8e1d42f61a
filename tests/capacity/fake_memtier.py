#!/usr/bin/python3
"""Pretends to be memtier_benchmark: the figures of a recorded run, scaled to the load asked for, without sending anything.

FAKE_CAPACITY: operations a second that one process gets at the most (default 10000). FAKE_TROUBLE: none; `errors` writes error
replies to stderr; `lost` says that the connection dropped; `hang` never ends but by a signal. FAKE_TROUBLE_AFTER: only from the
n-th process on, counted in the file FAKE_COUNT.
"""

import json
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = (
    "--json-out-file --print-percentiles --test-time --command --command-key-pattern --key-pattern --random-data "
    "--distinct-client-seed --hide-histogram --rate-limiting --hdr-file-prefix"
)


def option(name, default):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


def trouble():
    kind = os.environ.get("FAKE_TROUBLE", "none")
    if "FAKE_COUNT" in os.environ:
        with open(os.environ["FAKE_COUNT"], "a+") as file:
            file.write(".")
            file.flush()
            if file.tell() < int(os.environ.get("FAKE_TROUBLE_AFTER", "0")):
                return "none"
    return kind


def main():
    if "--version" in sys.argv:
        print("memtier_benchmark 2.1.0")
        return 0
    if "--help" in sys.argv:
        print(OPTIONS)
        return 0
    interrupted = []
    signal.signal(signal.SIGINT, lambda *_: interrupted.append(True))
    kind, seconds = trouble(), float(option("--test-time", "0.2"))
    clients, rate = int(option("-c", "1")), option("--rate-limiting", None)
    capacity = float(os.environ.get("FAKE_CAPACITY", "10000"))
    ops = min(capacity, clients * int(rate)) if rate else capacity
    began = time.monotonic()
    speed = float(os.environ.get("FAKE_SPEED", "10"))  # times faster than the clock
    if kind == "errors":
        for _ in range(30):
            print("server 127.0.0.1:1 handle error response: -MISCONF Errors writing to the disk", file=sys.stderr)
    if kind == "lost":
        print("connection dropped.", file=sys.stderr, flush=True)
    while not interrupted and (kind in ("hang", "lost") or time.monotonic() - began < seconds / speed):
        time.sleep(0.01)
    if interrupted:
        seconds = min(seconds, (time.monotonic() - began) * speed)
    with open(os.path.join(HERE, "recorded", "rate.json.recorded"), encoding="utf-8") as file:
        document = json.load(file)
    stats = document["ALL STATS"]
    scale = ops * seconds / stats["Totals"]["Count"]
    stats["Runtime"]["Total duration"] = int(seconds * 1000) + 1000  # as the real one's often is
    for part in (stats["Sets"], stats["Gets"], stats["Totals"]):
        part["Count"] = int(part["Count"] * scale)
        part["Accumulated Latency"] = int(part["Accumulated Latency"] * scale)
    with open(option("--json-out-file", "/dev/null"), "w", encoding="utf-8") as file:
        json.dump(document, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
