"""redis-benchmark as load generator, where memtier_benchmark is missing. What is lost with it: LOST."""

import csv
import io
import os
import re
import shutil
import subprocess
import time

from . import children
from .errors_seen import ErrorsSeen
from .failure import Failure

LOST = [
    "no offered rates: the knee is the best of the closed-loop points",
    "no mixed load: commands run one after another, each for its share of the time, and the slowest one's percentiles count",
    "no p90 and no p99.9, no distribution, no figures by the second",
    "keys are drawn uniformly, also those that are loaded, so that a third of them stays missing; values are all the same",
]
CALIBRATION = 5000  # requests that tell how many are needed for the time asked


class RedisBenchmark:
    name = "redis-benchmark"
    open_loop = False
    keeps_time = False

    def __init__(self, path=None, threads=1):
        found = path or shutil.which("redis-benchmark")
        if not found or not os.access(found, os.X_OK):
            raise Failure(
                "redis-benchmark is not %s; Debian has it in the package redis-tools"
                % ("at " + path if path else "on PATH")
            )
        self.path = found
        self.threads = threads
        said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
        number = re.search(r"redis-benchmark (\S+)", said)
        self.version = number.group(1) if number else "?"

    def document(self):
        return {"name": self.name, "version": self.version, "path": self.path, "threads": self.threads, "lost": LOST}

    def commands(self, load):
        """[(share, words)] of the load's commands."""
        if load.commands:
            total = sum(command.ratio for command in load.commands)
            return [(command.ratio / total, self.words(command.text, load)) for command in load.commands]
        sets, gets = (int(number) for number in load.set_get.split(":"))
        write = "SETEX __key__ %s __data__" % load.expiry_s.split("-")[1] if load.expiry_s else "SET __key__ __data__"
        return [
            (part / (sets + gets), self.words(text, load))
            for part, text in ((sets, write), (gets, "GET __key__"))
            if part
        ]

    @staticmethod
    def words(text, load):
        value = "x" * load.value_bytes
        return [
            word.replace("__key__", load.prefix + "__rand_int__").replace("__data__", value) for word in text.split()
        ]

    def command(self, load, server, requests, words, password="…"):
        """The command line; without a password, one to show."""
        options = {"-h": server.host, "-p": server.port, "-c": load.clients, "-P": load.pipeline}
        options.update({"-r": load.keys, "-n": requests, "--precision": 3})
        if self.threads > 1:
            options["--threads"] = self.threads
        if server.user:
            options["--user"] = server.user
        if server.password is not None:
            options["-a"] = password
        return [self.path, "--csv"] + [str(word) for pair in options.items() for word in pair] + words

    def once(self, load, server, stop, requests, words, seen, limit):
        line = self.command(load, server, requests, words, server.password)
        complaints = []

        def complain(text):
            text = text.strip()
            if not text or text.startswith("WARN"):
                return
            complaints.append(text)
            found = re.search(r"Error from server: (.*)", text)
            if found:
                seen.reply(found.group(1))
            elif re.search(r"Connection|connect|closed", text):
                seen.lost(text)

        child = children.Child(line, complain)
        complete = children.wait([child], limit, lambda: bool(stop))
        text = child.output.decode(errors="replace")
        for found in re.findall(r"Error from server: (.*)", text):  # some versions tell it on stdout
            seen.reply(found)
        row = parse_csv(text)
        if row is None and not seen and complete:
            raise Failure(
                "redis-benchmark failed (status %s): %s"
                % (child.process.returncode, (complaints or ["it said nothing"])[-1])
            )
        return row

    def run(self, load, server, stop):
        seen, started, cpu, rows, spent = ErrorsSeen(), time.time(), children.cpu_seconds(), [], 0.0
        commands = self.commands(load)
        for share, words in commands:
            requests = load.keys
            if load.seconds is not None:
                first = self.once(load, server, stop, CALIBRATION, words, seen, 60)
                if first is None or stop:
                    break
                requests = max(1000, int(first["rps"] * load.seconds * share))
            began = time.monotonic()
            row = self.once(
                load, server, stop, requests, words, seen, 3600 if load.seconds is None else 10 * load.seconds + 30
            )
            if row is None:
                break
            spent += time.monotonic() - began
            rows.append((requests, words[0].upper(), row))
        measurement = summed(rows)
        measurement["started"], measurement["offered"] = started, None
        measurement["errors"], measurement["interrupted"] = seen.document(), bool(stop)
        measurement["generator_cpu"] = round((children.cpu_seconds() - cpu) / max(spent, 0.1), 3)
        measurement["command"] = "; ".join(self.shown(load, server, words) for _, words in commands)
        return measurement

    def shown(self, load, server, words):
        return " ".join(self.command(load, server, "N", [word if len(word) < 40 else "…" for word in words]))


def parse_csv(text):
    """{"rps", "mean", "p50", "p99", "max"} of the one test in redis-benchmark's CSV; None when there is none.

    Raises Failure for the CSV of a version before 6.2, which has no latencies.
    """
    lines = [line for line in text.splitlines() if line.startswith('"')]
    if lines and not lines[0].startswith('"test"'):
        raise Failure(
            "this redis-benchmark is too old: its CSV has no latencies; version 6.2 or newer is needed (Debian: redis-tools)"
        )
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    if not rows:
        return None
    row = rows[0]
    return {
        "rps": float(row["rps"]),
        "mean": float(row["avg_latency_ms"]),
        "p50": float(row["p50_latency_ms"]),
        "p99": float(row["p99_latency_ms"]),
        "max": float(row["max_latency_ms"]),
    }


def summed(rows):
    """One measurement out of commands that ran one after another: rates as the mix would have them, the worst of the percentiles."""
    count = sum(requests for requests, _, _ in rows)
    seconds = sum(requests / row["rps"] for requests, _, row in rows)
    worst = {name: max((row[name] for _, _, row in rows), default=None) for name in ("p50", "p99", "max")}
    mean = sum(requests * row["mean"] for requests, _, row in rows) / count if count else None
    return {
        "seconds": round(seconds, 3),
        "count": count,
        "ops_per_s": round(count / seconds, 1) if seconds else 0.0,
        "latency_ms": {
            "p50": worst["p50"],
            "p90": None,
            "p99": worst["p99"],
            "p99.9": None,
            "mean": mean,
            "max": worst["max"],
        },
        "distribution": [],
        "hits_per_s": None,
        "misses_per_s": None,
        "by_command": {
            name: {"ops_per_s": row["rps"], "bytes_sent": None, "p50": row["p50"], "p99": row["p99"]}
            for _, name, row in rows
        },
        "per_second": {"t": [], "ops": [], "p50": [], "p99": []},
    }
