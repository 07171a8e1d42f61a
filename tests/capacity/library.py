"""What these tests share: the tool's package on the path, and the recorded files."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RECORDED = os.path.join(HERE, "recorded")
TOOL = os.path.join(ROOT, "tools", "capacity")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tools"))


def recorded(name):
    with open(os.path.join(RECORDED, name), encoding="utf-8") as file:
        return file.read()


def recorded_run():
    """The results of a real run (recorded/README.md says which); a fresh document each time."""
    return json.loads(recorded("results.json"))


def measurement(ops=1000.0, p50=1.0, p99=2.0, replies=0, lost=0, interrupted=False, offered=None, **more):
    """A measurement as runner.py keeps them."""
    return {
        "started": 1000.0,
        "seconds": 5.0,
        "count": int(5 * ops),
        "ops_per_s": ops,
        "offered": offered,
        "latency_ms": {"p50": p50, "p90": p50, "p99": p99, "p99.9": p99, "mean": p50, "max": p99},
        "distribution": [[50, p50], [100, p99]],
        "hits_per_s": None,
        "misses_per_s": None,
        "by_command": {},
        "errors": {"replies": replies, "lost_connections": lost, "texts": {}},
        "interrupted": interrupted,
        "generator_cpu": 0.5,
        "command": "memtier_benchmark",
        "server": None,
        **more,
    }


def part(points=(), knee=None, **more):
    """A server's part of a stage."""
    return {
        "failure": None,
        "preload": None,
        "points": list(points),
        "knee": knee,
        "sustained": None,
        "limit": None,
        "samples": {"t": []},
        **more,
    }


def point(*repeats, phase="sweep", clients=50, pipeline=1, asked_rate=None):
    return {
        "phase": phase,
        "clients": clients,
        "pipeline": pipeline,
        "asked_rate": asked_rate,
        "repeats": list(repeats),
    }
