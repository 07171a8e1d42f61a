"""memtier_benchmark as load generator: whether it can be used, its command line, its processes."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace

from . import children, memtier_output
from .errors_seen import ErrorsSeen
from .failure import Failure

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
CONNECTION_RATE_MIN = 2  # a second; at 1 memtier would make a timeval of 1,000,000 µs, which is none
GRACE_S = 20  # how much longer than asked a step may take
LOADING_MAX_S = 3600


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

    @staticmethod
    def lowest_rate(connections):
        return connections * CONNECTION_RATE_MIN

    def command(self, load, server, json_path):
        """The command line of one process, and how many requests a second it is really asked for (None: all it can send)."""
        threads = min(self.threads, load.clients) if load.rate is None else 1
        clients = max(1, load.clients // threads)
        rate, pipeline = None, load.pipeline
        options = {"-s": server.host, "-p": server.port, "-t": threads, "-c": clients, "-d": load.value_bytes}
        options.update({"--key-prefix": load.prefix, "--key-minimum": 1, "--key-maximum": load.keys})
        if server.password is not None:
            options["-a"] = "%s:%s" % (server.user, server.password) if server.user else server.password
        if load.seconds is None:
            options["-n"] = "allkeys"
        else:
            options["--test-time"] = test_time(load)
        if not load.commands:
            options.update({"--ratio": load.set_get, "--key-pattern": load.key_pattern})
            if load.expiry_s:
                options["--expiry-range"] = load.expiry_s
        if load.rate is not None:
            options["--rate-limiting"], rate_each, burst = connection_rate(load.rate / load.clients)
            rate = rate_each * clients
            pipeline = burst * round(1 / PERIOD_S)  # a second's worth may be under way before a request is held back
        options.update({"--pipeline": pipeline, "--print-percentiles": PERCENTILES, "--json-out-file": json_path})
        words = [self.path, "--random-data", "--distinct-client-seed", "--randomize", "--hide-histogram"]
        words += [str(word) for pair in options.items() for word in pair]
        for command in load.commands:
            keys = "P" if load.seconds is None else command.keys
            words += ["--command", command.text, "--command-ratio", str(command.ratio), "--command-key-pattern", keys]
        return words, rate

    def run(self, load, server, stop):
        """One step: the client's side of a measurement (results.schema.json). Raises Failure when there is none."""
        processes = [Process(self, part, server) for part in parts(load)]
        with tempfile.TemporaryDirectory(prefix="capacity.") as folder:
            started, cpu = time.time(), children.cpu_seconds()
            for number, process in enumerate(processes):
                if number:
                    time.sleep(PERIOD_S / len(processes))
                process.start(os.path.join(folder, "%d.json" % number))
            limit = LOADING_MAX_S if load.seconds is None else load.seconds + GRACE_S
            complete = children.wait(
                [process.child for process in processes],
                limit,
                lambda: bool(stop) or any(process.complaints.enough() for process in processes),
            )
            seconds = time.time() - started if load.seconds is None or not complete else test_time(load)
            cpu = children.cpu_seconds() - cpu
            documents = [memtier_output.read_json(process.json_path) for process in processes]
        seen = ErrorsSeen()
        for process in processes:
            seen.add(process.complaints.seen)
        if not stop and not seen:
            check(server, processes, documents, complete, limit)
        measurement = memtier_output.merge([document for document in documents if document], seconds)
        measurement["started"] = started
        measurement["offered"] = None if load.rate is None else round(sum(process.rate for process in processes), 1)
        measurement["errors"] = seen.document()
        measurement["interrupted"] = not complete and bool(stop)
        measurement["generator_cpu"] = round(cpu / max(measurement["seconds"], 0.1), 3)
        measurement["command"] = shown(processes)
        return measurement


class Process:
    """One of the memtier processes that drive a load together."""

    def __init__(self, memtier, load, server):
        self.memtier, self.load, self.server = memtier, load, server
        self.complaints = memtier_output.Complaints()
        self.words = self.rate = self.json_path = self.child = None

    def start(self, json_path):
        self.json_path = json_path
        self.words, self.rate = self.memtier.command(self.load, self.server, json_path)
        self.child = children.Child(self.words, self.complaints.line)


def test_time(load):
    """For --test-time: whole seconds."""
    return max(1, round(load.seconds))


def parts(load):
    """The load, shared out among processes: as many as stagger an offered rate, or one."""
    count = min(STAGGERED, load.clients) if load.rate is not None else 1
    if count == 1:
        return [load]
    shares = [load.clients // count + (i < load.clients % count) for i in range(count)]
    return [replace(load, clients=share, rate=load.rate * share / load.clients) for share in shares]


def check(server, processes, documents, complete, limit):
    """Raises Failure when a step that nobody stopped, and that saw no error, has no figures."""
    refused = next((process.complaints.refused for process in processes if process.complaints.refused), None)
    if refused:
        raise Failure("%s: %s" % (server.name, refused))
    if not complete:
        raise Failure("%s: a step did not end within %d s: not all requests are answered" % (server.name, limit))
    for process, document in zip(processes, documents):
        if document is None:
            said = process.complaints.last or "it said nothing"
            raise Failure("memtier_benchmark failed (status %s): %s" % (process.child.process.returncode, said))


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
    rate = max(CONNECTION_RATE_MIN, round(wanted))
    burst = -(-rate // 50)
    return rate, burst * 1e6 / (1_000_000 // (rate // burst)), burst


def shown(processes):
    """The command line of the first of the processes as one may show it: no password, no temporary file."""
    text = " ".join(
        "'%s'" % word if re.search(r"[^\w@%+=:,./…-]", word) else word for word in without_secrets(processes[0].words)
    )
    if len(processes) == 1:
        return text
    return "%s (%d such processes, each %g ms after the one before)" % (
        text,
        len(processes),
        1000 * PERIOD_S / len(processes),
    )


def without_secrets(words):
    return ["…" if before in ("-a", "--json-out-file") else word for before, word in zip([None] + words, words)]
