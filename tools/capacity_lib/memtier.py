"""memtier_benchmark as load generator: its command line, its complaints, its JSON."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace

from . import children
from .errors_seen import ErrorsSeen
from .failure import Failure
from .histogram import Histogram

HOW_TO_GET = (
    "get it with `git clone https://github.com/redis/memtier_benchmark && cd memtier_benchmark && autoreconf -ivf && ./configure "
    "&& make`, then give --memtier PATH, or use --with redis-benchmark (no rates, no mixed load, no p99.9)"
)
REQUIRED = (
    "--json-out-file",
    "--print-percentiles",
    "--test-time",
    "--command",
    "--command-key-pattern",
    "--key-pattern",
    "--random-data",
    "--distinct-client-seed",
    "--hide-histogram",
)
PERCENTILES = "50,90,95,99,99.9"
# An open loop needs requests at even times, but memtier sends each connection's share in bursts every 20 ms, all connections at
# once. So several processes, each started a part of that period after the one before it, drive a rate.
STAGGERED, PERIOD_S = 8, 0.02
REPLIES_MAX = 20_000  # error replies after which a step ends early
GRACE_S = 20  # how much longer than asked a step may take


class Memtier:
    name = "memtier_benchmark"
    keeps_time = True  # a step lasts as long as asked

    def __init__(self, path, threads=1):
        """Raises Failure when there is no usable memtier_benchmark."""
        self.path = find(path)
        self.threads = threads
        self.version, options = ask(self.path)
        missing = [option for option in REQUIRED if option not in options]
        if missing:
            raise Failure(
                "%s is too old: version %s has no %s; version 2.0 or newer is needed: %s"
                % (self.path, self.version, ", ".join(missing), HOW_TO_GET)
            )
        # Rates are driven by several processes, whose latencies can only be added up as histograms (2.0).
        self.open_loop = "--rate-limiting" in options and "--hdr-file-prefix" in options

    def document(self):
        lost = [] if self.open_loop else ["no --rate-limiting: the knee is the best of the closed-loop points"]
        return {"name": self.name, "version": self.version, "path": self.path, "threads": self.threads, "lost": lost}

    def command(self, load, server, json_path):
        """The command line of one process, and how many requests a second it is really asked for (None: as many as it can)."""
        threads = min(self.threads, load.clients) if load.rate is None else 1
        clients = max(1, load.clients // threads)
        words = [
            self.path,
            "-s",
            server.host,
            "-p",
            str(server.port),
            "-t",
            str(threads),
            "-c",
            str(clients),
            "-d",
            str(load.value_bytes),
            "--random-data",
            "--distinct-client-seed",
            "--randomize",
            "--key-prefix",
            load.prefix,
            "--key-minimum",
            "1",
            "--key-maximum",
            str(load.keys),
        ]
        if server.password is not None:
            words += ["-a", "%s:%s" % (server.user, server.password) if server.user else server.password]
        words += ["-n", "allkeys"] if load.seconds is None else ["--test-time", str(max(1, round(load.seconds)))]
        if load.commands:
            for command in load.commands:
                words += [
                    "--command",
                    command.text,
                    "--command-ratio",
                    str(command.ratio),
                    "--command-key-pattern",
                    "P" if load.seconds is None else command.keys,
                ]
        else:
            words += ["--ratio", load.set_get, "--key-pattern", load.key_pattern]
        if load.expiry_s and not load.commands:
            words += ["--expiry-range", load.expiry_s]
        rate, pipeline = None, load.pipeline
        if load.rate is not None:
            each, rate_each, burst = connection_rate(load.rate / load.clients)
            words += ["--rate-limiting", str(each)]
            rate = rate_each * clients
            pipeline = burst * round(1 / PERIOD_S)  # a second's worth may be under way before a request is held back
        words += [
            "--pipeline",
            str(pipeline),
            "--hide-histogram",
            "--print-percentiles",
            PERCENTILES,
            "--json-out-file",
            json_path,
        ]
        return words, rate

    def run(self, load, server, stop):
        """One step: the client's side of a measurement (results.schema.json, `measurement`). Raises Failure when there is none."""
        processes = min(STAGGERED, load.clients) if load.rate is not None else 1
        errors = [Complaints() for _ in range(processes)]
        shares = [load.clients // processes + (i < load.clients % processes) for i in range(processes)]
        with tempfile.TemporaryDirectory(prefix="capacity.") as folder:
            started_unix, cpu, offered, running, commands = time.time(), children.cpu_seconds(), 0, [], []
            for i, clients in enumerate(shares):
                part = load if processes == 1 else _part(load, clients)
                path = os.path.join(folder, "%d.json" % i)
                words, rate = self.command(part, server, path)
                offered += rate or 0
                running.append(children.Child(words, errors[i].line))
                commands.append((words, path))
                if i + 1 < processes:
                    time.sleep(PERIOD_S / processes)
            limit = 3600 if load.seconds is None else load.seconds + GRACE_S
            complete = children.wait(running, limit, lambda: bool(stop) or any(seen.enough() for seen in errors))
            cpu = children.cpu_seconds() - cpu
            parts = []
            for (words, path), child, seen in zip(commands, running, errors):
                if seen.refused:
                    raise Failure("%s: %s" % (server.name, seen.refused))
                part = read_json(path)
                if part is None and not stop and not any(other.seen for other in errors):
                    raise Failure(
                        "memtier_benchmark failed (status %s): %s"
                        % (child.process.returncode, seen.last or "it said nothing")
                    )
                parts.append(part)
        measurement = merge([part for part in parts if part])
        seen = ErrorsSeen()
        for one in errors:
            seen.add(one.seen)
        measurement.update(
            {
                "started": started_unix,
                "offered": round(offered, 1) if load.rate is not None else None,
                "errors": seen.document(),
                "interrupted": not complete and bool(stop),
                "generator_cpu": round(cpu / max(measurement["seconds"], 0.1), 3),
                "command": shown(commands[0][0])
                + (
                    " (%d such processes, each %g ms after the one before)" % (processes, 1000 * PERIOD_S / processes)
                    if processes > 1
                    else ""
                ),
            }
        )
        return measurement


class Complaints:
    """Reads memtier's stderr, line by line."""

    def __init__(self):
        self.seen = ErrorsSeen()
        self.refused = None  # why it cannot work at all
        self.last = ""

    def line(self, text):
        text = re.sub(
            r"\[RUN #\d+ .*?msec latency", "", text
        ).strip()  # a complaint may follow the progress on its line
        if not text or text.startswith(("[RUN #", "Writing results", "Json file", "Saving JSON")):
            return
        self.last = text
        found = re.search(r"handle error response: (.*)", text)
        if found:
            self.seen.reply(found.group(1))
        elif "authentication failed" in text:
            reply = re.search(r"\[-?(.*)\]", text)
            self.refused = "authentication failed: %s" % (reply.group(1) if reply else "the password is wrong")
        elif re.search(
            r"connection dropped|Connection error|connect failed|Connection timeout|response parsing failed", text
        ):
            self.seen.lost(text.rstrip("."))

    def enough(self):
        # memtier forgets what it has measured when it replaces a connection, so the rest of the step would tell nothing.
        return self.refused is not None or self.seen.lost_connections > 0 or self.seen.replies >= REPLIES_MAX


def _part(load, clients):
    return replace(load, clients=clients, rate=load.rate * clients / load.clients)


def find(path):
    if path is not None:
        if not (os.path.isfile(path) and os.access(path, os.X_OK)):
            raise Failure("no memtier_benchmark at %s" % path)
        return os.path.abspath(path)
    found = shutil.which("memtier_benchmark")
    if found is None:
        raise Failure("memtier_benchmark is not on PATH; " + HOW_TO_GET)
    return found


def ask(path):
    """Its version, and the set of options that its help names."""
    try:
        version = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
        usage = subprocess.run([path, "--help"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure("cannot run %s: %s" % (path, error)) from error
    first = (version.stdout + version.stderr).strip().split("\n")[0]
    found = re.search(r"memtier_benchmark\s+(?:v=)?([\w.]+)(?:.*?sha=([0-9a-f]+))?", first)
    if not found:
        raise Failure("%s does not seem to be memtier_benchmark: --version says %r" % (path, first[:80]))
    number = found.group(1)
    if number == "255.255.255":  # what a build from git calls itself
        number = "git %s" % (found.group(2) or "?")
    return number, set(re.findall(r"--[a-z][a-z0-9-]*", usage.stdout + usage.stderr))


def connection_rate(wanted):
    """For --rate-limiting: the whole number to ask for, what memtier makes of it a second, and its burst.

    memtier (2.x) sends ceil(rate / 50) requests at once, and as often a second as that goes into the rate.
    """
    rate = max(2, round(wanted))
    burst = -(-rate // 50)
    return rate, burst * 1e6 / (1_000_000 // (rate // burst)), burst


def read_json(path):
    """The document that memtier wrote; None when it wrote none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    text = re.sub(r"(:\s*)-?(?:nan|inf)\b", r"\1null", text)  # what it divides by zero
    try:
        return json.loads(text)
    except ValueError:
        return None  # it was ended while it wrote


def merge(documents):
    """Client figures of one step out of the JSON of the processes that drove it together."""
    histogram, mean_weight, mean_sum, maximum, seconds, count = Histogram(), 0, 0.0, 0.0, 0.0, 0
    by_command, per_second, hits, misses, percentiles = {}, {}, 0.0, 0.0, None
    for document in documents:
        stats = document["ALL STATS"]
        seconds = max(seconds, stats["Runtime"]["Total duration"] / 1000)
        for name, part in stats.items():
            if isinstance(part, dict) and name not in ("Runtime", "Totals") and part.get("Count"):
                add_command(by_command, name, part)
        totals = stats["Totals"]
        count += totals["Count"]
        hits += totals.get("Hits/sec") or 0
        misses += totals.get("Misses/sec") or 0
        if totals["Count"]:
            mean_sum += totals.get("Accumulated Latency") or 0
            mean_weight += totals["Count"]
            maximum = max(maximum, totals.get("Max Latency") or 0)
            percentiles = totals.get("Percentile Latencies") or {}
            encoded = (percentiles.get("Histogram log format") or {}).get("Compressed Histogram")
            if encoded:
                histogram.add(Histogram.decode(encoded))
        add_seconds(per_second, totals.get("Time-Serie") or {})
    if histogram.count:
        latency = {
            "p50": histogram.percentile_ms(50),
            "p90": histogram.percentile_ms(90),
            "p99": histogram.percentile_ms(99),
            "p99.9": histogram.percentile_ms(99.9),
        }
    else:  # a memtier without histograms: only ever one process
        latency = {"p50": None, "p90": None, "p99": None, "p99.9": None}
        for key, value in (percentiles or {}).items():
            found = re.fullmatch(r"p(\d+(?:\.\d+)?)", key)
            name = "p%g" % float(found.group(1)) if found else None
            if name in latency:
                latency[name] = value
    latency.update({"mean": round(mean_sum / mean_weight, 3) if mean_weight else None, "max": maximum or None})
    for entry in by_command.values():
        own = entry.pop("histogram")
        entry["ops_per_s"] = round(entry.pop("count") / seconds, 1) if seconds else 0
        entry["p50"], entry["p99"] = own.percentile_ms(50), own.percentile_ms(99)
    whole = sorted(second for second in per_second)[: int(seconds)]  # the last one is cut
    return {
        "seconds": round(seconds, 3),
        "count": count,
        "ops_per_s": round(count / seconds, 1) if seconds else 0.0,
        "latency_ms": latency,
        "distribution": histogram.distribution(),
        "hits_per_s": round(hits, 1),
        "misses_per_s": round(misses, 1),
        "by_command": by_command,
        "per_second": {
            "t": whole,
            "ops": [per_second[s]["ops"] for s in whole],
            "p50": [per_second[s]["p50"] for s in whole],
            "p99": [per_second[s]["p99"] for s in whole],
        },
    }


def add_command(by_command, name, part):
    entry = by_command.setdefault(
        name.rstrip("s").upper() if name in ("Sets", "Gets", "Waits") else name[:-1].upper(),
        {"count": 0, "bytes_sent": 0, "histogram": Histogram()},
    )
    entry["count"] += part["Count"]
    entry["bytes_sent"] += sum(second.get("Bytes TX", 0) for second in (part.get("Time-Serie") or {}).values())
    encoded = ((part.get("Percentile Latencies") or {}).get("Histogram log format") or {}).get("Compressed Histogram")
    if encoded:
        entry["histogram"].add(Histogram.decode(encoded))


def add_seconds(per_second, series):
    """Operations add up; of the processes' percentiles within one second only the worst is kept, as no histogram is there."""
    for second, part in series.items():
        entry = per_second.setdefault(int(second), {"ops": 0, "p50": None, "p99": None})
        entry["ops"] += part.get("Count", 0)
        for name, key in (("p50", "p50.00"), ("p99", "p99.00")):
            if part.get(key) is not None:
                entry[name] = max(part[key], entry[name] or 0)


def shown(words):
    """The command line as one may show it: no password, no temporary file."""
    out, hide = [], False
    for word in words:
        if hide:
            word, hide = "…", False
        elif word in ("-a", "--json-out-file"):
            hide = True
        out.append("'%s'" % word if re.search(r"[^\w@%+=:,./…-]", word) else word)
    return " ".join(out)
